package selftest

import (
	"fmt"
	"net/url"
	"strings"
)

// configuration asks all that a client asks before it creates a ticket. What it
// finds is used by later parts, which is the proof of most of it.
func (r *run) configuration() {
	var categories answer
	r.prove("ListCaseCategories", "ListProductCategories: the same products", func() error {
		var err error
		if categories, err = r.call("ListCaseCategories", r.main, request{}); err != nil {
			return err
		}
		flat, err := r.call("ListProductCategories", r.main, request{})
		if err != nil {
			return err
		}
		n := 0
		for _, sub := range categories.at("incident_sub_type_list").list() {
			for _, p := range sub.at("incident_product_category_list").list() {
				id := p.at("incident_product_category_id").text()
				if _, ok := flat.at("incident_product_category_list").find("incident_product_category_id", id); !ok {
					return fmt.Errorf("product %s is in one list only", id)
				}
				n++
			}
		}
		return must(n > 0, "there are no products")
	})
	r.prove("ListProductCategories", "ListCaseCategories: one of its products, by its name", func() error {
		p := categories.at("incident_sub_type_list").first().at("incident_product_category_list").first()
		name := p.at("incident_product_category_name").text()
		found, err := r.call("ListProductCategories", r.main, request{query: url.Values{"product_category_name": {name}}})
		if err != nil {
			return err
		}
		_, ok := found.at("incident_product_category_list").find("incident_product_category_id", p.at("incident_product_category_id").text())
		return must(name != "" && ok, "%q is not found by its name", name)
	})
	if err := r.choose(categories); err != nil {
		fmt.Fprintf(r.o.Progress, "  %v\n", err)
	}
	r.prove("ShowConfiguration", "desk ExportCatalog: the key's value stands in limits.yaml", func() error {
		const key = "supported_languages"
		a, err := r.call("ShowConfiguration", r.main, request{path: map[string]string{"config_key": key}})
		if err != nil {
			return err
		}
		files, err := r.exported()
		if err != nil {
			return err
		}
		v := a.at("config_value").text()
		return must(v != "" && a.at("config_key").text() == key && strings.Contains(files, v), "%s is %q", key, v)
	})
}

// choose finds a product with a fault where the support plan offers severities
// and the customer has parameters to give, and a question with a template.
func (r *run) choose(categories answer) error {
	s := &r.story
	regions, err := r.call("ListRegions", r.main, request{})
	if err != nil {
		return err
	}
	first := regions.at("data_center_list").first()
	s.region, s.regionName = first.at("region_id").text(), first.at("region_name").text()
	best := -1
	for _, sub := range categories.at("incident_sub_type_list").list() {
		for _, p := range sub.at("incident_product_category_list").list() {
			product := p.at("incident_product_category_id").text()
			types, err := r.call("ListProblemTypes", r.main, request{query: url.Values{"product_category_id": {product}}})
			if err != nil {
				return err
			}
			for _, t := range types.at("incident_business_type_list").list() {
				got := problem{t.at("business_type_id").text(), t.at("business_type_name").text(), t.at("case_type").text()}
				if s.template == "" {
					templates, err := r.call("ListCaseTemplates", r.main, request{query: url.Values{"business_type_id": {got.id}}})
					if err != nil {
						return err
					}
					if text := templates.at("incident_template_list").first().at("incident_template_content").text(); text != "" && len([]rune(text)) <= 1200 {
						s.template, s.question = text, got
					}
				}
				if got.kind != "5" || best == 2 {
					continue
				}
				offered, err := r.call("ListSeverities", r.main, request{query: url.Values{"product_category_id": {product}, "business_type_id": {got.id}}})
				if err != nil {
					return err
				}
				params, err := r.call("ListExtendsParams", r.main, request{query: url.Values{"product_category_id": {product}, "business_type_id": {got.id}}})
				if err != nil {
					return err
				}
				worth := 0
				severity := offered.at("severity_list").first()
				if offered.at("show").yes() && severity.at("severity_id").text() != "" {
					worth++
				}
				if len(params.at("extends_params").list()) > 0 {
					worth++
				}
				if worth > best {
					best = worth
					s.subType, s.product, s.fault = sub.at("incident_sub_type_id").text(), product, got
					s.severity, s.severityName = severity.at("severity_id").text(), severity.at("severity_name").text()
					r.story.params = params.at("extends_params").list()
				}
			}
		}
	}
	return must(best >= 0 && s.template != "", "the catalogue offers no fault or no template to try")
}

// agreements lets the first user accept the newest agreement.
func (r *run) agreements() {
	kind := url.Values{"agreement_type": {"0"}}
	var latest answer
	signed := func() (answer, error) {
		return r.call("ShowSignedLatestPublishedAgreement", r.an, request{query: kind})
	}
	r.prove("ShowSignedLatestPublishedAgreement", "SignPublishedAgreement: false before, true after", func() error {
		before, err := signed()
		if err != nil {
			return err
		}
		if latest, err = r.call("ShowLatestPublishedAgreement", r.an, request{query: kind}); err != nil {
			return err
		}
		if _, err := r.call("SignPublishedAgreement", r.an, request{path: map[string]string{"id": latest.at("case_agreement.id").text()}, body: map[string]any{}}); err != nil {
			return err
		}
		after, err := signed()
		if err != nil {
			return err
		}
		return must(!before.at("is_signed_latest").yes() && after.at("is_signed_latest").yes(), "signed is %v before and %v after", before.at("is_signed_latest").v, after.at("is_signed_latest").v)
	})
	r.prove("SignPublishedAgreement", "ShowSignedLatestPublishedAgreement: true for who signed, not for a colleague", func() error {
		a, err := r.call("SignPublishedAgreement", r.main, request{path: map[string]string{"id": latest.at("case_agreement.id").text()}, body: map[string]any{"relation_id": ""}})
		if err != nil {
			return err
		}
		if err := must(a.at("agreement_signed_record_id").number() > 0, "the record's id is %q", a.at("agreement_signed_record_id").text()); err != nil {
			return err
		}
		mine, err := r.call("ShowSignedLatestPublishedAgreement", r.main, request{query: kind})
		if err != nil {
			return err
		}
		his, err := r.call("ShowSignedLatestPublishedAgreement", r.bo, request{query: kind})
		if err != nil {
			return err
		}
		return must(mine.at("is_signed_latest").yes() && !his.at("is_signed_latest").yes(), "the main account %v, the colleague %v", mine.v, his.v)
	})
	r.prove("ShowLatestPublishedAgreement", "SignPublishedAgreement: accepts its id, and only that", func() error {
		if err := must(latest.at("case_agreement.content").text() != "" && latest.at("case_agreement.version").number() > 0, "no text or no version"); err != nil {
			return err
		}
		_, err := r.call("SignPublishedAgreement", r.bo, request{path: map[string]string{"id": "2147483646"}, body: map[string]any{}})
		if err := refuses(err, "", "an agreement that does not exist was signed"); err != nil {
			return err
		}
		_, err = r.call("SignPublishedAgreement", r.bo, request{path: map[string]string{"id": latest.at("case_agreement.id").text()}, body: map[string]any{}})
		return err
	})
}

// contacts proves a phone number with a code, read from the catcher.
func (r *run) contacts() {
	s := &r.story
	s.mobile = mobile()
	contact := url.Values{"contact_value": {s.mobile}, "contact_way": {"0"}, "area_code": {"86"}}
	need := func() (string, error) {
		a, err := r.call("CheckNeedVerify", r.an, request{query: contact})
		return a.at("need_verify_code").text(), err
	}
	body := map[string]any{"contact_value": s.mobile, "contact_way": 0, "area_code": "86"}
	send := func() error { _, err := r.call("SendVerifyCodes", r.an, request{body: body}); return err }
	var code, before string
	r.prove("SendVerifyCodes", "desk ShowOutboxCode: the catcher holds six digits", func() (err error) {
		if before, err = need(); err != nil {
			return err
		}
		if err := send(); err != nil {
			return err
		}
		code, err = r.code("+86" + s.mobile)
		if err != nil {
			return err
		}
		return must(len(code) == 6, "the code is %d characters", len(code))
	})
	r.prove("CheckVerifyCodes", "ListHasVerifiedContacts: lists the contact, with an id; a wrong code is refused", func() error {
		try := func(code string) error {
			_, err := r.call("CheckVerifyCodes", r.an, request{body: map[string]any{"verify_code": code, "contact_value": s.mobile, "contact_way": 0, "area_code": "86"}})
			return err
		}
		wrong := "000000"
		if code == wrong {
			wrong = "000001"
		}
		if err := refuses(try(wrong), "OSM.01010010", "a wrong code was accepted"); err != nil {
			return err
		}
		if err := try(code); err != nil {
			return err
		}
		a, err := r.call("ListHasVerifiedContacts", r.an, request{query: url.Values{"contact_way": {"0"}}})
		if err != nil {
			return err
		}
		c, ok := a.at("contact_list").find("contact_value", s.mobile)
		s.proof = c.at("verified_id").text()
		return must(ok && s.proof != "", "the contact is not listed")
	})
	r.prove("ListHasVerifiedContacts", "CheckVerifyCodes: the contact in full to its owner, and none to a colleague", func() error {
		a, err := r.call("ListHasVerifiedContacts", r.an, request{query: url.Values{"verified_id": {s.proof}}})
		if err != nil {
			return err
		}
		if err := want("contacts", a.at("count").text()+" "+a.at("contact_list").first().at("contact_value").text(), "1 "+s.mobile); err != nil {
			return err
		}
		other, err := r.call("ListHasVerifiedContacts", r.bo, request{})
		if err != nil {
			return err
		}
		return want("contacts of a colleague", other.at("count").text(), "0")
	})
	r.prove("CheckNeedVerify", "CheckVerifyCodes: 1 before the right code, 0 after", func() error {
		after, err := need()
		if err != nil {
			return err
		}
		return must(before == "1" && after == "0", "%s before, %s after", before, after)
	})
	r.prove("ListAreaCodes", "ListHasVerifiedContacts: the proved contact has its code", func() error {
		a, err := r.call("ListAreaCodes", r.an, request{})
		if err != nil {
			return err
		}
		if _, ok := a.at("area_code_list").find("area_code", "86"); !ok {
			return fmt.Errorf("86 is not listed")
		}
		list, err := r.call("ListHasVerifiedContacts", r.an, request{query: url.Values{"area_code": {"86"}}})
		if err != nil {
			return err
		}
		return must(len(list.at("contact_list").list()) > 0, "no contact has the area code 86")
	})
}
