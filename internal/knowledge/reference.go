package knowledge

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
)

// A reference stands in a text as {{article:slug}} and becomes the article's
// title and where to read it.

// Prefix begins a reference, between the braces.
const Prefix = "article:"

// Faults of references.
var (
	errRefForm     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：{ref} 不是文章引用，应为 article:文章标识", "{field}, character {position}: {ref} is no reference to an article: write article:slug")
	errRefNone     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：没有文章 {slug}", "{field}, character {position}: there is no article {slug}")
	errRefHidden   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：文章 {slug} 尚未发布", "{field}, character {position}: the article {slug} is not published")
	errRefInternal = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：文章 {slug} 仅供内部使用，不能写给客户", "{field}, character {position}: the article {slug} is internal and cannot be in a text to customers")
)

// Reference is an article that a text refers to, as of now.
type Reference struct {
	State, Audience string
	Titles          locale.Texts // of the published version
}

var reference = regexp.MustCompile(`\{\{[ \t]*article:([^{}]*?)[ \t]*\}\}`)

// ReferencesIn reads the articles that texts refer to, by slug; those there are
// not are missing.
func ReferencesIn(tx *db.Tx, texts ...string) (map[string]Reference, error) {
	known := map[string]Reference{}
	var args []any
	for _, t := range texts {
		for _, m := range reference.FindAllStringSubmatch(t, -1) {
			if !slices.Contains(args, any(m[1])) && IsSlug(m[1]) {
				args = append(args, m[1])
			}
		}
	}
	for some := range slices.Chunk(args, 500) { // what one statement holds with ease
		err := tx.List(func(r db.Row) error {
			var slug string
			var ref Reference
			err := r.Scan(&slug, &ref.State, &ref.Audience, &ref.Titles.ZH, &ref.Titles.EN)
			known[slug] = ref
			return err
		}, `SELECT a.slug, a.state, a.audience, v.title_zh, v.title_en FROM articles AS a JOIN article_versions AS v ON v.article_id = a.id AND v.version = CASE WHEN a.published > 0 THEN a.published ELSE a.version END
			WHERE a.slug IN (?`+strings.Repeat(", ?", len(some)-1)+")", some...)
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// CheckReferences refuses the first reference in a text that readers could not
// follow: to customers it must be published for them, to colleagues published at
// all. It names field and place (characters from 1).
func CheckReferences(known map[string]Reference, field, text string, customers bool) error {
	for _, m := range reference.FindAllStringSubmatchIndex(text, -1) {
		slug := text[m[2]:m[3]]
		fail := func(f *fault.Error) error {
			return f.In(field).With("position", utf8.RuneCountInString(text[:m[0]])+1).With("slug", short(slug)).With("ref", short(Prefix+slug))
		}
		ref, ok := known[slug]
		switch {
		case !IsSlug(slug):
			return fail(errRefForm)
		case !ok:
			return fail(errRefNone)
		case ref.State != StatePublished:
			return fail(errRefHidden)
		case customers && ref.Audience != Customers:
			return fail(errRefInternal)
		}
	}
	return nil
}

// Path is where customers read an article, below the installation's address.
const Path = "/console/articles/"

// Link is where to read an article: with the installation's address, when it has
// one.
func (s *Service) Link(slug string) string { return s.o.URL + Path + slug }

// Written is a reference as it stands in a text for a reader of the language,
// "" when the reader could not follow it.
func (s *Service) Written(known map[string]Reference, slug string, lang locale.Language, customers bool) string {
	ref, ok := known[slug]
	if !ok || ref.State != StatePublished || customers && ref.Audience != Customers {
		return ""
	}
	title := ref.Titles.In(lang)
	if lang == locale.EN {
		return "“" + title + "” (" + s.Link(slug) + ")"
	}
	return "《" + title + "》（" + s.Link(slug) + "）"
}

// HasReferences tells whether a text refers to an article.
func HasReferences(text string) bool { return reference.MatchString(text) }

// CheckText refuses the first reference in a text to customers that they could
// not follow, by field and place: for templates of the catalogue.
func (s *Service) CheckText(ctx context.Context, field, text string) error {
	if !HasReferences(text) {
		return nil
	}
	return s.db.View(ctx, func(tx *db.Tx) error {
		known, err := ReferencesIn(tx, text)
		if err != nil {
			return err
		}
		return CheckReferences(known, field, text, true)
	})
}

// Expand writes the references of texts out for a customer who reads the
// language; one that he could not follow becomes words without an address. Texts
// without references cost nothing.
func (s *Service) Expand(ctx context.Context, lang locale.Language, texts ...string) ([]string, error) {
	if !slices.ContainsFunc(texts, HasReferences) {
		return texts, nil
	}
	out := slices.Clone(texts)
	return out, s.db.View(ctx, func(tx *db.Tx) error {
		known, err := ReferencesIn(tx, texts...)
		if err != nil {
			return err
		}
		for i, t := range texts {
			out[i] = reference.ReplaceAllStringFunc(t, func(m string) string {
				if w := s.Written(known, reference.FindStringSubmatch(m)[1], lang, true); w != "" {
					return w
				}
				return Missing.In(lang)
			})
		}
		return nil
	})
}

// Missing are the words for an article that a reader could not open.
var Missing = locale.Texts{ZH: "相关文章", EN: "our article"}
