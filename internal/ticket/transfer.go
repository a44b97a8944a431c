package ticket

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

// StepTransfer makes a ticket the business of another side.
const StepTransfer = "transfer"

// MaxTransfer is how many tickets one call transfers.
const MaxTransfer = 100

// Faults of transfers (errors.csv; semantics.md section 3.3).
var (
	ErrPerson      = fault.New(fault.Conflict, "OSM.01010048", "工单不属于同一人", "Tickets do not belong to the same person.")
	ErrBusiness    = fault.New(fault.Conflict, "OSM.01010049", "工单不属于同一业务归属", "Tickets do not belong to the same businessOwnership.")
	ErrISV         = fault.New(fault.Conflict, "OSM.01010050", "ISV 工单只能逐个转单", "ISV tickets can only be transferred one by one.")
	errUnserved    = fault.New(fault.Conflict, "OSM.01010055", "工单所属客户没有关联伙伴", "The customer of this ticket has no associated partner.")
	errNotListed   = fault.New(fault.Conflict, "OSM.01010056", "工单所属客户的伙伴不在白名单中", "The partner of this ticket's customer is not in the whitelist.")
	errMatch       = fault.New(fault.Conflict, "OSM.01010058", "所选处理人与工单所属客户的伙伴不匹配", "The selected handler does not match the partner of the ticket's customer.")
	errPlan        = fault.New(fault.Conflict, "OSM.01010059", "工单所属客户已购买支持计划", "The customer of this ticket has bought a support plan.")
	errCustomer    = fault.New(fault.Conflict, "OSM.01010060", "获取客户信息失败", "Failed to obtain customer information.")
	errUnhandled   = fault.New(fault.Conflict, "OSM.01010061", "伙伴不能处理该工单", "The partner cannot handle this ticket.")
	errNode        = fault.New(fault.NotFound, "OSM.01010062", "流程节点不存在：工单当前状态为“{state.zh}”", "The workflow node does not exist: the ticket is \"{state.en}\".")
	errThere       = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已属于该方，请指定处理人", "the ticket is that side's business already: name a handler").In("to")
	errTeam        = fault.New(fault.Invalid, fault.CodeInvalid, "转给团队或队列时，to 须为 house 且不能指定处理人", "a team or a queue gets tickets with to = house and without a handler").In("team_id")
	errTeamHas     = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已在该团队且无人处理", "the ticket is that team's already and nobody handles it").In("team_id")
	errNumberTwice = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 含有重复项", "{field} has an item twice").In("numbers")
)

// Transfer is some tickets on their way to another side.
type Transfer struct {
	Numbers []string // 1..MaxTransfer, each once
	To      Ownership
	Handler string // user id or log-in name at the other side, "" = whoever takes it
	Team    string // team of the house that gets them, with To = HouseBusiness and no Handler; the caller knows that it is there
	// Takes, when set, has the last word about each ticket, as it would be.
	Takes   func(r Row) error
	Text    string // internal note, at most 10,000 characters
	Version int64  // revision the caller saw, with one ticket only; 0 = whatever it is
}

// Transferred is what became of one ticket.
type Transferred struct {
	Number  string
	Ticket  Ticket       // after the transfer
	Refusal *fault.Error `json:",omitempty"` // why it was not transferred
}

func (m Transfer) check() error {
	switch {
	case len(m.Numbers) == 0:
		return fault.Missing.In("numbers")
	case len(m.Numbers) > MaxTransfer:
		return fault.TooManyItems.In("numbers").With("max", MaxTransfer)
	case m.To < HouseBusiness || m.To > ISVBusiness:
		return fault.Unknown.In("to")
	case m.Team != "" && (m.To != HouseBusiness || m.Handler != ""):
		return errTeam
	case utf8.RuneCountInString(m.Text) > maxMessage:
		return fault.TooLong.In("text").With("max", maxMessage)
	}
	sorted := slices.Sorted(slices.Values(m.Numbers))
	if len(slices.Compact(sorted)) != len(m.Numbers) {
		return errNumberTwice
	}
	return nil
}

// Transfer makes tickets another side's business: the house's, the customer's
// partner's or the product's ISV's (semantics.md section 3.3). A partner's
// people give their tickets back to the house or to colleagues. The tickets are
// of one submitter (OSM.01010048) and one owner (.49), ISV's come alone (.50);
// else nothing is transferred. Each is then judged by itself: .15 (no such
// ticket), .62 (over), .51 (the handler has it already), .60 (account shut), .55
// (no partner), .57 (partner gone), .56 (not whitelisted), .59 (support plan),
// .61 (not a sub type he serves), .58 (handler of another side), .02 (it is there
// already). All that go, go in one transaction.
func (s *Service) Transfer(ctx context.Context, who principal.Principal, in Transfer) ([]Transferred, error) {
	if err := mayWork(who); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	if who.Partner != "" && in.To != HouseBusiness && in.Handler == "" {
		return nil, fault.Missing.In("assignee")
	}
	if who.Partner != "" && in.Team != "" {
		return nil, fault.NoPermission // the house's teams are its own affair
	}
	m := move{Transfer: in}
	var err error
	if m.handler, err = s.handler(ctx, who, in.Handler); err != nil {
		return nil, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) ([]Transferred, error) {
		m := m
		found, err := m.find(tx, who)
		if err != nil {
			return nil, err
		}
		if err := m.alike(found); err != nil {
			return nil, err
		}
		if err := m.load(tx, found); err != nil {
			return nil, err
		}
		if err := m.loadRows(tx, found); err != nil {
			return nil, err
		}
		var out []Transferred
		for _, number := range in.Numbers {
			r := Transferred{Number: number}
			before, ok := found[number]
			if !ok {
				r.Refusal = fault.NoTicket
			} else if err := m.may(who, before); err != nil {
				f, is := fault.As(err)
				if !is {
					return nil, err
				}
				r.Refusal = f
			} else {
				r.Ticket = m.write(tx, who, before)
			}
			out = append(out, r)
		}
		return out, nil
	})
}

// move is a transfer with what its judgement needs.
type move struct {
	Transfer
	handler identity.User    // ID "" = none
	partner identity.Partner // who shall get the tickets; ID "" = the house
	refusal error            // why no ticket of this customer can go there
	from    string           // id of the partner who has them; "" = the house
	rows    map[string]Row   // the desk's rows by ticket id
}

// handler finds the one named; a partner's people know only their colleagues.
func (s *Service) handler(ctx context.Context, who principal.Principal, name string) (identity.User, error) {
	if name == "" {
		return identity.User{}, nil
	}
	house := principal.AsSystem(principal.House)
	u, err := s.ident.UserByName(ctx, house, principal.House, name)
	if errors.Is(err, identity.ErrNoUser) {
		u, err = s.ident.User(ctx, house, principal.House, name)
	}
	if errors.Is(err, identity.ErrNoUser) || err == nil && (u.Disabled || u.Role == principal.RoleAuditor || who.Partner != "" && u.Partner != who.Partner) {
		return u, ErrAssignee.With("name", name)
	}
	return u, err
}

// find reads the tickets the caller may see, by number.
func (m move) find(tx *db.Tx, who principal.Principal) (map[string]Ticket, error) {
	var w where
	w.and("number IN (?"+strings.Repeat(", ?", len(m.Numbers)-1)+")", anys(m.Numbers)...)
	w.onlyTheirs(who)
	ids := map[string][]string{} // by domain
	err := tx.List(func(r db.Row) error {
		var domain, id string
		err := r.Scan(&domain, &id)
		ids[domain] = append(ids[domain], id)
		return err
	}, "SELECT domain_id, ticket_id FROM desk_tickets WHERE "+strings.Join(w.cond, " AND "), w.args...)
	if err != nil {
		return nil, err
	}
	found := map[string]Ticket{}
	for domain, of := range ids { // more than one domain only in a call that is refused
		err := tx.List(func(r db.Row) error {
			t, err := scan(r)
			if t.Status != Deleted {
				found[t.Number] = t
			}
			return err
		}, "SELECT "+columns+" FROM tickets WHERE domain_id = ? AND id IN (?"+strings.Repeat(", ?", len(of)-1)+")", append([]any{domain}, anys(of)...)...)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}

// alike holds the tickets of one call against each other.
func (m move) alike(found map[string]Ticket) error {
	var persons, owners = map[string]bool{}, map[Ownership]bool{}
	for _, t := range found {
		persons[t.Domain+"/"+t.Creator], owners[t.Ownership] = true, true
	}
	switch {
	case len(persons) > 1:
		return ErrPerson
	case len(owners) > 1:
		return ErrBusiness
	case len(m.Numbers) > 1 && (owners[ISVBusiness] || m.To == ISVBusiness):
		return ErrISV
	}
	return nil
}

// load reads who shall get the tickets and judges what holds for all of them:
// they are of one customer.
func (m *move) load(tx *db.Tx, found map[string]Ticket) (err error) {
	if len(found) == 0 {
		return nil
	}
	var t Ticket
	for _, t = range found { // they are one side's as well, and several of an ISV never come
		break
	}
	if m.from, err = partnerOf(tx, t); err != nil && !errors.Is(err, identity.ErrNoDomain) {
		return err
	}
	if m.To == HouseBusiness {
		return nil
	}
	d, err := identity.DomainIn(tx, t.Domain)
	if err != nil && !errors.Is(err, identity.ErrNoDomain) {
		return err
	}
	if err != nil || d.Disabled {
		m.refusal = errCustomer
		return nil
	}
	id := d.Partner
	if m.To == ISVBusiness {
		if id, err = identity.PartnerOfProduct(tx, t.Product); err != nil {
			return err
		}
	}
	switch {
	case id == "" && m.To == ISVBusiness:
		m.refusal = identity.ErrNoPartner
		return nil
	case id == "":
		m.refusal = errUnserved
		return nil
	}
	m.partner, err = identity.PartnerIn(tx, id)
	switch {
	case errors.Is(err, identity.ErrNoPartner):
		m.refusal = err
	case err != nil:
		return err
	case !m.partner.Whitelisted:
		m.refusal = errNotListed
	case d.Plan != "" && m.To == PartnerBusiness:
		m.refusal = errPlan
	}
	return nil
}

// may judges one ticket.
func (m move) may(who principal.Principal, t Ticket) error {
	switch {
	case m.Version != 0 && m.Version != t.Revision:
		return ErrVersion
	case !t.Status.Open():
		n := statusNames[t.Status]
		return errNode.With("state.zh", n.ZH).With("state.en", n.EN)
	case m.handler.ID != "" && m.handler.ID == t.Assignee:
		return ErrHandler
	case m.refusal != nil:
		return m.refusal
	case who.Partner != "" && m.To != HouseBusiness && m.To != t.Ownership:
		return fault.NoPermission
	case m.To == PartnerBusiness && !m.partner.Handles(t.SubType):
		return errUnhandled
	case m.handler.ID != "" && m.handler.Partner != m.partner.ID:
		return errMatch
	case m.Team != "":
		return m.mayTeam(t)
	case m.handler.ID == "" && m.To == t.Ownership:
		return errThere
	}
	return nil
}

func (m move) write(tx *db.Tx, who principal.Principal, before Ticket) Ticket {
	t := before
	t.Ownership, t.Assignee = m.To, m.handler.ID
	if t.Assignee != "" && t.Status == Submitted {
		t.Status = Processing
	}
	if strings.TrimSpace(m.Text) != "" {
		addMessage(tx, t, message{Side: sideOfWorker(who), Author: writer(who), Text: m.Text, Internal: true})
	}
	team := m.rows[t.ID].Team
	t = change(tx, before, t)
	own(tx, t, t.Ownership)
	setTeam(tx, t, m.Team)
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.transfer", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
		Data: map[string]any{"from": before.Status, "to": t.Status, "owner_from": before.Ownership, "owner_to": t.Ownership, "partner": m.partner.ID, "partner_from": m.from, "assignee": t.Assignee, "assignee_from": before.Assignee, "team": m.Team, "team_from": team}})
	w := was{}
	if team != m.Team {
		w.Team = &[2]string{team, m.Team}
	}
	keep(tx, before, t, tx.NewID(), "ticket."+StepTransfer, "", w)
	return t
}

// transferOne is the step of one ticket.
func (s *Service) transferOne(ctx context.Context, who principal.Principal, p Step) (Ticket, error) {
	out, err := s.Transfer(ctx, who, Transfer{Numbers: []string{p.Number}, To: p.To, Handler: p.Assignee, Team: p.Team, Text: p.Text, Version: p.Version})
	if err != nil {
		return Ticket{}, err
	}
	if out[0].Refusal != nil {
		return Ticket{}, out[0].Refusal
	}
	return out[0].Ticket, nil
}
