package delivery

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// Ways in which the first provider of each channel fails.
const (
	well    = "is well"
	hangs   = "hangs 30 s"
	refuses = "answers 500"
	cuts    = "closes mid-conversation"
)

const hangFor = 30 * time.Second

// arrivals are the codes that came out, and how many by the first providers.
type arrivals struct {
	mu     sync.Mutex
	at     map[string]time.Time
	codes  map[string]string
	first  int
	copies int
	news   chan struct{}
}

var codeIn = regexp.MustCompile(`\b\d{6}\b`)

func (a *arrivals) note(to, text string, first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, had := a.at[to]; had {
		a.copies++
	} else {
		a.at[to] = time.Now()
	}
	a.codes[to] = codeIn.FindString(text)
	if first {
		a.first++
	}
	select {
	case a.news <- struct{}{}:
	default:
	}
}

// serve talks on each connection to a port of its own.
func serve(t *testing.T, talk func(c net.Conn, end <-chan struct{})) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	t.Cleanup(func() { close(end); _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); talk(c, end) }()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func hang(end <-chan struct{}) {
	select {
	case <-end:
	case <-time.After(hangFor):
	}
}

// mailServer is a mail server without TLS that behaves as it is told.
func mailServer(t *testing.T, how string, a *arrivals, first bool) int {
	t.Helper()
	return serve(t, func(c net.Conn, end <-chan struct{}) {
		if how == hangs {
			hang(end)
			return
		}
		say := func(line string) { _, _ = io.WriteString(c, line+"\r\n") } // an end shows at the next reading
		lines := bufio.NewScanner(c)
		to := ""
		say("220 localhost")
		for lines.Scan() {
			verb, rest, _ := strings.Cut(strings.ToUpper(lines.Text()), " ")
			switch {
			case verb == "EHLO":
				say("250 localhost")
			case verb == "QUIT":
				say("221 bye")
				return
			case how == refuses:
				say("500 5.3.0 out of order")
			case verb == "RCPT":
				to = strings.ToLower(strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>"))
				say("250 ok")
			case verb == "DATA":
				say("354 go on")
				if how == cuts {
					lines.Scan() // the first line, and no more
					return
				}
				var text strings.Builder
				for lines.Scan() && lines.Text() != "." {
					text.WriteString(strings.TrimPrefix(lines.Text(), ".") + "\r\n")
				}
				plain, _, err := read(strings.NewReader(text.String()))
				if err != nil {
					t.Error(err)
				}
				a.note(to, plain, first)
				say("250 queued as 1")
			default:
				say("250 ok")
			}
		}
	})
}

// gateway is an HTTP interface for text messages that behaves as it is told.
func gateway(t *testing.T, how string, a *arrivals, first bool) string {
	t.Helper()
	end := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ To, Text string }
		err := json.NewDecoder(r.Body).Decode(&m)
		switch how {
		case hangs:
			hang(end)
		case refuses:
			w.WriteHeader(http.StatusInternalServerError)
		case cuts:
			c, b, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = b.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":")
			_ = b.Flush()
			_ = c.Close()
		default:
			if err != nil || r.Header.Get("Authorization") != "Bearer gateway-secret" {
				t.Errorf("the request: %v, %v", err, r.Header)
			}
			a.note(m.To, m.Text, first)
			_, _ = io.WriteString(w, `{"id":"m1"}`)
		}
	}))
	t.Cleanup(func() { close(end); s.Close() })
	return s.URL
}

// asked is a request for a code.
type asked struct {
	contact, to string
	way         int
	began       time.Time
	took        time.Duration // until the API answered
}

// TestFailOver: whatever the first provider of a channel does, the code arrives
// by the second within ten seconds, once, and works; who asked for it waited
// no longer than when all is well (reported, not asserted). The codes of a case
// are asked for one right after the other, so that the first ones meet the bad
// provider before its breaker spares the others.
func TestFailOver(t *testing.T) {
	const crowd, limit = 40, 10 * time.Second
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			var calm time.Duration
			for _, how := range []string{well, hangs, refuses, cuts} {
				t.Run(how, func(t *testing.T) {
					a := &arrivals{at: map[string]time.Time{}, codes: map[string]string{}, news: make(chan struct{}, 1)}
					o := world.Options{NoDemo: true, Env: []string{"GATEWAY_SECRET=gateway-secret"}, Config: providers(t, how, a)}
					if database == "postgres" {
						o.Database = dbtest.ServerDatabase(t)
					}
					w := world.Start(t, o)
					made(t, w, "user", "create", "boss", "--new-domain", "--domain", "Harbour Ltd") // without an address: nobody is told of the new key
					key := made(t, w, "key", "create", "boss", "--domain", "Harbour Ltd")
					c := customer{w, key["id"].(string), key["secret"].(string)}

					for range 20 { // what the first requests cost is not what is measured
						c.send(t, "GET", "/v2/servicerequest/verifycodes/has-verified?contact_way=1", nil)
					}
					all := make([]asked, crowd)
					for i := range all {
						q := &all[i]
						q.contact, q.way = fmt.Sprintf("user%d@example.com", i), 1
						q.to = q.contact
						if i%2 == 1 {
							q.contact, q.way = fmt.Sprintf("138%04d8000", 13+i), 0
							q.to = "+86" + q.contact
						}
						q.began = time.Now()
						status, out := c.send(t, "POST", "/v2/servicerequest/verifycodes/send", map[string]any{"contact_value": q.contact, "contact_way": q.way, "area_code": "86"})
						q.took = time.Since(q.began)
						if status != http.StatusOK {
							t.Errorf("send to %s: %d %v", q.contact, status, out)
						}
					}
					a.wait(t, len(all), limit+5*time.Second)
					var answers, waits []time.Duration
					met := 0
					for _, q := range all {
						a.mu.Lock()
						wait, code := a.at[q.to].Sub(q.began), a.codes[q.to]
						a.mu.Unlock()
						answers, waits = append(answers, q.took), append(waits, wait)
						if wait > limit {
							t.Errorf("the code to %s took %v", q.to, wait)
						}
						if tried(t, w, q.to, how) > 1 {
							met++
						}
						if status, out := c.send(t, "POST", "/v2/servicerequest/verifycodes", map[string]any{"contact_value": q.contact, "contact_way": q.way, "area_code": "86", "verify_code": code}); status != http.StatusOK {
							t.Errorf("the code to %s does not work: %d %v", q.to, status, out)
						}
					}
					a.mu.Lock()
					defer a.mu.Unlock()
					if a.copies != 0 || how == well && a.first != len(all) || how != well && (a.first != 0 || met < 4) {
						t.Errorf("%d by the first provider, %d copies, %d met the bad provider", a.first, a.copies, met)
					}
					slices.Sort(answers)
					slices.Sort(waits)
					middle := answers[len(answers)/2]
					if how == well {
						calm = middle
					}
					t.Logf("REPORT fail-over (%s): the first provider %s: %d codes, %d of them met it, the last after %.1f s; the API answered after %v (%.2f of when all is well), %v at most\n", database, how,
						len(all), met, waits[len(waits)-1].Seconds(), middle.Round(100*time.Microsecond), float64(middle)/float64(max(calm, 1)), answers[len(answers)-1].Round(100*time.Microsecond))
				})
			}
		})
	}
}

// providers configures two of each channel, of which the first behaves as told.
func providers(t *testing.T, how string, a *arrivals) string {
	t.Helper()
	text := "verify: {caps: {user_hour: -1, user_day: -1}}\nnotify:\n  mail:\n"
	for i, behaves := range []string{how, well} {
		text += fmt.Sprintf("    - {name: mail%d, host: 127.0.0.1, port: %d, tls: none, from: support@harbour.example, order: %d}\n", i+1, mailServer(t, behaves, a, i == 0), i+1)
	}
	text += "  sms:\n"
	for i, behaves := range []string{how, well} {
		text += fmt.Sprintf("    - {name: sms%d, url: %q, body: '{\"to\":\"{to}\",\"text\":\"{text}\"}', headers: {Authorization: 'Bearer {secret}'}, secret: {env: GATEWAY_SECRET}, provider_id: id, allow: [127.0.0.1/32], order: %d}\n",
			i+1, gateway(t, behaves, a, i == 0), i+1)
	}
	return text
}

// wait waits until so many contacts have their code.
func (a *arrivals) wait(t *testing.T, want int, limit time.Duration) {
	t.Helper()
	for end := time.After(limit); ; {
		a.mu.Lock()
		n := len(a.at)
		a.mu.Unlock()
		if n >= want {
			return
		}
		select {
		case <-a.news:
		case <-end:
			t.Fatalf("%d of %d codes arrived", n, want)
		}
	}
}

// tried is how many attempts the ledger counts for a contact's only message.
func tried(t *testing.T, w *world.World, to, how string) int {
	t.Helper()
	var page struct {
		Items []struct {
			State string `json:"state"`
			Tries int    `json:"tries"`
		} `json:"items"`
	}
	for range 1500 { // the ledger is written behind the provider's answer
		status, text, err := w.Operator(http.MethodGet, "/desk/v1/deliveries?to="+url.QueryEscape(to), nil)
		if err != nil || status != http.StatusOK || json.Unmarshal([]byte(text), &page) != nil || len(page.Items) != 1 {
			t.Fatalf("the ledger of %s: %d %s %v", to, status, text, err)
		}
		if page.Items[0].State == "sent" {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	// The bad one and the second; once the breaker has tripped the second alone.
	if m := page.Items[0]; m.State != "sent" || m.Tries < 1 || m.Tries > 2 || how == well && m.Tries != 1 {
		t.Errorf("the ledger of %s (the first provider %s): %+v", to, how, m)
	}
	return page.Items[0].Tries
}
