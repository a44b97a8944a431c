package ticket_test

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

// world is an installation with two customers and three engineers.
type world struct {
	t       *testing.T
	db      *db.DB
	keys    *seal.Keyring
	clock   *dbtest.Clock
	s       *ticket.Service
	ident   *identity.Service
	catalog *catalog.Service
	verify  *verify.Service
	files   *attachment.Service
	jobs    *job.Runner
	post    *post
	out     *notify.Service

	boss, li, wang, foreign principal.Principal // d1's main account and users; another customer's main account
	chen, emma, auditor     principal.Principal
	problem, fault          string // problem types: a question, a fault where plans apply
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, o ticket.Options, test func(w *world)) {
	t.Helper()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		test(open(t, d, clock, o))
	})
}

func open(t *testing.T, d *db.DB, clock *dbtest.Clock, o ticket.Options) *world {
	w := &world{t: t, db: d, clock: clock, post: new(post)}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	keys := sealtest.Keyring(t)
	w.keys = keys
	w.ident = identity.New(d, keys, identity.Options{})
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.catalog, err = catalog.New(t.Context(), d, catalog.Options{Log: quiet})
	must(err)
	must(w.catalog.EnsureDefault(t.Context()))
	out, err := notify.New(d, keys, notify.Options{Config: config.Notify{URL: "https://desk.example"}, Sandbox: w.ident.InSandbox, Identity: w.ident, Mail: []notify.Channel{w.post}, SMS: []notify.Channel{w.post}, Log: quiet})
	must(err)
	w.out = out
	w.verify, err = verify.New(d, keys, w.ident, out, verify.Options{})
	must(err)
	blobs, err := blob.OpenLocal(t.TempDir(), clock.Now)
	must(err)
	t.Cleanup(func() { _ = blobs.Close() })
	w.files, err = attachment.New(d, keys, blobs, attachment.Options{Log: quiet})
	must(err)
	w.s, err = ticket.New(d, keys, ticket.Nouns{Identity: w.ident, Catalog: w.catalog, Verify: w.verify, Notify: out, Attachments: w.files}, o)
	must(err)
	w.jobs = job.NewRunner(d, "test", quiet)
	w.jobs.Clock(w.ident.Clock)
	w.jobs.Add(out.Kinds()...)
	w.jobs.Add(w.s.Kinds()...)

	house := principal.AsSystem(principal.House)
	d1, err := w.ident.CreateDomain(t.Context(), house, identity.NewDomain{Name: "云帆科技", Plan: "Business"})
	must(err)
	d2, err := w.ident.CreateDomain(t.Context(), house, identity.NewDomain{Name: "Harbour"})
	must(err)
	customer := func(domain, name string, main bool) principal.Principal {
		u, err := w.ident.CreateUser(t.Context(), house, identity.NewUser{Domain: domain, Name: name, Password: "a-Password-1", Main: main, AreaCode: "86", Mail: name + "@example.com"})
		must(err)
		return principal.Principal{Kind: principal.Customer, Domain: domain, User: u.ID, UserName: name, Main: main, Address: "198.51.100.7"}
	}
	w.boss, w.foreign = customer(d1.ID, "boss", true), customer(d2.ID, "foreign", true)
	w.li, w.wang = customer(d1.ID, "li", false), customer(d1.ID, "wang", false)
	engineer := func(name, alias, role string) principal.Principal {
		u, err := w.ident.CreateUser(t.Context(), house, identity.NewUser{Domain: principal.House, Name: name, Password: "a-Password-1", Role: role, Alias: alias})
		must(err)
		return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: name, Role: role}
	}
	w.chen, w.emma = engineer("chen", "工程师小陈", principal.RoleEngineer), engineer("emma", "Emma", principal.RoleEngineer)
	w.auditor = engineer("audit", "Auditor", principal.RoleAuditor)
	for _, p := range w.catalog.Now().ProblemTypes() {
		if p.CaseType == catalog.Consultation && w.problem == "" {
			w.problem = p.ID
		}
		if p.CaseType == catalog.Fault && p.CanUseSupportPlan && w.fault == "" {
			w.fault = p.ID
		}
	}
	return w
}

func (w *world) draft(text string) ticket.NewTicket {
	return ticket.NewTicket{Choice: catalog.Choice{ProblemType: w.problem}, Description: text, Source: ticket.Source, Locale: locale.Default()}
}

// create opens a ticket a millisecond after the last, so that order is told by time.
func (w *world) create(who principal.Principal, text string) string {
	w.t.Helper()
	w.clock.Add(time.Millisecond)
	n, err := w.s.Create(w.t.Context(), who, w.draft(text))
	if err != nil {
		w.t.Fatalf("create: %v", err)
	}
	return n
}

func (w *world) step(who principal.Principal, number, action, text string) error {
	_, err := w.s.Take(w.t.Context(), who, ticket.Step{Number: number, Action: action, Text: text})
	return err
}

func (w *world) act(who principal.Principal, number, action string) error {
	return w.s.Do(w.t.Context(), who, ticket.Act{Number: number, Action: action})
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// refused wants a fault with the code.
func (w *world) refused(err error, code string) {
	w.t.Helper()
	f, ok := fault.As(err)
	if !ok || !strings.HasSuffix(f.Code, code) {
		w.t.Errorf("error %v, want code %s", err, code)
	}
}

func (w *world) status(number string) ticket.Status {
	w.t.Helper()
	t, err := w.s.DeskShow(w.t.Context(), w.chen, number)
	if errors.Is(err, fault.NoTicket) {
		return ticket.Deleted
	}
	w.ok(err)
	return t.Status
}

func (w *world) find(who principal.Principal, f ticket.Filter) (numbers []string, total int) {
	w.t.Helper()
	page, total, err := w.s.List(w.t.Context(), who, f)
	w.ok(err)
	for _, t := range page {
		numbers = append(numbers, t.Number)
	}
	return numbers, total
}

func (w *world) work() {
	w.t.Helper()
	if _, err := w.jobs.Work(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// unlimited takes the quota away, as the demo world does.
func (w *world) unlimited() {
	w.t.Helper()
	files := catalog.Default()
	files["limits.yaml"] = []byte(strings.Replace(string(files["limits.yaml"]), "open_tickets_per_problem_type: 50", "open_tickets_per_problem_type: -1", 1))
	_, err := w.catalog.Apply(w.t.Context(), principal.AsSystem(principal.House), files, catalog.AnyVersion)
	w.ok(err)
}
