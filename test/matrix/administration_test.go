package matrix

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// TestIdentityUsers: the users and access keys of a domain by the calls of
// Huawei Cloud's IAM: shapes, who may, the limit of two, a key that works at
// once and is refused at once.
func TestIdentityUsers(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		main, sub, stranger := user(t, w, 0, 0), user(t, w, 0, 1), user(t, w, 1, 0)
		d := w.Domains[0]
		read := func(a answer, status int, into any) {
			t.Helper()
			if a.status != status {
				t.Fatalf("%d %.300s, want %d", a.status, a.text, status)
			}
			if into != nil {
				reflect.ValueOf(into).Elem().SetZero()
				if err := json.Unmarshal([]byte(a.text), into); err != nil {
					t.Fatal(err)
				}
			}
		}
		var users struct {
			Users []struct {
				ID, Name string
				Domain   string `json:"domain_id"`
				Enabled  bool   `json:"enabled"`
			} `json:"users"`
			Links map[string]any `json:"links"`
		}
		read(main.send(t, "GET", "/v3/users", nil, nil), 200, &users)
		if len(users.Users) != 3 || users.Users[0].Name != d.Users[0].Name || users.Users[0].Domain != d.ID || !users.Users[0].Enabled || users.Links["self"] == nil {
			t.Errorf("%+v", users)
		}
		read(main.send(t, "GET", "/v3.0/users?name="+d.Users[1].Name+"&enabled=true", nil, nil), 200, &users)
		if len(users.Users) != 1 || users.Users[0].ID != d.Users[1].ID {
			t.Errorf("by name: %+v", users)
		}
		read(main.send(t, "GET", "/v3/users?domain_id="+w.Domains[1].ID, nil, nil), 200, &users)
		if len(users.Users) != 0 {
			t.Errorf("of another domain: %+v", users)
		}
		read(sub.send(t, "GET", "/v3/users", nil, nil), 403, nil)

		const path = "/v3.0/OS-CREDENTIAL/credentials"
		type key struct {
			User        string `json:"user_id"`
			Access      string `json:"access"`
			Secret      string `json:"secret"`
			Status      string `json:"status"`
			Made        string `json:"create_time"`
			Used        string `json:"last_use_time"`
			Description string `json:"description"`
		}
		var one struct {
			Credential key `json:"credential"`
		}
		var all struct {
			Credentials []key `json:"credentials"`
		}
		body := func(id, description string) []byte {
			text, _ := json.Marshal(map[string]any{"credential": map[string]any{"user_id": id, "description": description}})
			return text
		}
		read(main.send(t, "POST", path, nil, body(d.Users[1].ID, strings.Repeat("x", 256))), 400, nil)
		read(main.send(t, "POST", path, nil, body(d.Users[1].ID, strings.Repeat("x", 255))), 201, &one)
		made := one.Credential
		if made.Access == "" || len(made.Secret) != 40 || made.Status != "active" || made.User != d.Users[1].ID || !strings.HasSuffix(made.Made, "Z") {
			t.Errorf("made: %+v", made)
		}
		read(main.send(t, "POST", path, nil, body(d.Users[1].ID, "")), 400, nil) // the demo has given each one
		read(sub.send(t, "GET", path, nil, nil), 200, &all)
		if len(all.Credentials) != 2 || all.Credentials[0].Secret != "" {
			t.Errorf("listed: %+v", all)
		}
		signed := caller{name: "the new key", w: w, ak: made.Access, sk: made.Secret}
		read(signed.send(t, "GET", "/v3/auth/domains", nil, nil), 200, nil)
		read(sub.send(t, "GET", path+"/"+made.Access, nil, nil), 200, &one)
		if one.Credential.Access != made.Access || one.Credential.Secret != "" || len(one.Credential.Description) != 255 {
			t.Errorf("shown: %+v", one)
		}
		for what, a := range map[string]answer{
			"a stranger's list":   stranger.send(t, "GET", path+"?user_id="+d.Users[1].ID, nil, nil),
			"a stranger's new":    stranger.send(t, "POST", path, nil, body(d.Users[1].ID, "")),
			"a stranger's look":   stranger.send(t, "GET", path+"/"+made.Access, nil, nil),
			"a stranger's change": stranger.send(t, "PUT", path+"/"+made.Access, nil, []byte(`{"credential":{"status":"inactive"}}`)),
			"a stranger's delete": stranger.send(t, "DELETE", path+"/"+made.Access, nil, nil),
			"a colleague's new":   user(t, w, 0, 2).send(t, "POST", path, nil, body(d.Users[1].ID, "")),
		} {
			if strings.Contains(a.text, made.Access) || a.status < 400 && !strings.Contains(a.text, `"credentials":[]`) {
				t.Errorf("%s: %d %s", what, a.status, a.text)
			}
		}
		read(sub.send(t, "PUT", path+"/"+made.Access, nil, []byte(`{"credential":{"status":"asleep"}}`)), 400, nil)
		read(sub.send(t, "PUT", path+"/"+made.Access, nil, []byte(`{"credential":{"status":"inactive","description":"for tests"}}`)), 200, &one)
		if one.Credential.Status != "inactive" || one.Credential.Description != "for tests" {
			t.Errorf("changed: %+v", one)
		}
		read(signed.send(t, "GET", "/v3/auth/domains", nil, nil), 401, nil)
		read(sub.send(t, "PUT", path+"/"+made.Access, nil, []byte(`{"credential":{"status":"active"}}`)), 200, nil)
		read(signed.send(t, "GET", "/v3/auth/domains", nil, nil), 200, nil)
		read(main.send(t, "DELETE", path+"/"+made.Access, nil, nil), 204, nil)
		read(signed.send(t, "GET", "/v3/auth/domains", nil, nil), 401, nil)

		// Each of it is in the audit.
		var text string
		for began := time.Now(); time.Since(began) < 30*time.Second && !strings.Contains(text, `"key.delete"`); time.Sleep(50 * time.Millisecond) { // sealed behind the answer
			status, page, err := w.Operator("GET", "/desk/v1/audit?action=key.*&limit=20&domain="+d.ID, nil)
			if text = page; err != nil || status != http.StatusOK {
				t.Fatalf("%d %s %v", status, page, err)
			}
		}
		for _, kind := range []string{"key.create", "key.disable", "key.describe", "key.delete"} {
			if !strings.Contains(text, `"kind":"`+kind+`"`) {
				t.Errorf("%s is not in the audit: %.600s", kind, text)
			}
		}
	})
}
