package desk

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"time"

	"casemate/internal/desk/oas"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/sheet"
	"casemate/internal/ticket"
)

// AdministrationHost is what only the composition root knows of administration.
type AdministrationHost struct {
	// Audit reads sealed events of all domains; the caller's right was checked.
	Audit func(ctx context.Context, f AuditFilter) ([]event.Row, error)
	// ExportsAudit records that the caller takes them along.
	ExportsAudit func(ctx context.Context, who principal.Principal, f AuditFilter) error
	// Chain is how the event chain stands.
	Chain func(ctx context.Context) (event.State, error)
	// DemoWorld is what of the demo world is there.
	DemoWorld func(ctx context.Context, who principal.Principal) (DemoWorld, error)
	// RemoveDemo removes it and answers what is left.
	RemoveDemo func(ctx context.Context, who principal.Principal) (DemoWorld, error)
}

// AuditFilter of the audit view.
type AuditFilter struct {
	event.Filter
	Ticket string // number, "" = whatever
}

// DemoWorld is what of the demo world is there.
type DemoWorld struct {
	Domains []identity.Domain
	People  []identity.User
	Desk    int // teams, queues, views, macros, texts, rules and articles
	Tickets int
}

type administration struct {
	identity *identity.Service
	tickets  *ticket.Service
	notify   *notify.Service
	host     Host
}

func rolesOf(joined string) (all []oas.Role) {
	for _, r := range principal.SplitRoles(joined) {
		all = append(all, oas.Role(r))
	}
	return all
}

func roleNames(roles []oas.Role) (all []string) {
	for _, r := range roles {
		all = append(all, string(r))
	}
	return all
}

// GrantRole gives a person of the house a role.
func (h administration) GrantRole(ctx context.Context, params oas.GrantRoleParams) (*oas.User, error) {
	u, err := h.identity.GrantRole(ctx, principal.From(ctx), params.UserID, string(params.Role))
	if err != nil {
		return nil, err
	}
	return user(u), nil
}

// RevokeRole takes a role from a person of the house.
func (h administration) RevokeRole(ctx context.Context, params oas.RevokeRoleParams) (*oas.User, error) {
	u, err := h.identity.RevokeRole(ctx, principal.From(ctx), params.UserID, string(params.Role))
	if err != nil {
		return nil, err
	}
	return user(u), nil
}

// given is the value of an optional text, nil when it is absent.
func given(o oas.OptString) *string {
	if !o.Set {
		return nil
	}
	return &o.Value
}

// ChangeUser changes what is known of a user.
func (h administration) ChangeUser(ctx context.Context, req *oas.ChangeUserReq, params oas.ChangeUserParams) (*oas.User, error) {
	c := identity.UserChange{Name: given(req.Name), Alias: given(req.Alias), AreaCode: given(req.AreaCode), Mobile: given(req.Mobile), Mail: given(req.Email), Zone: given(req.TimeZone)}
	if req.Language.Set {
		l := locale.Language(req.Language.Value)
		c.Language = &l
	}
	u, err := h.identity.ChangeUser(ctx, principal.From(ctx), params.DomainID, params.UserID, c)
	if err != nil {
		return nil, err
	}
	return user(u), nil
}

// ChangeDomain changes an account.
func (h administration) ChangeDomain(ctx context.Context, req *oas.ChangeDomainReq, params oas.ChangeDomainParams) (*oas.Domain, error) {
	c := identity.DomainChange{Name: given(req.Name), Plan: given(req.Plan), Switches: map[identity.Switch]bool{}}
	if req.Quota.Set {
		quota := int(req.Quota.Value)
		c.Quota = &quota
	}
	for sw, o := range map[identity.Switch]oas.OptBool{identity.SwitchSubmitByPermission: req.SubmitByPermission, identity.SwitchExport: req.ExportByUsers, identity.SwitchAssumeAll: req.AssumeAll} {
		if o.Set {
			c.Switches[sw] = o.Value
		}
	}
	d, err := h.identity.ChangeDomain(ctx, principal.From(ctx), params.DomainID, c)
	if err != nil {
		return nil, err
	}
	return domain(d), nil
}

// CloseDomain closes an account for good.
func (h administration) CloseDomain(ctx context.Context, req *oas.CloseDomainReq, params oas.CloseDomainParams) (*oas.Domain, error) {
	d, err := h.identity.CloseDomain(ctx, principal.From(ctx), params.DomainID, req.Name)
	if err != nil {
		return nil, err
	}
	return domain(d), nil
}

// ChangeGroup changes a group.
func (h administration) ChangeGroup(ctx context.Context, req *oas.ChangeGroupReq, params oas.ChangeGroupParams) (*oas.Group, error) {
	g, err := h.identity.ChangeGroup(ctx, principal.From(ctx), params.DomainID, params.GroupID, identity.GroupChange{Name: given(req.Name), Roles: req.Roles})
	if err != nil {
		return nil, err
	}
	out := group(g)
	return &out, nil
}

// DeleteGroup removes a group.
func (h administration) DeleteGroup(ctx context.Context, params oas.DeleteGroupParams) error {
	return h.identity.DeleteGroup(ctx, principal.From(ctx), params.DomainID, params.GroupID)
}

// ListDomainKeys lists the access keys of a domain.
func (h administration) ListDomainKeys(ctx context.Context, params oas.ListDomainKeysParams) (*oas.DomainKeyList, error) {
	all, err := h.identity.DomainKeys(ctx, principal.From(ctx), params.DomainID)
	if err != nil {
		return nil, err
	}
	var users []string
	for _, k := range all {
		users = append(users, k.User)
	}
	names, err := h.identity.Names(ctx, params.DomainID, users)
	if err != nil {
		return nil, err
	}
	list := &oas.DomainKeyList{Items: []oas.DomainKey{}}
	for _, k := range all {
		list.Items = append(list.Items, oas.DomainKey{ID: k.ID, UserID: k.User, UserName: text(names[k.User]), Disabled: k.Disabled, CreatedAt: at(k.Created), LastUsedAt: maybeAt(k.LastUsed)})
	}
	return list, nil
}

// ShowDomainClock shows a sandbox's clock.
func (h administration) ShowDomainClock(ctx context.Context, params oas.ShowDomainClockParams) (*oas.DomainClock, error) {
	d, err := h.identity.Domain(ctx, principal.From(ctx), params.DomainID)
	if err != nil {
		return nil, err
	}
	if !d.Sandbox {
		return nil, identity.ErrNotSandbox
	}
	return &oas.DomainClock{DomainID: d.ID, AheadSeconds: d.Clock / 1000, Now: at(h.host.Now().UnixMilli() + d.Clock)}, nil
}

var errAuditWindow = fault.New(fault.Invalid, fault.CodeInvalid, "开始时间 from 须早于结束时间 to", "from must be before to").In("from")

func auditFilter(actor, kind, domain, ticket oas.OptString, from, to oas.OptTime) (AuditFilter, error) {
	f := AuditFilter{Filter: event.Filter{Actor: actor.Or(""), Kind: kind.Or(""), Domain: domain.Or(""), From: instant(from), To: instant(to)}, Ticket: ticket.Or("")}
	if f.From > 0 && f.To > 0 && f.From >= f.To {
		return f, errAuditWindow
	}
	return f, nil
}

// ListAudit shows what happened, newest first.
func (h administration) ListAudit(ctx context.Context, params oas.ListAuditParams) (*oas.AuditPage, error) {
	f, err := auditFilter(params.Actor, params.Action, params.Domain, params.Ticket, params.From, params.To)
	if err != nil {
		return nil, err
	}
	limit := int(params.Limit.Or(100))
	f.Before, f.Limit = params.Before.Or(0), limit+1
	rows, err := h.host.Audit(ctx, f)
	if err != nil {
		return nil, err
	}
	page := &oas.AuditPage{Items: []oas.Event{}}
	if len(rows) > limit {
		rows = rows[:limit]
		page.NextBefore = oas.NewOptInt64(rows[limit-1].Seq)
	}
	told, err := h.tickets.Tell(ctx, rows)
	if err != nil {
		return nil, err
	}
	lang := locale.From(ctx).Language
	for i, r := range rows {
		e, err := change(r)
		if err != nil {
			return nil, err
		}
		t := told[i]
		e.Ticket, e.SubjectName, e.About, e.Via = text(t.Ticket), text(t.Subject.In(lang)), text(t.Words.In(lang)), via(t.Via, lang)
		page.Items = append(page.Items, e)
	}
	return page, nil
}

// via is by what of the house's something happened.
func via(v *principal.Via, lang locale.Language) (out oas.OptVia) {
	if v != nil {
		out.SetTo(oas.Via{Kind: oas.ViaKind(v.Kind), ID: text(v.ID), Run: text(v.Run), Name: text(viaName(v, lang))})
	}
	return out
}

func viaName(v *principal.Via, lang locale.Language) string {
	return locale.Texts{ZH: v.NameZH, EN: v.NameEN}.In(lang)
}

// maxAudit is how many events a file of the audit holds at most.
const maxAudit = 100_000

// ExportAudit is the same as a file.
func (h administration) ExportAudit(ctx context.Context, params oas.ExportAuditParams) (oas.ExportAuditOK, error) {
	f, err := auditFilter(params.Actor, params.Action, params.Domain, params.Ticket, params.From, params.To)
	if err != nil {
		return oas.ExportAuditOK{}, err
	}
	f.Limit = 1000
	file := &auditFile{ctx: ctx, read: h.host.Audit, tell: h.tickets.Tell, filter: f}
	if err := file.fill(); err != nil { // what is refused is refused before the file begins
		return oas.ExportAuditOK{}, err
	}
	if err := h.host.ExportsAudit(ctx, principal.From(ctx), f); err != nil {
		return oas.ExportAuditOK{}, err
	}
	return oas.ExportAuditOK{Data: file}, nil
}

// hashLabel stands before hashes: a cell that began with one could be taken for a
// formula, and would get an apostrophe that is no part of it.
const hashLabel = "hmac-sha256:"

// auditFile reads the events page by page while it is read itself.
type auditFile struct {
	ctx    context.Context
	read   func(context.Context, AuditFilter) ([]event.Row, error)
	tell   func(context.Context, []event.Row) ([]ticket.Told, error)
	filter AuditFilter
	text   bytes.Buffer
	csv    *sheet.CSV
	rows   int
	done   bool
}

func (a *auditFile) Read(p []byte) (int, error) {
	for a.text.Len() == 0 {
		if a.done {
			return 0, io.EOF
		}
		if err := a.fill(); err != nil {
			return 0, err
		}
	}
	return a.text.Read(p)
}

// fill writes the next page into the buffer.
func (a *auditFile) fill() error {
	rows, err := a.read(a.ctx, a.filter)
	if err != nil {
		return err
	}
	if a.csv == nil {
		a.csv = sheet.NewCSV(&a.text)
		if err := a.csv.Row([]string{"seq", "domain_seq", "at", "domain_id", "kind", "subject", "subject_id", "revision", "actor_kind", "actor_id", "address", "request_id", "data", "hash", "ticket", "about", "via", "via_id", "via_name"}); err != nil {
			return err
		}
	}
	told, err := a.tell(a.ctx, rows)
	if err != nil {
		return err
	}
	lang := locale.From(a.ctx).Language
	for i, r := range rows {
		if a.rows++; a.rows > maxAudit {
			break
		}
		t := told[i]
		if t.Via == nil {
			t.Via = &principal.Via{}
		}
		err := a.csv.Row([]string{auditNumber(r.Seq), auditNumber(r.DomainSeq), time.UnixMilli(r.At).UTC().Format("2006-01-02T15:04:05.000Z"), r.Domain, r.Kind, r.Subject, r.SubjectID,
			auditNumber(r.Revision), r.ActorKind.String(), r.Actor, r.Address, r.RequestID, string(r.Data), hashLabel + r.Hash,
			t.Ticket, t.Words.In(lang), t.Via.Kind, t.Via.ID, viaName(t.Via, lang)})
		if err != nil {
			return err
		}
		a.filter.Before = r.Seq
	}
	a.done = len(rows) < a.filter.Limit || a.rows > maxAudit
	return a.csv.Flush()
}

func auditNumber(n int64) string { return strconv.FormatInt(n, 10) }

// ShowAuditChain shows how far the history is sealed.
func (h administration) ShowAuditChain(ctx context.Context) (*oas.AuditChain, error) {
	c, err := h.host.Chain(ctx)
	if err != nil {
		return nil, err
	}
	return &oas.AuditChain{Sealed: c.Sealed, Unsealed: c.Unsealed, SealedAt: maybeAt(c.At), Hash: c.Hash, Holds: c.Holds, CheckedFrom: c.From}, nil
}

// ListBlockedContacts lists contacts nothing is sent to.
func (h administration) ListBlockedContacts(ctx context.Context) (*oas.BlockedContactList, error) {
	all, err := h.notify.Blocks(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.BlockedContactList{Items: []oas.BlockedContact{}}
	for _, b := range all {
		list.Items = append(list.Items, oas.BlockedContact{ID: b.ID, Channel: oas.Channel(b.Way), To: text(b.To), Detail: text(b.Cause), Since: at(b.Since), Until: at(b.Until)})
	}
	return list, nil
}

// UnblockContact lets a contact be sent to again.
func (h administration) UnblockContact(ctx context.Context, req *oas.UnblockContactReq) error {
	who := principal.From(ctx)
	switch {
	case req.ID.Set == req.To.Set:
		return fault.Missing.In("id")
	case req.ID.Set:
		return h.notify.UnblockID(ctx, who, req.ID.Value)
	}
	return h.notify.Unblock(ctx, who, req.To.Value)
}

func demoWorld(w DemoWorld) *oas.DemoWorld {
	out := &oas.DemoWorld{Present: len(w.Domains)+len(w.People)+w.Desk > 0, Domains: []oas.Domain{}, People: []oas.User{}, Desk: int32(w.Desk), Tickets: int32(w.Tickets)}
	for _, d := range w.Domains {
		out.Domains = append(out.Domains, *domain(d))
	}
	for _, u := range w.People {
		out.People = append(out.People, *user(u))
	}
	return out
}

// ShowDemo shows what of the demo world is there.
func (h administration) ShowDemo(ctx context.Context) (*oas.DemoWorld, error) {
	w, err := h.host.DemoWorld(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	return demoWorld(w), nil
}

// RemoveDemo removes the demo world.
func (h administration) RemoveDemo(ctx context.Context, req *oas.RemoveDemoReq) (*oas.DemoWorld, error) {
	if !req.Confirm {
		return nil, fault.Missing.In("confirm")
	}
	w, err := h.host.RemoveDemo(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	return demoWorld(w), nil
}
