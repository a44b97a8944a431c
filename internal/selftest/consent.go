package selftest

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// authorizations lets the engineer ask three times: one is granted, used and
// withdrawn, one refused.
func (r *run) authorizations() {
	s := r.story
	id := func(more ...string) map[string]string {
		m := map[string]string{"authorization_id": r.authorization, "authorization_detail_id": r.detail}
		for i := 0; i+1 < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	show := func() (answer, error) { return r.call("ShowAuthorizationDetail", r.an, request{path: id()}) }
	asked := r.ask()
	r.prove("ListAuthorizations", "desk authorize: what the engineer asked for", func() error {
		a, err := r.call("ListAuthorizations", r.an, request{query: url.Values{"incident_id": {s.ticket}, "limit": {"100"}}})
		if err != nil || asked != nil {
			return firstOf(err, asked)
		}
		_, ok := a.at("incident_auth_list").find("id", r.authorization)
		return must(ok, "the authorization is not listed")
	})
	r.prove("ShowAuthorizationDetail", "desk authorize: it waits for the customer, with its details", func() error {
		a, err := show()
		if err != nil || asked != nil {
			return firstOf(err, asked)
		}
		r.detail = a.at("incident_auth_detail_list").first().at("id").text()
		if err := must(r.detail != "", "there are no details"); err != nil {
			return err
		}
		return want("state and ticket", a.at("status").text()+" "+a.at("incident_id").text(), "0 "+s.ticket)
	})
	r.prove("CheckHosts", "desk authorize: a host that answers takes the right password only", func() error {
		h, err := r.host()
		if err != nil {
			h = host{port: 22, account: "root", password: "secret"}
		}
		try := func(password string) error {
			_, err := r.call("CheckHosts", r.an, request{path: id(), body: map[string]any{"port": h.port, "account": h.account, "password": password}})
			return err
		}
		if called := try(h.password); called != nil || err != nil {
			return firstOf(called, err)
		}
		return refuses(try("not "+h.password), "OSM.01010003", "a wrong password was accepted")
	})
	r.prove("ConfirmAuthorizations", "ShowAuthorizationDetail: 1, for the hours that were given", func() error {
		from := r.now().Truncate(time.Second)
		signed := r.signAuthorizations()
		if _, err := r.call("ConfirmAuthorizations", r.an, request{path: id(), body: map[string]any{
			"auth_detail_list":    []map[string]any{{"auth_detail_id": jsonNumber(r.detail), "port": 22, "account": "root", "password": "selftest-" + random(8)}},
			"auth_effective_time": from.UnixMilli(), "auth_expire_time": from.Add(2 * time.Hour).UnixMilli()}}); err != nil || signed != nil {
			return firstOf(err, signed)
		}
		a, err := show()
		if err != nil {
			return err
		}
		if err := want("state", a.at("status").text(), "1"); err != nil {
			return err
		}
		if err := must(!strings.Contains(string(a.raw), "selftest-"), "the password is shown"); err != nil {
			return err
		}
		return want("auth_expire_time", a.at("auth_expire_time").text(), from.Add(2*time.Hour).UTC().Format("2006-01-02T15:04:05Z"))
	})
	r.sessions(id)
	r.prove("UpdateAuthorizations", "ShowAuthorizationDetail: the granted one 5 after cancel, another 2 after reject", func() error {
		if _, err := r.call("UpdateAuthorizations", r.an, request{path: id(), query: url.Values{"action_id": {"cancel"}}, body: map[string]any{}}); err != nil {
			return err
		}
		a, err := show()
		if err != nil {
			return err
		}
		if err := want("state", a.at("status").text(), "5"); err != nil {
			return err
		}
		if err := r.ask(); err != nil {
			return err
		}
		if _, err := r.call("UpdateAuthorizations", r.an, request{path: id(), query: url.Values{"action_id": {"reject"}}, body: map[string]any{"reject_reason": "Selftest: no"}}); err != nil {
			return err
		}
		if a, err = show(); err != nil {
			return err
		}
		return want("state and reason", a.at("status").text()+" "+a.at("reject_reason").text(), "2 Selftest: no")
	})
	r.prove("ShowLoginType", "CreateCases: the same caller's way in", func() error {
		a, err := r.call("ShowLoginType", r.an, request{})
		if err != nil {
			return err
		}
		return must(a.at("login_type").text() != "", "it is empty")
	})
}

// ask lets the engineer ask for an authorization on the first ticket, and takes
// its id from the customer's list: the one that waits.
func (r *run) ask() error {
	if err := r.deskAuthorize(r.story.ticket); err != nil {
		return err
	}
	a, err := r.call("ListAuthorizations", r.an, request{query: url.Values{"incident_id": {r.story.ticket}, "status": {"0"}}})
	if err != nil {
		return err
	}
	r.authorization = a.at("incident_auth_list").first().at("id").text()
	return must(r.authorization != "", "no authorization waits for the customer")
}

func (r *run) signAuthorizations() error {
	a, err := r.call("ShowLatestPublishedAgreement", r.an, request{query: url.Values{"agreement_type": {"2"}}})
	if err != nil {
		return err
	}
	id := a.at("case_agreement.id").text()
	if id == "" {
		return nil // none is published: none is to be accepted
	}
	_, err = r.call("SignPublishedAgreement", r.an, request{path: map[string]string{"id": id}, body: map[string]any{"relation_id": r.authorization}})
	return err
}

// sessions reads what the engineer did in the host.
func (r *run) sessions(id func(more ...string) map[string]string) {
	recorded := r.deskRecordSession()
	r.prove("ListHistorySessions", "desk RecordSession: its beginning and end", func() error {
		a, err := r.call("ListHistorySessions", r.an, request{path: id()})
		if err != nil || recorded != nil {
			return firstOf(err, recorded)
		}
		s := a.at("session_list").first()
		r.session = s.at("session_id").text()
		return must(r.session != "" && s.at("start_time").text() != "" && s.at("end_time").text() != "", "no session is listed")
	})
	r.prove("ListHistoryOperateLogs", "desk RecordSession: the command", func() error {
		a, err := r.call("ListHistoryOperateLogs", r.an, request{path: id("session_id", r.session), query: url.Values{"sort": {"1"}}})
		if err != nil || recorded != nil {
			return firstOf(err, recorded)
		}
		_, ok := a.at("ops_list").find("oper", sessionCommand)
		return must(ok, "the command is not listed")
	})
	r.prove("ListTransportHistories", "desk RecordSession: the file", func() error {
		a, err := r.call("ListTransportHistories", r.an, request{path: id("session_id", r.session)})
		if err != nil || recorded != nil {
			return firstOf(err, recorded)
		}
		_, ok := a.at("file_ops_list").find("file_name", sessionFile)
		return must(ok, "the file is not listed")
	})
}

// firstOf is the first error there is.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// partners shows who else serves the customer.
func (r *run) partners() {
	privilege := func() (bool, error) {
		a, err := r.call("ShowPartnersCasesPrivilege", r.main, request{})
		return a.at("has_privilege").yes(), err
	}
	before, err := privilege()
	partner, made := r.deskPartner()
	r.prove("ShowPartnersCasesPrivilege", "desk partner: false before, true for a partner", func() error {
		if err != nil || made != nil {
			return firstOf(err, made)
		}
		after, err := privilege()
		if err != nil {
			return err
		}
		return must(!before && after, "%v before, %v after", before, after)
	})
	r.prove("ShowPartnersServiceInfo", "desk partner: its name and hours", func() error {
		a, err := r.call("ShowPartnersServiceInfo", r.main, request{query: url.Values{"case_sub_type_id": {r.story.subType}, "product_id": {r.story.product}}})
		if err != nil || made != nil {
			return firstOf(err, made)
		}
		return want("name", a.at("partners_service_info.customer_name").text(), partner)
	})
	agency, made := r.deskAgency()
	r.prove("ListAgencies", "desk agency: its name", func() error {
		a, err := r.call("ListAgencies", r.main, request{})
		if err != nil || made != nil {
			return firstOf(err, made)
		}
		_, ok := a.at("agency_list").find("name", agency)
		return must(ok, "the agency is not listed")
	})
	title := "Selftest " + random(8)
	r.prove("CreateFeedback", "desk feedback: its title", func() error {
		files := map[string]string{}
		var uploaded error
		for _, name := range []string{"proof.txt", "identity.txt"} {
			id, err := r.upload(r.main, name, []byte("selftest "+name))
			if err != nil {
				id, uploaded = "none", err
			}
			files[name] = id
		}
		if _, err := r.call("CreateFeedback", r.main, request{body: map[string]any{"type": feedbackType, "title": title, "content": "Selftest: nothing is wrong.", "files": []string{files["proof.txt"]},
			"contacts": map[string]any{"name": "Selftest", "mobile": r.main.Mobile, "mail": r.main.Email, "id_type": 0, "id_files": []string{files["identity.txt"]}}}}); err != nil || uploaded != nil {
			return firstOf(err, uploaded)
		}
		titles, err := r.deskFeedbacks()
		if err != nil {
			return err
		}
		for _, t := range titles {
			if t == title {
				return nil
			}
		}
		return fmt.Errorf("the desk does not see it")
	})
}

// diagnosis checks a resource and tells what it found.
func (r *run) diagnosis() {
	s := r.story
	resource, made := r.deskResource()
	r.prove("ListDiagnoseResources", "desk resource: the one that was registered", func() error {
		a, err := r.call("ListDiagnoseResources", r.main, request{body: map[string]any{"project_id": "", "region": s.region}})
		if err != nil || made != nil {
			return firstOf(err, made)
		}
		_, ok := a.at("result").find("id", resource)
		return must(ok, "the resource is not listed")
	})
	jobID := "1"
	r.prove("CreateDiagnoseJob", "ListDiagnoseJob: the job ends with results", func() error {
		a, err := r.call("CreateDiagnoseJob", r.main, request{body: map[string]any{"type": 1, "params": map[string]any{"resource_id": resource}, "region_id": s.region}})
		if err != nil {
			return err
		}
		jobID = a.at("job_id").text()
		return r.until(func() error {
			a, err := r.call("ListDiagnoseJob", r.main, request{query: url.Values{"job_id": {jobID}}})
			if err != nil {
				return err
			}
			return must(len(a.at("items_result").list()) > 0, "the job has no results yet")
		})
	})
	item := "1"
	r.prove("ListDiagnoseJob", "CreateDiagnoseJob: the job with what it checked", func() error {
		a, err := r.call("ListDiagnoseJob", r.main, request{query: url.Values{"job_id": {jobID}}})
		if err != nil {
			return err
		}
		item = a.at("items_result").first().at("check_id").text()
		return want("job", a.at("job_id").text(), jobID)
	})
	r.prove("ListDiagnoseItems", "ListDiagnoseJob: what was found at one of its checks", func() error {
		a, err := r.call("ListDiagnoseItems", r.main, request{body: map[string]any{"job_id": jobID, "item_ids": item}})
		if err != nil {
			return err
		}
		_, ok := a.at("item_results").find("check_id", item)
		return must(ok, "the check is not shown")
	})
	r.prove("ListDiagnoseRecords", "CreateDiagnoseJob: the job is among the records", func() error {
		a, err := r.call("ListDiagnoseRecords", r.main, request{query: url.Values{"page_no": {"1"}, "page_size": {"10"}}})
		if err != nil {
			return err
		}
		_, ok := a.at("records").find("job_id", jobID)
		return must(ok, "the job is not listed")
	})
	words := "Selftest " + random(8)
	r.prove("CreateDiagnoseFeedback", "desk diagnosis feedback: the words", func() error {
		if _, err := r.call("CreateDiagnoseFeedback", r.main, request{body: map[string]any{"type": 1, "content": words, "is_helpful": true}}); err != nil {
			return err
		}
		all, err := r.deskDiagnoseFeedbacks()
		if err != nil {
			return err
		}
		return must(strings.Contains(all, words), "the desk does not see it")
	})
}
