package notify

import (
	"errors"
	"maps"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// What follows is for configuration as code (package setup), in a transaction
// that spans several nouns. Who may do so is checked there. Call ForgetWords
// when the transaction is committed.

// TemplateNames are the names of all templates, in alphabetical order.
func TemplateNames() []string { return slices.Sorted(maps.Keys(templates)) }

// TemplatesIn are all texts in force, by name and language.
func TemplatesIn(tx *db.Tx) (all []Template, err error) {
	changed := map[string]Template{}
	err = tx.List(func(r db.Row) error {
		t, err := scanTemplate(r)
		changed[wordsKey(t.Name, t.Language)] = t
		return err
	}, "SELECT "+templateColumns+" FROM notify_templates")
	if err != nil {
		return nil, err
	}
	for _, name := range TemplateNames() {
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

const templateColumns = "template, language, subject, text, sms, version, changed_at, actor"

func scanTemplate(r db.Row) (t Template, err error) {
	var lang string
	err = r.Scan(&t.Name, &lang, &t.Subject, &t.Text, &t.SMS, &t.Version, &t.Changed, &t.Actor)
	t.Language = locale.Language(lang)
	return t, err
}

// BuiltIn is the text a template has without anybody's change; ErrNoTemplate.
func BuiltIn(name string, lang locale.Language) (Words, error) {
	t, err := template(name, lang, nil)
	return t.Words, err
}

// CheckTemplate tidies and judges a text as SetTemplate does.
func CheckTemplate(name string, lang locale.Language, w Words) (Words, error) {
	return checkWords(name, lang, w)
}

// PutTemplateIn puts a text in force; the built-in one takes what was changed away.
func PutTemplateIn(tx *db.Tx, who principal.Principal, name string, lang locale.Language, w Words) error {
	builtIn, err := BuiltIn(name, lang)
	if err != nil {
		return err
	}
	if w == builtIn {
		return resetTemplate(tx, who, name, lang)
	}
	var before int64
	err = tx.Get("SELECT version FROM notify_templates WHERE template = ? AND language = ?", name, string(lang)).Scan(&before)
	if err != nil && !errors.Is(err, db.ErrNone) {
		return err
	}
	putTemplate(tx, who, name, lang, w, before+1)
	return nil
}

// putTemplate writes a text under its next version.
func putTemplate(tx *db.Tx, who principal.Principal, name string, lang locale.Language, w Words, version int64) {
	tx.Write(1, `INSERT INTO notify_templates (template, language, subject, text, sms, version, changed_at, actor) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (template, language) DO UPDATE SET subject = excluded.subject, text = excluded.text, sms = excluded.sms, version = excluded.version, changed_at = excluded.changed_at, actor = excluded.actor`,
		name, string(lang), w.Subject, w.Text, w.SMS, version, tx.Now, who.User)
	event.Record(tx, who, event.Event{Kind: "template.change", Subject: "template", SubjectID: wordsKey(name, lang), Revision: version, LogCode: event.NoLog})
}

// resetTemplate takes the built-in text back.
func resetTemplate(tx *db.Tx, who principal.Principal, name string, lang locale.Language) error {
	var version int64
	err := tx.Get("DELETE FROM notify_templates WHERE template = ? AND language = ? RETURNING version", name, string(lang)).Scan(&version)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	event.Record(tx, who, event.Event{Kind: "template.reset", Subject: "template", SubjectID: wordsKey(name, lang), LogCode: event.NoLog, Data: map[string]any{"version": version}})
	return nil
}

// ForgetWords makes this node read the texts again; others do within a second.
func (s *Service) ForgetWords() { s.forgetWords() }

// FileProviders are the names of the providers of this node's own file, mail's
// first.
func (s *Service) FileProviders() (names []string) {
	for _, p := range s.fixed {
		names = append(names, p.Name())
	}
	return names
}
