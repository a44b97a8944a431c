package webapi_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
	"casemate/internal/webapi"
)

// TestAudit: the audit view through the surface, with what it refuses.
func TestAudit(t *testing.T) {
	t.Parallel()
	tickettest.Each(t, ticket.Options{}, func(w *tickettest.World) {
		t := w.T.(*testing.T)
		h, err := webapi.New(webapi.Nouns{Tickets: w.Tickets}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		w.OK(err)
		n := w.Create(w.Li, "of li")
		w.Create(w.Wang, "of wang")
		type page struct {
			Items []struct {
				Name     string `json:"trace_name"`
				Title    string `json:"trace_title"`
				Resource string `json:"resource_id"`
				User     string `json:"user_name"`
				Address  string `json:"source_ip"`
			}
			Next string `json:"next_cursor"`
		}
		get := func(who principal.Principal, header, query string) (int, string, page) {
			r := httptest.NewRequest("GET", "/web/v1/audit"+query, nil)
			if header != "" {
				r.Header.Set(header, "verified before")
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r.WithContext(locale.With(principal.With(r.Context(), who), locale.Default())))
			var p page
			if rec.Code == 200 {
				w.OK(json.Unmarshal(rec.Body.Bytes(), &p))
			}
			return rec.Code, rec.Body.String(), p
		}
		for _, header := range []string{"X-Auth-Token", "Authorization"} {
			code, text, p := get(w.Boss, header, "?trace_name=createCase&limit=1")
			if code != 200 || len(p.Items) != 1 || p.Next == "" || p.Items[0].User != "wang" || p.Items[0].Title != "创建工单" || p.Items[0].Address != "198.51.100.7" {
				t.Errorf("%d %s", code, text)
			}
			code, text, p = get(w.Boss, header, "?trace_name=createCase&limit=1&cursor="+p.Next)
			if code != 200 || len(p.Items) != 1 || p.Next != "" || p.Items[0].Resource != n {
				t.Errorf("%d %s", code, text)
			}
		}
		if code, text, p := get(w.Li, "X-Auth-Token", "?resource_type=case"); code != 200 || len(p.Items) != 1 || p.Items[0].User != "li" {
			t.Errorf("%d %s", code, text)
		}
		for _, c := range []struct {
			who    principal.Principal
			header string
			query  string
			status int
			code   string
		}{
			{principal.Principal{}, "", "", 401, "APIGW.0301"},
			{principal.Principal{}, "X-Auth-Token", "", 401, "APIGW.0301"},
			{w.Chen, "X-Auth-Token", "", 403, "OSM.01010011"},
			{w.Boss, "X-Auth-Token", "?trace_name=none", 400, "OSM.01010001"},
			{w.Boss, "X-Auth-Token", "?limit=201", 400, "OSM.01010001"},
			{w.Boss, "X-Auth-Token", "?limit=0", 400, "OSM.01010001"},
			{w.Boss, "X-Auth-Token", "?cursor=none", 400, "OSM.01010001"},
			{w.Boss, "X-Auth-Token", "?resource_id=" + n, 400, "OSM.01010001"},
			{w.Boss, "X-Auth-Token", "?resource_id=" + strings.Repeat("x", 65) + "&resource_type=case", 400, "OSM.01010001"},
			{w.Boss, "X-Auth-Token", "?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", 400, "OSM.01010001"},
		} {
			if code, text, _ := get(c.who, c.header, c.query); code != c.status || !strings.Contains(text, c.code) {
				t.Errorf("%q: %d %s, want %d %s", c.query, code, text, c.status, c.code)
			}
		}
	})
}
