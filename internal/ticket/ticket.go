// Package ticket is the heart: a ticket's life from creation to its end, the
// messages in it, who may see it, its lists and counts, its notices and the
// steps that time takes. It owns the tables of tickets, messages, scores and
// counters, and the desk's row of each ticket.
//
// It does not prove contacts (verify), send notices (notify) or decide what a
// ticket may be about (catalog).
package ticket

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/seal"
	"casemate/internal/search"
	"casemate/internal/sla"
	"casemate/internal/verify"
)

// Status is a ticket's state, with the numbers of the wire (case_status.csv).
type Status int

// The states.
const (
	Submitted  Status = 0  // nobody has taken it yet
	Processing Status = 1  // an engineer works on it
	ToConfirm  Status = 2  // a solution waits for the customer's word
	Completed  Status = 3  // the end
	Canceled   Status = 4  // the customer took it back
	Paused     Status = 5  // waits for something outside, e.g. a change window
	Invalid    Status = 12 // not a ticket: spam, duplicate
	Deleted    Status = 13 // gone from the customer's eyes
	Feedback   Status = 17 // an engineer asked and waits for the customer
)

// Statuses are those a ticket can be seen in, in the order of the wire's table.
var Statuses = []Status{Submitted, Processing, ToConfirm, Completed, Canceled, Paused, Invalid, Feedback}

var statusNames = map[Status]locale.Texts{
	Submitted: {ZH: "待受理", EN: "To be processed"}, Processing: {ZH: "处理中", EN: "Processing"}, ToConfirm: {ZH: "待确认结果", EN: "To be confirmed"},
	Completed: {ZH: "已完成", EN: "Completed"}, Canceled: {ZH: "已撤销", EN: "Canceled"}, Paused: {ZH: "暂停", EN: "Paused"},
	Invalid: {ZH: "无效", EN: "Invalid"}, Deleted: {ZH: "已删除", EN: "Deleted"}, Feedback: {ZH: "待反馈", EN: "Pending feedback"},
}

// Name is what people call the state.
func (s Status) Name(lang locale.Language) string { return statusNames[s].In(lang) }

// Known tells whether there is such a state.
func (s Status) Known() bool { _, ok := statusNames[s]; return ok }

// Open tells whether the ticket still asks for somebody's work; open tickets
// count against the quota (semantics.md D10).
func (s Status) Open() bool {
	switch s {
	case Submitted, Processing, ToConfirm, Paused, Feedback:
		return true
	}
	return false
}

// Side is who wrote or acted (semantics.md D3).
type Side int

// The sides.
const (
	CustomerSide Side = 0
	EngineerSide Side = 1
	PartnerSide  Side = 2
	SystemSide   Side = 3
)

func sideOf(k principal.Kind) Side {
	switch k {
	case principal.Customer:
		return CustomerSide
	case principal.Engineer, principal.Local:
		return EngineerSide
	}
	return SystemSide
}

// Options of the service.
type Options struct {
	Config config.Ticket
	Demo   bool // urging at once is allowed
	Log    *slog.Logger
}

// Service is the noun.
type Service struct {
	db      *db.DB
	keys    *seal.Keyring
	ident   *identity.Service
	catalog *catalog.Service
	verify  *verify.Service
	notify  *notify.Service
	files   *attachment.Service
	terms   *search.Hasher
	o       Options

	storedRules sync.Map // ids of rules of clocks known to be stored
}

// Nouns are what tickets are made with.
type Nouns struct {
	Identity *identity.Service
	Catalog  *catalog.Service
	Verify   *verify.Service
	Notify   *notify.Service
	// Attachments may be nil where no ticket has files.
	Attachments *attachment.Service
}

// New makes the service.
func New(d *db.DB, keys *seal.Keyring, n Nouns, o Options) (*Service, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	o.Config = o.Config.WithDefaults()
	if o.Demo {
		o.Config = o.Config.Demo()
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Service{db: d, keys: keys, ident: n.Identity, catalog: n.Catalog, verify: n.Verify, notify: n.Notify, files: n.Attachments, terms: search.NewHasher(keys), o: o}
	return s, s.loadRules(context.Background())
}

// Ticket is one ticket as stored, its personal fields sealed.
type Ticket struct {
	Domain, ID, Number, Creator                                   string
	Status                                                        Status
	Revision                                                      int64
	ProblemType, SubType, Product, Region, Severity, Project      string
	Plan, Description, RemindTime, Zone                           string
	Language                                                      locale.Language
	Assignee, Resolution, Judgement                               string
	Ownership                                                     Ownership // whose business it is
	Urges                                                         int
	UrgedAt, Created, Changed, StatusAt, Resolved, Closed, Scored int64 // milliseconds UTC, 0 = never

	Labels []Label // the caller's own, as List and Show fill them in

	// Due is when the nearest running target of its clocks is due, milliseconds
	// UTC, 0 = none runs; DueKind which one.
	Due     int64
	DueKind sla.Kind

	contact         string
	pace            pace
	answered, heard bool       // what a step is for the clocks; change takes it
	quiet           bool       // likewise: what the customer waited for went away (waiting.go)
	stirred         bool       // the customer wrote: a snoozed ticket wakes with this change
	turned          *turned    // another rule for its clocks; change takes it
	found           search.Doc // of a new one: how it is found
}

const columns = `domain_id, id, number, creator, status, revision, problem_type, sub_type, product, region, severity, project, plan, description,
	contact, remind_time, language, zone, assignee, resolution, judgement, urges, urged_at, created_at, changed_at, status_at, resolved_at, closed_at, scored_at,
	ownership, sla`

func scan(r db.Row) (t Ticket, err error) {
	var language string
	var status, urges, ownership int64
	var pace string
	err = r.Scan(&t.Domain, &t.ID, &t.Number, &t.Creator, &status, &t.Revision, &t.ProblemType, &t.SubType, &t.Product, &t.Region, &t.Severity,
		&t.Project, &t.Plan, &t.Description, &t.contact, &t.RemindTime, &language, &t.Zone, &t.Assignee, &t.Resolution, &t.Judgement, &urges,
		&t.UrgedAt, &t.Created, &t.Changed, &t.StatusAt, &t.Resolved, &t.Closed, &t.Scored,
		&ownership, &pace)
	t.Ownership = Ownership(ownership)
	t.Status, t.Urges, t.Language = Status(status), int(urges), locale.Language(language)
	if errors.Is(err, db.ErrNone) {
		err = fault.NoTicket
	}
	if err == nil {
		err = t.readPace(pace)
	}
	return t, err
}

// maxNumber bounds what is looked up as a ticket number (contract).
const maxNumber = 64

// visible reads a ticket the caller may see. Unknown, deleted and foreign ones
// are told apart by nothing (semantics.md D9).
func visible(tx *db.Tx, who principal.Principal, number, group string) (Ticket, error) {
	scope, err := privilege.ScopeOf(tx, who, group)
	if err != nil {
		return Ticket{}, err
	}
	return seen(tx, scope, number)
}

// seen reads a ticket within a scope.
func seen(tx *db.Tx, scope privilege.Scope, number string) (Ticket, error) {
	if number == "" || len(number) > maxNumber {
		return Ticket{}, fault.NoTicket
	}
	t, err := scan(tx.Get("SELECT "+columns+" FROM tickets WHERE domain_id = ? AND number = ?", scope.Domain, number))
	if err != nil {
		return t, err
	}
	if t.Status == Deleted || !scope.Has(t.Domain, t.Creator) {
		return Ticket{}, fault.NoTicket
	}
	return t, nil
}

// change writes what a step changed: the row under its revision, the counters
// when the state changed, and the desk's row. The ticket is as it shall be,
// but for revision, changed_at and status_at.
func change(tx *db.Tx, before, t Ticket) Ticket {
	t.Revision, t.Changed = before.Revision+1, changedAt(tx, before)
	if t.Status != before.Status {
		t.StatusAt = tx.Now
		count(tx, t.Domain, t.Creator, before.Status, -1)
		count(tx, t.Domain, t.Creator, t.Status, 1)
	}
	stepClocks(tx, before, &t)
	tx.Write(1, `UPDATE tickets SET status = ?, revision = ?, assignee = ?, resolution = ?, judgement = ?, urges = ?, urged_at = ?, changed_at = ?, status_at = ?,
		resolved_at = ?, closed_at = ?, scored_at = ?, sla = ? WHERE domain_id = ? AND id = ? AND revision = ?`,
		int(t.Status), t.Revision, t.Assignee, t.Resolution, t.Judgement, t.Urges, t.UrgedAt, t.Changed, t.StatusAt, t.Resolved, t.Closed, t.Scored, t.pace.text(),
		t.Domain, t.ID, before.Revision)
	if t.Status != before.Status {
		// Behind the row's own write, which waits for whoever puts labels on.
		tx.Write(db.Any, "UPDATE ticket_labels SET status = ? WHERE domain_id = ? AND ticket_id = ?", int(t.Status), t.Domain, t.ID)
	}
	tx.Write(db.Any, `UPDATE desk_tickets SET status = ?, assignee = ?, urges = ?, changed_at = ?, due_at = ?, due_kind = ?,
		snoozed = CASE WHEN CAST(? AS BIGINT) = 1 THEN 0 ELSE snoozed END WHERE ticket_id = ?`,
		int(t.Status), t.Assignee, t.Urges, t.Changed, t.Due, string(t.DueKind), number01(wakes(before, t)), t.ID)
	return t
}

// changedAt is when the ticket's next revision is made: now, or a millisecond
// behind the last one when clocks of nodes differ or stand still. So times of
// one ticket rise with its revisions.
func changedAt(tx *db.Tx, before Ticket) int64 { return max(tx.Now, before.Changed+1) }

// Show reads a ticket, with its ratings.
func (s *Service) Show(ctx context.Context, who principal.Principal, number, group string) (t Ticket, scores []Score, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if t, err = visible(tx, who, number, group); err != nil {
			return err
		}
		if scores, err = scoresOf(tx, t); err != nil {
			return err
		}
		on, err := labelsOn(tx, who, t.ID)
		t.Labels = on[t.ID]
		return err
	})
	if err == nil {
		err = s.openRegions(&t)
	}
	return t, scores, err
}

// Names are the log-in names of people of the domain, by user id.
func (s *Service) Names(ctx context.Context, domain string, ids ...string) (map[string]string, error) {
	return s.ident.Names(ctx, domain, ids)
}

func ms(d time.Duration) int64 { return d.Milliseconds() }
