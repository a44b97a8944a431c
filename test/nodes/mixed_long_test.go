//go:build long

package nodes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	osm "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/internal/db/dbtest"
	"casemate/internal/mailin/mailtest"
	"casemate/test/world"
)

// TestMixedVersions upgrades three nodes of the predecessor one after another
// under clients of the official SDK and engineers who answer them. The first node
// of the new version brings the schema to its state while the others run on; each
// mix of versions is held for a while, and nodes of both versions work off jobs
// in it. A node of the old version that starts on the new schema is refused in
// words. No client meets an error, and all that was acknowledged is read through
// the new version: tickets, messages, the notices of them, the events that a
// webhook was told, counters and index (threats.md E14).
func TestMixedVersions(t *testing.T) {
	const clients, engineers, hold = 24, 2, 8 * time.Second
	old, version := predecessorBinary(t)
	database := dbtest.DurableDatabase(t)
	hook := &receiver{seen: map[int64]bool{}}
	hooks := httptest.NewServer(hook)
	t.Cleanup(hooks.Close)

	var nodes []*world.World
	var mails []*mailtest.Sink // each node's own: whose mail it is shows who sent it
	for i := range 3 {
		mails = append(mails, mailtest.StartSink(t, nil))
		o := world.Options{Binary: old, Database: database, NoDemo: true, Direct: true, Config: fmt.Sprintf(
			"webhooks: {allow: [127.0.0.1/32]}\nticket: {acknowledge: true}\nnotify:\n  mail: [{host: 127.0.0.1, port: %d, tls: none, from: desk@casemate.example}]\n", mails[i].Port)}
		if i > 0 {
			o.Args = []string{"--keys", nodes[0].Dir + ".keys"}
		}
		nodes = append(nodes, world.Start(t, o))
	}
	one := nodes[0]
	if out, err := one.Local("webhook", "add", hooks.URL, "--after", "0"); err != nil {
		t.Fatal(err, out)
	}
	b := newBalancer(t, nodes...)
	load := startTalks(t, b.URL, customer(t, one), clients)
	for range engineers {
		load.engineer(t, one)
	}

	// The mixes, each held until nodes of all its versions have sent mails.
	upgraded := make([]bool, len(nodes))
	look := func() {
		before, made, began := counts(mails), load.made(), time.Now()
		name, sent := "", [2]int{} // by old and by new nodes
		for working := false; time.Since(began) < hold || !working && time.Since(began) < time.Minute; time.Sleep(100 * time.Millisecond) {
			name, sent = "", [2]int{}
			for i, n := range counts(mails) {
				kind := 0
				if upgraded[i] {
					kind = 1
				}
				name += []string{"o", "n"}[kind]
				sent[kind] += n - before[i]
			}
			working = (sent[0] > 0 || !slices.Contains(upgraded, false)) && (sent[1] > 0 || !slices.Contains(upgraded, true))
		}
		for kind, n := range sent {
			if n == 0 && slices.Contains(upgraded, kind == 1) {
				t.Errorf("%s: nodes of the %s version sent no mail", name, []string{"old", "new"}[kind])
			}
		}
		for i, n := range nodes {
			if n.Ended() {
				t.Errorf("node %d ended by itself:\n%s", i+1, n.LogText())
			}
		}
		t.Logf("REPORT mixed versions %s: in %.0f s %d tickets made, mails sent by old nodes %d, by new ones %d\n", name, time.Since(began).Seconds(), load.made()-made, sent[0], sent[1])
	}
	look()
	var was, from [3]int // how much of a node's log is the old version's, and where the new one's begins
	for i, n := range nodes {
		n.Stop()
		was[i] = len(n.LogText())
		if i == len(nodes)-1 { // the operator forgot this one: it is started as it was
			if err, said := n.Refused(), n.LogText()[was[i]:]; err == nil || !strings.Contains(said, "use a newer binary") {
				t.Errorf("an old node on the new schema: %v %s", err, said)
			}
		}
		from[i] = len(n.LogText())
		n.Upgraded()
		n.Run()
		upgraded[i] = true
		if i == 0 {
			load.engineer(t, nodes[2]) // an old node writes a person's row on the new schema
		}
		look()
	}
	load.end()
	for i, err := range load.bad {
		if i == 10 {
			t.Errorf("and %d more", len(load.bad)-10)
			break
		}
		t.Errorf("somebody met: %v", err)
	}
	lost := load.lost(t)
	if load.made() < clients*10 || slices.Min(load.answered) < 10 {
		t.Errorf("only %d tickets were made, the engineers answered %v", load.made(), load.answered)
	}

	// The outbox and the history go to their ends.
	var head struct {
		Last int64 `json:"last_event"`
	}
	var told map[string]int
	missing := 0
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		told, missing = acknowledged(mails), 0
		for number := range load.tickets {
			if told[number] == 0 {
				missing++
			}
		}
		if _, text, err := one.Operator(http.MethodGet, "/desk/v1/system", nil); err != nil || json.Unmarshal([]byte(text), &head) != nil {
			t.Fatal(err, text)
		}
		if missing == 0 && hook.last() >= head.Last || time.Now().After(until) {
			break
		}
	}
	twice := 0
	for _, n := range told {
		twice += n - 1
	}
	if missing > 0 || twice > len(nodes) { // a node that stops may not come to note what it sent
		t.Errorf("%d tickets were not confirmed by mail, %d mails came twice", missing, twice)
	}
	if fault, last := hook.fault(), hook.last(); fault != "" || last < head.Last || last == 0 {
		t.Errorf("the webhook was told up to event %d of %d: %s", last, head.Last, fault)
	}
	for _, n := range nodes {
		n.Stop()
	}
	for _, args := range [][]string{{"audit", "verify"}, {"doctor", "--recount"}} {
		if out, err := one.Local(append(args, "--database", database)...); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out)
		}
	}
	for i, n := range nodes {
		for _, line := range troubles(n.LogText()[:was[i]], known) {
			t.Errorf("node %d, old version: %s", i+1, line)
		}
		for _, line := range troubles(n.LogText()[from[i]:], nil) {
			t.Errorf("node %d, new version: %s", i+1, line)
		}
	}
	t.Logf("REPORT mixed versions: %s to this one, 3 nodes one by one under %d SDK clients and %d engineers: %d tickets, %d messages, %v answers, %d errors, %d lost; %d mails, %d missing, %d twice; %d events told in order; chain, counters and index whole\n",
		version, clients, len(load.answered), len(load.tickets), load.said, load.answered, len(load.bad), lost, len(told), missing, twice, hook.last())
}

// customer makes one without an end of open tickets.
func customer(t *testing.T, w *world.World) world.User {
	t.Helper()
	local := func(args ...string) string {
		out, err := w.Local(args...)
		if err != nil {
			t.Fatal(err, out)
		}
		return out
	}
	dir := filepath.Join(t.TempDir(), "catalogue")
	local("catalog", "export", dir)
	limits := filepath.Join(dir, "limits.yaml")
	text, err := os.ReadFile(limits)
	if err == nil {
		err = os.WriteFile(limits, bytes.Replace(text, []byte("open_tickets_per_problem_type: 50"), []byte("open_tickets_per_problem_type: -1"), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	local("catalog", "apply", dir, "--yes")
	local("user", "create", "boss", "--new-domain", "--domain", "Harbour Ltd", "--mail", "boss@harbour.example")
	var key struct{ ID, Secret string }
	if err := json.Unmarshal([]byte(local("key", "create", "boss", "--domain", "Harbour Ltd", "--json")), &key); err != nil {
		t.Fatal(err)
	}
	return world.User{AK: key.ID, SK: key.Secret}
}

// expected are lines that belong to nodes that stop: the balancer is told so, and
// a job in work goes back.
var expected = regexp.MustCompile(`path=/readyz status=503|msg="a job will be tried again".* error="context canceled`)

// known is what this predecessor says of itself, alone too: under load it took a
// sealer that always has work for one that does none.
var known = regexp.MustCompile(`msg="the leading sealer does not seal: passed over"`)

// troubles are a log's warnings and errors beyond what is expected.
func troubles(log string, known *regexp.Regexp) (lines []string) {
	for line := range strings.Lines(log) {
		if (strings.Contains(line, "level=WARN") || strings.Contains(line, "level=ERROR") || strings.HasPrefix(line, "panic:")) && !expected.MatchString(line) && (known == nil || !known.MatchString(line)) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	if len(lines) > 10 {
		lines = append(lines[:10], fmt.Sprintf("and %d more", len(lines)-10))
	}
	return lines
}

func counts(mails []*mailtest.Sink) (n []int) {
	for _, k := range mails {
		n = append(n, len(k.All()))
	}
	return n
}

// acknowledged counts the mails that confirm a ticket, by its number.
func acknowledged(mails []*mailtest.Sink) map[string]int {
	n := map[string]int{}
	for _, k := range mails {
		for _, m := range k.All() {
			subject, err := new(mime.WordDecoder).DecodeHeader(m.Field("Subject"))
			if found := confirms.FindStringSubmatch(subject); err == nil && found != nil {
				n[found[1]]++
			}
		}
	}
	return n
}

var confirms = regexp.MustCompile(`^(?:Ticket |工单 )(TS\w+)(?: was created| 已创建)$`)

// receiver is told what happens, in order.
type receiver struct {
	mu     sync.Mutex
	seen   map[int64]bool
	newest int64
	wrong  string
}

func (k *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	var body struct {
		Data struct {
			Seq int64 `json:"seq"`
		} `json:"data"`
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch seq := body.Data.Seq; {
	case err != nil || json.Unmarshal(text, &body) != nil || body.Data.Seq == 0:
		k.wrong = string(text)
	case k.seen[seq]: // at least once
	default:
		if seq = body.Data.Seq; seq != k.newest+1 && !k.seen[seq] {
			k.wrong = fmt.Sprintf("event %d came behind %d", seq, k.newest)
		}
		k.seen[seq], k.newest = true, max(k.newest, seq)
	}
}

func (k *receiver) last() int64   { k.mu.Lock(); defer k.mu.Unlock(); return k.newest }
func (k *receiver) fault() string { k.mu.Lock(); defer k.mu.Unlock(); return k.wrong }

// talks are SDK clients that create tickets, write to them and read both, and
// engineers who answer some of them, until stop is closed. Nobody repeats a thing.
type talks struct {
	endpoint string
	user     world.User

	mu       sync.Mutex
	tickets  map[string][]string // number -> all that was acknowledged of it, the description first
	said     int
	answered []int // by each engineer
	bad      []error

	asked chan string // tickets' numbers
	group sync.WaitGroup
	stop  chan struct{}
}

func startTalks(t *testing.T, endpoint string, user world.User, clients int) *talks {
	l := &talks{endpoint: endpoint, user: user, tickets: map[string][]string{}, asked: make(chan string), stop: make(chan struct{})}
	problem := consultation(t, sdk(t, endpoint, user))
	for i := range clients {
		c := sdk(t, endpoint, user)
		l.again(200*time.Millisecond, func(j int) error {
			text := fmt.Sprintf("client %d ticket %d", i, j)
			number, err := create(c, problem, text)
			if err != nil {
				return fmt.Errorf("create: %w", err)
			}
			l.add(number, text, nil)
			got, err := described(c, number)
			if err != nil || got != text {
				return fmt.Errorf("%s reads %q: %w", number, got, err)
			}
			more := fmt.Sprintf("client %d message %d", i, j)
			if _, err := c.CreateMessages(&model.CreateMessagesRequest{CaseId: number, Body: &model.CreateMessageV2Req{Message: &model.CreateMessageDoV2{Content: more}}}); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			l.add(number, more, &l.said)
			if err := whole(c, number, []string{text, more}); err != nil {
				return err
			}
			select {
			case l.asked <- number: // an engineer is free
			default:
			}
			return nil
		})
	}
	return l
}

// engineer makes one more through a node; he answers through all of them.
func (l *talks) engineer(t *testing.T, w *world.World) {
	t.Helper()
	i := len(l.answered)
	who := map[string]any{"name": fmt.Sprint("engineer", i), "password": "a-Password-17", "role": "engineer", "alias": fmt.Sprint("Engineer ", i)}
	if status, text, err := w.Operator(http.MethodPost, "/desk/v1/domains/house/users", who); err != nil || status != http.StatusCreated {
		t.Fatal(status, text, err)
	}
	var session struct{ Token string }
	if err := call(w.URL, "/desk/v1/sessions", "", map[string]any{"name": who["name"], "password": who["password"]}, &session); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	l.answered = append(l.answered, 0)
	l.mu.Unlock()
	l.again(50*time.Millisecond, func(j int) error {
		var number string
		select {
		case number = <-l.asked:
		case <-l.stop:
			return nil
		}
		text := fmt.Sprintf("engineer %d answer %d", i, j)
		if err := call(l.endpoint, "/desk/v1/tickets/"+number+"/steps", session.Token, map[string]string{"action": "reply", "text": text}, nil); err != nil {
			return fmt.Errorf("answer: %w", err)
		}
		l.add(number, text, nil)
		l.mu.Lock()
		l.answered[i]++
		l.mu.Unlock()
		return nil
	})
}

// again does something until the end, with pauses.
func (l *talks) again(pause time.Duration, once func(j int) error) {
	l.group.Go(func() {
		for j := 0; ; j++ {
			select {
			case <-l.stop:
				return
			case <-time.After(pause):
			}
			if err := once(j); err != nil {
				l.mu.Lock()
				l.bad = append(l.bad, err)
				l.mu.Unlock()
			}
		}
	})
}

func (l *talks) add(number, text string, count *int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tickets[number] = append(l.tickets[number], text)
	if count != nil {
		*count++
	}
}

func (l *talks) made() int { l.mu.Lock(); defer l.mu.Unlock(); return len(l.tickets) }
func (l *talks) end()      { close(l.stop); l.group.Wait() }

// lost reads all that was acknowledged again and counts the tickets of which
// something is not there.
func (l *talks) lost(t *testing.T) (n int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	numbers := make(chan string)
	for range 8 {
		c := sdk(t, l.endpoint, l.user)
		group.Go(func() {
			for number := range numbers {
				texts := l.tickets[number]
				got, err := described(c, number)
				if err == nil && got != texts[0] {
					err = fmt.Errorf("it reads %q", got)
				}
				if err = errors.Join(err, whole(c, number, texts)); err != nil {
					mu.Lock()
					n++
					mu.Unlock()
					t.Errorf("ticket %s: %v", number, err)
				}
			}
		})
	}
	for number := range l.tickets {
		numbers <- number
	}
	close(numbers)
	group.Wait()
	return n
}

// whole looks whether all texts are among a ticket's messages, each once.
func whole(c *osm.OsmClient, number string, texts []string) error {
	list, err := c.ListMessages(&model.ListMessagesRequest{CaseId: number, Limit: new(int32(100))})
	if err != nil {
		return fmt.Errorf("list: %w", err)
	}
	found := map[string]int{}
	for _, m := range *list.MessageList {
		found[*m.Content]++
	}
	for _, text := range texts {
		if found[text] != 1 {
			return fmt.Errorf("%s has %q %d times", number, text, found[text])
		}
	}
	return nil
}

// call posts to the desk API.
func call(endpoint, path, token string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodPost, endpoint+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s %s", path, res.Status, answer)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	return err
}
