package mailin_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"casemate/internal/identity"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// expected is what a mail of the corpus must come to; it was written down with
// the mail, from what its writer meant.
type expected struct {
	Outcome   string   `json:"outcome"`
	Cause     string   `json:"cause"`
	Thread    string   `json:"thread"` // ticket: the one it answers; new: another one
	Sender    string   `json:"sender"`
	Subject   *string  `json:"subj"`
	Text      *string  `json:"text"`
	Has       []string `json:"has"`
	Not       []string `json:"not"`
	Reply     *string  `json:"reply"` // the text without what it quotes
	Files     []string `json:"files"`
	FileCount int      `json:"filecount"`
	TicketHas []string `json:"ticket_has"` // stands in the ticket's messages
	Kept      []string `json:"kept"`       // files of the ticket
	Quiet     bool     `json:"quiet"`      // nobody is told of the ticket by itself
}

type sample struct {
	name string
	raw  []byte
	want expected
}

func corpus(t testing.TB) (all []sample) {
	t.Helper()
	paths, err := filepath.Glob("testdata/corpus/*.eml")
	if err != nil || len(paths) < 150 {
		t.Fatalf("%d mails in the corpus, %v", len(paths), err)
	}
	for _, p := range paths {
		s := sample{name: strings.TrimSuffix(filepath.Base(p), ".eml")}
		text, err := os.ReadFile(strings.TrimSuffix(p, ".eml") + ".json")
		if err == nil {
			err = json.Unmarshal(text, &s.want)
		}
		if err == nil {
			s.raw, err = os.ReadFile(p)
		}
		if err != nil {
			t.Fatal(p, err)
		}
		all = append(all, s)
	}
	return all
}

// TestCorpusRead: every mail is read as its writer meant it.
func TestCorpusRead(t *testing.T) {
	t.Parallel()
	for _, s := range corpus(t) {
		began := time.Now()
		got := mailin.ReadRaw(s.raw)
		if took := time.Since(began); took > 10*time.Second { // some milliseconds, on a machine that does nothing else
			t.Errorf("%s took %v", s.name, took)
		}
		w := s.want
		if w.Sender != "" && got.From != w.Sender {
			t.Errorf("%s: from %q, want %q", s.name, got.From, w.Sender)
		}
		if w.Subject != nil && got.Subject != *w.Subject {
			t.Errorf("%s: subject %q, want %q", s.name, got.Subject, *w.Subject)
		}
		if w.Text != nil && got.Text != *w.Text {
			t.Errorf("%s: text %.200q, want %.200q", s.name, got.Text, *w.Text)
		}
		for _, h := range w.Has {
			if !strings.Contains(got.Text, h) {
				t.Errorf("%s: %q is missing in %.300q", s.name, h, got.Text)
			}
		}
		for _, h := range w.Not {
			if strings.Contains(got.Text, h) {
				t.Errorf("%s: %q stands in %.300q", s.name, h, got.Text)
			}
		}
		if w.Reply != nil && got.Reply != *w.Reply {
			t.Errorf("%s: reply %q, want %q", s.name, got.Reply, *w.Reply)
		}
		if w.FileCount > 0 && len(got.Files) != w.FileCount || w.FileCount == 0 && !slices.Equal(got.Files, w.Files) && (w.Files != nil || w.Text != nil) {
			t.Errorf("%s: files %q, want %q", s.name, got.Files, w.Files)
		}
		if !utf8.ValidString(got.Text + got.Subject) {
			t.Errorf("%s: not UTF-8", s.name)
		}
	}
}

var numberIn = regexp.MustCompile(`TS[0-9]{6}[0-9A-Z]{13}`)

// TestCorpus: no mail is lost; each ends as it must, on both databases.
func TestCorpus(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		t := w.t
		w.Unlimited()
		house := principal.AsSystem(principal.House)
		for _, name := range []string{"one", "two"} {
			_, err := w.Ident.CreateUser(t.Context(), house, identity.NewUser{Domain: w.Li.Domain, Name: name, Password: "a-Password-1", Mail: "shared@example.com"})
			w.OK(err)
		}
		w.OK(setMail(w, w.Chen, "chen@house.example"))
		draft := w.Draft("the ticket")
		draft.Copies = &[]string{"cc@partner.example"}
		number, err := w.Tickets.Create(t.Context(), w.Li, draft)
		w.OK(err)
		w.OK(w.Step(w.Chen, number, ticket.StepAccept, ""))
		w.OK(w.Step(w.Chen, number, ticket.StepReply, "hello"))
		w.Work()
		notice := w.sent("li@example.com", notify.TemplateReply)
		if len(notice) != 1 {
			t.Fatalf("%d notices", len(notice))
		}
		fill := strings.NewReplacer("@@REPLY@@", notice[0].Reply, "@@REPLYUPPER@@", strings.ToUpper(notice[0].Reply), "@@OURID@@", notice[0].MessageID, "@@NUMBER@@", number, "@@LOWERNUMBER@@", strings.ToLower(number))
		ids := map[string]string{}
		all := corpus(t)
		var reports []sample // they change the ledger: last
		for _, s := range all {
			if strings.Contains(s.name, "dsn-") {
				reports = append(reports, s)
			}
		}
		for _, s := range append(slices.DeleteFunc(slices.Clone(all), func(s sample) bool { return strings.Contains(s.name, "dsn-") }), reports...) {
			w.Clock.Add(15 * time.Minute) // nobody writes too often
			raw := s.raw
			if bytes.Contains(raw, []byte("@@")) {
				raw = []byte(fill.Replace(string(raw)))
			}
			id, err := w.mail.Accept(t.Context(), mailin.Received{Raw: raw, Mailbox: "support", UID: s.name, From: "envelope@example.com"})
			if err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
			ids[s.name] = id
		}
		var workers sync.WaitGroup
		for range 4 {
			workers.Go(func() {
				if _, err := w.Jobs.Work(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		workers.Wait()
		told := map[string]bool{} // numbers of tickets whose creation was mailed
		for _, m := range w.sent("", notify.TemplateCreate) {
			told[numberIn.FindString(m.Subject+m.Text)] = true
		}
		if len(told) < 100 {
			t.Errorf("%d tickets were acknowledged", len(told))
		}
		ended := 0
		for _, s := range all {
			m := w.show(ids[s.name])
			want := s.want
			got := m.Outcome
			if m.State == mailin.StateQuarantined {
				got = "quarantined"
			}
			if got != want.Outcome || m.Cause != want.Cause {
				t.Errorf("%s: %s/%s (%s %s), want %s/%s", s.name, got, m.Cause, m.State, m.Words.EN, want.Outcome, want.Cause)
				continue
			}
			ended++
			if m.Cause != "" && (m.Words.ZH == "" || m.Words.EN == "") {
				t.Errorf("%s: the cause %s has no words", s.name, m.Cause)
			}
			switch want.Thread {
			case "ticket":
				if m.Number != number {
					t.Errorf("%s went to %s, want %s", s.name, m.Number, number)
				}
			case "new":
				if m.Number == "" || m.Number == number {
					t.Errorf("%s went to %q, want a new ticket", s.name, m.Number)
				}
			}
			if want.Quiet && told[m.Number] {
				t.Errorf("%s was answered by itself", s.name)
			}
			if len(want.TicketHas)+len(want.Kept) > 0 && m.Number != "" {
				var text strings.Builder
				var files []string
				for _, msg := range w.messages(m.Number) {
					text.WriteString(msg.Text)
					for _, f := range msg.Files {
						files = append(files, f.Name)
					}
				}
				for _, h := range want.TicketHas {
					if !strings.Contains(text.String(), h) {
						t.Errorf("%s: the ticket does not say %.50q: %.400q", s.name, h, text.String())
					}
				}
				if want.Kept != nil && !slices.Equal(files, want.Kept) {
					t.Errorf("%s: the ticket has the files %q, want %q", s.name, files, want.Kept)
				}
			}
		}
		t.Logf("REPORT mail corpus: %d mails, %d as expected\n", len(all), ended)
		if n := w.count("SELECT count(*) FROM mails WHERE state = 'waiting'"); n != 0 {
			t.Errorf("%d mails are left", n)
		}
		if n := len(w.sent("", notify.TemplateRefused)); n != 0 {
			t.Errorf("%d refusals were mailed", n)
		}
	})
}

// FuzzRead: no mail makes the reader fail, grow or give out what is no text.
func FuzzRead(f *testing.F) {
	for _, s := range corpus(f) {
		if len(s.raw) < 8<<10 {
			f.Add(s.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 256<<10 {
			return
		}
		began := time.Now()
		got := mailin.ReadRaw(raw)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(raw), took)
		}
		if !utf8.ValidString(got.Text + got.Subject + got.From + got.Reply + strings.Join(got.Files, "")) {
			t.Errorf("not UTF-8: %q", got.Text)
		}
		if strings.ContainsAny(got.Text+got.Subject, "\x00\x1b") {
			t.Error("controls are left")
		}
		if len(got.Text) > 2<<20 || len(got.Files) > 100 || got.Bytes > 14*len(raw)+1024 {
			t.Errorf("%d bytes became %d of text, %d files of %d bytes", len(raw), len(got.Text), len(got.Files), got.Bytes)
		}
		for _, name := range got.Files {
			if strings.ContainsAny(name, "/\\\x00\n") || name == "" {
				t.Errorf("a file is called %q", name)
			}
		}
	})
}

// TestWorst: mails made to cost as much as they can are read in the time their
// size takes.
func TestWorst(t *testing.T) {
	t.Parallel()
	rep := strings.Repeat
	const size = 1 << 20
	head := "From: li@example.com\r\nSubject: x\r\n"
	nested := head
	for i := range 3000 {
		nested += "Content-Type: multipart/mixed; boundary=b" + string(rune('a'+i%26)) + rep("x", i%50) + "\r\n\r\n--b" + string(rune('a'+i%26)) + rep("x", i%50) + "\r\n"
	}
	same := head
	for range 3000 { // one boundary for all levels
		same += "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
	}
	for name, raw := range map[string]string{
		"nested":          nested,
		"one boundary":    same,
		"dashes":          head + "Content-Type: multipart/mixed; boundary=\"-\"\r\n\r\n" + rep("-", size),
		"dash lines":      head + "Content-Type: multipart/mixed; boundary=x\r\n\r\n" + rep("--y\n", size/4),
		"boundary lines":  head + "Content-Type: multipart/mixed; boundary=x\r\n\r\n" + rep("--x\n", size/4),
		"folds":           head + "X: a\r\n" + rep(" b\r\n", size/4) + "\r\nx",
		"folds of many":   head + rep("X: a\r\n"+rep(" b\r\n", 1000), size/4000) + "\r\nx",
		"no colon":        head + rep("rubbish\r\nFrom: a@b.c\r\n", size/20),
		"links":           head + "Content-Type: text/html\r\n\r\n" + rep(`<a href="http://x.example/y">z</a>`, size/34),
		"open links":      head + "Content-Type: text/html\r\n\r\n" + rep(`<a href="http://x.example/y">z`, size/60) + rep("</a>", size/60),
		"tags":            head + "Content-Type: text/html\r\n\r\n" + rep("<", size),
		"quotes":          head + "Content-Type: text/html\r\n\r\n" + rep("<blockquote>x", size/13),
		"attributions":    head + "\r\n" + rep("On 1/1/2026, somebody in some place said and wrote x\r\n", size/52),
		"openings":        head + "\r\n" + rep("on "+rep("a", 120)+" wrote\r\n", size/131),
		"fields":          head + "\r\nx\r\n" + rep("From: a\r\n", size/9),
		"one line":        head + "\r\non " + rep("wrote ", size/6) + ":",
		"words":           head[:len(head)-3] + rep("=?utf-8?B?eA==?= ", 2000) + "\r\n\r\nx",
		"recipients":      head + rep("To: "+rep("a@b.example, ", 2000)+"\r\n", 100) + "\r\nx",
		"equals":          head + "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + rep("= \t", size/3),
		"parameters":      head + "Content-Type: text/plain" + rep("; a*0*=x'y'%41", 2000) + "\r\n\r\nx",
		"references":      head + "References: " + rep("<a@b> ", 5000) + "\r\n\r\nx",
		"high bytes":      head + "\r\n" + rep("\xb0\xff\x81", size/3),
		"broken escapes":  head + "\r\n" + rep("\x1b$", size/2),
		"signature lines": head + "\r\nx\r\n" + rep("--\r\n", size/4),
		"quoted lines":    head + "\r\nOn 1/1/2026, a wrote:\r\n" + rep("> x\r\ny\r\n", size/8),
	} {
		began := time.Now()
		got := mailin.ReadRaw([]byte(raw))
		took := time.Since(began)
		if took > 10*time.Second { // about 0.05 s on a quiet machine
			t.Errorf("%s: %d bytes took %v", name, len(raw), took)
		}
		t.Logf("%s: %d bytes, %v, %d of text, %d files", name, len(raw), took.Round(time.Millisecond), len(got.Text), len(got.Files))
	}
}
