package mailin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/mailin"
	"casemate/internal/mailin/mailtest"
	"casemate/internal/principal"
)

// TestFetch: what lies in the mailbox and what comes later is taken once, and
// then marked, moved or deleted, over every mode of TLS.
func TestFetch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, mode, after string
		noUIDs            bool
		left, unseen      int // of 12 mails, one of which was marked as deleted by somebody
		moved             int
	}{
		{"seen", mailtest.Implicit, config.AfterSeen, false, 12, 0, -1},
		{"moved", mailtest.StartTLS, config.AfterMove, false, 0, 0, 12},
		{"deleted", mailtest.None, config.AfterDelete, false, 0, 0, -1},
		{"copied and marked", mailtest.None, config.AfterMove, true, 12, 12, 12},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			eachGate(t, func(w *gates) {
				m := mailtest.Start(w.t, c.mode, func(m *mailtest.IMAP) { m.NoUIDs = c.noUIDs })
				for i := range 10 {
					m.Put("INBOX", numbered(i))
				}
				g := w.gate("n1", box(w.t, m, c.mode, func(i *config.IMAP) {
					i.After = c.after
					i.Every = time.Minute // what comes later is told by the server
					if c.after == config.AfterMove {
						i.Move = "Done"
					}
				}))
				stop := w.run(g)
				w.until("ten mails", func() bool { return len(w.all()) == 10 && w.status(g).OK > 0 })
				for i := 10; i < 12; i++ {
					// The library's server tells nothing of what came before it was asked.
					w.until("waiting for news", func() bool { return m.Idling.Load() == 1 })
					time.Sleep(50 * time.Millisecond)
					m.Put("INBOX", numbered(i))
					w.until("one more", func() bool { return len(w.all()) == i+1 })
				}
				w.until("marks", func() bool {
					left, unseen := m.Count("INBOX")
					moved, _ := m.Count("Done")
					return left == c.left && unseen == c.unseen && moved == c.moved
				})
				stop()
				st := w.status(g)
				if st.Taken != 12 || st.Waiting != 0 || st.Failures != 0 || st.Error != nil || st.TakenAt == 0 || st.Node != "n1" || st.User != mailtest.User {
					w.t.Errorf("%+v", st)
				}
				for i, r := range w.all() {
					if want := numbered(i); r.Mailbox != "support" || r.UID == "" || r.At == 0 || string(r.Raw[:40]) != want[:40] || !strings.Contains(string(r.Raw), fmt.Sprintf("第 %d 封", i)) {
						w.t.Errorf("mail %d: %+v", i, r)
					}
				}
				// Another start takes nothing again.
				stop = w.run(w.gate("n2", box(w.t, m, c.mode, func(i *config.IMAP) {
					i.After = c.after
					if c.after == config.AfterMove {
						i.Move = "Done"
					}
				})))
				w.until("the next node", func() bool { return w.status(g).Node == "n2" })
				stop()
				if w.calls != 12 {
					w.t.Errorf("%d times accepted", w.calls)
				}
				if strings.Contains(w.log.String(), mailtest.Password) {
					w.t.Error("the password is in the log")
				}
			})
		})
	}
}

// TestPoison: of 200 mails one cuts the connection, one cannot be read, one
// cannot be stored, one makes the store panic and one is too big. The others
// come in once, at once; the bad ones are tried again and at last left where
// they are, unmarked, and counted.
func TestPoison(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		m := mailtest.Start(w.t, mailtest.None, func(m *mailtest.IMAP) {
			m.OnFetch = func(uid uint32) error {
				switch uid {
				case 20:
					return mailtest.ErrCut
				case 50:
					return mailtest.Refused
				}
				return nil
			}
		})
		w.refuse = func(r mailin.Received) error {
			if strings.Contains(string(r.Raw), "Subject: mail 99\r") {
				return errors.New("no way to read this")
			}
			if strings.Contains(string(r.Raw), "Subject: mail 119\r") {
				panic("a bug")
			}
			return nil
		}
		for i := range 200 {
			if i == 149 {
				m.Put("INBOX", numbered(i)+strings.Repeat("0123456789\r\n", 1<<20/10))
				continue
			}
			m.Put("INBOX", numbered(i))
		}
		g := w.gate("n1", box(w.t, m, mailtest.None, func(c *config.IMAP) { c.After = config.AfterDelete }))
		stop := w.run(g)
		w.until("195 mails", func() bool { w.clock.Add(10 * time.Millisecond); return len(w.all()) == 195 })
		// The clock goes on, and the bad ones are tried again until they are left.
		w.until("the bad ones", func() bool { w.clock.Add(time.Minute); return w.status(g).Left == 5 })
		w.until("the marks", func() bool { n, _ := m.Count("INBOX"); return n == 5 })
		stop()
		for s, n := range w.subjects() {
			if n != 1 {
				w.t.Errorf("%s: %d times", s, n)
			}
		}
		if _, unseen := m.Count("INBOX"); unseen != 5 {
			w.t.Errorf("%d of the bad ones are unread", unseen)
		}
		if st := w.status(g); st.Taken != 195 {
			w.t.Errorf("%+v", st)
		}
	})
}

// TestStoreDown: while nothing can be stored no mail counts as bad; all come in
// once the store is back.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		m := mailtest.Start(w.t, mailtest.None, nil)
		for i := range 5 {
			m.Put("INBOX", numbered(i))
		}
		down := true
		w.refuse = func(mailin.Received) error {
			if down {
				return db.ErrUnavailable
			}
			return nil
		}
		g := w.gate("n1", box(w.t, m, mailtest.None, nil))
		w.run(g)
		w.until("a failure", func() bool { return w.status(g).Failures > 0 })
		st := w.status(g)
		if st.Left != 0 || st.Waiting != 5 || st.Error == nil || !strings.Contains(st.Error.EN, "cannot be stored") || !strings.Contains(st.Error.ZH, "无法入库") {
			w.t.Errorf("%+v %+v", st, st.Error)
		}
		w.mu.Lock()
		down = false
		w.mu.Unlock()
		w.until("all", func() bool { w.clock.Add(time.Minute); return len(w.all()) == 5 && w.status(g).Failures == 0 })
		if st := w.status(g); st.Error != nil || st.Waiting != 0 {
			w.t.Errorf("%+v", st)
		}
	})
}

// TestRenumbered: the server numbers the mails anew. Those stored before are
// known, the new ones are taken, all are marked.
func TestRenumbered(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		m := mailtest.Start(w.t, mailtest.None, nil)
		var all []string
		for i := range 6 {
			all = append(all, numbered(i))
			m.Put("INBOX", all[i])
		}
		g := w.gate("n1", box(w.t, m, mailtest.None, nil))
		w.run(g)
		w.until("six mails", func() bool { return len(w.all()) == 6 })
		m.Renumber("INBOX", slices.Concat([]string{numbered(6)}, all, []string{numbered(7)}))
		w.until("two more", func() bool { w.clock.Add(time.Second); return len(w.all()) == 8 })
		m.Put("INBOX", numbered(8))
		w.until("one more", func() bool { w.clock.Add(time.Second); return len(w.all()) == 9 })
		for s, n := range w.subjects() {
			if n != 1 {
				w.t.Errorf("%s: %d times", s, n)
			}
		}
		w.until("marks", func() bool { _, unseen := m.Count("INBOX"); return unseen == 0 })
	})
}

// TestNewOnly: what lay there at the first sight stays, unread.
func TestNewOnly(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		m := mailtest.Start(w.t, mailtest.None, nil)
		m.Put("INBOX", numbered(0))
		g := w.gate("n1", box(w.t, m, mailtest.None, func(c *config.IMAP) { c.NewOnly = true }))
		w.run(g)
		w.until("a round", func() bool { return w.status(g).OK > 0 })
		m.Put("INBOX", numbered(1))
		w.until("the new one", func() bool { return len(w.all()) == 1 })
		w.until("its mark", func() bool { all, unseen := m.Count("INBOX"); return all == 2 && unseen == 1 })
		if n := w.subjects(); n["mail 1"] != 1 {
			w.t.Error(n)
		}
	})
}

// TestBroken: connections that are cut while idle are no failure; a server that
// is away is, and when it is back the mails come. A server that refuses marks
// or IDLE still gives its mails.
func TestBroken(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		var mu sync.Mutex
		refused := false
		m := mailtest.Start(w.t, mailtest.Implicit, func(m *mailtest.IMAP) {
			no := func() error {
				mu.Lock()
				defer mu.Unlock()
				if refused {
					return mailtest.Refused
				}
				return nil
			}
			m.OnIdle, m.OnStore = no, no
		})
		g := w.gate("n1", box(w.t, m, mailtest.Implicit, nil))
		w.run(g)
		w.until("a round", func() bool { return w.status(g).OK > 0 })
		logins := m.Logins.Load()
		m.Cut()
		m.Put("INBOX", numbered(0))
		w.until("a mail after a cut", func() bool { return len(w.all()) == 1 })
		if st := w.status(g); st.Failures != 0 || m.Logins.Load() != logins+1 {
			w.t.Errorf("%+v, %d log-ins", st, m.Logins.Load()-logins)
		}
		m.Down()
		w.until("a failure", func() bool { w.clock.Add(time.Minute); return w.status(g).Failures >= 2 })
		st := w.status(g)
		if st.Error == nil || !strings.Contains(st.Error.EN, "cannot connect to localhost") || !strings.Contains(st.Error.ZH, "无法连接") || st.Next <= st.Failed || st.Lag == 0 {
			w.t.Errorf("%+v %+v", st, st.Error)
		}
		m.Put("INBOX", numbered(1))
		m.Up()
		w.until("a mail when it is back", func() bool { w.clock.Add(time.Minute); return len(w.all()) == 2 && w.status(g).Failures == 0 })
		mu.Lock()
		refused = true
		mu.Unlock()
		m.Cut()
		m.Put("INBOX", numbered(2))
		w.until("a mail without marks", func() bool { return len(w.all()) == 3 && w.status(g).Error != nil })
		if st := w.status(g); !strings.Contains(st.Error.EN, "cannot be marked") || st.OK == 0 {
			w.t.Errorf("%+v", st.Error)
		}
		m.Put("INBOX", numbered(3))
		w.until("the next one all the same", func() bool { return len(w.all()) == 4 })
		mu.Lock()
		refused = false
		mu.Unlock()
		w.until("the marks", func() bool {
			_, unseen := m.Count("INBOX")
			return unseen == 0 && w.status(g).Error == nil
		})
	})
}

// TestMailboxTest: what the log-in shows, in both languages, without secrets;
// only the operator and administrators ask.
func TestMailboxTest(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		m := mailtest.Start(w.t, mailtest.StartTLS, nil)
		m.Put("INBOX", numbered(0))
		test := func(change func(*config.IMAP)) mailin.BoxTest {
			w.t.Helper()
			got, err := w.gate("n1", box(w.t, m, mailtest.StartTLS, change)).Test(w.t.Context(), operator, "support")
			if err != nil {
				w.t.Fatal(err)
			}
			return got
		}
		if got := test(nil); !got.OK || got.Messages != 1 || got.Unseen != 1 || !got.Idle || got.Trouble != nil {
			w.t.Errorf("%+v", got)
		}
		for name, c := range map[string]struct {
			change func(*config.IMAP)
			en, zh string
		}{
			"user":      {func(c *config.IMAP) { c.User = "other" }, "the log-in failed: NO Authentication failed", "登录失败"},
			"folder":    {func(c *config.IMAP) { c.Folder = "Nothing" }, "the folder Nothing cannot be opened", "无法打开文件夹 Nothing"},
			"port":      {func(c *config.IMAP) { c.Port = 1 }, "cannot connect to localhost:1", "无法连接 localhost:1"},
			"stranger":  {func(c *config.IMAP) { c.CAFile = "" }, "certificate", "certificate"},
			"no TLS":    {func(c *config.IMAP) { c.TLS = config.TLSImplicit }, "cannot connect", "无法连接"},
			"clear":     {func(c *config.IMAP) { c.TLS, c.CAFile = config.TLSNone, "" }, "the log-in failed", "登录失败"},
			"wrong key": {func(c *config.IMAP) { c.Password = config.Secret{Env: "PATH"} }, "the log-in failed", "登录失败"},
		} {
			got := test(c.change)
			if got.OK || got.Trouble == nil || !strings.Contains(got.Trouble.EN, c.en) || !strings.Contains(got.Trouble.ZH, c.zh) {
				w.t.Errorf("%s: %+v %+v", name, got, got.Trouble)
			}
		}
		g := w.gate("n1", box(w.t, m, mailtest.StartTLS, nil))
		if _, err := g.Test(w.t.Context(), operator, "nobody"); !errors.Is(err, mailin.ErrNoAccount) {
			w.t.Error(err)
		}
		for _, who := range []principal.Principal{{Kind: principal.Engineer, Domain: principal.House, User: "e", Role: principal.RoleEngineer}, {Kind: principal.Customer, Domain: "d", User: "u", Main: true}} {
			if _, err := g.Test(w.t.Context(), who, "support"); !errors.Is(err, fault.NoPermission) {
				w.t.Error(err)
			}
			if _, err := g.Mailboxes(w.t.Context(), who); !errors.Is(err, fault.NoPermission) {
				w.t.Error(err)
			}
		}
	})
}

// TestOneReader: of two nodes one reads; when it stops the other one goes on at
// once, and when it dies after the lease.
func TestOneReader(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		m := mailtest.Start(w.t, mailtest.None, nil)
		c := box(w.t, m, mailtest.None, nil)
		// A node that died: its lease is held by nobody who lives.
		if mine, err := w.db.Lease(w.t.Context(), "mailin.support", "dead", 15*time.Second); err != nil || !mine {
			w.t.Fatal(mine, err)
		}
		a, b := w.gate("a", c), w.gate("b", c)
		stopA := w.run(a)
		m.Put("INBOX", numbered(0))
		time.Sleep(300 * time.Millisecond)
		if len(w.all()) != 0 {
			w.t.Fatal("read without the lease")
		}
		w.clock.Add(16 * time.Second)
		w.until("the lease's end", func() bool { return len(w.all()) == 1 })
		w.run(b)
		m.Put("INBOX", numbered(1))
		w.until("the next one", func() bool { return len(w.all()) == 2 })
		if st := w.status(b); st.Node != "a" {
			w.t.Errorf("read by %s", st.Node)
		}
		stopA()
		m.Put("INBOX", numbered(2))
		w.until("the other node", func() bool { return len(w.all()) == 3 && w.status(b).Node == "b" })
		for s, n := range w.subjects() {
			if n != 1 {
				w.t.Errorf("%s: %d times", s, n)
			}
		}
	})
}
