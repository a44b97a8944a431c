package selftest

import (
	"fmt"
	"net/url"
)

// labels makes one, changes it, puts it on a ticket, takes it off, deletes it.
func (r *run) labels() {
	s := r.story
	name, renamed := "self "+random(6), "test "+random(6)
	list := func() (answer, error) {
		a, err := r.call("ListLabels", r.an, request{query: url.Values{"limit": {"100"}}})
		return a.at("label_list"), err
	}
	here := func() (answer, error) {
		a, err := r.call("ListCaseLabels", r.an, request{path: of(s.ticket)})
		return a.at("case_label_list"), err
	}
	mark := func(operation string) error {
		_, err := r.call(operation, r.an, request{path: of(s.ticket), query: url.Values{"label_ids": {r.label}}})
		return err
	}
	id := func() map[string]string { return map[string]string{"label_id": r.label} }
	r.prove("CreateLabels", "ListLabels: name and colour", func() error {
		if _, err := r.call("CreateLabels", r.an, request{body: map[string]any{"name": name, "color": "#00aa55"}}); err != nil {
			return err
		}
		all, err := list()
		if err != nil {
			return err
		}
		l, ok := all.find("name", name)
		if !ok {
			return fmt.Errorf("the label is not listed")
		}
		r.label = l.at("label_id").text()
		return want("colour", l.at("color").text(), "#00aa55")
	})
	r.prove("UpdateLabels", "ListLabels: the new name and colour", func() error {
		if _, err := r.call("UpdateLabels", r.an, request{path: id(), body: map[string]any{"name": renamed, "color": "#aa0055"}}); err != nil {
			return err
		}
		all, err := list()
		if err != nil {
			return err
		}
		l, _ := all.find("label_id", r.label)
		return want("label", l.at("name").text()+l.at("color").text(), renamed+"#aa0055")
	})
	r.prove("ListLabels", "CreateLabels: by its id, and not for a colleague", func() error {
		a, err := r.call("ListLabels", r.an, request{query: url.Values{"label_id": {r.label}}})
		if err != nil {
			return err
		}
		if err := want("number of labels with the id", len(a.at("label_list").list()), 1); err != nil {
			return err
		}
		other, err := r.call("ListLabels", r.bo, request{})
		if err != nil {
			return err
		}
		_, ok := other.at("label_list").find("label_id", r.label)
		return must(!ok, "a colleague sees the label")
	})
	r.prove("CreateCaseLabels", "ListCaseLabels: the label is on the ticket, and finds it", func() error {
		if err := mark("CreateCaseLabels"); err != nil {
			return err
		}
		all, err := here()
		if err != nil {
			return err
		}
		if _, ok := all.find("label_id", r.label); !ok {
			return fmt.Errorf("the ticket does not have the label")
		}
		found, err := r.call("ListCases", r.an, request{query: url.Values{"label_id_list": {r.label}}})
		if err != nil {
			return err
		}
		_, ok := found.at("incident_info_list").find("incident_id", s.ticket)
		return must(ok && found.at("total_count").number() == 1, "the label finds %s tickets", found.at("total_count").text())
	})
	r.prove("ListCaseLabels", "CreateCaseLabels: with name and colour", func() error {
		all, err := here()
		if err != nil {
			return err
		}
		l, _ := all.find("label_id", r.label)
		return want("label", l.at("name").text()+l.at("color").text(), renamed+"#aa0055")
	})
	r.prove("DeleteCaseLabels", "ListCaseLabels: it is off the ticket", func() error {
		if err := mark("DeleteCaseLabels"); err != nil {
			return err
		}
		all, err := here()
		if err != nil {
			return err
		}
		return want("number of labels", len(all.list()), 0)
	})
	r.prove("DeleteLabels", "ListLabels: it is gone, from its ticket as well", func() error {
		onTicket := mark("CreateCaseLabels")
		if _, err := r.call("DeleteLabels", r.an, request{path: id()}); err != nil {
			return err
		}
		if onTicket != nil {
			return onTicket
		}
		all, err := list()
		if err != nil {
			return err
		}
		if _, ok := all.find("label_id", r.label); ok {
			return fmt.Errorf("the label is still listed")
		}
		left, err := here()
		if err != nil {
			return err
		}
		return want("number of labels on the ticket", len(left.list()), 0)
	})
}

// relations binds the first ticket to the second and looses them.
func (r *run) relations() {
	s := r.story
	related := func() (answer, error) {
		a, err := r.call("ListRelation", r.an, request{path: of(s.ticket)})
		return a.at("case_relation_list"), err
	}
	r.prove("CreateRelations", "ListRelation: the other ticket with its text", func() error {
		if _, err := r.call("CreateRelations", r.an, request{path: of(s.ticket), body: map[string]any{"related_id_list": []string{s.second}}}); err != nil {
			return err
		}
		all, err := related()
		if err != nil {
			return err
		}
		other, ok := all.find("case_id", s.second)
		return must(ok && other.at("simple_description").text() != "", "the other ticket is not shown")
	})
	r.prove("ListRelation", "CreateRelations: seen from the other side, by its submitter's name", func() error {
		a, err := r.call("ListRelation", r.an, request{path: of(s.second)})
		if err != nil {
			return err
		}
		other, ok := a.at("case_relation_list").find("case_id", s.ticket)
		if !ok {
			// A relation may be seen from one side only: then it must be there.
			all, err := related()
			if err != nil {
				return err
			}
			other, ok = all.find("case_id", s.second)
			if !ok {
				return fmt.Errorf("the relation is seen from no side")
			}
		}
		return want("submitter", other.at("user_name").text(), r.an.Name)
	})
	r.prove("DeleteRelation", "ListRelation: none is left", func() error {
		if _, err := r.call("DeleteRelation", r.an, request{path: of(s.ticket), body: map[string]any{"related_id": s.second}}); err != nil {
			return err
		}
		all, err := related()
		if err != nil {
			return err
		}
		return want("number of relations", len(all.list()), 0)
	})
}
