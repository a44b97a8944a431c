package selftest

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
)

// source is the one source a ticket can come from.
const source = "83aeb0f2834c4df49826c781d32a963e"

func of(number string) map[string]string { return map[string]string{"case_id": number} }

// create opens a ticket of the question's type, or as more says.
func (r *run) create(who User, text string, more map[string]any, header map[string]string) (string, error) {
	s := r.story
	body := map[string]any{"business_type_id": s.question.id, "simple_description": text, "source_id": source}
	if s.question.kind == "5" {
		body["region_id"] = s.region
	}
	maps.Copy(body, more)
	a, err := r.call("CreateCases", who, request{body: body, header: header})
	return a.at("incident_id").text(), err
}

func (r *run) show(who User, number string) (answer, error) {
	a, err := r.call("ShowCaseDetail", who, request{path: of(number)})
	return a.at("incident_detail_info"), err
}

func (r *run) state(who User, number string) (string, error) {
	a, err := r.call("ShowCaseStatus", who, request{path: of(number)})
	return a.at("status").text(), err
}

// tickets creates three, and lets the details show what the configuration
// promised.
func (r *run) tickets() {
	s := &r.story
	text := "Selftest " + random(12) + ": the instance does not answer."
	var detail answer
	r.prove("CreateCases", "ShowCaseDetail: text, state, creator and contact", func() (err error) {
		more := map[string]any{"business_type_id": s.fault.id, "product_category_id": s.product, "incident_sub_type_id": s.subType, "region_id": s.region,
			"remind_mobile": s.mobile, "area_code": "86", "remind_time": "0"}
		if s.severity != "" {
			more["severity_id"] = s.severity
		}
		if s.ticket, err = r.create(r.an, text, more, map[string]string{"x-phone-verifiedid": s.proof}); err != nil {
			return err
		}
		if detail, err = r.show(r.an, s.ticket); err != nil {
			return err
		}
		for field, v := range map[string]string{"simple_description": text, "status": "0", "xcustomer_id": r.an.ID, "customer_id": r.box.ID, "ext_info.remind_mobile": s.mobile} {
			if err := want(field, detail.at(field).text(), v); err != nil {
				return err
			}
		}
		return nil
	})
	shows := func(field, value string) func() error {
		return func() error {
			if err := must(value != "", "nothing to look for"); err != nil {
				return err
			}
			return want(field, detail.at(field).text(), value)
		}
	}
	r.prove("ShowCaseDetail", "CreateCases: the text it was opened with", shows("simple_description", text))
	r.prove("ListProblemTypes", "ShowCaseDetail: the type's name", shows("business_type_name", s.fault.name))
	r.prove("ListRegions", "ShowCaseDetail: the region's name", shows("dc_name", s.regionName))
	r.prove("ListSeverities", "ShowCaseDetail: the severity's name", shows("severity_name", s.severityName))
	quota := func() (answer, error) {
		return r.call("ListCaseQuotas", r.an, request{query: url.Values{"business_type_id": {s.question.id}}})
	}
	before, quotaErr := quota()
	r.prove("ListCaseTemplates", "ShowCaseDetail: a ticket written from the template", func() (err error) {
		if s.second, err = r.create(r.an, s.template, nil, nil); err != nil {
			return err
		}
		d, err := r.show(r.an, s.second)
		if err != nil {
			return err
		}
		return want("description", strings.TrimSpace(d.at("simple_description").text()), strings.TrimSpace(s.template))
	})
	r.prove("ListCaseQuotas", "CreateCases: one less after it, or no end", func() error {
		after, err := quota()
		if err != nil || quotaErr != nil {
			return fmt.Errorf("%v, %v", quotaErr, err)
		}
		total, unused := after.at("total").number(), after.at("un_used").number()
		if before.at("total").text() == "-1" {
			return must(total == -1 && unused == -1, "of an endless quota %d are left", unused)
		}
		return want("un_used", unused, before.at("un_used").number()-1)
	})
	r.prove("ShowCaseStatus", "UpdateCases: 4 once it is cancelled, as the detail says", func() (err error) {
		if s.colleague, err = r.create(r.bo, "Selftest: taken back", nil, nil); err != nil {
			return err
		}
		if err := r.is(r.bo, s.colleague, "0"); err != nil {
			return err
		}
		if err := r.act(r.bo, s.colleague, "cancel", nil); err != nil {
			return err
		}
		d, err := r.show(r.bo, s.colleague)
		if err != nil {
			return err
		}
		if err := want("status of the detail", d.at("status").text(), "4"); err != nil {
			return err
		}
		return r.is(r.bo, s.colleague, "4")
	})
}

func (r *run) is(who User, number, state string) error {
	got, err := r.state(who, number)
	if err != nil {
		return err
	}
	return want("state of "+number, got, state)
}

func (r *run) act(who User, number, action string, body map[string]any) error {
	if body == nil {
		body = map[string]any{}
	}
	_, err := r.call("UpdateCases", who, request{path: of(number), query: url.Values{"action_id": {action}}, body: body})
	return err
}

// life leads the first ticket to its end.
func (r *run) life() {
	s := r.story
	r.prove("UpdateCases", "ShowCaseStatus: urge, cancel, close and delete have happened", func() error {
		if err := r.forward(31 * 60 * 1e9); err != nil { // a new ticket may not be urged yet
			return err
		}
		if err := r.act(r.an, s.ticket, "press", nil); err != nil {
			return err
		}
		if err := r.step(s.ticket, "resolve", "Selftest: it answers again."); err != nil {
			return err
		}
		if err := r.is(r.an, s.ticket, "2"); err != nil {
			return err
		}
		if err := r.act(r.an, s.ticket, "close", nil); err != nil {
			return err
		}
		if err := r.is(r.an, s.ticket, "3"); err != nil {
			return err
		}
		if err := r.act(r.bo, s.colleague, "delete", nil); err != nil {
			return err
		}
		got, err := r.state(r.bo, s.colleague)
		return refuses(err, "OSM.01010015", "a deleted ticket is still there, in %s", got)
	})
	r.prove("ListCaseOperateLogs", "UpdateCases: creation 0, urge 2 and close 3 are listed with their actor", func() error {
		a, err := r.call("ListCaseOperateLogs", r.an, request{path: of(s.ticket), query: url.Values{"limit": {"100"}}})
		if err != nil {
			return err
		}
		for _, code := range []string{"0", "2", "3"} {
			e, ok := a.at("incident_operate_log_list").find("operate_type", code)
			if !ok || e.at("operator_id").text() != r.an.ID {
				return fmt.Errorf("no line of type %s by the user", code)
			}
		}
		return nil
	})
	var scores []map[string]any
	r.prove("CreateScores", "ShowCaseDetail: the points and the words", func() error {
		dims, err := r.call("ListSatisfactionDimensions", r.an, request{})
		if err != nil {
			return err
		}
		for _, d := range dims.at("satisfaction_dimension_list").list() {
			scores = append(scores, map[string]any{"satisfaction_id": d.at("satisfaction_id").number(), "satisfaction_value": d.at("value").number()})
		}
		if _, err := r.call("CreateScores", r.an, request{path: of(s.ticket), body: map[string]any{"judgement": "Selftest: quick", "incident_satisfaction_list": scores}}); err != nil {
			return err
		}
		d, err := r.show(r.an, s.ticket)
		if err != nil {
			return err
		}
		if err := want("judgement", d.at("judgement").text(), "Selftest: quick"); err != nil {
			return err
		}
		return want("number of ratings", len(d.at("incident_satisfaction").list()), len(scores))
	})
	r.prove("ListSatisfactionDimensions", "CreateScores: each dimension is rated, the detail shows it", func() error {
		d, err := r.show(r.an, s.ticket)
		if err != nil {
			return err
		}
		for _, want := range scores {
			if _, ok := d.at("incident_satisfaction").find("satisfaction_id", fmt.Sprint(want["satisfaction_id"])); !ok {
				return fmt.Errorf("dimension %v is not shown", want["satisfaction_id"])
			}
		}
		return must(len(scores) > 0, "there are no dimensions")
	})
}

// lists asks for tickets in every way there is.
func (r *run) lists() {
	s := r.story
	numbers := func(a answer) (all []string) {
		for _, i := range a.at("incident_info_list").list() {
			all = append(all, i.at("incident_id").text())
		}
		return all
	}
	r.prove("ListCases", "CreateCases: its tickets by number, state, words and group, and no deleted one", func() error {
		for name, tt := range map[string]struct {
			who   User
			query url.Values
			want  string
		}{
			"all": {r.an, nil, s.second + " " + s.ticket}, "by number": {r.an, url.Values{"incident_id": {s.ticket}}, s.ticket},
			"by state": {r.an, url.Values{"status": {"3"}}, s.ticket}, "of a group": {r.bo, url.Values{"group_id": {r.box.Group}}, s.second + " " + s.ticket},
			"of the main account, by words": {r.main, url.Values{"search_key": {"answer", "instance"}}, s.ticket}, "of a colleague": {r.bo, nil, ""},
		} {
			a, err := r.call("ListCases", tt.who, request{query: tt.query})
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := want("list "+name, strings.Join(numbers(a), " "), tt.want); err != nil {
				return err
			}
		}
		return nil
	})
	r.prove("ListCaseCounts", "ListCases: as many in each state", func() error {
		a, err := r.call("ListCaseCounts", r.main, request{})
		if err != nil {
			return err
		}
		sum := int64(0)
		for _, c := range a.at("incident_status_counts").list() {
			list, err := r.call("ListCases", r.main, request{query: url.Values{"status": {c.at("status").text()}}})
			if err != nil {
				return err
			}
			if err := want("number in state "+c.at("status").text(), c.at("count").number(), list.at("total_count").number()); err != nil {
				return err
			}
			sum += c.at("count").number()
		}
		return must(sum >= 2, "only %d tickets are counted", sum)
	})
	r.prove("ListOrderIncident", "CreateCases: the old listing has the ticket", func() error {
		a, err := r.call("ListOrderIncident", r.an, request{query: url.Values{"incidentId": {s.ticket}, "pageNo": {"1"}, "pageSize": {"10"}}})
		if err != nil {
			return err
		}
		_, ok := a.at("incidentInfoList").find("incidentId", s.ticket)
		return must(ok && a.at("totalCount").number() == 1, "%s is not listed", s.ticket)
	})
	r.prove("DownloadCases", "CreateCases: the sheet holds the ticket's number", func() error {
		a, err := r.call("DownloadCases", r.main, request{query: url.Values{"incident_id": {s.ticket}}})
		if err != nil {
			return err
		}
		text, err := unzipped(a.raw)
		if err != nil {
			return err
		}
		return must(strings.Contains(text, s.ticket), "the sheet does not hold %s", s.ticket)
	})
}
