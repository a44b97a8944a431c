package ticket_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/search"
	"casemate/internal/ticket"
)

func (w *world) say(who principal.Principal, number, text string) error {
	if who.Kind == principal.Engineer {
		return w.step(who, number, "reply", text)
	}
	return w.s.Reply(w.t.Context(), who, number, "", text)
}

// poller goes from cursor to cursor.
type poller struct {
	w       *world
	who     principal.Principal
	numbers []string
	cursor  string
	got     map[string][]string // texts by ticket, in the order they came
	wake    chan struct{}
}

func (p *poller) poll() (n int) {
	p.w.t.Helper()
	all, next, err := p.w.s.Poll(p.w.t.Context(), p.who, p.numbers, "", p.cursor)
	if err != nil {
		p.w.t.Errorf("poll: %v", err)
		return 0
	}
	if len(next) > 64 {
		p.w.t.Errorf("cursor of %d characters", len(next))
	}
	p.cursor = next
	if p.got == nil {
		p.got = map[string][]string{}
	}
	for _, t := range all {
		for _, m := range t.New {
			n++
			p.got[t.Number] = append(p.got[t.Number], m.Text)
			if m.Internal || m.AuthorName == "" || m.AuthorName == "chen" || m.AuthorName == "emma" {
				p.w.t.Errorf("shown to a customer: %+v", m)
			}
		}
	}
	return n
}

// TestPoll: 8 writers, customers and engineers, write into the same tickets
// while pollers of every kind go from cursor to cursor: nothing is lost,
// nothing repeated, nothing out of order, and no note shows.
func TestPoll(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		const each, hot = 20, 3
		var numbers []string
		for i := range 12 {
			numbers = append(numbers, w.create(w.li, fmt.Sprint("opening ", i)))
		}
		writers := []principal.Principal{w.li, w.boss, w.li, w.boss, w.chen, w.emma, w.chen, w.emma}
		pollers := []*poller{
			{w: w, who: w.li, numbers: numbers[:1]}, {w: w, who: w.li, numbers: numbers[:hot]}, {w: w, who: w.boss, numbers: numbers[:hot]},
			{w: w, who: w.boss, numbers: numbers}, // more than fit into a cursor
			{w: w, who: w.li, numbers: numbers},
		}
		for _, p := range pollers {
			p.wake = make(chan struct{}, 1)
		}
		var wrote, retried, polls atomic.Int64
		var writing, polling sync.WaitGroup
		for i, who := range writers {
			writing.Go(func() {
				for j := range each {
					number := numbers[(i+j)%hot]
					if j%5 == 4 {
						number = numbers[hot+(i+j)%(len(numbers)-hot)]
					}
					if who.Kind == principal.Engineer && j%3 == 0 {
						if err := w.step(who, number, "note", "NOTE"); err != nil && fault.KindOf(err) != fault.Unavailable {
							w.t.Error(err)
						}
					}
					for try := 0; ; try++ {
						err := w.say(who, number, fmt.Sprintf("%d/%d", i, j))
						if err == nil {
							wrote.Add(1)
							for _, p := range pollers {
								select {
								case p.wake <- struct{}{}:
								default: // it is on its way
								}
							}
							break
						}
						if fault.KindOf(err) != fault.Unavailable || try > 100 { // PostgreSQL gives up after some retries; the client tries again
							w.t.Error(err)
							break
						}
						retried.Add(1)
					}
					w.clock.Add(time.Millisecond * time.Duration(j%2)) // some in the same millisecond
				}
			})
		}
		for _, p := range pollers {
			polling.Go(func() {
				for range p.wake {
					p.poll()
					polls.Add(1)
				}
			})
		}
		writing.Wait()
		for _, p := range pollers {
			close(p.wake)
		}
		polling.Wait()
		late := &poller{w: w, who: w.boss, numbers: numbers} // from the beginning, when all is said
		pollers = append(pollers, late)
		shown, lost, repeated, disordered := 0, 0, 0, 0
		for i, p := range pollers {
			for p.poll() > 0 {
			}
			before := p.cursor
			if n := p.poll(); n != 0 || p.cursor != before {
				w.t.Errorf("a poll for nothing: %d messages, cursor %q after %q", n, p.cursor, before)
			}
			for _, number := range p.numbers {
				var want []string
				page, total, err := w.s.Messages(w.t.Context(), p.who, number, "", 0, -1)
				w.ok(err)
				for _, m := range page {
					want = append(want, m.Text)
				}
				if total != len(want) {
					w.t.Errorf("total %d of %d", total, len(want))
				}
				seen := map[string]int{}
				for _, text := range p.got[number] {
					shown++
					if seen[text]++; seen[text] > 1 {
						repeated++
					}
				}
				for _, text := range want {
					if seen[text] == 0 {
						lost++
						w.t.Errorf("poller %d lost %s of %s", i, text, number)
					}
				}
				if !slices.Equal(p.got[number], want) {
					disordered++
				}
			}
		}
		if lost+repeated+disordered > 0 || wrote.Load() != int64(len(writers)*each) {
			w.t.Errorf("lost %d, repeated %d, out of order %d tickets, %d written", lost, repeated, disordered, wrote.Load())
		}
		w.t.Logf("REPORT polls on %s: %d writers wrote %d messages into %d tickets (%d retries by clients), %d pollers in %d polls were shown %d: lost %d, repeated %d, out of order %d\n",
			w.db.Dialect(), len(writers), wrote.Load(), len(numbers), retried.Load(), len(pollers), polls.Load(), shown, lost, repeated, disordered)
	})
}

// TestPollSets: what is polled may change from poll to poll; positions of
// tickets that are left out are kept.
func TestPollSets(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.unlimited()
		ctx := w.t.Context()
		var n []string
		for i := range 30 {
			n = append(n, w.create(w.li, fmt.Sprint("opening ", i)))
		}
		p := &poller{w: w, who: w.li}
		turn := func(numbers []string, want int) {
			w.t.Helper()
			p.numbers = numbers
			if got := p.poll(); got != want {
				w.t.Errorf("%d messages, want %d", got, want)
			}
		}
		turn(n[:2], 2)
		w.ok(w.say(w.chen, n[0], "to the first"))
		turn(n[1:3], 1)  // the first is left out, a third comes in
		turn(n[:3], 1)   // and the first is back
		turn(n[:3], 0)   // nothing new
		turn(n[:30], 27) // more than fit into a cursor
		w.ok(w.say(w.chen, n[29], "to the last"))
		turn(n[:2], 0)
		turn(n[:30], 1)
		turn(n[:1], 0)
		w.ok(w.step(w.chen, n[0], "note", "for engineers"))
		turn(n[:1], 0)
		// A stored cursor is its user's, and is gone after 30 days without use.
		for _, who := range []principal.Principal{w.boss, w.foreign} {
			_, _, err := w.s.Poll(ctx, who, n[:1], "", p.cursor)
			if who.User == w.boss.User {
				w.field(err, "last_message_time_id")
			} else if err == nil {
				w.t.Error("another domain used a cursor")
			}
		}
		w.clock.Add(20 * 24 * time.Hour)
		turn(n[:30], 0) // used: its time begins anew
		w.clock.Add(20 * 24 * time.Hour)
		turn(n[:30], 0)
		w.ok(w.s.PurgeCursors(ctx))
		turn(n[:30], 0)
		w.clock.Add(31 * 24 * time.Hour)
		_, _, err := w.s.Poll(ctx, w.li, n[:30], "", p.cursor)
		w.field(err, "last_message_time_id")
		w.ok(w.s.PurgeCursors(ctx))
		left := -1
		w.ok(w.db.View(ctx, func(tx *db.Tx) error {
			return tx.Get("SELECT count(*) FROM poll_cursors /* all domains: a test */").Scan(&left)
		}))
		if left != 0 {
			w.t.Errorf("%d cursors are left", left)
		}
		for _, bad := range []string{"x", "i", "i!", "iAAAA", "s", "snone", "i" + strings.Repeat("A", 63), "1780000000000", strings.Repeat("i", 65), "中文"} {
			if _, _, err := w.s.Poll(ctx, w.li, n[:1], "", bad); bad != "i" {
				w.field(err, "last_message_time_id")
			}
		}
	})
}

// TestPollBatches: an answer holds 1,000 messages; the next goes on.
func TestPollBatches(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := []string{w.create(w.li, "first"), w.create(w.li, "second"), w.create(w.li, "third")}
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
			for i, number := range n {
				tx.Write(db.Any, `INSERT INTO messages (domain_id, id, ticket_id, side, author, internal, opening, text, created_at, revision, withdrawn_at)
					WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
					SELECT t.domain_id, t.id || '-' || n.i, t.id, 0, t.creator, 0, 0, 'message ' || n.i, t.created_at + n.i, n.i, 0 FROM n, tickets AS t WHERE t.domain_id = ? AND t.number = ?`,
					700+i, w.li.Domain, number)
				tx.Write(1, "UPDATE tickets SET revision = ? WHERE domain_id = ? AND number = ?", 700+i, w.li.Domain, number)
			}
			return nil
		}))
		p := &poller{w: w, who: w.li, numbers: n}
		for i, want := range []int{1000, 1000, 103, 0} {
			if got := p.poll(); got != want {
				w.t.Errorf("poll %d: %d messages, want %d", i, got, want)
			}
		}
		for i, number := range n {
			got := slices.Clone(p.got[number])
			slices.Sort(got)
			if len(slices.Compact(got)) != 700+i {
				w.t.Errorf("%s: %d different messages", number, len(got))
			}
		}
	})
}

// TestPollScope: whose tickets are polled and counted; unknown, deleted and
// foreign ones are left out alike, and none at all is an error.
func TestPollScope(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		lis, wangs, foreign, gone := w.create(w.li, "li's"), w.create(w.wang, "wang's"), w.create(w.foreign, "abroad"), w.create(w.li, "gone")
		w.ok(w.act(w.li, gone, "cancel"))
		w.ok(w.act(w.li, gone, "delete"))
		w.group("ops", identity.TicketGroupOperator, w.li, w.wang)
		const unknown = "TS0000000000000000000"
		all := []string{unknown, lis, wangs, foreign, gone, lis, "", strings.Repeat("x", 65)}
		for _, tt := range []struct {
			name  string
			who   principal.Principal
			group string
			ask   []string
			want  []string
			code  string
		}{
			{"own", w.li, "", all, []string{lis}, ""}, {"the group's", w.li, "ops", all, []string{lis, wangs}, ""}, {"the domain's", w.boss, "", all, []string{lis, wangs}, ""},
			{"another domain's", w.foreign, "", all, []string{foreign}, ""}, {"no such group", w.li, "none", all, nil, "01010002"}, {"another's group", w.foreign, "ops", all, nil, "01010002"},
			{"unknown", w.li, "", []string{unknown}, nil, "01010015"}, {"foreign", w.li, "", []string{foreign}, nil, "01010015"}, {"deleted", w.li, "", []string{gone}, nil, "01010015"},
			{"a colleague's", w.li, "", []string{wangs}, nil, "01010015"}, {"too long", w.li, "", []string{strings.Repeat("x", 65)}, nil, "01010015"},
			{"none", w.li, "", nil, nil, "01010001"}, {"blank", w.li, "", []string{"", ""}, nil, "01010001"},
			{"100", w.li, "", append(many(99), lis), []string{lis}, ""}, {"101", w.li, "", append(many(100), lis), nil, "01010001"},
		} {
			polled, _, err := w.s.Poll(ctx, tt.who, tt.ask, tt.group, "")
			counted, err2 := w.s.Unread(ctx, tt.who, tt.ask, tt.group)
			if tt.code != "" {
				w.refused(err, tt.code)
				w.refused(err2, tt.code)
				continue
			}
			w.ok(err)
			w.ok(err2)
			var got, got2 []string
			for _, p := range polled {
				got = append(got, p.Number)
			}
			for _, p := range counted {
				got2 = append(got2, p.Number)
			}
			if !slices.Equal(got, tt.want) || !slices.Equal(got2, tt.want) {
				w.t.Errorf("%s: polled %q, counted %q, want %q", tt.name, got, got2, tt.want)
			}
		}
		_, _, err := w.s.Poll(ctx, w.chen, []string{lis}, "", "")
		w.refused(err, "01010011")
	})
}

func many(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("TS", i))
	}
	return all
}

func (w *world) unread(who principal.Principal, number string) int {
	w.t.Helper()
	all, err := w.s.Unread(w.t.Context(), who, []string{number}, "")
	w.ok(err)
	return all[0].Unread
}

func (w *world) deskUnread(who principal.Principal, number string) int {
	w.t.Helper()
	t, err := w.s.DeskShow(w.t.Context(), who, number)
	w.ok(err)
	return t.Unread
}

// TestUnread: messages of the other side behind the reader's own mark.
func TestUnread(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		n := w.create(w.li, "opening")
		want := func(li, boss, chen, emma int) {
			w.t.Helper()
			for _, tt := range []struct {
				name      string
				got, want int
			}{{"li", w.unread(w.li, n), li}, {"boss", w.unread(w.boss, n), boss}, {"chen", w.deskUnread(w.chen, n), chen}, {"emma", w.deskUnread(w.emma, n), emma}} {
				if tt.got != tt.want {
					w.t.Errorf("%s has %d unread, want %d", tt.name, tt.got, tt.want)
				}
			}
		}
		want(0, 0, 1, 1)
		w.ok(w.say(w.chen, n, "one"))
		w.ok(w.step(w.emma, n, "note", "not for customers"))
		w.ok(w.say(w.emma, n, "two"))
		w.ok(w.say(w.boss, n, "from a colleague"))
		want(2, 2, 2, 2)
		w.ok(w.s.MarkRead(ctx, w.li, n, "")) // for li alone
		want(0, 2, 2, 2)
		before := w.kinds(n)
		w.ok(w.s.MarkRead(ctx, w.li, n, "")) // nothing new: nothing written
		if got := w.kinds(n); len(got) != len(before) {
			w.t.Errorf("reading nothing wrote %q", got)
		}
		w.ok(w.s.DeskRead(ctx, w.chen, n))
		want(0, 2, 0, 2)
		w.ok(w.say(w.emma, n, "three"))
		w.ok(w.say(w.li, n, "answer"))
		want(1, 3, 1, 3)
		p, _, err := w.s.Poll(ctx, w.li, []string{n}, "", "")
		if err != nil || p[0].Unread != 1 || w.unread(w.li, n) != 1 {
			w.t.Errorf("polling marks nothing: %+v %v", p, err)
		}
		for _, number := range []string{"TS0000000000000000000", "", w.create(w.foreign, "abroad"), w.create(w.wang, "a colleague's")} {
			w.refused(w.s.MarkRead(ctx, w.li, number, ""), "01010015")
		}
		w.refused(w.s.DeskRead(ctx, w.chen, "TS0000000000000000000"), "01010015")
		w.refused(w.s.DeskRead(ctx, w.li, n), "01010002")
		w.refused(w.s.DeskRead(ctx, w.auditor, n), "01010002")
		w.group("ops", identity.TicketGroupOperator, w.li, w.wang)
		w.ok(w.s.MarkRead(ctx, w.wang, n, "ops"))
		want(1, 3, 1, 3)
	})
}

// TestOlder pages back through everything, whatever fell into one second.
func TestOlder(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		n := w.create(w.li, "opening")
		for i := range 25 {
			if i%4 == 3 {
				w.clock.Add(time.Second)
			}
			w.ok(w.say([]principal.Principal{w.li, w.chen}[i%2], n, fmt.Sprint(i)))
			w.ok(w.step(w.chen, n, "note", "note"))
		}
		all, _, err := w.s.Messages(ctx, w.li, n, "", 0, -1)
		w.ok(err)
		for _, limit := range []int{1, 2, 7, 100} {
			at := all[len(all)-1]
			got := []string{at.Text}
			for {
				page, total, err := w.s.Older(ctx, w.li, n, "", ticket.Before{At: at.Created, Exact: true, Side: at.Side}, limit)
				w.ok(err)
				if total != len(all)-len(got) || len(page) != min(limit, total) {
					w.t.Errorf("limit %d: %d of %d after %d", limit, len(page), total, len(got))
				}
				if len(page) == 0 {
					break
				}
				for _, m := range page {
					got = append(got, m.Text)
				}
				at = page[len(page)-1]
			}
			slices.Reverse(got)
			for i, m := range all {
				if i >= len(got) || got[i] != m.Text {
					w.t.Fatalf("limit %d: paged %q", limit, got)
				}
			}
		}
		// Only the second is known: rather one shown again than one lost.
		for i, m := range all {
			page, _, err := w.s.Older(ctx, w.li, n, "", ticket.Before{At: m.Created / 1000 * 1000, Side: m.Side}, 100)
			w.ok(err)
			if len(page) < i {
				w.t.Errorf("before the second of message %d: %d messages, %d are older", i, len(page), i)
			}
		}
		for _, limit := range []int{1, 3, 20} {
			shown, at, side := map[string]bool{}, all[len(all)-1].Created/1000*1000, all[len(all)-1].Side
			shown[all[len(all)-1].Text] = true
			for turns := 0; ; turns++ {
				page, _, err := w.s.Older(ctx, w.li, n, "", ticket.Before{At: at, Side: side}, limit)
				w.ok(err)
				if len(page) == 0 || turns > 50 {
					break
				}
				for _, m := range page {
					shown[m.Text] = true
				}
				at, side = page[len(page)-1].Created/1000*1000, page[len(page)-1].Side
			}
			if len(shown) != len(all) {
				w.t.Errorf("paging by seconds, %d at a time, showed %d of %d", limit, len(shown), len(all))
			}
		}
		if page, total, err := w.s.Older(ctx, w.li, n, "", ticket.Before{At: 1 << 45, Exact: true}, 0); err != nil || len(page) != 10 || total != 26 {
			w.t.Errorf("limit 0: %d of %d %v", len(page), total, err)
		}
		_, _, err = w.s.Older(ctx, w.wang, n, "", ticket.Before{At: 1 << 45, Exact: true}, 10)
		w.refused(err, "01010015")
	})
}

// TestWithdraw holds semantics.md D6: two minutes, the writer's own, not the
// first message, while the ticket is open.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		n := w.create(w.li, "opening")
		last := func() ticket.Message {
			w.t.Helper()
			all, _, err := w.s.Messages(ctx, w.boss, n, "", 0, -1)
			w.ok(err)
			return all[len(all)-1]
		}
		write := func(who principal.Principal, text string) string {
			w.t.Helper()
			w.ok(w.say(who, n, text))
			return last().ID
		}
		opening := last().ID
		secret := write(w.li, "my password is hunter2")
		p := &poller{w: w, who: w.boss, numbers: []string{n}}
		p.poll()
		w.ok(w.say(w.chen, n, "answer"))
		answer := last().ID
		w.ok(w.step(w.chen, n, "note", "a note"))
		desk, err := w.s.DeskMessages(ctx, w.chen, n)
		w.ok(err)
		note := desk[len(desk)-1].ID
		other := w.create(w.li, "another")
		for _, tt := range []struct {
			name, number, id, code string
			who                    principal.Principal
		}{
			{"a colleague's, by the main account", n, secret, "01010002", w.boss}, {"an engineer's", n, answer, "01010002", w.li},
			{"the description", n, opening, "01010002", w.li}, {"a note", n, note, "01010001", w.li}, {"unknown", n, "none", "01010001", w.li}, {"empty", n, "", "01010001", w.li},
			{"of another ticket", other, secret, "01010001", w.li}, {"ticket out of sight", n, secret, "01010015", w.wang},
			{"another domain's", n, secret, "01010015", w.foreign}, {"an engineer", n, answer, "01010011", w.chen},
		} {
			w.refused(w.s.Withdraw(ctx, tt.who, tt.number, tt.id), tt.code)
		}
		w.clock.Add(2*time.Minute - 10*time.Millisecond)
		w.ok(w.s.Withdraw(ctx, w.li, n, secret))
		w.ok(w.s.Withdraw(ctx, w.li, n, secret)) // again: nothing more happens
		all, total, err := w.s.Messages(ctx, w.li, n, "", 0, -1)
		if err != nil || total != 3 || all[1].ID != secret || all[1].Text != "" || all[1].Withdrawn == 0 {
			w.t.Errorf("its place: %+v %v", all, err)
		}
		desk, err = w.s.DeskMessages(ctx, w.chen, n)
		if err != nil || desk[1].ID != secret || desk[1].Text != "" || desk[1].Withdrawn == 0 {
			w.t.Errorf("on the desk: %+v %v", desk, err)
		}
		entries, _, err := w.s.Log(ctx, w.li, n, "", "en-us", 0, 10)
		if err != nil || entries[0].Code != 86 || entries[0].Remark != "Message withdrawn" || entries[1].Code == 86 {
			w.t.Errorf("log: %+v %v", entries, err)
		}
		// Who was shown it is not shown it again; who comes later finds the place empty.
		p.poll()
		if got := p.got[n]; !slices.Equal(got, []string{"opening", "my password is hunter2", "answer"}) {
			w.t.Errorf("polled before and after: %q", got)
		}
		p = &poller{w: w, who: w.li, numbers: []string{n}}
		p.poll()
		if got := p.got[n]; !slices.Equal(got, []string{"opening", "", "answer"}) {
			w.t.Errorf("polled afterwards: %q", got)
		}
		// The index and the store have forgotten it.
		w.ok(w.db.View(ctx, func(tx *db.Tx) error {
			cond, args, _ := search.Where(w.db.Dialect(), w.li.Domain, "message", []string{"hunter2"})
			var hits, texts int
			if err := tx.Get("SELECT count(*) FROM tickets WHERE domain_id = ? AND id "+cond, append([]any{w.li.Domain}, args...)...).Scan(&hits); err != nil {
				return err
			}
			err := tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND text LIKE '%hunter2%'", w.li.Domain).Scan(&texts)
			if hits+texts != 0 {
				w.t.Errorf("%d hits, %d texts are left", hits, texts)
			}
			return err
		}))
		// One that the engineer has read goes as well; too late is too late.
		read := write(w.li, "read already")
		w.ok(w.s.DeskRead(ctx, w.chen, n))
		w.clock.Add(2 * time.Minute)
		w.ok(w.s.Withdraw(ctx, w.li, n, read))
		late := write(w.li, "late")
		w.clock.Add(2*time.Minute + 10*time.Millisecond)
		w.refused(w.s.Withdraw(ctx, w.li, n, late), "01010002")
		// Withdrawn before it was read: nothing to read any more.
		w.ok(w.s.DeskRead(ctx, w.chen, n))
		soon := write(w.li, "soon gone")
		if got := w.deskUnread(w.chen, n); got != 1 {
			w.t.Errorf("%d unread", got)
		}
		w.ok(w.s.Withdraw(ctx, w.li, n, soon))
		if got := w.deskUnread(w.chen, n); got != 0 {
			w.t.Errorf("%d unread after the withdrawal", got)
		}
		// A member of the group withdraws what he wrote into a colleague's ticket.
		w.group("ops", identity.TicketGroupOperator, w.li, w.wang)
		w.ok(w.s.Reply(ctx, w.wang, n, "ops", "from the group"))
		w.ok(w.s.Withdraw(ctx, w.wang, n, last().ID))
		// Not in a finished ticket.
		end := write(w.li, "the end")
		w.ok(w.act(w.li, n, "close"))
		w.refused(w.s.Withdraw(ctx, w.li, n, end), "01010002")
	})
	each(t, ticket.Options{Config: config.Ticket{WithdrawWithin: -1}}, func(w *world) {
		n := w.create(w.li, "opening")
		w.ok(w.say(w.li, n, "cannot be taken back here"))
		all, _, err := w.s.Messages(w.t.Context(), w.li, n, "", 0, -1)
		w.ok(err)
		w.refused(w.s.Withdraw(w.t.Context(), w.li, n, all[1].ID), "01010002")
	})
}
