package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Limits of a template, in characters.
const (
	maxSubject = 200
	maxText    = 5000
	maxSMS     = 500
)

// Faults of templates.
var (
	ErrNoTemplate    = fault.New(fault.NotFound, fault.CodeInvalid, "没有该名称的模板", "there is no template of this name").In("name")
	ErrTemplateStale = fault.New(fault.Conflict, fault.CodeNoPermission, "模板已被他人修改，请刷新后重试", "the template has changed meanwhile: read it again and repeat the change").In("version")

	errBlankText   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能为空", "{field} must not be blank")
	errPlaceholder = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：此模板没有占位符 {name}，可用：{known}", "{field}, character {position}: this template has no placeholder {name}; it has: {known}")
	errBrace       = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：花括号只能用于占位符", "{field}, character {position}: braces are for placeholders only")
	errMandatory   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 缺少必需的占位符 {name}", "{field} lacks the mandatory placeholder {name}")
	errControl     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：不允许控制字符", "{field}, character {position}: control characters are not allowed")
	errMarkup      = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：不允许 HTML，模板为纯文本", "{field}, character {position}: HTML is not allowed, templates are plain text")
	errSecret      = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 第 {position} 个字符：主题中不能出现 {name}", "{field}, character {position}: {name} must not stand in a subject")
	errNoSMS       = fault.New(fault.Invalid, fault.CodeInvalid, "此模板仅用于邮件，{field} 必须为空", "this template goes by mail only: {field} must be empty")
)

// Words are the texts of a template an administrator may change.
type Words struct{ Subject, Text, SMS string }

// Template is a text in one language.
type Template struct {
	Name     string
	Language locale.Language
	Words
	Version      int64 // 0 = built in
	Changed      int64 // milliseconds UTC, 0 = never
	Actor        string
	Placeholders []string // that may stand in it
	Mandatory    []string // that must stand in text and text message
}

// stored texts are read again after so long: a change is in force on all nodes
// within that and the second of the reading.
const wordsAge = time.Second

// override holds the changed texts as this node knows them.
type override struct {
	mu     sync.Mutex
	readAt time.Time
	texts  map[string]Template
}

func wordsKey(name string, lang locale.Language) string { return name + "/" + string(lang) }

// overrides are the changed texts, as of a second ago at most.
func (s *Service) overrides(ctx context.Context) (map[string]Template, error) {
	o := &s.words
	o.mu.Lock()
	defer o.mu.Unlock()
	now := s.db.Now()
	if age := now.Sub(o.readAt); o.texts != nil && age >= 0 && age < wordsAge {
		return o.texts, nil
	}
	texts := map[string]Template{}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		clear(texts)
		return tx.List(func(r db.Row) error {
			t, err := scanTemplate(r)
			texts[wordsKey(t.Name, t.Language)] = t
			return err
		}, "SELECT "+templateColumns+" FROM notify_templates")
	})
	if err != nil {
		return nil, fmt.Errorf("reading templates: %w", err)
	}
	o.readAt, o.texts = now, texts
	return texts, nil
}

func (s *Service) forgetWords() {
	s.words.mu.Lock()
	defer s.words.mu.Unlock()
	s.words.texts = nil
}

// wordsOf is the text in force. A language without one falls back to the other
// (semantics.md D15).
func (s *Service) wordsOf(ctx context.Context, name string, lang locale.Language) (words, error) {
	builtIn, ok := templates[name]
	if !ok {
		return words{}, fmt.Errorf("notify: no template %q", name)
	}
	changed, err := s.overrides(ctx)
	if err != nil {
		return words{}, err
	}
	for _, l := range []locale.Language{lang, locale.ZH, locale.EN} {
		if t, ok := changed[wordsKey(name, l)]; ok {
			return words{t.Subject, t.Text, t.SMS}, nil
		}
		if w, ok := builtIn[l]; ok {
			return w, nil
		}
	}
	return words{}, fmt.Errorf("notify: template %q has no text", name)
}

// template is the text in force with its description.
func template(name string, lang locale.Language, changed map[string]Template) (Template, error) {
	w, ok := templates[name][lang]
	if !ok {
		return Template{}, ErrNoTemplate
	}
	t, ok := changed[wordsKey(name, lang)]
	if !ok {
		t = Template{Name: name, Language: lang, Words: Words{w.subject, w.text, w.sms}}
	}
	t.Placeholders, t.Mandatory = append([]string{"product"}, placeholders[name].may...), slices.Clone(placeholders[name].must)
	return t, nil
}

// Templates are all texts in force, by name and language. Administrators only,
// as the methods below.
func (s *Service) Templates(ctx context.Context, who principal.Principal) ([]Template, error) {
	if !who.Inspects() {
		return nil, fault.NoPermission
	}
	changed, err := s.overrides(ctx)
	if err != nil {
		return nil, err
	}
	var all []Template
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		for _, lang := range []locale.Language{locale.ZH, locale.EN} {
			t, err := template(name, lang, changed)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
	}
	return all, nil
}

// Template is the text in force; ErrNoTemplate when there is none of the name.
func (s *Service) Template(ctx context.Context, who principal.Principal, name string, lang locale.Language) (Template, error) {
	if !who.Inspects() {
		return Template{}, fault.NoPermission
	}
	changed, err := s.overrides(ctx)
	if err != nil {
		return Template{}, err
	}
	return template(name, lang, changed)
}

// SetTemplate replaces a text. seen is the version the caller has read, nil =
// whatever is there; ErrTemplateStale when another one is stored. A text that
// breaks a rule is refused with its field and, where it helps, the character;
// nothing is stored then.
func (s *Service) SetTemplate(ctx context.Context, who principal.Principal, name string, lang locale.Language, w Words, seen *int64) (Template, error) {
	if !who.Admin() {
		return Template{}, fault.NoPermission
	}
	w, err := checkWords(name, lang, w)
	if err != nil {
		return Template{}, err
	}
	t, err := db.Do(ctx, s.db, func(tx *db.Tx) (Template, error) {
		tx.Lock(principal.House, "notify.template."+wordsKey(name, lang))
		var before int64
		err := tx.Get("SELECT version FROM notify_templates WHERE template = ? AND language = ?", name, string(lang)).Scan(&before)
		if err != nil && !errors.Is(err, db.ErrNone) {
			return Template{}, err
		}
		if seen != nil && *seen != before {
			return Template{}, ErrTemplateStale
		}
		putTemplate(tx, who, name, lang, w, before+1)
		return Template{Name: name, Language: lang, Words: w, Version: before + 1, Changed: tx.Now, Actor: who.User}, nil
	})
	if err != nil {
		return Template{}, err
	}
	s.forgetWords()
	return template(name, lang, map[string]Template{wordsKey(name, lang): t})
}

// ResetTemplate takes the built-in text back.
func (s *Service) ResetTemplate(ctx context.Context, who principal.Principal, name string, lang locale.Language) error {
	if !who.Admin() {
		return fault.NoPermission
	}
	if _, err := template(name, lang, nil); err != nil {
		return err
	}
	err := s.db.Update(ctx, func(tx *db.Tx) error { return resetTemplate(tx, who, name, lang) })
	s.forgetWords()
	return err
}

// Preview is a template with sample values.
type Preview struct{ Subject, Text, HTML, SMS string }

// PreviewTemplate checks a text as SetTemplate does and renders it with sample
// values; w nil = the text in force.
func (s *Service) PreviewTemplate(ctx context.Context, who principal.Principal, name string, lang locale.Language, w *Words) (Preview, error) {
	t, err := s.Template(ctx, who, name, lang)
	if err != nil {
		return Preview{}, err
	}
	if w != nil {
		if t.Words, err = checkWords(name, lang, *w); err != nil {
			return Preview{}, err
		}
	}
	m := Message{Way: Mail, Template: name, Code: samples["code"], Values: map[string]string{}}
	for _, p := range placeholders[name].may {
		if p != "code" {
			m.Values[p] = samples[p]
		}
	}
	mail, err := s.fill(words{t.Subject, t.Text, t.SMS}, m)
	if err != nil {
		return Preview{}, err
	}
	p := Preview{Subject: mail.Subject, Text: mail.Text, HTML: mail.HTML}
	if t.SMS != "" {
		m.Way = SMS
		text, err := s.fill(words{t.Subject, t.Text, t.SMS}, m)
		if err != nil {
			return Preview{}, err
		}
		p.SMS = text.Text
	}
	return p, nil
}

var (
	brace  = regexp.MustCompile(`\{[^{}]*\}|[{}]`)
	named  = regexp.MustCompile(`^\{[a-z_]+\}$`)
	markup = regexp.MustCompile(`<[A-Za-z/!?]|&(#[0-9]+|#[xX][0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);`)
)

// checkWords refuses what is no good template and takes CR out of line ends.
func checkWords(name string, lang locale.Language, w Words) (Words, error) {
	builtIn, ok := templates[name][lang]
	if !ok {
		return w, ErrNoTemplate
	}
	rules := placeholders[name]
	w.Text = strings.ReplaceAll(w.Text, "\r\n", "\n")
	for _, f := range []struct {
		field, text string
		most        int
	}{{"subject", w.Subject, maxSubject}, {"text", w.Text, maxText}, {"sms", w.SMS, maxSMS}} {
		switch {
		case f.field == "sms" && builtIn.sms == "":
			if f.text != "" {
				return w, errNoSMS.In("sms")
			}
			continue
		case strings.TrimSpace(f.text) == "":
			return w, errBlankText.In(f.field)
		case utf8.RuneCountInString(f.text) > f.most:
			return w, fault.TooLong.In(f.field).With("max", f.most)
		}
		if err := checkPlain(f.field, f.text); err != nil {
			return w, err
		}
		if err := checkPlaceholders(rules, f.field, f.text); err != nil {
			return w, err
		}
	}
	return w, nil
}

// position is the number of the character at a byte, from 1.
func position(text string, at int) int { return utf8.RuneCountInString(text[:at]) + 1 }

// checkPlain refuses what is not plain text.
func checkPlain(field, text string) error {
	for i, r := range text {
		if r == '\n' && field == "text" {
			continue
		}
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' {
			return errControl.In(field).With("position", position(text, i))
		}
	}
	if at := markup.FindStringIndex(text); at != nil {
		return errMarkup.In(field).With("position", position(text, at[0]))
	}
	return nil
}

func checkPlaceholders(rules about, field, text string) error {
	seen := map[string]bool{}
	for _, at := range brace.FindAllStringIndex(text, -1) {
		p := text[at[0]:at[1]]
		if !named.MatchString(p) {
			return errBrace.In(field).With("position", position(text, at[0]))
		}
		name := p[1 : len(p)-1]
		if name != "product" && !slices.Contains(rules.may, name) {
			known := []string{"{product}"}
			for _, n := range rules.may {
				known = append(known, "{"+n+"}")
			}
			return errPlaceholder.In(field).With("position", position(text, at[0])).With("name", p).With("known", strings.Join(known, " "))
		}
		if field == "subject" && slices.Contains(rules.secret, name) {
			return errSecret.In(field).With("position", position(text, at[0])).With("name", p)
		}
		seen[name] = true
	}
	for _, name := range rules.must {
		if field != "subject" && !seen[name] {
			return errMandatory.In(field).With("name", "{"+name+"}")
		}
	}
	return nil
}
