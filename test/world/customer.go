package world

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// Token logs a customer's user in.
func (w *World) Token(t testing.TB, domain, user int) string {
	t.Helper()
	d := w.Domains[domain]
	u := d.Users[user]
	body, err := json.Marshal(map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{"password"},
		"password": map[string]any{"user": map[string]any{"name": u.Name, "password": u.Password, "domain": map[string]any{"name": d.Name}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	res, err := operators.Post(w.URL+"/v3/auth/tokens", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("log-in of %s: %s %s", u.Name, res.Status, text)
	}
	return res.Header.Get("X-Subject-Token")
}

// SendAs sends requests of a customer with a token; a failure to send is status 0.
func (w *World) SendAs(token string) func(method, path string, body any) (status int, text string) {
	return func(method, path string, body any) (int, string) {
		var sent io.Reader
		if body != nil {
			raw, err := json.Marshal(body)
			if err != nil {
				return 0, err.Error()
			}
			sent = bytes.NewReader(raw)
		}
		r, err := http.NewRequest(method, w.URL+path, sent)
		if err != nil {
			return 0, err.Error()
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Language", "en-us")
		r.Header.Set("X-Auth-Token", token)
		res, err := operators.Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			return 0, err.Error()
		}
		return res.StatusCode, string(answer)
	}
}

// Consultation is a problem type of the default product that needs neither
// region nor plan.
func (w *World) Consultation(t testing.TB) string {
	t.Helper()
	status, text := w.SendAs(w.Token(t, 0, 0))("GET", "/v2/servicerequest/config/problems?product_category_id=b5f0be5c9639466184abf80e01f9fa1d", nil)
	var list struct {
		Types []struct {
			ID   string `json:"business_type_id"`
			Case string `json:"case_type"`
		} `json:"incident_business_type_list"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%d %s: %v", status, text, err)
	}
	for _, p := range list.Types {
		if p.Case == "0" {
			return p.ID
		}
	}
	t.Fatalf("no consultation: %s", text)
	return ""
}
