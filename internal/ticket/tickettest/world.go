// Package tickettest is an installation for tests of nouns above tickets: two
// customers, three people of the house, everything real but the providers.
package tickettest

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"context"

	"casemate/internal/attachment"
	"casemate/internal/blob"
	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/seal/sealtest"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// Post is a provider of mail and text messages that takes everything and
// remembers it.
type Post struct {
	Mu  sync.Mutex
	Got []notify.Outgoing
}

// Name is the provider's.
func (*Post) Name() string { return "post" }

// Send remembers the message.
func (p *Post) Send(_ context.Context, m notify.Outgoing) (string, error) {
	p.Mu.Lock()
	defer p.Mu.Unlock()
	p.Got = append(p.Got, m)
	return "", nil
}

// World is an installation with two customers and three people of the house.
type World struct {
	T       testing.TB
	DB      *db.DB
	Keys    *seal.Keyring
	Clock   *dbtest.Clock
	Tickets *ticket.Service
	Ident   *identity.Service
	Catalog *catalog.Service
	Verify  *verify.Service
	Files   *attachment.Service
	Jobs    *job.Runner
	Post    *Post
	Notify  *notify.Service

	Boss, Li, Wang, Foreign principal.Principal // one domain's main account and users; another customer's main account
	Chen, Emma, Auditor     principal.Principal // two engineers, an auditor
	Problem, Fault          string              // problem types: a question, a fault where plans apply
}

// Each runs the test on both databases, with a clock the test sets.
func Each(t *testing.T, o ticket.Options, test func(w *World)) {
	t.Helper()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		test(Open(t, d, clock, o))
	})
}

// The shipped catalogue stands in each database that a test gets: reading and
// storing it was a fifth of these tests' work.
func init() {
	dbtest.Filled(func(d *db.DB) error {
		c, err := catalog.New(context.Background(), d, catalog.Options{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return err
		}
		return c.EnsureDefault(context.Background())
	})
}

// Open fills a migrated database.
func Open(t testing.TB, d *db.DB, clock *dbtest.Clock, o ticket.Options) *World {
	w := &World{T: t, DB: d, Clock: clock, Post: new(Post)}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	keys := sealtest.Keyring(t)
	w.Keys = keys
	w.Ident = identity.New(d, keys, identity.Options{PasswordMemory: 64})
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.Catalog, err = catalog.New(t.Context(), d, catalog.Options{Log: quiet})
	must(err)
	must(w.Catalog.EnsureDefault(t.Context()))
	out, err := notify.New(d, keys, notify.Options{Config: config.Notify{URL: "https://desk.example"}, Sandbox: w.Ident.InSandbox, Identity: w.Ident, Mail: []notify.Channel{w.Post}, SMS: []notify.Channel{w.Post}, Log: quiet})
	must(err)
	w.Notify = out
	w.Verify, err = verify.New(d, keys, w.Ident, out, verify.Options{})
	must(err)
	blobs, err := blob.OpenLocal(t.TempDir(), clock.Now)
	must(err)
	t.Cleanup(func() { _ = blobs.Close() })
	w.Files, err = attachment.New(d, keys, blobs, attachment.Options{Log: quiet})
	must(err)
	w.Tickets, err = ticket.New(d, keys, ticket.Nouns{Identity: w.Ident, Catalog: w.Catalog, Verify: w.Verify, Notify: out, Attachments: w.Files}, o)
	must(err)
	w.Jobs = job.NewRunner(d, "test", quiet)
	w.Jobs.Clock(w.Ident.Clock)
	w.Jobs.Add(out.Kinds()...)
	w.Jobs.Add(w.Tickets.Kinds()...)

	house := principal.AsSystem(principal.House)
	d1, err := w.Ident.CreateDomain(t.Context(), house, identity.NewDomain{Name: "云帆科技", Plan: "Business"})
	must(err)
	d2, err := w.Ident.CreateDomain(t.Context(), house, identity.NewDomain{Name: "Harbour"})
	must(err)
	customer := func(domain, name string, main bool) principal.Principal {
		u, err := w.Ident.CreateUser(t.Context(), house, identity.NewUser{Domain: domain, Name: name, Password: "a-Password-1", Main: main, AreaCode: "86", Mail: name + "@example.com"})
		must(err)
		return principal.Principal{Kind: principal.Customer, Domain: domain, User: u.ID, UserName: name, Main: main, Address: "198.51.100.7"}
	}
	w.Boss, w.Foreign = customer(d1.ID, "boss", true), customer(d2.ID, "foreign", true)
	w.Li, w.Wang = customer(d1.ID, "li", false), customer(d1.ID, "wang", false)
	w.Chen, w.Emma = w.Engineer("chen", "工程师小陈", principal.RoleEngineer), w.Engineer("emma", "Emma", principal.RoleEngineer)
	w.Auditor = w.Engineer("audit", "Auditor", principal.RoleAuditor)
	for _, p := range w.Catalog.Now().ProblemTypes() {
		if p.CaseType == catalog.Consultation && w.Problem == "" {
			w.Problem = p.ID
		}
		if p.CaseType == catalog.Fault && p.CanUseSupportPlan && w.Fault == "" {
			w.Fault = p.ID
		}
	}
	return w
}

// Engineer makes a person of the house.
func (w *World) Engineer(name, alias, role string) principal.Principal {
	w.T.Helper()
	u, err := w.Ident.CreateUser(w.T.Context(), principal.AsSystem(principal.House), identity.NewUser{Domain: principal.House, Name: name, Password: "a-Password-1", Role: role, Alias: alias})
	w.OK(err)
	return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: name, Role: role}
}

// Draft is a ticket about a question, ready to create.
func (w *World) Draft(text string) ticket.NewTicket {
	return ticket.NewTicket{Choice: catalog.Choice{ProblemType: w.Problem}, Description: text, Source: ticket.Source, Locale: locale.Default()}
}

// Create opens a ticket a millisecond after the last, so that order is told by time.
func (w *World) Create(who principal.Principal, text string) string {
	w.T.Helper()
	w.Clock.Add(time.Millisecond)
	n, err := w.Tickets.Create(w.T.Context(), who, w.Draft(text))
	if err != nil {
		w.T.Fatalf("create: %v", err)
	}
	return n
}

// Step takes an engineer's step.
func (w *World) Step(who principal.Principal, number, action, text string) error {
	_, err := w.Tickets.Take(w.T.Context(), who, ticket.Step{Number: number, Action: action, Text: text})
	return err
}

// Act does a customer's action.
func (w *World) Act(who principal.Principal, number, action string) error {
	return w.Tickets.Do(w.T.Context(), who, ticket.Act{Number: number, Action: action})
}

// OK ends the test on an error.
func (w *World) OK(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Refused wants a fault with the code.
func (w *World) Refused(err error, code string) {
	w.T.Helper()
	f, ok := fault.As(err)
	if !ok || !strings.HasSuffix(f.Code, code) {
		w.T.Errorf("error %v, want code %s", err, code)
	}
}

// Status is the ticket's state.
func (w *World) Status(number string) ticket.Status {
	w.T.Helper()
	t, err := w.Tickets.DeskShow(w.T.Context(), w.Chen, number)
	if errors.Is(err, fault.NoTicket) {
		return ticket.Deleted
	}
	w.OK(err)
	return t.Status
}

// Find lists a customer's tickets by number.
func (w *World) Find(who principal.Principal, f ticket.Filter) (numbers []string, total int) {
	w.T.Helper()
	page, total, err := w.Tickets.List(w.T.Context(), who, f)
	w.OK(err)
	for _, t := range page {
		numbers = append(numbers, t.Number)
	}
	return numbers, total
}

// Work runs the jobs that are due.
func (w *World) Work() {
	w.T.Helper()
	if _, err := w.Jobs.Work(w.T.Context()); err != nil {
		w.T.Fatal(err)
	}
}

// Unlimited takes the quota away, as the demo world does.
func (w *World) Unlimited() {
	w.T.Helper()
	files := catalog.Default()
	files["limits.yaml"] = []byte(strings.Replace(string(files["limits.yaml"]), "open_tickets_per_problem_type: 50", "open_tickets_per_problem_type: -1", 1))
	_, err := w.Catalog.Apply(w.T.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
	w.OK(err)
}
