package queue_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"casemate/internal/fault"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
)

// article makes one of the state.
func (w *world) article(slug, visibility string, published bool) {
	w.t.Helper()
	_, err := w.know.Create(w.t.Context(), w.Chen, slug, knowledge.Content{Visibility: visibility, ZH: knowledge.Words{Title: slug + "题", Body: "文"}, EN: knowledge.Words{Title: slug + " title", Body: "text"}}, "")
	w.OK(err)
	if published {
		_, err = w.know.Step(w.t.Context(), w.Chen, slug, knowledge.StepPublish, 0)
		w.OK(err)
	}
}

// TestReferences: texts may refer to articles their readers can open; another one
// is refused by field and place, rendered as a title with its address in the
// ticket's language, and found by the doctor when it breaks later.
func TestReferences(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		w.article("open", knowledge.Customers, true)
		w.article("inside", knowledge.Internal, true)
		w.article("draft", knowledge.Customers, false)
		snippet := func(text string) (queue.Snippet, error) {
			return w.q.CreateSnippet(ctx, w.Chen, queue.NewSnippet{Kind: queue.KindSnippet, Title: locale.Texts{EN: "s"}, Text: locale.Texts{ZH: "见 " + text, EN: "See " + text}})
		}
		for text, reason := range map[string]string{
			"{{article:nonesuch}}": "there is no article nonesuch", "{{article:draft}}": "not published", "{{article:inside}}": "is internal", "{{article:}}": "write article:slug",
			"{{article:A B}}": "write article:slug", "{{articles:open}}": "no placeholder articles:open",
		} {
			_, err := snippet(text)
			f, ok := fault.As(err)
			if !ok || f.Kind != fault.Invalid || f.Field != "text.zh" || !strings.Contains(locale.Text(locale.EN, f), "character 3: ") || !strings.Contains(locale.Text(locale.EN, f), reason) {
				t.Errorf("%s: %v", text, err)
			}
		}
		s, err := snippet("{{ article:open }}!")
		w.OK(err)
		number := w.Create(w.Li, "x") // a ticket in Chinese
		r, err := w.q.RenderSnippet(ctx, w.Chen, s.ID, number)
		w.OK(err)
		if r.Text != "见 《open题》（https://desk.example/console/articles/open）!" || len(r.Missing) > 0 {
			t.Errorf("%+v", r)
		}
		text := func(s string) *locale.Texts { return &locale.Texts{ZH: s, EN: s} }
		for _, c := range []struct {
			do, ref string
			field   string
		}{{"reply", "open", ""}, {"note", "inside", ""}, {"reply", "inside", "actions[0].text.zh"}, {"invalid", "inside", "actions[0].text.zh"}, {"note", "draft", "actions[0].text.zh"}, {"resolve", "nonesuch", "actions[0].text.zh"}} {
			_, err := w.q.CreateMacro(ctx, w.Chen, queue.NewMacro{Name: locale.Texts{EN: c.do + c.ref}, Actions: []queue.Action{{Do: c.do, Text: text("{{article:" + c.ref + "}}")}}})
			f, _ := fault.As(err)
			if c.field == "" && err != nil || c.field != "" && (f == nil || f.Field != c.field) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		p, err := w.q.PreviewMacro(ctx, w.Chen, queue.Use{Number: number, Actions: []queue.Action{{Do: "note", Text: text("{{article:inside}}")}}})
		w.OK(err)
		if p.Effects[0].Text != "《inside题》（https://desk.example/console/articles/inside）" {
			t.Errorf("%+v", p.Effects[0])
		}
		if _, err := w.q.CreateRule(ctx, w.Engineer("lead", "Lead", principal.RoleSupervisor), queue.NewRule{Name: locale.Texts{EN: "r"}, Definition: queue.Definition{When: on("ticket.create"), Then: []queue.Action{{Do: "reply", Text: text("{{article:draft}}")}}}}); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a rule refers to a draft: %v", err)
		}
		if found, err := w.q.DoctorArticles(ctx); err != nil || len(found) > 0 {
			t.Errorf("%+v %v", found, err)
		}
		_, err = w.know.Step(ctx, w.Chen, "open", knowledge.StepUnpublish, 0)
		w.OK(err)
		found, err := w.q.DoctorArticles(ctx)
		w.OK(err)
		if len(found) != 2 || !strings.HasPrefix(found[0].Name, "snippet "+s.ID) || !strings.HasPrefix(found[1].Name, "macro ") || !strings.Contains(found[0].Have, "text.zh, character 3") {
			t.Errorf("%+v", found)
		}
		r, err = w.q.RenderSnippet(ctx, w.Chen, s.ID, number)
		w.OK(err)
		if r.Text != "见 相关文章!" || !slices.Equal(r.Missing, []string{"article:open"}) {
			t.Errorf("%+v", r)
		}
	})
}

// TestUsedArticles: what was of use in a ticket, noted once, by those who work.
func TestUsedArticles(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		w.article("a", knowledge.Customers, true)
		w.article("b", knowledge.Internal, false)
		one, two := w.Create(w.Li, "one"), w.Create(w.Foreign, "two")
		for range 2 {
			u, err := w.q.UseArticle(ctx, w.Chen, one, "a")
			w.OK(err)
			if u.Version != 1 || u.Actor != w.Chen.User || u.Article.Slug != "a" {
				t.Errorf("%+v", u)
			}
		}
		_, err := w.q.UseArticle(ctx, w.Emma, two, "a")
		w.OK(err)
		_, err = w.q.UseArticle(ctx, w.Emma, one, "b")
		w.OK(err)
		all, err := w.q.ArticlesOf(ctx, w.Emma, one)
		w.OK(err)
		if len(all) != 2 || all[0].Article.Slug != "a" || all[1].Actor != w.Emma.User {
			t.Errorf("%+v", all)
		}
		in, err := w.q.ArticleTickets(ctx, w.Chen, "a")
		w.OK(err)
		if len(in) != 2 || !slices.ContainsFunc(in, func(t queue.ArticleTicket) bool { return t.Number == two }) {
			t.Errorf("%+v", in)
		}
		a, err := w.know.Article(ctx, w.Chen, "a")
		w.OK(err)
		if a.UsedIn != 2 {
			t.Errorf("%+v", a)
		}
		w.OK(w.q.UnuseArticle(ctx, w.Chen, one, "a"))
		if err := w.q.UnuseArticle(ctx, w.Chen, one, "a"); !errors.Is(err, knowledge.ErrNoArticle) {
			t.Errorf("taken back twice: %v", err)
		}
		for _, c := range []struct {
			who             principal.Principal
			number, article string
			want            fault.Kind
		}{{w.Chen, "TS0000000000000000000", "a", fault.NotFound}, {w.Chen, one, "nonesuch", fault.NotFound}, {w.Auditor, one, "a", fault.Forbidden}, {w.Li, one, "a", fault.Forbidden},
			{principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "p", Role: principal.RoleEngineer, Partner: "p"}, one, "a", fault.Forbidden}} {
			if _, err := w.q.UseArticle(ctx, c.who, c.number, c.article); fault.KindOf(err) != c.want {
				t.Errorf("%+v: %v", c, err)
			}
			if c.who == w.Auditor { // reads
				continue
			}
			if _, err := w.q.ArticlesOf(ctx, c.who, c.number); c.article == "a" && fault.KindOf(err) != c.want {
				t.Errorf("%+v lists: %v", c, err)
			}
			if _, err := w.q.ArticleTickets(ctx, c.who, c.article); c.want == fault.Forbidden && fault.KindOf(err) != c.want {
				t.Errorf("%+v lists tickets: %v", c, err)
			}
		}
		if all, err := w.q.ArticlesOf(ctx, w.Auditor, two); err != nil || len(all) != 1 {
			t.Errorf("an auditor reads: %+v %v", all, err)
		}
		if in, err := w.q.ArticleTickets(ctx, w.Auditor, "a"); err != nil || len(in) != 1 || in[0].Number != two {
			t.Errorf("an auditor reads: %+v %v", in, err)
		}
		_, err = w.know.Step(ctx, w.Chen, "b", knowledge.StepArchive, 0)
		w.OK(err)
		if _, err := w.q.UseArticle(ctx, w.Chen, two, "b"); !errors.Is(err, knowledge.ErrState) {
			t.Errorf("an archived one: %v", err)
		}
		best, err := w.q.SuggestArticles(ctx, w.Chen, w.Create(w.Li, "please read the title of a"), locale.EN)
		w.OK(err)
		if len(best) != 1 || best[0].Slug != "a" {
			t.Errorf("%+v", best)
		}
	})
}
