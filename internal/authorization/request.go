package authorization

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Limits of a request, in characters; the details' number is the contract's.
const (
	maxDetails     = 5
	maxDescription = 2000
	maxAddress     = 253
	maxName        = 128
	maxField       = 64
	maxOpen        = 10 // requests of one ticket that wait for an answer
)

var (
	errOwn  = fault.New(fault.Forbidden, fault.CodeNoPermission, "只能以本人名义申请授权", "an engineer asks in his own name only")
	errMany = fault.New(fault.Conflict, fault.CodeNoPermission, "该工单已有 {max} 个未答复的授权申请", "{max} requests of this ticket wait for an answer already")
	errHost = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不是有效的主机名或 IP 地址", "{field} is neither a host name nor an IP address")
)

// NewDetail is a console or host that a request names.
type NewDetail struct {
	Kind                             DetailKind
	Address                          string // of a host: name or IP
	Port                             int    // 0 = not said
	InstanceID, InstanceName, Region string
}

// NewRequest is what an engineer asks of a customer.
type NewRequest struct {
	Number      string // ticket
	Engineer    string // user id of who asks; "" = the caller
	Description string // why, 1 to 2,000 characters; the customer reads it
	Resource    string // ids of kinds; "" = by the details: a server by SSH, or an account by the console
	Visit       string
	Content     string
	Details     []NewDetail // 1 to 5; none = one console
}

var hostName = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.?$`)

// text holds a field that people read on one line.
func line(field, s string, most int) error {
	if utf8.RuneCountInString(s) > most {
		return fault.TooLong.In(field).With("max", most)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return fault.Unknown.In(field)
	}
	return nil
}

func (n *NewRequest) check() error {
	switch {
	case strings.TrimSpace(n.Description) == "":
		return errBlank.In("description")
	case utf8.RuneCountInString(n.Description) > maxDescription:
		return fault.TooLong.In("description").With("max", maxDescription)
	case len(n.Details) > maxDetails:
		return fault.TooManyItems.In("details").With("max", maxDetails)
	}
	if len(n.Details) == 0 {
		n.Details = []NewDetail{{Kind: Console}}
	}
	host := false
	for _, d := range n.Details {
		host = host || d.Kind == Host
		if d.Kind != Console && d.Kind != Host {
			return fault.Unknown.In("details.type")
		}
		if d.Port < 0 || d.Port > 65535 {
			return fault.OutOfRange.In("details.port").With("min", 1).With("max", 65535)
		}
		if d.Kind == Console && (d.Address != "" || d.Port != 0) {
			return fault.Unknown.In("details.address")
		}
		if err := errors.Join(line("details.instance_id", d.InstanceID, maxField), line("details.instance_name", d.InstanceName, maxName), line("details.region_id", d.Region, maxField)); err != nil {
			return err
		}
		if a := d.Address; a != "" {
			if utf8.RuneCountInString(a) > maxAddress {
				return fault.TooLong.In("details.address").With("max", maxAddress)
			}
			if _, err := netip.ParseAddr(a); err != nil && !hostName.MatchString(a) {
				return errHost.In("details.address")
			}
		}
	}
	if n.Resource == "" && n.Visit == "" && n.Content == "" {
		if n.Resource, n.Visit, n.Content = "2", "4", "4"; host {
			n.Resource, n.Visit, n.Content = "1", "1", "1"
		}
	}
	for _, k := range []struct {
		field, id string
		kinds     []Kind
	}{{"resource_type_id", n.Resource, Resources}, {"visit_type_id", n.Visit, Visits}, {"content_type_id", n.Content, Contents}} {
		if k.id == "" {
			return fault.Missing.In(k.field)
		}
		if !known(k.kinds, k.id) {
			return fault.Unknown.In(k.field)
		}
	}
	return nil
}

// mayAsk tells who asks customers: engineers, supervisors, administrators and
// the operator on the machine in an engineer's name.
func mayAsk(who principal.Principal) error {
	if who.Kind == principal.Local || who.Works() {
		return nil
	}
	return fault.NoPermission
}

// maySee is mayAsk and auditors, who read.
func maySee(who principal.Principal) error {
	if who.Audits() {
		return nil
	}
	return mayAsk(who)
}

// mayApprove tells whose word a request of an engineer needs.
func mayApprove(who principal.Principal) bool {
	return who.Kind == principal.Local || (who.Is(principal.RoleSupervisor) || who.Is(principal.RoleAdministrator))
}

// Request asks the customer of a ticket for an authorization and answers its
// id. An engineer's waits for a supervisor where the configuration says so;
// others go to the customer at once, with a notice to the ticket's contacts.
// Failures: OSM.01010015 (no such ticket), .02 (role, ticket has ended, too
// many requests wait), .01 naming the field.
func (s *Service) Request(ctx context.Context, who principal.Principal, in NewRequest) (string, error) {
	if err := mayAsk(who); err != nil {
		return "", err
	}
	if in.Engineer == "" && who.Kind == principal.Engineer {
		in.Engineer = who.User
	}
	if in.Engineer == "" || who.Kind == principal.Engineer && in.Engineer != who.User {
		return "", errOwn
	}
	if err := in.check(); err != nil {
		return "", err
	}
	t, err := s.ticket.DeskShow(ctx, who, in.Number)
	if err != nil {
		return "", err
	}
	if ctx, err = s.ident.OnClock(ctx, t.Domain); err != nil {
		return "", err
	}
	a := Authorization{Domain: t.Domain, ID: "Auth-" + s.db.NewID(), Ticket: t.ID, Number: t.Number, Creator: t.Creator, Status: Asked, Revision: 1,
		Engineer: in.Engineer, Resource: in.Resource, Visit: in.Visit, Content: in.Content, Description: in.Description}
	switch {
	case s.o.Config.Approval == "required" && !mayApprove(who):
		a.Status = Approval
	case mayApprove(who) && who.User != a.Engineer:
		a.Approver = who.User // the operator speaks for the house
	}
	ids := make([]int64, len(in.Details))
	for i := range ids {
		ids[i] = s.newNumber()
	}
	tell, err := s.notice(ctx, t.Ticket, a.Status)
	if err != nil {
		return "", err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		t, err := ticket.In(tx, a.Domain, a.Ticket)
		if err != nil {
			return "", err
		}
		if !t.Status.Open() {
			return "", errEnded
		}
		tx.Lock(a.Domain, "authorization.request."+a.Ticket)
		var waiting int
		err = tx.Get("SELECT count(*) FROM authorizations WHERE domain_id = ? AND ticket_id = ? AND status IN (0, 6)", a.Domain, a.Ticket).Scan(&waiting)
		if err != nil {
			return "", err
		}
		if waiting >= maxOpen {
			return "", errMany.With("max", maxOpen)
		}
		s.insert(tx, who, a, in.Details, ids)
		beside(tx, who, a, t, "ticket.authorization.request")
		s.ticket.QueueNotices(tx, tell)
		return a.ID, nil
	})
}

// notice is the customer's, when the request is his to answer.
func (s *Service) notice(ctx context.Context, t ticket.Ticket, st Status) (ticket.Notices, error) {
	if st != Asked {
		return ticket.Notices{}, nil
	}
	return s.ticket.PrepareNotices(ctx, t, notify.TemplateAuthorize, s.o.Config.PendingDays)
}

func (s *Service) insert(tx *db.Tx, who principal.Principal, a Authorization, details []NewDetail, ids []int64) {
	a.Created, a.Changed = tx.Now, tx.Now
	a.Due = tx.Now + int64(s.o.Config.PendingDays)*ms(day)
	tx.Write(1, `INSERT INTO authorizations (domain_id, id, ticket_id, number, creator, status, revision, engineer, approver, handler, resource_type, visit_type,
		content_type, description, refusal, reject_reason, agency, effective_at, expire_at, due_at, created_at, changed_at, erased_at, hidden)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?, '', '', '', 0, 0, ?, ?, ?, 0, 0)`,
		a.Domain, a.ID, a.Ticket, a.Number, a.Creator, int(a.Status), a.Revision, a.Engineer, a.Approver, a.Resource, a.Visit, a.Content, a.Description,
		a.Due, a.Created, a.Changed)
	tx.Write(1, "INSERT INTO desk_authorizations (id, domain_id, ticket_id, status) VALUES (?, ?, ?, ?)", a.ID, a.Domain, a.Ticket, int(a.Status))
	for i, d := range details {
		tx.Write(1, `INSERT INTO authorization_details (domain_id, id, authorization_id, position, kind, address, port, instance_id, instance_name, region, account, password)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '')`, a.Domain, ids[i], a.ID, i, int(d.Kind), d.Address, d.Port, d.InstanceID, d.InstanceName, d.Region)
	}
	record(tx, who, a, "request", map[string]any{"engineer": a.Engineer, "resource": a.Resource, "visit": a.Visit, "details": len(details)})
	s.startClock(tx, a)
}

// Engineers' steps.
const (
	StepApprove = "approve"
	StepRefuse  = "refuse"
	StepRecall  = "recall"
)

var (
	stepApprove = locale.Texts{ZH: "审批通过", EN: "approved"}
	stepRefuse  = locale.Texts{ZH: "驳回", EN: "refused"}
	stepRecall  = locale.Texts{ZH: "撤回", EN: "recalled"}
)

// maxReason bounds a supervisor's reason.
const maxReason = 300

// Step approves (6 to 0, the customer is asked), refuses (6 to 7, with the
// reason) or recalls (6 or 0 to 4) a request. Approving and refusing need a
// supervisor, an administrator or the operator; recalling is also the asking
// engineer's. Failures: OSM.01010001 (unknown id, action, reason), .02 (role,
// state, ticket has ended).
func (s *Service) Step(ctx context.Context, who principal.Principal, id, action, reason string) (a Authorization, err error) {
	if err := mayAsk(who); err != nil {
		return a, err
	}
	switch action {
	case StepApprove, StepRecall:
	case StepRefuse:
		if strings.TrimSpace(reason) == "" {
			return a, errBlank.In("reason")
		}
	default:
		return a, fault.Unknown.In("action")
	}
	if utf8.RuneCountInString(reason) > maxReason {
		return a, fault.TooLong.In("reason").With("max", maxReason)
	}
	if action != StepRecall && !mayApprove(who) {
		return a, fault.NoPermission
	}
	seen, t, err := s.deskLoad(ctx, id)
	if err != nil {
		return a, err
	}
	if ctx, err = s.ident.OnClock(ctx, seen.Domain); err != nil {
		return a, err
	}
	var tell ticket.Notices
	if action == StepApprove && seen.Status == Approval {
		if tell, err = s.notice(ctx, t, Asked); err != nil {
			return a, err
		}
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Authorization, error) {
		before, err := load(tx, seen.Domain, seen.ID)
		if err != nil {
			return before, err
		}
		a := before
		t, err := ticket.In(tx, a.Domain, a.Ticket)
		if err != nil {
			return a, err
		}
		kind := ""
		switch action {
		case StepApprove:
			kind = "ticket.authorization.approve"
			if before.Status != Approval {
				return a, stateFault(stepApprove, before.Status)
			}
			if !t.Status.Open() {
				return a, errEnded
			}
			a.Status, a.Approver = Asked, who.User
			a.Due = tx.Now + int64(s.o.Config.PendingDays)*ms(day) // the customer has the whole time
			a = change(tx, before, a)
			s.ticket.QueueNotices(tx, tell)
			s.startClock(tx, a)
		case StepRefuse:
			kind = "ticket.authorization.refuse"
			if before.Status != Approval {
				return a, stateFault(stepRefuse, before.Status)
			}
			a.Status, a.Approver, a.Refusal = Refused, who.User, reason
			a = end(tx, before, a)
		case StepRecall:
			kind = "ticket.authorization.recall"
			if before.Engineer != who.User && !mayApprove(who) {
				return a, fault.NoPermission
			}
			if before.Status != Asked && before.Status != Approval {
				return a, stateFault(stepRecall, before.Status)
			}
			a.Status = Recalled
			a = end(tx, before, a)
		}
		record(tx, who, a, action, map[string]any{"from": before.Status, "engineer": a.Engineer})
		beside(tx, who, a, t, kind)
		return a, nil
	})
}

// onClock is the context with the clock of the authorization's domain; an
// unknown id changes nothing and is refused by what follows.
func (s *Service) onClock(ctx context.Context, id string) (context.Context, error) {
	domain := ""
	err := s.db.View(ctx, func(tx *db.Tx) error {
		a, err := deskIn(tx, id)
		if domain = a.Domain; errors.Is(err, ErrNone) {
			return nil
		}
		return err
	})
	if err != nil || domain == "" {
		return ctx, err
	}
	return s.ident.OnClock(ctx, domain)
}

// deskLoad finds an authorization of any domain by its id, with its ticket.
func (s *Service) deskLoad(ctx context.Context, id string) (a Authorization, t ticket.Ticket, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if a, err = deskIn(tx, id); err != nil {
			return err
		}
		t, err = ticket.In(tx, a.Domain, a.Ticket)
		return err
	})
	return a, t, err
}

func deskIn(tx *db.Tx, id string) (a Authorization, err error) {
	if id == "" || len(id) > maxID {
		return a, ErrNone
	}
	var domain string
	err = tx.Get("SELECT domain_id FROM desk_authorizations WHERE id = ?", id).Scan(&domain)
	if errors.Is(err, db.ErrNone) {
		return a, ErrNone
	}
	if err != nil {
		return a, err
	}
	return load(tx, domain, id)
}
