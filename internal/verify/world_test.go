package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/seal/sealtest"
	"casemate/internal/verify"
)

// post is a provider that takes everything and remembers it.
type post struct {
	mu  sync.Mutex
	got []notify.Outgoing
}

func (*post) Name() string { return "post" }

func (p *post) Send(_ context.Context, m notify.Outgoing) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got = append(p.got, m)
	return "", nil
}

func (p *post) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.got)
}

// world is an installation with one domain of two users; a node is one of its
// processes.
type world struct {
	*node
	t     *testing.T
	url   string
	clock *dbtest.Clock
	keys  *seal.Keyring
	post  *post
	log   *bytes.Buffer
}

type node struct {
	db    *db.DB
	s     *verify.Service
	out   *notify.Service
	ident *identity.Service
	jobs  *job.Runner
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, o verify.Options, test func(w *world)) {
	t.Helper()
	for name, url := range dbtest.Stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, url: url(t), clock: dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)), keys: sealtest.Keyring(t), post: new(post), log: new(bytes.Buffer)}
			w.node = w.open(o)
			test(w)
		})
	}
}

// open starts a node on the world's database.
func (w *world) open(o verify.Options) *node {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.log, nil))
	n := &node{db: dbtest.Open(w.t, db.Options{URL: w.url, Now: w.clock.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})}
	n.ident = identity.New(n.db, w.keys, identity.Options{PasswordMemory: 64})
	var err error
	if n.out, err = notify.New(n.db, w.keys, notify.Options{Config: config.Notify{}, Mail: []notify.Channel{w.post}, SMS: []notify.Channel{w.post}, Log: log}); err != nil {
		w.t.Fatal(err)
	}
	if n.s, err = verify.New(n.db, w.keys, n.ident, n.out, o); err != nil {
		w.t.Fatal(err)
	}
	n.jobs = job.NewRunner(n.db, "test", log)
	n.jobs.Add(n.out.Kinds()...)
	return n
}

// work delivers what is due.
func (w *world) work() {
	w.t.Helper()
	if _, err := w.jobs.Work(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func user(domain, id string) principal.Principal {
	return principal.Principal{Kind: principal.Customer, Domain: domain, User: id, UserName: id, Address: "198.51.100.7"}
}

var (
	li    = user("d1", "li")
	wang  = user("d1", "wang")
	other = user("d2", "other")
	main  = principal.Principal{Kind: principal.Customer, Domain: "d1", User: "boss", Main: true}
)

func mailTo(a string) verify.Contact { return verify.Contact{Way: identity.Mail, Value: a} }
func mobile(n string) verify.Contact { return verify.Contact{Way: identity.SMS, Area: "86", Value: n} }
func numbered(i int) verify.Contact  { return mailTo(fmt.Sprintf("user%04d@example.com", i)) }

// wrongFor is a code that is not the one.
func wrongFor(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

// send sends a code and returns it, as its message has it.
func (w *world) send(who principal.Principal, c verify.Contact) string {
	w.t.Helper()
	if err := w.s.Send(w.t.Context(), who, c, locale.ZH); err != nil {
		w.t.Fatalf("send to %s: %v", c.Value, err)
	}
	w.work()
	w.post.mu.Lock()
	defer w.post.mu.Unlock()
	return w.post.got[len(w.post.got)-1].Code
}

func (w *world) check(who principal.Principal, c verify.Contact, code string) error {
	return w.s.Check(w.t.Context(), who, verify.Try{Contact: c, Code: code})
}

// rows counts rows of a table.
func (w *world) rows(table string) int {
	w.t.Helper()
	var n int
	if err := w.db.View(w.t.Context(), func(tx *db.Tx) error { return tx.Get("SELECT count(*) FROM " + table).Scan(&n) }); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// dump is all bytes of the SQLite files, or all rows of PostgreSQL.
func (w *world) dump() string {
	w.t.Helper()
	var b strings.Builder
	err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
		if w.db.Dialect() == db.SQLite {
			return filepath.WalkDir(filepath.Dir(strings.TrimPrefix(w.url, "sqlite:")), func(p string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				f, err := os.Open(p)
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = io.Copy(&b, f)
				return err
			})
		}
		var tables []string
		err := tx.List(func(r db.Row) error {
			var name string
			err := r.Scan(&name)
			tables = append(tables, name)
			return err
		}, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
		for _, name := range tables {
			if err == nil {
				err = tx.List(func(r db.Row) error {
					var row string
					err := r.Scan(&row)
					b.WriteString(row + "\n")
					return err
				}, "SELECT t::text FROM "+name+" AS t")
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return b.String()
}
