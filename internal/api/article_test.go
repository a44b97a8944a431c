package api_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"casemate/internal/api"
	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
)

// TestTemplateArticles: a template of the catalogue refers to an article; the
// customer gets its title and address in his language, and a catalogue that
// refers to what he could not open is refused with file, line and place.
func TestTemplateArticles(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		ctx, house := t.Context(), principal.AsSystem(principal.House)
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		var know *knowledge.Service
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		cat, err := catalog.New(ctx, d, catalog.Options{Log: quiet, Article: func(ctx context.Context, text string) error { return know.CheckText(ctx, "", text) }})
		ok(err)
		ok(cat.EnsureDefault(ctx))
		know = knowledge.New(d, cat, identity.New(d, sealtest.Keyring(t), identity.Options{}), knowledge.Options{URL: "https://desk.example"})
		_, err = know.Create(ctx, house, "ssh", knowledge.Content{Visibility: knowledge.Customers, ZH: knowledge.Words{Title: "登录", Body: "x"}, EN: knowledge.Words{Title: "Log in", Body: "x"}}, "")
		ok(err)
		files := catalog.Default()
		files["products-compute.yaml"] = bytes.Replace(files["products-compute.yaml"], []byte("3. 报错信息原文："), []byte("3. 报错信息原文（见 {{article:ssh}}）："), 1)
		files["products-compute.yaml"] = bytes.Replace(files["products-compute.yaml"], []byte("3. The exact error message:"), []byte("3. The exact error message (see {{article:ssh}}):"), 1)
		_, err = cat.Plan(ctx, house, files)
		f, is := fault.As(err)
		if !is || !strings.Contains(locale.Text(locale.EN, f), "products-compute.yaml:") || !strings.Contains(locale.Text(locale.EN, f), "the article ssh is not published") {
			t.Fatalf("%v", err)
		}
		_, err = know.Step(ctx, house, "ssh", knowledge.StepPublish, 0)
		ok(err)
		_, err = cat.Apply(ctx, house, files, cat.Now().Version)
		ok(err)
		h, err := api.New(api.Nouns{Catalog: cat, Knowledge: know}, api.Options{Log: quiet})
		ok(err)
		get := func(lang string) string {
			r := httptest.NewRequest("GET", "/v2/servicerequest/config/templates?business_type_id="+remoteLogin, nil)
			r.Header.Set("X-Auth-Token", "verified before")
			rec := httptest.NewRecorder()
			who := principal.Principal{Kind: principal.Customer, Domain: "d", User: "u", Main: true}
			h.ServeHTTP(rec, r.WithContext(locale.With(principal.With(r.Context(), who), locale.Parse(lang, "", ""))))
			return rec.Body.String()
		}
		if s := get("zh-cn"); !strings.Contains(s, "（见 《登录》（https://desk.example/console/articles/ssh））") {
			t.Error(s)
		}
		if s := get("en-us"); !strings.Contains(s, "(see “Log in” (https://desk.example/console/articles/ssh))") {
			t.Error(s)
		}
		_, err = know.Step(ctx, house, "ssh", knowledge.StepUnpublish, 0)
		ok(err)
		if s := get("en-us"); !strings.Contains(s, "(see our article)") || strings.Contains(s, "{{") {
			t.Error(s)
		}
	})
}
