package mailin

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"casemate/internal/mailin/mailtest"
	"casemate/test/world"
)

// twoHouses are two installations, each of which sends to the other's receiver
// and knows the other's address as a customer's. Both acknowledge new tickets by
// mail.
func twoHouses(t *testing.T, database string) (a, b *office) {
	t.Helper()
	at := []string{freeAddress(t), freeAddress(t)}
	make := func(i int, own, other string) *office {
		_, port, err := net.SplitHostPort(at[1-i])
		if err != nil {
			t.Fatal(err)
		}
		config := fmt.Sprintf(`ticket: {acknowledge: true}
notify:
  mail: [{host: 127.0.0.1, port: %s, tls: none, from: support@%s}]
mail_in:
  receiver: {listen: %q, protocol: smtp}
  mailboxes:
    - {name: support, address: support@%s, unknown: create, guest: {domain: Guests, user: guest}}
`, port, own, at[i], own)
		f := &office{t: t, receive: at[i]}
		f.World = world.Start(t, world.Options{NoDemo: true, Direct: true, Config: config, Database: f.store(database)})
		f.local("user", "create", "guest", "--new-domain", "--domain", "Guests", "--mail", "guest@"+other)
		f.local("user", "create", "partner", "--new-domain", "--domain", "Partner", "--mail", "support@"+other)
		return f
	}
	return make(0, "a.example", "b.example"), make(1, "b.example", "a.example")
}

// quiet waits until nothing has come in or gone out for a while, and tells how
// many mails each has received.
func quiet(a, b *office) (toA, toB int) {
	last, since := -1, time.Now()
	deadline := since.Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		toA, toB = len(a.mails()), len(b.mails())
		if n := toA + toB; n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > 4*time.Second && a.still() && b.still() {
			return toA, toB
		}
		time.Sleep(300 * time.Millisecond)
	}
	a.t.Errorf("the mails do not end: %d and %d", toA, toB)
	return toA, toB
}

// still tells that no mail waits to be handled or sent.
func (f *office) still() bool {
	var n struct {
		Jobs       int64 `json:"jobs_waiting"`
		Deliveries int64 `json:"deliveries_waiting"`
	}
	f.get("/desk/v1/system", &n, false)
	var page struct{ Items []received }
	f.get("/desk/v1/mail/quarantine?limit=1&state=waiting", &page, false)
	return n.Deliveries == 0 && len(page.Items) == 0
}

// TestMailLoop: threats.md D11. Two installations answer each other: at most ten
// mails in all, whoever began. A mail of ours that comes back by a forwarding
// rule makes nothing, and an absence assistant that answers every mail gets no
// answer.
func TestMailLoop(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		a, b := twoHouses(t, database)
		const stranger = "wang.wu@stranger.example"
		// A stranger, and the other house's address as sender: the mail that starts
		// the loop.
		for i, from := range []string{stranger, "support@b.example"} {
			mail := mailtest.Mail(from, "support@a.example", fmt.Sprint("start ", i), fmt.Sprint("start", i), "帮助")
			if code := mailtest.BringOnce(a.receive, false, from, "support@a.example", mail); code != 250 {
				t.Fatal(code)
			}
		}
		toA, toB := quiet(a, b)
		if toA+toB > 10 || a.tickets() != 2 || b.tickets() != 0 || toB == 0 {
			t.Errorf("%d mails came to one, %d to the other: %+v %+v; %d and %d tickets", toA, toB, a.mails(), b.mails(), a.tickets(), b.tickets())
		}
		for _, m := range b.mails() {
			if m.State == "done" && m.Outcome != "ignored" {
				t.Errorf("an acknowledgement became something: %+v", m)
			}
		}
		fmt.Printf("REPORT mail loop (%s): two installations, %d mails in all\n", database, toA+toB)

		// Own mails come back: a forwarding rule of the customer sends the notice
		// back as it is, another one as an attachment-less copy in his name.
		notice := mailtest.Mail("support@a.example", "support@b.example", "Ticket TS2601010000000000000 was created", "n1", "Hello", "Auto-Submitted: auto-generated", "Precedence: bulk")
		before := a.tickets()
		for i, from := range []string{"support@b.example", ""} {
			back := "Resent-From: support@b.example\r\nReceived: from x by y with SMTP id " + fmt.Sprint(i) + "; Mon, 01 Jan 2026 00:00:00 +0000\r\n" + notice
			if code := mailtest.BringOnce(a.receive, false, from, "support@a.example", back); code != 250 {
				t.Fatal(code)
			}
		}
		// An assistant that answers every mail, with a new id each time. A third do not
		// say what they are: they may be a customer's words, and become tickets that
		// are not acknowledged.
		const away, silent = 12, 4
		for i := range away {
			var more []string
			switch i % 3 {
			case 0:
				more = []string{"Auto-Submitted: auto-replied"}
			case 1:
				more = []string{"X-Autoreply: yes"}
			}
			mail := mailtest.Mail("support@b.example", "support@a.example", "自动回复: out of office", fmt.Sprint("away", i), "我不在办公室", more...)
			if code := mailtest.BringOnce(a.receive, false, "support@b.example", "support@a.example", mail); code != 250 {
				t.Fatal(code)
			}
		}
		_, nowB := quiet(a, b)
		if a.tickets() != before+silent || nowB != toB {
			t.Errorf("%d tickets more, %d mails to the other house more", a.tickets()-before, nowB-toB)
		}
		ends := map[string]int{}
		for _, m := range a.mails() {
			if strings.HasPrefix(m.Subject, "自动回复") {
				ends[m.State+" "+m.Outcome]++
			}
		}
		if len(ends) != 2 || ends["done ignored"] != away-silent || ends["done ticket"] != silent {
			t.Errorf("the assistant's mails ended as %v", ends)
		}
	})
}
