package ticket_test

import (
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// TestCreateNeedsSignature: when the operator says so, the newest agreement of
// type 0 must be signed, by the creator himself, anew after each version.
func TestCreateNeedsSignature(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx, house := w.t.Context(), principal.AsSystem(principal.House)
		refused := func(when string) {
			w.t.Helper()
			_, err := w.s.Create(ctx, w.li, w.draft("x"))
			if f, ok := fault.As(err); !ok || f.Code != "OSM.01010002" {
				w.t.Errorf("%s: %v", when, err)
			}
		}
		sign := func(who principal.Principal) {
			w.t.Helper()
			a, _ := w.catalog.Now().LatestAgreement(catalog.AgreementCreate)
			_, err := w.catalog.Sign(ctx, who, a.ID, "")
			w.ok(err)
		}
		w.create(w.li, "not asked for by default")
		files := catalog.Default()
		files["limits.yaml"] = []byte(strings.Replace(string(files["limits.yaml"]), "create_requires_agreement: false", "create_requires_agreement: true", 1))
		_, err := w.catalog.Apply(ctx, house, files, catalog.AnyVersion)
		w.ok(err)
		refused("unsigned")
		sign(w.boss)
		refused("signed by another")
		sign(w.li)
		w.create(w.li, "signed")
		_, err = w.catalog.Publish(ctx, house, catalog.NewAgreement{Type: catalog.AgreementCreate, Content: locale.Texts{ZH: "二", EN: "Two"}})
		w.ok(err)
		refused("a new version")
		sign(w.li)
		w.create(w.li, "signed again")
	})
}
