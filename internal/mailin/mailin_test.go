package mailin_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// letter is a plain mail.
func letter(from, to, subject, text string, more ...string) string {
	return fmt.Sprintf("From: %s\r\nTo: %s\r\nSubject: %s\r\nMessage-ID: <%x@mail.example>\r\nDate: Thu, 01 Jan 2026 10:00:00 +0800\r\n%sContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n",
		from, to, subject, sha256.Sum256([]byte(from+to+subject+text)), strings.Join(append(more, ""), "\r\n"), text)
}

func (w *world) is(m mailin.Mail, state, outcome, cause string) {
	w.t.Helper()
	if m.State != state || m.Outcome != outcome || m.Cause != cause {
		w.t.Fatalf("mail %q from %s is %s/%s/%s (%s), want %s/%s/%s", m.Subject, m.From, m.State, m.Outcome, m.Cause, m.Words.EN, state, outcome, cause)
	}
}

const dmarcPass = "Authentication-Results: mx.desk.example; dmarc=pass header.from=example.com"

// Opening an installation takes longer than most of what is looked at in it:
// each of these tests looks at several things in one.

func TestThreads(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.ticketAndReplies(w.t)
		w.twice(w.t)
		w.closed(w.t)
		w.staff(w.t)
		w.staffTwice(w.t)
		w.bounce(w.t) // li's address is blocked then
	})
}

func TestStrangersAndMachines(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.unknown(w.t)
		w.automatic(w.t)
	})
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	each(t, func(w *world) {
		w.quarantine(w.t)
		w.parked(w.t)
		w.retention(w.t)
	})
}

// TestStrict: a small limit, DMARC demanded, a mailbox whose tickets are refused.
func TestStrict(t *testing.T) {
	t.Parallel()
	c := boxes
	c.MaxMB, c.RequireAuth = 3, true
	c.Mailboxes = append(slices.Clone(c.Mailboxes), config.Mailbox{Name: "broken", Address: "broken@desk.example", ProblemType: "nonsense"})
	eachWith(t, c, func(w *world) {
		w.accepts(w.t)
		w.dmarc(w.t)
		w.refused(w.t)
	})
}

// accepts: durable, once by UID and by content, sealed, bounded.
func (w *world) accepts(t *testing.T) {
	raw := letter("li@example.com", "support@desk.example", "disk", "secret-marker-4711")
	one, err := w.mail.Accept(t.Context(), mailin.Received{Raw: []byte(raw), Mailbox: "support", UID: "1.1"})
	w.OK(err)
	for _, r := range []mailin.Received{{Raw: []byte(raw), Mailbox: "support", UID: "1.1"}, {Raw: []byte(raw), Mailbox: "support"}, {Raw: []byte(raw), Mailbox: "support", UID: "2.7"},
		{Raw: []byte("other"), Mailbox: "support", UID: "1.1"}, {Raw: []byte("Return-Path: <x@y>\r\nReceived: from a\r\n by b with LMTP id 7;\r\n now\r\n" + raw), Mailbox: "support"}} {
		if id, err := w.mail.Accept(t.Context(), r); err != nil || id != one {
			t.Errorf("the same mail again is %s, %v, want %s", id, err, one)
		}
	}
	bare := "Received: from a; now\r\nFrom: li@example.com\r\nSubject: x\r\n\r\nno id"
	two, err := w.mail.Accept(t.Context(), mailin.Received{Raw: []byte(bare), Mailbox: "support"})
	w.OK(err)
	if id, err := w.mail.Accept(t.Context(), mailin.Received{Raw: []byte(strings.Replace(bare, "now", "later", 1)), Mailbox: "support"}); err != nil || id == two {
		t.Errorf("a mail without an id that comes again: %s, %v", id, err)
	}
	if id, err := w.mail.Accept(t.Context(), mailin.Received{Raw: []byte(raw), Mailbox: "refuse"}); err != nil || id == one {
		t.Errorf("another mailbox: %s, %v", id, err)
	}
	if n := w.count("SELECT count(*) FROM mail_parts WHERE sealed LIKE '%4711%'") + w.count("SELECT count(*) FROM mails WHERE head LIKE '%li@%'"); n != 0 {
		t.Errorf("%d rows hold the mail in clear", n)
	}
	_, err = w.mail.Accept(t.Context(), mailin.Received{Raw: []byte(raw), Mailbox: "nobody"})
	w.Refused(err, ".01010001")
	_, err = w.mail.Accept(t.Context(), mailin.Received{Mailbox: "support"})
	w.Refused(err, ".01010001")
	// Several pieces, up to the limit and no byte more.
	big := []byte(letter("li@example.com", "support@desk.example", "big", strings.Repeat("0123456789abcde\r\n", 100000)))
	big = append(big, make([]byte, 3<<20-len(big))...)
	id, err := w.mail.Accept(t.Context(), mailin.Received{Raw: big, Mailbox: "support"})
	w.OK(err)
	back, err := w.mail.Original(t.Context(), w.admin, id)
	if err != nil || string(back) != string(big) {
		t.Errorf("the original comes back with %d bytes, %v", len(back), err)
	}
	_, err = w.mail.Accept(t.Context(), mailin.Received{Raw: append(big, '\n'), Mailbox: "support"})
	w.Refused(err, ".01010001")
}

func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	w.OK(w.DB.View(w.t.Context(), func(tx *dbTx) error { return tx.Get(sql, args...).Scan(&n) }))
	return n
}

// ticketAndReplies: a known user's mail is a ticket; answers to its notices
// find it by signed address, by Message-ID, by the thread, and by number.
func (w *world) ticketAndReplies(t *testing.T) {
	m := w.take("support", letter("Li <li@example.com>", "support@desk.example", "磁盘满了", "vdb1 已满，请处理。"))
	w.is(m, "done", "ticket", "")
	all := w.messages(m.Number)
	if len(all) != 1 || all[0].Text != "磁盘满了\n\nvdb1 已满，请处理。" || all[0].Author != w.Li.User {
		t.Fatalf("the ticket says %+v", all)
	}
	w.OK(w.Step(w.Chen, m.Number, ticket.StepAccept, ""))
	w.OK(w.Step(w.Chen, m.Number, ticket.StepAsk, "哪台机器？"))
	w.Work()
	asked := w.sent("li@example.com", notify.TemplateAsk)
	if len(asked) != 1 || !strings.HasPrefix(asked[0].Reply, "support+") || !strings.Contains(asked[0].Text, notify.ReplyMarkZH) {
		t.Fatalf("the notice: %+v", asked)
	}
	for i, c := range []struct{ to, subject, more string }{
		{strings.ToUpper(asked[0].Reply), "Re: x", ""},
		{"support@desk.example", "Re: y", "In-Reply-To: <" + asked[0].MessageID + ">"},
		{"support@desk.example", "Re: z", "References: <a@b> <" + asked[0].MessageID + "> <c@d>"},
		{"support@desk.example", "回复: 工单 " + strings.ToLower(m.Number), ""},
	} {
		more := []string{}
		if c.more != "" {
			more = []string{c.more}
		}
		text := fmt.Sprintf("answer %d", i)
		got := w.take("support", letter("li@example.com", c.to, c.subject, text+"\r\n\r\n在 2026年1月1日，support 写道：\r\n> —— "+notify.ReplyMarkZH+" ——\r\n> 您好", more...))
		w.is(got, "done", "message", "")
		all := w.messages(m.Number)
		if last := all[len(all)-1]; got.Number != m.Number || last.Text != text || last.Author != w.Li.User || last.Side != ticket.CustomerSide {
			t.Errorf("%d: %+v", i, last)
		}
	}
	if s := w.Status(m.Number); s != ticket.Processing {
		t.Errorf("an answer leaves the ticket in %d", s)
	}
	// A mail that answers li's own.
	first := letter("li@example.com", "support@desk.example", "second", "another matter")
	two := w.take("support", first)
	got := w.take("support", letter("li@example.com", "support@desk.example", "Re: second", "more of it", "In-Reply-To: "+first[strings.Index(first, "<"):strings.Index(first, ">")+1]))
	w.is(got, "done", "message", "")
	if got.Number != two.Number {
		t.Errorf("the thread leads to %s, want %s", got.Number, two.Number)
	}
	// The main account sees its sub-user's tickets, a colleague does not.
	w.is(w.take("support", letter("boss@example.com", asked[0].Reply, "Re: x", "from the boss")), "done", "message", "")
	w.is(w.take("support", letter("wang@example.com", asked[0].Reply, "Re: x", "from a colleague")), "quarantined", "", mailin.CauseStranger)
	w.is(w.take("support", letter("mallory@evil.example", asked[0].Reply, "Re: x", "with a stolen address")), "quarantined", "", mailin.CauseStranger)
	w.is(w.take("support", letter("mallory@evil.example", "support@desk.example", m.Number, "with a number")), "quarantined", "", mailin.CauseStranger)
	// A forged code is no code: the mail is wang's own matter.
	forged := strings.Replace(asked[0].Reply, "-c", "-c0", 1)
	forged = forged[:strings.Index(forged, "@")-1] + "@desk.example"
	other := w.take("support", letter("wang@example.com", forged, "hello", "own matter"))
	w.is(other, "done", "ticket", "")
	if other.Number == m.Number {
		t.Error("a forged code leads to the ticket")
	}
	// Another customer's user names the number: a ticket of his own.
	f := w.take("support", letter("foreign@example.com", "support@desk.example", "see "+m.Number, "mine"))
	w.is(f, "done", "ticket", "")
	if f.Number == m.Number || f.Domain != w.Foreign.Domain {
		t.Errorf("foreign mail went to %s of %s", f.Number, f.Domain)
	}
}

// closed: an answer to a ticket that has ended opens one that goes on.
func (w *world) closed(t *testing.T) {
	n := w.Create(w.Li, "old")
	w.OK(w.Act(w.Li, n, ticket.Cancel))
	m := w.take("support", letter("li@example.com", "support@desk.example", "Re: "+n, "it is back"))
	w.is(m, "done", "ticket", "")
	if m.Number == n {
		t.Fatal("the old ticket")
	}
	all := w.messages(m.Number)
	if !strings.Contains(all[0].Text, n) || !strings.Contains(all[0].Text, "it is back") {
		t.Errorf("it says %q", all[0].Text)
	}
	related, err := w.Tickets.Relations(t.Context(), w.Li, m.Number)
	if err != nil || len(related) != 1 || related[0].Number != n {
		t.Errorf("related to %+v, %v", related, err)
	}
}

// staff: an engineer's mail counts only with the address he was given.
func (w *world) staff(t *testing.T) {
	w.OK(setMail(w, w.Chen, "chen@house.example"))
	w.OK(setMail(w, w.Emma, "emma@house.example"))
	n := w.Create(w.Li, "disk")
	w.Work()
	told, err := w.Notify.Tell(t.Context(), []notify.News{{User: chenMail(w, "chen@house.example"), Kind: notify.KindAssigned, Event: "e1", Domain: w.Li.Domain, Number: n}})
	w.OK(err)
	w.OK(w.DB.Update(t.Context(), func(tx *dbTx) error { w.Notify.QueueTold(tx, told); return nil }))
	w.Work()
	got := w.sent("chen@house.example", notify.TemplateAssigned)
	if len(got) != 1 || got[0].Reply == "" {
		t.Fatalf("the notice: %+v", got)
	}
	reply := got[0].Reply
	m := w.take("support", letter("chen@house.example", reply, "Re: x", "please restart it\r\n\r\n-----Original Message-----\r\nFrom: a\r\nSent: b\r\nTo: c\r\nSubject: d"))
	w.is(m, "done", "message", "")
	all := w.messages(n)
	if last := all[len(all)-1]; last.Side != ticket.EngineerSide || last.Internal || last.Text != "please restart it" {
		t.Errorf("%+v", last)
	}
	w.is(w.take("support", letter("chen@house.example", reply, "Re: x", "#note\r\nonly for us")), "done", "note", "")
	all = w.messages(n)
	if last := all[len(all)-1]; !last.Internal || last.Text != "only for us" {
		t.Errorf("%+v", last)
	}
	before := len(all)
	w.is(w.take("support", letter("emma@house.example", reply, "Re: x", "not my address")), "quarantined", "", mailin.CauseForeign)
	w.is(w.take("support", letter("li@example.com", reply, "Re: x", "the customer with it")), "quarantined", "", mailin.CauseForeign)
	w.is(w.take("support", letter("chen@house.example", "support@desk.example", "Re: x", "no address")), "quarantined", "", mailin.CauseStaff)
	if all = w.messages(n); len(all) != before {
		t.Errorf("%d messages, want %d", len(all), before)
	}
}

// staffTwice: an answer to a notice is sent when the customer wrote meanwhile,
// and kept back when a colleague answered, as a note and a draft; its writer is
// told each time.
func (w *world) staffTwice(t *testing.T) {
	n := w.Create(w.Li, "disk two")
	id := chenMail(w, "chen@house.example")
	reply := func(kind, event string) string {
		t.Helper()
		find, _, err := w.Tickets.DeskFind(t.Context(), w.Chen, n)
		w.OK(err)
		told, err := w.Notify.Tell(t.Context(), []notify.News{{User: id, Kind: kind, Event: event, Domain: w.Li.Domain, Number: n, Revision: find.Revision}})
		w.OK(err)
		w.OK(w.DB.Update(t.Context(), func(tx *dbTx) error { w.Notify.QueueTold(tx, told); return nil }))
		w.Work()
		got := w.sent("chen@house.example", notify.TemplateAssigned)
		return got[len(got)-1].Reply
	}
	first := reply(notify.KindAssigned, "t1")
	w.OK(w.Tickets.Reply(t.Context(), w.Li, n, "", "one more thing"))
	w.is(w.take("support", letter("chen@house.example", first, "Re: x", "restart it")), "done", "message", "")
	w.is(w.take("support", letter("chen@house.example", first, "Re: x", "and again")), "done", "message", "") // behind his own
	w.is(w.take("support", letter("chen@house.example", first, "Automatic reply: x", "I am away")), "done", "note", "")
	w.OK(w.Step(w.Emma, n, ticket.StepReply, "I have done it"))
	before := w.messages(n)
	for i := range 2 {
		text := fmt.Sprint("do not restart it ", i)
		m := w.take("support", letter("chen@house.example", first, "Re: x", text))
		w.is(m, "done", "note", mailin.CauseAnswered)
		all := w.messages(n)
		if last := all[len(all)-1]; len(all) != len(before)+i+1 || !last.Internal || !strings.Contains(last.Text, text) || !strings.Contains(last.Text, "未发送") && !strings.Contains(last.Text, "not sent") {
			t.Fatalf("%d messages, the last %+v", len(all), last)
		}
		got := w.sent("chen@house.example", notify.TemplateRefused)
		if len(got) != i+1 || !strings.Contains(got[i].Text, n) || !strings.Contains(m.Words.EN, "answered twice") || !strings.Contains(m.Words.EN, "as your draft") {
			t.Fatalf("told %+v, words %+v", got, m.Words)
		}
	}
	if n := w.count("SELECT count(*) FROM ticket_drafts WHERE user_id = ?", id); n != 2 {
		t.Errorf("%d drafts", n)
	}
	// Of a newer notice he knows what Emma said.
	w.is(w.take("support", letter("chen@house.example", reply(notify.KindAssigned, "t2"), "Re: x", "right")), "done", "message", "")
}

// unknown: refused with one mail back, in a day; guests; quarantine; domains.
func (w *world) unknown(t *testing.T) {
	w.is(w.take("support", letter("eve@else.example", "support@desk.example", "hi", "1")), "quarantined", "", mailin.CauseUnknown)
	for i := range 3 {
		w.is(w.take("refuse", letter("eve@else.example", "strict@desk.example", "hi", fmt.Sprint(i))), "done", "ignored", mailin.CauseUnknown)
	}
	if got := w.sent("eve@else.example", notify.TemplateRefused); len(got) != 1 || !strings.Contains(got[0].Text, "no user") || got[0].Reply != "" {
		t.Errorf("refusals: %+v", got)
	}
	w.Clock.Add(25 * time.Hour)
	w.take("refuse", letter("eve@else.example", "strict@desk.example", "hi", "next day"))
	if got := w.sent("eve@else.example", notify.TemplateRefused); len(got) != 2 {
		t.Errorf("%d refusals after a day", len(got))
	}
	g := w.take("guests", letter("Eve E <eve@else.example>", "guests@desk.example", "help", "please"))
	w.is(g, "done", "ticket", "")
	if all := w.messages(g.Number); !strings.HasPrefix(all[0].Text, "[邮件 / mail: Eve E <eve@else.example>]") {
		t.Errorf("it says %q", all[0].Text)
	}
	// She gets notices, and may answer them.
	w.OK(w.Step(w.Chen, g.Number, ticket.StepReply, "done"))
	w.Work()
	told := w.sent("eve@else.example", notify.TemplateReply)
	if len(told) != 1 {
		t.Fatalf("%d notices", len(told))
	}
	a := w.take("guests", letter("eve@else.example", told[0].Reply, "Re: help", "thanks"))
	w.is(a, "done", "message", "")
	if all := w.messages(g.Number); !strings.HasPrefix(all[len(all)-1].Text, "[邮件 / mail: eve@else.example]\n\nthanks") {
		t.Errorf("it says %q", all[len(all)-1].Text)
	}
	w.is(w.take("harbour", letter("foreign@example.com", "harbour@desk.example", "x", "y")), "done", "ticket", "")
	w.is(w.take("harbour", letter("li@example.com", "harbour@desk.example", "x", "y")), "quarantined", "", mailin.CauseUnknown)
}

// refused: who may not file a ticket is told once; the mail waits.
func (w *world) refused(t *testing.T) {
	m := w.take("broken", letter("li@example.com", "broken@desk.example", "x", "y", dmarcPass))
	w.is(m, "quarantined", "", mailin.CauseRefused)
	if m.Words.ZH == "" || m.Words.EN == "" || m.Text == "" {
		t.Errorf("words %+v", m)
	}
	if got := w.sent("li@example.com", notify.TemplateRefused); len(got) != 1 {
		t.Errorf("%d mails back", len(got))
	}
	w.take("broken", letter("li@example.com", "broken@desk.example", "x", "z", dmarcPass, "X-Auto-Response-Suppress: All"))
	if got := w.sent("", notify.TemplateRefused); len(got) != 1 {
		t.Errorf("%d mails back", len(got))
	}
}

// automatic: what machines write causes no automatic answer (threats.md D11).
func (w *world) automatic(t *testing.T) {
	for _, c := range []struct {
		header, from, state, outcome, cause string
	}{
		{"Auto-Submitted: auto-replied", "li@example.com", "done", "ignored", mailin.CauseAutoReply},
		{"Auto-Submitted: auto-generated (x)", "li@example.com", "quarantined", "", mailin.CauseAutomatic},
		{"Precedence: bulk", "eve@else.example", "quarantined", "", mailin.CauseAutomatic},
		{"Precedence: junk", "eve@else.example", "quarantined", "", mailin.CauseAutomatic},
		{"Return-Path: <>", "eve@else.example", "quarantined", "", mailin.CauseAutomatic},
		{"List-Id: <all.else.example>", "eve@else.example", "quarantined", "", mailin.CauseUnknown},
		{"Precedence: list", "eve@else.example", "quarantined", "", mailin.CauseUnknown},
		{"X-Auto-Response-Suppress: DR, OOF", "li@example.com", "done", "ticket", ""},
		{"Auto-Submitted: no", "li@example.com", "done", "ticket", ""},
		{"X-Nothing: 1", "SUPPORT@desk.example", "done", "ignored", mailin.CauseOwn},
		{"X-Nothing: 1", "help@desk.example", "done", "ignored", mailin.CauseOwn},
	} {
		before := len(w.sent("", notify.TemplateRefused)) + len(w.sent("", notify.TemplateCreate))
		m := w.take("refuse", letter(c.from, "strict@desk.example", "s "+c.header, "t", c.header))
		if m.State != c.state || m.Outcome != c.outcome || m.Cause != c.cause {
			t.Errorf("%s of %s: %s/%s/%s, want %s/%s/%s", c.header, c.from, m.State, m.Outcome, m.Cause, c.state, c.outcome, c.cause)
		}
		if after := len(w.sent("", notify.TemplateRefused)) + len(w.sent("", notify.TemplateCreate)); after != before && c.header != "Auto-Submitted: no" {
			t.Errorf("%s: an automatic answer", c.header)
		}
	}
	// A notice of ours that comes back is ours, whatever its header says.
	n := w.Create(w.Li, "x")
	w.Work()
	created := w.sent("li@example.com", notify.TemplateCreate)
	if len(created) == 0 {
		t.Fatal(n, "no notice")
	}
	raw := "From: li@example.com\r\nSubject: x\r\nMessage-ID: <" + created[len(created)-1].MessageID + ">\r\n\r\nhi"
	w.is(w.take("support", raw), "done", "ignored", mailin.CauseOwn)
	// A machine that says nothing of itself comes to an end.
	taken := 0
	for i := range 14 {
		if m := w.take("support", letter("li@example.com", "support@desk.example", n, fmt.Sprint("loop ", i))); m.Outcome == "message" {
			taken++
		} else if m.Cause != mailin.CauseTooMany {
			t.Errorf("%d: %+v", i, m)
		}
	}
	if taken != 10 {
		t.Errorf("%d mails in ten minutes were taken, want 10", taken)
	}
	w.Clock.Add(11 * time.Minute)
	w.is(w.take("support", letter("li@example.com", "support@desk.example", n, "later")), "done", "message", "")
}

// dmarc: only our own server's word counts.
func (w *world) dmarc(t *testing.T) {
	const (
		pass = dmarcPass
		fail = "Authentication-Results: mx.desk.example; spf=pass smtp.mailfrom=x; dmarc=fail header.from=example.com"
		evil = "Authentication-Results: mx.evil.example; dmarc=pass header.from=example.com"
	)
	for i, c := range []struct {
		headers []string
		cause   string
	}{{[]string{pass}, ""}, {[]string{fail}, mailin.CauseDMARC}, {[]string{evil}, mailin.CauseUnproved}, {nil, mailin.CauseUnproved},
		{[]string{fail, pass}, mailin.CauseDMARC}, {[]string{evil, pass}, ""}, {[]string{"Authentication-Results: mx.desk.example; ;;=="}, mailin.CauseUnproved}} {
		m := w.take("support", letter("li@example.com", "support@desk.example", fmt.Sprint("dmarc ", i), "t", c.headers...))
		if m.Cause != c.cause {
			t.Errorf("%q: %s, want %s", c.headers, m.Cause, c.cause)
		}
	}
}

// quarantine: list, show, release, retry, discard; who may.
func (w *world) quarantine(t *testing.T) {
	a := w.take("support", letter("eve@else.example", "support@desk.example", "one", "text one"))
	b := w.take("support", letter("eve@else.example", "support@desk.example", "two", "text two"))
	c := w.take("support", letter("eve@else.example", "support@desk.example", "three", "text three"))
	page, err := w.mail.List(t.Context(), w.admin, mailin.Filter{Limit: 2})
	if err != nil || len(page) != 2 || page[0].ID != c.ID || page[1].Subject != "two" || page[0].Text != "" {
		t.Fatalf("page %+v, %v", page, err)
	}
	page, err = w.mail.List(t.Context(), w.admin, mailin.Filter{Limit: 2, After: page[1].ID})
	if err != nil || len(page) != 1 || page[0].ID != a.ID {
		t.Fatalf("page %+v, %v", page, err)
	}
	for _, who := range []principal.Principal{w.Chen, w.Auditor, w.Li, {}, {Kind: principal.Engineer, Role: principal.RoleSupervisor, Partner: "p"}} {
		_, err := w.mail.List(t.Context(), who, mailin.Filter{})
		w.Refused(err, ".01010002")
		_, err = w.mail.Show(t.Context(), who, a.ID)
		w.Refused(err, ".01010002")
		_, err = w.mail.Release(t.Context(), who, mailin.Release{ID: a.ID})
		w.Refused(err, ".01010002")
		w.Refused(w.mail.Discard(t.Context(), who, a.ID), ".01010002")
	}
	_, err = w.mail.List(t.Context(), w.admin, mailin.Filter{Limit: 201})
	w.Refused(err, ".01010001")
	_, err = w.mail.List(t.Context(), w.admin, mailin.Filter{State: "x"})
	w.Refused(err, ".01010001")
	_, err = w.mail.Show(t.Context(), w.admin, "01900000000000000000000000")
	w.Refused(err, ".01010001")
	// As nobody: it stays.
	m, err := w.mail.Release(t.Context(), w.admin, mailin.Release{ID: a.ID})
	w.OK(err)
	w.is(m, "quarantined", "", mailin.CauseUnknown)
	m, err = w.mail.Retry(t.Context(), w.admin, a.ID)
	w.OK(err)
	w.is(m, "quarantined", "", mailin.CauseUnknown)
	_, err = w.mail.Release(t.Context(), w.admin, mailin.Release{ID: a.ID, User: w.Li.User})
	w.Refused(err, ".01010001")
	_, err = w.mail.Release(t.Context(), w.admin, mailin.Release{ID: a.ID, User: w.Li.User, Domain: w.Foreign.Domain})
	w.Refused(err, ".01010001")
	_, err = w.mail.Release(t.Context(), w.admin, mailin.Release{ID: a.ID, Number: "TS2601010000000000000"})
	w.Refused(err, ".01010015")
	// As somebody, marked with who wrote.
	m, err = w.mail.Release(t.Context(), w.admin, mailin.Release{ID: a.ID, User: w.Li.User, Domain: w.Li.Domain})
	w.OK(err)
	w.is(m, "done", "ticket", "")
	w.Work()
	if all := w.messages(m.Number); all[0].Author != w.Li.User || !strings.Contains(all[0].Text, "eve@else.example") || !strings.Contains(all[0].Text, "text one") || len(all) != 1 {
		t.Errorf("%+v", all)
	}
	if len(w.sent("eve@else.example", notify.TemplateCreate)) != 0 {
		t.Error("a stranger was told of a released mail")
	}
	// To a ticket.
	m2, err := w.mail.Release(t.Context(), w.admin, mailin.Release{ID: b.ID, Number: m.Number})
	w.OK(err)
	w.is(m2, "done", "message", "")
	if all := w.messages(m.Number); len(all) != 2 || !strings.Contains(all[1].Text, "eve@else.example") {
		t.Errorf("%+v", all)
	}
	_, err = w.mail.Release(t.Context(), w.admin, mailin.Release{ID: b.ID})
	w.Refused(err, ".01010002")
	w.OK(w.mail.Discard(t.Context(), w.admin, c.ID))
	w.Refused(w.mail.Discard(t.Context(), w.admin, c.ID), ".01010002")
	_, err = w.mail.Original(t.Context(), w.admin, c.ID)
	w.Refused(err, ".01010001")
	if n := w.count("SELECT count(*) FROM mail_parts WHERE mail_id = ?", c.ID); n != 0 {
		t.Errorf("%d pieces of a discarded mail", n)
	}
}
