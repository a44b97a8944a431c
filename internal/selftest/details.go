package selftest

import (
	"fmt"
	"net/url"
	"strings"
)

// details changes whom a ticket's notices go to and what it tells beside its
// text.
func (r *run) details() {
	s := r.story
	copyTo := "copy-" + random(6) + "@example.com"
	change := func(cc string) error {
		_, err := r.call("UpdateCaseContactInfo", r.an, request{path: of(s.ticket), body: map[string]any{"remind_mail": r.an.Email, "remind_mobile": s.mobile, "area_code": "86",
			"remind_time": "0", "extension_map": map[string]any{"remindCCEmail": cc}}})
		return err
	}
	r.prove("UpdateCaseContactInfo", "ShowCaseDetail: the new address and the copy; the next notice goes there", func() error {
		if err := change(copyTo); err != nil {
			return err
		}
		d, err := r.show(r.an, s.ticket)
		if err != nil {
			return err
		}
		if err := want("remind_mail", d.at("ext_info.remind_mail").text(), r.an.Email); err != nil {
			return err
		}
		if err := want("cc_email", d.at("ext_info.cc_email").text(), copyTo); err != nil {
			return err
		}
		if err := r.step(s.ticket, "reply", "Selftest: who reads this?"); err != nil {
			return err
		}
		err = r.until(func() error {
			texts, err := r.caught(r.an.Email)
			return firstOf(err, must(strings.Contains(strings.Join(texts, " "), s.ticket), "the notice of a reply did not go to the new address"))
		})
		if err != nil {
			return err
		}
		return nil
	})
	r.prove("ListCaseLimits", "UpdateCaseContactInfo: as many copy addresses are taken, one more is refused", func() error {
		limits, err := r.call("ListCaseLimits", r.an, request{})
		if err != nil {
			return err
		}
		most := limits.at("config.create_case_ccemail_max_count").number()
		if err := must(most > 0, "the limit is %d", most); err != nil {
			return err
		}
		var many []string
		for i := range most + 1 {
			many = append(many, fmt.Sprintf("copy%d@example.com", i))
		}
		if err := refuses(change(strings.Join(many, ",")), "OSM.01010008", "%d copies were taken", len(many)); err != nil {
			return err
		}
		if err := change(strings.Join(many[:most], ",")); err != nil {
			return fmt.Errorf("with %d copies: %w", most, err)
		}
		d, err := r.show(r.an, s.ticket)
		return firstOf(err, must(strings.Contains(d.at("ext_info.cc_email").text(), many[most-1]), "the last copy is not shown"))
	})
	r.prove("ListCaseCcEmails", "UpdateCaseContactInfo: the address used last", func() error {
		a, err := r.call("ListCaseCcEmails", r.an, request{})
		if err != nil {
			return err
		}
		return must(strings.Contains(string(a.raw), copyTo), "%s is not listed", copyTo)
	})
	values := map[string]any{}
	for _, p := range r.story.params {
		values[p.at("param_key").text()] = valueFor(p)
	}
	r.prove("CreateCaseExtendsParam", "ShowCaseExtendsParam: the values", func() error {
		if _, err := r.call("CreateCaseExtendsParam", r.an, request{path: of(s.ticket), body: map[string]any{"extends_map": values}}); err != nil {
			return err
		}
		a, err := r.call("ShowCaseExtendsParam", r.an, request{path: of(s.ticket)})
		if err != nil {
			return err
		}
		for key := range values {
			if !strings.Contains(string(a.raw), key) {
				return fmt.Errorf("%s is not shown", key)
			}
		}
		return must(len(values) > 0, "the type has no parameters to try")
	})
	r.prove("ListExtendsParams", "CreateCaseExtendsParam: each listed parameter is taken alone, one that is not listed is refused", func() error {
		a, err := r.call("ListExtendsParams", r.an, request{query: url.Values{"business_type_id": {s.fault.id}, "product_category_id": {s.product}}})
		if err != nil {
			return err
		}
		give := func(key string, value any) error {
			_, err := r.call("CreateCaseExtendsParam", r.an, request{path: of(s.ticket), body: map[string]any{"extends_map": map[string]any{key: value}}})
			return err
		}
		all := a.at("extends_params").list()
		for _, p := range all {
			if err := give(p.at("param_key").text(), valueFor(p)); err != nil {
				return err
			}
		}
		if err := must(len(all) > 0 && len(a.at("common_params").list()) > 0, "there are no parameters"); err != nil {
			return err
		}
		return refuses(give("selftest_"+random(8), "1"), "OSM.01010001", "a parameter that is not listed was taken")
	})
	r.prove("ShowCaseExtendsParam", "CreateCaseExtendsParam: keys and values that are not secret", func() error {
		a, err := r.call("ShowCaseExtendsParam", r.an, request{path: of(s.ticket)})
		if err != nil {
			return err
		}
		shown := 0
		for _, p := range r.story.params {
			if p.at("is_sensitive").text() == "0" && strings.Contains(string(a.raw), fmt.Sprint(values[p.at("param_key").text()])) {
				shown++
			}
		}
		return must(shown > 0, "no value is shown")
	})
	r.prove("ListCustomersRegions", "ListRegions: the same regions", func() error {
		a, err := r.call("ListCustomersRegions", r.an, request{})
		if err != nil {
			return err
		}
		all, err := r.call("ListRegions", r.an, request{})
		if err != nil {
			return err
		}
		list := a.at("region_infos").list()
		for _, x := range list {
			if _, ok := all.at("data_center_list").find("region_id", x.at("region_id").text()); !ok {
				return fmt.Errorf("region %s is in one list only", x.at("region_id").text())
			}
		}
		return must(len(list) > 0, "there are no regions")
	})
	r.prove("ListSubCustomers", "CreateCases: who opened tickets, contacts made unreadable", func() error {
		a, err := r.call("ListSubCustomers", r.main, request{})
		if err != nil {
			return err
		}
		for _, u := range []User{r.an, r.bo} {
			if _, ok := a.at("sub_customer_infos").find("customer_id", u.ID); !ok {
				return fmt.Errorf("%s is not listed", u.Name)
			}
			for _, secret := range []string{u.Email, u.Mobile} {
				if strings.Contains(string(a.raw), secret) {
					return fmt.Errorf("a contact is shown in full")
				}
			}
		}
		return nil
	})
}

// valueFor is a value that the parameter allows.
func valueFor(p answer) any {
	if v := p.at("default_value").text(); v != "" {
		return v
	}
	if items := p.at("select_item").text(); items != "" {
		first, _, _ := strings.Cut(items, ",")
		return first
	}
	if n := p.at("min_value").number(); n >= 0 {
		return number(n)
	}
	v := "8022"
	if most := p.at("length").number(); most > 0 && int64(len(v)) > most {
		v = v[:most]
	}
	return v
}

// privileges lets the main account say who may submit.
func (r *run) privileges() {
	has := func(who User) (string, error) {
		a, err := r.call("ListPrivileges", who, request{query: url.Values{"privilege": {"createCase"}}})
		return a.at("has_privilege").text(), err
	}
	policy := func() (bool, error) {
		a, err := r.call("ShowCustomerPrivilegePolicy", r.main, request{})
		return a.at("policy_switch").yes(), err
	}
	set := func(operation string) error {
		_, err := r.call("CreatePrivileges", r.main, request{body: map[string]any{"operation": operation, "privilege": "createCase"}})
		return err
	}
	switched := func(operation string, on bool) error {
		if err := set(operation); err != nil {
			return err
		}
		got, err := policy()
		if err != nil {
			return err
		}
		return want("policy", got, on)
	}
	r.prove("CreatePrivileges", "ShowCustomerPrivilegePolicy: on, and a sub-user may not submit; off again", func() error {
		if err := switched("create", true); err != nil {
			return err
		}
		return r.until(func() error {
			n, err := r.create(r.bo, "Selftest: must be refused", nil, nil)
			if err != nil {
				return refuses(err, "OSM.01010002", "")
			}
			// Another node may have taken it within the second it takes to know.
			if err := firstOf(r.act(r.bo, n, "cancel", nil), r.act(r.bo, n, "delete", nil)); err != nil {
				return err
			}
			return fmt.Errorf("a sub-user still submits")
		})
	})
	r.prove("ListPrivileges", "CreatePrivileges: 0 for a sub-user and 1 for the main account while it is on", func() error {
		sub, err := has(r.bo)
		if err != nil {
			return err
		}
		head, err := has(r.main)
		if err != nil {
			return err
		}
		return want("sub-user and main account", sub+" "+head, "0 1")
	})
	r.prove("ShowCustomerPrivilegePolicy", "CreatePrivileges: false after it was turned off", func() error {
		before, err := policy()
		if err != nil {
			return err
		}
		if err := switched("delete", false); err != nil {
			return err
		}
		return must(before, "it was off before")
	})
}
