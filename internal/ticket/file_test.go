package ticket_test

import (
	"io"
	"strings"
	"sync"
	"testing"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

func upload(name, text string) attachment.Upload {
	return attachment.Upload{Name: name, Origin: attachment.ForTicket, Body: strings.NewReader(text), Fields: attachment.Fields{Name: "name", Origin: "from", Body: "file"}}
}

func (w *world) upload(who principal.Principal, name string) string {
	w.t.Helper()
	id, err := w.files.Upload(w.t.Context(), who, upload(name, "content of "+name))
	w.ok(err)
	return id
}

// said is what the customer sees: text and names of files, message by message.
func (w *world) said(who principal.Principal, number string) (out []string) {
	w.t.Helper()
	page, _, err := w.s.Messages(w.t.Context(), who, number, "", 0, -1)
	w.ok(err)
	for _, m := range page {
		line := m.Text
		for _, f := range m.Files {
			line += " [" + f.Name + "]"
		}
		out = append(out, line)
	}
	return out
}

// TestFiles: files go with a ticket and with messages of both sides; notes'
// stay on the desk; a refused claim leaves nothing behind.
func TestFiles(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		ctx := w.t.Context()
		a, b := w.upload(w.li, "截图.txt"), w.upload(w.li, "b.log")
		draft := w.draft("with files")
		draft.Attachments = []string{a, b}
		n, err := w.s.Create(ctx, w.li, draft)
		w.ok(err)
		c := w.upload(w.li, "c.txt")
		w.ok(w.s.Reply(ctx, w.li, n, "", "more", c))
		w.ok(w.s.Reply(ctx, w.li, n, "", "nothing with it"))

		attach := func(name string) string {
			w.t.Helper()
			f, err := w.s.Attach(ctx, w.chen, n, upload(name, "from the engineer"))
			w.ok(err)
			if f.Name != name || !f.Engineers || f.Message != "" {
				w.t.Errorf("%+v", f)
			}
			return f.ID
		}
		send := func(action, text string, ids ...string) error {
			_, err := w.s.Take(ctx, w.chen, ticket.Step{Number: n, Action: action, Text: text, Attachments: ids})
			return err
		}
		unsent, noted := attach("unsent.txt"), attach("internal.txt")
		w.ok(send(ticket.StepReply, "here", attach("answer.txt")))
		w.ok(send(ticket.StepNote, "for us", noted))
		want := "with files [截图.txt] [b.log]|more [c.txt]|nothing with it|here [answer.txt]"
		if got := strings.Join(w.said(w.li, n), "|"); got != want {
			w.t.Errorf("the customer sees %s", got)
		}
		all, err := w.s.DeskMessages(ctx, w.chen, n)
		w.ok(err)
		if last := all[len(all)-1]; !last.Internal || len(last.Files) != 1 || last.Files[0].Name != "internal.txt" {
			w.t.Errorf("%+v", last)
		}
		files, err := w.s.DeskFiles(ctx, w.emma, n)
		w.ok(err)
		if len(files) != 6 {
			w.t.Errorf("%d files on the desk", len(files))
		}
		for _, f := range files {
			got, err := w.s.DeskFile(ctx, w.emma, n, f.ID)
			w.ok(err)
			text, err := io.ReadAll(got)
			if err != nil || int64(len(text)) != f.Size {
				w.t.Errorf("%s: %q %v", f.Name, text, err)
			}
			w.ok(got.Close())
			_, err = w.files.Open(ctx, w.li, "", f.ID)
			if mine := f.ID != unsent && f.ID != noted; mine != (err == nil) {
				w.t.Errorf("%s for the customer: %v", f.Name, err)
			}
		}
		_, err = w.s.DeskFile(ctx, w.li, n, a)
		w.refused(err, "01010002")
		if all, err := w.s.DeskFiles(principal.With(ctx, w.auditor), w.auditor, n); err != nil || len(all) == 0 || !strings.HasPrefix(all[0].Name, "attachment.") {
			w.t.Errorf("an auditor sees the files %+v, %v", all, err)
		}
		_, err = w.s.DeskFile(ctx, w.auditor, n, a)
		w.refused(err, "01010002")
		_, err = w.s.Attach(ctx, w.chen, "TS000000NOSUCHTICKET0", upload("a.txt", "x"))
		w.refused(err, "01010015")
		_, err = w.s.Attach(ctx, w.auditor, n, upload("a.txt", "x"))
		w.refused(err, "01010002")

		// Refusals name the field and store nothing.
		for field, try := range map[string]func() error{
			"accessory_ids": func() error {
				d := w.draft("refused")
				d.Attachments = []string{a}
				_, err := w.s.Create(ctx, w.li, d)
				return err
			},
			"message.accessory_ids": func() error { return w.s.Reply(ctx, w.li, n, "", "refused", w.upload(w.wang, "w.txt")) },
			"attachment_ids":        func() error { return send(ticket.StepReply, "refused", c) },
		} {
			err := try()
			if f, ok := fault.As(err); !ok || f.Field != field || f.Code != fault.CodeInvalid {
				w.t.Errorf("%s: %v", field, err)
			}
		}
		for _, action := range []string{ticket.StepPause, ticket.StepInvalid, ticket.StepAccept} {
			w.refused(send(action, "x", unsent), "01010001")
		}
		if got := strings.Join(w.said(w.li, n), "|"); got != want {
			w.t.Errorf("after refusals the customer sees %s", got)
		}
		if numbers, total := w.find(w.li, ticket.Filter{}); total != 1 {
			w.t.Errorf("a refused ticket was stored: %v", numbers)
		}
		// With the ticket its files go from the customer's eyes.
		w.ok(w.step(w.chen, n, ticket.StepResolve, "done"))
		w.ok(w.act(w.li, n, ticket.Close))
		w.ok(w.act(w.li, n, ticket.Delete))
		_, err = w.files.Open(ctx, w.li, "", a)
		w.refused(err, "01010001")
	})
}

// TestFileOnce: of many tickets created at once with one file, one is.
func TestFileOnce(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		a := w.upload(w.li, "a.txt")
		var mu sync.Mutex
		var all sync.WaitGroup
		won := 0
		for range 16 {
			all.Go(func() {
				d := w.draft("race")
				d.Attachments = []string{a}
				if _, err := w.s.Create(w.t.Context(), w.li, d); err == nil {
					mu.Lock()
					defer mu.Unlock()
					won++
				}
			})
		}
		all.Wait()
		if _, total := w.find(w.li, ticket.Filter{}); won != 1 || total != 1 {
			w.t.Errorf("%d creates won, %d tickets", won, total)
		}
	})
}

// TestUploadRepeats: a repeated upload is answered with the first one's id; the
// same key with another content, as signatures of one second have it, is
// another upload (threats.md E2).
func TestUploadRepeats(t *testing.T) {
	t.Parallel()
	each(t, ticket.Options{}, func(w *world) {
		key := func() db.RequestKey {
			return db.RequestKey{ID: "one signature", Domain: w.li.Domain, Until: w.clock.Now().UnixMilli() + 60_000}
		}
		send := func(name, text string) string {
			w.t.Helper()
			id, err := w.files.Upload(db.WithRequestKey(w.t.Context(), key()), w.li, upload(name, text))
			w.ok(err)
			return id
		}
		first, again, other, named := send("a.txt", "x"), send("a.txt", "x"), send("a.txt", "y"), send("b.txt", "x")
		if first != again || first == other || first == named {
			w.t.Errorf("%s %s %s %s", first, again, other, named)
		}
	})
}
