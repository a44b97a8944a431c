package knowledge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/yamlfile"
)

// Articles as files: one Markdown file of an article and language, named
// slug.zh-cn.md and slug.en-us.md, side by side, each with front matter in YAML
// between lines of ---. What both languages share stands in both and is alike.

// front is the front matter.
type front struct {
	Title      string   `yaml:"title"`
	Summary    string   `yaml:"summary,omitempty"`
	Visibility string   `yaml:"visibility"`
	State      string   `yaml:"state"`
	Tags       []string `yaml:"tags,omitempty"`
	Products   []string `yaml:"products,omitempty"`
	Types      []string `yaml:"problem_types,omitempty"`
}

// Limits of files.
const (
	MaxFiles     = 2 * MaxArticles
	maxFrontText = 16 << 10 // bytes
	fence        = "---\n"
)

// Mistake is what is wrong in a file.
type Mistake struct {
	File   string
	Line   int // from 1, 0 = the file as a whole
	ZH, EN string
}

// Broken is an error that lists all mistakes of files; nothing was changed.
type Broken struct{ Mistakes []Mistake }

func (b *Broken) Error() string { return fmt.Sprintf("%d mistakes", len(b.Mistakes)) }

var errBroken = fault.New(fault.Invalid, fault.CodeInvalid, "文件有 {n} 处错误，未作任何修改：{list.zh}", "the files have mistakes ({n}) and nothing was changed: {list.en}").In("files")

// mostMistakes are told in the sentence.
const mostMistakes = 10

// Unwrap gives the fault for people: file, line and reason of the first ten.
func (b *Broken) Unwrap() error {
	var zh, en []string
	for i, m := range b.Mistakes {
		if i == mostMistakes {
			zh, en = append(zh, "……"), append(en, "...")
			break
		}
		at := m.File
		if m.Line > 0 {
			at = fmt.Sprintf("%s:%d", m.File, m.Line)
		}
		zh, en = append(zh, at+" "+m.ZH), append(en, at+" "+m.EN)
	}
	return errBroken.With("n", len(b.Mistakes)).With("list.zh", strings.Join(zh, "；")).With("list.en", strings.Join(en, "; "))
}

// suffixOf is how a language's files end.
func suffixOf(lang locale.Language) string { return "." + string(lang) + ".md" }

// Export are all articles as files, in their newest version, archived ones
// included: to import them here again changes nothing.
func (s *Service) Export(ctx context.Context, who principal.Principal) (files map[string]string, err error) {
	if err := mayRead(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		files = map[string]string{}
		all, err := allIn(tx)
		for _, a := range all {
			maps.Copy(files, a.files())
		}
		return err
	})
	return files, err
}

func allIn(tx *db.Tx) (all map[string]Article, err error) {
	all = map[string]Article{}
	err = tx.List(func(r db.Row) error {
		var a Article
		var c rawContent
		if err := r.Scan(append(a.fields(), c.fields()...)...); err != nil {
			return err
		}
		var err error
		a.Content, err = c.content()
		all[a.Slug] = a
		return err
	}, "SELECT "+articleColumns+", "+contentColumns+" FROM articles AS a JOIN article_versions AS v ON v.article_id = a.id AND v.version = a.version ORDER BY a.slug")
	return all, err
}

// fileState is what the front matter says: published only when the newest
// version is what readers see.
func (a Article) fileState() string {
	if a.State == StatePublished && a.Pending() {
		return StateDraft
	}
	return a.State
}

func (a Article) files() map[string]string {
	files := map[string]string{}
	for _, l := range a.Content.Languages() {
		w, _, _ := a.Content.In(l)
		head, err := yaml.Marshal(front{w.Title, w.Summary, a.Content.Visibility, a.fileState(), a.Content.Tags, a.Content.Products, a.Content.Types})
		if err != nil {
			panic(err) // texts and lists of texts
		}
		files[a.Slug+suffixOf(l)] = fence + string(head) + fence + "\n" + w.Body + "\n"
	}
	return files
}

// read is an article as files give it.
type readFile struct {
	name   string
	front  front
	body   string
	lines  map[string]int // of the front matter's fields
	atBody int
}

func parseFile(name, text string) (f readFile, wrong *Mistake) {
	defer func() { // the YAML library panics on some odd input; a file must not stop the server
		if p := recover(); p != nil {
			wrong = &Mistake{name, 1, "无法读取：YAML 结构异常", "cannot be read: odd YAML"}
		}
	}()
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff")
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return f, &Mistake{name, 0, "文件不是 UTF-8 文本", "the file is not UTF-8 text"}
	case !strings.HasPrefix(text, fence):
		return f, &Mistake{name, 1, "缺少以 --- 开头的文件头", "there is no front matter: the first line must be ---"}
	}
	head, body, ok := strings.Cut(text[len(fence):], "\n"+fence)
	if !ok {
		head, ok = strings.CutSuffix(text[len(fence):], "\n---")
	}
	if !ok || len(head) > maxFrontText {
		return f, &Mistake{name, 1, "文件头没有以 --- 结束，或过长", "the front matter does not end with ---, or is too long"}
	}
	tree, err := parser.ParseBytes([]byte(head), 0)
	if err != nil {
		return f, unreadable(name, err)
	}
	f = readFile{name: name, body: body, lines: map[string]int{}, atBody: strings.Count(head, "\n") + 4}
	if len(tree.Docs) != 1 || tree.Docs[0].Body == nil {
		return f, &Mistake{name, 1, "文件头为空", "the front matter is empty"}
	}
	plain := plainOnly{lines: f.lines}
	ast.Walk(&plain, tree.Docs[0].Body)
	if plain.line > 0 {
		return f, &Mistake{name, plain.line + 1, "不支持 YAML 的锚点、引用和标签", "YAML anchors, aliases and tags are not taken"}
	}
	if err := yaml.NodeToValue(tree.Docs[0].Body, &f.front, yaml.Strict()); err != nil {
		return f, unreadable(name, err)
	}
	return f, nil
}

// plainOnly finds the first anchor, alias, merge or tag, by which a small file
// could grow without end, and notes where the fields stand.
type plainOnly struct {
	line  int
	lines map[string]int
}

func (p *plainOnly) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		if p.line == 0 {
			p.line = n.GetToken().Position.Line
		}
		return nil
	case *ast.MappingValueNode:
		if t := n.Key.GetToken(); t != nil && p.lines[t.Value] == 0 {
			p.lines[t.Value] = t.Position.Line + 1
		}
	}
	return p
}

func unreadable(name string, err error) *Mistake {
	m := Mistake{File: name, Line: 1}
	why := err.Error()
	if y := yaml.Error(nil); errors.As(err, &y) {
		why = y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			m.Line = t.Position.Line + 1
		}
	}
	why = strings.ReplaceAll(why, "knowledge.", "") // Go's type names mean nothing to the reader
	says := yamlfile.Words(why)
	m.ZH, m.EN = "无法读取："+says.ZH, "cannot be read: "+says.EN
	return &m
}

// wantedArticle is an article that files ask for.
type wantedArticle struct {
	slug, state string
	content     Content
	files       []readFile
}

// place is the file and line of a field of the wanted article.
func (w wantedArticle) place(field string) (string, int) {
	f := w.files[0]
	lang, rest, ok := strings.Cut(field, ".")
	if ok && (lang == "zh" || lang == "en") {
		for _, o := range w.files {
			if strings.HasSuffix(o.name, suffixOf(languages[lang])) {
				f = o
			}
		}
		if rest == "body" {
			return f.name, f.atBody
		}
		field = rest
	}
	field, _, _ = strings.Cut(field, ".")
	return f.name, max(f.lines[field], 1)
}

var languages = map[string]locale.Language{"zh": locale.ZH, "en": locale.EN}

// gather brings the files of each article together.
func gather(files map[string]string) (all []wantedArticle, wrong []Mistake) {
	bySlug := map[string]*wantedArticle{}
	var order []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var slug string
		var lang locale.Language
		for _, l := range languages {
			if s, ok := strings.CutSuffix(name, suffixOf(l)); ok {
				slug, lang = s, l
			}
		}
		if lang == "" || !IsSlug(slug) {
			wrong = append(wrong, Mistake{short(name), 0, "文件名应为 文章标识.zh-cn.md 或 文章标识.en-us.md", "a file is named slug.zh-cn.md or slug.en-us.md, its slug of lower-case letters, digits and hyphens"})
			continue
		}
		f, bad := parseFile(name, files[name])
		if bad != nil {
			wrong = append(wrong, *bad)
			continue
		}
		w := bySlug[slug]
		if w == nil {
			w = &wantedArticle{slug: slug, state: f.front.State, content: Content{Visibility: f.front.Visibility, Tags: f.front.Tags, Products: f.front.Products, Types: f.front.Types}}
			bySlug[slug] = w
			order = append(order, slug)
		} else {
			for _, field := range []struct {
				name string
				same bool
			}{{"visibility", w.content.Visibility == f.front.Visibility}, {"state", w.state == f.front.State}, {"tags", slices.Equal(w.content.Tags, f.front.Tags)},
				{"products", slices.Equal(w.content.Products, f.front.Products)}, {"problem_types", slices.Equal(w.content.Types, f.front.Types)}} {
				if !field.same {
					wrong = append(wrong, Mistake{name, max(f.lines[field.name], 1), field.name + " 与 " + w.files[0].name + " 不一致", field.name + " is not what " + w.files[0].name + " says"})
				}
			}
		}
		w.files = append(w.files, f)
		words := Words{f.front.Title, f.front.Summary, f.body}
		if strings.TrimSpace(f.front.Title) == "" {
			wrong = append(wrong, Mistake{name, max(f.lines["title"], 1), "缺少 title", "there is no title"})
		}
		if lang == locale.EN {
			w.content.EN = words
		} else {
			w.content.ZH = words
		}
	}
	for _, slug := range order {
		w := bySlug[slug]
		if _, ok := stateNames[w.state]; !ok {
			wrong = append(wrong, Mistake{w.files[0].name, max(w.files[0].lines["state"], 1), "state 须为 draft、published 或 archived", "state is draft, published or archived"})
		}
		all = append(all, *w)
	}
	return all, wrong
}

// Imported is what files change of an article, or would.
type Imported struct {
	Slug  string
	Do    []string // create, change, publish, archive, unarchive, in this order; none = it is as the files say
	Parts []string // of a change: what differs
}

// Import brings articles to what files say, all of them or, where a file has a
// mistake, none: the error is a *Broken that names file, line and reason. dry
// only tells what would be done. Articles that no file names stay as they are;
// "draft" publishes nothing and takes nothing back. To import what was exported
// changes nothing.
func (s *Service) Import(ctx context.Context, who principal.Principal, files map[string]string, dry bool) (done []Imported, err error) {
	if err := mayWrite(who); err != nil {
		return nil, err
	}
	if len(files) > MaxFiles {
		return nil, errMany.In("files").With("max", MaxFiles)
	}
	wanted, wrong := gather(files)
	run := func(tx *db.Tx) ([]Imported, error) {
		var out []Imported
		mistakes := slices.Clone(wrong)
		if !dry {
			tx.Lock(principal.House, "articles")
		}
		there, err := allIn(tx)
		if err != nil {
			return nil, err
		}
		for i := range wanted {
			w := wanted[i]
			if slices.ContainsFunc(wrong, func(m Mistake) bool {
				return slices.ContainsFunc(w.files, func(f readFile) bool { return f.name == m.File })
			}) {
				continue // told already
			}
			before := there[w.slug]
			if err := s.checkWanted(&w, before); err != nil {
				f, ok := fault.As(err)
				if !ok {
					return nil, err
				}
				m := Mistake{ZH: locale.Text(locale.ZH, f), EN: locale.Text(locale.EN, f)}
				m.File, m.Line = w.place(f.Field)
				mistakes = append(mistakes, m)
				continue
			}
			out = append(out, plan(w, before))
			wanted[i] = w
		}
		if len(mistakes) > 0 {
			slices.SortStableFunc(mistakes, func(a, b Mistake) int { return bytes.Compare([]byte(a.File), []byte(b.File)) })
			return nil, &Broken{mistakes}
		}
		made := len(there)
		for _, o := range out {
			if slices.Contains(o.Do, "create") {
				made++
			}
		}
		if made > MaxArticles {
			return nil, errFull
		}
		if dry {
			return out, nil
		}
		for i, w := range wanted {
			if err := s.carryOut(tx, who, w, there[w.slug], out[i].Do); err != nil {
				return nil, fmt.Errorf("article %s: %w", w.slug, err)
			}
		}
		return out, nil
	}
	if dry {
		err = s.db.View(ctx, func(tx *db.Tx) error { done, err = run(tx); return err })
		return done, err
	}
	return db.Do(ctx, s.db, run)
}

func (s *Service) checkWanted(w *wantedArticle, before Article) error {
	w.content.Tags = slices.Clone(w.content.Tags)
	if err := w.content.check(s.catalog.Now(), before.Content); err != nil {
		return err
	}
	if w.state == StatePublished {
		return w.content.ready()
	}
	return nil
}

// plan is what is to be done to bring an article there.
func plan(w wantedArticle, before Article) Imported {
	out := Imported{Slug: w.slug}
	changed := true
	switch {
	case before.ID == "":
		out.Do = append(out.Do, "create")
	default:
		for _, p := range compare(before.Content, w.content) {
			out.Parts = append(out.Parts, p.name)
		}
		if changed = len(out.Parts) > 0; before.State == StateArchived && (changed || w.state != StateArchived) {
			out.Do = append(out.Do, StepUnarchive)
		}
		if changed {
			out.Do = append(out.Do, "change")
		}
	}
	switch {
	case w.state == StatePublished && (changed || before.Published != before.Version):
		out.Do = append(out.Do, StepPublish)
	case w.state == StateArchived && (before.State != StateArchived || changed):
		out.Do = append(out.Do, StepArchive)
	}
	return out
}

func (s *Service) carryOut(tx *db.Tx, who principal.Principal, w wantedArticle, a Article, steps []string) (err error) {
	for _, do := range steps {
		switch do {
		case "create":
			a = s.insert(tx, who, w.slug, w.content, "")
		case "change":
			a, err = s.change(tx, who, a, w.content, "", nil)
		default:
			a, err = s.step(tx, who, a, do)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
