package queue

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Kinds of texts to write with.
const (
	KindSnippet  = "snippet"  // a few words that are put into an answer
	KindTemplate = "template" // a whole answer
)

// Limits of snippets, in characters.
const (
	maxShortcut = 32
	maxFolder   = 64
	maxTitle    = 100
)

// Faults of snippets.
var (
	ErrNoSnippet = fault.New(fault.NotFound, fault.CodeInvalid, "常用语不存在", "there is no such snippet").In("snippet_id")
	ErrShortcut  = fault.New(fault.Conflict, fault.CodeInvalid, "快捷码 {shortcut} 已被使用", "the shortcut {shortcut} is taken").In("shortcut")
	errShortcut  = fault.New(fault.Invalid, fault.CodeInvalid, "快捷码不能含有空白或控制字符", "a shortcut has no blanks and no control characters").In("shortcut")
)

// Snippet is a text in two languages to write with.
type Snippet struct {
	ID               string
	Owner            string // user id, "" = shared
	Kind             string
	Shortcut, Folder string // "" = none
	Title, Text      locale.Texts
	Version          int64
	Created, Changed int64 // milliseconds UTC
	Actor            string
}

// NewSnippet is what a snippet is made of.
type NewSnippet struct {
	Kind     string       // KindSnippet or KindTemplate
	Shared   bool         // everybody's; supervisors and administrators only
	Shortcut string       // at most 32 characters without blanks, each once among the owner's; "" = none
	Folder   string       // at most 64 characters
	Title    locale.Texts // 1..100 characters in at least one language
	Text     locale.Texts // at most 10,000 characters, placeholders as in macros
}

// SnippetFilter of the list. Zero values do not filter.
type SnippetFilter struct {
	Kind, Folder string
	Text         string // begins a shortcut, or stands in title or text of either language, whatever case and width
}

const snippetColumns = "id, owner, kind, shortcut, folder, title_zh, title_en, text_zh, text_en, version, created_at, changed_at, actor"

func scanSnippet(r db.Row) (p Snippet, err error) {
	err = r.Scan(&p.ID, &p.Owner, &p.Kind, &p.Shortcut, &p.Folder, &p.Title.ZH, &p.Title.EN, &p.Text.ZH, &p.Text.EN, &p.Version, &p.Created, &p.Changed, &p.Actor)
	return p, err
}

func snippetFor(tx *db.Tx, who principal.Principal, id string) (Snippet, error) {
	p, err := scanSnippet(tx.Get("SELECT "+snippetColumns+" FROM snippets WHERE id = ? AND (owner = '' OR owner = ?)", id, ownerOf(who, false)))
	if errors.Is(err, db.ErrNone) {
		err = ErrNoSnippet
	}
	return p, err
}

func (n *NewSnippet) check() (err error) {
	n.Shortcut, n.Folder = strings.TrimSpace(n.Shortcut), strings.TrimSpace(n.Folder)
	switch {
	case n.Kind != KindSnippet && n.Kind != KindTemplate:
		return fault.OneOf("kind", KindSnippet, KindTemplate)
	case utf8.RuneCountInString(n.Shortcut) > maxShortcut:
		return fault.TooLong.In("shortcut").With("max", maxShortcut)
	case strings.ContainsFunc(n.Shortcut, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errShortcut
	case utf8.RuneCountInString(n.Folder) > maxFolder:
		return fault.TooLong.In("folder").With("max", maxFolder)
	}
	if n.Title, err = checkNames("title", n.Title, maxTitle); err != nil {
		return err
	}
	return checkWords("text", n.Text)
}

// Snippets are those the caller may use that fit the filter: those whose
// shortcut it is first, then those whose shortcut begins with it, then titles,
// then texts; without words by folder and title.
func (s *Service) Snippets(ctx context.Context, who principal.Principal, f SnippetFilter) (all []Snippet, err error) {
	if err := mayReadAutomation(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			p, err := scanSnippet(r)
			all = append(all, p)
			return err
		}, "SELECT "+snippetColumns+" FROM snippets WHERE owner = '' OR owner = ? ORDER BY folder, title_zh, title_en, id LIMIT ?", ownerOf(who, false), 2*maxOfOwner)
	})
	words := foldText(strings.TrimSpace(f.Text))
	rank := map[string]int{}
	all = slices.DeleteFunc(all, func(p Snippet) bool {
		if f.Kind != "" && p.Kind != f.Kind || f.Folder != "" && p.Folder != f.Folder {
			return true
		}
		shortcut := foldText(p.Shortcut)
		holds := func(w locale.Texts) bool {
			return strings.Contains(foldText(w.ZH), words) || strings.Contains(foldText(w.EN), words)
		}
		switch {
		case words == "":
		case shortcut == words:
			rank[p.ID] = 0
		case strings.HasPrefix(shortcut, words):
			rank[p.ID] = 1
		case holds(p.Title):
			rank[p.ID] = 2
		case holds(p.Text):
			rank[p.ID] = 3
		default:
			return true
		}
		return false
	})
	slices.SortStableFunc(all, func(a, b Snippet) int { return cmp.Compare(rank[a.ID], rank[b.ID]) })
	return all, err
}

// Snippet reads one the caller may use; ErrNoSnippet otherwise.
func (s *Service) Snippet(ctx context.Context, who principal.Principal, id string) (p Snippet, err error) {
	if err := mayReadAutomation(who); err != nil {
		return p, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { p, err = snippetFor(tx, who, id); return err })
	return p, err
}

// shortcutFree refuses a shortcut that another text of the owner's has.
func shortcutFree(tx *db.Tx, p Snippet) error {
	if p.Shortcut == "" {
		return nil
	}
	var other string
	err := tx.Get("SELECT id FROM snippets WHERE owner = ? AND shortcut_key = ? AND id <> ?", p.Owner, foldText(p.Shortcut), p.ID).Scan(&other)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err == nil {
		err = ErrShortcut.With("shortcut", p.Shortcut)
	}
	return err
}

func recordSnippet(tx *db.Tx, who principal.Principal, kind string, p Snippet) {
	data := map[string]any{"owner": p.Owner, "kind": p.Kind}
	if p.Owner == "" {
		data = called(data, p.Title)
	}
	event.Record(tx, who, event.Event{Kind: kind, Subject: "snippet", SubjectID: p.ID, Revision: p.Version, LogCode: event.NoLog, Data: data})
}

// CreateSnippet makes a text: engineers their own, supervisors and administrators
// shared ones as well. Failures: OSM.01010001 naming the field, .02 (right),
// ErrShortcut, and 500 of an owner are the most.
func (s *Service) CreateSnippet(ctx context.Context, who principal.Principal, in NewSnippet) (Snippet, error) {
	if err := mayOwn(who, in.Shared); err != nil {
		return Snippet{}, err
	}
	if err := in.check(); err != nil {
		return Snippet{}, err
	}
	if err := s.checkArticles(ctx, linking{"text", in.Text, true}); err != nil {
		return Snippet{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Snippet, error) {
		p := Snippet{ID: tx.NewID(), Owner: ownerOf(who, in.Shared), Kind: in.Kind, Shortcut: in.Shortcut, Folder: in.Folder, Title: in.Title, Text: in.Text,
			Version: 1, Created: tx.Now, Changed: tx.Now, Actor: who.User}
		if err := roomFor(tx, "SELECT count(*) FROM snippets WHERE owner = ?", "snippets", p.Owner); err != nil {
			return p, err
		}
		if err := shortcutFree(tx, p); err != nil {
			return p, err
		}
		tx.Write(1, "INSERT INTO snippets ("+snippetColumns+", shortcut_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			p.ID, p.Owner, p.Kind, p.Shortcut, p.Folder, p.Title.ZH, p.Title.EN, p.Text.ZH, p.Text.EN, p.Version, p.Created, p.Changed, p.Actor, foldText(p.Shortcut))
		recordSnippet(tx, who, "snippet.create", p)
		return p, nil
	})
}

// ChangeSnippet replaces a text; whose it is stays. seen is the version the
// caller has read, 0 = whatever is there.
func (s *Service) ChangeSnippet(ctx context.Context, who principal.Principal, id string, in NewSnippet, seen int64) (Snippet, error) {
	if err := mayAutomate(who); err != nil {
		return Snippet{}, err
	}
	if err := in.check(); err != nil {
		return Snippet{}, err
	}
	if err := s.checkArticles(ctx, linking{"text", in.Text, true}); err != nil {
		return Snippet{}, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Snippet, error) {
		p, err := snippetFor(tx, who, id)
		if err != nil {
			return p, err
		}
		if err := mayOwn(who, p.Owner == ""); err != nil {
			return p, err
		}
		if seen != 0 && seen != p.Version {
			return p, ErrAutoStale
		}
		before := p.Version
		p.Kind, p.Shortcut, p.Folder, p.Title, p.Text, p.Version, p.Changed, p.Actor = in.Kind, in.Shortcut, in.Folder, in.Title, in.Text, before+1, tx.Now, who.User
		if err := shortcutFree(tx, p); err != nil {
			return p, err
		}
		tx.Write(1, `UPDATE snippets SET kind = ?, shortcut = ?, shortcut_key = ?, folder = ?, title_zh = ?, title_en = ?, text_zh = ?, text_en = ?, version = ?, changed_at = ?, actor = ?
			WHERE id = ? AND version = ?`, p.Kind, p.Shortcut, foldText(p.Shortcut), p.Folder, p.Title.ZH, p.Title.EN, p.Text.ZH, p.Text.EN, p.Version, p.Changed, p.Actor, id, before)
		recordSnippet(tx, who, "snippet.change", p)
		return p, nil
	})
}

// DeleteSnippet removes a text; seen as of ChangeSnippet.
func (s *Service) DeleteSnippet(ctx context.Context, who principal.Principal, id string, seen int64) error {
	if err := mayAutomate(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		p, err := snippetFor(tx, who, id)
		if err != nil {
			return err
		}
		if err := mayOwn(who, p.Owner == ""); err != nil {
			return err
		}
		if seen != 0 && seen != p.Version {
			return ErrAutoStale
		}
		tx.Write(1, "DELETE FROM snippets WHERE id = ? AND version = ?", id, p.Version)
		p.Version++
		recordSnippet(tx, who, "snippet.delete", p)
		return nil
	})
}

// Rendered is a text ready for a ticket.
type Rendered struct {
	Text     string
	Language locale.Language
	Missing  []string // placeholders that had no value
}

// RenderSnippet is a text in the ticket's language, else in the other one, its
// placeholders filled.
func (s *Service) RenderSnippet(ctx context.Context, who principal.Principal, id, number string) (Rendered, error) {
	p, err := s.Snippet(ctx, who, id)
	if err != nil {
		return Rendered{}, err
	}
	t, err := s.tickets.DeskShow(ctx, who, number)
	if err != nil {
		return Rendered{}, err
	}
	fill, err := s.filler(ctx, who, t, p.Text.ZH, p.Text.EN)
	var out Rendered
	out.Text, out.Language, out.Missing = fill.render(p.Text)
	return out, err
}
