// Package authorization owns a customer's consent that an engineer enters his
// console or hosts: the request within a ticket, the grant and its end, what
// was granted (sealed, wiped at the end), tries of host logins, and the records
// of engineers' sessions.
//
// It does not open sessions on hosts: a gateway does and records them here.
package authorization

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/guard"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/seal"
	"casemate/internal/ticket"
)

// Status is an authorization's state, with the numbers of the wire
// (authorization_status.csv). The table's -1 is a draft; none are kept.
type Status int

// The states.
const (
	Asked     Status = 0 // the customer is to answer
	Granted   Status = 1
	Rejected  Status = 2 // by the customer
	Expired   Status = 3 // its time is over, or its ticket has ended
	Recalled  Status = 4 // by the engineer
	Withdrawn Status = 5 // by the customer, after he granted it
	Approval  Status = 6 // a supervisor is to approve the request
	Refused   Status = 7 // by the supervisor
)

var statusNames = map[Status]locale.Texts{
	Asked: {ZH: "待授权", EN: "To be authorized"}, Granted: {ZH: "已授权", EN: "Authorized"}, Rejected: {ZH: "已拒绝", EN: "Rejected"},
	Expired: {ZH: "已过期", EN: "Expired"}, Recalled: {ZH: "已撤回", EN: "Recalled"}, Withdrawn: {ZH: "已取消", EN: "Canceled"},
	Approval: {ZH: "授权审批中", EN: "In approval"}, Refused: {ZH: "授权审批被驳回", EN: "Approval rejected"},
}

// Name is what people call the state.
func (s Status) Name(lang locale.Language) string { return statusNames[s].In(lang) }

// Why an authorization is Expired, as its event records it.
const (
	causeTime   = "time"
	causeTicket = "ticket"
)

var endedWithTicket = locale.Texts{ZH: "工单已关闭，授权已结束", EN: "Ended, the ticket was closed"}

// StateName is what people call the authorization's state: of one that ended
// with its ticket that it did.
func (a Authorization) StateName(lang locale.Language) string {
	if a.WithTicket {
		return endedWithTicket.In(lang)
	}
	return a.Status.Name(lang)
}

// Reason is why the customer rejected it, or that it ended with its ticket; of
// others "".
func (a Authorization) Reason(lang locale.Language) string {
	if a.WithTicket {
		return endedWithTicket.In(lang)
	}
	return a.RejectReason
}

// causes finds out which authorizations ended with their tickets: their events
// tell.
func causes(tx *db.Tx, all ...*Authorization) error {
	var keys [][2]string
	of := map[[2]string]*Authorization{}
	for _, a := range all {
		if k := [2]string{a.Domain, a.ID}; a.Status == Expired {
			keys, of[k] = append(keys, k), a
		}
	}
	rows, err := event.OfMany(tx, "authorization", keys)
	for k, past := range rows {
		for _, r := range past {
			var data struct{ Cause string }
			if r.Kind == "authorization.expire" && json.Unmarshal(r.Data, &data) == nil {
				of[k].WithTicket = data.Cause == causeTicket
			}
		}
	}
	return err
}

// Open tells whether the authorization can still be used or answered.
func (s Status) Open() bool { return s == Asked || s == Granted || s == Approval }

// Faults of this package.
var (
	ErrNone      = fault.New(fault.NotFound, fault.CodeInvalid, "授权不存在", "there is no such authorization").In("authorization_id")
	ErrNoDetail  = fault.New(fault.NotFound, "OSM.01010032", "授权详情不存在", "The authorization detail id is not exist.")
	ErrNoSession = fault.New(fault.NotFound, fault.CodeInvalid, "会话不存在", "there is no such session").In("session_id")
	errState     = fault.New(fault.Conflict, fault.CodeNoPermission, "授权当前状态为“{state.zh}”，不能{step.zh}", "an authorization that is \"{state.en}\" cannot be {step.en}")
	errEnded     = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已结束，不能授权", "the ticket has ended: nothing can be authorized in it")
	errBlank     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能为空", "{field} must not be blank")
)

func stateFault(step locale.Texts, s Status) error {
	n := statusNames[s]
	return errState.With("state.zh", n.ZH).With("state.en", n.EN).With("step.zh", step.ZH).With("step.en", step.EN)
}

// Options of the service.
type Options struct {
	Config config.Authorization
	Demo   bool          // no supervisor is needed unless the configuration says so
	Reach  time.Duration // how long a try of a host's login may take; 0 = 5 s
	Log    *slog.Logger
}

// Nouns are what authorizations are made with.
type Nouns struct {
	Identity *identity.Service
	Catalog  *catalog.Service
	Ticket   *ticket.Service
}

// Service is the noun.
type Service struct {
	db      *db.DB
	keys    *seal.Keyring
	ident   *identity.Service
	catalog *catalog.Service
	ticket  *ticket.Service
	dialer  *net.Dialer // behind the guard
	o       Options
}

// New makes the service; it fails on a configuration that cannot be.
func New(d *db.DB, keys *seal.Keyring, n Nouns, o Options) (*Service, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	if o.Demo {
		o.Config = o.Config.Demo()
	}
	o.Config = o.Config.WithDefaults()
	if o.Reach == 0 {
		o.Reach = guard.Timeout
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	g, err := guard.New(o.Config.CheckHosts.Allow)
	if err != nil {
		return nil, fmt.Errorf("authorization.check_hosts.allow: %w", err)
	}
	g.Only = o.Config.CheckHosts.ListedOnly
	return &Service{db: d, keys: keys, ident: n.Identity, catalog: n.Catalog, ticket: n.Ticket, dialer: g.Dialer(), o: o}, nil
}

// DetailKind is what a detail lets in to.
type DetailKind int

// The kinds, with the numbers of the wire.
const (
	Console DetailKind = 0
	Host    DetailKind = 1
)

// Detail is one console or host of an authorization.
type Detail struct {
	ID                             int64
	Kind                           DetailKind
	Address                        string // of a host, as the engineer named it
	Port                           int    // 0 = not said
	InstanceID, InstanceName       string
	Region                         string
	Account                        string // opened for the customer while granted; "" after the end
	account, password, auth, owner string // sealed values and whose they are
}

// Authorization is one authorization as stored.
type Authorization struct {
	Domain, ID, Ticket, Number, Creator                 string
	Status                                              Status
	Revision                                            int64
	Engineer, Approver, Handler                         string
	Resource, Visit, Content                            string // ids of kinds
	Description, Refusal, RejectReason, Agency          string
	Effective, Expires, Due, Created, Changed, ErasedAt int64 // milliseconds UTC, 0 = never
	WithTicket                                          bool  // Expired because its ticket ended; of what is shown only

	hidden bool
}

const columns = `domain_id, id, ticket_id, number, creator, status, revision, engineer, approver, handler, resource_type, visit_type, content_type,
	description, refusal, reject_reason, agency, effective_at, expire_at, due_at, created_at, changed_at, erased_at, hidden`

func scan(r db.Row) (a Authorization, err error) {
	var status, hidden int64
	err = r.Scan(&a.Domain, &a.ID, &a.Ticket, &a.Number, &a.Creator, &status, &a.Revision, &a.Engineer, &a.Approver, &a.Handler, &a.Resource, &a.Visit, &a.Content,
		&a.Description, &a.Refusal, &a.RejectReason, &a.Agency, &a.Effective, &a.Expires, &a.Due, &a.Created, &a.Changed, &a.ErasedAt, &hidden)
	a.Status, a.hidden = Status(status), hidden == 1
	if errors.Is(err, db.ErrNone) {
		err = ErrNone
	}
	return a, err
}

func load(tx *db.Tx, domain, id string) (Authorization, error) {
	return scan(tx.Get("SELECT "+columns+" FROM authorizations WHERE domain_id = ? AND id = ?", domain, id))
}

// maxID bounds what is looked up as an authorization id (contract).
const maxID = 32

// visible reads an authorization the caller may see, with its ticket. Unknown,
// foreign and deleted tickets' ones are told apart by nothing.
func visible(tx *db.Tx, who principal.Principal, id, group string) (Authorization, ticket.Ticket, error) {
	var none Authorization
	scope, err := privilege.ScopeOf(tx, who, group)
	if err != nil {
		return none, ticket.Ticket{}, err
	}
	if id == "" || len(id) > maxID {
		return none, ticket.Ticket{}, ErrNone
	}
	a, err := load(tx, who.Domain, id)
	if err != nil {
		return none, ticket.Ticket{}, err
	}
	if a.hidden || !scope.Has(a.Domain, a.Creator) {
		return none, ticket.Ticket{}, ErrNone
	}
	t, err := ticket.In(tx, a.Domain, a.Ticket)
	if err != nil {
		return none, t, err
	}
	if t.Status == ticket.Deleted {
		return none, ticket.Ticket{}, ErrNone
	}
	return a, t, nil
}

const detailColumns = `id, kind, address, port, instance_id, instance_name, region, account, password, authorization_id, domain_id`

func scanDetail(r db.Row) (d Detail, err error) {
	var kind int64
	err = r.Scan(&d.ID, &kind, &d.Address, &d.Port, &d.InstanceID, &d.InstanceName, &d.Region, &d.account, &d.password, &d.auth, &d.owner)
	d.Kind = DetailKind(kind)
	if errors.Is(err, db.ErrNone) {
		err = ErrNoDetail
	}
	return d, err
}

func detailsOf(tx *db.Tx, a Authorization) (all []Detail, err error) {
	err = tx.List(func(r db.Row) error {
		d, err := scanDetail(r)
		all = append(all, d)
		return err
	}, "SELECT "+detailColumns+" FROM authorization_details WHERE domain_id = ? AND authorization_id = ? ORDER BY position", a.Domain, a.ID)
	return all, err
}

func detailOf(tx *db.Tx, a Authorization, id int64) (Detail, error) {
	d, err := scanDetail(tx.Get("SELECT "+detailColumns+" FROM authorization_details WHERE domain_id = ? AND id = ?", a.Domain, id))
	if err == nil && d.auth != a.ID {
		return Detail{}, ErrNoDetail
	}
	return d, err
}

// place binds a sealed value to its row: it opens nowhere else.
func (d Detail) place(column string) seal.Place {
	return seal.Place{Table: "authorization_details", Column: column, Row: fmt.Sprint(d.owner, "/", d.auth, "/", d.ID)}
}

func (s *Service) seal(at seal.Place, plain string) (string, error) {
	if plain == "" {
		return "", nil
	}
	return s.keys.Seal(at, []byte(plain))
}

func (s *Service) open(at seal.Place, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	plain, err := s.keys.Open(at, sealed)
	return string(plain), err
}

// change writes what a step changed: the row under its revision and the desk's
// row. The authorization is as it shall be, but for revision and changed_at.
func change(tx *db.Tx, before, a Authorization) Authorization {
	a.Revision, a.Changed = before.Revision+1, tx.Now
	tx.Write(1, `UPDATE authorizations SET status = ?, revision = ?, approver = ?, handler = ?, refusal = ?, reject_reason = ?, agency = ?, effective_at = ?, expire_at = ?,
		due_at = ?, changed_at = ?, erased_at = ? WHERE domain_id = ? AND id = ? AND revision = ?`,
		int(a.Status), a.Revision, a.Approver, a.Handler, a.Refusal, a.RejectReason, a.Agency, a.Effective, a.Expires,
		a.Due, a.Changed, a.ErasedAt, a.Domain, a.ID, before.Revision)
	tx.Write(db.Any, "UPDATE desk_authorizations SET status = ? WHERE id = ?", int(a.Status), a.ID)
	return a
}

// record is the authorization's own history.
func record(tx *db.Tx, who principal.Principal, a Authorization, kind string, data map[string]any) (eventID string) {
	if data == nil {
		data = map[string]any{}
	}
	data["ticket"], data["to"] = a.Ticket, a.Status
	return event.Record(tx, who, event.Event{Domain: a.Domain, Kind: "authorization." + kind, Subject: "authorization", SubjectID: a.ID, Revision: a.Revision,
		LogCode: event.NoLog, Data: data})
}

// end closes an authorization for good: what was granted is wiped, sessions
// end. The caller records why.
func end(tx *db.Tx, before, a Authorization) Authorization {
	a.Due, a.ErasedAt = 0, tx.Now
	a = change(tx, before, a) // first: whoever opens a session meanwhile waits here, or is seen below
	tx.Write(db.Any, "UPDATE authorization_details SET account = '', password = '' WHERE domain_id = ? AND authorization_id = ?", a.Domain, a.ID)
	tx.Write(db.Any, "UPDATE authorization_sessions SET closed_at = ? WHERE domain_id = ? AND authorization_id = ? AND closed_at = 0", tx.Now, a.Domain, a.ID)
	return a
}

// newNumber is a random id for the wire's numbers: 52 bits, so that every JSON
// reader holds it exactly.
func (s *Service) newNumber() int64 {
	n := binary.BigEndian.Uint64(s.db.Random(8))
	return int64(n>>12) + 1
}

func ms(d time.Duration) int64 { return d.Milliseconds() }

const day = 24 * time.Hour

// Names are the log-in names of people of a domain, by user id.
func (s *Service) Names(ctx context.Context, domain string, ids ...string) (map[string]string, error) {
	return s.ident.Names(ctx, domain, ids)
}

// LoginType tells how the caller proved who he is: AKSK for signed requests,
// PASSWORD for tokens. (FEDERATION, the documented example, is for log-ins
// through another identity provider, which there are none of yet.)
func (s *Service) LoginType(_ context.Context, who principal.Principal) (string, error) {
	switch {
	case who.Kind != principal.Customer:
		return "", fault.NoPermission
	case who.AccessKey != "":
		return "AKSK", nil
	}
	return "PASSWORD", nil
}
