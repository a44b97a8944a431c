package notify_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-smtp"

	"casemate/internal/config"
	"casemate/internal/notify"
)

func letter(n int) notify.Outgoing {
	return notify.Outgoing{ID: fmt.Sprintf("m%d", n), MessageID: fmt.Sprintf("m%d@harbour.example", n), Way: notify.Mail, To: "li.hua@example.com", Language: "zh-cn",
		Subject: "您的验证码", Text: "您的验证码是 048213。\n\n.一行以点开头\n" + strings.Repeat("长", 500), HTML: "<p>048213</p>", At: time.Now().UnixMilli()}
}

func (m *mailServer) conversations() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions)
}

func openMail(t *testing.T, c config.SMTP) notify.Channel {
	t.Helper()
	ch, err := notify.NewSMTP(c, "Casemate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ch.(interface{ Close() }).Close)
	return ch
}

// TestMailPool: a connection serves several mails, not more than it may, and is
// ended when nothing comes.
func TestMailPool(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pool  config.MailPool
		wait  time.Duration
		conns int
	}{
		{config.MailPool{}, 0, 1}, {config.MailPool{Mails: 3}, 0, 4}, {config.MailPool{Idle: -1}, 0, 10}, {config.MailPool{Idle: 20 * time.Millisecond}, 60 * time.Millisecond, 10},
	} {
		s := startMail(t, config.TLSNone)
		ch := openMail(t, config.SMTP{Host: "localhost", Port: s.port, TLS: "none", From: "support@harbour.example", Pool: c.pool})
		for i := range 10 {
			if _, err := ch.Send(t.Context(), letter(i)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(c.wait)
		}
		if n := s.conversations(); n != c.conns || len(s.inbox()) != 10 {
			t.Errorf("%+v: %d connections, want %d; %d mails", c.pool, n, c.conns, len(s.inbox()))
		}
	}
}

// TestStaleConnection: a kept connection that broke meanwhile costs no mail and
// makes no second one; one that breaks when the mail may have been taken is not
// tried again at once.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	s := startMail(t, config.TLSNone)
	ch := openMail(t, config.SMTP{Host: "localhost", Port: s.port, TLS: "none", From: "support@harbour.example", Timeout: 2 * time.Second})
	send := func(n int) error {
		_, err := ch.Send(t.Context(), letter(n))
		return err
	}
	if err := send(1); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	_ = s.sessions[0].c.Close()
	s.mu.Unlock()
	if err := send(2); err != nil || s.conversations() != 2 {
		t.Errorf("a connection cut while it was kept: %v, %d connections", err, s.conversations())
	}
	// 421 and the end, at the next command.
	s.mu.Lock()
	s.refuse = func(n int, _ string) error {
		if n == 1 {
			return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "idle too long"}
		}
		return nil
	}
	s.refused = 0
	s.mu.Unlock()
	if err := send(3); err != nil || s.conversations() != 3 || len(s.inbox()) != 3 {
		t.Errorf("421 on a kept connection: %v, %d connections, %d mails", err, s.conversations(), len(s.inbox()))
	}
	// On a fresh connection a 421 is the server's word.
	s.mu.Lock()
	s.refuse = func(int, string) error {
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "closing"}
	}
	s.mu.Unlock()
	if err := send(4); err == nil || len(s.inbox()) != 3 || s.conversations() != 4 {
		t.Errorf("421 again: %v, %d mails, %d connections", err, len(s.inbox()), s.conversations())
	}
	s.mu.Lock()
	s.refuse = nil
	s.mu.Unlock()
	if err := send(5); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.hangUp = true
	s.mu.Unlock()
	if err := send(6); err == nil || len(s.inbox()) != 4 {
		t.Errorf("cut after the mail was read: %v, %d mails, want 4", err, len(s.inbox()))
	}
}

// TestEnvelopeSender: bounces go to the configured address, with the message's
// id in it.
func TestEnvelopeSender(t *testing.T) {
	t.Parallel()
	s := startMail(t, config.TLSNone)
	for bounce, want := range map[string]string{"": "support@harbour.example", "bounce+{id}@harbour.example": "bounce+m1@harbour.example", "returns@harbour.example": "returns@harbour.example"} {
		before := len(s.inbox())
		ch := openMail(t, config.SMTP{Host: "localhost", Port: s.port, TLS: "none", From: "support@harbour.example", Bounce: bounce})
		if _, err := ch.Send(t.Context(), letter(1)); err != nil {
			t.Fatal(err)
		}
		got := s.inbox()[before]
		if got.from != want || !strings.Contains(string(got.data), "support@harbour.example") {
			t.Errorf("%q: %s", bounce, got.from)
		}
	}
	for _, bad := range []string{"bounce", "{id}{id}@harbour.example", "Bounces <b@harbour.example>"} {
		if _, err := notify.NewSMTP(config.SMTP{Host: "localhost", From: "support@harbour.example", Bounce: bad}, "x"); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// keyFile writes a private key and tells what stands in DNS.
func keyFile(t *testing.T, key crypto.Signer, pkcs1 bool) (file, record string) {
	t.Helper()
	var block pem.Block
	if k, ok := key.(*rsa.PrivateKey); ok && pkcs1 {
		block = pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}
	} else {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		block = pem.Block{Type: "PRIVATE KEY", Bytes: der}
	}
	file = filepath.Join(t.TempDir(), "dkim.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&block), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, ok := key.Public().(ed25519.PublicKey); ok {
		return file, "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(k)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return file, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

// TestDKIM: what a mail server gets carries a signature that a receiver can
// check, over all that a forger would change.
func TestDKIM(t *testing.T) {
	t.Parallel()
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := startMail(t, config.TLSNone)
	for _, c := range []struct {
		name  string
		key   crypto.Signer
		pkcs1 bool
	}{{"RSA", strong, true}, {"RSA in PKCS 8", strong, false}, {"Ed25519", edwards, false}} {
		file, record := keyFile(t, c.key, c.pkcs1)
		ch := openMail(t, config.SMTP{Host: "localhost", Port: s.port, TLS: "none", From: "Harbour <support@mail.harbour.example>",
			DKIM: config.DKIM{Domain: "harbour.example", Selector: "s1", Key: config.Secret{File: file}}})
		var asked []string
		check := func(mail string) error {
			v, err := dkim.VerifyWithOptions(strings.NewReader(mail), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
				asked = append(asked, name)
				return []string{record}, nil
			}})
			if err != nil {
				return err
			}
			if len(v) != 1 || v[0].Domain != "harbour.example" {
				return fmt.Errorf("signatures: %+v", v)
			}
			return v[0].Err
		}
		for _, m := range []notify.Outgoing{letter(1), {ID: "m2", MessageID: "m2@x.example", To: "a@example.com", Subject: "plain", Text: "short", Language: "en-us"}} {
			before := len(s.inbox())
			if _, err := ch.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			mail := string(s.inbox()[before].data)
			if err := check(mail); err != nil {
				t.Errorf("%s: %v\n%s", c.name, err, mail[:min(len(mail), 1500)])
			}
			if len(asked) == 0 || asked[0] != "s1._domainkey.harbour.example" {
				t.Errorf("%s: asked for %v", c.name, asked)
			}
			for name, forged := range map[string]string{
				"body":        mail + "more\r\n",
				"subject":     strings.Replace(mail, "Subject: ", "Subject: Re: ", 1),
				"second From": "From: boss@harbour.example\r\n" + mail,
				"date":        strings.Replace(mail, "Date: ", "Date: x", 1),
			} {
				if forged == mail || check(forged) == nil {
					t.Errorf("%s: %s can be forged", c.name, name)
				}
			}
			if _, err := ch.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			if m.At > 0 && !strings.Contains(mail, "multipart/alternative") {
				t.Error("no alternative")
			}
		}
	}
	weak, _ := keyFile(t, edwards, false)
	for name, d := range map[string]config.DKIM{
		"no selector":    {Domain: "harbour.example", Key: config.Secret{File: weak}},
		"no key":         {Selector: "s1"},
		"another domain": {Domain: "other.example", Selector: "s1", Key: config.Secret{File: weak}},
		"no such file":   {Selector: "s1", Key: config.Secret{File: "/no/such"}},
		"no PEM":         {Selector: "s1", Key: config.Secret{File: filepath.Join("smtp.go")}},
	} {
		if _, err := notify.NewSMTP(config.SMTP{Host: "localhost", From: "support@harbour.example", DKIM: d}, "x"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
