package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Articles in texts and tickets: what snippets, macros and rules refer to, and
// what was of use.

// linking is a text that may refer to articles.
type linking struct {
	field     string
	text      locale.Texts
	customers bool // they read it
}

// toCustomers tells whether customers read the text of an action.
func toCustomers(do string) bool {
	return slices.Contains(publicActions, do) || do == ticket.StepInvalid
}

func linkingOf(path string, all []Action) (out []linking) {
	for i, a := range all {
		if a.Text != nil {
			out = append(out, linking{fmt.Sprintf("%s[%d].text", path, i), *a.Text, toCustomers(a.Do)})
		}
	}
	return out
}

func textsOf(all []Action) (texts []string) {
	for _, l := range linkingOf("", all) {
		texts = append(texts, l.text.ZH, l.text.EN)
	}
	return texts
}

// broken is the first reference of texts that its readers could not follow.
func broken(known map[string]knowledge.Reference, all []linking) error {
	for _, l := range all {
		for _, t := range []struct{ name, text string }{{"zh", l.text.ZH}, {"en", l.text.EN}} {
			if err := knowledge.CheckReferences(known, l.field+"."+t.name, t.text, l.customers); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkArticles refuses a reference that readers could not follow, by field and
// place.
func (s *Service) checkArticles(ctx context.Context, all ...linking) error {
	var texts []string
	for _, l := range all {
		for _, t := range []string{l.text.ZH, l.text.EN} {
			if strings.Contains(t, knowledge.Prefix) {
				texts = append(texts, t)
			}
		}
	}
	if len(texts) == 0 {
		return nil
	}
	return s.db.View(ctx, func(tx *db.Tx) error {
		known, err := knowledge.ReferencesIn(tx, texts...)
		if err != nil {
			return err
		}
		return broken(known, all)
	})
}

// DoctorArticles finds the texts whose references to articles broke after they
// were saved: each snippet, macro and rule with its first one.
func (s *Service) DoctorArticles(ctx context.Context) (found []ticket.Finding, err error) {
	type holder struct {
		name string
		all  []linking
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		found = nil
		var holders []holder
		var texts []string
		keep := func(name string, all []linking) {
			holders = append(holders, holder{name, all})
			for _, l := range all {
				texts = append(texts, l.text.ZH, l.text.EN)
			}
		}
		for _, q := range []struct {
			sql  string
			read func(id, zh, en string) error
		}{
			{"SELECT id, text_zh, text_en FROM snippets WHERE text_zh LIKE '%article:%' OR text_en LIKE '%article:%' ORDER BY id", func(id, zh, en string) error {
				keep("snippet "+id, []linking{{"text", locale.Texts{ZH: zh, EN: en}, true}})
				return nil
			}},
			{"SELECT id, actions, '' FROM macros WHERE actions LIKE '%article:%' ORDER BY id", func(id, actions, _ string) error {
				var all []Action
				err := json.Unmarshal([]byte(actions), &all)
				keep("macro "+id, linkingOf("actions", all))
				return err
			}},
			{"SELECT id, definition, '' FROM rules WHERE definition LIKE '%article:%' ORDER BY id", func(id, definition, _ string) error {
				var d Definition
				err := json.Unmarshal([]byte(definition), &d)
				keep("rule "+id, linkingOf("then", d.Then))
				return err
			}},
		} {
			err := tx.List(func(r db.Row) error {
				var id, a, b string
				if err := r.Scan(&id, &a, &b); err != nil {
					return err
				}
				return q.read(id, a, b)
			}, q.sql)
			if err != nil {
				return err
			}
		}
		known, err := knowledge.ReferencesIn(tx, texts...)
		if err != nil {
			return err
		}
		for _, h := range holders {
			if f, ok := fault.As(broken(known, h.all)); ok {
				found = append(found, ticket.Finding{What: "article", Name: h.name, Have: locale.Text(locale.EN, f), Want: "an article its readers can open"})
			}
		}
		return nil
	})
	return found, err
}

// UseArticle notes that an article was of use in a ticket; again changes nothing.
// Failures: fault.NoTicket, knowledge.ErrNoArticle, knowledge.ErrState for an
// archived one, .02 (right).
func (s *Service) UseArticle(ctx context.Context, who principal.Principal, number, article string) (u knowledge.Use, err error) {
	if err := mayAutomate(who); err != nil {
		return u, err
	}
	t, err := s.tickets.DeskShow(ctx, who, number)
	if err != nil {
		return u, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (knowledge.Use, error) { return knowledge.UseIn(tx, who, t.Domain, t.ID, article) })
}

// UnuseArticle takes the note back; failures of UseArticle.
func (s *Service) UnuseArticle(ctx context.Context, who principal.Principal, number, article string) error {
	if err := mayAutomate(who); err != nil {
		return err
	}
	t, err := s.tickets.DeskShow(ctx, who, number)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { return knowledge.UnuseIn(tx, who, t.Domain, t.ID, article) })
}

// ArticlesOf are the articles that were of use in a ticket.
func (s *Service) ArticlesOf(ctx context.Context, who principal.Principal, number string) (all []knowledge.Use, err error) {
	if err := mayReadAutomation(who); err != nil {
		return nil, err
	}
	t, err := s.tickets.DeskShow(ctx, who, number)
	if err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { all, err = knowledge.UsesIn(tx, t.Domain, t.ID); return err })
	return all, err
}

// SuggestArticles are articles for a ticket, the best first.
func (s *Service) SuggestArticles(ctx context.Context, who principal.Principal, number string, lang locale.Language) ([]knowledge.Suggested, error) {
	if err := mayAutomate(who); err != nil {
		return nil, err
	}
	t, err := s.tickets.DeskShow(ctx, who, number)
	if err != nil {
		return nil, err
	}
	text := []rune(t.Description)
	return s.know.SuggestFor(ctx, who, knowledge.Ask{Text: string(text[:min(len(text), knowledge.MaxAsk)]), Product: t.Product, Type: t.ProblemType, Language: lang})
}

// ArticleTicket is a ticket in which an article was of use.
type ArticleTicket struct {
	Number string
	Status ticket.Status
}

// mostArticleTickets is how many of them are told.
const mostArticleTickets = 100

// ArticleTickets are the newest tickets in which an article was of use, without
// deleted ones; knowledge.ErrNoArticle.
func (s *Service) ArticleTickets(ctx context.Context, who principal.Principal, article string) (all []ArticleTicket, err error) {
	if err := mayReadAutomation(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		used, err := knowledge.UsedIn(tx, article, mostArticleTickets)
		if err != nil || len(used) == 0 {
			return err
		}
		var args []any
		for _, u := range used {
			args = append(args, u[1])
		}
		byID := map[string]ArticleTicket{}
		err = tx.List(func(r db.Row) error {
			var id string
			var t ArticleTicket
			err := r.Scan(&id, &t.Number, &t.Status)
			byID[id] = t
			return err
		}, "SELECT ticket_id, number, status FROM desk_tickets WHERE ticket_id IN (?"+strings.Repeat(", ?", len(args)-1)+")", args...)
		for _, u := range used {
			if t, ok := byID[u[1]]; ok && t.Status != ticket.Deleted {
				all = append(all, t)
			}
		}
		return err
	})
	return all, err
}
