package catalog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// PublishedAgreement is a version of an agreement that is or was published.
type PublishedAgreement struct {
	Agreement
	Withdrawn bool // it left the files: nobody can sign it, old signatures stay recorded
	Latest    bool // the one that customers are asked to sign
}

// Agreements are all versions ever published, by type, newest first. For the house.
func (s *Service) Agreements(ctx context.Context, who principal.Principal) (all []PublishedAgreement, err error) {
	if !ofHouse(who) {
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { all, err = EverPublished(tx); return err })
	return all, err
}

func ofHouse(who principal.Principal) bool {
	return who.Kind == principal.Engineer || who.Kind == principal.Local || who.Kind == principal.System
}

// EverPublished are all versions ever published, by type, newest first.
func EverPublished(tx *db.Tx) (all []PublishedAgreement, err error) {
	latest := map[string]int32{}
	err = tx.List(func(r db.Row) error {
		var text string
		var retired int64
		if err := r.Scan(&text, &retired); err != nil {
			return err
		}
		a := PublishedAgreement{Withdrawn: retired > 0}
		if err := json.Unmarshal([]byte(text), &a.Agreement); err != nil {
			return err
		}
		if !a.Withdrawn {
			latest[a.Type] = max(latest[a.Type], a.Version)
		}
		all = append(all, a)
		return nil
	}, "SELECT data, retired FROM catalog_entries WHERE kind = ?", string(KindAgreement))
	for i := range all {
		all[i].Latest = !all[i].Withdrawn && all[i].Version == latest[all[i].Type]
	}
	slices.SortFunc(all, func(a, b PublishedAgreement) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), cmp.Compare(b.Version, a.Version))
	})
	return all, err
}

// NewAgreement is a text to publish. A name that is empty in both languages is
// that of the newest version of the type.
type NewAgreement struct {
	Type    string
	Name    locale.Texts
	Content locale.Texts
}

var (
	errSameText  = fault.New(fault.Conflict, fault.CodeInvalid, "内容与当前版本 {version} 完全相同，无需发布", "the text is that of version {version} already, there is nothing to publish").In("content")
	errFileTaken = fault.New(fault.Conflict, fault.CodeInvalid, "配置目录中已有文件 {file}，请改名后再发布", "the catalogue has a file {file} already: rename it and publish again")
)

// Published is what Publish did.
type Published struct {
	Agreement PublishedAgreement
	File      string // of the catalogue, that holds it
	Text      string // of that file
}

// Publish puts a new version of an agreement in force and answers it with the
// catalogue file that holds it. Id and version are chosen here, above all that
// were ever used, so that nobody can mistake one text for another: the version
// before stays as it is, and its signatures do not count for the new one. The
// file joins the catalogue like any other, so that export, plan and apply go on
// from there. Administrators only. It fails like Apply, and with OSM.01010001
// naming type, name or content.
func (s *Service) Publish(ctx context.Context, who principal.Principal, in NewAgreement) (Published, error) {
	if !who.Admin() {
		return Published{}, fault.NoPermission
	}
	var files map[string][]byte
	var all []PublishedAgreement
	var version int64
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		if version, err = storedVersion(tx); err != nil {
			return err
		}
		if files, err = storedFiles(tx); err != nil {
			return err
		}
		all, err = EverPublished(tx)
		return err
	})
	if err != nil {
		return Published{}, err
	}
	if len(files) == 0 {
		files = Default()
	}
	next, refusal := following(all, in)
	if refusal == nil {
		refusal = s.fits(next)
	}
	out := Published{Agreement: PublishedAgreement{Agreement: next, Latest: true}, File: fmt.Sprintf("agreement-%s-v%d.yaml", next.Type, next.Version)}
	if _, taken := files[out.File]; taken && refusal == nil {
		refusal = errFileTaken.With("file", out.File)
	}
	var p prepared
	if refusal == nil {
		body, err := yaml.MarshalWithOptions(map[string][]Agreement{"agreements": {next}}, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
		if err != nil {
			return Published{}, err
		}
		out.Text = "# A published version never changes: people have signed it.\n" + string(body)
		files[out.File] = []byte(out.Text)
		p, refusal = s.prepare(ctx, who, files)
		if p.diff.Version != version && (refusal == nil || p.diff.Version != 0) { // applied by another since the files were read
			refusal = errMoved.With("now", p.diff.Version).With("expected", version)
		}
	}
	// Refused inside: a repeated request gets its first answer, although the text
	// is there by now.
	out, err = db.Do(ctx, s.db, func(tx *db.Tx) (Published, error) {
		if refusal != nil {
			return Published{}, refusal
		}
		_, err := p.apply(tx, who, AnyVersion)
		return out, err
	})
	if errors.Is(err, db.ErrTaken) {
		return Published{}, errMoved.With("now", p.diff.Version+1).With("expected", p.diff.Version).Because(err)
	}
	if err != nil {
		return Published{}, err
	}
	return out, s.reload(ctx)
}

// following is the version that comes behind those ever published.
func following(all []PublishedAgreement, in NewAgreement) (Agreement, error) {
	next := Agreement{ID: 1, Type: in.Type, Version: 1, Name: in.Name, Content: trimmed(in.Content)}
	for _, old := range all {
		next.ID = max(next.ID, old.ID+1)
		if old.Type == in.Type {
			next.Version = max(next.Version, old.Version+1)
		}
	}
	i := slices.IndexFunc(all, func(old PublishedAgreement) bool { return old.Type == in.Type && old.Latest })
	if i < 0 {
		return next, nil
	}
	if next.Name == (locale.Texts{}) {
		next.Name = all[i].Name
	}
	if all[i].Content == next.Content && all[i].Name == next.Name {
		return next, errSameText.With("version", all[i].Version)
	}
	return next, nil
}

// fits refuses what the files' check would, in the words of one who has no files.
func (s *Service) fits(a Agreement) error {
	if !slices.ContainsFunc(s.Now().live.agreementTypes, func(t AgreementType) bool { return t.Type == a.Type }) {
		return fault.Unknown.In("type")
	}
	for _, t := range []struct {
		field string
		texts locale.Texts
		max   int
	}{{"name", a.Name, maxAgreement}, {"content", a.Content, maxAgreementDoc}} {
		k := &checker{}
		for lang, text := range map[string]string{"zh": t.texts.ZH, "en": t.texts.EN} {
			if strings.TrimSpace(text) == "" {
				return fault.Missing.In(t.field + "." + lang)
			}
			if k.length(origin{}, text, t.max); len(k.wrong) > 0 {
				return fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} "+k.wrong[0].ZH, "{field} "+k.wrong[0].EN).In(t.field + "." + lang)
			}
		}
	}
	return nil
}

// Signature is one acceptance of an agreement.
type Signature struct {
	Domain, User, Relation string
	Record                 int32 // number within the domain
	Signed                 int64 // milliseconds UTC
}

// SignatureFilter of the house's list.
type SignatureFilter struct {
	Agreement int32
	Domain    string // "" = all
	Cursor    string // of the page before
	Limit     int    // 1..100, 0 = 50
}

var errCursor = fault.Unknown.In("cursor")

// Signatures is a page of who accepted an agreement, newest first, and the
// cursor of the next page ("" at the end). For the house. It fails with
// OSM.01010001 naming id when there never was such an agreement.
func (s *Service) Signatures(ctx context.Context, who principal.Principal, f SignatureFilter) (page []Signature, cursor string, err error) {
	if !ofHouse(who) {
		return nil, "", fault.NoPermission
	}
	if f.Limit == 0 {
		f.Limit = 50
	}
	cond, args := "agreement_id = ?", []any{f.Agreement}
	if f.Domain != "" {
		cond, args = cond+" AND domain_id = ?", append(args, f.Domain)
	}
	if f.Cursor != "" {
		at, domain, id, ok := readCursor(f.Cursor)
		if !ok {
			return nil, "", errCursor
		}
		cond, args = cond+" AND (signed_at, domain_id, id) < (?, ?, ?)", append(args, at, domain, id)
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, cursor = nil, ""
		var n int
		if err := tx.Get("SELECT count(*) FROM catalog_agreements WHERE id = ?", f.Agreement).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return errNoAgreement
		}
		return tx.List(func(r db.Row) error {
			var g Signature
			err := r.Scan(&g.Domain, &g.Record, &g.User, &g.Relation, &g.Signed)
			page = append(page, g)
			return err
		}, "SELECT domain_id, id, user_id, relation_id, signed_at FROM agreement_signatures /* all domains: the house asks who signed */ WHERE "+cond+
			" ORDER BY signed_at DESC, domain_id DESC, id DESC LIMIT ?", append(args, f.Limit+1)...)
	})
	if err == nil && len(page) > f.Limit {
		page = page[:f.Limit]
		last := page[f.Limit-1]
		cursor = fmt.Sprintf("%d.%s.%d", last.Signed, last.Domain, last.Record)
	}
	return page, cursor, err
}

func readCursor(s string) (at int64, domain string, id int32, ok bool) {
	first, rest, ok1 := strings.Cut(s, ".")
	domain, last, ok2 := strings.Cut(rest, ".")
	at, err1 := strconv.ParseInt(first, 10, 64)
	n, err2 := strconv.ParseInt(last, 10, 32)
	return at, domain, int32(n), ok1 && ok2 && errors.Join(err1, err2) == nil
}
