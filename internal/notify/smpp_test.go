package notify_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/locale"
	"casemate/internal/notify"
)

func openSMPP(t *testing.T, c config.SMPP) notify.Channel {
	t.Helper()
	ch, err := notify.NewSMPP(c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ch.(interface{ Close() }).Close)
	return ch
}

func text(id, s string) notify.Outgoing {
	return notify.Outgoing{ID: id, Way: notify.SMS, To: "+8613800138000", Text: s}
}

// TestSMPPTexts: what arrives at the centre is what was said, in the shortest
// coding that can say it, in parts that join again.
func TestSMPPTexts(t *testing.T) {
	t.Parallel()
	s := startCentre(t)
	ch := openSMPP(t, s.config())
	han := strings.Repeat("工单已更新，请登录控制台查看处理进展。", 11)[:200*3]
	for _, c := range []struct {
		name, text string
		coding     byte
		parts      int
	}{
		{"GSM", "Code 048213 is valid for 5 minutes.", 0, 1},
		{"GSM, 160 septets", strings.Repeat("a", 160), 0, 1},
		{"GSM, 161 septets", strings.Repeat("a", 161), 0, 2},
		{"GSM, an escape at the cut", strings.Repeat("a", 152) + "€" + strings.Repeat("b", 20), 0, 2},
		{"Chinese", "【云助手】验证码 048213，5 分钟内有效。", 8, 1},
		{"Chinese, 70", strings.Repeat("工", 70), 8, 1},
		{"Chinese, 71", strings.Repeat("工", 71), 8, 2},
		{"Chinese, 200", han, 8, 3},
		{"a pair at the cut", strings.Repeat("工", 66) + "😀" + strings.Repeat("单", 30), 8, 2},
	} {
		before := len(s.messages())
		id, err := ch.Send(t.Context(), text("m-"+c.name, c.text))
		if err != nil || id != fmt.Sprintf("sim-%d", before+1) {
			t.Fatalf("%s: id %q, %v", c.name, id, err)
		}
		got := s.messages()[before:]
		if len(got) != c.parts || notify.Parts(c.text) != c.parts {
			t.Errorf("%s: %d parts, counted %d, want %d", c.name, len(got), notify.Parts(c.text), c.parts)
			continue
		}
		for _, p := range got {
			if p.dest != "8613800138000" || p.destTON != 1 || p.destNPI != 1 || p.source != "Casemate" || p.sourceTON != 5 || p.sourceNPI != 0 || p.registered != 1 || p.coding != c.coding || p.ref() == "" || p.ref() != got[0].ref() {
				t.Errorf("%s: %+v", c.name, p)
			}
		}
		switch {
		case c.parts > 1 && c.coding == 8:
			if joined(t, got) != c.text {
				t.Errorf("%s: joined %q", c.name, joined(t, got))
			}
		case c.coding == 8:
			if ucs2(got[0].octets) != c.text {
				t.Errorf("%s: %q", c.name, ucs2(got[0].octets))
			}
		case c.parts == 1:
			if string(got[0].octets) != c.text { // of these, GSM and ASCII have the same codes
				t.Errorf("%s: %q", c.name, got[0].octets)
			}
		default:
			var all []byte
			for _, p := range got {
				if len(p.octets) > 6+153 {
					t.Errorf("%s: a part of %d octets", c.name, len(p.octets))
				}
				all = append(all, p.octets[6:]...)
			}
			if want := strings.ReplaceAll(c.text, "€", "\x1be"); string(all) != want || got[0].octets[len(got[0].octets)-1] == 0x1b {
				t.Errorf("%s: %q", c.name, all)
			}
		}
	}
}

// TestSMPPStatuses: what the centre's refusals mean for a message.
func TestSMPPStatuses(t *testing.T) {
	t.Parallel()
	s := startCentre(t)
	var status uint32
	s.script = func(*centreConn, int, submitted) (uint32, string, bool) { return status, "x", true }
	ch := openSMPP(t, s.config())
	for _, c := range []struct {
		status    uint32
		permanent bool
		recipient bool
		detail    string
	}{
		{0x58, false, false, "smpp 0x58 ESME_RTHROTTLED"}, {0x14, false, false, "smpp 0x14 ESME_RMSGQFUL"}, {0x08, false, false, ""}, {0x64, false, false, ""}, {0x45, false, false, ""},
		{0x0b, true, true, "smpp 0x0B ESME_RINVDSTADR"}, {0x65, true, false, ""}, {0x66, true, false, ""}, {0x01, true, false, ""}, {0x0a, false, false, ""}, {0x0411, false, false, ""},
	} {
		s.set(func() { status = c.status })
		_, err := ch.Send(t.Context(), text("m", "hello"))
		var f *notify.Failure
		if !errors.As(err, &f) || f.Permanent != c.permanent || f.Recipient != c.recipient || f.Unknown || c.detail != "" && f.Detail != c.detail {
			t.Errorf("%#x: %+v", c.status, f)
		}
	}
	s.set(func() { status = 0 })
	if _, err := ch.Send(t.Context(), text("m", "hello")); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
	if s.binds != 1 {
		t.Errorf("%d binds", s.binds)
	}
}

// TestSMPPBind: a wrong password is refused and not tried again at once; signs
// of life go both ways; the end is an unbind; addresses outside the list are
// not reached.
func TestSMPPBind(t *testing.T) {
	t.Parallel()
	s := startCentre(t)
	s.password = "another"
	ch := openSMPP(t, s.config())
	for range 3 {
		if _, err := ch.Send(t.Context(), text("m", "hello")); err == nil || !strings.Contains(err.Error(), "ESME_RINVPASWD") {
			t.Errorf("a wrong password: %v", err)
		}
	}
	if s.tries != 1 {
		t.Errorf("%d binds at once with a wrong password", s.tries)
	}
	c := s.config()
	s.set(func() { s.password = "secret" })
	c.EnquireLink = 500 * time.Millisecond // on a busy machine an answer takes its time
	ch = openSMPP(t, c)
	if _, err := ch.Send(t.Context(), text("m", "hello")); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.conns = s.conns[len(s.conns)-1:] })
	conn := s.conns[0]
	if err := conn.put(cmdEnquire, 0, 77, nil); err != nil {
		t.Fatal(err)
	}
	if a := <-conn.answers; a != [2]uint32{cmdEnquire | answerBit, 0} {
		t.Errorf("a sign of life is answered %x", a)
	}
	// query_sm and an unknown command come from no centre: they are refused.
	if err := conn.put(0x00000999, 0, 78, nil); err != nil {
		t.Fatal(err)
	}
	if a := <-conn.answers; a[0] != cmdNack || a[1] == 0 {
		t.Errorf("an unknown command is answered %x", a)
	}
	for range 1000 {
		if s.count(cmdEnquire) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s.count(cmdEnquire) == 0 || s.binds != 1 {
		t.Errorf("%d signs of life, %d binds", s.count(cmdEnquire), s.binds)
	}
	ch.(interface{ Close() }).Close()
	if s.count(cmdUnbind) != 1 {
		t.Errorf("%d unbinds", s.count(cmdUnbind))
	}
	if _, err := ch.Send(t.Context(), text("m", "hello")); err == nil {
		t.Error("sent after the end")
	}
	c.Allow = nil
	if _, err := openSMPP(t, c).Send(t.Context(), text("m", "hello")); err == nil || !strings.Contains(err.Error(), "may not be reached") {
		t.Errorf("an inner address: %v", err)
	}
}

// TestSMPPSilence: a centre that gives no sign of life is left, and bound anew
// when it speaks again; whoever waits is told in his time.
func TestSMPPSilence(t *testing.T) {
	t.Parallel()
	s := startCentre(t)
	c := s.config()
	c.EnquireLink = 50 * time.Millisecond
	ch := openSMPP(t, c)
	if _, err := ch.Send(t.Context(), text("m", "hello")); err != nil {
		t.Fatal(err)
	}
	s.set(func() { s.mute = true })
	began := time.Now()
	_, err := ch.Send(t.Context(), text("m", "hello"))
	var f *notify.Failure
	if !errors.As(err, &f) || !f.Unknown || time.Since(began) > 30*time.Second { // else it waits for good
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began = time.Now()
	if _, err := ch.Send(ctx, text("m", "hello")); err == nil || time.Since(began) > 5*time.Second { // a bind has ten
		t.Errorf("a silent bind: after %v: %v", time.Since(began), err)
	}
	s.set(func() { s.mute = false })
	s.cutAll()
	for try := 0; ; try++ {
		if _, err = ch.Send(t.Context(), text("m", "hello")); err == nil {
			break
		}
		if try == 100 {
			t.Fatalf("it does not come back: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestSMPPWindow: no more requests than the window are without an answer; who
// finds it full waits, and is told that nothing left when his time is over.
func TestSMPPWindow(t *testing.T) {
	t.Parallel()
	s := startCentre(t)
	var mu sync.Mutex
	open, most := 0, 0
	release := make(chan struct{})
	s.script = func(c *centreConn, n int, _ submitted) (uint32, string, bool) {
		mu.Lock()
		open++
		most = max(most, open)
		mu.Unlock()
		seq := uint32(n + 1) // the bind was 1
		s.open.Go(func() {
			<-release
			mu.Lock()
			open--
			mu.Unlock()
			_ = c.put(cmdSubmit|answerBit, 0, seq, []byte(fmt.Sprintf("late-%d\x00", n)))
		})
		return 0, "", false
	}
	c := s.config()
	c.Window = 3
	ch := openSMPP(t, c)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			if id, err := ch.Send(t.Context(), text(fmt.Sprint(i), "hello")); err != nil || !strings.HasPrefix(id, "late-") {
				t.Errorf("%q, %v", id, err)
			}
		})
	}
	for len(s.messages()) < 3 {
		time.Sleep(5 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := ch.Send(ctx, text("x", "hello"))
	var f *notify.Failure
	if !errors.As(err, &f) || !f.Unsent || f.Unknown {
		t.Errorf("the window is full: %+v", f)
	}
	close(release)
	wg.Wait()
	if most != 3 || len(s.messages()) != 12 {
		t.Errorf("%d without an answer at once, %d messages", most, len(s.messages()))
	}
}

// TestSMPPCut: a connection that is cut with the window full loses no message;
// what is sent again carries the same client reference and joins alike.
func TestSMPPCut(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		s := startCentre(w.t)
		var cut atomic.Bool // each connection has a goroutine of its own
		s.script = func(c *centreConn, n int, _ submitted) (uint32, string, bool) {
			if n == 5 && cut.CompareAndSwap(false, true) {
				_ = c.Close()
			}
			return 0, fmt.Sprintf("sim-%d", n), n <= 2 || cut.Load()
		}
		w.serve(notify.Options{Config: config.Notify{SMPP: []config.SMPP{s.config()}}})
		defer w.s.Close()
		ctx, stop := context.WithCancel(w.t.Context())
		var run sync.WaitGroup
		defer run.Wait()
		defer stop()
		run.Go(func() { w.jobs.Run(ctx) })
		ids := map[string]bool{}
		for i := range 8 {
			m := codeSMS()
			m.Ref, m.Urgent, m.Lives = fmt.Sprint(i), false, time.Hour
			ids[w.queue(m)] = true
		}
		until := time.Now().Add(20 * time.Second)
		for done := 0; done < len(ids); {
			if time.Now().After(until) {
				w.t.Fatalf("%d of %d were sent", done, len(ids))
			}
			time.Sleep(20 * time.Millisecond)
			w.clock.Add(2 * time.Second)
			done = 0
			for id := range ids {
				if w.delivery(id).State == "sent" {
					done++
				}
			}
		}
		refs := map[string]int{}
		for _, m := range s.messages() {
			refs[m.ref()]++
		}
		unknown := 0
		for id := range ids {
			for _, a := range w.delivery(id).Attempts {
				if a.Outcome == "unknown" {
					unknown++
				}
			}
		}
		if len(refs) != len(ids) || len(s.messages()) > len(ids)+unknown || unknown == 0 || s.binds < 2 {
			w.t.Errorf("%d messages, %d client references, %d got by the centre, %d unknown attempts, %d binds", len(ids), len(refs), len(s.messages()), unknown, s.binds)
		}
	})
}

// TestSMPPHangs: a centre that hangs is given up within the time of an attempt;
// the next provider gets the code.
func TestSMPPHangs(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		for name, mute := range map[string]bool{"at the bind": true, "at the message": false} {
			s := startCentre(w.t)
			s.mute = mute
			s.script = func(*centreConn, int, submitted) (uint32, string, bool) { return 0, "", false }
			gate := startSMS(w.t, answer(200, `{"result":{"code":0},"data":[{"sid":"SM-1"}]}`))
			sms := gate.config()
			sms.Order, sms.Weight = 9, 1
			w.serve(notify.Options{Config: config.Notify{SMS: []config.SMSGateway{sms}, SMPP: []config.SMPP{s.config()}}})
			began := time.Now()
			m := codeSMS()
			m.Ref = name
			id := w.queue(m)
			w.work()
			d := w.delivery(id)
			if d.State != "sent" || len(d.Attempts) != 2 || d.Attempts[1].Provider != "gw" || d.Attempts[1].Outcome != "ok" || time.Since(began) > 15*time.Second { // of the 20 that an ordinary one has
				w.t.Errorf("%s: after %v: %s %s", name, time.Since(began), d.State, outcomes(d))
			}
			if want := map[bool]string{true: "temporary", false: "unknown"}[mute]; d.Attempts[0].Outcome != want {
				w.t.Errorf("%s: %s, want %s", name, d.Attempts[0].Outcome, want)
			}
			s.cutAll()
			w.s.Close()
		}
	})
}

// TestSMPPReceipts: receipts, in every form they come in, make the ledger say
// what became of a message.
func TestSMPPReceipts(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		s := startCentre(w.t)
		w.serve(notify.Options{Config: config.Notify{SMPP: []config.SMPP{s.config()}}})
		defer w.s.Close()
		n := 0
		send := func(values ...string) string {
			w.t.Helper()
			n++
			m := notify.Message{Domain: "d1", Person: "u1", Way: notify.SMS, To: fmt.Sprintf("+86138001380%02d", n), Template: notify.TemplateReply, Language: locale.ZH,
				Values: map[string]string{"number": "TS" + strings.Join(values, "")}, Ref: "TS1"}
			id := w.queue(m)
			w.work()
			w.wantState(id, "sent", "")
			return id
		}
		provided := func(id string) string { return w.delivery(id).Attempts[0].ProviderID }

		id := send()
		s.receipt(provided(id), "ACCEPTD", "000") // nothing final
		w.wantState(id, "sent", "")
		w.clock.Add(time.Minute)
		s.receipt(provided(id), "DELIVRD", "000")
		d := w.wantState(id, "delivered", "")
		if a := d.Attempts[0]; a.Receipt != "delivered" || a.ReceiptAt-a.Ended != 60000 || a.Cost != 45 || a.Parts != 1 || d.Cost != 45 {
			w.t.Errorf("%+v", d)
		}
		s.receipt(provided(id), "UNDELIV", "001") // too late
		w.wantState(id, "delivered", "")

		id = send()
		s.receipt(provided(id), "EXPIRED", "027")
		w.wantState(id, "failed", "smpp EXPIRED err:027")

		id = send()
		s.receipt(provided(id), "UNDELIV", "001")
		w.wantState(id, "bounced", "smpp UNDELIV err:001")
		m := codeSMS()
		m.To = fmt.Sprintf("+86138001380%02d", n)
		blocked := w.queue(m)
		w.work()
		w.wantState(blocked, "dropped", "blocked")

		// Optional parameters instead of, or against, the text; UCS-2; a payload.
		id = send()
		s.deliver(0x04, 0, nil, map[uint16][]byte{0x001e: append([]byte(provided(id)), 0), 0x0427: {2}})
		w.wantState(id, "delivered", "")
		id = send()
		s.deliver(0x04, 0, []byte("id:other stat:DELIVRD err:000"), map[uint16][]byte{0x001e: append([]byte(provided(id)), 0), 0x0427: {8}, 0x0423: {3, 0, 11}})
		w.wantState(id, "failed", "smpp REJECTD err:000")
		id = send()
		var wide []byte
		for _, r := range "id:" + provided(id) + " stat:DELIVRD" {
			wide = append(wide, 0, byte(r))
		}
		s.deliver(0x04, 8, wide, nil)
		w.wantState(id, "delivered", "")
		id = send()
		s.deliver(0x04, 0, nil, map[uint16][]byte{0x0424: []byte("id:" + provided(id) + " stat:delivrd")})
		w.wantState(id, "delivered", "")

		// Of a long message every part must arrive.
		id = send(strings.Repeat("工单更新", 50))
		d = w.delivery(id)
		if a := d.Attempts[0]; a.Parts != 4 || a.Cost != 180 {
			w.t.Fatalf("%+v", a)
		}
		all := s.messages()
		for i := range 4 {
			w.wantState(id, "sent", "")
			s.receipt(fmt.Sprintf("sim-%d", len(all)-3+i), "DELIVRD", "000")
		}
		w.wantState(id, "delivered", "")
		id = send(strings.Repeat("工单更新", 50))
		s.receipt(fmt.Sprintf("sim-%d", len(s.messages())), "UNDELIV", "005")
		w.wantState(id, "failed", "smpp UNDELIV err:005")

		// A receipt that comes before the answer to the message is not lost.
		var early sync.WaitGroup
		s.set(func() {
			s.script = func(_ *centreConn, n int, _ submitted) (uint32, string, bool) {
				early.Go(func() { s.receipt(fmt.Sprintf("early-%d", n), "DELIVRD", "000") })
				time.Sleep(20 * time.Millisecond)
				return 0, fmt.Sprintf("early-%d", n), true
			}
		})
		n++
		m = codeSMS()
		m.To, m.Ref = "+8613900139000", "early"
		id = w.queue(m)
		w.work()
		early.Wait()
		w.wantState(id, "delivered", "")

		// Neither a customer's message nor rubbish nor an unknown id does harm.
		for _, c := range []struct {
			esm  byte
			text string
		}{{0, "STOP"}, {0x04, ""}, {0x04, "id: stat: err:"}, {0x04, "stat:DELIVRD"}, {0x44, "\x05"}, {0x44, "\x00\x03id:x stat:DELIVRD"}} {
			before := s.binds
			c4 := []byte(c.text)
			if c.esm&0x40 != 0 { // may be answered or refused, but not by hanging
				_ = s.deliver(c.esm, 0, c4, nil)
			} else if a := s.deliver(c.esm, 0, c4, nil); a[1] != 0 {
				w.t.Errorf("%q is answered %x", c.text, a)
			}
			if s.binds != before {
				w.t.Errorf("%q ended the bind", c.text)
			}
		}
	})
}

// TestSMPPThrottled: a message that the centre had no room for is sent later,
// and the ledger says when.
func TestSMPPThrottled(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		s := startCentre(w.t)
		s.script = func(_ *centreConn, n int, _ submitted) (uint32, string, bool) {
			return map[bool]uint32{true: 0x58}[n < 3], "late", true
		}
		w.serve(notify.Options{Config: config.Notify{SMPP: []config.SMPP{s.config()}}})
		defer w.s.Close()
		m := codeSMS()
		m.Urgent = false
		id := w.queue(m)
		w.work()
		if d := w.wantState(id, "sending", ""); d.Next != w.db.Now().UnixMilli()+10000 || d.Cost != 0 {
			w.t.Errorf("next %d, now %d, cost %d", d.Next, w.db.Now().UnixMilli(), d.Cost)
		}
		w.clock.Add(10 * time.Second)
		w.work()
		w.clock.Add(20 * time.Second)
		w.work()
		d := w.wantState(id, "sent", "")
		if outcomes(d) != "smsc:temporary smsc:temporary smsc:ok" || d.Next != 0 || d.Cost != 45 || !strings.Contains(d.Attempts[0].Detail, "THROTTLED") {
			w.t.Errorf("%+v", d)
		}
		if got := s.messages(); got[0].ref() != got[2].ref() {
			w.t.Error("the repeats have other references")
		}
	})
}

// TestSMPPStays: the bind is kept without anything to send, and made anew when
// it is cut.
func TestSMPPStays(t *testing.T) {
	t.Parallel()
	each(t, notify.Options{}, func(w *world) {
		s := startCentre(w.t)
		w.serve(notify.Options{Config: config.Notify{SMPP: []config.SMPP{s.config()}}})
		ctx, stop := context.WithCancel(w.t.Context())
		var run sync.WaitGroup
		run.Go(func() { w.s.Run(ctx) })
		bound := func(n int) {
			w.t.Helper()
			until := time.Now().Add(10 * time.Second)
			for {
				s.mu.Lock()
				have := s.binds
				s.mu.Unlock()
				if have >= n {
					return
				}
				if time.Now().After(until) {
					w.t.Fatalf("%d binds, want %d", have, n)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		bound(1)
		s.cutAll()
		bound(2)
		stop()
		run.Wait()
		w.s.Close()
		if s.count(cmdUnbind) == 0 {
			w.t.Error("no unbind")
		}
		if strings.Contains(w.log.String(), "secret") {
			w.t.Error("the password is in the log")
		}
	})
}

func TestSMPPConfig(t *testing.T) {
	t.Parallel()
	good := config.SMPP{Address: "smsc.example:2775", SystemID: "casemate", Source: "+8610690000"}
	if _, err := notify.NewSMPP(good, slog.Default()); err != nil {
		t.Error(err)
	}
	nineteen := 19
	for name, change := range map[string]func(*config.SMPP){
		"no port":     func(c *config.SMPP) { c.Address = "smsc.example" },
		"no host":     func(c *config.SMPP) { c.Address = ":2775" },
		"no id":       func(c *config.SMPP) { c.SystemID = "" },
		"long id":     func(c *config.SMPP) { c.SystemID = strings.Repeat("x", 16) },
		"id":          func(c *config.SMPP) { c.SystemID = "云" },
		"long name":   func(c *config.SMPP) { c.Source = "Casemate Care" },
		"long number": func(c *config.SMPP) { c.Source = strings.Repeat("1", 21) },
		"ton":         func(c *config.SMPP) { c.SourceTON = &nineteen },
		"window":      func(c *config.SMPP) { c.Window = -1 },
		"range":       func(c *config.SMPP) { c.Allow = []string{"everything"} },
		"secret":      func(c *config.SMPP) { c.Password = config.Secret{Env: "CASEMATE_NO_SUCH"} },
		"ca":          func(c *config.SMPP) { c.CAFile = "/no/such" },
	} {
		c := good
		change(&c)
		if _, err := notify.NewSMPP(c, slog.Default()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
