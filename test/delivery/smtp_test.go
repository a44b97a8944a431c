// Package delivery runs the shipped binary as an operator would, without the
// demo's catcher, and lets codes go out through a real mail server.
package delivery

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// postOffice is a mail server with STARTTLS and PLAIN; it keeps what it gets.
type postOffice struct {
	ca    string
	port  int
	mails chan letter
}

type letter struct {
	to        string
	encrypted bool
	user      string
	text      string
	subject   string
	head      mail.Header
}

type session struct {
	office *postOffice
	conn   *smtp.Conn
	user   string
	to     []string
}

func (o *postOffice) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &session{office: o, conn: c}, nil
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "casemate" || password != "mail-secret" {
			return errors.New("invalid credentials")
		}
		s.user = user
		return nil
	}), nil
}
func (s *session) Reset()                                    { s.to = nil }
func (s *session) Logout() error                             { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error      { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = append(s.to, to); return nil }
func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return err
	}
	text, subject, err := read(bytes.NewReader(data))
	if err != nil {
		return err
	}
	_, encrypted := s.conn.TLSConnectionState()
	s.office.mails <- letter{to: strings.Join(s.to, ","), encrypted: encrypted, user: s.user, text: text, subject: subject, head: m.Header}
	return nil
}

// read is the plain text of a mail.
func read(r io.Reader) (text, subject string, err error) {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return "", "", err
	}
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		return "", "", err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", "", err
	}
	body, encoding := io.Reader(m.Body), m.Header.Get("Content-Transfer-Encoding")
	if strings.HasPrefix(kind, "multipart/") {
		part, err := multipart.NewReader(m.Body, params["boundary"]).NextRawPart()
		if err != nil {
			return "", "", err
		}
		body, encoding = part, part.Header.Get("Content-Transfer-Encoding")
	}
	if encoding == "quoted-printable" {
		body = quotedprintable.NewReader(body)
	}
	plain, err := io.ReadAll(body)
	return string(plain), subject, err
}

func openOffice(t *testing.T) *postOffice {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	o := &postOffice{ca: filepath.Join(t.TempDir(), "ca.pem"), mails: make(chan letter, 100)}
	if err := os.WriteFile(o.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o.port = listener.Addr().(*net.TCPAddr).Port
	s := smtp.NewServer(o)
	s.Domain = "localhost"
	s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(func() { _ = s.Close() })
	return o
}

func (o *postOffice) next(t *testing.T) letter {
	t.Helper()
	select {
	case l := <-o.mails:
		return l
	case <-time.After(30 * time.Second):
		t.Fatal("no mail arrived in 30 s")
		return letter{}
	}
}

// customer is made by an operator's commands and signs with its key.
type customer struct {
	w      *world.World
	ak, sk string
}

func (c customer) send(t *testing.T, method, path string, body any) (int, map[string]any) {
	t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, c.w.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Language", "en-us")
	// Equal requests of one second are repeats of each other unless they say
	// that they are not.
	r.Header.Set("Idempotency-Key", rand.Text())
	world.Sign(r, text, c.ak, c.sk, time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer res.Body.Close()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Error(err)
	}
	return res.StatusCode, out
}

func made(t *testing.T, w *world.World, args ...string) map[string]any {
	t.Helper()
	out, err := w.Local(append(args, "--json")...)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v
}

// TestCodeByMail: an installation without demo, set up by commands; a code
// leaves through STARTTLS and AUTH, five wrong tries kill it, a right one works
// once however many ask at once, and a contact gets one code a minute.
func TestCodeByMail(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			office := openOffice(t)
			o := world.Options{NoDemo: true, Config: fmt.Sprintf("notify:\n  product: Harbour\n  mail:\n    - host: localhost\n      port: %d\n      user: casemate\n      password: {env: MAIL_PASSWORD}\n      from: Harbour Support <support@harbour.example>\n      ca_file: %s\n",
				office.port, office.ca), Env: []string{"MAIL_PASSWORD=mail-secret"}}
			if database == "postgres" {
				o.Database = dbtest.ServerDatabase(t)
			}
			w := world.Start(t, o)
			for i := 0; i < 100 && !strings.Contains(w.Welcome(), "/desk/v1/setup"); i++ {
				time.Sleep(20 * time.Millisecond) // it serves before it has said all
			}
			if !strings.Contains(w.Welcome(), "/desk/v1/setup") {
				t.Errorf("no set-up link without an administrator: %s", w.Welcome())
			}
			made(t, w, "user", "create", "boss", "--new-domain", "--domain", "Harbour Ltd", "--mail", "boss@harbour.example")
			key := made(t, w, "key", "create", "boss", "--domain", "Harbour Ltd")
			if l := office.next(t); l.to != "boss@harbour.example" || !strings.Contains(l.text, "新建了访问密钥") {
				t.Errorf("who has a new key is told: %+v", l)
			}
			c := customer{w, key["id"].(string), key["secret"].(string)}
			ask := func(contact string) (int, map[string]any) {
				return c.send(t, "POST", "/v2/servicerequest/verifycodes/send", map[string]any{"contact_value": contact, "contact_way": 1, "area_code": "86"})
			}
			check := func(contact, code string) (int, map[string]any) {
				return c.send(t, "POST", "/v2/servicerequest/verifycodes", map[string]any{"contact_value": contact, "contact_way": 1, "verify_code": code})
			}
			sixDigits := regexp.MustCompile(`\b\d{6}\b`)
			codeFor := func(contact string) string {
				t.Helper()
				if status, out := ask(contact); status != 200 {
					t.Fatalf("send: %d %v", status, out)
				}
				l := office.next(t)
				if l.to != contact || !l.encrypted || l.user != "casemate" || !strings.Contains(l.subject, "Harbour") || !strings.Contains(l.text, "verification code") {
					t.Errorf("the mail: %+v", l)
				}
				return sixDigits.FindString(l.text)
			}
			wrong := func(code string) string { return string('0'+(code[0]-'0'+1)%10) + code[1:] }

			first := codeFor("first@example.com")
			if status, out := ask("first@example.com"); status != http.StatusTooManyRequests || out["error_code"] != "OSM.01010024" {
				t.Errorf("a second send within the minute: %d %v", status, out)
			}
			for range 5 {
				if status, out := check("first@example.com", wrong(first)); status != 400 || out["error_code"] != "OSM.01010010" {
					t.Errorf("a wrong code: %d %v", status, out)
				}
			}
			if status, out := check("first@example.com", first); status != 400 || out["error_code"] != "OSM.01010010" {
				t.Errorf("the right code after five wrong ones: %d %v", status, out)
			}

			second := codeFor("second@example.com")
			var (
				wg sync.WaitGroup
				mu sync.Mutex
				ok int
			)
			for range 64 {
				wg.Go(func() {
					if status, _ := check("second@example.com", second); status == 200 {
						mu.Lock()
						ok++
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			if ok != 1 {
				t.Errorf("64 right answers at once: %d successes, want 1", ok)
			}
			_, proofs := c.send(t, "GET", "/v2/servicerequest/verifycodes/has-verified?contact_way=1", nil)
			if proofs["count"] != 1.0 {
				t.Errorf("proofs: %v", proofs)
			}
			for _, code := range []string{first, second} {
				if strings.Contains(w.LogText(), code) {
					t.Error("a code stands in the log")
				}
			}
			if out, err := w.Local("outbox", "--to", "first@example.com"); err == nil {
				t.Errorf("there is a catcher outside the demo world: %s", out)
			}
			t.Logf("REPORT code by mail (%s): STARTTLS and AUTH; dead after 5 wrong tries; 64 right answers at once, %d success\n", t.Name(), ok)
		})
	}
}
