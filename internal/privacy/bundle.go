package privacy

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// bundleLife is how long a link can be used.
const bundleLife = 24 * time.Hour

var errTaken = fault.New(fault.Conflict, fault.CodeNoPermission, "该链接已使用或已过期，请重新生成", "this link was used or has expired: make a new one")

// Bundle is a link to a download of what is held about a person.
type Bundle struct {
	ID, Domain, User string
	Created, Expires int64
}

// NewBundle makes a link to one download of all that is held about a person:
// administrators for anybody, a customer's user for himself. It lasts a day.
// Failures as of Plan.
func (s *Service) NewBundle(ctx context.Context, who principal.Principal, t Target) (Bundle, error) {
	if mayRule(who) != nil && (who.Kind != principal.Customer || t != (Target{Domain: who.Domain, User: who.User})) {
		return Bundle{}, fault.NoPermission
	}
	if _, err := s.find(ctx, t); err != nil {
		return Bundle{}, err
	}
	b := Bundle{ID: s.db.NewID(), Domain: t.Domain, User: t.User}
	contact, err := s.seal("privacy_bundles", "contact", b.ID, t.Contact)
	if err != nil {
		return b, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Bundle, error) {
		b := b
		b.Created, b.Expires = tx.Real, tx.Real+bundleLife.Milliseconds()
		tx.Write(1, "INSERT INTO privacy_bundles (id, domain_id, user_id, contact, actor, created_at, expires_at, taken_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
			b.ID, b.Domain, b.User, contact, who.User, b.Created, b.Expires)
		traced(tx, who, b, "privacy.bundle")
		return b, nil
	})
}

// endBundles forgets whose contact the links are that can be used no more.
func (s *Service) endBundles(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE privacy_bundles /* all domains: what has expired */ SET contact = '' WHERE contact <> '' AND expires_at <= ?", tx.Real)
		return nil
	})
}

// dropBundles ends the links to bundles of contacts that are being erased.
func (s *Service) dropBundles(ctx context.Context, contacts []string) error {
	type link struct{ id, contact string }
	var all []link
	err := s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			var l link
			err := r.Scan(&l.id, &l.contact)
			all = append(all, l)
			return err
		}, "SELECT id, contact FROM privacy_bundles /* all domains: a contact belongs to none */ WHERE contact <> ''") // those of a day
	})
	if err != nil {
		return err
	}
	var gone []string
	for _, l := range all {
		c, err := s.open("privacy_bundles", "contact", l.id, l.contact)
		if err != nil {
			return err
		}
		if c, err = normal(c); err == nil && slices.Contains(contacts, c) {
			gone = append(gone, l.id)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return s.update(ctx, func(tx *db.Tx) error {
		for _, id := range gone {
			tx.Write(db.Any, "UPDATE privacy_bundles SET contact = '', expires_at = CASE WHEN expires_at > ? THEN ? ELSE expires_at END WHERE id = ?", tx.Real, tx.Real, id)
		}
		return nil
	})
}

func traced(tx *db.Tx, who principal.Principal, b Bundle, kind string) {
	e := event.Event{Domain: b.Domain, Kind: kind, Subject: "user", SubjectID: b.User, LogCode: event.NoLog, Data: map[string]any{"bundle": b.ID}}
	if b.User == "" {
		e.Subject, e.SubjectID = "bundle", b.ID
	}
	event.Record(tx, who, e)
}

// TakeBundle uses a link up and answers what writes the archive: a zip of JSON
// lines, files, and a page for people, in a language. Who made the link, and
// administrators. That it was taken is recorded before the first byte. Failures:
// ErrNone, and one that says it was used or has expired.
func (s *Service) TakeBundle(ctx context.Context, who principal.Principal, id string, lang locale.Language) (func(w io.Writer) error, error) {
	var (
		b              Bundle
		contact, actor string
	)
	read := func(tx *db.Tx) (taken int64, err error) {
		b = Bundle{ID: id}
		err = tx.Get("SELECT domain_id, user_id, contact, actor, expires_at, taken_at FROM privacy_bundles WHERE id = ?", id).Scan(&b.Domain, &b.User, &contact, &actor, &b.Expires, &taken)
		if errors.Is(err, db.ErrNone) || err == nil && mayRule(who) != nil && actor != who.User {
			err = ErrNone.In("bundle_id")
		}
		return taken, err
	}
	err := s.db.Update(db.WithoutRequestKey(ctx), func(tx *db.Tx) error {
		taken, err := read(tx)
		switch {
		case err != nil:
			return err
		case taken != 0 || b.Expires <= tx.Real:
			return errTaken
		}
		tx.Write(1, "UPDATE privacy_bundles SET taken_at = ?, contact = '' WHERE id = ? AND taken_at = 0", tx.Real, id)
		traced(tx, who, b, "privacy.bundle.take")
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := Target{Domain: b.Domain, User: b.User}
	if t.Contact, err = s.open("privacy_bundles", "contact", id, contact); err != nil {
		return nil, err
	}
	sub, err := s.find(ctx, t)
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error { return s.write(ctx, w, sub, lang) }, nil
}

// kindNames are what kinds of data are called.
var kindNames = map[string]locale.Texts{
	"account": {ZH: "账号资料", EN: "Account"}, "logins": {ZH: "登录", EN: "Log-ins"}, "keys": {ZH: "访问密钥", EN: "Access keys"}, "groups": {ZH: "用户组", EN: "Groups"},
	"proofs": {ZH: "已验证的联系方式", EN: "Verified contacts"}, "codes": {ZH: "验证码记录", EN: "Verification codes"}, "deliveries": {ZH: "邮件与短信记录", EN: "Mails and text messages sent"},
	"caught": {ZH: "未真正发出的消息（演示与沙箱）", EN: "Messages that were held (demo, sandboxes)"}, "settings": {ZH: "设置", EN: "Settings"}, "files": {ZH: "附件", EN: "Files"},
	"contacts": {ZH: "联系方式", EN: "Contacts"}, "values": {ZH: "附加参数", EN: "Additional parameters"}, "texts": {ZH: "工单与消息", EN: "Tickets and messages"}, "reports": {ZH: "投诉举报", EN: "Abuse reports"},
	"labels": {ZH: "标签", EN: "Labels"}, "authorizations": {ZH: "授权", EN: "Authorizations"}, "diagnoses": {ZH: "诊断", EN: "Diagnoses"}, "mails": {ZH: "来信", EN: "Incoming mails"},
	"drafts": {ZH: "草稿", EN: "Drafts"}, "rules": {ZH: "自动化规则记录", EN: "Runs of rules"}, "reading": {ZH: "知识库评价与推荐", EN: "Articles rated and suggested"}, "history": {ZH: "操作历史", EN: "History"},
}

// KindName is what a kind of data is called.
func KindName(kind string, lang locale.Language) string {
	if t, ok := kindNames[kind]; ok {
		return t.In(lang)
	}
	return kind
}

// part is a file of a bundle.
type part struct {
	name, kind string
	rows       int
}

// bundlePage is how many rows are in memory at once.
const bundlePage = 200

func (s *Service) write(ctx context.Context, w io.Writer, sub subject, lang locale.Language) error {
	z := zip.NewWriter(w)
	var parts []part
	for i, r := range s.rules(sub.Subject) {
		if r.Shown == "" {
			continue
		}
		p := part{name: fmt.Sprintf("data/%02d-%s-%s.jsonl", i+1, r.Kind, r.Table), kind: r.Kind}
		var err error
		if p.rows, err = s.writeRule(ctx, z, p.name, r, sub); err != nil {
			return fmt.Errorf("bundle: %s: %w", r.Table, err)
		}
		if p.rows > 0 {
			parts = append(parts, p)
		}
	}
	if sub.User != "" {
		p := part{name: "data/history.jsonl", kind: "history"}
		var err error
		if p.rows, err = s.writeHistory(ctx, z, p.name, sub); err != nil {
			return fmt.Errorf("bundle: history: %w", err)
		}
		if p.rows > 0 {
			parts = append(parts, p)
		}
	}
	files, err := s.writeFiles(ctx, z, sub)
	if err != nil {
		return fmt.Errorf("bundle: files: %w", err)
	}
	page, err := z.Create("index.html")
	if err != nil {
		return err
	}
	if err := s.index(page, sub, parts, files, lang); err != nil {
		return err
	}
	return z.Close()
}

// writeRule writes what a rule finds as JSON lines; a file only when there is any.
func (s *Service) writeRule(ctx context.Context, z *zip.Writer, name string, r personal.Rule, sub subject) (n int, err error) {
	var out io.Writer
	err = s.eachRow(ctx, r, sub, func(row map[string]any) error {
		if out == nil {
			var err error
			if out, err = z.Create(name); err != nil {
				return err
			}
		}
		n++
		return writeLine(out, row)
	})
	return n, err
}

func writeLine(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// eachRow calls each for the rows of a rule, sealed columns opened; what does not
// open, because its person was erased, is left out.
func (s *Service) eachRow(ctx context.Context, r personal.Rule, sub subject, each func(map[string]any) error) error {
	keys, shown := personal.Columns(r.Key), personal.Columns(r.Shown)
	cond, args := personal.Expand("("+r.Where+")", sub.Subject, 0)
	row, owner := "''", "''"
	if r.Row != "" {
		row = r.Row
	}
	if r.Owner != "" {
		owner = r.Owner
	}
	text := "SELECT " + strings.Join(append(append(append([]string{}, keys...), shown...), row, owner), ", ") + " FROM " + r.Table + " /* all domains: the condition says whose */ WHERE " + cond
	var after []any
	for {
		type found struct {
			values     []any
			row, owner string
		}
		var page []found
		err := s.db.View(ctx, func(tx *db.Tx) error {
			page = nil
			text, args := text, args
			if after != nil {
				text += " AND (" + strings.Join(keys, ", ") + ") > (?" + strings.Repeat(", ?", len(keys)-1) + ")"
				args = append(append([]any{}, args...), after...)
			}
			return tx.List(func(from db.Row) error {
				f := found{values: make([]any, len(keys)+len(shown))}
				var to []any
				for i := range f.values {
					to = append(to, &f.values[i])
				}
				err := from.Scan(append(to, &f.row, &f.owner)...)
				page = append(page, f)
				return err
			}, text+" ORDER BY "+r.Order()+" LIMIT ?", append(append([]any{}, args...), bundlePage)...)
		})
		if err != nil {
			return err
		}
		for _, f := range page {
			out := map[string]any{}
			for i, c := range shown {
				v := f.values[len(keys)+i]
				if by, ok := r.Open[c]; ok {
					if f.owner == "" {
						f.owner = sub.User
					}
					if v, err = s.opened(ctx, by, place(r.Table, c, f.row), f.owner, fmt.Sprint(v)); err != nil {
						return err
					}
				}
				out[c] = shownValue(c, v)
			}
			if err := each(out); err != nil {
				return err
			}
		}
		if len(page) < bundlePage {
			return nil
		}
		after = page[len(page)-1].values[:len(keys)]
	}
}

// opened opens a value; one that is not sealed stays as it is, for a column may
// hold both.
func (s *Service) opened(ctx context.Context, by personal.Sealed, at seal.Place, owner, v string) (any, error) {
	switch {
	case by == personal.Data && strings.HasPrefix(v, "s1."):
		plain, err := s.keys.Open(at, v)
		return asValue(string(plain)), err
	case by == personal.Person && strings.HasPrefix(v, "s1."): // nobody's contact is sealed by the installation
		plain, err := s.keys.Open(at, v)
		return asValue(string(plain)), err
	case by == personal.Person && strings.HasPrefix(v, "p1."):
		p, err := s.keys.Person(ctx, owner)
		if errors.Is(err, seal.ErrErased) {
			return "", nil
		}
		if err != nil {
			return nil, err
		}
		plain, err := p.Open(at, v)
		return asValue(plain), err
	}
	return v, nil
}

// asValue shows JSON that was sealed as what it is.
func asValue(plain string) any {
	if strings.HasPrefix(plain, "{") && json.Valid([]byte(plain)) {
		return json.RawMessage(plain)
	}
	return plain
}

// shownValue shows times as people and programs read them.
func shownValue(column string, v any) any {
	n, ok := v.(int64)
	if !ok || n < 1e11 || !strings.HasSuffix(column, "_at") && column != "at" && column != "since" && column != "last_used" {
		return v
	}
	return time.UnixMilli(n).UTC().Format(time.RFC3339)
}

func (s *Service) writeHistory(ctx context.Context, z *zip.Writer, name string, sub subject) (n int, err error) {
	var out io.Writer
	var after string
	for {
		var rows []event.Row
		err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			if rows, err = event.OfActor(tx, sub.Domain, sub.User, after, bundlePage); err != nil {
				return err
			}
			return event.Open(tx, rows)
		})
		if err != nil {
			return n, err
		}
		for _, r := range rows {
			if out == nil {
				if out, err = z.Create(name); err != nil {
					return n, err
				}
			}
			n++
			after = r.ID
			err := writeLine(out, map[string]any{"at": time.UnixMilli(r.At).UTC().Format(time.RFC3339), "kind": r.Kind, "subject": r.Subject, "subject_id": r.SubjectID, "address": r.Address, "request_id": r.RequestID, "data": r.Data})
			if err != nil {
				return n, err
			}
		}
		if len(rows) < bundlePage {
			return n, nil
		}
	}
}

// writeFiles writes the person's files as they are; infected ones are named only.
func (s *Service) writeFiles(ctx context.Context, z *zip.Writer, sub subject) (parts []part, err error) {
	for _, r := range s.rules(sub.Subject) {
		if r.Blob == "" || r.Shown == "" {
			continue
		}
		r.Shown += ", scan, " + r.Blob
		err := s.eachRow(ctx, r, sub, func(row map[string]any) error {
			id, name, scan := fmt.Sprint(row["id"]), fmt.Sprint(row["name"]), fmt.Sprint(row["scan"])
			p := part{name: "files/" + id + "-" + plainFile(name), kind: "files"}
			if scan == "infected" || scan == "failed" || scan == "waiting" {
				p.name = ""
			}
			parts = append(parts, p)
			if p.name == "" {
				return nil
			}
			out, err := z.CreateHeader(&zip.FileHeader{Name: p.name, Method: zip.Store})
			if err != nil {
				return err
			}
			return s.n.Attachments.CopyTo(ctx, fmt.Sprint(row[r.Blob]), out)
		})
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// plainFile is a file's name that leads nowhere else.
func plainFile(name string) string {
	name = path.Base(strings.ReplaceAll(name, "\\", "/"))
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`<>:"|?*`, r) {
			return '_'
		}
		return r
	}, name)
	if name == "." || name == ".." || name == "/" {
		return "file"
	}
	return name
}

// index is the page for people.
func (s *Service) index(w io.Writer, sub subject, parts, files []part, lang locale.Language) error {
	say := func(zh, en string) string { return html.EscapeString(locale.Texts{ZH: zh, EN: en}.In(lang)) }
	var b strings.Builder
	fmt.Fprintf(&b, "<!doctype html>\n<html lang=\"%s\"><meta charset=\"utf-8\"><title>%s</title>\n<h1>%s</h1>\n", html.EscapeString(string(lang)), say("个人信息副本", "Copy of personal data"), say("个人信息副本", "Copy of personal data"))
	who := sub.Name
	if who == "" && len(sub.Contacts) > 0 {
		who = sub.Contacts[0]
	}
	fmt.Fprintf(&b, "<p>%s: %s</p>\n<p>%s: %s</p>\n<p>%s</p>\n", say("人员", "Person"), html.EscapeString(who), say("生成时间（UTC）", "Made (UTC)"), s.db.Now().UTC().Format(time.RFC3339),
		say("data 文件夹中每个文件每行是一条 JSON 记录；files 文件夹中是此人上传的附件原文件。", "Each file in the folder data holds one JSON record a line; the folder files holds what this person uploaded, as it is."))
	fmt.Fprintf(&b, "<table border=\"1\" cellpadding=\"4\"><tr><th>%s</th><th>%s</th><th>%s</th></tr>\n", say("内容", "What"), say("条数", "Records"), say("文件", "File"))
	for _, p := range parts {
		name := html.EscapeString(p.name)
		fmt.Fprintf(&b, "<tr><td>%s</td><td>%d</td><td><a href=\"%s\">%s</a></td></tr>\n", html.EscapeString(KindName(p.kind, lang)), p.rows, name, name)
	}
	b.WriteString("</table>\n")
	if len(files) > 0 {
		fmt.Fprintf(&b, "<h2>%s</h2>\n<ul>\n", say("附件", "Files"))
		for _, f := range files {
			if f.name == "" {
				fmt.Fprintf(&b, "<li>%s</li>\n", say("（未通过安全扫描，未包含）", "(did not pass the scanner, left out)"))
				continue
			}
			name := html.EscapeString(f.name)
			fmt.Fprintf(&b, "<li><a href=\"%s\">%s</a></li>\n", name, name)
		}
		b.WriteString("</ul>\n")
	}
	b.WriteString("</html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}
