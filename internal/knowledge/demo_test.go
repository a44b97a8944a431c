package knowledge_test

import (
	"errors"
	"testing"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/principal"
)

// TestRemoveUnchanged: an article goes that nobody has changed or used for a real
// customer; use in a sandbox does not count, and nothing of it is left.
func TestRemoveUnchanged(t *testing.T) {
	each(t, func(w *world) {
		ctx, who := w.t.Context(), principal.AsSystem(principal.House)
		box, err := w.Ident.CreateDomain(ctx, who, identity.NewDomain{Name: "Box", Sandbox: true})
		if err != nil {
			w.t.Fatal(err)
		}
		use := func(domain, slug string) {
			err := w.DB.Update(ctx, func(tx *db.Tx) error { _, err := knowledge.UseIn(tx, w.Chen, domain, "t", slug); return err })
			if err != nil {
				w.t.Fatal(err)
			}
		}
		for slug, goes := range map[string]bool{"plain": true, "boxed": true, "used": false, "changed": false} {
			a, err := w.k.Create(ctx, w.Chen, slug, both(slug, "text"), "")
			if err == nil {
				a, err = w.k.Step(ctx, w.Chen, slug, knowledge.StepPublish, 0)
			}
			if err != nil {
				w.t.Fatal(err)
			}
			switch slug {
			case "boxed":
				use(box.ID, slug)
			case "used":
				use(w.Boss.Domain, slug)
			case "changed":
				if _, err := w.k.Change(ctx, w.Chen, slug, both(slug, "other"), "", 0); err != nil {
					w.t.Fatal(err)
				}
			}
			if gone, err := w.k.RemoveUnchanged(ctx, w.Boss, a.ID, a.Revision); gone || err == nil {
				w.t.Errorf("a customer removes %s", slug)
			}
			for range 2 { // again is the same
				if gone, err := w.k.RemoveUnchanged(ctx, who, a.ID, a.Revision); err != nil || gone != goes {
					w.t.Errorf("%s: gone %v, %v", slug, gone, err)
				}
			}
			if _, err := w.k.Article(ctx, w.Chen, slug); errors.Is(err, knowledge.ErrNoArticle) != goes {
				w.t.Errorf("%s: %v", slug, err)
			}
		}
		err = w.DB.View(ctx, func(tx *db.Tx) error {
			for table, want := range map[string]int{"article_versions": 3, "article_tickets /* all domains: the test's own look */": 1} {
				var n int
				if err := tx.Get("SELECT count(*) FROM " + table).Scan(&n); err != nil || n != want {
					w.t.Errorf("%s: %d rows, %v", table, n, err)
				}
			}
			return nil
		})
		if err != nil {
			w.t.Fatal(err)
		}
	})
}
