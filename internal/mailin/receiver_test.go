package mailin_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/mailin"
	"casemate/internal/mailin/mailtest"
)

// receiver starts a node that receives.
func (w *gates) receiver(change func(*config.MailReceiver)) (address string, stop func()) {
	w.t.Helper()
	c := config.MailIn{MaxMB: 1, ReplyTo: "answers@example.com", Receiver: config.MailReceiver{Listen: "127.0.0.1:0"}, Mailboxes: []config.Mailbox{
		{Name: "support", Address: "support@example.com", Aliases: []string{"Help@Example.com"}}, {Name: "sales", Address: "sales@example.com"}}}
	change(&c.Receiver)
	g := w.gate("n1", c)
	if err := g.Listen(); err != nil {
		w.t.Fatal(err)
	}
	return g.Address(), w.run(g)
}

func (w *gates) dial(address string) *mailtest.Sender {
	w.t.Helper()
	s, greeting, err := mailtest.Dial(address)
	if err != nil || !strings.HasPrefix(greeting, "220") {
		w.t.Fatalf("%q %v", greeting, err)
	}
	w.t.Cleanup(s.Close)
	return s
}

// TestReceive: over both protocols a mail is taken for the addresses of
// mailboxes, theirs with something behind a plus, and the address of answers;
// for nobody else. It is answered only after it was stored, and a mail that is
// brought again is known.
func TestReceive(t *testing.T) {
	t.Parallel()
	for _, protocol := range []string{config.ReceiveLMTP, config.ReceiveSMTP} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			eachGate(t, func(w *gates) {
				lmtp := protocol == config.ReceiveLMTP
				address, stop := w.receiver(func(c *config.MailReceiver) { c.Protocol = protocol })
				s := w.dial(address)
				all := []string{"support@example.com", "HELP@example.com", "nobody@example.com", "support+r.abc123@example.com", "sales@EXAMPLE.com", "answers+r.x@example.com", "support@example.org", "answers@example.com"}
				first := numbered(1)
				if got, want := s.Bring(lmtp, "li.hua@example.org", all, first), []int{250, 250, 550, 250, 250, 250, 550, 250}; !slices.Equal(got, want) {
					w.t.Errorf("%v", got)
				}
				kept := w.all()
				if len(kept) != 2 {
					w.t.Fatalf("%d mails", len(kept))
				}
				slices.SortFunc(kept, func(a, b mailin.Received) int { return strings.Compare(b.Mailbox, a.Mailbox) })
				if r := kept[0]; r.Mailbox != "support" || r.From != "li.hua@example.org" || !slices.Equal(r.To, []string{"support@example.com", "HELP@example.com", "support+r.abc123@example.com", "answers+r.x@example.com", "answers@example.com"}) || r.UID == "" || r.At == 0 {
					w.t.Errorf("%+v", r)
				}
				if r := kept[1]; r.Mailbox != "sales" || !slices.Equal(r.To, []string{"sales@EXAMPLE.com"}) {
					w.t.Errorf("%+v", r)
				}
				raw := string(kept[0].Raw)
				if !strings.HasPrefix(raw, "Received: from tests.example ([127.0.0.1])\r\n by ") || !strings.HasSuffix(raw, numberedBody(1)) {
					w.t.Errorf("%q", raw)
				}
				// Brought again, as when our answer got lost.
				if got := s.Bring(lmtp, "li.hua@example.org", all[:1], first); got[0] != 250 {
					w.t.Error(got)
				}
				if got := s.Bring(lmtp, "li.hua@example.org", all[:1], first); got[0] != 250 {
					w.t.Error(got)
				}
				if n := len(w.all()); n != 2 {
					w.t.Errorf("%d mails", n)
				}
				// Mails without a trace or an id may be equal and yet two.
				for range 2 {
					if got := s.Bring(lmtp, "", []string{"sales@example.com"}, "Subject: alarm\r\n\r\n.dot\r\n..\r\nfire\r\n"); got[0] != 250 {
						w.t.Error(got)
					}
				}
				kept = w.all()
				if n := len(kept); n != 4 || !strings.HasSuffix(string(kept[3].Raw), "Subject: alarm\r\n\r\n.dot\r\n..\r\nfire\r\n") || kept[3].From != "" {
					w.t.Errorf("%d mails, %q", n, kept[n-1].Raw)
				}
				// The store is down: try again.
				w.mu.Lock()
				w.refuse = func(r mailin.Received) error {
					if r.Mailbox == "support" {
						return db.ErrUnavailable
					}
					return nil
				}
				w.mu.Unlock()
				want := []int{451, 250}
				if !lmtp {
					want = []int{451, 451}
				}
				if got := s.Bring(lmtp, "a@example.org", []string{"support@example.com", "sales@example.com"}, numbered(2)); !slices.Equal(got, want) {
					w.t.Error(got)
				}
				w.mu.Lock()
				w.refuse = nil
				w.mu.Unlock()
				if got := s.Bring(lmtp, "a@example.org", []string{"support@example.com", "sales@example.com"}, numbered(2)); !slices.Equal(got, []int{250, 250}) {
					w.t.Error(got)
				}
				if n := w.subjects(); n["mail 2"] != 2 { // one of each mailbox
					w.t.Errorf("%d of mail 2", n["mail 2"])
				}
				// Half a mail is none.
				half := w.dial(address)
				half.Say(map[bool]string{true: "LHLO", false: "EHLO"}[lmtp] + " x")
				half.Say("MAIL FROM:<a@example.org>")
				half.Say("RCPT TO:<sales@example.com>")
				half.Say("DATA")
				if err := half.Write(numbered(3)); err != nil {
					w.t.Error(err)
				}
				half.Close()
				time.Sleep(100 * time.Millisecond)
				if n := w.subjects(); n["mail 3"] != 0 {
					w.t.Error("half a mail was stored")
				}
				stop()
				if _, _, err := mailtest.Dial(address); err == nil {
					w.t.Error("it takes connections after the stop")
				}
			})
		})
	}
}

func numberedBody(i int) string { return fmt.Sprintf("\r\n\r\n你好，第 %d 封\r\n", i) }

// TestReceiverLimits: size, recipients, mails, connections and peers.
func TestReceiverLimits(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		address, _ := w.receiver(func(c *config.MailReceiver) {
			c.Connections, c.PerPeer, c.Recipients, c.Mails = 4, 3, 2, 4
			c.Peers = []string{"127.0.0.1"}
		})
		s := w.dial(address)
		if a := s.Say("LHLO x"); !strings.Contains(a, "SIZE ") || strings.Contains(a, "STARTTLS") || strings.Contains(a, "AUTH") {
			w.t.Error(a)
		}
		for i, want := range []int{250, 552} {
			mail := 1<<20 - 1<<10 + i // bytes
			text := numbered(mail)
			text += strings.Repeat(strings.Repeat("x", 98)+"\r\n", (mail-len(text)-102)/100)
			text += strings.Repeat("x", mail-len(text)-2) + "\r\n"
			if got := s.Bring(true, "a@example.org", []string{"sales@example.com"}, text); got[0] != want {
				w.t.Errorf("%d bytes: %v", len(text), got)
			}
		}
		if a := s.Say("MAIL FROM:<a@example.org> SIZE=1048576"); !strings.HasPrefix(a, "552") {
			w.t.Error(a)
		}
		if got := s.Bring(true, "", []string{"sales@example.com", "support@example.com", "help@example.com"}, numbered(1)); !slices.Equal(got, []int{250, 250, 452}) {
			w.t.Error(got)
		}
		if got := s.Bring(true, "", []string{"sales@example.com"}, numbered(2)); got[0] != 250 {
			w.t.Error(got)
		}
		if got := s.Bring(true, "", []string{"sales@example.com"}, numbered(3)); got[0] != 421 {
			w.t.Error(got)
		}
		a, b := w.dial(address), w.dial(address)
		if _, greeting, err := mailtest.Dial(address); err != nil || !strings.HasPrefix(greeting, "421") {
			w.t.Error(greeting, err)
		}
		a.Close()
		b.Close()
		w.until("a free place", func() bool {
			c, greeting, err := mailtest.Dial(address)
			if err == nil {
				c.Close()
			}
			return strings.HasPrefix(greeting, "220")
		})
		if a := s.Say("VRFY root"); strings.HasPrefix(a, "250") {
			w.t.Error(a)
		}
		other, _ := w.receiver(func(c *config.MailReceiver) { c.Peers = []string{"192.0.2.0/24"} })
		if _, greeting, err := mailtest.Dial(other); err != nil || !strings.HasPrefix(greeting, "554") {
			w.t.Error(greeting, err)
		}
		// A mail of more than a line's length, and one that never ends its line.
		long := w.dial(address)
		if got := long.Bring(true, "", []string{"sales@example.com"}, numbered(4)+strings.Repeat("x", 100<<10)); got[0] != 250 {
			w.t.Error(got)
		}
		if a := long.Say("MAIL FROM:<%s@example.org>", strings.Repeat("a", 2<<20)); strings.HasPrefix(a, "2") {
			w.t.Error(a)
		}
	})
}

// TestReceiverTLS: STARTTLS with the operator's certificate; demanded, nothing
// is taken without it.
func TestReceiverTLS(t *testing.T) {
	t.Parallel()
	_, cert, key := mailtest.Certificate(t)
	eachGate(t, func(w *gates) {
		address, stop := w.receiver(func(c *config.MailReceiver) {
			c.Certificate, c.Key, c.RequireTLS, c.Name = cert, config.Secret{File: key}, true, "mx.example.com"
		})
		s := w.dial(address)
		if got := s.Bring(true, "", []string{"sales@example.com"}, numbered(0)); got[0] != 530 {
			w.t.Error(got)
		}
		text, err := os.ReadFile(cert)
		if err != nil {
			w.t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(text)
		if err := s.StartTLS(&tls.Config{RootCAs: pool, ServerName: "localhost"}); err != nil {
			w.t.Fatal(err)
		}
		if got := s.Bring(true, "", []string{"sales@example.com"}, numbered(0)); got[0] != 250 {
			w.t.Error(got)
		}
		if all := w.all(); len(all) != 1 || !strings.Contains(string(all[0].Raw), " by mx.example.com with LMTPS id ") {
			w.t.Errorf("%+v", all)
		}
		stop() // an idle connection over TLS does not hold it up
		if a, err := s.Answer(); err == nil {
			w.t.Error(a)
		}
	})
}

// TestResults: Authentication-Results pass from trusted peers only, in any
// spelling and over several lines; nothing else is touched.
func TestResults(t *testing.T) {
	t.Parallel()
	mail := "AUTHENTICATION-RESULTS: mx.example.com;\r\n\tdmarc=pass\r\nFrom: a@example.org\r\nAuthentication-Results : x; spf=pass\r\nSubject: s\r\nMessage-ID: <1@x>\r\nX-Authentication-Results: kept\r\n\r\nAuthentication-Results: in the text\r\n"
	clean := "From: a@example.org\r\nSubject: s\r\nMessage-ID: <1@x>\r\nX-Authentication-Results: kept\r\n\r\nAuthentication-Results: in the text\r\n"
	eachGate(t, func(w *gates) {
		for _, c := range []struct {
			trusted []string
			want    string
		}{{nil, clean}, {[]string{"127.0.0.0/8"}, mail}, {[]string{"127.0.0.2"}, clean}} {
			address, stop := w.receiver(func(r *config.MailReceiver) { r.Trusted = c.trusted })
			before := len(w.all())
			id := fmt.Sprintf("<%d@x>", before+1)
			mail, want := strings.Replace(mail, "<1@x>", id, 1), strings.Replace(c.want, "<1@x>", id, 1)
			if got := w.dial(address).Bring(true, fmt.Sprintf("m%d@x.example", before), []string{"sales@example.com"}, mail); got[0] != 250 {
				w.t.Error(got)
			}
			all := w.all()
			if len(all) != before+1 {
				w.t.Fatalf("%d mails", len(all)-before)
			}
			if _, rest, _ := strings.Cut(string(all[before].Raw), "+0000\r\n"); rest != want {
				w.t.Errorf("%v: %q", c.trusted, rest)
			}
			stop()
		}
	})
}

// TestReceivedBegin: what stands before the first field of a mail, and carriage
// returns for line ends, hide neither its header, nor that it is the same mail
// again, nor results that its sender wrote.
func TestReceivedBegin(t *testing.T) {
	t.Parallel()
	const head = "Authentication-Results: mx.example.com; dmarc=pass\r\nFrom: a@example.org\r\nSubject: s\r\nMessage-ID: <ID@x>\r\n\r\ntext"
	eachGate(t, func(w *gates) {
		address, stop := w.receiver(func(*config.MailReceiver) {})
		defer stop()
		for i, mail := range []string{head, "\r\n\r\n" + head, "\xef\xbb\xbf" + head, "\r\n\xef\xbb\xbf" + head, strings.ReplaceAll(head, "\r\n", "\r")} {
			mail = strings.Replace(mail, "<ID@x>", fmt.Sprintf("<b%d@x>", i), 1)
			for range 2 { // the answer got lost: it is the same mail
				if got := w.dial(address).Bring(true, fmt.Sprintf("b%d@x.example", i), []string{"sales@example.com"}, mail); got[0] != 250 {
					w.t.Error(got)
				}
			}
			all := w.all()
			raw := all[len(all)-1].Raw
			read := mailin.ReadRaw(raw)
			if len(all) != i+1 || read.From != "a@example.org" || read.Subject != "s" || strings.TrimSpace(read.Text) != "text" || strings.Contains(string(raw), "dmarc=pass") {
				w.t.Errorf("%d mails, %+v, %q", len(all), read, raw)
			}
		}
	})
}

// TestReceiverDrain: a stop lets the mail on the wire come in, answers it, and
// ends the connection; idle connections end at once.
func TestReceiverDrain(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		address, stop := w.receiver(func(*config.MailReceiver) {})
		idle, busy := w.dial(address), w.dial(address)
		idle.Say("LHLO x")
		busy.Say("LHLO x")
		busy.Say("MAIL FROM:<a@example.org>")
		busy.Say("RCPT TO:<sales@example.com>")
		busy.Say("DATA")
		text := numbered(1)
		if err := busy.Write(text[:100]); err != nil {
			w.t.Fatal(err)
		}
		var stopped sync.WaitGroup
		stopped.Go(stop)
		if a, err := idle.Answer(); err != nil || !strings.HasPrefix(a, "421") {
			w.t.Error(a, err)
		}
		if err := busy.Write(text[100:] + ".\r\n"); err != nil {
			w.t.Fatal(err)
		}
		if a, err := busy.Answer(); err != nil || !strings.HasPrefix(a, "250") {
			w.t.Error(a, err)
		}
		if _, err := busy.Answer(); err == nil {
			w.t.Error("the connection goes on")
		}
		stopped.Wait()
		if n := w.subjects(); n["mail 1"] != 1 {
			w.t.Error(n)
		}
	})
}

// TestReceiverStart: an address that is taken, and files that are missing, show
// before anything is served.
func TestReceiverStart(t *testing.T) {
	t.Parallel()
	eachGate(t, func(w *gates) {
		address, _ := w.receiver(func(*config.MailReceiver) {})
		c := config.MailIn{Receiver: config.MailReceiver{Listen: address}, Mailboxes: []config.Mailbox{{Address: "a@example.com"}}}
		if err := w.gate("n2", c).Listen(); err == nil || !strings.Contains(err.Error(), "mail_in.receiver.listen") {
			w.t.Error(err)
		}
		c.Receiver.Certificate, c.Receiver.Key = "/nowhere.pem", config.Secret{File: "/nowhere.key"}
		if _, err := mailin.NewGate(w.db, w.keys, new(mailin.Service), mailin.GateOptions{Config: c}); err == nil || !strings.Contains(err.Error(), "mail_in.receiver.certificate") {
			w.t.Error(err)
		}
		c.Receiver = config.MailReceiver{}
		c.Mailboxes[0].IMAP = config.IMAP{Host: "localhost", User: "u", Password: config.Secret{File: "/nowhere"}}
		if _, err := mailin.NewGate(w.db, w.keys, new(mailin.Service), mailin.GateOptions{Config: c}); err == nil || !strings.Contains(err.Error(), "mail_in.mailboxes[0].imap.password") || !errors.Is(err, os.ErrNotExist) {
			w.t.Error(err)
		}
	})
}
