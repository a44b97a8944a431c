package selftest

import (
	"fmt"
	"net/url"
)

// partners shows who else serves the customer, and for whom he acts.
func (r *run) partners() {
	r.partner()
	name, trust := "selftest-"+random(8), "trusted-"+random(8)
	agency, made := r.deskAgency(name, trust)
	r.prove("ListAgencies", "desk CreateAgency: its name and for whom; none once it is deleted", func() error {
		a, err := r.call("ListAgencies", r.main, request{})
		if err != nil || made != nil {
			return firstOf(err, made)
		}
		got, ok := a.at("agency_list").find("id", agency)
		if !ok {
			return fmt.Errorf("the agency is not listed")
		}
		if err := want("agency", got.at("name").text()+" "+got.at("trust_domain_name").text(), name+" "+trust); err != nil {
			return err
		}
		if err := r.deskDeleteAgency(agency); err != nil {
			return err
		}
		if a, err = r.call("ListAgencies", r.main, request{}); err != nil {
			return err
		}
		_, still := a.at("agency_list").find("id", agency)
		return must(!still, "a deleted agency is still listed")
	})
	r.prove("CreateFeedback", "desk ShowAbuseReport: its text, files and contact", r.fileReport)
}

// partner makes the sandbox a partner's account, then one that a partner serves.
func (r *run) partner() {
	privilege := func() (bool, error) {
		a, err := r.call("ShowPartnersCasesPrivilege", r.main, request{})
		return a.at("has_privilege").yes(), err
	}
	daily, always := hours{"GMT+08:00", 5, 8}, hours{"GMT+01:00", 7, 24}
	before, beforeErr := privilege()
	_, made := r.deskPartner("selftest-"+random(12), r.box.ID, daily, "", hours{})
	r.prove("ShowPartnersCasesPrivilege", "desk CreatePartner: false before, true for a partner's account, false once he is removed", func() error {
		if err := firstOf(beforeErr, made); err != nil {
			return err
		}
		during, err := privilege()
		if err != nil {
			return err
		}
		if err := r.deskRemovePartners(); err != nil {
			return err
		}
		after, err := privilege()
		if err != nil {
			return err
		}
		return must(!before && during && !after, "%v before, %v meanwhile, %v after", before, during, after)
	})
	r.prove("ShowPartnersServiceInfo", "desk SetDomainPartner: who serves the customer and when, by sub type; nobody before and after", func() error {
		info := func(query url.Values) (string, error) {
			a, err := r.call("ShowPartnersServiceInfo", r.main, request{query: query})
			p := a.at("partners_service_info")
			return p.at("customer_name").text() + " " + p.at("service_time_zone").text() + " " + p.at("service_time_day").text() + " " + p.at("service_time_hour").text(), err
		}
		is := func(query url.Values, text string) error {
			got, err := info(query)
			return firstOf(err, want("partner and hours", got, text))
		}
		const nobody = "   "
		sub := url.Values{"case_sub_type_id": {r.story.subType}}
		if err := is(nil, nobody); err != nil {
			return err
		}
		name := "selftest-" + random(12)
		id, err := r.deskPartner(name, "", daily, r.story.subType, always)
		if err != nil {
			return err
		}
		if err := r.deskServedBy(id); err != nil {
			return err
		}
		if err := firstOf(is(nil, name+" GMT+08:00 5 8"), is(sub, name+" GMT+01:00 7 24")); err != nil {
			return err
		}
		if err := firstOf(r.deskServedBy(""), is(sub, nobody)); err != nil {
			return err
		}
		return r.deskRemovePartners()
	})
	if err := r.deskRemovePartners(); err != nil { // of a part that failed
		fmt.Fprintf(r.o.Progress, "  %v\n", err)
	}
}

// reportKinds is the key of the kinds of report, where the operator set one.
const reportKinds = "feedback_types"

// fileReport files a report of abuse and finds it on the desk.
func (r *run) fileReport() error {
	var files [2]string
	for i, name := range []string{"proof.txt", "identity.txt"} {
		id, err := r.upload(r.main, name, []byte("selftest "+name))
		if err != nil {
			return err
		}
		files[i] = id
	}
	title, content := "Selftest "+random(8), "Selftest: nothing is wrong."
	if _, err := r.call("CreateFeedback", r.main, request{body: map[string]any{"type": r.reportKind(), "title": title, "content": content, "files": files[:1],
		"contacts": map[string]any{"name": "Selftest", "mobile": r.main.Mobile, "mail": r.main.Email, "id_type": 20, "id_files": files[1:]}}}); err != nil {
		return err
	}
	got, err := r.deskAbuseReport(title)
	if err != nil {
		return err
	}
	return want("report", fmt.Sprint(got.Content, got.Files, got.Reporter, got.Contact), fmt.Sprint(content, files[:1], r.main.ID, struct {
		Name, Mobile string
		Files        []string
	}{"Selftest", r.main.Mobile, files[1:]}))
}

// reportKind is a kind of report that the installation takes.
func (r *run) reportKind() string {
	a, err := r.call("ShowConfiguration", r.main, request{path: map[string]string{"config_key": reportKinds}})
	if err != nil {
		return "other" // there is no list of the operator's
	}
	return firstWord(a.at("config_value").text())
}
