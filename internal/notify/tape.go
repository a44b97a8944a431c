package notify

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	maillog "github.com/wneessen/go-mail/log"
)

// Who speaks in a transcript.
const (
	SaidClient = "client" // we
	SaidServer = "server" // the provider
	SaidNote   = "note"   // about the conversation: what was connected, with which certificate
)

// Line is one line of what was said with a provider.
type Line struct {
	At   int64 // milliseconds since the beginning
	From string
	Text string
}

// Bounds of a transcript.
const (
	maxTapeLines = 400
	maxTapeLine  = 1000 // characters
)

// tape records what one test says and hears. Secrets are taken out before
// anything is kept. A nil tape records nothing.
type tape struct {
	began   time.Time
	secrets *strings.Replacer

	mu    sync.Mutex
	lines []Line
}

type tapeKey struct{}

// newTape forgets the secrets in whatever spelling they travel.
func newTape(secrets ...string) *tape {
	var pairs []string
	for _, s := range secrets {
		if len(s) < 3 { // would blank every other letter
			continue
		}
		for _, spelled := range []string{s, url.QueryEscape(s), url.PathEscape(s), jsonText(s), base64.StdEncoding.EncodeToString([]byte(s)), base64.URLEncoding.EncodeToString([]byte(s))} {
			if !slices.Contains(pairs, spelled) {
				pairs = append(pairs, spelled, "***")
			}
		}
	}
	return &tape{began: time.Now(), secrets: strings.NewReplacer(pairs...)}
}

// taped is the tape of a test, nil of everything else.
func taped(ctx context.Context) *tape {
	t, _ := ctx.Value(tapeKey{}).(*tape)
	return t
}

// say keeps a text, line by line.
func (t *tape) say(from, text string) {
	if t == nil {
		return
	}
	at := time.Since(t.began).Milliseconds()
	t.mu.Lock()
	defer t.mu.Unlock()
	for line := range strings.SplitSeq(strings.TrimRight(text, "\r\n"), "\n") {
		if len(t.lines) >= maxTapeLines {
			return
		}
		t.lines = append(t.lines, Line{at, from, cut(oneLine(t.secrets.Replace(line)), maxTapeLine)})
	}
}

func (t *tape) note(format string, args ...any) {
	if t != nil {
		t.say(SaidNote, fmt.Sprintf(format, args...))
	}
}

// heard tells whether an answer was among the last ones.
func (t *tape) heard(said string) bool {
	first, _, _ := strings.Cut(said, "\n")
	all := t.all()
	return slices.ContainsFunc(all[max(len(all)-8, 0):], func(l Line) bool { return l.From == SaidServer && l.Text == oneLine(t.secrets.Replace(first)) })
}

// heardCode tells whether an answer with the code was among the last ones.
func (t *tape) heardCode(code int) bool {
	all := t.all()
	return slices.ContainsFunc(all[max(len(all)-8, 0):], func(l Line) bool { return l.From == SaidServer && strings.HasPrefix(l.Text, strconv.Itoa(code)) })
}

// all is what was kept.
func (t *tape) all() []Line {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.lines)
}

// mailTape is a tape as the mail library's log. It is told commands and answers
// without what belongs to AUTH.
type mailTape struct{ *tape }

// Debugf keeps a command or an answer.
func (t mailTape) Debugf(l maillog.Log) {
	from := SaidServer
	if l.Direction == maillog.DirClientToServer {
		from = SaidClient
	}
	t.say(from, fmt.Sprintf(l.Format, l.Messages...))
}

// Infof and the others tell nothing of the conversation.
func (t mailTape) Infof(maillog.Log)  {}
func (t mailTape) Warnf(maillog.Log)  {}
func (t mailTape) Errorf(maillog.Log) {}

// HandleError keeps an answer that the library did not expect, and logs
// nowhere, at its place in the conversation; it mends nothing.
func (t mailTape) HandleError(_, _ string, _ *textproto.Conn, err error) error {
	t.refused(err)
	return err
}

// refused keeps why a conversation ended: the library logs no answer that it
// did not expect.
func (t *tape) refused(err error) {
	if t == nil || err == nil {
		return
	}
	var answer *textproto.Error
	var send *gomail.SendError
	switch {
	case errors.As(err, &answer):
		said := fmt.Sprintf("%d %s", answer.Code, answer.Msg)
		if !t.heard(said) {
			t.say(SaidServer, said)
		}
	case errors.As(err, &send) && send.ErrorCode() != 0:
		if !t.heardCode(send.ErrorCode()) {
			t.say(SaidServer, send.Error())
		}
	default:
		t.note("%s", err.Error())
	}
}

// greeted is a connection that keeps the first line it hears: the library says
// hello after the server has, and tells nobody what that was.
type greeted struct {
	net.Conn
	tape *tape
	line []byte
	done bool
}

// Read keeps the greeting on its way.
func (g *greeted) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if !g.done {
		g.line = append(g.line, b[:n]...)
		if i := strings.IndexByte(string(g.line), '\n'); i >= 0 || len(g.line) > maxTapeLine || err != nil {
			if i >= 0 {
				g.line = g.line[:i]
			}
			g.done = true
			if len(g.line) > 0 {
				g.tape.say(SaidServer, string(g.line))
			}
		}
	}
	return n, err
}
