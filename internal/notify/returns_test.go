package notify_test

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"casemate/internal/config"
	"casemate/internal/notify"
)

// mailbox is an IMAP server with one user.
type mailbox struct {
	t    *testing.T
	user *imapmemserver.User
	port int
	ca   string
	mu   sync.Mutex
	said strings.Builder // by the clients
}

func (m *mailbox) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.said.Write(b)
}

func startMailbox(t *testing.T, mode string, caps imap.CapSet) *mailbox {
	t.Helper()
	cert, file := certificate(t)
	m := &mailbox{t: t, user: imapmemserver.NewUser("returns", "pass word"), ca: file}
	for _, name := range []string{"INBOX", "Done"} {
		if err := m.user.Create(name, nil); err != nil {
			t.Fatal(err)
		}
	}
	mem := imapmemserver.New()
	mem.AddUser(m.user)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.port = l.Addr().(*net.TCPAddr).Port
	o := &imapserver.Options{NewSession: func(*imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
		return mem.NewSession(), nil, nil
	},
		Caps: caps, Logger: log.New(io.Discard, "", 0), InsecureAuth: mode == config.TLSNone, DebugWriter: m}
	secure := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	switch mode {
	case config.TLSImplicit:
		l = tls.NewListener(l, secure)
	case config.TLSStart:
		o.TLSConfig = secure
	}
	s := imapserver.New(o)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

type literal struct{ *strings.Reader }

func (l literal) Size() int64 { return l.Reader.Size() }

func (m *mailbox) put(mail string) {
	m.t.Helper()
	if _, err := m.user.Append("INBOX", literal{strings.NewReader(mail)}, &imap.AppendOptions{}); err != nil {
		m.t.Fatal(err)
	}
}

// count is how many mails a mailbox has, and how many of them are unread.
func (m *mailbox) count(name string) (all, unseen uint32) {
	m.t.Helper()
	st, err := m.user.Status(name, &imap.StatusOptions{NumMessages: true, NumUnseen: true})
	if err != nil {
		m.t.Fatal(err)
	}
	return *st.NumMessages, *st.NumUnseen
}

func (m *mailbox) config(mode, move string) config.Returns {
	m.t.Helper()
	file := filepath.Join(m.t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("pass word"), 0o600); err != nil {
		m.t.Fatal(err)
	}
	return config.Returns{Host: "localhost", Port: m.port, TLS: mode, CAFile: m.ca, User: "returns", Password: config.Secret{File: file}, Move: move}
}

// TestReadReturns: bounces about our mails are taken out of the mailbox, all
// other mails stay as they were, unread, and are not looked at again.
func TestReadReturns(t *testing.T) {
	t.Parallel()
	plain := imap.CapSet{imap.CapIMAP4rev1: {}}
	for _, c := range []struct {
		name, mode, move string
		caps             imap.CapSet
		left, moved      uint32
	}{
		{"deleted", config.TLSNone, "", imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}}, 3, 0},
		{"moved", config.TLSImplicit, "Done", imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}, imap.CapMove: {}}, 3, 2},
		{"copied", config.TLSStart, "Done", imap.CapSet{imap.CapIMAP4rev1: {}, imap.CapUIDPlus: {}}, 3, 2},
		{"marked only", config.TLSNone, "", plain, 5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			each(t, notify.Options{}, func(w *world) {
				post := startMail(w.t, config.TLSNone)
				box := startMailbox(w.t, c.mode, c.caps)
				w.serve(notify.Options{Config: config.Notify{Mail: []config.SMTP{{Name: "mx", Host: "localhost", Port: post.port, TLS: "none", From: "noreply@desk.example"}}, Returns: box.config(c.mode, c.move)}})
				defer w.s.Close()
				all := corpus(w.t)
				about := func(name, id string) string { return strings.ReplaceAll(string(all[name]), bounced, id) }
				first := w.queue(codeMail())
				m := codeMail()
				m.To, m.Ref = "zhang.san@example.com", "code2"
				second := w.queue(m)
				w.work()
				box.put("From: a@example.com\r\nSubject: a question\r\n\r\nhello\r\n")
				box.put(about("postfix-full", first))
				box.put(about("not-vacation", first))
				box.put(string(all["qmail-unknown"])) // of no message of ours
				box.put(about("coremail-unknown", second))
				read := func() {
					w.t.Helper()
					if err := w.s.ReadReturns(w.t.Context()); err != nil {
						w.t.Fatal(err)
					}
				}
				read()
				if a, b := w.delivery(first).State, w.delivery(second).State; a != "failed" || b != "bounced" {
					w.t.Errorf("%s, %s", a, b)
				}
				left, unseen := box.count("INBOX")
				moved, _ := box.count("Done")
				if left != c.left || moved != c.moved || unseen != left {
					w.t.Errorf("%d left (%d unread), %d moved", left, unseen, moved)
				}
				box.mu.Lock()
				box.said.Reset()
				box.mu.Unlock()
				read()
				box.mu.Lock()
				again := strings.Count(box.said.String(), "FETCH")
				box.mu.Unlock()
				if again != 0 {
					w.t.Errorf("%d lines about mails that were looked at before", again)
				}
				third := codeMail()
				third.To, third.Ref = "wang.wu@example.com", "code3"
				id := w.queue(third)
				w.work()
				box.put(about("exim-unknown", id))
				read()
				if st := w.delivery(id).State; st != "bounced" {
					w.t.Errorf("a later bounce: %s", st)
				}
				if got := len(post.inbox()); got != 3 {
					w.t.Errorf("a bounce was answered: %d mails", got)
				}
				if strings.Contains(w.log.String(), "pass word") {
					w.t.Error("the password is in the log")
				}
			})
		})
	}
}

// TestReturnsConfig: what would send the password in clear, or mean nothing, is
// refused; a mailbox that cannot be read is an error and nothing worse.
func TestReturnsConfig(t *testing.T) {
	t.Parallel()
	good := config.Returns{Host: "imap.example.com", User: "u"}
	for name, change := range map[string]func(*config.Returns){
		"":           func(*config.Returns) {},
		"no host":    func(c *config.Returns) { c.Host = "" },
		"no user":    func(c *config.Returns) { c.User = "" },
		"clear text": func(c *config.Returns) { c.TLS = config.TLSNone },
		"tls":        func(c *config.Returns) { c.TLS = "sometimes" },
		"port":       func(c *config.Returns) { c.Port = 70000 },
		"too often":  func(c *config.Returns) { c.Every = time.Second },
		"in place":   func(c *config.Returns) { c.Move = "INBOX" },
		"password":   func(c *config.Returns) { c.Password = config.Secret{Env: "CASEMATE_NO_SUCH"} },
	} {
		c := good
		change(&c)
		if _, err := notify.New(nil, nil, notify.Options{Config: config.Notify{Returns: c}}); (err == nil) != (name == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
	each(t, notify.Options{}, func(w *world) {
		box := startMailbox(w.t, config.TLSNone, imap.CapSet{imap.CapIMAP4rev1: {}})
		for name, change := range map[string]func(*config.Returns){
			"wrong user": func(c *config.Returns) { c.User = "other" },
			"no mailbox": func(c *config.Returns) { c.Mailbox = "Nothing" },
			"no server":  func(c *config.Returns) { c.Port = 1 },
			"no TLS":     func(c *config.Returns) { c.TLS = config.TLSImplicit },
		} {
			c := box.config(config.TLSNone, "")
			change(&c)
			w.serve(notify.Options{Config: config.Notify{Returns: c}})
			if err := w.s.ReadReturns(w.t.Context()); err == nil {
				w.t.Errorf("%s: no error", name)
			}
		}
		var names []string
		for _, p := range w.s.Periodic() {
			names = append(names, p.Name)
		}
		if !slices.Contains(names, "returned mails") {
			w.t.Errorf("%v", names)
		}
	})
}
