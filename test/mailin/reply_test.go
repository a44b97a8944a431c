package mailin

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"casemate/internal/mailin/mailtest"
)

func (f *office) messages(number string) string {
	f.t.Helper()
	status, text, err := f.Operator("GET", "/desk/v1/tickets/"+number+"/messages", nil)
	if err != nil || status != 200 {
		f.t.Fatalf("%d %s %v", status, text, err)
	}
	return text
}

// last waits for the mail to an address that has a word in its decoded text or
// subject, behind the first n.
func last(f *office, k *mailtest.Sink, n int) mailtest.Sent {
	f.t.Helper()
	f.until(fmt.Sprint(n+1, " mails have left"), func() bool { return len(k.All()) > n })
	return k.All()[n]
}

// TestReplyByMail: a question by mail becomes a ticket, its acknowledgement
// leaves; an engineer's answer leaves as a notice. Answers to both, by the
// address the notice gives or only by the thread, in Chinese, quoted as mail
// programs do, come to the same ticket as messages, without what was quoted.
func TestReplyByMail(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, database string) {
		sink := mailtest.StartSink(t, nil)
		f := open(t, database, fmt.Sprintf(`ticket: {acknowledge: true}
notify:
  mail: [{host: 127.0.0.1, port: %d, tls: none, from: noreply@example.com}]
mail_in:
  receiver: {listen: RECEIVE}
  mailboxes:
    - {name: support, address: support@example.com}
`, sink.Port), 1)
		f.local("user", "create", "anna", "--role", "engineer", "--alias", "Anna")
		bring := func(from, to, mail string) {
			t.Helper()
			if code := mailtest.BringOnce(f.receive, true, from, to, mail); code != 250 {
				t.Fatalf("%d for %s", code, to)
			}
			f.settled()
		}
		bring(sender(0), "support@example.com", question(0))
		all := f.mails()
		if len(all) != 1 || all[0].Outcome != "ticket" {
			t.Fatalf("%+v", all)
		}
		number := all[0].Number
		ack := last(f, sink, 0)
		address := plain(ack.Field("Reply-To"))
		if len(ack.To) != 1 || ack.To[0] != sender(0) || !regexp.MustCompile(`^support\+ts[0-9a-z]+-c[0-9a-z]+@example\.com$`).MatchString(address) || !strings.HasPrefix(ack.Field("Auto-Submitted"), "auto-") {
			t.Fatalf("to %v, Reply-To %q, Auto-Submitted %q", ack.To, address, ack.Field("Auto-Submitted"))
		}
		f.local("desk", "accept", number, "--as", "anna")
		f.local("desk", "reply", number, "请重启服务器", "--as", "anna")
		var notice mailtest.Sent
		f.until("the engineer's answer has left", func() bool {
			for _, m := range sink.All()[1:] {
				notice = m
			}
			return notice.Raw != ""
		})
		reply := func(id, to, thread, text string) {
			t.Helper()
			more := []string{}
			if thread != "" {
				more = append(more, "In-Reply-To: "+thread, "References: "+thread)
			}
			body := text + "\n\n在 2026年11月25日，Support <" + to + "> 写道：\n> 请重启服务器\n> 旧的内容\n"
			mail := mailtest.Mail("李华 <"+sender(0)+">", to, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte("回复：工单"))+"?=", id, body, more...)
			bring(sender(0), to, mail)
		}
		reply("r1", address, "", "已重启，问题依旧")
		reply("r2", plain(notice.Field("Reply-To")), "", "还是打不开，附上截图")
		reply("r3", "support@example.com", notice.Field("Message-ID"), "只凭线索也能找到")
		reply("r4", strings.ToUpper(address), "", "大写的地址")
		// The same one brought again is no second message.
		reply("r4", strings.ToUpper(address), "", "大写的地址")
		// A forged address falls to the mailbox, and its sender's rights count.
		forged := strings.Replace(address, "-c", "-c0", 1)
		bring("wang.wu@stranger.example", forged, mailtest.Mail("wang.wu@stranger.example", forged, "sneak", "f1", "不属于我的工单"))
		text := f.messages(number)
		for _, want := range []string{"已重启，问题依旧", "还是打不开，附上截图", "只凭线索也能找到", "大写的地址"} {
			if strings.Count(text, want) != 1 {
				t.Errorf("%q is there %d times: %s", want, strings.Count(text, want), text)
			}
		}
		for _, not := range []string{"旧的内容", "写道", "不属于我的工单"} {
			if strings.Contains(text, not) {
				t.Errorf("%q is in the ticket", not)
			}
		}
		messages, quarantined := 0, 0
		for _, m := range f.mails() {
			switch {
			case m.Outcome == "message" && m.Number == number:
				messages++
			case m.State == "quarantined" && m.Subject == "sneak":
				quarantined++
			}
		}
		if messages != 4 || quarantined != 1 || f.tickets() != 1 {
			t.Errorf("%d messages, %d in quarantine, %d tickets: %+v", messages, quarantined, f.tickets(), f.mails())
		}
	})
}

// plain is the bare address of a header.
func plain(s string) string {
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		s, _, _ = strings.Cut(s[i+1:], ">")
	}
	return strings.TrimSpace(s)
}
