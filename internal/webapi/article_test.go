package webapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casemate/internal/knowledge"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
	"casemate/internal/webapi"
)

// TestArticles: what a customer reads, finds, is told of and says, and that
// nothing else is there for him.
func TestArticles(t *testing.T) {
	t.Parallel()
	tickettest.Each(t, ticket.Options{}, func(w *tickettest.World) {
		t, ctx := w.T.(*testing.T), w.T.Context()
		know := knowledge.New(w.DB, w.Catalog, w.Ident, knowledge.Options{})
		for slug, visibility := range map[string]string{"open": knowledge.Customers, "inside": knowledge.Internal, "draft": knowledge.Customers} {
			_, err := know.Create(ctx, w.Chen, slug, knowledge.Content{Visibility: visibility, ZH: knowledge.Words{Title: "重启 " + slug, Body: "看*日志*"}}, "canary-note")
			w.OK(err)
			if slug != "draft" {
				_, err = know.Step(ctx, w.Chen, slug, knowledge.StepPublish, 0)
				w.OK(err)
			}
		}
		h, err := webapi.New(webapi.Nouns{Tickets: w.Tickets, Catalog: w.Catalog, Knowledge: know}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		w.OK(err)
		call := func(who principal.Principal, status int, method, path, body string) map[string]any {
			t.Helper()
			r := httptest.NewRequest(method, "/web/v1/"+path, strings.NewReader(body))
			r.Header.Set("X-Auth-Token", "verified before")
			if body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r.WithContext(locale.With(principal.With(r.Context(), who), locale.Parse("en-us", "", ""))))
			var out map[string]any
			if rec.Code != status || rec.Body.Len() > 0 && json.Unmarshal(rec.Body.Bytes(), &out) != nil {
				t.Errorf("%s %s: %d %s", method, path, rec.Code, rec.Body)
			}
			for _, word := range []string{"canary", "inside", "draft", w.Chen.User} {
				if strings.Contains(rec.Body.String(), word) && !strings.Contains(path, word) {
					t.Errorf("%s %s tells %q: %s", method, path, word, rec.Body)
				}
			}
			return out
		}
		list := call(w.Li, 200, "GET", "articles?q=%E9%87%8D%E5%90%AF", "")
		if list["total_count"] != 1.0 {
			t.Errorf("%v", list)
		}
		told := call(w.Li, 200, "POST", "article-suggestions", `{"text":"怎么重启"}`)
		first := told["items"].([]any)[0].(map[string]any)
		if first["slug"] != "open" || first["fallback"] != true || first["language"] != "zh-cn" {
			t.Errorf("%v", told)
		}
		a := call(w.Li, 200, "GET", "articles/open?suggestion_id="+told["suggestion_id"].(string), "")
		if a["html"] != "<p>看<em>日志</em></p>\n" || a["helpful"] != nil {
			t.Errorf("%v", a)
		}
		call(w.Li, 204, "POST", "articles/open/feedback", `{"helpful":false}`)
		if a := call(w.Li, 200, "GET", "articles/open", ""); a["helpful"] != false {
			t.Errorf("%v", a)
		}
		unlike := map[string]bool{}
		for _, slug := range []string{"inside", "draft", "nonesuch"} {
			unlike[call(w.Li, 400, "GET", "articles/"+slug, "")["error_msg"].(string)] = true
			call(w.Li, 400, "POST", "articles/"+slug+"/feedback", `{"helpful":true}`)
		}
		if len(unlike) != 1 {
			t.Errorf("what is hidden and what is not there are told apart: %v", unlike)
		}
		call(w.Li, 400, "POST", "article-suggestions", `{"text":"x","more":1}`)
		call(w.Li, 400, "POST", "article-suggestions", `{"text":"`+strings.Repeat("字", 2001)+`"}`)
		call(w.Li, 400, "POST", "article-suggestions", `{"product_category_id":"nonesuch"}`)
		for _, who := range []principal.Principal{w.Chen, {Kind: principal.Local}} {
			call(who, 403, "GET", "articles", "")
			call(who, 403, "GET", "articles/open", "")
			call(who, 403, "POST", "article-suggestions", `{"text":"x"}`)
		}
		f, err := know.Figures(ctx, w.Chen, w.Clock.Now().Add(-24*time.Hour).UnixMilli(), w.Clock.Now().UnixMilli()+1)
		w.OK(err)
		if f.Opened != 1 || f.NotHelpful != 1 {
			t.Errorf("%+v", f)
		}
	})
}
