package ticket_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

func (w *world) label(who principal.Principal, name string) int64 {
	w.t.Helper()
	id, err := w.s.CreateLabel(w.t.Context(), who, name, "#1f6feb")
	if err != nil {
		w.t.Fatalf("label %q: %v", name, err)
	}
	return id
}

func (w *world) labels(who principal.Principal, part string) (names []string) {
	w.t.Helper()
	page, total, err := w.s.Labels(w.t.Context(), who, part, 0, 0, 100)
	w.ok(err)
	if total != len(page) {
		w.t.Errorf("total %d, %d shown", total, len(page))
	}
	for _, l := range page {
		names = append(names, l.Name)
	}
	return names
}

func (w *world) on(who principal.Principal, number string) (names []string) {
	w.t.Helper()
	all, err := w.s.TicketLabels(w.t.Context(), who, number)
	w.ok(err)
	for _, l := range all {
		names = append(names, l.Name)
	}
	return names
}

func (w *world) field(err error, field string) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Code != fault.CodeInvalid || f.Field != field {
		w.t.Errorf("error %v, want OSM.01010001 in %s", err, field)
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		for _, tt := range []struct{ name, color, field string }{
			{strings.Repeat("字", 64), "#FFcc00", ""}, {strings.Repeat("字", 65), "#ffcc00", "name"}, {" \t ", "#ffcc00", "name"}, {"", "#ffcc00", "name"},
			{"short colour", "#fc0", "color"}, {"no hash", "ffcc00", "color"}, {"not hex", "#ggcc00", "color"}, {"long colour", "#ffcc000", "color"},
			{"紧急", "#ff0000", ""}, {"紧急", "#00ff00", "name"}, {"Urgent", "#ff0000", ""}, {"urgent", "#ff0000", "name"}, {" ＵＲＧＥＮＴ ", "#ff0000", "name"},
		} {
			_, err := w.s.CreateLabel(ctx, w.li, tt.name, tt.color)
			if tt.field == "" {
				w.ok(err)
			} else {
				w.field(err, tt.field)
			}
		}
		// A label is its user's: a colleague may have the same name and sees nothing of it.
		mine, theirs := w.label(w.li, "mine"), w.label(w.wang, "Urgent")
		var foreign int64 // numbers are a domain's own: one that this domain has not
		for i := range 30 {
			foreign = w.label(w.foreign, fmt.Sprint("abroad ", i))
		}
		if got := w.labels(w.wang, ""); !slices.Equal(got, []string{"Urgent"}) {
			w.t.Errorf("colleague's labels: %q", got)
		}
		for _, id := range []int64{theirs, foreign, 0, -1, 1 << 40} {
			w.field(w.s.UpdateLabel(ctx, w.li, id, "x", "#000000"), "label_id")
			w.field(w.s.DeleteLabel(ctx, w.li, id), "label_id")
		}
		w.field(w.s.DeleteLabel(ctx, w.boss, mine), "label_id") // nor the main account
		w.field(w.s.UpdateLabel(ctx, w.li, mine, "URGENT", "#000000"), "name")
		w.ok(w.s.UpdateLabel(ctx, w.li, mine, "MINE", "#abcdef")) // its own name in other letters
		w.field(w.s.UpdateLabel(ctx, w.li, mine, "MINE", "red"), "color")
		if page, total, err := w.s.Labels(ctx, w.li, "", mine, 0, 0); err != nil || total != 1 || page[0].Name != "MINE" || page[0].Color != "#abcdef" {
			w.t.Errorf("after the change: %+v %d %v", page, total, err)
		}
		if _, err := w.s.CreateLabel(ctx, w.chen, "x", "#000000"); err == nil {
			w.t.Error("an engineer made a label")
		}
		// A repeated request makes one label.
		var first int64
		for i := range 3 {
			ctx := db.WithRequestKey(ctx, db.RequestKey{ID: "the same request", Domain: w.wang.Domain, Until: w.clock.Now().Add(time.Hour).UnixMilli()})
			id, err := w.s.CreateLabel(ctx, w.wang, "repeated", "#000000")
			if err != nil || i > 0 && id != first {
				w.t.Errorf("repeat %d: %d after %d, %v", i, id, first, err)
			}
			first = id
		}
		// Numbers are not used twice.
		w.ok(w.s.DeleteLabel(ctx, w.wang, theirs))
		if again := w.label(w.wang, "again"); again <= theirs {
			w.t.Errorf("number %d after %d was deleted", again, theirs)
		}
	})
}

// TestLabelFilter: parts of names in both languages; every character stands for
// itself.
func TestLabelFilter(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		for _, n := range []string{"网络故障", "网络_慢", "Network down", "100% disk", "1000 users", "a_b", "aXb"} {
			w.label(w.li, n)
		}
		for part, want := range map[string][]string{
			"网络": {"网络_慢", "网络故障"}, "络故": {"网络故障"}, "NET": {"Network down"}, "work": {"Network down"}, "%": {"100% disk"}, "_": {"a_b", "网络_慢"},
			"a_b": {"a_b"}, "1００%": {"100% disk"}, "100": {"1000 users", "100% disk"}, "none": nil, `\`: nil, "'": nil,
		} {
			if got := w.labels(w.li, part); !slices.Equal(got, want) {
				w.t.Errorf("%q: %q, want %q", part, got, want)
			}
		}
		page, total, err := w.s.Labels(w.t.Context(), w.li, "", 0, 5, 0)
		if err != nil || total != 7 || len(page) != 2 {
			w.t.Errorf("second page: %d of %d, %v", len(page), total, err)
		}
		if page, total, err = w.s.Labels(w.t.Context(), w.li, "", 0, 1<<31-1, 100); err != nil || total != 7 || len(page) != 0 {
			w.t.Errorf("behind the end: %d of %d, %v", len(page), total, err)
		}
	})
}

func TestTicketLabels(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		n, other, gone := w.create(w.li, "with labels"), w.create(w.li, "another"), w.create(w.li, "gone")
		w.ok(w.act(w.li, gone, "cancel"))
		w.ok(w.act(w.li, gone, "delete"))
		var ids []int64
		for i := range 7 {
			ids = append(ids, w.label(w.li, fmt.Sprint("l", i)))
		}
		theirs := w.label(w.wang, "theirs")
		boss := w.label(w.boss, "boss's")
		w.ok(w.s.AddLabels(ctx, w.li, n, ids[:2]))
		w.ok(w.s.AddLabels(ctx, w.li, n, []int64{ids[1], ids[1], ids[2]})) // there already, twice
		w.field(w.s.AddLabels(ctx, w.li, n, ids[3:6]), "label_ids")        // six
		if got := w.on(w.li, n); !slices.Equal(got, []string{"l0", "l1", "l2"}) {
			w.t.Errorf("a refused request left %q", got)
		}
		w.ok(w.s.AddLabels(ctx, w.li, n, ids[:5]))
		w.field(w.s.AddLabels(ctx, w.li, n, ids[5:6]), "label_ids")
		w.field(w.s.AddLabels(ctx, w.li, other, ids[:6]), "label_ids")
		w.field(w.s.AddLabels(ctx, w.li, other, nil), "label_ids")
		// The main account labels every ticket of its domain; each sees his own.
		w.ok(w.s.AddLabels(ctx, w.boss, n, []int64{boss}))
		if got := w.on(w.boss, n); !slices.Equal(got, []string{"boss's"}) {
			w.t.Errorf("the main account sees %q", got)
		}
		for _, id := range []int64{theirs, 0, -1, 1 << 40, boss} {
			w.field(w.s.AddLabels(ctx, w.li, other, []int64{ids[0], id}), "label_ids")
			w.field(w.s.RemoveLabels(ctx, w.li, other, []int64{id}), "label_ids")
		}
		if got := w.on(w.li, other); got != nil {
			w.t.Errorf("half of a refused request: %q", got)
		}
		for _, number := range []string{"TS0000000000000000000", gone, "", w.create(w.wang, "a colleague's"), w.create(w.foreign, "abroad")} {
			w.refused(w.s.AddLabels(ctx, w.li, number, ids[:1]), "01010015")
			w.refused(w.s.RemoveLabels(ctx, w.li, number, ids[:1]), "01010015")
			_, err := w.s.TicketLabels(ctx, w.li, number)
			w.refused(err, "01010015")
		}
		w.ok(w.s.RemoveLabels(ctx, w.li, n, []int64{ids[0], ids[6]})) // one that is not on it
		// A label on a ticket does not make an engineer's step stale.
		seen, err := w.s.DeskShow(ctx, w.chen, n)
		w.ok(err)
		w.ok(w.s.AddLabels(ctx, w.li, n, ids[:1]))
		if _, err := w.s.Take(ctx, w.chen, ticket.Step{Number: n, Action: "accept", Version: seen.Revision}); err != nil {
			w.t.Errorf("step after labelling: %v", err)
		}
		// Renamed and deleted: the tickets follow.
		w.ok(w.s.UpdateLabel(ctx, w.li, ids[1], "renamed", "#000000"))
		w.ok(w.s.DeleteLabel(ctx, w.li, ids[2]))
		if got := w.on(w.li, n); !slices.Equal(got, []string{"l0", "renamed", "l3", "l4"}) {
			w.t.Errorf("after rename and delete: %q", got)
		}
		page, _, err := w.s.List(ctx, w.li, ticket.Filter{Number: n})
		if err != nil || len(page) != 1 || len(page[0].Labels) != 4 {
			w.t.Errorf("in the list: %+v %v", page, err)
		}
		desk, err := w.s.DeskShow(ctx, w.chen, n)
		if err != nil || len(desk.Labels) != 5 || desk.OwnerNames[w.boss.User] != "boss" {
			w.t.Errorf("on the desk: %+v %v", desk.Labels, err)
		}
	})
}

// TestLabelLimits: 30 per user and 5 per ticket, exact when many ask at once.
func TestLabelLimits(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		run := func(n int, do func(i int) error) (made int) {
			var wg sync.WaitGroup
			var mu sync.Mutex
			for i := range n {
				wg.Go(func() {
					err := do(i)
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						made++
					} else if f, ok := fault.As(err); !ok || f.Code != fault.CodeInvalid {
						w.t.Errorf("%d: %v", i, err)
					}
				})
			}
			wg.Wait()
			return made
		}
		made := run(48, func(i int) error {
			_, err := w.s.CreateLabel(ctx, w.li, fmt.Sprint("label ", i), "#000000")
			return err
		})
		all, total, err := w.s.Labels(ctx, w.li, "", 0, 0, 100)
		w.ok(err)
		if made != 30 || total != 30 || len(all) != 30 {
			w.t.Errorf("48 at once made %d, %d are there", made, total)
		}
		_, err = w.s.CreateLabel(ctx, w.li, "one more", "#000000")
		w.field(err, "")
		n := w.create(w.li, "labelled by many at once")
		attached := run(16, func(i int) error { return w.s.AddLabels(ctx, w.li, n, []int64{all[i].ID}) })
		if got := w.on(w.li, n); attached != 5 || len(got) != 5 {
			w.t.Errorf("16 at once attached %d, %d are on it", attached, len(got))
		}
		same := run(8, func(int) error {
			_, err := w.s.CreateLabel(ctx, w.wang, "the same", "#000000")
			return err
		})
		if got := w.labels(w.wang, ""); same != 1 || len(got) != 1 {
			w.t.Errorf("8 of one name made %d, %d are there", same, len(got))
		}
		w.t.Logf("REPORT labels: 48 creations at once made %d, 16 attachments at once made %d, 8 of one name made %d\n", made, attached, same)
	})
}

// TestListByLabel compares the filter and its totals with the tickets, while
// tickets change their states, labels go on and off, and labels are deleted.
func TestListByLabel(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		w.unlimited()
		a, b, c, theirs := w.label(w.boss, "a"), w.label(w.boss, "b"), w.label(w.boss, "c"), w.label(w.li, "li's")
		type made struct {
			number string
			who    principal.Principal
			status ticket.Status
			labels []int64
		}
		rnd := rand.New(rand.NewPCG(7, 11))
		var all []made
		for i := range 40 {
			who := []principal.Principal{w.boss, w.li, w.wang}[i%3]
			m := made{number: w.create(who, fmt.Sprint("ticket ", i)), who: who}
			for _, l := range []int64{a, b, c} {
				if rnd.IntN(3) == 0 {
					m.labels = append(m.labels, l)
				}
			}
			if len(m.labels) > 0 {
				w.ok(w.s.AddLabels(ctx, w.boss, m.number, m.labels))
			}
			switch i % 5 {
			case 1:
				w.ok(w.act(who, m.number, "cancel"))
				m.status = ticket.Canceled
			case 2:
				w.ok(w.step(w.chen, m.number, "accept", ""))
				m.status = ticket.Processing
			case 3:
				w.ok(w.act(who, m.number, "cancel"))
				w.ok(w.act(who, m.number, "delete"))
				m.status = ticket.Deleted
			}
			all = append(all, m)
		}
		w.ok(w.s.AddLabels(ctx, w.li, all[1+3*5].number, []int64{theirs}))
		check := func(name string, f ticket.Filter, want func(made) bool) {
			w.t.Helper()
			var numbers []string
			states := map[ticket.Status]int{}
			for _, m := range slices.Backward(all) {
				if m.status != ticket.Deleted && slices.ContainsFunc(f.Labels, func(l int64) bool { return slices.Contains(m.labels, l) }) && want(m) {
					numbers = append(numbers, m.number)
					states[m.status]++
				}
			}
			if counts, err := w.s.CountsOf(ctx, w.boss, f); err != nil || !maps.Equal(counts, states) {
				w.t.Errorf("%s: %v in each state, want %v: %v", name, counts, states, err)
			}
			f.Limit = 100
			if got, total := w.find(w.boss, f); !slices.Equal(got, numbers) || total != len(numbers) {
				w.t.Errorf("%s: %d found, total %d, want %d", name, len(got), total, len(numbers))
			}
			f.Limit, f.Offset = 3, 2
			if got, total := w.find(w.boss, f); !slices.Equal(got, numbers[min(2, len(numbers)):min(5, len(numbers))]) || total != len(numbers) {
				w.t.Errorf("%s, a page: %q of %d", name, got, total)
			}
		}
		any := func(made) bool { return true }
		checks := func() {
			check("one", ticket.Filter{Labels: []int64{a}}, any)
			check("any of two", ticket.Filter{Labels: []int64{a, b}}, any)
			check("any of three, one unknown", ticket.Filter{Labels: []int64{a, b, c, 1 << 30}}, any)
			check("state", ticket.Filter{Labels: []int64{a, c}, Statuses: []ticket.Status{1}}, func(m made) bool { return m.status == 1 })
			check("deleted state", ticket.Filter{Labels: []int64{a}, Statuses: []ticket.Status{13}}, func(made) bool { return false })
			check("creator", ticket.Filter{Labels: []int64{a, b}, Creator: w.wang.User}, func(m made) bool { return m.who == w.wang })
			check("words", ticket.Filter{Labels: []int64{a, b}, Words: []string{"ticket"}}, any)
			check("a colleague's label", ticket.Filter{Labels: []int64{theirs}}, any)
			check("unknown", ticket.Filter{Labels: []int64{-1}}, any)
			use, err := w.s.LabelUse(ctx, w.boss)
			w.ok(err)
			if _, there := use[theirs]; there {
				w.t.Error("a colleague's label is counted")
			}
			for l, n := range use {
				if _, total := w.find(w.boss, ticket.Filter{Labels: []int64{l}}); total != n {
					w.t.Errorf("label %d is said to be on %d tickets, %d are found", l, n, total)
				}
			}
		}
		checks()
		if got, total := w.find(w.li, ticket.Filter{Labels: []int64{a, b, c}}); total != 0 || got != nil {
			w.t.Errorf("with another's labels: %q", got)
		}
		w.ok(w.act(w.boss, all[0].number, "cancel"))
		all[0].status = ticket.Canceled
		for i := range all {
			if j := slices.Index(all[i].labels, a); j >= 0 && i%2 == 0 && all[i].status != ticket.Deleted {
				w.ok(w.s.RemoveLabels(ctx, w.boss, all[i].number, []int64{a}))
				all[i].labels = slices.Delete(all[i].labels, j, j+1)
			}
		}
		checks()
		w.ok(w.s.DeleteLabel(ctx, w.boss, b))
		for i := range all {
			all[i].labels = slices.DeleteFunc(all[i].labels, func(l int64) bool { return l == b })
		}
		checks()
		if differ, err := w.s.Recount(ctx); err != nil || len(differ) > 0 {
			w.t.Errorf("recount: %q %v", differ, err)
		}
	})
}

// TestLabelledWhileChanging: putting labels on and changing states at once
// leaves no label with a state the ticket is not in.
func TestLabelledWhileChanging(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		id := w.label(w.li, "racing")
		for range 6 {
			n := w.create(w.li, "racing")
			var wg sync.WaitGroup
			wg.Go(func() { w.ok(w.s.AddLabels(ctx, w.li, n, []int64{id})) })
			wg.Go(func() { w.ok(w.step(w.chen, n, "accept", "")) })
			wg.Wait()
		}
		if _, total := w.find(w.li, ticket.Filter{Labels: []int64{id}, Statuses: []ticket.Status{1}}); total != 6 {
			w.t.Errorf("%d of 6 counted as processing", total)
		}
		if differ, err := w.s.Recount(ctx); err != nil || len(differ) > 0 {
			w.t.Errorf("recount: %q %v", differ, err)
		}
	})
}

// TestManyLabelled: a label on 20,000 tickets is counted in its index within a
// moment.
func TestManyLabelled(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		id := w.label(w.li, "many")
		number := w.create(w.li, "one of many")
		w.ok(w.s.AddLabels(w.t.Context(), w.li, number, []int64{id}))
		const many = 20000
		rows := func(tx *db.Tx) error {
			tx.Write(db.Any, `INSERT INTO ticket_labels (domain_id, ticket_id, label_id, creator, status)
				WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT CAST(? AS TEXT), 'z' || i, CAST(? AS BIGINT), CAST(? AS TEXT), i % 2 FROM n`,
				many, w.li.Domain, id, w.li.User)
			return nil
		}
		w.ok(w.db.Update(w.t.Context(), rows))
		began := time.Now()
		_, total := w.find(w.li, ticket.Filter{Labels: []int64{id}, Statuses: []ticket.Status{1}})
		took := time.Since(began)
		if total != many/2 {
			w.t.Errorf("total %d", total)
		}
		w.t.Logf("REPORT list of a label on %d tickets, filtered by state, exact total: %v\n", many, took)
	})
}
