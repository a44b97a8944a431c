package shift

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"casemate/internal/mailin/mailtest"
)

// brought is a mail that was given to the receiver. Its envelope names it.
type brought struct {
	envelope string
	code     int
	corpus   bool
	want     string // what it must become, "" = that depends
}

// received is a mail as the desk shows it.
type received struct {
	ID       string
	State    string
	Outcome  string
	Cause    string
	Name     string `json:"cause_name"`
	Envelope string `json:"envelope_from"`
	Subject  string
	Number   string
}

var (
	blank = regexp.MustCompile(`\r\n\r\n|\n\n|\r\r`)
	known = regexp.MustCompile(`(?i)(^|[\r\n])(message-id|received)[ \t]*:`)
)

// bring gives a mail to the receiver over LMTP; twice: at the same moment again,
// as a server does that did not see the answer.
func (s *shift) bring(envelope, to, mail string, corpus, twice bool) int {
	// One that no server has passed on and that has no Message-ID may well be
	// another one with the same words.
	head := strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(mail, "\r\n"), "\xef\xbb\xbf"), "\r\n")
	if end := blank.FindStringIndex(head); end != nil {
		head = head[:end[0]]
	}
	twice = twice && known.MatchString(head)
	again := make(chan int, 1)
	if twice {
		go func() { again <- mailtest.BringOnce(s.receive, true, envelope, to, mail) }()
	}
	code := mailtest.BringOnce(s.receive, true, envelope, to, mail)
	if twice {
		if other := <-again; code != 250 {
			code = other
		}
	}
	s.mu.Lock()
	b := brought{envelope: envelope, code: code, corpus: corpus}
	if corpus {
		b.want = s.expected(envelope)
	}
	s.mails = append(s.mails, b)
	s.mu.Unlock()
	return code
}

// expected is what a mail of the corpus must become by what is written down
// beside it, where that does not depend on a ticket that it is about.
func (s *shift) expected(envelope string) string {
	name, _, _ := strings.Cut(envelope, "@")
	raw, err := os.ReadFile("../../internal/mailin/testdata/corpus/" + name + ".json")
	var want struct{ Outcome, Cause, Thread string }
	if err == nil {
		err = json.Unmarshal(raw, &want)
	}
	if err != nil {
		s.t.Error(err)
	}
	if want.Thread == "ticket" || strings.Contains(name, "thread-") || strings.Contains(name, "ours") {
		return ""
	}
	return strings.TrimSuffix(want.Outcome+" "+want.Cause, " ")
}

func subject(text string) string {
	return "=?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte(text)) + "?="
}

// write lets a customer write a mail to an address.
func (c *customer) write(to, about, words, tag string, twice bool) bool {
	mail := mailtest.Mail("<"+c.mail+">", to, subject(about), strings.Trim(tag, "[]"), words+" "+tag)
	code := c.s.bring(strings.Trim(tag, "[]")+"@envelope.example", to, mail, false, twice)
	return c.s.counted("mail", map[bool]int{true: 200, false: code}[code == 250], nil)
}

// notice is a mail of ours that a customer can answer.
type notice struct {
	id, reply, number string
	to                *customer
}

// notices are all that came out so far with an address to answer to, but those
// about contested tickets: a mail in between would let nobody win.
func (s *shift) notices(to *customer) (all []notice) {
	byMail := map[string]*customer{}
	for _, c := range s.customers {
		byMail[c.mail] = c
	}
	for _, m := range s.sink.All() {
		if len(m.To) != 1 || byMail[m.To[0]] == nil || to != nil && m.To[0] != to.mail {
			continue
		}
		reply := m.Field("Reply-To")
		if i := strings.LastIndexByte(reply, '<'); i >= 0 {
			reply, _, _ = strings.Cut(reply[i+1:], ">")
		}
		_, signed, ok := strings.Cut(reply, "+")
		number, _, _ := strings.Cut(strings.ToUpper(signed), "-")
		if ok && !slices.Contains(s.contested, number) {
			all = append(all, notice{strings.Trim(m.Field("Message-ID"), "<>"), reply, number, byMail[m.To[0]]})
		}
	}
	return all
}

// corpus brings the mails of internal/mailin/testdata/corpus, spread over the
// tickets that the notices to li are about, in an order of chance.
func (s *shift) corpus(random *rand.Rand) {
	paths, err := filepath.Glob("../../internal/mailin/testdata/corpus/*.eml")
	if err != nil || len(paths) < 150 {
		s.t.Errorf("%d mails in the corpus, %v", len(paths), err)
	}
	random.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	type sample struct {
		name string
		raw  []byte
	}
	var plain, answers []sample
	for _, p := range paths {
		raw, err := os.ReadFile(p)
		if err != nil {
			s.t.Error(err)
			return
		}
		one := sample{strings.TrimSuffix(filepath.Base(p), ".eml"), raw}
		if bytes.Contains(raw, []byte("@@REPLY")) || bytes.Contains(raw, []byte("@@OURID@@")) || bytes.Contains(raw, []byte("NUMBER@@")) {
			answers = append(answers, one)
		} else {
			plain = append(plain, one)
		}
	}
	li := s.customers[2]
	var told []notice
	each := func(all []sample, lanes int, do func(i int, one sample)) {
		parallel(lanes, len(all), func(i int) { do(i, all[i]) })
	}
	each(plain, 3, func(i int, one sample) {
		s.bring(one.name+"@envelope.example", mailbox, string(one.raw), true, i%4 == 0)
	})
	s.until("li is told of 8 tickets", func() bool {
		seen := map[string]bool{}
		told = nil
		for _, n := range s.notices(li) {
			if !seen[n.number] {
				told = append(told, n)
			}
			seen[n.number] = true
		}
		return len(told) >= 8
	})
	if len(told) == 0 {
		return
	}
	each(answers, 3, func(i int, one sample) {
		n := told[i%len(told)]
		fill := strings.NewReplacer("@@REPLY@@", n.reply, "@@REPLYUPPER@@", strings.ToUpper(n.reply), "@@OURID@@", n.id, "@@NUMBER@@", n.number, "@@LOWERNUMBER@@", strings.ToLower(n.number))
		to := mailbox
		if bytes.Contains(one.raw, []byte("@@REPLY")) {
			to = n.reply
		}
		s.bring(one.name+"@envelope.example", to, fill.Replace(string(one.raw)), true, i%4 == 0)
	})
}

// parallel does n things in a number of lanes.
func parallel(lanes, n int, do func(i int)) {
	ends := make(chan struct{}, lanes)
	for lane := range lanes {
		go func() {
			for i := lane; i < n; i += lanes {
				do(i)
			}
			ends <- struct{}{}
		}()
	}
	for range lanes {
		<-ends
	}
}

// listed are all mails that came in.
func (s *shift) listed() (all []received) {
	s.t.Helper()
	for _, state := range []string{"waiting", "done", "quarantined", "discarded"} {
		for cursor := ""; ; {
			path := "/desk/v1/mail/quarantine?limit=100&state=" + state
			if cursor != "" {
				path += "&cursor=" + cursor
			}
			var page struct {
				Items []received
				Next  string `json:"next_cursor"`
			}
			s.operate("GET", path, nil, &page)
			all = append(all, page.Items...)
			if cursor = page.Next; cursor == "" {
				break
			}
		}
	}
	return all
}

// mailsHandled waits until no mail waits.
func (s *shift) mailsHandled() {
	s.t.Helper()
	s.until("all mails are handled", func() bool {
		var page struct{ Items []json.RawMessage }
		s.operate("GET", "/desk/v1/mail/quarantine?limit=1&state=waiting", nil, &page)
		return len(page.Items) == 0
	})
}

// checkMails demands that each mail that was taken became exactly one thing.
func (s *shift) checkMails() (tickets, messages int) {
	s.t.Helper()
	rows := map[string][]received{}
	for _, m := range s.listed() {
		rows[m.Envelope] = append(rows[m.Envelope], m)
	}
	ends, causes := map[string]int{}, map[string]int{}
	lost, doubled, taken, corpus, expected, refused := 0, 0, 0, 0, 0, 0
	numbers, turned := map[string]string{}, []string{}
	for _, b := range s.mails {
		got := rows[b.envelope]
		if b.code != 250 {
			turned = append(turned, fmt.Sprint(b.envelope, " ", b.code))
			if refused++; len(got) > 0 {
				s.t.Errorf("%s was refused with %d and yet is there: %+v", b.envelope, b.code, got)
			}
			continue
		}
		if taken++; b.corpus {
			corpus++
		}
		switch {
		case len(got) == 0:
			lost++
			s.t.Errorf("%s is lost", b.envelope)
			continue
		case len(got) > 1:
			doubled++
			s.t.Errorf("%s is there %d times: %+v", b.envelope, len(got), got)
			continue
		}
		m := got[0]
		end := m.Outcome
		switch {
		case m.State == "quarantined":
			end = "quarantined"
			if causes[m.Cause]++; m.Cause == "" || m.Name == "" {
				s.t.Errorf("%s is in quarantine without a cause: %+v", b.envelope, m)
			}
		case m.State != "done" || end != "ticket" && end != "message" && end != "note" && end != "ignored" && end != "bounce":
			s.t.Errorf("%s ended as %+v", b.envelope, m)
		}
		// Of one address's mails that may be a machine's the eleventh in ten minutes waits.
		held := m.Cause == "too_many" && b.want == "ticket" && strings.Contains(b.envelope, "-auto-")
		if ends[end]++; b.want != "" && !held && b.want != strings.TrimSuffix(end+" "+m.Cause, " ") {
			s.t.Errorf("%s became %s %s, want %s", b.envelope, end, m.Cause, b.want)
		} else if b.want != "" {
			expected++
		}
		if end == "ticket" {
			if other := numbers[m.Number]; other != "" || m.Number == "" {
				doubled++
				s.t.Errorf("%s and %s are the ticket %q", b.envelope, other, m.Number)
			}
			numbers[m.Number] = b.envelope
		}
		delete(rows, b.envelope)
	}
	for envelope, m := range rows {
		s.t.Errorf("nobody sent %s: %+v", envelope, m)
	}
	if corpus < 150 {
		s.t.Errorf("only %d mails of the corpus were taken", corpus)
	}
	s.t.Logf("REPORT shift mail (%s): %d mails taken (%d of the corpus, %d of them with an end that is written down beside them), %d refused at the door %v, %d lost, %d doubled; ends %v; causes of quarantine %v\n", s.database, taken, corpus, expected, refused, turned, lost, doubled, ends, causes)
	return ends["ticket"], ends["message"]
}

// release lets a supervisor put mails of unknown senders, which wait in
// quarantine, into a ticket.
func (s *shift) release(number string) (released int) {
	s.t.Helper()
	ids := map[string]bool{}
	for _, m := range s.listed() {
		if m.State == "quarantined" && m.Cause == "unknown_sender" {
			ids[m.ID] = true
			status, answer := s.engineers[4].call("POST", "mail/quarantine/"+m.ID+"/release", map[string]any{"number": number})
			if !s.counted("release of a mail", status, answer) {
				s.t.Errorf("releasing %+v: %d %s", m, status, answer)
			}
		}
	}
	s.mailsHandled()
	for _, m := range s.listed() {
		if !ids[m.ID] {
			continue
		}
		if released++; m.State != "done" || m.Outcome != "message" || m.Number != number {
			s.t.Errorf("a released mail became %+v", m)
		}
	}
	if released != len(ids) || released == 0 {
		s.t.Errorf("%d of %d released mails are there", released, len(ids))
	}
	return released
}

// numbersByMail waits until the tickets opened by mail are there.
func (s *shift) numbersByMail() {
	s.t.Helper()
	s.mailsHandled()
	byMail := map[string]*customer{}
	for _, c := range s.customers {
		byMail[c.mail] = c
	}
	for _, m := range s.listed() {
		if m.Outcome != "ticket" {
			s.t.Errorf("a question by mail became %+v", m)
			continue
		}
		var one struct{ From string }
		s.operate("GET", "/desk/v1/mail/quarantine/"+m.ID, nil, &one)
		s.mu.Lock()
		s.tickets[m.Number] = byMail[one.From]
		s.mu.Unlock()
	}
}

// open opens n tickets, by turns over the API and by mail.
func (s *shift) open(n int) {
	s.t.Helper()
	parallel(8, n, func(i int) {
		c, tag := s.customers[i/2%len(s.customers)], s.tag()
		words := map[string]string{"en-us": "the disk of my server is full", "zh-cn": "云服务器磁盘已满，无法登录"}[c.lang]
		s.expect(tag, text{least: 1, most: 1})
		if i%2 == 1 {
			c.write(mailbox, fmt.Sprint("shift ", i), words, tag, i%15 == 0)
			return
		}
		body := map[string]any{"business_type_id": question, "simple_description": words + " " + tag, "source_id": "83aeb0f2834c4df49826c781d32a963e"}
		if i%4 == 0 {
			body["business_type_id"], body["region_id"] = fault, "cn-north-1"
			body["severity_id"] = map[string][]string{"Business": {"sev-2", "sev-3", "sev-4", "sev-5"}, "Developer": {"sev-4", "sev-5", "sev-4", "sev-5"}}[c.plan][i/4%4]
		}
		c.create(body)
	})
	s.numbersByMail()
	if len(s.tickets) != n {
		s.t.Fatalf("%d tickets were opened, want %d; refused: %v", len(s.tickets), n, s.refused)
	}
}

// create opens a ticket over the API and answers its number.
func (c *customer) create(body map[string]any) string {
	status, answer := c.call("POST", "/v2/servicerequest/cases", body)
	var got struct {
		ID string `json:"incident_id"`
	}
	if !c.s.counted("create", status, answer) || json.Unmarshal(answer, &got) != nil || got.ID == "" {
		c.s.t.Errorf("%d %s", status, answer)
		return ""
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if !slices.Contains(c.s.sandboxes, c) {
		c.s.tickets[got.ID] = c
	}
	return got.ID
}

// reply lets a customer write to his ticket over the API.
func (c *customer) reply(number, words string) bool {
	tag := c.s.tag()
	status, answer := c.call("POST", "/v2/servicerequest/cases/"+number+"/message", map[string]any{"message": map[string]any{"content": words + " " + tag}})
	ok := c.s.counted("customer reply", status, answer)
	if ok {
		c.s.expect(tag, text{least: 1, most: 1})
		c.s.mu.Lock()
		c.s.replied[number]++
		c.s.mu.Unlock()
	}
	return ok
}

// answerByMail answers a notice of chance.
func (s *shift) answerByMail(random *rand.Rand) {
	all := s.notices(nil)
	if len(all) == 0 {
		time.Sleep(50 * time.Millisecond)
		return
	}
	n, tag := all[random.IntN(len(all))], s.tag()
	s.expect(tag, text{least: 0, most: 1}) // it may be in quarantine: too many about one ticket
	n.to.write(n.reply, "Re: 工单 "+n.number, "还是不行 / still broken", tag, random.IntN(5) == 0)
}
