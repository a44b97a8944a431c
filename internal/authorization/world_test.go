package authorization_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/authorization"
	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
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

func (p *post) take() []notify.Outgoing {
	p.mu.Lock()
	defer p.mu.Unlock()
	got := p.got
	p.got = nil
	return got
}

// world is an installation with two customers and people of the house.
type world struct {
	t       *testing.T
	db      *db.DB
	clock   *dbtest.Clock
	s       *authorization.Service
	tickets *ticket.Service
	ident   *identity.Service
	catalog *catalog.Service
	jobs    *job.Runner
	sealer  *event.Sealer
	post    *post
	problem string

	boss, li, wang, foreign          principal.Principal // d1's main account and users; another customer's main account
	chen, emma, zhao, admin, auditor principal.Principal // engineers, a supervisor, an administrator, an auditor
	local                            principal.Principal
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, o authorization.Options, test func(w *world)) {
	t.Helper()
	t.Parallel()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		test(open(t, d, clock, o))
	})
}

func open(t *testing.T, d *db.DB, clock *dbtest.Clock, o authorization.Options) *world {
	t.Helper()
	w := &world{t: t, db: d, clock: clock, post: new(post)}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	o.Log = quiet
	keys := sealtest.Keyring(t)
	w.ident = identity.New(d, keys, identity.Options{PasswordMemory: 64})
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	w.catalog, err = catalog.New(t.Context(), d, catalog.Options{Log: quiet, UnlimitedQuota: true})
	must(err)
	must(w.catalog.EnsureDefault(t.Context()))
	out, err := notify.New(d, keys, notify.Options{Config: config.Notify{}, Mail: []notify.Channel{w.post}, SMS: []notify.Channel{w.post}, Log: quiet})
	must(err)
	proofs, err := verify.New(d, keys, w.ident, out, verify.Options{})
	must(err)
	w.tickets, err = ticket.New(d, keys, ticket.Nouns{Identity: w.ident, Catalog: w.catalog, Verify: proofs, Notify: out}, ticket.Options{Log: quiet})
	must(err)
	w.s, err = authorization.New(d, keys, authorization.Nouns{Identity: w.ident, Catalog: w.catalog, Ticket: w.tickets}, o)
	must(err)
	w.jobs = job.NewRunner(d, "test", quiet)
	w.jobs.Add(out.Kinds()...)
	w.jobs.Add(w.tickets.Kinds()...)
	w.jobs.Add(w.s.Kinds()...)
	w.sealer = event.NewSealer(d, []byte("a key of at least thirty-two bytes"), "test", quiet)

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
	w.boss = customer(d1.ID, "boss", true)
	w.foreign = principal.Principal{Kind: principal.Customer, Domain: d2.ID, User: "foreign", UserName: "foreign", Main: true}
	w.li, w.wang = customer(d1.ID, "li", false), customer(d1.ID, "wang", false)
	person := func(name, role string) principal.Principal {
		u, err := w.ident.CreateUser(t.Context(), house, identity.NewUser{Domain: principal.House, Name: name, Password: "a-Password-1", Role: role, Alias: name})
		must(err)
		return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: name, Role: role}
	}
	w.chen, w.zhao = person("chen", principal.RoleEngineer), person("zhao", principal.RoleSupervisor)
	role := func(name, role string) principal.Principal { // people who never log in need no password hashed
		return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: name, UserName: name, Role: role}
	}
	w.emma, w.admin, w.auditor = role("emma", principal.RoleEngineer), role("root", principal.RoleAdministrator), role("audit", principal.RoleAuditor)
	w.local = principal.Principal{Kind: principal.Local, Domain: principal.House, User: "local"}
	for _, p := range w.catalog.Now().ProblemTypes() {
		if p.CaseType == catalog.Consultation {
			w.problem = p.ID
			break
		}
	}
	return w
}

// fresh opens a ticket that nobody has taken.
func (w *world) fresh(who principal.Principal, text string) string {
	w.t.Helper()
	w.clock.Add(time.Millisecond)
	n, err := w.tickets.Create(w.t.Context(), who, ticket.NewTicket{Choice: catalog.Choice{ProblemType: w.problem}, Description: text, Source: ticket.Source, Locale: locale.Default()})
	w.ok(err)
	return n
}

// create opens a ticket that chen handles.
func (w *world) create(who principal.Principal, text string) string {
	w.t.Helper()
	n := w.fresh(who, text)
	w.step(n, ticket.StepAccept, "")
	return n
}

func (w *world) step(number, action, text string) {
	w.t.Helper()
	_, err := w.tickets.Take(w.t.Context(), w.chen, ticket.Step{Number: number, Action: action, Text: text})
	w.ok(err)
}

// host is a request for one host.
func host(number string) authorization.NewRequest {
	return authorization.NewRequest{Number: number, Description: "to look at the disk 看磁盘", Details: []authorization.NewDetail{{Kind: authorization.Host, Address: "192.0.2.10", Port: 22, InstanceName: "web-1"}}}
}

// ask asks for a host as a supervisor, whom nobody needs to approve; chen
// handles the ticket.
func (w *world) ask(number string) string {
	w.t.Helper()
	w.clock.Add(time.Millisecond)
	id, err := w.s.Request(w.t.Context(), w.zhao, host(number))
	w.ok(err)
	return id
}

func (w *world) now() int64 { return w.clock.Now().UnixMilli() }

// detail is the id of the authorization's first item.
func (w *world) detail(id string) int64 {
	w.t.Helper()
	a, err := w.s.DeskShow(w.t.Context(), w.admin, id)
	w.ok(err)
	return a.Details[0].ID
}

const secret = "marker-Passw0rd-9f3c"

// grant is a yes for an hour from now.
func (w *world) grant(id string) authorization.Grant {
	return authorization.Grant{ID: id, Expire: w.now() + time.Hour.Milliseconds(),
		Access: []authorization.Access{{Detail: w.detail(id), Port: 2222, Account: "marker-account-77", Password: secret}}}
}

func (w *world) confirm(who principal.Principal, id string) error {
	return w.s.Confirm(w.t.Context(), who, w.grant(id))
}

func (w *world) do(who principal.Principal, id, action string) error {
	return w.s.Do(w.t.Context(), who, id, "", action, "because")
}

func (w *world) house(who principal.Principal, id, action string) error {
	_, err := w.s.Step(w.t.Context(), who, id, action, "a reason")
	return err
}

func (w *world) status(id string) authorization.Status {
	w.t.Helper()
	a, err := w.s.DeskShow(w.t.Context(), w.admin, id)
	w.ok(err)
	return a.Status
}

// follow seals what happened and lets the reader of ended tickets see it.
func (w *world) follow() {
	w.t.Helper()
	for {
		n, err := w.sealer.SealOnce(w.t.Context())
		w.ok(err)
		if n == 0 {
			break
		}
	}
	w.ok(w.s.Follow(w.t.Context()))
}

func (w *world) work() {
	w.t.Helper()
	_, err := w.jobs.Work(w.t.Context())
	w.ok(err)
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// refused wants a fault with the code and both texts.
func (w *world) refused(err error, code string, field ...string) {
	w.t.Helper()
	f, ok := fault.As(err)
	switch {
	case !ok || !strings.HasSuffix(f.Code, code):
		w.t.Errorf("error %v, want code %s", err, code)
	case len(field) > 0 && f.Field != field[0]:
		w.t.Errorf("error %v names %q, want %q", err, f.Field, field[0])
	default:
		zh, en := locale.Text(locale.ZH, f), locale.Text(locale.EN, f)
		if strings.Contains(zh+en, "{") || !strings.ContainsFunc(zh, func(r rune) bool { return r >= 0x4e00 && r < 0xa000 }) || zh == en {
			w.t.Errorf("texts of %s: %q, %q", code, zh, en)
		}
	}
}
