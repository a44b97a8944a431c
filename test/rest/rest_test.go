// Package rest searches what an installation of the shipped binary keeps and
// says for the secrets that went through it (threats.md D1).
package rest

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// control is a text that is no secret: it must be found wherever data are.
const control = "CONTROL-a-text-that-is-no-secret-5e1d"

func marker(name string) string {
	b := make([]byte, 6)
	_, _ = rand.Read(b)
	return "MARKER-" + name + "-" + hex.EncodeToString(b) + "Aa1!"
}

// scenario is a world and what must not be found of it.
type scenario struct {
	*world.World
	t       *testing.T
	dir     string
	secrets map[string]string
	metrics string
}

func (s *scenario) file(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// keep notes a secret; an empty one is a failure.
func (s *scenario) keep(name, secret string) string {
	s.t.Helper()
	if len(secret) < 6 {
		s.t.Fatalf("no %s: %q", name, secret)
	}
	s.secrets[name] = secret
	return secret
}

// cli runs a command and reads its JSON.
func (s *scenario) cli(args ...string) map[string]any {
	s.t.Helper()
	out, err := s.Local(append(args, "--json")...)
	var v map[string]any
	if err == nil {
		err = json.Unmarshal([]byte(out), &v)
	}
	if err != nil {
		s.t.Fatalf("%v: %v %s", args, err, out)
	}
	return v
}

// call makes a request and reads its answer into a value.
func (s *scenario) call(r func(method, path string, body any) (int, string), method, path string, body any, want int, into any) {
	s.t.Helper()
	status, text := r(method, path, body)
	if status != want {
		s.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			s.t.Fatalf("%s: %v", text, err)
		}
	}
}

// signed makes requests with an access key.
func (s *scenario) signed(ak, sk string, heads ...string) func(method, path string, body any) (int, string) {
	return func(method, path string, body any) (int, string) {
		var text []byte
		if body != nil {
			text, _ = json.Marshal(body)
		}
		r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, bytes.NewReader(text))
		if err != nil {
			return 0, err.Error()
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", rand.Text())
		for i := 0; i+1 < len(heads); i += 2 {
			r.Header.Set(heads[i], heads[i+1])
		}
		world.Sign(r, text, ak, sk, time.Now())
		res, err := http.DefaultClient.Do(r)
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

// logIn asks for a token with a password.
func (s *scenario) logIn(domain, user, password string) (int, string) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{"password"},
		"password": map[string]any{"user": map[string]any{"name": user, "password": password, "domain": map[string]any{"name": domain}}}}}})
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := http.Post(s.URL+"/v3/auth/tokens", "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode, res.Header.Get("X-Subject-Token")
}

// house are the providers and receivers of a scenario. They repeat what they
// were given in their answers, as bad ones do.
type house struct {
	mu    sync.Mutex
	codes map[string]string // by contact
}

var codeIn = regexp.MustCompile(`\b\d{6}\b`)

func (h *house) note(to, text string) {
	if code := codeIn.FindString(text); code != "" {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.codes[to] = code
	}
}

func (h *house) code(t *testing.T, to string) string {
	t.Helper()
	for range 500 {
		h.mu.Lock()
		code := h.codes[to]
		h.mu.Unlock()
		if code != "" {
			return code
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no code came to %s", to)
	return ""
}

// gateway takes text messages, or refuses them and says all it knows.
func (h *house) gateway(t *testing.T, takes bool) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		var m struct{ To, Text string }
		if err != nil || json.Unmarshal(text, &m) != nil {
			t.Errorf("a request of the gateway: %s %v", text, err)
		}
		if !takes {
			w.WriteHeader(http.StatusInternalServerError)
			said, _ := json.Marshal(map[string]string{"error": string(text) + " " + r.Header.Get("Authorization")})
			_, _ = w.Write(said)
			return
		}
		h.note(m.To, m.Text)
		_, _ = io.WriteString(w, `{"error":"none"}`)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// mailServer likewise.
func (h *house) mailServer(t *testing.T, takes bool) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	talk := func(c net.Conn) {
		defer c.Close()
		say := func(line string) { _, _ = io.WriteString(c, line+"\r\n") }
		lines, to := bufio.NewScanner(c), ""
		say("220 localhost")
		for lines.Scan() {
			verb, rest, _ := strings.Cut(lines.Text(), " ")
			switch strings.ToUpper(verb) {
			case "EHLO":
				say("250 localhost")
			case "RCPT":
				to = strings.Trim(rest[3:], "<>")
				say("250 ok")
			case "DATA":
				say("354 go on")
				text := ""
				for lines.Scan() && lines.Text() != "." {
					text += lines.Text() + " "
				}
				_, body, _ := strings.Cut(text, "  ") // behind the header
				if takes {
					h.note(to, body)
					say("250 ok")
				} else {
					say("451 4.7.1 not now: " + codeIn.FindString(body) + " for " + to)
				}
			case "QUIT":
				say("221 bye")
				return
			default:
				say("250 ok")
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go talk(c)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func freePort(t *testing.T) string {
	address, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// TestNoSecretAtRest (threats.md D1, A5, A14): passwords, access keys, tokens,
// codes, what was granted of a host, and the secrets of webhooks and providers
// go through the shipped binary; afterwards they are found nowhere in the data
// folder with its write-ahead log, in any value of the database, in a backup,
// the log and the metrics, neither as they are nor in base64 or hex. A text
// that is no secret is found, and so are the secrets once they are planted.
func TestNoSecretAtRest(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		for _, demo := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/demo=%v", database, demo), func(t *testing.T) {
				t.Parallel()
				s := &scenario{t: t, dir: t.TempDir(), secrets: map[string]string{}, metrics: freePort(t)}
				h := &house{codes: map[string]string{}}
				o := world.Options{NoDemo: !demo, Fresh: true, Args: []string{"--log-level", "debug"}}
				mailSecret, smsSecret := s.keep("mail provider's password", marker("mail")), s.keep("gateway's secret", marker("gateway"))
				o.Config = fmt.Sprintf(`metrics: %s
webhooks: {allow: [127.0.0.1/32]}
notify:
  mail:
    - {name: refusing-mail, host: 127.0.0.1, port: %d, tls: none, from: help@example.com, order: 1}
    - {name: taking-mail, host: 127.0.0.1, port: %d, tls: none, from: help@example.com, order: 2}
    - {name: secret-mail, host: 127.0.0.1, port: 1, user: casemate, password: {file: %s}, from: help@example.com, order: 3}
  sms:
`, s.metrics, h.mailServer(t, false), h.mailServer(t, true), s.file("mail-secret", mailSecret))
				for i, takes := range []bool{false, true} {
					o.Config += fmt.Sprintf("    - {name: sms%d, url: %q, body: '{\"to\":\"{to}\",\"text\":\"{text}\"}', headers: {Authorization: 'Bearer {secret}'}, secret: {file: %s}, success: {path: error, values: [none]}, allow: [127.0.0.1/32], order: %d}\n",
						i+1, h.gateway(t, takes), s.file("sms-secret", smsSecret), i+1)
				}
				if database == "postgres" {
					o.Database = dbtest.ServerDatabase(t)
				}
				s.World = world.Start(t, o)
				s.people()
				s.codes(h, demo)
				s.webhooks()
				if demo {
					s.consent()
				}
				s.judge(database)
			})
		}
	}
}

// people: passwords, access keys, tokens, temporary keys.
func (s *scenario) people() {
	password := s.keep("customer's password", marker("customer"))
	s.cli("user", "create", "boss", "--new-domain", "--domain", "Rest Ltd", "--mail", "boss@rest.example", "--password-file", s.file("p1", password))
	s.cli("user", "create", "ana", "--role", "engineer", "--password-file", s.file("p2", s.keep("engineer's password", marker("engineer"))))
	status, token := s.logIn("Rest Ltd", "boss", password)
	if status != http.StatusCreated {
		s.t.Fatalf("log-in: %d", status)
	}
	s.keep("token", token)
	if status, _ := s.logIn("Rest Ltd", "boss", s.keep("wrong password", marker("wrong"))); status != http.StatusUnauthorized {
		s.t.Errorf("a wrong password: %d", status)
	}
	var session struct{ Token string }
	s.call(s.SendAs(""), "POST", "/desk/v1/sessions", map[string]string{"name": "ana", "password": s.secrets["engineer's password"]}, http.StatusCreated, &session)
	s.keep("engineer's token", session.Token)
	var temporary struct {
		Credential struct{ Access, Secret, Securitytoken string }
	}
	s.call(s.SendAs(""), "POST", "/v3/OS-CREDENTIAL/securitytokens", map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{"token"}, "token": map[string]string{"id": token}}}}, http.StatusCreated, &temporary)
	s.keep("temporary secret key", temporary.Credential.Secret)
	s.keep("security token", temporary.Credential.Securitytoken)
	s.call(s.signed(temporary.Credential.Access, temporary.Credential.Secret, "X-Security-Token", temporary.Credential.Securitytoken), "GET", "/v2/servicerequest/cases", nil, http.StatusOK, nil)
	key := s.cli("key", "create", "boss", "--domain", "Rest Ltd")
	s.keep("secret access key", key["secret"].(string))
	s.call(s.signed(key["id"].(string), key["secret"].(string)), "GET", "/v2/servicerequest/cases", nil, http.StatusOK, nil)
	s.call(s.signed(key["id"].(string), s.keep("wrong secret key", marker("badkey"))), "GET", "/v2/servicerequest/cases", nil, http.StatusUnauthorized, nil)
	s.call(s.SendAs(s.keep("false token", marker("token"))), "GET", "/v2/servicerequest/cases", nil, http.StatusUnauthorized, nil)
	s.cli("user", "reset-password", "ana", "--password-file", s.file("p3", s.keep("engineer's second password", marker("second"))))
	for i, d := range s.Domains {
		for j, u := range d.Users {
			s.keep(fmt.Sprint("demo password ", i, j), u.Password)
			s.keep(fmt.Sprint("demo key ", i, j), u.SK)
		}
	}
}

// codes: sent by mail and text message past a provider that repeats them in
// its refusal; used, guessed at, left alone.
func (s *scenario) codes(h *house, demo bool) {
	_, token := s.logIn("Rest Ltd", "boss", s.secrets["customer's password"])
	boss := s.SendAs(s.keep("token for codes", token))
	const verif = "/v2/servicerequest/verifycodes"
	for i, contact := range []string{"used@rest.example", "left@rest.example", "guessed@rest.example", "13800138000", "13900139000", "13700137000"} {
		way, to := 1, contact
		if !strings.Contains(contact, "@") {
			way, to = 0, "+86"+contact
		}
		s.call(boss, "POST", verif+"/send", map[string]any{"contact_value": contact, "contact_way": way, "area_code": "86"}, http.StatusOK, nil)
		var code string
		if demo {
			out, err := s.Local("outbox", "--to", contact, "--code")
			if err != nil {
				s.t.Fatal(err)
			}
			code = out
		} else {
			code = h.code(s.t, to)
		}
		s.keep(fmt.Sprint("code ", i), code)
		try := func(code string, want int) {
			s.t.Helper()
			s.call(boss, "POST", verif, map[string]any{"contact_value": contact, "contact_way": way, "area_code": "86", "verify_code": code}, want, nil)
		}
		switch i % 3 {
		case 0:
			try(code, http.StatusOK)
		case 2:
			try(string('0'+(code[0]-'0'+1)%10)+code[1:], http.StatusBadRequest)
		}
	}
	for _, name := range []string{"sms1", "sms2"} {
		_, err := s.Local("provider", "test", name, "13600136000")
		if (err == nil) != (name == "sms2") || err != nil && strings.Contains(err.Error(), "MARKER") {
			s.t.Errorf("test of %s: %v", name, err)
		}
	}
}

// webhooks: two secrets, and a receiver that answers with what it was sent.
func (s *scenario) webhooks() {
	r := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	s.t.Cleanup(r.Close)
	hook := s.cli("webhook", "add", r.URL, "--about", control)
	turned := s.cli("webhook", "rotate", hook["id"].(string))
	for name, v := range map[string]any{"webhook's secret": hook["secret"], "webhook's second secret": turned["secret"]} {
		text := strings.TrimPrefix(s.keep(name, v.(string)), "whsec_")
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			s.t.Fatal(err)
		}
		s.keep(name+", its bytes", string(raw))
	}
	s.cli("webhook", "test", hook["id"].(string))
}

// consent: what a customer grants of a host, shown to the engineer.
func (s *scenario) consent() {
	kind := s.Consultation(s.t)
	customer := s.SendAs(s.keep("token for consent", s.Token(s.t, 0, 0)))
	var made struct {
		ID string `json:"incident_id"`
	}
	s.call(customer, "POST", "/v2/servicerequest/cases", map[string]any{"business_type_id": kind, "simple_description": control, "source_id": "83aeb0f2834c4df49826c781d32a963e"}, http.StatusOK, &made)
	if _, err := s.Local("desk", "accept", made.ID, "--as", "chen"); err != nil {
		s.t.Fatal(err)
	}
	id, err := s.Local("desk", "authorize", made.ID, "to look", "--host", "127.0.0.1", "--as", "chen")
	if err != nil {
		s.t.Fatal(err)
	}
	path := "/v2/servicerequest/authorizations/" + id
	var shown struct {
		List []struct {
			ID int64 `json:"id"`
		} `json:"incident_auth_detail_list"`
	}
	s.call(customer, "GET", path, nil, http.StatusOK, &shown)
	now := time.Now().UnixMilli()
	s.call(customer, "PUT", path, map[string]any{"auth_effective_time": now, "auth_expire_time": now + 3600_000, "auth_detail_list": []any{map[string]any{"auth_detail_id": shown.List[0].ID,
		"port": 22, "account": s.keep("host's account", marker("account")), "password": s.keep("host's password", marker("host"))}}}, http.StatusOK, nil)
	var session struct{ Token string }
	i := slices.IndexFunc(s.Engineers, func(e struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}) bool {
		return e.Name == "chen"
	})
	s.call(s.SendAs(""), "POST", "/desk/v1/sessions", map[string]string{"name": "chen", "password": s.keep("chen's password", s.Engineers[i].Password)}, http.StatusCreated, &session)
	var secret struct{ Password string }
	s.call(s.SendAs(s.keep("chen's token", session.Token)), "POST", fmt.Sprint("/desk/v1/authorizations/", id, "/details/", shown.List[0].ID, "/reveal"), nil, http.StatusOK, &secret)
	if secret.Password != s.secrets["host's password"] {
		s.t.Errorf("revealed %q", secret.Password)
	}
}

// look searches everything.
func (s *scenario) look(database string, secrets map[string]string, backup string) *search {
	s.t.Helper()
	found := newSearch(secrets)
	for _, root := range []string{s.Dir, s.Dir + ".keys"} {
		err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil // a temporary one
			}
			name, _ := filepath.Rel(filepath.Dir(s.Dir), path)
			found.in("file "+name, text)
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.EachValue(s.t, func(table, column string, value []byte) { found.in("table "+table+"."+column, value) })
	found.in("log", []byte(s.LogText()))
	if res, err := http.Get("http://" + s.metrics + "/metrics"); err == nil {
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !bytes.Contains(text, []byte("go_goroutines")) {
			s.t.Errorf("the metrics page: %v", err)
		}
		found.in("metrics", text)
	} else {
		s.t.Error(err)
	}
	if database == "sqlite" {
		s.backup(found, backup)
	}
	return found
}

// backup makes one while the server runs and looks into it.
func (s *scenario) backup(found *search, name string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if _, err := s.Local("backup", "--to", path); err != nil {
		s.t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	for r := tar.NewReader(f); ; {
		head, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			s.t.Fatal(err)
		}
		found.in("backup "+head.Name, text)
	}
}

func printable(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c < ' ' || c >= 0x7f })
}

// judge is the sentence: nothing is found before, everything after planting.
func (s *scenario) judge(database string) {
	found := s.look(database, s.secrets, "first.tar")
	for _, what := range slices.Sorted(maps.Keys(found.hits)) {
		s.t.Errorf("%s is found in %v", what, slices.Compact(slices.Sorted(slices.Values(found.hits[what]))))
	}
	want := []string{"table webhooks.about", "log", "metrics"}
	if database == "sqlite" {
		want = append(want, "file data/casemate.db", "file data/casemate.db-wal", "backup manifest.json", "backup casemate.db")
	}
	for _, place := range want {
		if !found.places[place] {
			s.t.Errorf("nobody looked into %s: %v", place, slices.Sorted(maps.Keys(found.places)))
		}
	}
	if real := len(s.Domains) == 0; real && !strings.Contains(s.LogText(), "a message was not taken") {
		s.t.Error("the log does not tell of the refusals: nothing was there to be found")
	}
	// What is no secret is found, and planted secrets are, in each form.
	harmless := newSearch(map[string]string{"control": control})
	s.EachValue(s.t, func(table, column string, value []byte) { harmless.in("table "+table+"."+column, value) })
	if !slices.Contains(harmless.hits["control (plain)"], "table webhooks.about") {
		s.t.Errorf("the control is found in %v", harmless.hits)
	}
	for i, f := range found.forms {
		if printable(f.text) {
			s.Exec(s.t, fmt.Sprintf("INSERT INTO locks (domain_id, name, n) VALUES ('plant%d', '=%s=', 1)", i, strings.ReplaceAll(string(f.text), "'", "''")))
		}
	}
	planted := s.look(database, s.secrets, "second.tar")
	blind := 0
	for _, f := range found.forms {
		if !printable(f.text) {
			continue // bytes of a key: no text column takes them
		}
		where := planted.hits[f.secret+" ("+f.how+")"]
		ok := slices.Contains(where, "table locks.name")
		if database == "sqlite" {
			ok = ok && slices.Contains(where, "backup casemate.db") && (slices.Contains(where, "file data/casemate.db") || slices.Contains(where, "file data/casemate.db-wal"))
		}
		if !ok {
			blind++
			s.t.Errorf("%s (%s) was planted and is found in %v only", f.secret, f.how, where)
		}
	}
	s.t.Logf("REPORT secrets at rest (%s): %d secrets in %d forms, %d places of %d KiB: %d hits; planted: all but %d found\n", s.t.Name(), len(s.secrets), len(found.forms), len(found.places), found.bytes>>10, len(found.hits), blind)
}
