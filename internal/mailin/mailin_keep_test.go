package mailin_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"casemate/internal/mailin"
	"casemate/internal/notify"
)

// retention: originals of handled mails go after their time, quarantined
// ones stay, and the mail is not taken for a new one.
func (w *world) retention(t *testing.T) {
	raw := letter("li@example.com", "support@desk.example", "one", "text")
	done := w.take("support", raw)
	held := w.take("support", letter("eve@else.example", "support@desk.example", "two", "text"))
	w.Clock.Add(31 * 24 * time.Hour)
	w.OK(w.mail.Purge(t.Context()))
	if m := w.show(done.ID); m.Kept || m.From != "" || m.Subject != "" || m.Number == "" {
		t.Errorf("after its time: %+v", m)
	}
	if m := w.show(held.ID); !m.Kept || m.Text != "text" {
		t.Errorf("quarantined: %+v", m)
	}
	if id, err := w.mail.Accept(t.Context(), mailin.Received{Raw: []byte(raw), Mailbox: "support"}); err != nil || id != done.ID {
		t.Errorf("again: %s, %v", id, err)
	}
	// More than one batch of each: spam in quarantine, pieces of nobody, threads.
	for i := range 45 {
		w.take("support", letter("eve@else.example", "support@desk.example", "spam", fmt.Sprint("spam ", i)))
	}
	w.OK(w.DB.Update(t.Context(), func(tx *dbTx) error {
		for i := range 45 {
			tx.Write(1, "INSERT INTO mail_parts (mail_id, n, sealed, created_at) VALUES (?, 0, 'x', ?)", fmt.Sprint("nobody", i), tx.Now)
		}
		for i := range 1200 {
			tx.Write(1, "INSERT INTO mail_threads (domain_id, id_hash, ticket_id, number, created_at) VALUES (?, ?, 't', 'n', ?)", w.Li.Domain, fmt.Sprint("hash", i), tx.Now)
		}
		return nil
	}))
	w.Clock.Add(364 * 24 * time.Hour)
	w.OK(w.mail.Purge(t.Context()))
	if n := w.count("SELECT count(*) FROM mails WHERE state = 'quarantined'"); n < 45 {
		t.Errorf("%d quarantined after 364 days", n)
	}
	if n := w.count("SELECT count(*) FROM mail_parts WHERE mail_id LIKE 'nobody%'"); n != 0 {
		t.Errorf("%d pieces of nobody are left", n)
	}
	w.Clock.Add(25 * time.Hour)
	w.OK(w.mail.Purge(t.Context()))
	gone, events := w.count("SELECT count(*) FROM mails WHERE state = 'discarded' AND kept = 0 AND head = ''"), w.count("SELECT count(*) FROM events WHERE kind = 'mail.expired'")
	if n := w.count("SELECT count(*) FROM mails WHERE state = 'quarantined'") + w.count("SELECT count(*) FROM mail_parts"); n != 0 || gone < 46 || events < 46 {
		t.Errorf("%d rows are left, %d mails and %d events of their end", n, gone, events)
	}
	w.Clock.Add(401 * 24 * time.Hour)
	w.OK(w.mail.Purge(t.Context()))
	if n := w.count("SELECT count(*) FROM mails") + w.count("SELECT count(*) FROM mail_threads WHERE domain_id = ?", w.Li.Domain); n != 0 {
		t.Errorf("%d rows are left", n)
	}
}

// parked: a mail that cannot be handled ends in quarantine and holds nobody
// up.
func (w *world) parked(t *testing.T) {
	bad, err := w.mail.Accept(t.Context(), mailin.Received{Raw: []byte(letter("li@example.com", "support@desk.example", "bad", "x")), Mailbox: "support"})
	w.OK(err)
	w.OK(w.DB.Update(t.Context(), func(tx *dbTx) error {
		tx.Write(1, "UPDATE mail_parts SET sealed = 'broken' WHERE mail_id = ?", bad)
		return nil
	}))
	good := w.take("support", letter("li@example.com", "support@desk.example", "good", "x"))
	w.is(good, "done", "ticket", "")
	for range 8 {
		w.Clock.Add(11 * time.Minute)
		w.Work()
	}
	page, err := w.mail.List(t.Context(), w.admin, mailin.Filter{})
	if err != nil || len(page) != 1 || page[0].ID != bad || page[0].Cause != mailin.CauseFailed {
		t.Errorf("quarantine holds %+v, %v", page, err)
	}
	if n := w.count("SELECT count(*) FROM jobs WHERE kind = 'mail.read'"); n != 0 {
		t.Errorf("%d jobs are left", n)
	}
}

// bounce: a bounce about a mail of ours reaches the ledger, one about
// others' is ignored.
func (w *world) bounce(t *testing.T) {
	n := w.Create(w.Li, "x")
	w.Work()
	sent := w.sent("li@example.com", notify.TemplateCreate)
	if len(sent) == 0 {
		t.Fatal(n, "no notice")
	}
	dsn := func(id string) string {
		return "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.com\r\nSubject: Undelivered Mail Returned to Sender\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" +
			"--b\r\nContent-Type: text/plain\r\n\r\nsorry\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\nFinal-Recipient: rfc822; li@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n" +
			"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <" + id + ">\r\n\r\n--b--\r\n"
	}
	w.is(w.take("support", dsn(sent[len(sent)-1].MessageID)), "done", "bounce", "")
	if w.count("SELECT count(*) FROM notify_messages WHERE state = 'bounced'") != 1 {
		t.Error("the ledger does not know")
	}
	w.is(w.take("support", dsn("x@else.example")), "done", "ignored", mailin.CauseBounce)
}

// twice: a mail to two mailboxes at once makes one ticket.
func (w *world) twice(t *testing.T) {
	raw := []byte(letter("li@example.com", "support@desk.example, strict@desk.example", "both", "one matter"))
	var ids []string
	for _, box := range []string{"support", "refuse"} {
		id, err := w.mail.Accept(t.Context(), mailin.Received{Raw: raw, Mailbox: box})
		w.OK(err)
		ids = append(ids, id)
	}
	before := w.count("SELECT count(*) FROM tickets")
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			if _, err := w.Jobs.Work(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	w.Work()
	if n := w.count("SELECT count(*) FROM tickets"); n != before+1 {
		t.Errorf("%d tickets were made, want 1", n-before)
	}
	for _, id := range ids {
		if m := w.show(id); m.State != "done" || m.Outcome != "ticket" && m.Cause != mailin.CauseDuplicate {
			t.Errorf("%+v", m)
		}
	}
}
