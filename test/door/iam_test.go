package door

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

func call(t *testing.T, w *world.World, method, path string, header map[string]string, body any) (*http.Response, map[string]any) {
	t.Helper()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		sent = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, sent)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return res, out
}

type obj = map[string]any

func passwordAuth(user obj, password string, scope any) obj {
	u := obj{"password": password}
	for k, v := range user {
		u[k] = v
	}
	auth := obj{"identity": obj{"methods": []string{"password"}, "password": obj{"user": u}}}
	if scope != nil {
		auth["scope"] = scope
	}
	return obj{"auth": auth}
}

// TestKeystone holds the identity surface against the shapes of OpenStack's
// Identity API v3 (api-ref: Identity API v3, authentication and token
// management), written down here, not read from our contract.
func TestKeystone(t *testing.T) {
	w := world.Start(t, world.Options{})
	d := w.Domains[0]
	u := d.Users[1]

	res, out := call(t, w, "GET", "/", nil, nil)
	values := out["versions"].(obj)["values"].([]any)[0].(obj)
	if res.StatusCode != 300 || values["status"] != "stable" || !strings.HasPrefix(values["id"].(string), "v3.") || values["links"].([]any)[0].(obj)["href"] != w.URL+"/v3/" {
		t.Errorf("GET /: %d %v", res.StatusCode, out)
	}
	for _, path := range []string{"/v3", "/v3/", "/v3.0"} {
		if res, out := call(t, w, "GET", path, nil, nil); res.StatusCode != 200 || out["version"].(obj)["id"] != values["id"] {
			t.Errorf("GET %s: %d %v", path, res.StatusCode, out)
		}
	}

	byName := obj{"name": u.Name, "domain": obj{"name": d.Name}}
	when := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
	for _, tt := range []struct {
		name    string
		user    obj
		scope   any
		project bool
	}{
		{"by name, no scope", byName, nil, false},
		{"by name and domain id", obj{"name": u.Name, "domain": obj{"id": d.ID}}, obj{"domain": obj{"id": d.ID}}, false},
		{"by id", obj{"id": u.ID}, obj{"domain": obj{"name": d.Name}}, false},
		{"project by name", byName, obj{"project": obj{"name": d.Name, "domain": obj{"id": d.ID}}}, true},
		{"unscoped", byName, "unscoped", false},
	} {
		res, out := call(t, w, "POST", "/v3/auth/tokens", nil, passwordAuth(tt.user, u.Password, tt.scope))
		secret := res.Header.Get("X-Subject-Token")
		if res.StatusCode != 201 || secret == "" || len(secret) > 5000 {
			t.Errorf("%s: %d %v", tt.name, res.StatusCode, out)
			continue
		}
		token := out["token"].(obj)
		user := token["user"].(obj)
		if user["id"] != u.ID || user["name"] != u.Name || user["domain"].(obj)["id"] != d.ID || token["methods"].([]any)[0] != "password" ||
			!when.MatchString(token["issued_at"].(string)) || !when.MatchString(token["expires_at"].(string)) || len(token["audit_ids"].([]any)) == 0 || len(token["roles"].([]any)) == 0 {
			t.Errorf("%s: %v", tt.name, token)
		}
		issued, _ := time.Parse(time.RFC3339, token["issued_at"].(string))
		expires, _ := time.Parse(time.RFC3339, token["expires_at"].(string))
		if expires.Sub(issued) != 24*time.Hour {
			t.Errorf("%s: lives %v", tt.name, expires.Sub(issued))
		}
		if _, has := token["project"]; has != tt.project {
			t.Errorf("%s: project in the token: %v", tt.name, has)
		}
		types := []string{}
		for _, s := range token["catalog"].([]any) {
			types = append(types, s.(obj)["type"].(string))
			if url := s.(obj)["endpoints"].([]any)[0].(obj)["url"].(string); !strings.HasPrefix(url, w.URL+"/") {
				t.Errorf("%s: endpoint %s", tt.name, url)
			}
		}
		if !slices.Contains(types, "identity") {
			t.Errorf("%s: catalogue of %v", tt.name, types)
		}
		mine := map[string]string{"X-Auth-Token": secret, "X-Subject-Token": secret}
		res, out = call(t, w, "GET", "/v3/auth/tokens?nocatalog", mine, nil)
		if shown, _ := out["token"].(obj); res.StatusCode != 200 || shown["catalog"] != nil || shown["expires_at"] != token["expires_at"] {
			t.Errorf("%s: shown as %d %v", tt.name, res.StatusCode, out)
		}
		if res, _ := call(t, w, "HEAD", "/v3/auth/tokens", mine, nil); res.StatusCode != 200 {
			t.Errorf("%s: HEAD %d", tt.name, res.StatusCode)
		}
		for path, key := range map[string]string{"/v3/auth/domains": "domains", "/v3/auth/projects": "projects", "/v3/projects": "projects", "/v3/auth/catalog": "catalog"} {
			res, out := call(t, w, "GET", path, mine, nil)
			if list, _ := out[key].([]any); res.StatusCode != 200 || len(list) == 0 || out["links"].(obj)["self"] != w.URL+path {
				t.Errorf("%s: GET %s: %d %v", tt.name, path, res.StatusCode, out)
			}
		}
		// A token by this token ends when this one ends.
		res, out = call(t, w, "POST", "/v3.0/auth/tokens", nil, obj{"auth": obj{"identity": obj{"methods": []string{"token"}, "token": obj{"id": secret}}}})
		if next, _ := out["token"].(obj); res.StatusCode != 201 || next["expires_at"] != token["expires_at"] {
			t.Errorf("%s: by token: %d %v", tt.name, res.StatusCode, out)
		}
		if res, out := call(t, w, "GET", "/v2/servicerequest/cases", mine, nil); res.StatusCode != 200 {
			t.Errorf("%s: the customer API answers %d %v", tt.name, res.StatusCode, out)
		}
	}
	// Errors are OpenStack's, beside our two fields.
	for path, body := range map[string]any{"/v3/auth/tokens": passwordAuth(byName, "wrong", nil), "/v3/nothing": nil} {
		method := "POST"
		if body == nil {
			method = "GET"
		}
		res, out := call(t, w, method, path, nil, body)
		e, _ := out["error"].(obj)
		if e == nil || e["code"] != float64(res.StatusCode) || e["title"] == "" || e["message"] != out["error_msg"] || out["error_code"] == "" {
			t.Errorf("%s: %v", path, out)
		}
	}
	if res, out := call(t, w, "GET", "/v3/users", map[string]string{"X-Auth-Token": login(t, w, 0, 0)}, nil); res.StatusCode != 200 || out["users"] == nil {
		t.Errorf("users: %s %v", res.Status, out)
	}
}

func login(t *testing.T, w *world.World, domain, user int) string {
	t.Helper()
	d := w.Domains[domain]
	u := d.Users[user]
	res, out := call(t, w, "POST", "/v3/auth/tokens", nil, passwordAuth(obj{"name": u.Name, "domain": obj{"name": d.Name}}, u.Password, nil))
	if res.StatusCode != 201 {
		t.Fatalf("log-in of %s: %v", u.Name, out)
	}
	return res.Header.Get("X-Subject-Token")
}

// TestTokenLife: revoking, a new password and disabling end tokens at once; the
// main account ends its users' tokens, nobody else does; no secret is stored in
// clear (threats.md C1).
func TestTokenLife(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		alive := func(token string) bool {
			res, _ := call(t, w, "GET", "/v2/servicerequest/cases?limit=1", map[string]string{"X-Auth-Token": token}, nil)
			return res.StatusCode == 200
		}
		revoke := func(with, token string) int {
			res, _ := call(t, w, "DELETE", "/v3/auth/tokens", map[string]string{"X-Auth-Token": with, "X-Subject-Token": token}, nil)
			return res.StatusCode
		}
		mine, other, boss, stranger := login(t, w, 0, 1), login(t, w, 0, 1), login(t, w, 0, 0), login(t, w, 1, 0)
		colleague := login(t, w, 0, 2)
		if !alive(mine) || !alive(other) {
			t.Fatal("fresh tokens do not work")
		}
		for name, with := range map[string]string{"a stranger": stranger, "a colleague": colleague} {
			if code := revoke(with, mine); code != 404 || !alive(mine) {
				t.Errorf("%s revokes: %d", name, code)
			}
			if res, _ := call(t, w, "GET", "/v3/auth/tokens", map[string]string{"X-Auth-Token": with, "X-Subject-Token": mine}, nil); res.StatusCode != 404 {
				t.Errorf("%s sees the token: %d", name, res.StatusCode)
			}
		}
		if code := revoke(mine, mine); code != 204 || alive(mine) || !alive(other) {
			t.Errorf("own token: %d", code)
		}
		if code := revoke(boss, other); code != 204 || alive(other) {
			t.Errorf("the main account: %d", code)
		}
		third := login(t, w, 0, 1)
		if _, err := w.Local("user", "reset-password", w.Domains[0].Users[1].Name, "--domain", w.Domains[0].ID); err != nil {
			t.Fatal(err)
		}
		if alive(third) {
			t.Error("a token outlives the password")
		}
		if _, err := w.Local("user", "disable", w.Domains[0].Users[2].Name, "--domain", w.Domains[0].ID); err != nil {
			t.Fatal(err)
		}
		if alive(colleague) {
			t.Error("a token outlives its user")
		}
	})
}

// TestLoginOracle: whoever fails to log in learns nothing: unknown user, wrong
// password, wrong domain, foreign scope and a locked user are answered alike
// (threats.md C5; times are measured on demand).
func TestLoginOracle(t *testing.T) {
	w := world.Start(t, world.Options{})
	d := w.Domains[0]
	u, locked := d.Users[1], d.Users[2]
	name := func(user string, domain obj) obj { return obj{"name": user, "domain": domain} }
	for range 5 {
		call(t, w, "POST", "/v3/auth/tokens", nil, passwordAuth(name(locked.Name, obj{"name": d.Name}), "wrong", nil))
	}
	answers := map[string]string{}
	for what, body := range map[string]obj{
		"unknown user":   passwordAuth(name("nobody", obj{"name": d.Name}), u.Password, nil),
		"wrong password": passwordAuth(name(u.Name, obj{"name": d.Name}), "wrong-password", nil),
		"unknown domain": passwordAuth(name(u.Name, obj{"name": "nowhere"}), u.Password, nil),
		"other domain":   passwordAuth(name(u.Name, obj{"name": w.Domains[1].Name}), u.Password, nil),
		"foreign scope":  passwordAuth(name(u.Name, obj{"name": d.Name}), u.Password, obj{"domain": obj{"id": w.Domains[1].ID}}),
		"locked":         passwordAuth(name(locked.Name, obj{"name": d.Name}), locked.Password, nil),
		"engineer":       passwordAuth(name(w.Engineers[0].Name, obj{"name": "house"}), w.Engineers[0].Password, nil),
	} {
		res, out := call(t, w, "POST", "/v3/auth/tokens", nil, body)
		delete(out, "request_id")
		text, _ := json.Marshal(out)
		answers[string(text)] = what
		if res.StatusCode != http.StatusUnauthorized || res.Header.Get("X-Subject-Token") != "" {
			t.Errorf("%s: %d %s", what, res.StatusCode, text)
		}
	}
	if len(answers) != 1 {
		t.Errorf("failed log-ins are told apart: %v", answers)
	}
}
