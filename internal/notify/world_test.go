package notify_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/seal/sealtest"
)

// world is an outbox with its worker and clock.
type world struct {
	t     *testing.T
	db    *db.DB
	keys  *seal.Keyring
	clock *dbtest.Clock
	s     *notify.Service
	jobs  *job.Runner
	log   *bytes.Buffer
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, o notify.Options, test func(w *world)) {
	t.Helper()
	for name, url := range dbtest.Stores() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := dbtest.NewClock(time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC))
			w := &world{t: t, db: dbtest.Open(t, db.Options{URL: url(t), Now: c.Now}), keys: sealtest.Keyring(t), clock: c, log: new(bytes.Buffer)}
			w.serve(o)
			test(w)
		})
	}
}

// serve (re)starts the outbox with options.
func (w *world) serve(o notify.Options) {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.log, nil))
	o.Log = log
	s, err := notify.New(w.db, w.keys, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.s = s
	w.jobs = job.NewRunner(w.db, "test", log)
	w.jobs.Add(s.Kinds()...)
}

// work runs what is due.
func (w *world) work() {
	w.t.Helper()
	if _, err := w.jobs.Work(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func codeMail() notify.Message {
	return notify.Message{Domain: "d1", Person: "u1", Way: notify.Mail, To: "li.hua@example.com", Template: notify.TemplateCode, Language: locale.EN,
		Values: map[string]string{"minutes": "5"}, Code: "048213", Ref: "code1", Lives: 5 * time.Minute, Urgent: true}
}

func codeSMS() notify.Message {
	m := codeMail()
	m.Way, m.To, m.Language = notify.SMS, "+8613800138000", locale.ZH
	return m
}

// queue queues a message and returns its id.
func (w *world) queue(m notify.Message) string {
	w.t.Helper()
	p, err := w.s.Prepare(w.t.Context(), m)
	if err != nil {
		w.t.Fatal(err)
	}
	var id string
	err = w.db.Update(w.t.Context(), func(tx *db.Tx) error {
		id = w.s.Queue(tx, p)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *world) drop(ref, cause string) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), func(tx *db.Tx) error { w.s.Drop(tx, "d1", ref, cause); return nil }); err != nil {
		w.t.Fatal(err)
	}
}

var (
	admin    = principal.Principal{Kind: principal.Local, Domain: principal.House, User: "local"}
	engineer = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "e1", Role: principal.RoleEngineer}
	customer = principal.Principal{Kind: principal.Customer, Domain: "d1", User: "u1", Main: true}
)

// delivery is the ledger's line of a message.
func (w *world) delivery(id string) notify.Delivery {
	w.t.Helper()
	all, _, err := w.s.Deliveries(w.t.Context(), admin, notify.DeliveryFilter{Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, d := range all {
		if d.ID == id {
			return d
		}
	}
	w.t.Fatalf("no delivery %s", id)
	return notify.Delivery{}
}

// wantState checks state and cause, and that what was said is blanked unless it
// may still be sent.
func (w *world) wantState(id, state, cause string) notify.Delivery {
	w.t.Helper()
	d := w.delivery(id)
	if d.State != state || d.Cause != cause {
		w.t.Errorf("state %s (%s), want %s (%s)", d.State, d.Cause, state, cause)
	}
	var payload string
	err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
		return tx.Get("SELECT payload FROM notify_messages WHERE domain_id = ? AND id = ?", d.Domain, id).Scan(&payload)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if alive := state == "queued" || state == "sending"; alive != (payload != "") {
		w.t.Errorf("state %s, payload kept: %v", state, payload != "")
	}
	return d
}

func outcomes(d notify.Delivery) string {
	var all []string
	for _, a := range d.Attempts {
		all = append(all, a.Provider+":"+a.Outcome)
	}
	return strings.Join(all, " ")
}

// recorder is a provider that keeps what it is given; script decides about
// each message.
type recorder struct {
	as     string
	mu     sync.Mutex
	got    []notify.Outgoing
	script func(n int, m notify.Outgoing) (string, error)
}

func (r *recorder) Name() string { return r.as }

func (r *recorder) Send(_ context.Context, m notify.Outgoing) (string, error) {
	r.mu.Lock()
	r.got = append(r.got, m)
	n := len(r.got)
	r.mu.Unlock()
	if r.script == nil {
		return "", nil
	}
	return r.script(n, m)
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

// dump is all bytes of the SQLite files, or all rows of PostgreSQL.
func dump(w *world) string {
	w.t.Helper()
	var b strings.Builder
	err := w.db.View(w.t.Context(), func(tx *db.Tx) error {
		if w.db.Dialect() == db.SQLite {
			var path string
			if err := tx.Get("SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path); err != nil {
				return err
			}
			return filepath.WalkDir(filepath.Dir(path), func(p string, e fs.DirEntry, err error) error {
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

// quiet is a log for runners that work at the same time.
func (w *world) quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
