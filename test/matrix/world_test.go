// Package matrix holds every operation of the contracts against callers and
// objects they must not reach (threats.md B1 to B5), against the limits the
// contract documents, and demands that each is built.
package matrix

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"casemate/test/contract"
	"casemate/test/world"
)

const source = "83aeb0f2834c4df49826c781d32a963e"

// caller sends requests with one kind of credential.
type caller struct {
	name  string
	w     *world.World
	token string
	ak    string // signs with
	sk    string
	// A browser's session.
	cookie *http.Cookie
	csrf   string
}

type answer struct {
	status int
	code   string
	text   string
	took   time.Duration
}

// plain is the answer without what differs from request to request.
func (a answer) plain() string {
	var body map[string]any
	if json.Unmarshal([]byte(a.text), &body) != nil {
		return fmt.Sprint(a.status, " ", a.text)
	}
	delete(body, "request_id")
	text, _ := json.Marshal(body)
	return fmt.Sprint(a.status, " ", string(text))
}

// message is the error's text.
func (a answer) message() string {
	var e struct {
		Msg string `json:"error_msg"`
	}
	_ = json.Unmarshal([]byte(a.text), &e) // not every answer is JSON
	return e.Msg
}

// denied: 401 at the door, or a body with an error code (threats.md, wire facts).
func (a answer) denied() bool { return a.status == http.StatusUnauthorized || a.code != "" }

var web = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}

func (c caller) send(t *testing.T, method, path string, header map[string]string, body []byte) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.w.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Language", "en-us")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	if c.token != "" {
		r.Header.Set("X-Auth-Token", c.token)
	}
	if c.cookie != nil {
		r.AddCookie(c.cookie)
		r.Header.Set("X-Csrf", c.csrf)
	}
	if c.ak != "" {
		world.Sign(r, body, c.ak, c.sk, time.Now())
	}
	began := time.Now()
	res, err := web.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e struct {
		Code string `json:"error_code"`
	}
	_ = json.Unmarshal(text, &e) // not every answer is JSON
	text = append(text, unpacked(t, text)...)
	return answer{status: res.StatusCode, code: e.Code, text: string(text), took: time.Since(began)}
}

// unpacked is what a zip file holds, spreadsheets among them: a text in it is a
// text of the answer.
func unpacked(t *testing.T, file []byte) (all []byte) {
	t.Helper()
	if !bytes.HasPrefix(file, []byte("PK\x03\x04")) {
		return nil
	}
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Errorf("a zip file that does not open: %v", err)
		return nil
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := io.ReadAll(io.LimitReader(r, 16<<20))
		if err != nil {
			t.Error(err)
		}
		r.Close()
		all = append(append(append(all, f.Name...), '\n'), text...)
	}
	return all
}

func (c caller) call(t *testing.T, op contract.Operation, values map[string]any) answer {
	t.Helper()
	path, header, body := op.Request(values)
	return c.send(t, op.Method, path, header, body)
}

// token logs a customer in.
func token(t *testing.T, w *world.World, domain, user, password string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{"password"},
		"password": map[string]any{"user": map[string]any{"name": user, "password": password, "domain": map[string]any{"name": domain}}}}}})
	res, err := web.Post(w.URL+"/v3/auth/tokens", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		t.Fatalf("log-in of %s: %s", user, res.Status)
	}
	return res.Header.Get("X-Subject-Token")
}

// engineerToken logs a person of the house in.
func engineerToken(t *testing.T, w *world.World, name, password string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"name": name, "password": password})
	a := caller{w: w}.send(t, "POST", "/desk/v1/sessions", nil, body)
	var s struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal([]byte(a.text), &s); err != nil || s.Token == "" {
		t.Fatalf("log-in of %s: %s", name, a.text)
	}
	return s.Token
}

// browser is the caller with a session of a browser in the place of his token;
// domain "" is the house.
func (c caller) browser(t *testing.T, domain, name, password string) caller {
	t.Helper()
	in := map[string]string{"name": name, "password": password}
	if domain != "" {
		in["domain"] = domain
	}
	body, _ := json.Marshal(in)
	res, err := web.Post(c.w.URL+"/web/v1/session", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var s struct {
		Csrf string `json:"csrf"`
	}
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil || res.StatusCode != http.StatusCreated || len(res.Cookies()) != 1 || s.Csrf == "" {
		t.Fatalf("log-in of %s by browser: %s %v", name, res.Status, err)
	}
	sent := res.Cookies()[0]
	return caller{name: c.name + " in a browser", w: c.w, cookie: &http.Cookie{Name: sent.Name, Value: sent.Value}, csrf: s.Csrf}
}

func each(t *testing.T, test func(t *testing.T, w *world.World)) {
	t.Helper()
	configured(t, "", test)
}

// configured runs a test on both databases, with the text of a configuration
// file.
func configured(t *testing.T, config string, test func(t *testing.T, w *world.World)) {
	t.Helper()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{Config: config}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			test(t, world.Start(t, o))
		})
	}
}

// user is a caller with a token of the demo's customer.
func user(t *testing.T, w *world.World, domain, n int) caller {
	t.Helper()
	d := w.Domains[domain]
	u := d.Users[n]
	return caller{name: u.Name, w: w, token: token(t, w, d.Name, u.Name, u.Password)}
}

// consultation is a problem type that needs neither region nor plan.
func consultation(t *testing.T, c caller) string {
	t.Helper()
	a := c.send(t, "GET", "/v2/servicerequest/config/problems?product_category_id=b5f0be5c9639466184abf80e01f9fa1d", nil, nil)
	var list struct {
		Types []struct {
			ID   string `json:"business_type_id"`
			Case string `json:"case_type"`
		} `json:"incident_business_type_list"`
	}
	if err := json.Unmarshal([]byte(a.text), &list); err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Types {
		if p.Case == "0" {
			return p.ID
		}
	}
	t.Fatalf("no consultation: %s", a.text)
	return ""
}

func create(t *testing.T, c caller, problem, text string) string {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"business_type_id": problem, "simple_description": text, "source_id": source})
	a := c.send(t, "POST", "/v2/servicerequest/cases", nil, body)
	var made struct {
		ID string `json:"incident_id"`
	}
	if err := json.Unmarshal([]byte(a.text), &made); err != nil || made.ID == "" {
		t.Fatalf("create: %s", a.text)
	}
	return made.ID
}
