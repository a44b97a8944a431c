package ticket

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/attachment"
	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/search"
	"casemate/internal/verify"
)

// Source is the one source a ticket can come from (contract: source_id).
const Source = "83aeb0f2834c4df49826c781d32a963e"

// Limits of the contract (api/v2.yaml), in characters.
const (
	maxDescription = 1200
	maxMessage     = 10000
	maxRemark      = 400
)

// Faults of creating.
var (
	ErrQuota = fault.New(fault.Conflict, fault.CodeNoPermission, "该问题类型的未完成工单已达配额上限（{total}），请先处理已有工单",
		"the quota of open tickets of this problem type ({total}) is used up: finish one of them first")
	errAgreement = fault.New(fault.Forbidden, fault.CodeNoPermission, "请先签署最新的工单服务协议", "please accept the newest service ticket agreement first")
	errBlank     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能为空", "{field} must not be blank")
)

// NewTicket is a ticket to be created.
type NewTicket struct {
	catalog.Choice // Plan is not read: it is the domain's
	Description    string
	Source         string
	Project        string
	RemindTime     string
	Params         map[string]json.RawMessage // additional parameters: JSON values by key
	Extension
	Attachments []string // ids of the caller's unclaimed files
	Group       string   // group under which the caller submits, "" = none; he must be in it
	Claims      verify.Claims
	Locale      locale.Locale // of notices
	ZoneName    string        // X-Time-Zone as it was sent, "" = the default
	Quiet       bool          // nobody gets the notice that it was created: a machine wrote
}

var remindTime = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`)

func (n NewTicket) check() error {
	switch {
	case n.Source == "":
		return fault.Missing.In("source_id")
	case n.Source != Source:
		return fault.Unknown.In("source_id")
	case strings.TrimSpace(n.Description) == "":
		return errBlank.In("simple_description")
	case utf8.RuneCountInString(n.Description) > maxDescription:
		return fault.TooLong.In("simple_description").With("max", maxDescription)
	}
	return checkRemindTime(n.RemindTime)
}

func checkRemindTime(text string) error {
	if text != "" && text != "0" && !remindTime.MatchString(text) {
		return fault.BadFormat.In("remind_time").With("form", "0 | HH:mm-HH:mm")
	}
	return nil
}

// filled tells of each field of the form whether it has a value, by its key as
// a common parameter of the catalogue.
func (n NewTicket) filled() map[string]bool {
	return map[string]bool{"simple_description": n.Description != "", "region_id": n.Region != "", "severity_id": n.Severity != "", "project_id": n.Project != "",
		"remind_mobile": n.Claims.Mobile != "", "remind_mail": n.Claims.Mail != "", "remind_time": n.RemindTime != "", "accessory_ids": len(n.Attachments) > 0}
}

// created is what Create's transaction leaves: stored for a repeated request.
type created struct {
	Number  string
	Refusal *fault.Error `json:",omitempty"`
}

// Create opens a ticket and answers its number. Nothing is stored when it
// fails, except that a wrong verification code counts as a try. Failures:
// OSM.01010001 naming the field, .02 (submission policy, quota, agreement),
// .06, .09 and .30 (catalog.Fit), .10 (a contact is not proved).
func (s *Service) Create(ctx context.Context, who principal.Principal, in NewTicket) (string, error) {
	if who.Kind != principal.Customer {
		return "", fault.NoPermission
	}
	if err := in.check(); err != nil {
		return "", err
	}
	claims, err := s.verify.Prepare(ctx, who, in.Claims)
	if err != nil {
		return "", err
	}
	t := Ticket{Domain: who.Domain, ID: s.db.NewID(), Creator: who.User, Status: Submitted, Revision: 1,
		Region: in.Region, Severity: in.Severity, Project: in.Project, Description: in.Description,
		RemindTime: in.RemindTime, Zone: in.ZoneName, Language: in.Locale.Language}
	t.Number = s.number(ctx)
	t.found = descriptionDoc(t).Ready(s.db.Dialect())
	contact := Contact{Mobile: in.Claims.Mobile, Mail: claims.Mail, E164: claims.Mobile}
	if contact.Mobile != "" {
		if contact.Area = in.Claims.Area; contact.Area == "" {
			contact.Area = "86"
		}
	}
	cat := s.catalog.Now()
	if err := in.into(&contact, cat.CopyAddresses()); err != nil {
		return "", err
	}
	if t.contact, err = s.sealContact(ctx, who.User, t.ID, contact); err != nil {
		return "", err
	}
	copies, err := s.sealCopies(ctx, who, contact.Copies)
	if err != nil {
		return "", err
	}
	domain, err := s.ident.Current(ctx, who.Domain)
	if err != nil {
		return "", err
	}
	in.Choice.Plan = domain.Plan
	kind, err := cat.Fit(in.Choice)
	if err == nil {
		err = cat.FitCommon(kind, in.Plan, in.filled())
	}
	if err != nil {
		return "", s.mayNot(ctx, who, domain, in.Group, err)
	}
	if region, ok := cat.Region(in.Region); ok && region.Sensitive {
		if t.Region, err = s.sealRegion(t.ID, in.Region); err != nil {
			return "", err
		}
	}
	values, err := cat.FitParams(kind, in.Params)
	if err != nil {
		return "", s.mayNot(ctx, who, domain, in.Group, err)
	}
	contacts := s.contactDoc(t, contact)
	params, err := s.sealValues(ctx, who.User, t.ID, "", values, 0)
	if err != nil {
		return "", err
	}
	isv, err := s.ident.HasISV(ctx)
	if err != nil {
		return "", err
	}
	d := draft{cat: cat, kind: kind, domain: domain, claims: claims, params: params, copies: copies, contacts: contacts, group: in.Group, files: in.Attachments, isv: isv[kind.Product]}
	var tell notices
	if s.o.Config.Acknowledge && !in.Quiet {
		if tell, err = s.prepare(ctx, t, notify.TemplateCreate, 0); err != nil {
			return "", err
		}
	}
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (created, error) {
		out, err := s.create(tx, who, t, d)
		if err == nil && out.Refusal == nil {
			s.queue(tx, tell)
		}
		return out, err
	})
	if err != nil {
		return "", err
	}
	if out.Refusal != nil {
		return "", out.Refusal
	}
	return out.Number, nil
}

// draft is what Create has judged and sealed before its transaction.
type draft struct {
	cat    *catalog.Catalog
	kind   catalog.ProblemType
	domain identity.Domain
	claims verify.Prepared
	params []sealedValue
	copies []copyAddress

	contacts []search.Doc // of the desk's search
	group    string
	files    []string // attachments to claim
	isv      bool     // the product is an ISV's: so is the ticket
}

// mayNot is the refusal of a ticket that does not fit: who may not submit at
// all learns that, not what he chose wrong.
func (s *Service) mayNot(ctx context.Context, who principal.Principal, domain identity.Domain, group string, unfit error) error {
	if err := s.db.View(ctx, func(tx *db.Tx) error { return maySubmit(tx, who, domain, group) }); err != nil {
		return err
	}
	return unfit
}

func maySubmit(tx *db.Tx, who principal.Principal, domain identity.Domain, group string) error {
	if err := privilege.MaySubmit(tx, who, domain); err != nil || group == "" {
		return err
	}
	return privilege.InGroup(tx, who, group, "extension_map.group_id")
}

func (s *Service) create(tx *db.Tx, who principal.Principal, t Ticket, d draft) (created, error) {
	cat, kind, domain := d.cat, d.kind, d.domain
	if err := maySubmit(tx, who, domain, d.group); err != nil {
		return created{}, err
	}
	if cat.RequireAgreement() {
		signed, err := catalog.SignedLatest(tx, who.Domain, who.User, catalog.AgreementCreate)
		if err != nil {
			return created{}, err
		}
		if !signed {
			return created{}, errAgreement
		}
	}
	if total := quotaOf(cat, domain, kind.ID); total != catalog.Unlimited {
		tx.Lock(who.Domain, "ticket.quota."+kind.ID)
		used, err := used(tx, who.Domain, kind.ID)
		if err != nil {
			return created{}, err
		}
		if used >= total {
			return created{}, ErrQuota.With("total", total)
		}
	}
	proof, err := s.verify.Prove(tx, who, d.claims)
	if err != nil || !proof.OK() {
		return created{Refusal: proof.Refusal}, err
	}
	t.ProblemType, t.Product, t.Plan, t.Created = kind.ID, kind.Product, domain.Plan, tx.Now
	if p, ok := cat.Product(kind.Product); ok {
		t.SubType = p.SubType
	}
	opening := s.insert(tx, who, &t)
	if d.isv {
		own(tx, t, ISVBusiness)
	}
	search.Put(tx, true, d.contacts...)
	writeValues(tx, t, d.params)
	rememberCopies(tx, who, d.copies)
	err = s.files.Claim(tx, who, attachment.For{Domain: t.Domain, Ticket: t.ID, Message: opening, Owner: t.Creator, Opening: true, Field: "accessory_ids"}, d.files)
	return created{Number: t.Number}, err
}

// insert writes a new ticket with its first message (semantics.md section 4)
// and answers the message's id.
func (s *Service) insert(tx *db.Tx, who principal.Principal, t *Ticket) (opening string) {
	t.Changed, t.StatusAt = tx.Now, tx.Now
	s.startClocks(tx, t)
	tx.Write(1, `INSERT INTO tickets (domain_id, id, number, creator, status, revision, problem_type, sub_type, product, region, severity, project, plan, description,
		contact, remind_time, language, zone, assignee, resolution, judgement, urges, urged_at, created_at, changed_at, status_at, resolved_at, closed_at, scored_at, sla)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', '', 0, 0, ?, ?, ?, 0, 0, 0, ?)`,
		t.Domain, t.ID, t.Number, t.Creator, int(t.Status), t.Revision, t.ProblemType, t.SubType, t.Product, t.Region, t.Severity, t.Project, t.Plan,
		t.Description, t.contact, t.RemindTime, string(t.Language), t.Zone, t.Created, t.Changed, t.StatusAt, t.pace.text())
	opening = addMessage(tx, *t, message{Side: CustomerSide, Author: t.Creator, Text: t.Description, Opening: true})
	sandbox := 0
	if who.Sandbox {
		sandbox = 1
	}
	region := t.Region
	if strings.HasPrefix(region, sealedRegion) {
		region = "" // the row is for filters, which a sensitive region must not answer
	}
	tx.Write(1, `INSERT INTO desk_tickets (number, domain_id, ticket_id, status, severity, assignee, urges, changed_at, sandbox,
		creator, product, sub_type, problem_type, region, plan, language, created_at, due_at, due_kind) VALUES (?, ?, ?, ?, ?, '', 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.Number, t.Domain, t.ID, int(t.Status), t.Severity, t.Changed, sandbox,
		t.Creator, t.Product, t.SubType, t.ProblemType, region, t.Plan, string(t.Language), t.Created, t.Due, string(t.DueKind))
	count(tx, t.Domain, t.Creator, t.Status, 1)
	if t.found.ID == "" {
		t.found = descriptionDoc(*t)
	}
	search.Put(tx, true, t.found)
	event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.create", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: logCreate,
		Data: map[string]any{"number": t.Number, "problem_type": t.ProblemType, "severity": t.Severity}})
	return opening
}

const numberLength = 21

// crockford is the alphabet of numbers: no letter that is read as a digit.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// number is a new ticket number: TS, the date on the product's home clock, 13
// random characters (65 bits; design: ids on the wire).
func (s *Service) number(ctx context.Context) string { // numberLength characters
	b := []byte("TS" + s.db.NowIn(ctx).In(home).Format("060102"))
	for _, r := range s.db.Random(13) {
		b = append(b, crockford[r%32])
	}
	return string(b)
}

var home = time.FixedZone("GMT+8", 8*3600)

// used is how many open tickets of a problem type the customer has.
func used(tx *db.Tx, domain, problemType string) (n int, err error) {
	err = tx.Get("SELECT count(*) FROM tickets WHERE domain_id = ? AND problem_type = ? AND status IN (0, 1, 2, 5, 17)", domain, problemType).Scan(&n)
	return n, err
}

// quotaOf is how many open tickets of a problem type an account may have: what
// the house granted it, else what the catalogue says.
func quotaOf(cat *catalog.Catalog, d identity.Domain, problemType string) int {
	switch d.Quota {
	case 0:
		return cat.Quota(problemType)
	case identity.NoQuota:
		return catalog.Unlimited
	}
	return d.Quota
}

// Quota is how many open tickets of a problem type the caller's domain may have
// and how many more it may open (semantics.md D10); both catalog.Unlimited when
// there is no end.
func (s *Service) Quota(ctx context.Context, who principal.Principal, problemType, product string) (total, unused int, err error) {
	if who.Kind != principal.Customer {
		return 0, 0, fault.NoPermission
	}
	kind, err := s.catalog.Now().FitProblemType(problemType, "", product)
	if err != nil {
		return 0, 0, err
	}
	cat := s.catalog.Now()
	err = s.db.View(ctx, func(tx *db.Tx) error {
		d, err := identity.DomainIn(tx, who.Domain)
		if err != nil {
			return err
		}
		if total = quotaOf(cat, d, kind.ID); total == catalog.Unlimited {
			unused = total
			return nil
		}
		n, err := used(tx, who.Domain, kind.ID)
		unused = max(total-n, 0)
		return err
	})
	return total, unused, err
}
