package knowledge

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/search"
)

const contentColumns = "v.visibility, v.title_zh, v.title_en, v.summary_zh, v.summary_en, v.body_zh, v.body_en, v.links"

// rawContent is a version's words as they are stored.
type rawContent struct {
	c     Content
	links string
}

type linkList struct {
	Tags     []string `json:"tags,omitempty"`
	Products []string `json:"products,omitempty"`
	Types    []string `json:"problem_types,omitempty"`
}

func (r *rawContent) fields() []any {
	return []any{&r.c.Visibility, &r.c.ZH.Title, &r.c.EN.Title, &r.c.ZH.Summary, &r.c.EN.Summary, &r.c.ZH.Body, &r.c.EN.Body, &r.links}
}

func (r *rawContent) content() (Content, error) {
	var l linkList
	err := json.Unmarshal([]byte(r.links), &l)
	r.c.Tags, r.c.Products, r.c.Types = l.Tags, l.Products, l.Types
	return r.c, err
}

func (c Content) links() string {
	text, err := json.Marshal(linkList{c.Tags, c.Products, c.Types})
	if err != nil {
		panic(err) // lists of texts
	}
	return string(text)
}

// args are the values of contentColumns.
func (c Content) args() []any {
	return []any{c.Visibility, c.ZH.Title, c.EN.Title, c.ZH.Summary, c.EN.Summary, c.ZH.Body, c.EN.Body, c.links()}
}

func (c Content) same(o Content) bool {
	return c.Visibility == o.Visibility && c.ZH == o.ZH && c.EN == o.EN && slices.Equal(c.Tags, o.Tags) && slices.Equal(c.Products, o.Products) && slices.Equal(c.Types, o.Types)
}

// lineEnds is how a text is kept: one sort of line ends, no blanks around it.
func lineEnds(s string) string {
	return strings.TrimSpace(strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n"))
}

// check holds a content against the rules and brings it into its one form. What
// was in the version before may stay though the catalogue has it no more.
func (c *Content) check(cat *catalog.Catalog, before Content) error {
	switch c.Visibility {
	case "":
		return fault.Missing.In("visibility")
	case Internal, Customers:
	default:
		return fault.Unknown.In("visibility")
	}
	for _, l := range []struct {
		name string
		w    *Words
	}{{"zh", &c.ZH}, {"en", &c.EN}} {
		l.w.Title, l.w.Summary, l.w.Body = strings.Join(strings.Fields(l.w.Title), " "), strings.Join(strings.Fields(l.w.Summary), " "), lineEnds(l.w.Body)
		switch {
		case utf8.RuneCountInString(l.w.Title) > MaxTitle:
			return fault.TooLong.In(l.name+".title").With("max", MaxTitle)
		case utf8.RuneCountInString(l.w.Summary) > MaxSummary:
			return fault.TooLong.In(l.name+".summary").With("max", MaxSummary)
		case utf8.RuneCountInString(l.w.Body) > MaxBody:
			return fault.TooLong.In(l.name+".body").With("max", MaxBody)
		case !l.w.empty() && l.w.Title == "":
			return errHalf.In(l.name + ".title")
		}
	}
	if c.ZH.empty() && c.EN.empty() {
		return errNoTitle
	}
	if err := c.checkTags(); err != nil {
		return err
	}
	for _, l := range []struct {
		field  string
		ids    *[]string
		before []string
		known  func(id string) bool
	}{
		{"products", &c.Products, before.Products, func(id string) bool { _, ok := cat.Product(id); return ok }},
		{"problem_types", &c.Types, before.Types, func(id string) bool { _, ok := cat.ProblemType(id); return ok }},
	} {
		if len(*l.ids) > MaxLinks {
			return errMany.In(l.field).With("max", MaxLinks)
		}
		seen := map[string]bool{}
		for i, id := range *l.ids {
			field := l.field + "." + strconv.Itoa(i)
			if seen[id] {
				return errTwice.In(field).With("value", id)
			}
			if seen[id] = true; !l.known(id) && !slices.Contains(l.before, id) {
				return errCatalogue.In(field).With("value", short(id))
			}
		}
		if len(*l.ids) == 0 {
			*l.ids = nil
		}
	}
	return nil
}

func short(s string) string {
	if r := []rune(s); len(r) > 64 {
		return string(r[:64]) + "..."
	}
	return s
}

func (c *Content) checkTags() error {
	if len(c.Tags) > MaxTags {
		return errMany.In("tags").With("max", MaxTags)
	}
	seen := map[string]bool{}
	for i, t := range c.Tags {
		field := "tags." + strconv.Itoa(i)
		t = strings.Join(strings.Fields(t), " ")
		switch key := search.Folded(t); {
		case t == "":
			return fault.Missing.In(field)
		case utf8.RuneCountInString(t) > MaxTag:
			return fault.TooLong.In(field).With("max", MaxTag)
		case strings.ContainsFunc(t, func(r rune) bool { return unicode.IsControl(r) || r == ',' || r == '，' }):
			return errTag.In(field)
		case seen[key]:
			return errTwice.In(field).With("value", t)
		default:
			seen[key], c.Tags[i] = true, t
		}
	}
	if len(c.Tags) == 0 {
		c.Tags = nil
	}
	return nil
}

// ready tells whether readers can be shown it: each language that is there has a
// body, and one is.
func (c Content) ready() error {
	for _, l := range []struct {
		name string
		w    Words
	}{{"zh", c.ZH}, {"en", c.EN}} {
		if l.w.Title != "" && l.w.Body == "" {
			return errHalf.In(l.name + ".body")
		}
	}
	return nil
}

// part is one piece of a content that can differ.
type part struct {
	name       string // as on the wire
	zh, en     string // for people
	from, to   string
	long, list bool
}

// compare are the parts that differ, in a fixed order.
func compare(from, to Content) (all []part) {
	add := func(name, zh, en, a, b string, long, list bool) {
		if a != b {
			all = append(all, part{name, zh, en, a, b, long, list})
		}
	}
	add("visibility", "可见范围", "visibility", from.Visibility, to.Visibility, false, false)
	for _, l := range []struct {
		name, zh, en string
		a, b         Words
	}{{"zh", "中文", "Chinese", from.ZH, to.ZH}, {"en", "英文", "English", from.EN, to.EN}} {
		add(l.name+".title", l.zh+"标题", l.en+" title", l.a.Title, l.b.Title, false, false)
		add(l.name+".summary", l.zh+"摘要", l.en+" summary", l.a.Summary, l.b.Summary, false, false)
		add(l.name+".body", l.zh+"正文", l.en+" body", l.a.Body, l.b.Body, true, false)
	}
	join := func(s []string) string { return strings.Join(s, ", ") }
	add("tags", "标签", "tags", join(from.Tags), join(to.Tags), false, true)
	add("products", "产品", "products", join(from.Products), join(to.Products), false, true)
	add("problem_types", "问题类型", "problem types", join(from.Types), join(to.Types), false, true)
	return all
}

// named lists what differs, for people.
func named(all []part, lang locale.Language) string {
	var names []string
	for _, p := range all {
		names = append(names, locale.Texts{ZH: p.zh, EN: p.en}.In(lang))
	}
	switch {
	case len(names) == 0 && lang == locale.EN:
		return "state only"
	case len(names) == 0:
		return "仅状态"
	case lang == locale.EN:
		return strings.Join(names, ", ")
	}
	return strings.Join(names, "、")
}

var stateNames = map[string]locale.Texts{StateDraft: {ZH: "草稿", EN: "draft"}, StatePublished: {ZH: "已发布", EN: "published"}, StateArchived: {ZH: "已归档", EN: "archived"}}

// StateName is what a state is called.
func StateName(state string, lang locale.Language) string { return stateNames[state].In(lang) }
