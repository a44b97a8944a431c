package ticket_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		n := w.create(w.li, "无法登录云服务器")
		// The clock stands at 2026-01-15 08:00 UTC, which is 16:00 at home.
		if !regexp.MustCompile(`^TS260115[0-9A-HJKMNP-TV-Z]{13}$`).MatchString(n) {
			w.t.Errorf("number %q", n)
		}
		got, _, err := w.s.Show(w.t.Context(), w.li, n, "")
		w.ok(err)
		if got.Status != 0 || got.Description != "无法登录云服务器" || got.Creator != w.li.User || got.Product == "" || got.SubType == "" {
			w.t.Errorf("%+v", got)
		}
		for field, change := range map[string]func(*ticket.NewTicket){
			"simple_description": func(n *ticket.NewTicket) { n.Description = strings.Repeat("字", 1201) },
			"source_id":          func(n *ticket.NewTicket) { n.Source = "other" },
			"remind_time":        func(n *ticket.NewTicket) { n.RemindTime = "9-18" },
			"business_type_id":   func(n *ticket.NewTicket) { n.ProblemType = "none" },
			"remind_mail":        func(n *ticket.NewTicket) { n.Claims.Mail = "not an address" },
			"remind_mobile":      func(n *ticket.NewTicket) { n.Claims.Mobile = "123" },
			"region_id":          func(n *ticket.NewTicket) { n.ProblemType = w.fault },
		} {
			draft := w.draft("x")
			change(&draft)
			_, err := w.s.Create(w.t.Context(), w.li, draft)
			if f, ok := fault.As(err); !ok || f.Field != field || f.Code != fault.CodeInvalid {
				w.t.Errorf("%s: %v", field, err)
			}
		}
		long := w.draft(strings.Repeat("字", 1200))
		if _, err := w.s.Create(w.t.Context(), w.li, long); err != nil {
			w.t.Errorf("1200 characters: %v", err)
		}
		blank := w.draft(" \n ")
		_, err = w.s.Create(w.t.Context(), w.li, blank)
		w.refused(err, "01010001")
		// A customer without a support plan files no fault tickets where plans apply.
		region := w.catalog.Now().Regions(0)[0].ID
		draft := w.draft("down")
		draft.ProblemType, draft.Region = w.fault, region
		_, err = w.s.Create(w.t.Context(), w.foreign, draft)
		w.refused(err, "01010009")
		if _, err = w.s.Create(w.t.Context(), w.li, draft); err != nil {
			w.t.Errorf("with a plan: %v", err)
		}
		draft.Severity = "none"
		_, err = w.s.Create(w.t.Context(), w.li, draft)
		w.refused(err, "01010006")
		_, err = w.s.Create(w.t.Context(), w.chen, w.draft("x"))
		w.refused(err, "01010002")
	})
}

// TestProof: an unknown contact needs a proof; a registered one does not; a
// code in the body serves once, and a wrong one counts.
func TestProof(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		with := func(c verify.Claims) (string, error) {
			d := w.draft("with a contact")
			d.Claims = c
			return w.s.Create(w.t.Context(), w.li, d)
		}
		if _, err := with(verify.Claims{Mail: "LI@example.com"}); err != nil {
			w.t.Errorf("registered address: %v", err)
		}
		_, err := with(verify.Claims{Mail: "new@example.com"})
		w.refused(err, "01010010")
		c := verify.Contact{Way: identity.Mail, Value: "new@example.com"}
		w.ok(w.verify.Send(w.t.Context(), w.li, c, locale.ZH))
		w.work()
		code := w.post.Got[len(w.post.Got)-1].Code
		wrong := string('0'+(code[0]-'0'+1)%10) + code[1:]
		for range 4 {
			_, err = with(verify.Claims{Mail: "new@example.com", Code: wrong})
			w.refused(err, "01010010")
		}
		n, err := with(verify.Claims{Mail: "new@example.com", Code: code})
		w.ok(err)
		got, _, err := w.s.Show(w.t.Context(), w.li, n, "")
		w.ok(err)
		if contact, err := w.s.Contact(w.t.Context(), got); err != nil || contact.Mail != "new@example.com" {
			w.t.Errorf("contact %+v %v", contact, err)
		}
		if _, err = with(verify.Claims{Mail: "new@example.com"}); err != nil { // the code left a proof
			w.t.Errorf("proved address: %v", err)
		}
		_, err = w.s.Create(w.t.Context(), w.wang, func() ticket.NewTicket { d := w.draft("x"); d.Claims.Mail = "new@example.com"; return d }())
		w.refused(err, "01010010") // li's proof is nobody else's
	})
}

// TestQuota: exactly as many tickets as the quota are open at a time, also when
// many ask at once (semantics.md D10: 50 by default).
func TestQuota(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		for range 45 {
			w.create(w.li, "one of many")
		}
		if total, left, err := w.s.Quota(w.t.Context(), w.wang, w.problem, ""); total != 50 || left != 5 || err != nil {
			w.t.Errorf("total %d, left %d, %v", total, left, err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		made, refused := []string{}, 0
		for range 16 {
			wg.Go(func() {
				n, err := w.s.Create(w.t.Context(), w.wang, w.draft("at once"))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					made = append(made, n)
				case errors.Is(err, ticket.ErrQuota):
					refused++
				default:
					w.t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(made) != 5 || refused != 11 {
			w.t.Errorf("%d made, %d refused, want 5 and 11", len(made), refused)
		}
		w.ok(w.act(w.wang, made[0], "cancel"))
		w.create(w.li, "there is room again")
		_, err := w.s.Create(w.t.Context(), w.boss, w.draft("but for one only"))
		w.refused(err, "01010002")
		w.create(w.foreign, "other customers have their own")
	})
}

// scope: who sees whose tickets (semantics.md section 2).
func TestScope(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		lis, wangs, theirs := w.create(w.li, "li's"), w.create(w.wang, "wang's"), w.create(w.foreign, "foreign")
		w.group("ops", identity.TicketGroupOperator, w.li, w.wang)
		w.group("plain", identity.TicketAdministrator, w.li, w.wang)
		for _, tt := range []struct {
			name  string
			who   principal.Principal
			group string
			want  []string
		}{
			{"li alone", w.li, "", []string{lis}},
			{"wang alone", w.wang, "", []string{wangs}},
			{"main account", w.boss, "", []string{wangs, lis}},
			{"li in the group", w.li, "ops", []string{wangs, lis}},
			{"main account looks at the group", w.boss, "ops", []string{wangs, lis}},
			{"the other customer", w.foreign, "", []string{theirs}},
		} {
			if got, total := w.find(tt.who, ticket.Filter{Group: tt.group}); !slices.Equal(got, tt.want) || total != len(tt.want) {
				w.t.Errorf("%s: %v (%d), want %v", tt.name, got, total, tt.want)
			}
		}
		for _, tt := range []struct {
			who   principal.Principal
			group string
		}{{w.li, "plain"}, {w.li, "nosuch"}, {w.foreign, "ops"}} {
			_, _, err := w.s.List(w.t.Context(), tt.who, ticket.Filter{Group: tt.group})
			w.refused(err, "01010002")
		}
		for _, tt := range []struct {
			who    principal.Principal
			number string
		}{{w.wang, lis}, {w.foreign, lis}, {w.li, theirs}, {w.li, "TS260115AAAAAAAAAAAAA"}, {w.li, ""}, {w.li, strings.Repeat("9", 65)}} {
			_, _, err := w.s.Show(w.t.Context(), tt.who, tt.number, "")
			if !errors.Is(err, fault.NoTicket) {
				w.t.Errorf("%s looking at %q: %v", tt.who.UserName, tt.number, err)
			}
			w.refused(w.s.Reply(w.t.Context(), tt.who, tt.number, "", "x"), "01010015")
			w.refused(w.act(tt.who, tt.number, "cancel"), "01010015")
		}
		w.ok(w.s.Reply(w.t.Context(), w.wang, lis, "ops", "from a colleague"))
	})
}

func (w *world) group(id, role string, members ...principal.Principal) {
	w.t.Helper()
	w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		tx.Write(1, "INSERT INTO user_groups (domain_id, id, name, roles, created_at) VALUES (?, ?, ?, ?, ?)", members[0].Domain, id, id, `["`+role+`"]`, tx.Now)
		for _, m := range members {
			tx.Write(1, "INSERT INTO group_members (domain_id, group_id, user_id) VALUES (?, ?, ?)", m.Domain, id, m.User)
		}
		return nil
	}))
}

func TestSubmissionPolicy(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		w.ok(w.db.Update(w.t.Context(), func(tx *db.Tx) error {
			tx.Write(1, "UPDATE domains SET submit_by_permission = 1 WHERE id = ?", w.li.Domain)
			return nil
		}))
		w.group("submitters", identity.TicketAdministrator, w.wang)
		_, err := w.s.Create(w.t.Context(), w.li, w.draft("may I"))
		w.refused(err, "01010002")
		w.create(w.wang, "I may")
		w.create(w.boss, "of course")
	})
}

// TestList holds every filter against a plain scan of what was created.
func TestList(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		type made struct {
			number, text string
			who          principal.Principal
			at           time.Time
			status       ticket.Status
		}
		texts := []string{"云服务器无法登录", "Cannot log in to the server", "数据库连接数已满", "server unreachable in 华北", "发票抬头错误"}
		var all []made
		for i := range 30 {
			who := w.li
			if i%3 == 0 {
				who = w.wang
			}
			w.clock.Add(time.Hour)
			m := made{text: texts[i%len(texts)], who: who, at: w.clock.Now()}
			var err error
			m.number, err = w.s.Create(w.t.Context(), who, w.draft(m.text))
			w.ok(err)
			switch i % 5 {
			case 1:
				w.ok(w.act(who, m.number, "cancel"))
				m.status = 4
			case 2:
				w.ok(w.step(w.chen, m.number, "accept", ""))
				m.status = 1
			case 3:
				w.ok(w.act(who, m.number, "cancel"))
				w.ok(w.act(who, m.number, "delete"))
				m.status = 13
			}
			all = append(all, m)
		}
		w.create(w.foreign, texts[0])
		for _, tt := range []struct {
			name string
			who  principal.Principal
			f    ticket.Filter
			want func(m made) bool
		}{
			{"all", w.boss, ticket.Filter{}, func(made) bool { return true }},
			{"own", w.li, ticket.Filter{}, func(m made) bool { return m.who == w.li }},
			{"status", w.boss, ticket.Filter{Statuses: []ticket.Status{4}}, func(m made) bool { return m.status == 4 }},
			{"states", w.boss, ticket.Filter{Statuses: []ticket.Status{4, 1}}, func(m made) bool { return m.status == 4 || m.status == 1 }},
			{"deleted", w.boss, ticket.Filter{Statuses: []ticket.Status{13}}, func(made) bool { return false }},
			{"word", w.boss, ticket.Filter{Words: []string{"server"}}, func(m made) bool { return strings.Contains(m.text, "server") }},
			{"words in one", w.boss, ticket.Filter{Words: []string{"server 华北"}}, func(m made) bool { return strings.Contains(m.text, "华北") }},
			{"capitals", w.boss, ticket.Filter{Words: []string{"SERVER"}}, func(m made) bool { return strings.Contains(m.text, "server") }},
			{"one character", w.boss, ticket.Filter{Words: []string{"满"}}, func(m made) bool { return strings.Contains(m.text, "满") }},
			{"nothing to look for", w.boss, ticket.Filter{Words: []string{"!!"}}, func(made) bool { return false }},
			{"app key text", w.boss, ticket.Filter{Text: "登录"}, func(m made) bool { return strings.Contains(m.text, "登录") }},
			{"app key number", w.boss, ticket.Filter{Text: strings.ToLower(all[0].number)}, func(m made) bool { return m.number == all[0].number }},
			{"app key beginning", w.boss, ticket.Filter{Text: all[4].number[:15]}, func(m made) bool { return strings.HasPrefix(m.number, all[4].number[:15]) }},
			{"number", w.boss, ticket.Filter{Number: all[5].number}, func(m made) bool { return m.number == all[5].number }},
			{"from", w.boss, ticket.Filter{From: all[10].at.UnixMilli()}, func(m made) bool { return !m.at.Before(all[10].at) }},
			{"to", w.boss, ticket.Filter{To: all[10].at.UnixMilli()}, func(m made) bool { return !m.at.After(all[10].at) }},
			{"creator", w.boss, ticket.Filter{Creator: w.wang.User}, func(m made) bool { return m.who == w.wang }},
			{"creator's name", w.boss, ticket.Filter{CreatorName: "WAN"}, func(m made) bool { return m.who == w.wang }},
			{"a colleague's, not allowed", w.li, ticket.Filter{Creator: w.wang.User}, func(made) bool { return false }},
			{"labelled", w.boss, ticket.Filter{Labels: []int64{1}}, func(made) bool { return false }},
			{"several", w.boss, ticket.Filter{Creator: w.li.User, Statuses: []ticket.Status{0}, Words: []string{"云服务器"}},
				func(m made) bool { return m.who == w.li && m.status == 0 && strings.Contains(m.text, "云服务器") }},
		} {
			var want []string
			states := map[ticket.Status]int{}
			for _, m := range slices.Backward(all) {
				if m.status != 13 && tt.want(m) {
					want = append(want, m.number)
					states[m.status]++
				}
			}
			for _, fold := range []bool{false, true} {
				if fold {
					w.ok(w.s.Fold(w.t.Context()))
				}
				counts, err := w.s.CountsOf(w.t.Context(), tt.who, tt.f)
				maps.DeleteFunc(counts, func(_ ticket.Status, n int) bool { return n == 0 })
				if w.ok(err); !maps.Equal(counts, states) {
					w.t.Errorf("%s: %v in each state, want %v", tt.name, counts, states)
				}
				var got []string
				for offset := 0; ; offset += 7 {
					f := tt.f
					f.Offset, f.Limit = offset, 7
					page, total := w.find(tt.who, f)
					if total != len(want) {
						w.t.Errorf("%s: total %d, want %d", tt.name, total, len(want))
					}
					got = append(got, page...)
					if len(page) < 7 {
						break
					}
				}
				if !slices.Equal(got, want) {
					w.t.Errorf("%s: %d tickets\n%v\nwant\n%v", tt.name, len(got), got, want)
				}
			}
		}
		if page, _ := w.find(w.boss, ticket.Filter{}); len(page) != 10 {
			w.t.Errorf("limit 0 gives %d tickets, want 10 (semantics.md D21b)", len(page))
		}
		_, _, err := w.s.List(w.t.Context(), w.boss, ticket.Filter{Words: []string{"a b", "c d"}})
		w.refused(err, "01010001")
		_, _, err = w.s.List(w.t.Context(), w.boss, ticket.Filter{Words: []string{strings.Repeat("a", 65)}})
		w.refused(err, "01010001")
	})
}

// TestHistory: 16 clients take random steps at once; counters, lists, events
// and messages agree afterwards, two engineers never both win a ticket, and the
// revisions of a ticket's events have no gap and no double (threats.md E6).
func TestHistory(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{Demo: true}, func(w *world) {
		var numbers []string
		for range 12 {
			numbers = append(numbers, w.create(w.li, "in the crowd"))
		}
		accepted := make([]int, len(numbers))
		var mu sync.Mutex
		var wg sync.WaitGroup
		for client := range 16 {
			rnd := rand.New(rand.NewPCG(1, uint64(client)))
			wg.Go(func() {
				engineer := []principal.Principal{w.chen, w.emma}[client%2]
				for range 40 {
					i := rnd.IntN(len(numbers))
					n := numbers[i]
					var err error
					switch rnd.IntN(9) {
					case 0, 1:
						if err = w.step(engineer, n, "accept", ""); err == nil {
							mu.Lock()
							accepted[i]++
							mu.Unlock()
						}
					case 2:
						err = w.step(engineer, n, "reply", "hm")
					case 3:
						err = w.step(engineer, n, "ask", "what")
					case 4:
						err = w.step(engineer, n, "resolve", "so")
					case 5:
						err = w.s.Reply(w.t.Context(), w.li, n, "", "yes")
					case 6:
						_, err = w.s.Create(w.t.Context(), w.wang, w.draft("another"))
						if errors.Is(err, ticket.ErrQuota) {
							err = nil
						}
					case 7:
						err = w.step(engineer, n, "pause", "")
					case 8:
						err = w.step(engineer, n, "resume", "")
					}
					if _, refused := fault.As(err); err != nil && !refused {
						w.t.Errorf("%s: %v", n, err)
					}
				}
			})
		}
		wg.Wait()
		for i, n := range accepted {
			if n > 1 {
				w.t.Errorf("%s was accepted %d times", numbers[i], n)
			}
		}
		check := func() {
			w.t.Helper()
			if differ, err := w.s.Recount(w.t.Context()); err != nil || len(differ) > 0 {
				w.t.Errorf("counters differ: %v %v", differ, err)
			}
			counts, err := w.s.Counts(w.t.Context(), w.boss)
			w.ok(err)
			for _, s := range ticket.Statuses {
				if _, total := w.find(w.boss, ticket.Filter{Statuses: []ticket.Status{s}, From: 1}); total != counts[s] { // From: counted, not from counters
					w.t.Errorf("state %d: %d in the list, %d counted", s, total, counts[s])
				}
			}
		}
		check()
		w.ok(w.s.Fold(w.t.Context()))
		check()
		w.ok(w.db.View(w.t.Context(), func(tx *db.Tx) error {
			return tx.List(func(r db.Row) error {
				var id string
				var events, revision, highest int64
				if err := r.Scan(&id, &events, &revision, &highest); err != nil {
					return err
				}
				if events != revision || highest != revision {
					return fmt.Errorf("ticket %s at revision %d has %d events up to %d", id, revision, events, highest)
				}
				return nil
			}, `SELECT t.id, count(e.id), t.revision, max(e.revision) FROM tickets AS t JOIN events AS e ON e.domain_id = t.domain_id AND e.subject_id = t.id AND e.subject = 'ticket'
				GROUP BY t.id, t.revision`)
		}))
	})
}
