package knowledge_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// TestLife: an article from draft to archive, what readers see at each step, its
// versions, and an event for each change.
func TestLife(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		reads := func(want string) {
			t.Helper()
			p, err := w.k.Read(ctx, w.Li, "how-to", "", en)
			switch {
			case want == "" && !errors.Is(err, knowledge.ErrNoArticle):
				t.Fatalf("a customer reads %q: %v", p.Title, err)
			case want != "" && (err != nil || p.Title != want):
				t.Fatalf("a customer reads %q, want %q: %v", p.Title, want, err)
			}
		}
		a, err := w.k.Create(ctx, w.Chen, "how-to", both("One", "first"), "begun")
		w.OK(err)
		if a.State != knowledge.StateDraft || a.Version != 1 || a.Revision != 1 {
			t.Fatalf("%+v", a)
		}
		reads("")
		step := func(do string, seen int64) {
			t.Helper()
			var err error
			a, err = w.k.Step(ctx, w.Chen, a.ID, do, seen)
			w.OK(err)
		}
		step(knowledge.StepPublish, 1)
		reads("One")
		if again, err := w.k.Step(ctx, w.Emma, "how-to", knowledge.StepPublish, 0); err != nil || again.Revision != a.Revision {
			t.Fatalf("published twice: revision %d, %v", again.Revision, err)
		}
		a, err = w.k.Change(ctx, w.Emma, "how-to", both("Two", "second"), "better", a.Revision)
		w.OK(err)
		if !a.Pending() || a.Version != 2 || a.Published != 1 {
			t.Fatalf("%+v", a)
		}
		reads("One") // until it is published
		step(knowledge.StepPublish, 0)
		reads("Two")
		// What is made internal stays with its readers until it is published so.
		c := both("Two", "second")
		c.Visibility = knowledge.Internal
		a, err = w.k.Change(ctx, w.Chen, "how-to", c, "", 0)
		w.OK(err)
		reads("Two")
		step(knowledge.StepPublish, 0)
		reads("")
		a, err = w.k.Restore(ctx, w.Chen, "how-to", 1, a.Revision)
		w.OK(err)
		if a.Content.EN.Title != "One" || a.Version != 4 {
			t.Fatalf("%+v", a)
		}
		step(knowledge.StepPublish, 0)
		reads("One")
		step(knowledge.StepUnpublish, 0)
		reads("")
		step(knowledge.StepArchive, 0)
		for _, do := range []string{knowledge.StepPublish, knowledge.StepUnpublish, knowledge.StepArchive} {
			if _, err := w.k.Step(ctx, w.Chen, "how-to", do, 0); !errors.Is(err, knowledge.ErrState) {
				t.Errorf("%s of an archived one: %v", do, err)
			}
		}
		if _, err := w.k.Change(ctx, w.Chen, "how-to", both("x", "y"), "", 0); !errors.Is(err, knowledge.ErrState) {
			t.Errorf("changed in the archive: %v", err)
		}
		step(knowledge.StepUnarchive, 0)

		_, versions, next, err := w.k.Versions(ctx, w.Auditor, "how-to", 0, 3)
		w.OK(err)
		if len(versions) != 3 || versions[0].Number != 4 || versions[0].Note != "← 1" || next != 2 {
			t.Errorf("%+v next %d", versions, next)
		}
		_, versions, next, err = w.k.Versions(ctx, w.Auditor, "how-to", next, 3)
		w.OK(err)
		if len(versions) != 1 || versions[0].Note != "begun" || versions[0].Actor != w.Chen.User || versions[0].PublishedAt == 0 || next != 0 {
			t.Errorf("%+v next %d", versions, next)
		}
		if _, v, err := w.k.Version(ctx, w.Chen, "how-to", 2); err != nil || v.Content.EN.Body != "second" || v.Actor != w.Emma.User {
			t.Errorf("%+v %v", v, err)
		}
		for _, n := range []int64{0, 5} {
			if _, _, err := w.k.Version(ctx, w.Chen, "how-to", n); !errors.Is(err, knowledge.ErrNoVersion) {
				t.Errorf("version %d: %v", n, err)
			}
		}
		var kinds []string
		w.OK(w.DB.View(ctx, func(tx *db.Tx) error {
			rows, _, err := event.OfSubject(tx, principal.House, "article", a.ID, false, false, 0, 100)
			kinds = nil
			for _, r := range rows {
				kinds = append(kinds, strings.TrimPrefix(r.Kind, "article."))
				if strings.Contains(string(r.Data), "second") || strings.Contains(string(r.Data), "better") {
					t.Errorf("words in an event: %s", r.Data)
				}
			}
			return err
		}))
		if got := strings.Join(kinds, " "); got != "create publish change publish change publish change publish unpublish archive unarchive" {
			t.Error(got)
		}
	})
}

// TestLanguages: a missing translation falls back and is marked.
func TestLanguages(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		for slug, c := range map[string]knowledge.Content{
			"only-zh": {Visibility: knowledge.Customers, ZH: knowledge.Words{Title: "只有中文", Body: "**正文**"}},
			"only-en": {Visibility: knowledge.Customers, EN: knowledge.Words{Title: "English only", Body: "body"}},
			"both":    both("Both", "body"),
		} {
			_, err := w.k.Create(ctx, w.Chen, slug, c, "")
			w.OK(err)
			_, err = w.k.Step(ctx, w.Chen, slug, knowledge.StepPublish, 0)
			w.OK(err)
		}
		for _, c := range []struct {
			slug     string
			ask, is  locale.Language
			fallback bool
		}{{"only-zh", zh, zh, false}, {"only-zh", en, zh, true}, {"only-en", zh, en, true}, {"only-en", en, en, false}, {"both", zh, zh, false}, {"both", en, en, false}} {
			p, err := w.k.Read(ctx, w.Boss, c.slug, "", c.ask)
			w.OK(err)
			if p.Language != c.is || p.Fallback != c.fallback {
				t.Errorf("%s in %s: %s %v", c.slug, c.ask, p.Language, p.Fallback)
			}
		}
		if p, _ := w.k.Read(ctx, w.Boss, "only-zh", "", zh); p.HTML != "<p><strong>正文</strong></p>\n" {
			t.Errorf("%q", p.HTML)
		}
	})
}

// TestConflict: a change of what changed meanwhile is refused and told by whom
// and what; nothing is written.
func TestConflict(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		a, err := w.k.Create(ctx, w.Chen, "a", both("One", "first"), "")
		w.OK(err)
		c := both("One", "second")
		c.Tags = []string{"x"}
		_, err = w.k.Change(ctx, w.Emma, "a", c, "", 1)
		w.OK(err)
		_, err = w.k.Change(ctx, w.Chen, "a", both("Mine", "mine"), "", a.Revision)
		f, ok := fault.As(err)
		if !ok || f.Kind != fault.Conflict {
			t.Fatal(err)
		}
		if got := locale.Text(en, f); !strings.Contains(got, "Emma") || !strings.Contains(got, "Chinese body, English body, tags") || !strings.Contains(got, "revision 2, version 2, draft") {
			t.Error(got)
		}
		if got := locale.Text(zh, f); !strings.Contains(got, "改动：中文正文、英文正文、标签") {
			t.Error(got)
		}
		for _, err := range []error{
			func() error { _, err := w.k.Step(ctx, w.Chen, "a", knowledge.StepPublish, 1); return err }(),
			func() error { _, err := w.k.Restore(ctx, w.Chen, "a", 1, 1); return err }(),
		} {
			if fault.KindOf(err) != fault.Conflict {
				t.Error(err)
			}
		}
		now, err := w.k.Article(ctx, w.Chen, "a")
		w.OK(err)
		if now.Revision != 2 || now.Content.EN.Body != "second" {
			t.Errorf("%+v", now)
		}
		same, err := w.k.Change(ctx, w.Chen, "a", now.Content, "nothing", 2)
		w.OK(err)
		if same.Revision != 2 || same.Version != 2 {
			t.Errorf("the same words made a version: %+v", same)
		}
	})
}

// TestLimits: each limit at its edge and one more, by field.
func TestLimits(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		products, types := w.Catalog.Now().Products(), w.Catalog.Now().ProblemTypes()
		n := 0
		try := func(field string, change func(c *knowledge.Content)) {
			t.Helper()
			c := both("T", "b")
			change(&c)
			n++
			_, err := w.k.Create(ctx, w.Chen, fmt.Sprint("a", n), c, "")
			f, _ := fault.As(err)
			switch {
			case field == "" && err != nil:
				t.Error(err)
			case field != "" && (f == nil || f.Kind != fault.Invalid || f.Field != field):
				t.Errorf("want %s: %v", field, err)
			}
		}
		s := func(n int) string { return strings.Repeat("字", n) }
		try("", func(c *knowledge.Content) { c.ZH = knowledge.Words{Title: s(200), Summary: s(500), Body: s(50000)} })
		try("zh.title", func(c *knowledge.Content) { c.ZH.Title = s(201) })
		try("en.title", func(c *knowledge.Content) { c.EN.Title = s(201) })
		try("zh.summary", func(c *knowledge.Content) { c.ZH.Summary = s(501) })
		try("en.body", func(c *knowledge.Content) { c.EN.Body = s(50001) })
		try("title", func(c *knowledge.Content) { c.ZH, c.EN = knowledge.Words{}, knowledge.Words{Title: " "} })
		try("en.title", func(c *knowledge.Content) { c.EN = knowledge.Words{Body: "x"} })
		try("visibility", func(c *knowledge.Content) { c.Visibility = "all" })
		try("visibility", func(c *knowledge.Content) { c.Visibility = "" })
		many := func(n int) (all []string) {
			for i := range n {
				all = append(all, fmt.Sprint("t", i))
			}
			return all
		}
		try("", func(c *knowledge.Content) { c.Tags = many(20) })
		try("tags", func(c *knowledge.Content) { c.Tags = many(21) })
		try("", func(c *knowledge.Content) { c.Tags = []string{s(32)} })
		try("tags.0", func(c *knowledge.Content) { c.Tags = []string{s(33)} })
		try("tags.1", func(c *knowledge.Content) { c.Tags = []string{"VIP", "ｖｉｐ"} })
		try("tags.0", func(c *knowledge.Content) { c.Tags = []string{"a,b"} })
		try("tags.0", func(c *knowledge.Content) { c.Tags = []string{" "} })
		try("", func(c *knowledge.Content) { c.Products, c.Types = []string{products[0].ID}, []string{types[0].ID} })
		try("products.1", func(c *knowledge.Content) { c.Products = []string{products[0].ID, "nonesuch"} })
		try("problem_types.0", func(c *knowledge.Content) { c.Types = []string{"nonesuch"} })
		try("products.1", func(c *knowledge.Content) { c.Products = []string{products[0].ID, products[0].ID} })
		for _, slug := range []string{"", "A", "a b", "-a", "a-", "a--b", "中", strings.Repeat("a", 81), "a/b"} {
			if _, err := w.k.Create(ctx, w.Chen, slug, both("T", "b"), ""); fault.KindOf(err) != fault.Invalid {
				t.Errorf("slug %q: %v", slug, err)
			}
		}
		_, err := w.k.Create(ctx, w.Chen, strings.Repeat("a", 80), both("T", "b"), s(500))
		w.OK(err)
		if _, err := w.k.Create(ctx, w.Chen, strings.Repeat("a", 80), both("T", "b"), ""); !errors.Is(err, knowledge.ErrSlug) {
			t.Errorf("the slug a second time: %v", err)
		}
		if _, err := w.k.Create(ctx, w.Chen, "note", both("T", "b"), s(501)); fault.KindOf(err) != fault.Invalid {
			t.Errorf("a note of 501: %v", err)
		}
		// A language without a body may be kept, not published.
		_, err = w.k.Create(ctx, w.Chen, "half", knowledge.Content{Visibility: knowledge.Customers, ZH: knowledge.Words{Title: "a", Body: "b"}, EN: knowledge.Words{Title: "c"}}, "")
		w.OK(err)
		if _, err := w.k.Step(ctx, w.Chen, "half", knowledge.StepPublish, 0); fault.KindOf(err) != fault.Invalid || !strings.Contains(err.Error(), "en.body") {
			t.Errorf("published half: %v", err)
		}
		if _, err := w.k.Step(ctx, w.Chen, "half", "explode", 0); fault.KindOf(err) != fault.Invalid {
			t.Error(err)
		}
		for _, key := range []string{"nonesuch", "", "' OR 1 = 1"} {
			if _, err := w.k.Article(ctx, w.Chen, key); !errors.Is(err, knowledge.ErrNoArticle) {
				t.Errorf("%q: %v", key, err)
			}
		}
	})
}

// TestRights: who may do what; customers never get past what is published for
// them.
func TestRights(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		_, err := w.k.Create(ctx, w.Chen, "a", both("T", "b"), "")
		w.OK(err)
		partner := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "p", Role: principal.RoleEngineer, Partner: "p1"}
		calls := map[string]func(who principal.Principal) error{
			"create": func(who principal.Principal) error {
				_, err := w.k.Create(ctx, who, "b", both("T", "b"), "")
				return err
			},
			"change": func(who principal.Principal) error {
				_, err := w.k.Change(ctx, who, "a", both("T", "c"), "", 0)
				return err
			},
			"step": func(who principal.Principal) error {
				_, err := w.k.Step(ctx, who, "a", knowledge.StepPublish, 0)
				return err
			},
			"restore": func(who principal.Principal) error { _, err := w.k.Restore(ctx, who, "a", 1, 0); return err },
			"import": func(who principal.Principal) error {
				_, err := w.k.Import(ctx, who, map[string]string{}, false)
				return err
			},
			"read":     func(who principal.Principal) error { _, err := w.k.Article(ctx, who, "a"); return err },
			"versions": func(who principal.Principal) error { _, _, _, err := w.k.Versions(ctx, who, "a", 0, 1); return err },
			"version":  func(who principal.Principal) error { _, _, err := w.k.Version(ctx, who, "a", 1); return err },
			"diff":     func(who principal.Principal) error { _, err := w.k.Differences(ctx, who, "a", 1, 1); return err },
			"export":   func(who principal.Principal) error { _, err := w.k.Export(ctx, who); return err },
			"figures":  func(who principal.Principal) error { _, err := w.k.Figures(ctx, who, 0, 1); return err },
			"for": func(who principal.Principal) error {
				_, err := w.k.SuggestFor(ctx, who, knowledge.Ask{Text: "x"})
				return err
			},
		}
		writes := []string{"create", "change", "step", "restore", "import"}
		for _, c := range []struct {
			name          string
			who           principal.Principal
			reads, writes bool
		}{
			{"customer", w.Boss, false, false}, {"nobody", principal.Principal{}, false, false}, {"partner", partner, false, false},
			{"auditor", w.Auditor, true, false}, {"engineer", w.Emma, true, true}, {"operator", principal.Principal{Kind: principal.Local, Domain: principal.House}, true, true},
		} {
			for name, call := range calls {
				may := c.reads
				if slices.Contains(writes, name) {
					may = c.writes
				}
				if c.writes && name == "create" {
					continue // once is enough
				}
				if err := call(c.who); (fault.KindOf(err) == fault.Forbidden) == may || may && err != nil {
					t.Errorf("%s %s: %v", c.name, name, err)
				}
			}
		}
		for _, who := range []principal.Principal{w.Chen, {}, partner} {
			if _, err := w.k.Read(ctx, who, "a", "", zh); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v reads as a customer: %v", who.Kind, err)
			}
			if _, err := w.k.Suggest(ctx, who, knowledge.Ask{Text: "x"}); fault.KindOf(err) != fault.Forbidden {
				t.Errorf("%v is suggested: %v", who.Kind, err)
			}
		}
	})
}

// TestDifferences: parts and lines between two versions.
func TestDifferences(t *testing.T) {
	each(t, func(w *world) {
		t, ctx := w.t, w.t.Context()
		c := both("T", "one\ntwo\nthree\nfour")
		_, err := w.k.Create(ctx, w.Chen, "a", c, "")
		w.OK(err)
		c.EN.Body, c.EN.Title, c.Tags = "one\n2\nthree\nfour\nfive", "U", []string{"x", "y"}
		_, err = w.k.Change(ctx, w.Chen, "a", c, "", 0)
		w.OK(err)
		all, err := w.k.Differences(ctx, w.Chen, "a", 1, 2)
		w.OK(err)
		var got []string
		for _, d := range all {
			s := d.Part + ":" + d.From + ">" + d.To
			if d.Lines != nil {
				s = d.Part + ":"
				for _, l := range d.Lines {
					s += string(l.Sign) + l.Text
				}
			}
			got = append(got, s)
		}
		if want := []string{"en.title:T>U", "en.body: one-two+2 three four+five", "tags:>x, y"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
		if all, err := w.k.Differences(ctx, w.Chen, "a", 2, 2); err != nil || len(all) != 0 {
			t.Errorf("%v %v", all, err)
		}
		_, err = w.k.Differences(ctx, w.Chen, "a", 1, 9)
		if f, ok := fault.As(err); !ok || f.Field != "to" || !errors.Is(err, knowledge.ErrNoVersion) {
			t.Error(err)
		}
	})
}
