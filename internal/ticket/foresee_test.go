package ticket_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// foreseen holds what Foresee tells of a step against what Take then does.
func (w *world) foreseen(who principal.Principal, p ticket.Step) {
	w.t.Helper()
	ctx := w.t.Context()
	before, err := w.s.DeskShow(ctx, principal.AsSystem(principal.House), p.Number)
	w.ok(err)
	events := w.count("SELECT count(*) FROM events")
	all, err := w.s.Foresee(ctx, who, before.Ticket, before.Tags, []ticket.Step{p}, true)
	w.ok(err)
	f := all[0]
	if again, err := w.s.DeskShow(ctx, principal.AsSystem(principal.House), p.Number); err != nil || again.Revision != before.Revision || w.count("SELECT count(*) FROM events") != events {
		w.t.Errorf("foreseeing %s changed the ticket: %v", p.Action, err)
	}
	sent := w.count("SELECT count(*) FROM notify_messages")
	_, err = w.s.Take(ctx, who, p)
	name := fmt.Sprint(who.UserName, ": ", p.Action, " in ", before.Status)
	switch refusal, is := fault.As(err); {
	case f.Same:
		if !is || !refusal.Is(ticket.ErrUnchanged) {
			w.t.Errorf("%s: foreseen as no change, taken: %v", name, err)
		}
	case f.Refusal != nil:
		if !is || refusal.Code != f.Refusal.Code || locale.Text(locale.EN, refusal) != locale.Text(locale.EN, f.Refusal) {
			w.t.Errorf("%s: foreseen %v, refused with %v", name, f.Refusal, err)
		}
	case err != nil:
		w.t.Errorf("%s: foreseen as taken, refused with %v", name, err)
	}
	after, err := w.s.DeskShow(ctx, principal.AsSystem(principal.House), p.Number)
	w.ok(err)
	if after.Status != f.After.Status || after.Assignee != f.After.Assignee || after.Severity != f.After.Severity || after.Ownership != f.After.Ownership || after.Revision != f.After.Revision ||
		after.Resolution != f.After.Resolution || !slices.Equal(after.Tags, f.Tags) {
		w.t.Errorf("%s: foreseen %d %s %s %d %d %v, it is %d %s %s %d %d %v", name, f.After.Status, f.After.Assignee, f.After.Severity, f.After.Ownership, f.After.Revision, f.Tags,
			after.Status, after.Assignee, after.Severity, after.Ownership, after.Revision, after.Tags)
	}
	if got := w.count("SELECT count(*) FROM notify_messages") - sent; got != len(f.Customer) {
		w.t.Errorf("%s: %d notices foreseen, %d queued", name, len(f.Customer), got)
	}
}

// TestForesee: every step in every state is foreseen as it is then taken or
// refused, by an engineer and by Casemate itself.
func TestForesee(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		kind, _ := w.catalog.Now().ProblemType(w.fault)
		offered := w.catalog.Now().SeveritiesOf("Business", kind)
		for _, from := range ticket.Statuses {
			for i, p := range []ticket.Step{
				{Action: "accept"}, {Action: "reply", Text: "answer"}, {Action: "reply", Text: " "}, {Action: "ask", Text: "which?"}, {Action: "resolve", Text: "solved"}, {Action: "pause"}, {Action: "resume"},
				{Action: "invalid", Text: "spam"}, {Action: "note", Text: "n"}, {Action: "assign", Assignee: "emma"}, {Action: "assign", Assignee: "chen"}, {Action: "assign", Assignee: "nobody"},
				{Action: "tag", Tags: []string{"a", "A", "b"}}, {Action: "untag", Tags: []string{"a"}}, {Action: "severity", Severity: offered[0].ID}, {Action: "severity", Severity: "nope"},
				{Action: "transfer", To: ticket.PartnerBusiness}, {Action: "transfer", To: ticket.HouseBusiness}, {Action: "transfer", To: ticket.HouseBusiness, Assignee: "emma"},
			} {
				p.Number = w.into(from)
				w.foreseen([]principal.Principal{w.chen, principal.AsSystem(w.li.Domain)}[i%2], p)
			}
		}
		// One after another: the later ones see what the earlier ones would have done.
		n := w.create(w.li, "x")
		seen, err := w.s.DeskShow(t.Context(), w.chen, n)
		w.ok(err)
		all, err := w.s.Foresee(t.Context(), w.chen, seen.Ticket, nil, []ticket.Step{{Action: "resume"}, {Action: "accept"}, {Action: "pause"}, {Action: "resume"}}, false)
		w.ok(err)
		if all[0].Refusal == nil || all[1].Refusal != nil || all[2].After.Status != ticket.Paused || all[3].After.Status != ticket.Processing || all[3].After.Revision != 4 {
			t.Errorf("foreseen %+v", all)
		}
		if _, err := w.s.Foresee(t.Context(), w.auditor, seen.Ticket, nil, []ticket.Step{{Action: "note", Text: "x"}}, false); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("an auditor: %v", err)
		}
	})
}

// TestSeverity: a ticket gets another severity that its plan gives, in both its
// rows and with an event, while it is open.
func TestSeverity(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := t.Context()
		kind, _ := w.catalog.Now().ProblemType(w.fault)
		offered := w.catalog.Now().SeveritiesOf("Business", kind)
		other := ""
		for _, s := range w.catalog.Now().Severities() {
			if !slices.ContainsFunc(offered, func(o catalog.Severity) bool { return o.ID == s.ID }) {
				other = s.ID
			}
		}
		draft := w.draft("down")
		draft.ProblemType, draft.Severity, draft.Region = w.fault, offered[0].ID, w.catalog.Now().Regions(0)[0].ID
		n, err := w.s.Create(ctx, w.li, draft)
		w.ok(err)
		set := func(who principal.Principal, severity string, version int64) error {
			_, err := w.s.Take(ctx, who, ticket.Step{Number: n, Action: "severity", Severity: severity, Version: version})
			return err
		}
		last := offered[len(offered)-1].ID
		w.refused(set(w.chen, "nope", 0), "06")
		w.refused(set(w.chen, "", 0), "01")
		if other != "" {
			w.refused(set(w.chen, other, 0), "09")
		}
		w.refused(set(w.chen, last, 7), "02")
		w.refused(set(w.auditor, last, 0), "02")
		w.refused(set(w.li, last, 0), "02")
		w.ok(set(w.chen, last, 1))
		if err := set(w.chen, last, 2); !isUnchanged(err) {
			t.Errorf("the same again: %v", err)
		}
		show, err := w.s.DeskShow(ctx, w.chen, n)
		w.ok(err)
		page, total, _, err := w.s.Desk(ctx, w.chen, ticket.DeskFilter{Severity: last})
		w.ok(err)
		if show.Severity != last || show.Revision != 2 || total != 1 || page[0].Severity != last {
			t.Errorf("severity %s, version %d, %d listed", show.Severity, show.Revision, total)
		}
		if kinds := w.kinds(n); kinds[len(kinds)-1] != "ticket.severity" {
			t.Errorf("events %v", kinds)
		}
		w.ok(w.step(w.chen, n, "accept", ""))
		w.ok(w.step(w.chen, n, "resolve", "done"))
		w.ok(w.act(w.li, n, "close"))
		w.refused(set(w.chen, offered[0].ID, 0), "02")
	})
}

func isUnchanged(err error) bool { f, ok := fault.As(err); return ok && f.Is(ticket.ErrUnchanged) }

// TestTags: engineers' tags of a ticket, each once whatever case and width, to the
// most and no more; customers, partners and auditors neither see nor set them; a
// filter finds them.
func TestTags(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := t.Context()
		n := w.create(w.li, "x")
		w.create(w.li, "y") // has none
		tag := func(who principal.Principal, action string, tags ...string) error {
			_, err := w.s.Take(ctx, who, ticket.Step{Number: n, Action: action, Tags: tags})
			return err
		}
		w.ok(tag(w.chen, "tag", " VIP ", "加急", "ｖｉｐ"))
		if err := tag(w.emma, "tag", "vip"); !isUnchanged(err) {
			t.Errorf("a tag that is there: %v", err)
		}
		show := func() []string {
			t.Helper()
			got, err := w.s.DeskShow(ctx, w.chen, n)
			w.ok(err)
			return got.Tags
		}
		if got := show(); !slices.Equal(got, []string{"VIP", "加急"}) {
			t.Errorf("tags %v", got)
		}
		var many []string
		for i := range 18 {
			many = append(many, fmt.Sprint("t", i))
		}
		w.ok(tag(w.chen, "tag", many...))
		if err := tag(w.chen, "tag", "one more"); fault.KindOf(err) != fault.Conflict {
			t.Errorf("the 21st tag: %v", err)
		}
		w.ok(tag(w.chen, "untag", many...))
		for _, bad := range [][]string{nil, {""}, {"a,b"}, {"a\nb"}, {strings.Repeat("长", 33)}, slices.Repeat([]string{"x"}, 21)} {
			err := tag(w.chen, "tag", bad...)
			w.refused(err, "01")
			w.field(err, "tags")
		}
		partner := w.emma
		partner.Partner = "p"
		for _, who := range []principal.Principal{partner, w.auditor, w.li} {
			if err := tag(who, "tag", "z"); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%s: %v", who.UserName, err)
			}
		}
		_, total, _, err := w.s.Desk(ctx, w.chen, ticket.DeskFilter{Tag: "Vip"})
		w.ok(err)
		if total != 1 {
			t.Errorf("%d tickets are tagged", total)
		}
		if _, _, _, err := w.s.Desk(ctx, partner, ticket.DeskFilter{Tag: "Vip"}); fault.KindOf(err) != fault.Forbidden {
			t.Errorf("a partner's filter: %v", err)
		}
		w.ok(tag(w.chen, "untag", "VIP", "加急"))
		if got := show(); len(got) != 0 || w.count("SELECT count(*) FROM ticket_tags") != 0 {
			t.Errorf("tags %v", got)
		}
		// A sandbox that is reset forgets them.
		box := w.sandbox("box")
		n, err = w.s.Create(w.as(box), box, w.draft("in a box"))
		w.ok(err)
		w.ok(tag(w.chen, "tag", "boxed"))
		_, err = w.ident.Reset(ctx, admin, box.Domain, func(*db.Tx, string) error { return nil })
		w.ok(err)
		if w.count("SELECT count(*) FROM ticket_tags") != 0 {
			t.Error("a reset sandbox keeps its tags")
		}
	})
}

// TestForeseePartners: steps between sides are foreseen as they are taken.
func TestForeseePartners(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		p := withPartners(w)
		n := p.create(p.lisa, "between sides")
		for _, s := range []struct {
			who  principal.Principal
			step ticket.Step
		}{
			{p.nora, ticket.Step{Action: "transfer", To: ticket.PartnerBusiness, Assignee: "emma"}}, // not hers yet
			{p.chen, ticket.Step{Action: "transfer", To: ticket.ISVBusiness}},
			{p.chen, ticket.Step{Action: "transfer", To: ticket.PartnerBusiness, Assignee: "emma"}},
			{p.chen, ticket.Step{Action: "transfer", To: ticket.PartnerBusiness, Assignee: "nora"}},
			{p.chen, ticket.Step{Action: "reply", Text: "lending a hand"}},
			{p.chen, ticket.Step{Action: "assign", Assignee: "emma"}},
			{p.nora, ticket.Step{Action: "assign", Assignee: "emma"}},
			{p.nora, ticket.Step{Action: "assign", Assignee: "nils"}},
			{principal.AsSystem(p.client.ID), ticket.Step{Action: "reply", Text: "by a rule"}},
			{p.nils, ticket.Step{Action: "transfer", To: ticket.HouseBusiness}},
		} {
			s.step.Number = n
			if s.who.Partner != "" {
				if _, ok := p.shown(s.who, n); !ok {
					if _, err := w.s.Take(t.Context(), s.who, s.step); fault.KindOf(err) == fault.None {
						t.Error("a partner takes a step on what is not there for him")
					}
					continue
				}
			}
			w.foreseen(s.who, s.step)
		}
		if got, _ := p.shown(p.chen, n); got.Ownership != ticket.HouseBusiness || got.Assignee != "" {
			t.Errorf("in the end it is of %d, %q", got.Ownership, got.Assignee)
		}
	})
}
