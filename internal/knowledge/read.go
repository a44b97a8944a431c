package knowledge

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/markdown"
	"casemate/internal/principal"
)

// Page is an article as a customer reads it.
type Page struct {
	Slug                 string
	Title, Summary, HTML string // HTML is safe to show
	Language             locale.Language
	Fallback             bool // it is not in the reader's language
	Languages            []locale.Language
	Tags                 []string
	PublishedAt          int64 // milliseconds UTC, of this version
	Voted                bool  // the reader has said whether it helped
	Helpful              bool  // what he said
}

// Read is an article that is published for customers, by its slug; it counts as
// opened when it was among what the suggestion told of, "" = it came from
// elsewhere. Articles that are not for the caller are not there: ErrNoArticle.
func (s *Service) Read(ctx context.Context, who principal.Principal, slug, suggestion string, lang locale.Language) (p Page, err error) {
	var id string
	err = s.db.View(ctx, func(tx *db.Tx) error { p, id, err = readIn(tx, who, slug, lang); return err })
	if err != nil || suggestion == "" {
		return p, err
	}
	return p, s.db.Update(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.Get("SELECT count(*) FROM article_suggestions WHERE domain_id = ? AND id = ? AND user_id = ?", who.Domain, suggestion, who.User).Scan(&n); err != nil || n == 0 {
			return err // another's, or forgotten: it is read all the same
		}
		tx.Write(db.Any, "INSERT INTO article_opened (domain_id, suggestion_id, article_id, at) VALUES (?, ?, ?, ?) ON CONFLICT (domain_id, suggestion_id, article_id) DO NOTHING", who.Domain, suggestion, id, tx.Now)
		return nil
	})
}

func readIn(tx *db.Tx, who principal.Principal, slug string, lang locale.Language) (p Page, id string, err error) {
	if who.Kind != principal.Customer {
		return p, "", fault.NoPermission
	}
	sc, err := scopeOf(who)
	if err != nil {
		return p, "", err
	}
	var raw rawContent
	p.Slug = slug
	err = tx.Get("SELECT a.id, a.published_at, "+contentColumns+" FROM articles AS a JOIN article_versions AS v ON v.article_id = a.id AND v.version = a.published WHERE a.slug = ? AND "+sc.cond, slug).
		Scan(append([]any{&id, &p.PublishedAt}, raw.fields()...)...)
	if errors.Is(err, db.ErrNone) {
		return p, "", ErrNoArticle
	}
	if err != nil {
		return p, "", err
	}
	c, err := raw.content()
	if err != nil {
		return p, "", err
	}
	w, is, fallback := c.In(lang)
	p.Title, p.Summary, p.HTML, p.Language, p.Fallback, p.Languages, p.Tags = w.Title, w.Summary, markdown.HTML(w.Body), is, fallback, c.Languages(), c.Tags
	var helpful int64
	switch err := tx.Get("SELECT helpful FROM article_votes WHERE domain_id = ? AND article_id = ? AND user_id = ?", who.Domain, id, who.User).Scan(&helpful); {
	case err == nil:
		p.Voted, p.Helpful = true, helpful == 1
	case !errors.Is(err, db.ErrNone):
		return p, "", err
	}
	return p, id, nil
}

// Vote says whether an article helped the caller: a customer one that he can
// read, the house's people any. The last word counts. ErrNoArticle.
func (s *Service) Vote(ctx context.Context, who principal.Principal, key string, helpful bool) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var a Article
		domain := principal.House
		if who.Kind == principal.Customer {
			_, id, err := readIn(tx, who, key, locale.ZH)
			if err != nil {
				return err
			}
			domain, key = who.Domain, id
		} else if err := mayRead(who); err != nil {
			return err
		}
		a, err := articleIn(tx, key)
		if err != nil {
			return err
		}
		is := int64(0)
		if helpful {
			is = 1
		}
		tx.Write(1, `INSERT INTO article_votes (domain_id, article_id, user_id, helpful, version, at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (domain_id, article_id, user_id) DO UPDATE SET helpful = excluded.helpful, version = excluded.version, at = excluded.at`,
			domain, a.ID, who.User, is, max(a.Published, 1), tx.Now)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "article.vote", Subject: "article", SubjectID: a.ID, LogCode: event.NoLog, Data: map[string]any{"helpful": helpful}})
		return nil
	})
}

// Suggestion is what somebody who writes a ticket is shown.
type Suggestion struct {
	ID    string // to go on with as the text grows, and to open articles with
	Items []Suggested
}

// Suggest are at most five articles for what a customer is about to write, the
// best first, and notes that they were shown, without a word of the text. With
// the id of his suggestion before it goes on with that; an unknown id begins
// anew. Failures: OSM.01010001 naming the field.
func (s *Service) Suggest(ctx context.Context, who principal.Principal, ask Ask) (out Suggestion, err error) {
	if who.Kind != principal.Customer {
		return out, fault.NoPermission
	}
	cat := s.catalog.Now()
	if utf8.RuneCountInString(ask.Text) > MaxAsk {
		return out, fault.TooLong.In("text").With("max", MaxAsk)
	}
	if _, ok := cat.Product(ask.Product); !ok && ask.Product != "" {
		return out, errCatalogue.In("product_category_id").With("value", short(ask.Product))
	}
	if _, ok := cat.ProblemType(ask.Type); !ok && ask.Type != "" {
		return out, errCatalogue.In("problem_type_id").With("value", short(ask.Type))
	}
	sc, err := scopeOf(who)
	if err != nil {
		return out, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { out.Items, err = s.suggest(tx, sc, ask); return err })
	if err != nil {
		return out, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Suggestion, error) {
		out := out
		if ask.Suggestion != "" {
			err := tx.Get(`UPDATE article_suggestions SET asked = asked + 1, asked_at = ?, shown = CASE WHEN shown < ? THEN ? ELSE shown END
				WHERE domain_id = ? AND id = ? AND user_id = ? RETURNING id`, tx.Now, len(out.Items), len(out.Items), who.Domain, ask.Suggestion, who.User).Scan(&out.ID)
			if err == nil || !errors.Is(err, db.ErrNone) {
				return out, err
			}
		}
		out.ID = tx.NewID()
		tx.Write(1, "INSERT INTO article_suggestions (domain_id, id, user_id, started_at, asked_at, asked, shown) VALUES (?, ?, ?, ?, ?, 1, ?)", who.Domain, out.ID, who.User, tx.Now, tx.Now, len(out.Items))
		return out, nil
	})
}

// How long counts of suggestions are kept, and how often old ones are removed.
const (
	keepSuggestions = 400 * 24 * time.Hour
	purgeEvery      = time.Hour
	purgeBatch      = 500
)

// purge removes old counts, suggestions with what was opened from them, a little
// in each transaction.
func (s *Service) purge(ctx context.Context) error {
	for n := purgeBatch; n == purgeBatch; {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			var gone []any
			err := tx.List(func(r db.Row) error {
				var domain, id string
				err := r.Scan(&domain, &id)
				gone = append(gone, domain, id)
				return err
			}, `DELETE FROM article_suggestions /* all domains: old counts */ WHERE (domain_id, id) IN
				(SELECT s.domain_id, s.id FROM article_suggestions AS s /* all domains: old counts */ WHERE s.started_at < ? ORDER BY s.started_at LIMIT ?) RETURNING domain_id, id`,
				tx.Now-keepSuggestions.Milliseconds(), purgeBatch)
			if n = len(gone) / 2; err == nil && n > 0 {
				tx.Write(db.Any, "DELETE FROM article_opened /* all domains: old counts */ WHERE (domain_id, suggestion_id) IN (VALUES (?, ?)"+strings.Repeat(", (?, ?)", n-1)+")", gone...)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
