package ticket

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Limits of a report, in characters. Those of the contact are ours: the
// contract sets none (contract README, section 9).
const (
	maxReportKind    = 32
	maxReportTitle   = 2048
	maxReportContent = 5000
	maxReportFiles   = 3
	maxFileID        = 32
	maxReportName    = 128
	maxReportMobile  = 32
	maxReportMail    = 128
	maxReportLine    = 256
	maxReportNote    = 1000
	maxRightText     = 2000
)

// SettingReportKinds is the key of the catalogue's configuration that lists the
// kinds of report, joined by commas; clients can read it with ShowConfiguration.
const SettingReportKinds = "feedback_types"

// reportKinds serve where the catalogue has no list.
const reportKinds = "infringement,privacy,phishing,malware,spam,attack,illegal_content,other"

// Identities of a reporter (contract: id_type): company, individual, agent,
// lawyer, owner of the right.
var identities = []int{10, 20, 21, 22, 23}

// Kinds of right (contract: ip_type).
var rights = []string{"copyright", "trademark", "patent"}

// Faults of reports.
var (
	ErrReportKind = fault.New(fault.Invalid, "OSM.01010016", "举报类型无效", "The createFeedback type is invalid.").In("type")
	ErrRight      = fault.New(fault.Invalid, "OSM.01010031", "类型无效", "The type is invalid.").In("ip.ip_type")
	ErrNoReport   = fault.New(fault.NotFound, fault.CodeInvalid, "举报不存在", "there is no such report").In("id")
	errHandled    = fault.New(fault.Conflict, fault.CodeNoPermission, "该举报已处理", "this report has been handled already")
)

// Reporter is who files a report and how to reach him.
type Reporter struct {
	Name     string   `json:"name"`
	Mobile   string   `json:"mobile"`
	Mail     string   `json:"mail,omitempty"`
	Company  string   `json:"company,omitempty"`
	Area     string   `json:"area,omitempty"`
	Address  string   `json:"address,omitempty"`
	OtherWay string   `json:"other_way,omitempty"`
	Identity int      `json:"identity"` // one of identities
	Files    []string `json:"files"`    // attachments that prove the identity
}

// Right is the intellectual property concerned.
type Right struct {
	Kind    string `json:"kind,omitempty"`
	Area    string `json:"area,omitempty"`
	Number  string `json:"number,omitempty"`
	Content string `json:"content,omitempty"`
}

// NewReport is a report of abuse or infringement to be filed.
type NewReport struct {
	Kind, Title, Content string
	Files                []string
	Reporter             Reporter
	Right                *Right
}

var (
	mobileForm = regexp.MustCompile(`^[+0-9][0-9 ().-]{2,31}$`)
	fileForm   = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

func (n NewReport) check(kinds string) error {
	if n.Kind == "" {
		return fault.Missing.In("type")
	}
	if utf8.RuneCountInString(n.Kind) > maxReportKind {
		return fault.TooLong.In("type").With("max", maxReportKind)
	}
	if !slices.ContainsFunc(strings.Split(kinds, ","), func(k string) bool { return strings.TrimSpace(k) == n.Kind }) {
		return ErrReportKind
	}
	r := n.Reporter
	texts := []struct {
		field, text string
		most        int
		must, lines bool
	}{
		{"title", n.Title, maxReportTitle, true, false}, {"content", n.Content, maxReportContent, true, true},
		{"contacts.name", r.Name, maxReportName, true, false}, {"contacts.mobile", r.Mobile, maxReportMobile, true, false},
		{"contacts.mail", r.Mail, maxReportMail, false, false}, {"contacts.company_name", r.Company, maxReportName, false, false},
		{"contacts.area", r.Area, maxReportName, false, false}, {"contacts.address", r.Address, maxReportLine, false, false},
		{"contacts.other_way", r.OtherWay, maxReportLine, false, false},
	}
	if n.Right != nil {
		texts = append(texts, []struct {
			field, text string
			most        int
			must, lines bool
		}{{"ip.ip_area", n.Right.Area, maxReportName, false, false}, {"ip.ip_number", n.Right.Number, maxReportName, false, false}, {"ip.ip_content", n.Right.Content, maxRightText, false, true}}...)
	}
	for _, t := range texts {
		switch {
		case t.must && strings.TrimSpace(t.text) == "":
			return errBlank.In(t.field)
		case utf8.RuneCountInString(t.text) > t.most:
			return fault.TooLong.In(t.field).With("max", t.most)
		case strings.ContainsFunc(t.text, func(c rune) bool { return unicode.IsControl(c) && !(t.lines && (c == '\n' || c == '\r' || c == '\t')) }):
			return fault.Unknown.In(t.field)
		}
	}
	if !mobileForm.MatchString(r.Mobile) {
		return fault.BadFormat.In("contacts.mobile").With("form", "+86 13800000000")
	}
	if r.Mail != "" {
		if _, err := identity.NormalMail(r.Mail); err != nil {
			return fault.BadFormat.In("contacts.mail").With("form", "name@example.com")
		}
	}
	if !slices.Contains(identities, r.Identity) {
		return fault.Unknown.In("contacts.id_type")
	}
	if n.Right != nil && n.Right.Kind != "" && !slices.Contains(rights, n.Right.Kind) {
		return ErrRight
	}
	if err := checkFiles("files", n.Files); err != nil {
		return err
	}
	return checkFiles("contacts.id_files", r.Files)
}

func checkFiles(field string, ids []string) error {
	switch {
	case len(ids) == 0:
		return fault.Missing.In(field)
	case len(ids) > maxReportFiles:
		return fault.TooManyItems.In(field).With("max", maxReportFiles)
	}
	for _, id := range ids {
		if len(id) > maxFileID {
			return fault.TooLong.In(field).With("max", maxFileID)
		}
		if !fileForm.MatchString(id) {
			return fault.Unknown.In(field)
		}
	}
	return nil
}

// Report is a report as the house sees it.
type Report struct {
	Domain, DomainName, ID, Reporter, ReporterName string
	Kind, Title, Content                           string
	Contact                                        Reporter // masked in lists, empty when the person was erased
	Right                                          *Right
	Files                                          []string
	Created, Handled                               int64 // milliseconds UTC, Handled 0 = open
	Handler, HandlerName, Note                     string

	contact string // sealed
}

func reportPlace(id string) seal.Place {
	return seal.Place{Table: "abuse_reports", Column: "contact", Row: id}
}

// FileReport files a report of abuse and tells the operator's mail address, if
// one is configured. Who files it is sealed with his key. Failures:
// OSM.01010016 (unknown kind), .31 (unknown kind of right), .01 naming the field.
func (s *Service) FileReport(ctx context.Context, who principal.Principal, in NewReport) error {
	if who.Kind != principal.Customer {
		return fault.NoPermission
	}
	kinds, ok := s.catalog.Now().Setting(SettingReportKinds)
	if !ok {
		kinds = reportKinds
	}
	if err := in.check(kinds); err != nil {
		return err
	}
	id := s.db.NewID()
	p, err := s.keys.Person(ctx, who.User)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(in.Reporter)
	if err != nil {
		return err
	}
	contact, err := p.Seal(reportPlace(id), string(plain))
	if err != nil {
		return err
	}
	right := []byte{}
	if in.Right != nil {
		if right, err = json.Marshal(in.Right); err != nil {
			return err
		}
	}
	files, err := json.Marshal(in.Files)
	if err != nil {
		return err
	}
	tell, err := s.tellOperator(ctx, id, in.Kind)
	if err != nil {
		return err
	}
	_, err = db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		tx.Write(1, `INSERT INTO abuse_reports (domain_id, id, reporter, kind, title, content, contact, property, files, created_at, handled_at, handler, note)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '')`,
			who.Domain, id, who.User, in.Kind, in.Title, in.Content, contact, string(right), string(files), tx.Now)
		event.Record(tx, who, event.Event{Domain: who.Domain, Kind: "abuse.report", Subject: "abuse_report", SubjectID: id, LogCode: event.NoLog,
			Data: map[string]any{"kind": in.Kind, "files": len(in.Files)}})
		s.queue(tx, tell)
		return id, nil
	})
	return err
}

func (s *Service) tellOperator(ctx context.Context, id, kind string) (notices, error) {
	to := s.o.Config.AbuseMail
	if to == "" {
		return nil, nil
	}
	p, err := s.notify.Prepare(ctx, notify.Message{Domain: principal.House, Way: notify.Mail, To: to, Template: notify.TemplateAbuse, Language: locale.ZH,
		Values: map[string]string{"id": id, "kind": kind}, Ref: id})
	if errors.Is(err, notify.ErrNoChannel) {
		s.o.Log.Warn("no provider for the notice of an abuse report", "report", id)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return notices{p}, nil
}

const reportColumns = "domain_id, id, reporter, kind, title, content, contact, property, files, created_at, handled_at, handler, note"

func scanReport(r db.Row) (p Report, err error) {
	var right, files string
	err = r.Scan(&p.Domain, &p.ID, &p.Reporter, &p.Kind, &p.Title, &p.Content, &p.contact, &right, &files, &p.Created, &p.Handled, &p.Handler, &p.Note)
	if errors.Is(err, db.ErrNone) {
		return p, ErrNoReport
	}
	if err == nil && right != "" {
		p.Right = new(Right)
		err = json.Unmarshal([]byte(right), p.Right)
	}
	if err == nil {
		err = json.Unmarshal([]byte(files), &p.Files)
	}
	return p, err
}

// maySupervise tells who sees and handles reports.
func maySupervise(who principal.Principal) error {
	if who.Admin() || who.Is(principal.RoleSupervisor) {
		return nil
	}
	return fault.NoPermission
}

// ReportFilter narrows Reports.
type ReportFilter struct {
	Open, Handled bool   // neither or both: all
	After         string // id to go on behind, "" = from the newest
	Limit         int    // 1..100, 0 = 50
}

// Reports is a page of the reports of all domains, newest first, and the cursor
// of the next page ("" at the end). Reporters' contacts are masked. Supervisors
// and administrators only.
func (s *Service) Reports(ctx context.Context, who principal.Principal, f ReportFilter) (page []Report, cursor string, err error) {
	if err := maySupervise(who); err != nil {
		return nil, "", err
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	cond, args := "1 = 1", []any{}
	if f.Open != f.Handled {
		cond = "handled_at = 0"
		if f.Handled {
			cond = "handled_at > 0"
		}
	}
	if f.After != "" {
		cond, args = cond+" AND id < ?", append(args, f.After)
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, cursor = nil, ""
		return tx.List(func(r db.Row) error {
			p, err := scanReport(r)
			page = append(page, p)
			return err
		}, "SELECT "+reportColumns+" FROM abuse_reports /* all domains: the house's list of reports */ WHERE "+cond+" ORDER BY id DESC LIMIT ?", append(args, f.Limit+1)...)
	})
	if err != nil {
		return nil, "", err
	}
	if len(page) > f.Limit {
		page = page[:f.Limit]
		cursor = page[f.Limit-1].ID
	}
	for i := range page {
		if err := s.finishReport(ctx, &page[i], true); err != nil {
			return nil, "", err
		}
	}
	return page, cursor, nil
}

// finishReport opens the contact and fills in names.
func (s *Service) finishReport(ctx context.Context, r *Report, mask bool) error {
	p, err := s.keys.Person(ctx, r.Reporter)
	switch {
	case errors.Is(err, seal.ErrErased), err == nil && r.contact == "":
	case err != nil:
		return err
	default:
		plain, err := p.Open(reportPlace(r.ID), r.contact)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(plain), &r.Contact); err != nil {
			return err
		}
	}
	if c := &r.Contact; mask && c.Name != "" {
		first, _ := utf8.DecodeRuneInString(c.Name)
		c.Name, c.Mobile, c.Address, c.OtherWay = string(first)+"***", notify.MaskNumber(c.Mobile), "", ""
		if c.Mail != "" {
			c.Mail = notify.Mask(c.Mail)
		}
	}
	d, err := s.ident.Current(ctx, r.Domain)
	if err != nil {
		return err
	}
	names, err := s.ident.Names(ctx, r.Domain, []string{r.Reporter})
	if err != nil {
		return err
	}
	r.DomainName, r.ReporterName = d.Name, names[r.Reporter]
	if r.Handler != "" {
		names, err = s.ident.Names(ctx, principal.House, []string{r.Handler})
		r.HandlerName = names[r.Handler]
	}
	return err
}

func reportIn(tx *db.Tx, id string) (Report, error) {
	return scanReport(tx.Get("SELECT "+reportColumns+" FROM abuse_reports /* all domains: the house names a report by its id */ WHERE id = ?", id))
}

// ShowReport is a report with its reporter's contact in full; that somebody read
// it is recorded first. Supervisors and administrators only. It fails with
// ErrNoReport.
func (s *Service) ShowReport(ctx context.Context, who principal.Principal, id string) (r Report, err error) {
	if err := maySupervise(who); err != nil {
		return r, err
	}
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if r, err = reportIn(tx, id); err != nil {
			return err
		}
		event.Record(tx, who, event.Event{Domain: r.Domain, Kind: "abuse.read", Subject: "abuse_report", SubjectID: r.ID, LogCode: event.NoLog})
		return nil
	})
	if err != nil {
		return r, err
	}
	return r, s.finishReport(ctx, &r, false)
}

// HandleReport notes that the house has dealt with a report, with a note of at
// most 1,000 characters, and answers it, its contact masked. Supervisors and
// administrators only. It fails with ErrNoReport, and with OSM.01010002 when the
// report is handled already.
func (s *Service) HandleReport(ctx context.Context, who principal.Principal, id, note string) (Report, error) {
	if err := maySupervise(who); err != nil {
		return Report{}, err
	}
	if utf8.RuneCountInString(note) > maxReportNote {
		return Report{}, fault.TooLong.In("note").With("max", maxReportNote)
	}
	type key struct{ Domain, ID string }
	_, err := db.Do(ctx, s.db, func(tx *db.Tx) (key, error) {
		r, err := reportIn(tx, id)
		switch {
		case err != nil:
			return key{}, err
		case r.Handled > 0:
			return key{}, errHandled
		}
		tx.Write(1, "UPDATE abuse_reports SET handled_at = ?, handler = ?, note = ? WHERE domain_id = ? AND id = ? AND handled_at = 0", tx.Now, who.User, note, r.Domain, r.ID)
		event.Record(tx, who, event.Event{Domain: r.Domain, Kind: "abuse.handle", Subject: "abuse_report", SubjectID: r.ID, LogCode: event.NoLog})
		return key{r.Domain, r.ID}, nil
	})
	if err != nil {
		return Report{}, err
	}
	var r Report
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { r, err = reportIn(tx, id); return err })
	if err != nil {
		return r, err
	}
	return r, s.finishReport(ctx, &r, true)
}
