package ticket_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// random does random things to some tickets of one customer.
type random struct {
	*world
	rng    *rand.Rand
	ding   principal.Principal
	open   []string // numbers; a ticket stays among them when it ends
	who    map[string]principal.Principal
	labels []int64
	refuse int

	done []done // that can be undone, oldest first
	news []string
}

type done struct {
	number   string
	revision int64
	rows     []string
}

func newRandom(w *world, seed uint64, n int) *random {
	r := &random{world: w, rng: rand.New(rand.NewPCG(seed, 27)), ding: w.Engineer(fmt.Sprint("ding", seed), "主管", principal.RoleSupervisor), who: map[string]principal.Principal{}}
	for i := range n {
		who := w.li
		if i%4 == 3 {
			who = w.wang
		}
		number := w.create(who, fmt.Sprint("ticket ", i))
		r.open, r.who[number] = append(r.open, number), who
	}
	for i := range 3 {
		id, err := w.s.CreateLabel(w.t.Context(), w.li, fmt.Sprint("label ", seed, " ", i), "#000000")
		w.ok(err)
		r.labels = append(r.labels, id)
	}
	return r
}

func (r *random) pick() string { return r.open[r.rng.IntN(len(r.open))] }

// mayFail leaves out refusals: a random step is not always allowed.
func (r *random) mayFail(err error) bool {
	r.t.Helper()
	if f := (*fault.Error)(nil); err != nil && !errors.As(err, &f) {
		r.t.Fatal(err)
	}
	if err != nil {
		r.refuse++
	}
	return err == nil
}

// movable are the ids of messages of a ticket that can be chosen.
func (r *random) movable(number string) (ids []string) {
	for _, m := range r.messages(number) {
		if !m.Opening && r.rng.IntN(2) == 0 {
			ids = append(ids, m.ID)
		}
	}
	return ids[:min(len(ids), 3)]
}

// talk is something that nothing else depends on.
func (r *random) talk() {
	ctx, n := r.t.Context(), r.pick()
	who := r.who[n]
	switch r.rng.IntN(7) {
	case 0, 1:
		r.mayFail(r.s.Reply(ctx, who, n, "", fmt.Sprint("said ", r.rng.IntN(1000))))
	case 2:
		r.mayFail(r.step(r.chen, n, "reply", fmt.Sprint("answered ", r.rng.IntN(1000))))
	case 3:
		r.mayFail(r.step(r.chen, n, "note", "noted"))
	case 4:
		f := r.s.AddLabels
		if r.rng.IntN(2) == 0 {
			f = r.s.RemoveLabels
		}
		r.mayFail(f(ctx, r.li, n, []int64{r.labels[r.rng.IntN(len(r.labels))]}))
	case 5:
		file, err := r.s.Attach(ctx, r.chen, n, attachment.Upload{Name: "e.txt", Origin: attachment.ForMessage, Body: strings.NewReader(fmt.Sprint("file ", r.rng.IntN(1<<30)))})
		if r.mayFail(err) && r.rng.IntN(2) == 0 {
			_, err := r.s.Take(ctx, r.chen, ticket.Step{Number: n, Action: "reply", Text: "with a file", Attachments: []string{file.ID}})
			r.mayFail(err)
		}
	case 6:
		all := r.messages(n)
		r.mayFail(r.s.Withdraw(ctx, who, n, all[r.rng.IntN(len(all))].ID))
	}
}

// change is something that can be undone.
func (r *random) change() (done, bool) {
	ctx, a, b := r.t.Context(), r.pick(), r.pick()
	var got ticket.Ticket
	var err error
	switch r.rng.IntN(8) {
	case 0, 1:
		got, err = r.s.Merge(ctx, r.ding, ticket.Merge{Source: a, Into: b})
	case 2:
		if got, err = r.s.Split(ctx, r.ding, ticket.Split{Number: a, Messages: r.movable(a)}); err == nil {
			r.open, r.who[got.Number] = append(r.open, got.Number), r.who[a]
			r.news = append(r.news, got.ID)
		}
	case 3, 4:
		got, err = r.s.MoveMessages(ctx, r.ding, ticket.Move{From: a, To: b, Messages: r.movable(a)})
	case 5:
		got, err = r.s.Take(ctx, r.ding, ticket.Step{Number: a, Action: "assign", Assignee: []string{"chen", "emma"}[r.rng.IntN(2)]})
	default:
		got, err = r.s.Take(ctx, r.ding, ticket.Step{Number: a, Action: []string{"accept", "pause", "resume"}[r.rng.IntN(3)]})
	}
	return done{number: got.Number, revision: got.Revision}, r.mayFail(err)
}

// alive leaves out tickets that are deleted.
func (r *random) alive() {
	r.open = slices.DeleteFunc(r.open, func(n string) bool { return r.status(n) == ticket.Deleted })
}

// TestUndoRandom: random merges, splits, moves and steps, undone from the last
// to the first, leave every row as it was before each of them.
func TestUndoRandom(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		undone, refused, seeds := 0, 0, 3
		if raced { // one after the other: nothing to race; all of them without the detector
			seeds = 1
		}
		for seed := range uint64(seeds) {
			r := newRandom(w, seed, 5)
			for range 12 {
				w.clock.Add(time.Second)
				r.talk()
			}
			for range 22 {
				w.clock.Add(time.Second)
				before := w.rows(w.li.Domain)
				if d, ok := r.change(); ok {
					d.rows = before
					r.done = append(r.done, d)
				}
			}
			if found, err := w.s.Doctor(w.t.Context(), false); err != nil || len(found) > 0 {
				w.t.Errorf("seed %d: index and rows %v %v", seed, found, err)
			}
			// What a split made stays behind its undo, as a deleted ticket.
			left := func(lines []string) []string {
				return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
					return strings.HasPrefix(l, "count: ") && strings.Contains(l, " 13 ") ||
						slices.ContainsFunc(r.news, func(id string) bool {
							return strings.Contains(l, "ticket_id="+id) || strings.Contains(l, "parent="+id) || strings.Contains(l, "|id="+id)
						})
				})
			}
			for _, d := range slices.Backward(r.done) {
				w.clock.Add(time.Second)
				w.ok(w.undo(r.ding, d.number, d.revision))
				undone++
				now := w.rows(w.li.Domain)
				fresh := slices.DeleteFunc(left(d.rows), func(string) bool { return false })
				w.same(fmt.Sprint("seed ", seed, " ", d.number, " ", d.revision), fresh, left(now))
				if w.t.Failed() {
					return
				}
			}
			refused += r.refuse
		}
		if found, err := w.s.Doctor(w.t.Context(), false); err != nil || len(found) > 0 {
			w.t.Errorf("index and rows %v %v", found, err)
		}
		if differ, err := w.s.Recount(w.t.Context()); err != nil || len(differ) > 0 {
			w.t.Errorf("counters %v %v", differ, err)
		}
		w.t.Logf("%d changes undone, %d refused before", undone, refused)
		if undone < 7*seeds {
			w.t.Errorf("only %d were undone", undone)
		}
	})
}

// TestPollMoves: polls under random merges, splits, moves and their undo. Who
// polls all tickets together sees each message once; who polls one alone loses
// nothing that is in it.
func TestPollMoves(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		for seed := range uint64(4) {
			r := newRandom(w, 100+seed, 4)
			for _, n := range r.open { // one submitter: nothing is hidden
				if r.who[n].User != w.li.User {
					r.open = slices.DeleteFunc(r.open, func(o string) bool { return o == n })
				}
			}
			together, cursor := map[string]int{}, ""
			alone, cursors := map[string]map[string]bool{}, map[string]string{}
			poll := func() {
				all, next, err := w.s.Poll(ctx, w.boss, r.open, "", cursor)
				w.ok(err)
				cursor = next
				for _, p := range all {
					for _, m := range p.New {
						together[m.ID]++
					}
				}
			}
			lone := func(n string) {
				all, next, err := w.s.Poll(ctx, w.boss, []string{n}, "", cursors[n])
				w.ok(err)
				cursors[n] = next
				if alone[n] == nil {
					alone[n] = map[string]bool{}
				}
				for _, m := range all[0].New {
					alone[n][m.ID] = true
				}
			}
			for range 45 {
				w.clock.Add(time.Second)
				switch r.rng.IntN(6) {
				case 0, 1:
					if d, ok := r.change(); ok {
						r.done = append(r.done, d)
					}
				case 2:
					if len(r.done) > 0 && r.rng.IntN(2) == 0 {
						d := r.done[len(r.done)-1]
						r.done = r.done[:len(r.done)-1]
						r.mayFail(w.undo(r.ding, d.number, d.revision))
						r.alive()
					}
				case 3:
					poll()
				case 4:
					lone(r.pick())
				default:
					r.talk()
				}
			}
			poll()
			for id, times := range together {
				if times != 1 {
					w.t.Errorf("seed %d: message %s was shown %d times", seed, id, times)
				}
			}
			for _, n := range r.open {
				lone(n)
				for _, m := range w.messages(n) {
					if m.Internal {
						continue
					}
					if together[m.ID] == 0 {
						w.t.Errorf("seed %d: a message of %s was lost: %+v", seed, n, m)
					}
					if !alone[n][m.ID] {
						w.t.Errorf("seed %d: a message was lost to who polls %s alone: %+v", seed, n, m)
					}
				}
				// Pages by time, and the list, agree.
				paged, before := []string{}, ticket.Before{At: w.clock.Now().UnixMilli() + 1000, Exact: true}
				for {
					page, _, err := w.s.Older(ctx, w.boss, n, "", before, 2)
					w.ok(err)
					if len(page) == 0 {
						break
					}
					for _, m := range page {
						paged = append(paged, m.ID)
					}
					before.At = page[len(page)-1].Created
				}
				list, _, err := w.s.Messages(ctx, w.boss, n, "", 0, -1)
				w.ok(err)
				var listed []string
				for _, m := range slices.Backward(list) {
					listed = append(listed, m.ID)
				}
				if !slices.Equal(paged, listed) {
					w.t.Errorf("seed %d: %s pages %v, list %v", seed, n, paged, listed)
				}
			}
		}
	})
}

// shot is a ticket as plain reads show it.
func (w *world) shot(t ticket.DeskTicket, said []ticket.Message, files []attachment.File) (lines []string) {
	lines = append(lines, fmt.Sprintf("%s state %d handler %s %s side %d revision %d severity %s", t.Number, t.Status, t.Assignee, t.AssigneeName, t.Ownership, t.Revision, t.Severity))
	for _, l := range t.Labels {
		lines = append(lines, fmt.Sprint("label ", l.ID))
	}
	for _, m := range said {
		line := fmt.Sprintf("message %s side %d %s %s note %v first %v at %d origin %s text %q", m.ID, m.Side, m.Author, m.AuthorName, m.Internal, m.Opening, m.Created, m.Origin, m.Text)
		for _, f := range m.Files {
			line += fmt.Sprintf(" %s %s", f.ID, f.Name)
		}
		lines = append(lines, line)
	}
	for _, f := range files {
		lines = append(lines, fmt.Sprintf("file %s %s %s", f.ID, f.Name, f.Message))
	}
	return lines
}

// TestAsOf: random operations with snapshots by plain reads on the way; each
// instant, asked for afterwards, is what it was.
func TestAsOf(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		r := newRandom(w, 7, 5)
		filters := []ticket.DeskFilter{
			{Limit: 100}, {Limit: 2}, {Statuses: []ticket.Status{ticket.Processing}, Limit: 100}, {Statuses: []ticket.Status{ticket.Invalid, ticket.Paused, ticket.Deleted}, Limit: 100},
			{Assignee: w.chen.User, Limit: 100}, {Assignee: ticket.Nobody, Limit: 100}, {Domain: w.li.Domain, Assignee: w.emma.User, Limit: 3}, {Domain: w.foreign.Domain, Limit: 100},
		}
		list := func(f ticket.DeskFilter) (lines []string) {
			for {
				page, total, next, err := w.s.Desk(ctx, r.ding, f)
				w.ok(err)
				for _, t := range page {
					lines = append(lines, fmt.Sprintf("%s %d %s %d of %d", t.Number, t.Status, t.AssigneeName, t.Revision, total))
				}
				if next == "" {
					return lines
				}
				f.After = next
			}
		}
		type instant struct {
			at      int64
			tickets map[string][]string
			lists   [][]string
		}
		var shots []instant
		for range 30 {
			w.clock.Add(time.Duration(5+r.rng.IntN(5000)) * time.Millisecond)
			switch r.rng.IntN(8) {
			case 0, 1, 2:
				if d, ok := r.change(); ok {
					r.done = append(r.done, d)
				}
			case 3:
				if len(r.done) > 0 {
					d := r.done[len(r.done)-1]
					r.done = r.done[:len(r.done)-1]
					r.mayFail(w.undo(r.ding, d.number, d.revision))
					r.alive()
				}
			case 4:
				switch n := r.pick(); r.rng.IntN(4) {
				case 0:
					r.mayFail(r.step(r.chen, n, "resolve", "done"))
				case 1:
					r.mayFail(r.act(r.who[n], n, ticket.Close))
				case 2:
					if len(r.labels) > 1 {
						w.ok(w.s.DeleteLabel(ctx, w.li, r.labels[0]))
						r.labels = r.labels[1:]
					}
				case 3:
					r.mayFail(r.act(r.who[n], n, ticket.Cancel))
				}
			default:
				r.talk()
			}
			w.clock.Add(3 * time.Millisecond)
			shot := instant{at: w.clock.Now().UnixMilli(), tickets: map[string][]string{}}
			for _, n := range r.open {
				show, err := w.s.DeskShow(ctx, w.chen, n)
				w.ok(err)
				files, err := w.s.DeskFiles(ctx, w.chen, n)
				w.ok(err)
				shot.tickets[n] = w.shot(show, w.messages(n), files)
			}
			for _, f := range filters {
				shot.lists = append(shot.lists, list(f))
			}
			shots = append(shots, shot)
			w.clock.Add(3 * time.Millisecond)
		}
		r.alive()
		gone := map[string]string{} // texts withdrawn by now
		for _, n := range r.open {
			for _, m := range w.messages(n) {
				if m.Withdrawn > 0 {
					gone[m.ID] = m.ID
				}
			}
		}
		blank := func(lines []string) (out []string) {
			for _, l := range lines {
				if f := strings.Fields(l); f[0] == "message" && gone[f[1]] != "" {
					l, _, _ = strings.Cut(l, " text ")
				}
				out = append(out, l)
			}
			return out
		}
		compared := 0
		for i, shot := range shots {
			for n, want := range shot.tickets {
				if !slices.Contains(r.open, n) {
					continue // deleted since
				}
				got, err := w.s.AsOf(ctx, w.chen, n, shot.at)
				w.ok(err)
				have := w.shot(got.DeskTicket, got.Messages, got.Files)
				if want, have := blank(want), blank(have); !slices.Equal(want, have) {
					w.t.Fatalf("instant %d, %s:\nwas\n%s\nis told as\n%s", i, n, strings.Join(want, "\n"), strings.Join(have, "\n"))
				}
				compared++
			}
			for k, f := range filters {
				f.AsOf = shot.at
				if got := list(f); !slices.Equal(got, shot.lists[k]) {
					w.t.Fatalf("instant %d, list %d:\nwas\n%s\nis told as\n%s", i, k, strings.Join(shot.lists[k], "\n"), strings.Join(got, "\n"))
				}
			}
		}
		w.t.Logf("%d tickets at %d instants are what they were, %d steps refused", compared, len(shots), r.refuse)
		// Before there was a ticket, and in times to come.
		_, err := w.s.AsOf(ctx, w.chen, r.open[0], 1)
		w.refused(err, "01010001")
		_, err = w.s.AsOf(ctx, w.chen, r.open[0], w.clock.Now().UnixMilli()+1)
		w.refused(err, "01010001")
		_, err = w.s.AsOf(ctx, w.li, r.open[0], shots[0].at)
		w.refused(err, "01010002")
		_, _, _, err = w.s.Desk(ctx, w.chen, ticket.DeskFilter{AsOf: w.clock.Now().UnixMilli() + 1})
		w.refused(err, "01010001")
	})
}
