package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/desk"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

type object = map[string]any

// detailWorld is the desk's real surface over its nouns, with a customer.
type detailWorld struct {
	t       *testing.T
	handler http.Handler
	ticket  *ticket.Service
	li      principal.Principal
	staff   map[string]principal.Principal // by role
}

func newDetailWorld(t *testing.T, d *db.DB) *detailWorld {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, quiet, house := t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil)), principal.AsSystem(principal.House)
	keys := sealtest.Keyring(t)
	people := identity.New(d, keys, identity.Options{PasswordMemory: 64})
	cat, err := catalog.New(ctx, d, catalog.Options{Log: quiet})
	must(err)
	must(cat.EnsureDefault(ctx))
	out, err := notify.New(d, keys, notify.Options{Config: config.Notify{}, Catch: true, Log: quiet})
	must(err)
	v, err := verify.New(d, keys, people, out, verify.Options{})
	must(err)
	w := &detailWorld{t: t, staff: map[string]principal.Principal{}}
	w.ticket, err = ticket.New(d, keys, ticket.Nouns{Identity: people, Catalog: cat, Verify: v, Notify: out}, ticket.Options{Log: quiet})
	must(err)
	none := func(context.Context) (desk.Counts, error) { return desk.Counts{}, nil }
	events := func(context.Context, string, int64, int) ([]event.Row, error) { return nil, nil }
	setUp := func(context.Context, string, string, string) (identity.User, error) { return identity.User{}, nil }
	w.handler, err = desk.New(desk.Nouns{Identity: people, Tickets: w.ticket, Catalog: cat, Notify: out},
		desk.Host{Version: "test", Database: "test", SetUp: setUp, Events: events, Counts: none, Now: time.Now}, quiet)
	must(err)
	dom, err := people.CreateDomain(ctx, house, identity.NewDomain{Name: "one"})
	must(err)
	u, err := people.CreateUser(ctx, house, identity.NewUser{Domain: dom.ID, Name: "li", Main: true, Password: "a-Password-1", Mail: "li@example.com"})
	must(err)
	w.li = principal.Principal{Kind: principal.Customer, Domain: dom.ID, User: u.ID}
	for _, role := range []string{principal.RoleEngineer, principal.RoleSupervisor, principal.RoleAdministrator, principal.RoleAuditor} {
		u, err := people.CreateUser(ctx, house, identity.NewUser{Domain: principal.House, Name: role, Password: "a-Password-1", Role: role})
		must(err)
		w.staff[role] = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, Role: role}
	}
	return w
}

func (w *detailWorld) call(who principal.Principal, method, path string, body any) (int, string, object) {
	w.t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	req := httptest.NewRequestWithContext(w.t.Context(), method, "/desk/v1/"+path, bytes.NewReader(text))
	req.Header.Set("X-Auth-Token", "verified in front")
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req.WithContext(locale.With(principal.With(req.Context(), who), locale.Parse("en-us", "", ""))))
	var out object
	if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	return rec.Code, rec.Body.String(), out
}

// TestDetails: engineers see masked contacts and values, and clear ones only by
// an operation of its own.
func TestDetails(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newDetailWorld(t, d)
		n, err := w.ticket.Create(t.Context(), w.li, ticket.NewTicket{Choice: catalog.Choice{ProblemType: "account-login", Region: "cn-north-1"}, Description: "x", Source: ticket.Source,
			Params: map[string]json.RawMessage{"login_name": json.RawMessage(`"hidden-name"`), "error_message": json.RawMessage(`"oops"`)},
			Claims: verify.Claims{Mail: "li@example.com"}, Extension: ticket.Extension{Copies: &[]string{"copy@example.org"}}, Locale: locale.Default()})
		if err != nil {
			t.Fatal(err)
		}
		engineer := w.staff[principal.RoleEngineer]
		status, text, out := w.call(engineer, "GET", "tickets/"+n+"/details", nil)
		if status != 200 || out["mail"] != "l***@example.com" || strings.Contains(text, "hidden-name") || strings.Contains(text, "copy@") || strings.Contains(text, "li@") {
			t.Errorf("%d %s", status, text)
		}
		params := out["params"].([]any)
		if p := params[0].(object); len(params) != 2 || p["name"] != "Account name" || p["value"] != ticket.Masked || p["shown"] != ticket.Masked || p["sensitive"] != true || p["kind"] != "text" {
			t.Errorf("%v", params)
		}
		if status, text, out := w.call(engineer, "POST", "tickets/"+n+"/reveal", object{"reason": "to call back"}); status != 200 || out["mail"] != "li@example.com" || !strings.Contains(text, "hidden-name") || !strings.Contains(text, "copy@example.org") {
			t.Errorf("%d %s", status, text)
		}
		if status, _, out := w.call(engineer, "POST", "tickets/"+n+"/reveal", object{"reason": strings.Repeat("x", 201)}); status != 400 || out["error_code"] != "OSM.01010001" {
			t.Errorf("a reason that is too long: %d %v", status, out)
		}
		for _, path := range []string{"GET tickets/" + n + "/details", "POST tickets/" + n + "/reveal"} {
			method, path, _ := strings.Cut(path, " ")
			var body any
			if method == "POST" {
				body = object{"reason": "to call back"}
			}
			for _, who := range []principal.Principal{w.li, w.staff[principal.RoleAuditor]} {
				if status, text, _ := w.call(who, method, path, body); status != 403 || strings.Contains(text, "example.com") {
					t.Errorf("%s %s by %s: %d %s", method, path, who.Role, status, text)
				}
			}
			if status, _, out := w.call(engineer, method, strings.Replace(path, n, "nothing", 1), body); status != 404 || out["error_code"] != "OSM.01010015" {
				t.Errorf("unknown: %d %v", status, out)
			}
		}
	})
}

func TestAbuseReports(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newDetailWorld(t, d)
		for range 3 {
			err := w.ticket.FileReport(t.Context(), w.li, ticket.NewReport{Kind: "spam", Title: "t", Content: "c", Files: []string{"f"},
				Reporter: ticket.Reporter{Name: "Reporter", Mobile: "13800138000", Identity: 20, Files: []string{"i"}}, Right: &ticket.Right{Kind: "patent"}})
			if err != nil {
				t.Fatal(err)
			}
		}
		for role, who := range w.staff {
			want := 403
			if role == principal.RoleSupervisor || role == principal.RoleAdministrator {
				want = 200
			}
			if status, text, _ := w.call(who, "GET", "abuse-reports", nil); status != want || strings.Contains(text, "13800138000") {
				t.Errorf("%s: %d %s", role, status, text)
			}
		}
		sup := w.staff[principal.RoleSupervisor]
		_, _, page := w.call(sup, "GET", "abuse-reports?limit=2", nil)
		if len(page["items"].([]any)) != 2 || page["next_cursor"] == nil {
			t.Fatalf("%v", page)
		}
		_, _, last := w.call(sup, "GET", "abuse-reports?limit=2&cursor="+page["next_cursor"].(string), nil)
		if len(last["items"].([]any)) != 1 || last["next_cursor"] != nil {
			t.Fatalf("%v", last)
		}
		id := last["items"].([]any)[0].(object)["id"].(string)
		if _, _, r := w.call(sup, "GET", "abuse-reports/"+id, nil); r["contact"].(object)["mobile"] != "13800138000" || r["right"].(object)["type"] != "patent" || r["state"] != "open" {
			t.Errorf("%v", r)
		}
		for _, body := range []string{`{}`, `{"state":"open"}`, `{"state":"handled","note":"` + strings.Repeat("x", 1001) + `"}`} {
			if status, _, out := w.call(sup, "PUT", "abuse-reports/"+id, json.RawMessage(body)); status != 400 {
				t.Errorf("%.60s: %d %v", body, status, out)
			}
		}
		if status, _, r := w.call(sup, "PUT", "abuse-reports/"+id, object{"state": "handled", "note": strings.Repeat("x", 1000)}); status != 200 || r["state"] != "handled" || r["handler_name"] != principal.RoleSupervisor {
			t.Errorf("%d %v", status, r)
		}
		if status, _, out := w.call(sup, "PUT", "abuse-reports/"+id, object{"state": "handled"}); status != 409 {
			t.Errorf("%d %v", status, out)
		}
		for state, want := range map[string]int{"open": 2, "handled": 1} {
			if _, _, page := w.call(sup, "GET", "abuse-reports?state="+state, nil); len(page["items"].([]any)) != want {
				t.Errorf("%s: %v", state, page)
			}
		}
		for _, path := range []string{"abuse-reports?state=lost", "abuse-reports?limit=0", "abuse-reports?limit=101", "abuse-reports/nothing"} {
			if status, _, out := w.call(sup, "GET", path, nil); status != 400 || out["error_code"] != "OSM.01010001" {
				t.Errorf("%s: %d %v", path, status, out)
			}
		}
	})
}
