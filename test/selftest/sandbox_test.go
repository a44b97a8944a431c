package selftest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// user signs requests.
type user struct {
	Name, AK, SK, Email, Mobile string
	Role                        string
	w                           *world.World
}

func (u user) send(t *testing.T, method, path string, body any) (int, map[string]any) {
	t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, u.w.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Language", "en-us")
	world.Sign(r, text, u.AK, u.SK, time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, out
}

func (u user) must(t *testing.T, method, path string, body any) map[string]any {
	t.Helper()
	status, out := u.send(t, method, path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// ticket opens a consultation.
func (u user) ticket(t *testing.T, text string) string {
	t.Helper()
	types := u.must(t, "GET", "/v2/servicerequest/config/problems", nil)["incident_business_type_list"].([]any)
	for _, v := range types {
		if p := v.(map[string]any); p["case_type"] == "0" {
			return u.must(t, "POST", "/v2/servicerequest/cases", map[string]any{"business_type_id": p["business_type_id"], "simple_description": text,
				"source_id": "83aeb0f2834c4df49826c781d32a963e"})["incident_id"].(string)
		}
	}
	t.Fatal("there is no consultation")
	return ""
}

func (u user) state(t *testing.T, number string) any {
	t.Helper()
	return u.must(t, "GET", "/v2/servicerequest/cases/"+number+"/status", nil)["status"]
}

func local(t *testing.T, w *world.World, args ...string) string {
	t.Helper()
	out, err := w.Local(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSandbox: an installation with a mail provider and no demo. A sandbox's
// mails go to the catcher and never near the provider; its clock closes a
// ticket within two seconds (with room for a busy machine) and lets a code die, while its neighbour's live on;
// a reset leaves accounts and keys only.
func TestSandbox(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			provider, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer provider.Close()
			var calls atomic.Int32
			go func() {
				for {
					c, err := provider.Accept()
					if err != nil {
						return
					}
					calls.Add(1)
					c.Close() // it takes nothing
				}
			}()
			o := world.Options{NoDemo: true, Config: fmt.Sprintf("drain: 100ms\nnotify:\n  mail:\n    - host: 127.0.0.1\n      port: %d\n      from: Support <support@example.org>\n", provider.Addr().(*net.TCPAddr).Port)}
			if database == "postgres" {
				o.Database = dbtest.ServerDatabase(t)
			}
			w := world.Start(t, o)
			local(t, w, "user", "create", "chen", "--role", "engineer")
			var made struct {
				Domains []struct {
					ID    string `json:"domain_id"`
					Users []user `json:"users"`
				} `json:"domains"`
			}
			if err := json.Unmarshal([]byte(local(t, w, "sandbox", "create", "playground", "--plan", "Business")), &made); err != nil {
				t.Fatal(err)
			}
			box := made.Domains[0].Users[0]
			box.w = w
			if box.Role != "main" || len(made.Domains[0].Users) != 3 {
				t.Fatalf("the sandbox: %+v", made)
			}
			solved := func(u user) string {
				n := u.ticket(t, "Will it close by itself?")
				for _, step := range [][]string{{"accept", n}, {"reply", n, "We look into it."}, {"resolve", n, "It is solved."}} {
					local(t, w, append([]string{"desk"}, step...)...)
				}
				if got := u.state(t, n); got != 2.0 {
					t.Fatalf("after the solution: %v", got)
				}
				return n
			}
			mine, code := solved(box), func(u user, to string) string {
				u.must(t, "POST", "/v2/servicerequest/verifycodes/send", map[string]any{"contact_value": to, "contact_way": 1, "area_code": "86"})
				return local(t, w, "outbox", "--to", to, "--code")
			}
			check := func(u user, to, code string) int {
				status, _ := u.send(t, "POST", "/v2/servicerequest/verifycodes", map[string]any{"contact_value": to, "contact_way": 1, "verify_code": code})
				return status
			}
			dies := code(box, "dies@example.com")
			if n := calls.Load(); n != 0 {
				t.Errorf("the provider was called %d times for a sandbox", n)
			}
			if texts := local(t, w, "outbox", "--to", box.Email); !strings.Contains(texts, mine) {
				t.Errorf("the catcher does not hold the ticket's notices: %s", texts)
			}
			// Only now, because a real customer is told of a new key, by the provider.
			local(t, w, "user", "create", "boss", "--new-domain", "--domain", "Harbour Ltd", "--mail", "boss@harbour.example")
			var key struct{ ID, Secret string }
			if err := json.Unmarshal([]byte(local(t, w, "key", "create", "boss", "--domain", "Harbour Ltd", "--json")), &key); err != nil {
				t.Fatal(err)
			}
			real := user{AK: key.ID, SK: key.Secret, w: w}
			theirs := solved(real)
			for began := time.Now(); calls.Load() < 3; time.Sleep(10 * time.Millisecond) { // the key, the reply, the solution
				if time.Since(began) > 10*time.Second {
					t.Fatal("the real domain's notices do not go to the provider")
				}
			}
			list := local(t, w, "desk", "list")
			if strings.Contains(list, mine) || !strings.Contains(list, theirs) {
				t.Errorf("the desk's list: %s", list)
			}
			if got := local(t, w, "desk", "list", "--domain", "playground"); !strings.Contains(got, mine) {
				t.Errorf("the sandbox's list: %s", got)
			}

			local(t, w, "demo", "clock", "+5m")
			if got := check(box, "dies@example.com", dies); got != http.StatusBadRequest {
				t.Errorf("a code five minutes old: %d", got)
			}
			if got := check(box, "lives@example.com", code(box, "lives@example.com")); got != http.StatusOK {
				t.Errorf("a new code: %d", got)
			}
			moved := time.Now()
			local(t, w, "demo", "clock", "+3d", "--domain", "playground")
			for box.state(t, mine) != 3.0 {
				if time.Since(moved) > 6*time.Second { // how long it takes is reported below
					t.Fatalf("six seconds after the move the ticket is in %v", box.state(t, mine))
				}
				time.Sleep(20 * time.Millisecond)
			}
			took := time.Since(moved)
			if got := real.state(t, theirs); got != 2.0 {
				t.Errorf("the neighbour's ticket: %v", got)
			}
			detail := box.must(t, "GET", "/v2/servicerequest/cases/"+mine+"/operate-logs", nil)["incident_operate_log_list"].([]any)
			closed, err := time.Parse(time.RFC3339, detail[0].(map[string]any)["timestamp_operate_time"].(string))
			if err != nil || time.Until(closed) < 71*time.Hour {
				t.Errorf("it was closed at %v, which is not three days ahead: %v", closed, err)
			}
			if _, err := w.Local("demo", "clock", "+1d", "--domain", "Harbour Ltd"); err == nil {
				t.Error("the clock of a real domain was moved")
			}
			if _, err := w.Local("demo", "reset", "--domain", "Harbour Ltd"); err == nil {
				t.Error("a real domain was reset")
			}
			local(t, w, "demo", "reset")
			if got := box.must(t, "GET", "/v2/servicerequest/cases", nil)["total_count"]; got != 0.0 {
				t.Errorf("after the reset there are %v tickets", got)
			}
			if got := box.must(t, "GET", "/v2/servicerequest/verifycodes/has-verified", nil)["count"]; got != 0.0 {
				t.Errorf("after the reset there are %v proofs", got)
			}
			if out, err := w.Local("outbox", "--to", box.Email); err == nil && strings.Contains(out, mine) {
				t.Errorf("after the reset the catcher holds %s", out)
			}
			if got := real.must(t, "GET", "/v2/servicerequest/cases", nil)["total_count"]; got != 1.0 {
				t.Errorf("after the sandbox's reset the neighbour has %v tickets", got)
			}
			now := box.ticket(t, "after the reset")
			at := box.must(t, "GET", "/v2/servicerequest/cases/"+now, nil)["incident_detail_info"].(map[string]any)["create_time"].(string)
			if made, err := time.Parse(time.RFC3339, at); err != nil || time.Since(made).Abs() > time.Minute {
				t.Errorf("after the reset a ticket is dated %s: %v", at, err)
			}
			w.Stop()
			verify := []string{"audit", "verify"}
			if o.Database != "" {
				verify = append(verify, "--database", o.Database)
			}
			if out, err := w.Local(verify...); err != nil || !strings.Contains(out, "holds") || strings.HasPrefix(out, "0 events") {
				t.Errorf("the history after it all: %s %v", out, err)
			}
			t.Logf("REPORT sandbox (%s): a ticket closed %d ms after its clock moved 3 days; no message left\n", t.Name(), took.Milliseconds())
		})
	}
}
