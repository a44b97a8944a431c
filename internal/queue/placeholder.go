package queue

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// placeName is a placeholder and the words that stand for a missing value.
type placeName struct {
	name    string
	missing locale.Texts
}

// A placeholder stands in a text as {{name}}. What has no value on a ticket gets
// the words given here, and the preview says so.
var placeholders = []placeName{
	{"ticket.number", locale.Texts{}},
	{"ticket.created", locale.Texts{}},
	{"ticket.product", locale.Texts{ZH: "相关产品", EN: "the product"}},
	{"ticket.problem_type", locale.Texts{ZH: "相关问题", EN: "the problem"}},
	{"customer.name", locale.Texts{ZH: "客户", EN: "customer"}},
	{"customer.user", locale.Texts{ZH: "客户", EN: "customer"}},
	{"engineer.alias", locale.Texts{ZH: "工程师", EN: "our engineer"}},
	{"handler.alias", locale.Texts{ZH: "工程师", EN: "our engineer"}},
	{"status", locale.Texts{}},
	{"severity", locale.Texts{ZH: "未定级", EN: "not set"}},
	{"plan", locale.Texts{ZH: "无", EN: "none"}},
}

// Placeholders are the names that may stand in texts.
func Placeholders() (names []string) {
	for _, p := range placeholders {
		names = append(names, p.name)
	}
	return names
}

var (
	placeholder = regexp.MustCompile(`\{\{[ \t]*([^{}]*?)[ \t]*\}\}`)

	errUnknownPlace = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：没有占位符 {name}，可用：{known}", "{field}, character {position}: there is no placeholder {name}; there are: {known}")
	errStrayBraces  = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：双花括号只能用于占位符", "{field}, character {position}: double braces are for placeholders only")
)

// checkPlaceholders refuses names there are not and double braces around
// anything else, by the place of the first one (from 1).
func checkPlaceholders(field, text string) error {
	known := Placeholders()
	rest := []byte(text)
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		if name := text[m[2]:m[3]]; !strings.HasPrefix(name, knowledge.Prefix) && !slices.Contains(known, name) {
			if r := []rune(name); len(r) > 64 {
				name = string(r[:64]) + "..."
			}
			return errUnknownPlace.In(field).With("position", utf8.RuneCountInString(text[:m[0]])+1).With("name", name).With("known", fault.List(append(known, knowledge.Prefix+"…")))
		}
		for i := m[0]; i < m[1]; i++ {
			rest[i] = ' '
		}
	}
	for _, stray := range []string{"{{", "}}"} {
		if i := strings.Index(string(rest), stray); i >= 0 {
			return errStrayBraces.In(field).With("position", utf8.RuneCountInString(text[:i])+1)
		}
	}
	return nil
}

// filler fills placeholders for one ticket and one person.
type filler struct {
	t                ticket.DeskTicket
	catalog          *catalog.Catalog
	engineer, theirs string // aliases: who acts, who handles
	know             *knowledge.Service
	articles         map[string]knowledge.Reference // that the texts refer to
	inside           bool                           // the text is the house's: internal articles may stand in it
}

// filler reads what the placeholders of texts need. Casemate itself writes under
// the handler's alias.
func (s *Service) filler(ctx context.Context, who principal.Principal, t ticket.DeskTicket, texts ...string) (f filler, err error) {
	f = filler{t: t, catalog: s.catalog.Now(), know: s.know}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if f.articles, err = knowledge.ReferencesIn(tx, texts...); err != nil {
			return err
		}
		if t.Assignee != "" {
			if f.theirs, _, err = identity.PublicEngineer(tx, t.Assignee); err != nil {
				return err
			}
		}
		if f.engineer = f.theirs; who.Kind == principal.Engineer {
			f.engineer, _, err = identity.PublicEngineer(tx, who.User)
		}
		return err
	})
	return f, err
}

func (f filler) value(name string, lang locale.Language) string {
	if slug, ok := strings.CutPrefix(name, knowledge.Prefix); ok {
		return f.know.Written(f.articles, slug, lang, !f.inside)
	}
	switch name {
	case "ticket.number":
		return f.t.Number
	case "ticket.created":
		return time.UnixMilli(f.t.Created).In(locale.Parse("", f.t.Zone, "").Zone).Format("2006-01-02 15:04")
	case "ticket.product":
		return f.catalog.Name(catalog.KindProduct, f.t.Product, lang)
	case "ticket.problem_type":
		return f.catalog.Name(catalog.KindProblemType, f.t.ProblemType, lang)
	case "customer.name":
		return f.t.DomainName
	case "customer.user":
		return f.t.CreatorName
	case "engineer.alias":
		return f.engineer
	case "handler.alias":
		return f.theirs
	case "status":
		return f.t.Status.Name(lang)
	case "severity":
		return f.catalog.Name(catalog.KindSeverity, f.t.Severity, lang)
	case "plan":
		return f.catalog.Name(catalog.KindPlan, f.t.Plan, lang)
	}
	return ""
}

// render is a text in the ticket's language, else in the other one, its
// placeholders filled, and the names of those that had no value.
func (f filler) render(w locale.Texts) (text string, lang locale.Language, missing []string) {
	lang = f.t.Language
	if lang != locale.EN {
		lang = locale.ZH
	}
	blank := func(s string) bool { return strings.TrimSpace(s) == "" }
	if lang == locale.EN && blank(w.EN) {
		lang = locale.ZH
	} else if lang == locale.ZH && blank(w.ZH) {
		lang = locale.EN
	}
	source := w.ZH
	if lang == locale.EN {
		source = w.EN
	}
	text = placeholder.ReplaceAllStringFunc(source, func(m string) string {
		name := placeholder.FindStringSubmatch(m)[1]
		if v := f.value(name, lang); v != "" {
			return v
		}
		if !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		for _, p := range placeholders {
			if p.name == name {
				return p.missing.In(lang)
			}
		}
		if strings.HasPrefix(name, knowledge.Prefix) {
			return knowledge.Missing.In(lang)
		}
		return m
	})
	return text, lang, missing
}
