package delivery

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/mail"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// recorder is a mail server that notes each mail it acknowledges.
type recorder struct {
	port int
	mu   sync.Mutex
	got  map[string][]string // recipient -> Message-IDs, in the order they came
	all  int
}

type recording struct {
	o  *recorder
	to string
}

func (o *recorder) NewSession(*smtp.Conn) (smtp.Session, error) { return &recording{o: o}, nil }

func (s *recording) Reset()                                    {}
func (s *recording) Logout() error                             { return nil }
func (s *recording) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *recording) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }
func (s *recording) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, m.Body); err != nil {
		return err
	}
	time.Sleep(5 * time.Millisecond) // as long as a real one needs to make it durable
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	s.o.got[s.to] = append(s.o.got[s.to], m.Header.Get("Message-Id"))
	s.o.all++
	return nil
}

func (o *recorder) count() (mails, recipients int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all, len(o.got)
}

func openRecorder(t *testing.T) *recorder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &recorder{port: l.Addr().(*net.TCPAddr).Port, got: map[string][]string{}}
	s := smtp.NewServer(o)
	s.Domain = "localhost"
	s.ErrorLog = log.New(io.Discard, "", 0) // clients that are killed
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return o
}

// ask sends a code to the contact, again and again under one idempotency key
// until it is acknowledged.
func ask(t *testing.T, c customer, contact string) bool {
	text, err := json.Marshal(map[string]any{"contact_value": contact, "contact_way": 1, "area_code": "86"})
	if err != nil {
		t.Error(err)
		return false
	}
	key := rand.Text()
	for range 600 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.w.URL+"/v2/servicerequest/verifycodes/send", bytes.NewReader(text))
		if err != nil {
			t.Error(err)
			return false
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Idempotency-Key", key)
		world.Sign(r, text, c.ak, c.sk, time.Now())
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			time.Sleep(50 * time.Millisecond) // it is dead just now
			continue
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode >= 500 {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %s", contact, res.Status, answer)
		}
		return res.StatusCode == http.StatusOK
	}
	t.Errorf("%s is never acknowledged", contact)
	return false
}

// TestOutbox: the process is killed again and again while it delivers. Each
// message whose request was acknowledged arrives; at most as many arrive twice
// as there were kills, under the same Message-ID; without kills none does
// (threats.md E4).
func TestOutbox(t *testing.T) {
	total, kills := 400, 20
	if os.Getenv("CASEMATE_LONG") != "" {
		total, kills = 2000, 100
	}
	for _, c := range []struct {
		database string
		kills    int
	}{{"sqlite", kills}, {"postgres", kills}, {"sqlite", 0}} {
		t.Run(fmt.Sprintf("%s, %d kills", c.database, c.kills), func(t *testing.T) {
			t.Parallel()
			office := openRecorder(t)
			o := world.Options{NoDemo: true, Direct: true, Config: fmt.Sprintf("notify:\n  mail:\n    - {host: localhost, port: %d, tls: none, from: support@harbour.example}\n"+
				"verify:\n  caps: {user_hour: -1, user_day: -1, domain_hour: -1, domain_day: -1, address_hour: -1}\n", office.port)}
			if c.database == "postgres" {
				o.Database = dbtest.DurableDatabase(t)
			}
			w := world.Start(t, o)
			made(t, w, "user", "create", "boss", "--new-domain", "--domain", "Harbour Ltd") // without an address: nobody is told of the new key
			key := made(t, w, "key", "create", "boss", "--domain", "Harbour Ltd")
			user := customer{w, key["id"].(string), key["secret"].(string)}
			next := make(chan int)
			var senders sync.WaitGroup
			for range 4 {
				senders.Go(func() {
					for i := range next {
						ask(t, user, fmt.Sprintf("n%d@example.com", i))
					}
				})
			}
			fed := make(chan struct{})
			go func() {
				defer close(fed)
				for i := range total {
					next <- i
				}
				close(next)
			}()
			for kill := range c.kills {
				// Half of the mails go out between the kills; those that were under way
				// at one come when their lease has run out.
				for want := (kill + 1) * total / 2 / c.kills; ; time.Sleep(2 * time.Millisecond) {
					if mails, _ := office.count(); mails >= want {
						break
					}
				}
				time.Sleep(time.Duration(mathrand.IntN(30)) * time.Millisecond)
				w.Kill()
				w.Run()
			}
			<-fed
			senders.Wait()
			for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
				if _, recipients := office.count(); recipients >= total {
					break
				}
				if time.Since(began) > 60*time.Second {
					break // what is missing is counted below
				}
			}
			time.Sleep(200 * time.Millisecond) // for a repeat that nobody asked for
			office.mu.Lock()
			defer office.mu.Unlock()
			lost, repeats, changed := 0, 0, 0
			for i := range total {
				ids := office.got[fmt.Sprintf("n%d@example.com", i)]
				if len(ids) == 0 {
					lost++
				}
				for _, id := range ids[min(1, len(ids)):] {
					repeats++
					if id != ids[0] || id == "" {
						changed++
					}
				}
			}
			t.Logf("REPORT outbox (%s): %d messages, %d kills, %d lost, %d repeats, %d of them with another Message-ID\n", c.database, total, c.kills, lost, repeats, changed)
			if lost > 0 || repeats > c.kills || changed > 0 {
				t.Errorf("%d lost, %d repeats with %d kills, %d with another Message-ID", lost, repeats, c.kills, changed)
			}
			if c.kills > 0 {
				return
			}
			// "Did it arrive?", asked by contact.
			out, err := w.Local("outbox", "--deliveries", "--to", "n7@example.com")
			if err != nil || !strings.Contains(out, "n***@example.com") || strings.Count(out, "localhost") != 1 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
