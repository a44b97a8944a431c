package ticket_test

import (
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/ticket"
)

// TestSensitiveRegion: a region that the catalogue calls sensitive is sealed at
// rest, stands in no event, and shows to who may see the ticket; semantics.md
// D17 and section 9.
func TestSensitiveRegion(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		secret := ""
		for _, r := range w.catalog.Now().Regions(0) {
			if r.Sensitive {
				secret = r.ID
			}
		}
		if secret == "" {
			w.t.Fatal("the catalogue has no sensitive region")
		}
		d := w.draft("down")
		d.ProblemType, d.Region = w.fault, ""
		_, err := w.s.Create(ctx, w.li, d)
		w.refused(err, "01010001")
		d.Region = secret
		n, err := w.s.Create(ctx, w.li, d)
		w.ok(err)
		if got := w.count("SELECT count(*) FROM tickets WHERE domain_id = ? AND region LIKE ?", w.li.Domain, "%"+secret+"%"); got != 0 {
			w.t.Error("the region stands in clear")
		}
		if got := w.count("SELECT count(*) FROM events WHERE domain_id = ? AND data LIKE ?", w.li.Domain, "%"+secret+"%"); got != 0 {
			w.t.Error("the region stands in an event")
		}
		one, _, err := w.s.Show(ctx, w.li, n, "")
		w.ok(err)
		page, _, err := w.s.List(ctx, w.li, ticket.Filter{})
		w.ok(err)
		desk, err := w.s.DeskShow(ctx, w.chen, n)
		w.ok(err)
		e, err := w.s.Export(ctx, w.boss, ticket.ExportFilter{All: true})
		w.ok(err)
		out, err := e.Next(ctx)
		w.ok(err)
		if one.Region != secret || page[0].Region != secret || desk.Region != secret || out[0].Region != secret {
			w.t.Errorf("%q %q %q %q", one.Region, page[0].Region, desk.Region, out[0].Region)
		}
		if w.catalog.Now().Name(catalog.KindRegion, one.Region, "en-us") == "" {
			w.t.Error("no name")
		}
		d.Region = w.catalog.Now().Regions(0)[0].ID
		if _, err = w.s.Create(ctx, w.li, d); err != nil {
			w.t.Error(err)
		}
		if got := w.count("SELECT count(*) FROM tickets WHERE domain_id = ? AND region = ?", w.li.Domain, d.Region); got != 1 {
			w.t.Error("an ordinary region is sealed")
		}
	})
}
