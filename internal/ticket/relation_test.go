package ticket_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

func (w *world) relate(who principal.Principal, number string, others ...string) error {
	return w.s.Relate(w.t.Context(), who, number, "", others)
}

func (w *world) related(who principal.Principal, number string) (numbers []string) {
	w.t.Helper()
	all, err := w.s.Relations(w.t.Context(), who, number)
	w.ok(err)
	for _, r := range all {
		numbers = append(numbers, r.Number)
	}
	return numbers
}

// kinds are a ticket's events in order.
func (w *world) kinds(number string) (kinds []string) {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
		kinds = nil
		var domain, id string
		if err := tx.Get("SELECT domain_id, id FROM tickets /* all domains: a test */ WHERE number = ?", number).Scan(&domain, &id); err != nil {
			return err
		}
		rows, _, err := event.OfSubject(tx, domain, "ticket", id, false, false, 0, 1000)
		for _, r := range rows {
			kinds = append(kinds, r.Kind)
		}
		return err
	})
	w.ok(err)
	return kinds
}

func TestRelations(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		var n []string
		for range 7 {
			n = append(n, w.create(w.li, "to be related"))
		}
		gone := w.create(w.li, "gone")
		w.ok(w.relate(w.li, n[0], gone))
		w.ok(w.act(w.li, gone, "cancel"))
		w.ok(w.act(w.li, gone, "delete"))
		if got := w.related(w.li, n[0]); got != nil {
			w.t.Errorf("related to a deleted ticket: %q", got)
		}
		if got := w.kinds(n[0]); !slices.Equal(got, []string{"ticket.create", "ticket.relate", "ticket.unrelate"}) {
			w.t.Errorf("events of the other side of a deleted ticket: %q", got)
		}
		colleague, foreign := w.create(w.wang, "a colleague's"), w.create(w.foreign, "abroad")
		for _, other := range []string{"TS0000000000000000000", gone, colleague, foreign, ""} {
			w.refused(w.relate(w.li, n[0], other), "01010015")
			w.refused(w.relate(w.li, n[0], n[1], other), "01010015") // all or none
			w.refused(w.relate(w.li, other, n[0]), "01010015")
			w.refused(w.s.Unrelate(ctx, w.li, n[0], "", other), "01010015")
			w.refused(w.s.Unrelate(ctx, w.li, other, "", n[0]), "01010015")
			_, err := w.s.Relations(ctx, w.li, other)
			w.refused(err, "01010015")
		}
		w.field(w.relate(w.li, n[0], n[0]), "related_id_list")
		w.field(w.relate(w.li, n[0]), "related_id_list")
		w.field(w.relate(w.li, n[0], n[1:5]...), "related_id_list")
		if got := w.related(w.li, n[1]); got != nil {
			w.t.Errorf("a refused request related %q", got)
		}
		w.ok(w.relate(w.li, n[0], n[1], n[2], n[1]))
		w.ok(w.relate(w.li, n[1], n[0])) // is there already
		w.ok(w.relate(w.li, n[0], n[3], n[1]))
		w.field(w.relate(w.li, n[0], n[4]), "related_id_list") // a fourth
		w.field(w.relate(w.li, n[4], n[0]), "related_id_list") // from the other side
		for i, want := range [][]string{{n[1], n[2], n[3]}, {n[0]}, {n[0]}, {n[0]}, nil} {
			if got := w.related(w.li, n[i]); !slices.Equal(got, want) {
				w.t.Errorf("ticket %d: %q, want %q", i, got, want)
			}
		}
		all, err := w.s.Relations(ctx, w.boss, n[1])
		if err != nil || len(all) != 1 || !all[0].Open || all[0].CreatorName != "li" || all[0].Description != "to be related" {
			w.t.Errorf("what is shown: %+v %v", all, err)
		}
		w.field(w.s.Unrelate(ctx, w.li, n[0], "", n[4]), "related_id")
		w.field(w.s.Unrelate(ctx, w.li, n[0], "", n[0]), "related_id")
		w.ok(w.s.Unrelate(ctx, w.li, n[2], "", n[0])) // from the other side
		w.ok(w.relate(w.li, n[4], n[0]))
		if got := w.related(w.li, n[0]); !slices.Equal(got, []string{n[1], n[3], n[4]}) {
			w.t.Errorf("in the end: %q", got)
		}
		if got := w.kinds(n[2]); !slices.Equal(got, []string{"ticket.create", "ticket.relate", "ticket.unrelate"}) {
			w.t.Errorf("events of one side: %q", got)
		}
		desk, err := w.s.DeskShow(ctx, w.chen, n[0])
		if err != nil || len(desk.Related) != 3 || desk.Related[0].Number != n[1] || desk.Related[0].CreatorName != "li" {
			w.t.Errorf("on the desk: %+v %v", desk.Related, err)
		}
	})
}

// TestRelationsOfGroups: B, who sits in a group with A and in another with C,
// relates their tickets. A sees that C's is related, and nothing of it.
func TestRelationsOfGroups(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		u, err := w.ident.CreateUser(ctx, principal.AsSystem(principal.House), identity.NewUser{Domain: w.boss.Domain, Name: "zhao", Password: "a-Password-1"})
		w.ok(err)
		a, b := w.li, w.wang
		c := principal.Principal{Kind: principal.Customer, Domain: w.boss.Domain, User: u.ID, UserName: "zhao"}
		const one, two, plain = "one", "two", "plain"
		w.group(one, identity.TicketGroupOperator, a, b)
		w.group(two, identity.TicketGroupOperator, b, c)
		w.group(plain, identity.TicketAdministrator, a, c) // gives no sight of each other
		as, bs, cs := w.create(a, "a's"), w.create(b, "b's"), w.create(c, "c's secret")
		w.refused(w.s.Relate(ctx, b, as, "", []string{bs}), "01010015") // without the group
		w.refused(w.s.Relate(ctx, b, bs, "", []string{as}), "01010015")
		w.refused(w.s.Relate(ctx, b, as, two, []string{bs}), "01010015") // with the wrong one
		w.refused(w.s.Relate(ctx, a, as, one, []string{cs}), "01010015") // A does not see C's
		w.refused(w.s.Relate(ctx, a, as, plain, []string{cs}), "01010002")
		w.refused(w.s.Relate(ctx, a, as, two, []string{bs}), "01010002")
		w.ok(w.s.Relate(ctx, b, as, one, []string{cs, bs}))
		for _, tt := range []struct {
			who  principal.Principal
			on   string
			open map[string]bool
		}{{a, as, map[string]bool{bs: true, cs: false}}, {c, cs, map[string]bool{as: false}}, {b, bs, map[string]bool{as: true}}, {w.boss, as, map[string]bool{bs: true, cs: true}}} {
			all, err := w.s.Relations(ctx, tt.who, tt.on)
			w.ok(err)
			got := map[string]bool{}
			for _, r := range all {
				got[r.Number] = r.Open
				if !r.Open && (r.Description != "" || r.CreatorName != "" || r.Status != 0) {
					w.t.Errorf("%s sees of a ticket out of sight: %+v", tt.who.UserName, r)
				}
			}
			if len(got) != len(tt.open) {
				w.t.Errorf("%s: %v, want %v", tt.who.UserName, got, tt.open)
			}
			for number, open := range tt.open {
				if got[number] != open {
					w.t.Errorf("%s: %v, want %v", tt.who.UserName, got, tt.open)
				}
			}
		}
		_, _, err = w.s.Show(ctx, a, cs, "")
		w.refused(err, "01010015")
		w.ok(w.s.Unrelate(ctx, a, as, "", cs)) // it is A's ticket, too
		if got := w.related(c, cs); got != nil {
			w.t.Errorf("still related: %q", got)
		}
		w.refused(w.s.Unrelate(ctx, a, as, "", cs), "01010015") // now it cannot be told from none
	})
}

// TestRelationLimit: three others on both sides, exact when many ask at once.
func TestRelationLimit(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		var n []string
		for range 8 {
			n = append(n, w.create(w.li, "one of eight"))
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		made, tries := 0, 0
		for i, a := range n {
			for _, b := range n[i+1:] {
				tries++
				wg.Go(func() {
					var err error
					for range 20 { // PostgreSQL gives up after some retries under such a storm
						if err = w.s.Relate(context.WithoutCancel(w.t.Context()), w.li, a, "", []string{b}); fault.KindOf(err) != fault.Unavailable {
							break
						}
					}
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						made++
					} else if f, ok := fault.As(err); !ok || f.Code != fault.CodeInvalid {
						w.t.Errorf("%v", err)
					}
				})
			}
		}
		wg.Wait()
		sum := 0
		for _, a := range n {
			got := w.related(w.li, a)
			sum += len(got)
			if len(got) > 3 {
				w.t.Errorf("%d relations", len(got))
			}
			for _, b := range got {
				if !slices.Contains(w.related(w.li, b), a) {
					w.t.Errorf("one-sided relation")
				}
			}
		}
		if sum != 2*made || made < 9 {
			w.t.Errorf("%d made, %d sides", made, sum)
		}
		w.t.Logf("REPORT relations: %d at once over 8 tickets made %d, none with more than 3, all on both sides\n", tries, made)
	})
}

// TestDeskRelations: the house relates tickets of one customer, which the customer
// sees; not of two, not too many, not what a partner's people may not see.
func TestDeskRelations(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b, foreign := w.create(w.li, "one"), w.create(w.wang, "two"), w.create(w.foreign, "another customer's")
		w.ok(w.s.DeskRelate(ctx, w.chen, a, b))
		w.ok(w.s.DeskRelate(ctx, w.chen, b, a))
		if got := w.related(w.li, a); !slices.Equal(got, []string{b}) {
			t.Errorf("li sees %v", got)
		}
		w.refused(w.s.DeskRelate(ctx, w.chen, a, foreign), "01010048")
		w.refused(w.s.DeskRelate(ctx, w.chen, a, a), "01010001")
		w.refused(w.s.DeskRelate(ctx, w.chen, a, "TS2601010000000000000"), "01010015")
		w.refused(w.s.DeskRelate(ctx, w.li, a, b), "01010002")
		for _, text := range []string{"three", "four"} {
			w.ok(w.s.DeskRelate(ctx, w.chen, a, w.create(w.li, text)))
		}
		w.refused(w.s.DeskRelate(ctx, w.chen, a, w.create(w.li, "five")), "01010001")
		nora := w.chen
		nora.Partner = "blue"
		w.refused(w.s.DeskUnrelate(ctx, nora, a, b), "01010015")
		w.ok(w.s.DeskUnrelate(ctx, w.chen, b, a))
		w.refused(w.s.DeskUnrelate(ctx, w.chen, b, a), "01010001")
		if got := w.related(w.wang, b); len(got) != 0 {
			t.Errorf("wang sees %v", got)
		}
	})
}
