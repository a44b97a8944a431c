package mailin_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/mailin"
	"casemate/internal/mailin/mailtest"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/seal/sealtest"
)

// gates are nodes of one installation that read mailboxes, and faults to order
// of the store behind them.
type gates struct {
	t     *testing.T
	db    *db.DB
	keys  *seal.Keyring
	clock *dbtest.Clock
	log   *lockedLog

	mu     sync.Mutex
	calls  int
	kept   []mailin.Received // one of each id
	ids    map[string]bool
	refuse func(r mailin.Received) error // before it is kept
}

type lockedLog struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var operator = principal.Principal{Kind: principal.Local, Domain: principal.House, User: "local"}

func newGates(t *testing.T, d *db.DB, clock *dbtest.Clock) *gates {
	return &gates{t: t, db: d, keys: sealtest.Keyring(t), clock: clock, log: new(lockedLog), ids: map[string]bool{}}
}

func (w *gates) accept(s *mailin.Service) func(ctx context.Context, r mailin.Received) (string, error) {
	return func(ctx context.Context, r mailin.Received) (string, error) {
		w.mu.Lock()
		refuse := w.refuse
		w.calls++
		w.mu.Unlock()
		if refuse != nil {
			if err := refuse(r); err != nil {
				return "", err
			}
		}
		id, err := s.Accept(ctx, r)
		if err != nil {
			return "", err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.ids[id] {
			w.ids[id] = true
			w.kept = append(w.kept, r)
		}
		return id, nil
	}
}

func (w *gates) all() []mailin.Received {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]mailin.Received(nil), w.kept...)
}

// subjects are how often each subject was kept.
func (w *gates) subjects() map[string]int {
	n := map[string]int{}
	for _, r := range w.all() {
		for line := range strings.Lines(string(r.Raw)) {
			if s, ok := strings.CutPrefix(line, "Subject: "); ok {
				n[strings.TrimSpace(s)]++
				break
			}
		}
	}
	return n
}

// gate makes a node.
func (w *gates) gate(node string, c config.MailIn) *mailin.Gate {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := mailin.New(w.db, w.keys, mailin.Nouns{}, mailin.Options{Config: c, Log: log})
	if err != nil {
		w.t.Fatal(err)
	}
	g, err := mailin.NewGate(w.db, w.keys, s, mailin.GateOptions{Config: c, Node: node, Log: log, Pause: 50 * time.Millisecond, Accept: w.accept(s)})
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

// run runs a node until the answer is called, or the test ends.
func (w *gates) run(g *mailin.Gate) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.Run(ctx)
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case <-done:
			case <-time.After(40 * time.Second):
				w.t.Error("the gate does not end")
			}
		})
	}
	w.t.Cleanup(stop)
	return stop
}

// until waits for a condition that the gate brings about by itself.
func (w *gates) until(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			w.t.Fatalf("not within 20 s: %s\n%s", what, tailOf(w.log.String(), 3000))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func tailOf(s string, n int) string { return s[max(0, len(s)-n):] }

// status is a mailbox's.
func (w *gates) status(g *mailin.Gate) mailin.BoxStatus {
	w.t.Helper()
	all, err := g.Mailboxes(w.t.Context(), operator)
	if err != nil || len(all) == 0 {
		w.t.Fatal(all, err)
	}
	return all[0]
}

// box is the configuration of one mailbox at the server.
func box(t testing.TB, m *mailtest.IMAP, mode string, change func(*config.IMAP)) config.MailIn {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(mailtest.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := config.IMAP{Host: "localhost", Port: m.Port, TLS: mode, CAFile: m.CA, User: mailtest.User, Password: config.Secret{File: file}, Every: time.Second, Timeout: 5 * time.Second}
	if mode == mailtest.None {
		c.CAFile = ""
	}
	if change != nil {
		change(&c)
	}
	return config.MailIn{MaxMB: 1, Mailboxes: []config.Mailbox{{Name: "support", Address: "support@example.com", Aliases: []string{"help@example.com"}, IMAP: c}}}
}

func numbered(i int) string {
	return mailtest.Mail("li.hua@example.org", "support@example.com", fmt.Sprintf("mail %d", i), fmt.Sprintf("m%d", i), fmt.Sprintf("你好，第 %d 封", i))
}

// eachGate runs the test on both databases.
func eachGate(t *testing.T, test func(w *gates)) {
	t.Helper()
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) { test(newGates(t, d, clock)) })
}
