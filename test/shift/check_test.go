package shift

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"casemate/test/slacheck"
)

// ticket is what the desk tells of one.
type ticket struct {
	Number   string
	Status   int
	Domain   string `json:"domain_id"`
	Creator  string `json:"creator_id"`
	Problem  string `json:"business_type_id"`
	Severity string `json:"severity_id"`
}

// all are the desk's tickets, snoozed and sandboxes' ones included.
func (s *shift) all() (list []ticket) {
	s.t.Helper()
	for cursor := ""; ; {
		path := "/desk/v1/tickets?limit=100&snoozed=all"
		if cursor != "" {
			path += "&cursor=" + cursor
		}
		var page struct {
			Items []ticket
			Total int    `json:"total_count"`
			Next  string `json:"next_cursor"`
		}
		s.operate("GET", path, nil, &page)
		list = append(list, page.Items...)
		if cursor = page.Next; cursor == "" {
			if len(list) != page.Total {
				s.t.Errorf("%d tickets are listed, %d counted", len(list), page.Total)
			}
			return list
		}
	}
}

// event is one of the feed, with what the automatic queues put down.
type event struct {
	Seq      int64
	Kind     string
	Subject  string
	ID       string `json:"subject_id"`
	Domain   string `json:"domain_id"`
	Revision int64
	Actor    string `json:"actor_kind"`
	ActorID  string `json:"actor_id"`
	Data     struct {
		Number         string
		From, To       *int
		Load, Capacity int
		Engineer       string
		Assignee       *string
	}
}

// feed reads all events, until the last ones are sealed.
func (s *shift) feed() (all []slacheck.Event, raw []event) {
	s.t.Helper()
	var pages [][]byte
	for after, quiet := int64(0), 0; quiet < 3; {
		var page struct {
			Items []json.RawMessage
			Last  int64
		}
		var body json.RawMessage
		s.operate("GET", fmt.Sprint("/desk/v1/events?limit=500&after=", after), nil, &body)
		if err := json.Unmarshal(body, &page); err != nil {
			s.t.Fatal(err)
		}
		if page.Last == after {
			quiet++
			time.Sleep(250 * time.Millisecond) // the sealer's longest wait is 200 ms
			continue
		}
		after, quiet = page.Last, 0
		pages = append(pages, body)
		for _, i := range page.Items {
			var e event
			if json.Unmarshal(i, &e) == nil { // not of a ticket, else
				raw = append(raw, e)
			}
		}
	}
	all, err := slacheck.Events(pages...)
	if err != nil {
		s.t.Fatal(err)
	}
	return all, raw
}

// clocks recomputes every figure of every ticket, as the desk and its customer
// are shown them, and tells how many there were and in which states.
func (s *shift) clocks(when string, list []ticket, byID map[string]*customer) (compared, different int, states map[string]int) {
	s.t.Helper()
	plans := map[string]string{}
	for _, c := range slices.Concat(s.customers, s.sandboxes) {
		plans[c.domain] = c.plan
	}
	feed, _ := s.feed()
	var exported struct{ Files map[string]string }
	s.operate("GET", "/desk/v1/catalog", nil, &exported)
	ids, events := map[string]string{}, map[string][]slacheck.Event{}
	for _, e := range feed {
		events[e.SubjectID] = append(events[e.SubjectID], e)
		if e.Data.Number != "" && e.Kind == "ticket.create" {
			ids[e.Data.Number] = e.SubjectID
		}
	}
	policies := map[[3]string]slacheck.Policy{}
	for _, t := range list {
		key := [3]string{plans[t.Domain], t.Severity, t.Problem}
		if _, ok := policies[key]; ok {
			continue
		}
		p, err := slacheck.Catalog(exported.Files, key[0], key[1], key[2])
		if err != nil {
			s.t.Fatal(err)
		}
		policies[key] = p
	}
	states = map[string]int{}
	var mu sync.Mutex
	parallel(4, len(list), func(i int) {
		t := list[i]
		rule, own := policies[[3]string{plans[t.Domain], t.Severity, t.Problem}], slacheck.Of(events[ids[t.Number]], ids[t.Number])
		bodies := [][]byte{}
		if status, text := s.engineers[4].call("GET", "tickets/"+t.Number+"/clocks", nil); status == 200 {
			bodies = append(bodies, text)
		} else {
			s.t.Errorf("%s: clocks of %s: %d %s", when, t.Number, status, text)
		}
		if c := byID[t.Creator]; c != nil {
			if status, text := c.call("GET", "/web/v1/tickets/"+t.Number+"/clocks", nil); status == 200 {
				bodies = append(bodies, text)
			} else {
				s.t.Errorf("%s: the customer's clocks of %s: %d %s", when, t.Number, status, text)
			}
		}
		for _, body := range bodies {
			figures, now, err := slacheck.Shown(body)
			if err != nil {
				s.t.Errorf("%s: %s: %v", when, t.Number, err)
				continue
			}
			want := slacheck.Recompute(own, rule, now)
			mu.Lock()
			compared += len(figures)
			for _, f := range figures {
				states[f.State]++
			}
			if !slices.Equal(figures, want) || len(figures) == 0 {
				different++
				s.t.Errorf("%s: %s:\n%s", when, t.Number, slacheck.Differences(figures, want))
			}
			mu.Unlock()
		}
	})
	return compared, different, states
}

// checkTexts counts each text that was written in the lists of the desk and of
// the customers, and searches all that customers are shown for the secret.
func (s *shift) checkTexts(list []ticket, byID map[string]*customer, contested []string) (once, drafts, answered, doubled int) {
	s.t.Helper()
	desk, customers := map[string]int{}, map[string]int{}
	notes := map[string]int{}
	var mu sync.Mutex
	answers := 0
	parallel(4, len(list), func(i int) {
		t := list[i]
		var messages struct {
			Items []struct{ Kind, Text string }
		}
		s.engineers[i%5].get("tickets/"+t.Number+"/messages", &messages)
		mu.Lock()
		for _, m := range messages.Items {
			if m.Kind == "note" {
				find(notes, m.Text)
			} else {
				find(desk, m.Text)
			}
		}
		mu.Unlock()
		c := byID[t.Creator]
		if c == nil {
			s.t.Errorf("%s is nobody's: %s", t.Number, t.Creator)
			return
		}
		own := c.list(t.Number)
		for _, path := range []string{"/v2/servicerequest/cases/" + t.Number, "/v2/servicerequest/cases/instant-messages?case_ids=" + t.Number} {
			if status, text := c.call("GET", path, nil); status != 200 {
				s.t.Errorf("%s: %d %s", path, status, text)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for _, m := range own {
			find(customers, m.Content)
		}
		answers += len(own)
		if slices.Contains(contested, t.Number) {
			n, of := doubles(own)
			if answered += of; n > 0 {
				doubled += n
				s.t.Errorf("%s: the customer was answered twice: %+v", t.Number, own)
			}
		}
	})
	for _, c := range s.customers {
		for _, path := range []string{"/v2/servicerequest/cases?limit=100", "/web/v1/audit?limit=200"} {
			if status, text := c.call("GET", path, nil); status != 200 {
				s.t.Errorf("%s: %d %s", path, status, text)
			}
		}
	}
	kept := s.drafts()
	for tag, want := range s.texts {
		n, m := desk[tag], customers[tag]
		if want.note {
			n, m = notes[tag], notes[tag]
			if desk[tag]+customers[tag] > 0 {
				s.t.Errorf("the note %s is shown", tag)
			}
		}
		if n != m || n < want.least || n > want.most {
			s.t.Errorf("%s is shown %d times to engineers, %d times to customers, want %d to %d", tag, n, m, want.least, want.most)
			continue
		}
		switch {
		case n == 1:
			once++
		case want.kept && kept[tag] == 0:
			s.t.Errorf("%s went out as little as it became a draft", tag)
		case want.kept:
			drafts++
		}
		delete(desk, tag)
	}
	for tag, n := range desk { // of those that were refused
		s.t.Errorf("%s was refused and is shown %d times", tag, n)
	}
	return once, drafts, answered, doubled
}

var tagged = regexp.MustCompile(`\[t\d{5}\]`)

// find counts the tags in a text.
func find(into map[string]int, content string) {
	for _, tag := range tagged.FindAllString(content, -1) {
		into[tag]++
	}
}

// drafts are the tags of all drafts.
func (s *shift) drafts() map[string]int {
	s.t.Helper()
	all := map[string]int{}
	for _, e := range s.engineers {
		for path := "drafts?limit=100"; path != ""; {
			var page struct {
				Items []struct{ Text string }
				Next  string `json:"next_cursor"`
			}
			if !e.get(path, &page) {
				break
			}
			for _, d := range page.Items {
				find(all, d.Text)
			}
			if path = ""; page.Next != "" {
				path = "drafts?limit=100&cursor=" + url.QueryEscape(page.Next)
			}
		}
	}
	return all
}

// checkFeed holds the events of contested tickets: between two answers the
// customer wrote.
func (s *shift) checkFeed(raw []event, contested []string) (answers int) {
	s.t.Helper()
	last, number := map[string]string{}, map[string]string{}
	slices.SortStableFunc(raw, func(a, b event) int { return int(a.Revision - b.Revision) })
	for _, e := range raw {
		if e.Kind == "ticket.create" {
			number[e.ID] = e.Data.Number
		}
	}
	for _, e := range raw {
		if e.Kind != "ticket.reply" || !slices.Contains(contested, number[e.ID]) {
			continue
		}
		if e.Actor == "engineer" {
			if answers++; last[e.ID] == "engineer" {
				s.t.Errorf("%s was answered twice", number[e.ID])
			}
		}
		last[e.ID] = e.Actor
	}
	return answers
}

// plainText is all that stands in a mail, decoded.
func plainText(raw string) string {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return raw
	}
	var part func(get func(string) string, body io.Reader) string
	part = func(get func(string) string, body io.Reader) string {
		kind, params, _ := mime.ParseMediaType(get("Content-Type")) // none: text
		if strings.HasPrefix(kind, "multipart/") {
			var all strings.Builder
			for r := multipart.NewReader(body, params["boundary"]); ; {
				p, err := r.NextRawPart()
				if err != nil {
					return all.String()
				}
				all.WriteString(part(p.Header.Get, p))
			}
		}
		switch strings.ToLower(get("Content-Transfer-Encoding")) {
		case "base64":
			body = base64.NewDecoder(base64.StdEncoding, body)
		case "quoted-printable":
			body = quotedprintable.NewReader(body)
		}
		text, _ := io.ReadAll(body) // as far as it can be read
		return string(text)
	}
	subject, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")) // as far as it can be read
	return raw + subject + part(m.Header.Get, m.Body)
}

// checkSent searches the mails to customers for the secret.
func (s *shift) checkSent() (toCustomers, toHouse int) {
	s.t.Helper()
	readable := 0
	for _, m := range s.sink.All() {
		house := slices.ContainsFunc(m.To, func(to string) bool { return strings.HasSuffix(to, "@house.example") })
		if house {
			toHouse++
			continue
		}
		toCustomers++
		text := plainText(m.Raw)
		if strings.Contains(text, secret) {
			s.t.Errorf("a note was mailed to %v: %s", m.To, m.Raw)
		}
		if strings.Contains(text, "Ticket") || strings.Contains(text, "工单") {
			readable++
		}
	}
	if readable < toCustomers*9/10 || toCustomers == 0 {
		s.t.Errorf("of %d mails to customers only %d could be read", toCustomers, readable)
	}
	return toCustomers, toHouse
}

// checkGiven holds what the automatic queues gave against the capacity: by what
// they put down themselves, and by the loads counted from all events before.
func (s *shift) checkGiven(raw []event, capacity int) (given, highest int, perEngineer map[string]int) {
	s.t.Helper()
	perEngineer = map[string]int{}
	names := map[string]string{}
	for _, e := range s.engineers {
		names[e.id] = e.name
	}
	slices.SortStableFunc(raw, func(a, b event) int { return int(a.Seq - b.Seq) })
	handler, open := map[string]string{}, map[string]bool{}
	sandbox := map[string]bool{} // what engineers have there is no load
	for _, c := range s.sandboxes {
		sandbox[c.domain] = true
	}
	for _, e := range raw {
		if e.Subject != "ticket" || sandbox[e.Domain] {
			continue
		}
		if e.Data.From != nil && e.Data.To != nil {
			open[e.ID] = slices.Contains([]int{0, 1, 2, 5, 17}, *e.Data.To)
		} else if e.Kind == "ticket.create" {
			open[e.ID] = true
		}
		if e.Data.Assignee != nil && !strings.HasPrefix(e.Kind, "sla.") {
			handler[e.ID] = *e.Data.Assignee
		}
		if e.Kind != "queue.assign" {
			continue
		}
		load := 0
		for id, who := range handler {
			if who == e.Data.Engineer && open[id] && id != e.ID {
				load++
			}
		}
		// What others did at the same moment may stand on either side: three at most
		// act in one name.
		if load > e.Data.Load+3 {
			s.t.Errorf("a queue gave %s a ticket who had %d by the events, %d by the queue", names[e.Data.Engineer], load, e.Data.Load)
		}
		given++
		perEngineer[names[e.Data.Engineer]]++
		highest = max(highest, e.Data.Load+1)
		if names[e.Data.Engineer] == "" || e.Data.Capacity != capacity || e.Data.Load >= capacity {
			s.t.Errorf("a queue gave a ticket to %q with %d of %d", names[e.Data.Engineer], e.Data.Load, e.Data.Capacity)
		}
	}
	return given, highest, perEngineer
}

// checkStopped proves the stopped store.
func (s *shift) checkStopped() {
	s.t.Helper()
	s.Stop()
	more := []string{}
	if s.url != "" {
		more = append(more, "--database", s.url)
	}
	if out, err := s.Local(append([]string{"doctor", "--recount"}, more...)...); err != nil || !strings.Contains(out, "equal") {
		s.t.Errorf("doctor: %s %v", out, err)
	}
	if out, err := s.Local(append([]string{"audit", "verify"}, more...)...); err != nil || !strings.Contains(out, "holds") {
		s.t.Errorf("audit verify: %s %v", out, err)
	}
}

func sorted(counts map[string]int) string {
	var all []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprint(k, " ", counts[k]))
	}
	return strings.Join(all, ", ")
}
