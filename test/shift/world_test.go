package shift

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/internal/mailin/mailtest"
	"casemate/test/world"
)

func TestMain(m *testing.M) { world.Main(m) }

const (
	mailbox  = "support@desk.example"
	question = "uc-message"      // a problem type to which no plan applies
	fault    = "eip-unreachable" // one to which plans apply
	// secret stands in every note. No customer may ever be shown it.
	secret = "ZXINTERNALZX"
)

// shift is an installation, its people, and what they have done so far.
type shift struct {
	*world.World
	t        *testing.T
	database string // "sqlite" or "postgres"
	url      string // of the PostgreSQL database
	receive  string // address of the LMTP receiver
	sink     *mailtest.Sink
	http     *http.Client

	customers []*customer
	engineers []*engineer
	sandboxes []*customer
	contested []string    // tickets that engineers are to answer at the same moment
	others    []*customer // who only stand in the corpus
	tags      atomic.Int64

	mu      sync.Mutex
	tickets map[string]*customer // number -> whose
	texts   map[string]text      // tag -> what must become of it
	done    map[string]int       // what was done, by kind
	refused map[string]int       // what was refused, by kind and code
	carried map[string]string    // ticket and version an answer was given on -> by whom
	doubled int
	replied map[string]int
	scanned int // customers' answers searched for the secret
	mails   []brought
}

// text is a text that somebody wrote: how often it may and must be shown. What
// is not shown and was not refused outright is kept as its writer's draft.
type text struct {
	least, most int
	note, kept  bool
}

// customer is a customer's user, who signs what he sends.
type customer struct {
	s                  *shift
	domain, plan       string
	user, ak, sk, mail string
	lang               string
}

// engineer is one of the five, logged in.
type engineer struct {
	s               *shift
	id, name, token string
	lang            string
}

// policy gives the house short targets, so that some clocks are through.
const policy = `calendars:
  - id: business hours
    name: {zh: 工作时间, en: Business hours}
    zone: America/New_York
    hours: {monday: ["00:00-11:45", "12:15-24:00"], tuesday: ["00:00-24:00"], wednesday: ["00:00-13:00", "13:30-24:00"], thursday: ["00:00-24:00"], friday: ["00:00-24:00"], saturday: ["06:00-24:00"]}
    holidays:
      - {from: "%s", to: "%s", name: {zh: 假期, en: Some days}}
    workdays:
      - {date: "%s", hours: ["10:00-16:00"]}
  - id: 24x7
    name: {zh: 全天候, en: Around the clock}
    zone: GMT+8
    hours: {monday: ["00:00-24:00"], tuesday: ["00:00-24:00"], wednesday: ["00:00-24:00"], thursday: ["00:00-24:00"], friday: ["00:00-24:00"], saturday: ["00:00-24:00"], sunday: ["00:00-24:00"]}
sla:
  warn_percent: 75
  escalate_percent: 100
  house: {clock: business hours, first_response: 5h, next_response: 90m, resolution: 2d}
`

var lastTarget = regexp.MustCompile(`next_response: (\w+)}`)

func start(t *testing.T, database string) *shift {
	t.Helper()
	s := &shift{t: t, database: database, tickets: map[string]*customer{}, texts: map[string]text{}, done: map[string]int{}, refused: map[string]int{}, replied: map[string]int{}, carried: map[string]string{},
		http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	t.Cleanup(s.http.CloseIdleConnections)
	s.sink = mailtest.StartSink(t, nil)
	var err error
	if s.receive, err = dbtest.Free(); err != nil {
		t.Fatal(err)
	}
	o := world.Options{NoDemo: true, Config: fmt.Sprintf(`drain: 100ms
ticket: {urge_after: -1s, acknowledge: true}
notify:
  mail: [{host: 127.0.0.1, port: %d, tls: none, from: %s}]
mail_in:
  auth_servers: [mx.desk.example]
  receiver: {listen: %q, trusted: [127.0.0.1]}
  mailboxes:
    - {name: support, address: %s}
`, s.sink.Port, mailbox, s.receive, mailbox)}
	if database == "postgres" {
		s.url = dbtest.ServerDatabase(t)
		o.Database = s.url
	}
	s.World = world.Start(t, o)
	s.catalogue()
	s.people()
	return s
}

// catalogue puts targets in force, and no end of open tickets.
func (s *shift) catalogue() {
	s.t.Helper()
	dir := filepath.Join(s.t.TempDir(), "catalogue")
	s.local("catalog", "export", dir)
	day := func(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }
	edit := func(name string, change func(string) string) {
		path := filepath.Join(dir, name)
		old, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(change(string(old))), 0o600)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	edit("sla.yaml", func(string) string { return fmt.Sprintf(policy, day(2), day(2), day(2+1)) })
	edit("severities.yaml", func(old string) string {
		return lastTarget.ReplaceAllString(old, "next_response: $1, resolution: 20h}")
	})
	edit("limits.yaml", func(old string) string {
		return strings.Replace(old, "open_tickets_per_problem_type: 50", "open_tickets_per_problem_type: -1", 1)
	})
	s.local("catalog", "apply", dir, "--yes")
}

func (s *shift) people() {
	s.t.Helper()
	const password = "a-Password-17"
	domain := func(name, plan string, sandbox bool) string {
		var d struct{ ID string }
		s.operate("POST", "/desk/v1/domains", map[string]any{"name": name, "plan": plan, "sandbox": sandbox}, &d)
		return d.ID
	}
	user := func(domain string, more map[string]any) string {
		var u struct{ ID string }
		more["password"] = password
		s.operate("POST", "/desk/v1/domains/"+domain+"/users", more, &u)
		return u.ID
	}
	join := func(domain, plan, name, mail, lang string, main bool) *customer {
		c := &customer{s: s, domain: domain, plan: plan, mail: mail, lang: lang}
		more := map[string]any{"name": name, "language": lang, "main": main}
		if mail != "" {
			more["email"] = mail
		}
		c.user = user(domain, more)
		var key struct{ ID, Secret string }
		s.operate("POST", "/desk/v1/domains/"+domain+"/users/"+c.user+"/keys", nil, &key)
		c.ak, c.sk = key.ID, key.Secret
		return c
	}
	north, south := domain("North", "Business", false), domain("South", "Developer", false)
	s.customers = []*customer{
		join(north, "Business", "north", "north@north.example", "en-us", true),
		join(south, "Developer", "south", "south@south.example", "zh-cn", true),
		join(north, "Business", "li", "li@example.com", "en-us", false), // whose the corpus is
		join(south, "Developer", "wang", "wang@south.example", "zh-cn", false),
		join(north, "Business", "ann", "ann@north.example", "en-us", false),
		join(south, "Developer", "zhao", "zhao@south.example", "zh-cn", false),
	}
	for name, mail := range map[string]string{"one": "shared@example.com", "two": "shared@example.com", "foreign": "foreign@example.com"} {
		s.others = append(s.others, join(south, "Developer", name, mail, "zh-cn", false))
	}
	s.sandboxes = []*customer{
		join(domain("Playground", "Business", true), "Business", "play", "", "en-us", true),
		join(domain("Sandpit", "Developer", true), "Developer", "pit", "", "zh-cn", true),
	}
	for i, e := range []struct{ name, role, lang string }{{"chen", "engineer", "zh-cn"}, {"emma", "engineer", "en-us"}, {"fang", "engineer", "zh-cn"}, {"gustav", "engineer", "en-us"}, {"hui", "supervisor", ""}} {
		id := user("house", map[string]any{"name": e.name, "role": e.role, "alias": fmt.Sprint("Engineer ", i+1), "email": e.name + "@house.example"})
		var token struct{ Token string }
		s.operate("POST", "/desk/v1/sessions", map[string]any{"name": e.name, "password": password}, &token)
		s.engineers = append(s.engineers, &engineer{s: s, id: id, name: e.name, token: token.Token, lang: e.lang})
	}
}

func (s *shift) local(args ...string) string {
	s.t.Helper()
	out, err := s.Local(args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// operate calls the desk as the operator; it must work.
func (s *shift) operate(method, path string, body, into any) {
	s.t.Helper()
	status, text, err := s.Operator(method, path, body)
	if err == nil && status >= 300 {
		err = fmt.Errorf("%d %s", status, text)
	}
	if err == nil && into != nil {
		err = json.Unmarshal([]byte(text), into)
	}
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// send sends a request; a server that fails fails the test.
func (s *shift) send(method, path, lang string, body any, sign func(r *http.Request, body []byte)) (status int, answer []byte) {
	var sent []byte
	if body != nil {
		sent, _ = json.Marshal(body) // maps of texts
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(string(sent)))
	if err != nil {
		s.t.Error(err)
		return 0, nil
	}
	r.Header.Set("Content-Type", "application/json")
	if lang != "" {
		r.Header.Set("X-Language", lang)
	}
	sign(r, sent)
	res, err := s.http.Do(r)
	if err == nil {
		answer, err = io.ReadAll(res.Body)
		err = errors.Join(err, res.Body.Close())
		status = res.StatusCode
	}
	if err != nil || status >= 500 {
		s.t.Errorf("%s %s %s: %d %s %v", method, path, sent, status, answer, err)
	}
	return status, answer
}

// call is a call of the desk API.
func (e *engineer) call(method, path string, body any) (int, []byte) {
	return e.s.send(method, "/desk/v1/"+path, e.lang, body, func(r *http.Request, _ []byte) { r.Header.Set("X-Auth-Token", e.token) })
}

// get reads what must be there.
func (e *engineer) get(path string, into any) bool {
	status, answer := e.call("GET", path, nil)
	if status != 200 || json.Unmarshal(answer, into) != nil {
		e.s.t.Errorf("%s: GET %s: %d %s", e.name, path, status, answer)
		return false
	}
	return true
}

// call is a signed call of the customer API. Every answer is searched for what
// engineers wrote for each other only.
func (c *customer) call(method, path string, body any) (int, []byte) {
	status, answer := c.s.send(method, path, c.lang, body, func(r *http.Request, sent []byte) { world.Sign(r, sent, c.ak, c.sk, time.Now()) })
	if strings.Contains(string(answer), secret) {
		c.s.t.Errorf("%s %s shows a customer a note: %s", method, path, answer)
	}
	c.s.mu.Lock()
	c.s.scanned++
	c.s.mu.Unlock()
	return status, answer
}

// counted notes that something was done, or why not, and tells which.
func (s *shift) counted(what string, status int, answer []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status < 300 && status > 0 {
		s.done[what]++
		return true
	}
	var e struct {
		Code string `json:"error_code"`
	}
	_ = json.Unmarshal(answer, &e) // counted without a code
	s.refused[fmt.Sprint(what, " ", status, " ", e.Code)]++
	return false
}

// tag is a word that stands in no other text.
func (s *shift) tag() string { return fmt.Sprintf("[t%05d]", s.tags.Add(1)) }

func (s *shift) expect(tag string, want text) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[tag] = want
}

func (s *shift) until(what string, ok func() bool) bool {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			s.t.Errorf("not within a minute: %s", what)
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
	return true
}
