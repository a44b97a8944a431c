package delivery

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// TestNotices: an installation without demo and a real mail server. The handler
// hears of his ticket and of the customer's reply, the operator's own words
// show in the next mail, quiet hours hold one back, and a link in a mail ends
// such mails.
func TestNotices(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			office := openOffice(t)
			o := world.Options{NoDemo: true, Config: fmt.Sprintf("ticket: {acknowledge: true}\nnotify:\n  product: Harbour\n  url: https://desk.harbour.example\n  mail:\n    - host: localhost\n      port: %d\n      user: casemate\n      password: {env: MAIL_PASSWORD}\n      from: Harbour Support <support@harbour.example>\n      ca_file: %s\n",
				office.port, office.ca), Env: []string{"MAIL_PASSWORD=mail-secret"}}
			if database == "postgres" {
				o.Database = dbtest.ServerDatabase(t)
			}
			w := world.Start(t, o)
			made(t, w, "user", "create", "boss", "--new-domain", "--domain", "Harbour Ltd", "--mail", "boss@harbour.example", "--speaks", "en-us")
			key := made(t, w, "key", "create", "boss", "--domain", "Harbour Ltd")
			if l := office.next(t); l.to != "boss@harbour.example" || !strings.Contains(l.text, "access key") {
				t.Errorf("who has a new key is told: %+v", l)
			}
			c := customer{w, key["id"].(string), key["secret"].(string)}
			made(t, w, "user", "create", "anna", "--role", "engineer", "--alias", "Anna", "--mail", "anna@desk.example", "--speaks", "en-us", "--time-zone", "UTC")
			made(t, w, "user", "create", "otto", "--role", "engineer", "--alias", "Otto", "--speaks", "en-us")
			local := func(args ...string) string {
				t.Helper()
				out, err := w.Local(args...)
				if err != nil {
					t.Fatalf("%v: %v %s", args, err, out)
				}
				return out
			}
			next := func(to, subject string) letter {
				t.Helper()
				l := office.next(t)
				if l.to != to || !strings.Contains(l.subject, subject) {
					t.Fatalf("a mail to %s %q, want one to %s with %q", l.to, l.subject, to, subject)
				}
				if l.head.Get("Auto-Submitted") != "auto-generated" || l.head.Get("Precedence") != "bulk" {
					t.Errorf("headers: %v", l.head)
				}
				return l
			}

			kind := question(t, c)
			status, out := c.send(t, "POST", "/v2/servicerequest/cases", map[string]any{"business_type_id": kind, "simple_description": "The disk is full", "source_id": "83aeb0f2834c4df49826c781d32a963e"})
			number, _ := out["incident_id"].(string)
			if status/100 != 2 || number == "" {
				t.Fatalf("create: %d %v", status, out)
			}
			next("boss@harbour.example", "Ticket "+number+" was created")

			local("desk", "assign", number, "anna", "--as", "otto")
			l := next("anna@desk.example", "Ticket "+number+" is yours")
			if strings.Contains(l.text, "disk") || !strings.HasPrefix(l.head.Get("List-Unsubscribe"), "<https://desk.harbour.example/notify/v1/unsubscribe?token=") || l.head.Get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click" {
				t.Errorf("the handler's mail: %v %s", l.head, l.text)
			}
			reply := func(text string) {
				t.Helper()
				if status, out := c.send(t, "POST", "/v2/servicerequest/cases/"+number+"/message", map[string]any{"message": map[string]any{"content": text}}); status/100 != 2 {
					t.Fatalf("reply: %d %v", status, out)
				}
			}
			reply("It is the second disk")
			l = next("anna@desk.example", "Ticket "+number+": the customer replied")

			// The operator's own words.
			file := filepath.Join(t.TempDir(), "replied.yaml")
			text := strings.Replace(local("template", "show", "desk.replied", "en-us"), "Ticket {number}", "Ahoy! Ticket {number}", 1)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out := local("template", "preview", "--file", file); !strings.Contains(out, "Ahoy!") {
				t.Errorf("preview: %s", out)
			}
			local("template", "set", file)
			if out := local("template", "list"); strings.Count(out, "changed ") != 1 && strings.Count(out, "已修改 ") != 1 {
				t.Errorf("list: %s", out)
			}
			bad := filepath.Join(t.TempDir(), "bad.yaml")
			if err := os.WriteFile(bad, []byte("name: desk.replied\nlanguage: en-us\nsubject: x\ntext: '{number} {nonsense}'\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := w.Local("template", "set", bad); err == nil || !strings.Contains(out+err.Error(), "{nonsense}") {
				t.Errorf("a text with a wrong placeholder: %v %s", err, out)
			}
			reply("Are you there?")
			next("anna@desk.example", "Ahoy!")
			local("template", "reset", "desk.replied", "en-us")

			// Quiet hours: an hour ago until in two hours.
			now := time.Now().UTC()
			local("desk", "preferences", "--as", "anna", "--quiet", now.Add(-time.Hour).Format("15:04")+"-"+now.Add(2*time.Hour).Format("15:04"))
			reply("Hello?")
			held := delivery{}
			for end := time.Now().Add(20 * time.Second); held.NotBefore.IsZero(); time.Sleep(50 * time.Millisecond) {
				held = newest(t, w, "anna@desk.example")
				if time.Now().After(end) {
					t.Fatal("the reply never came to the ledger as waiting")
				}
			}
			if want := now.Add(2 * time.Hour).Truncate(time.Minute); !held.NotBefore.Equal(want) || held.State != "queued" || held.Kind != "desk.replied" || held.Reference != number {
				t.Errorf("the ledger: %+v, want it to wait until %v", held, want)
			}
			select {
			case l := <-office.mails:
				t.Errorf("a mail in quiet hours: %s %s", l.to, l.subject)
			case <-time.After(300 * time.Millisecond):
			}
			if out := local("desk", "preferences", "--as", "anna", "--quiet", "off"); !strings.Contains(out, "replied\tmail") {
				t.Errorf("preferences: %s", out)
			}

			// One click ends the mails; looking at the page does not.
			link, err := url.Parse(strings.Trim(l.head.Get("List-Unsubscribe"), "<>"))
			if err != nil {
				t.Fatal(err)
			}
			page := func(method string, q url.Values, want int, words string) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), method, w.URL+link.Path+"?"+q.Encode(), strings.NewReader("List-Unsubscribe=One-Click"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Accept-Language", "en-GB,en;q=0.9")
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != want || !strings.Contains(string(body), words) || !strings.Contains(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
					t.Errorf("%s: %d %s, %v", method, res.StatusCode, body, err)
				}
			}
			page("GET", link.Query(), 200, "customer replied")
			page("POST", url.Values{"token": {link.Query().Get("token") + "x"}}, 404, "not valid")
			if out := local("desk", "preferences", "--as", "anna"); !strings.Contains(out, "replied\tmail") {
				t.Errorf("looking at the page changed something: %s", out)
			}
			page("POST", link.Query(), 200, "Done")
			if out := local("desk", "preferences", "--as", "anna"); !strings.Contains(out, "replied\toff") || !strings.Contains(out, "assigned\tmail") {
				t.Errorf("after the click: %s", out)
			}
			reply("Last words")
			if status, out := c.send(t, "POST", "/v2/servicerequest/cases", map[string]any{"business_type_id": kind, "simple_description": "Another", "source_id": "83aeb0f2834c4df49826c781d32a963e"}); status/100 != 2 {
				t.Fatalf("create: %d %v", status, out)
			}
			next("boss@harbour.example", "was created")
			t.Logf("REPORT notices (%s): acknowledged; handler told of assignment and reply; own words in the next mail; held until %s; ended by one click\n", t.Name(), held.NotBefore.Format("15:04"))
		})
	}
}

// delivery is a line of the ledger.
type delivery struct {
	Kind, Reference, State string
	NotBefore              time.Time `json:"not_before"`
}

func newest(t *testing.T, w *world.World, to string) delivery {
	t.Helper()
	status, text, err := w.Operator("GET", "/desk/v1/deliveries?limit=1&to="+url.QueryEscape(to), nil)
	var page struct{ Items []delivery }
	if err != nil || status != 200 || json.Unmarshal([]byte(text), &page) != nil || len(page.Items) == 0 {
		t.Fatalf("deliveries: %d %s, %v", status, text, err)
	}
	return page.Items[0]
}

// question is a problem type that needs neither region nor plan.
func question(t *testing.T, c customer) string {
	t.Helper()
	_, out := c.send(t, "GET", "/v2/servicerequest/config/problems?product_category_id=b5f0be5c9639466184abf80e01f9fa1d", nil)
	list, _ := out["incident_business_type_list"].([]any)
	for _, one := range list {
		if p := one.(map[string]any); p["case_type"] == "0" {
			return p["business_type_id"].(string)
		}
	}
	t.Fatalf("no question among %v", out)
	return ""
}
