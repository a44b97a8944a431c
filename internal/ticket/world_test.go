package ticket_test

import (
	"testing"

	"casemate/internal/attachment"
	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
	"casemate/internal/verify"
)

// raced: the race detector is on, which makes everything several times slower.
var raced bool

// world is a tickettest.World by the short names that the tests of this package
// use.
type world struct {
	*tickettest.World
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
	post    *tickettest.Post
	out     *notify.Service

	boss, li, wang, foreign principal.Principal
	chen, emma, auditor     principal.Principal
	problem, fault          string
}

// each runs the test on both databases, with a clock the test sets.
func each(t *testing.T, o ticket.Options, test func(w *world)) {
	t.Helper()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		test(open(t, d, clock, o))
	})
}

func open(t *testing.T, d *db.DB, clock *dbtest.Clock, o ticket.Options) *world {
	w := tickettest.Open(t, d, clock, o)
	return &world{World: w, t: t, db: d, keys: w.Keys, clock: clock, s: w.Tickets, ident: w.Ident, catalog: w.Catalog, verify: w.Verify, files: w.Files,
		jobs: w.Jobs, post: w.Post, out: w.Notify, boss: w.Boss, li: w.Li, wang: w.Wang, foreign: w.Foreign, chen: w.Chen, emma: w.Emma, auditor: w.Auditor,
		problem: w.Problem, fault: w.Fault}
}

func (w *world) draft(text string) ticket.NewTicket { return w.Draft(text) }

func (w *world) create(who principal.Principal, text string) string {
	w.t.Helper()
	return w.Create(who, text)
}

func (w *world) step(who principal.Principal, number, action, text string) error {
	return w.Step(who, number, action, text)
}

func (w *world) act(who principal.Principal, number, action string) error {
	return w.Act(who, number, action)
}

func (w *world) ok(err error) {
	w.t.Helper()
	w.OK(err)
}

func (w *world) refused(err error, code string) {
	w.t.Helper()
	w.Refused(err, code)
}

func (w *world) status(number string) ticket.Status {
	w.t.Helper()
	return w.Status(number)
}

func (w *world) find(who principal.Principal, f ticket.Filter) (numbers []string, total int) {
	w.t.Helper()
	return w.Find(who, f)
}

func (w *world) work() {
	w.t.Helper()
	w.Work()
}

func (w *world) unlimited() {
	w.t.Helper()
	w.Unlimited()
}
