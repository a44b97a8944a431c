// Package mailin drives the shipped binary by mail: a real IMAP server, mail
// servers that bring mails over LMTP and SMTP, kills in between.
package mailin

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/internal/mailin/mailtest"
	"casemate/test/world"
)

func TestMain(m *testing.M) { world.Main(m) }

// office is an installation that gets mail, without demo.
type office struct {
	*world.World
	t       *testing.T
	receive string // address of the receiver
}

// freeAddress is an address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// open starts an installation with customers, whose users are
// li.hua@customer0.example and so on.
func open(t *testing.T, database, config string, customers int) *office {
	t.Helper()
	f := &office{t: t, receive: freeAddress(t)}
	f.World = world.Start(t, world.Options{NoDemo: true, Direct: true, Config: strings.ReplaceAll(config, "RECEIVE", f.receive), Database: f.store(database)})
	for i := range customers {
		f.local("user", "create", "lihua", "--new-domain", "--domain", fmt.Sprint("Customer ", i), "--mail", sender(i*perCustomer), "--speaks", "zh-cn")
	}
	return f
}

// store is the URL of an empty database, "" = SQLite.
func (f *office) store(database string) string {
	if database == "postgres" {
		return dbtest.ServerDatabase(f.t)
	}
	return ""
}

func (f *office) local(args ...string) string {
	f.t.Helper()
	out, err := f.Local(args...)
	if err != nil {
		f.t.Fatalf("%v: %v %s", args, err, out)
	}
	return out
}

// received is a mail as the desk shows it.
type received struct {
	ID, State, Outcome, Cause, Subject, Number, From string
}

// mails are all that came in, of all states, newest first.
func (f *office) mails() (all []received) {
	f.t.Helper()
	for _, state := range []string{"waiting", "done", "quarantined", "discarded"} {
		cursor := ""
		for {
			var page struct {
				Items []received
				Next  string `json:"next_cursor"`
			}
			f.get("/desk/v1/mail/quarantine?limit=100&state="+state+"&cursor="+url.QueryEscape(cursor), &page, cursor == "")
			all = append(all, page.Items...)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	return all
}

func (f *office) get(path string, into any, first bool) {
	f.t.Helper()
	if first {
		path = strings.TrimSuffix(path, "&cursor=")
	}
	status, text, err := f.Operator("GET", path, nil)
	if err != nil || status != 200 {
		f.t.Fatalf("%s: %d %s %v", path, status, text, err)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		f.t.Fatal(err)
	}
}

// tickets are how many there are.
func (f *office) tickets() int64 {
	f.t.Helper()
	var n struct{ Tickets int64 }
	f.get("/desk/v1/system", &n, false)
	return n.Tickets
}

func (f *office) until(what string, ok func() bool) {
	f.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			f.t.Fatalf("not within a minute: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// settled waits until no mail waits.
func (f *office) settled() {
	f.t.Helper()
	f.until("all mails are handled", func() bool {
		var page struct{ Items []received }
		f.get("/desk/v1/mail/quarantine?limit=1&state=waiting", &page, false)
		return len(page.Items) == 0
	})
}

// account is the part of the configuration that reads the IMAP server.
func account(t *testing.T, m *mailtest.IMAP, more string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(mailtest.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`mail_in:
  mailboxes:
    - name: support
      address: support@example.com
      imap: {host: localhost, port: %d, ca_file: %s, user: %s, password: {file: %s}, every: 1s%s}
`, m.Port, m.CA, mailtest.User, file, more)
}

func eachDatabase(t *testing.T, test func(t *testing.T, database string)) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			test(t, database)
		})
	}
}

// perCustomer is how many questions one customer asks: no more than an address may
// open tickets by mail in ten minutes, and fewer than his quota.
const perCustomer = 10

func sender(i int) string { return fmt.Sprintf("li.hua@customer%d.example", i/perCustomer) }

func question(i int) string {
	return mailtest.Mail("=?utf-8?b?5p2O5Y2O?= <"+sender(i)+">", "support@example.com", fmt.Sprintf("question %d", i), fmt.Sprintf("q%d", i), fmt.Sprintf("第 %d 个问题：磁盘满了", i))
}

// exactlyOnce demands that each of n questions is one ticket, and that there are
// no other tickets.
func (f *office) exactlyOnce(n int) {
	f.t.Helper()
	f.settled()
	seen, numbers := map[string]int{}, map[string]bool{}
	for _, m := range f.mails() {
		seen[m.Subject]++
		if m.State != "done" || m.Outcome != "ticket" || m.Number == "" || numbers[m.Number] {
			f.t.Errorf("%+v", m)
		}
		numbers[m.Number] = true
	}
	lost, doubled := 0, 0
	for i := range n {
		switch k := seen[fmt.Sprintf("question %d", i)]; {
		case k == 0:
			lost++
		case k > 1:
			doubled++
		}
	}
	if tickets := f.tickets(); lost > 0 || doubled > 0 || len(seen) != n || tickets != int64(n) {
		f.t.Errorf("of %d mails %d lost, %d doubled; %d tickets", n, lost, doubled, tickets)
	}
}
