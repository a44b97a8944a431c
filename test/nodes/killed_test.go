package nodes

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// held is a receiver whose first caller waits for ever.
type held struct {
	*httptest.Server
	calls atomic.Int64
	first chan struct{} // closed when the first call is here
	next  chan string   // what came with the second one
}

func hold(t *testing.T) *held {
	h := &held{first: make(chan struct{}), next: make(chan string, 100)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if h.calls.Add(1) == 1 {
			close(h.first)
			<-r.Context().Done()
			return
		}
		select {
		case h.next <- string(text):
		default:
		}
		_, _ = io.WriteString(w, `{"id":"1"}`)
	}))
	t.Cleanup(func() { h.CloseClientConnections(); h.Close() })
	return h
}

// TestNodeKilled: a node dies while it hands a code to the gateway and an event
// to a webhook. Another node does both: the code within 30 s, the event within 60.
func TestNodeKilled(t *testing.T) {
	t.Parallel()
	gateway, hook := hold(t), hold(t)
	o := world.Options{Database: dbtest.DurableDatabase(t), NoDemo: true, Direct: true, Config: fmt.Sprintf(
		"webhooks: {allow: [127.0.0.1/32]}\nnotify:\n  product: Harbour\n  sms:\n    - {name: gw, url: '%s/send?to={to}', body: '{text}', allow: [127.0.0.1], provider_id: id}\n", gateway.URL)}
	one := world.Start(t, o)
	o.Args = []string{"--keys", one.Dir + ".keys"}
	made := func(args ...string) (v map[string]any) {
		t.Helper()
		out, err := one.Local(append(args, "--json")...)
		if err == nil {
			err = json.Unmarshal([]byte(out), &v)
		}
		if err != nil {
			t.Fatalf("%v: %v %s", args, err, out)
		}
		return v
	}
	made("user", "create", "boss", "--new-domain", "--domain", "Harbour Ltd", "--mail", "boss@harbour.example")
	key := made("key", "create", "boss", "--domain", "Harbour Ltd")
	if out, err := one.Local("webhook", "add", hook.URL, "--after", "0"); err != nil {
		t.Fatal(err, out)
	}
	c := sdk(t, one.URL, world.User{AK: key["id"].(string), SK: key["secret"].(string)})
	if _, err := c.SendVerifyCodes(&model.SendVerifyCodesRequest{Body: &model.SendVerifyCodeReq{ContactValue: "13800138000", ContactWay: 0, AreaCode: "86"}}); err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]*held{"gateway": gateway, "webhook": hook} {
		select {
		case <-h.first:
		case <-time.After(20 * time.Second):
			t.Fatalf("nothing came to the %s", name)
		}
	}
	two := world.Start(t, o) // the first one has both in its hands
	one.Kill()
	died := time.Now()
	var code, event time.Duration
	for code == 0 || event == 0 {
		select {
		case text := <-gateway.next:
			if code == 0 {
				code = time.Since(died)
				if !strings.ContainsAny(text, "0123456789") {
					t.Errorf("the text message: %q", text)
				}
			}
		case <-hook.next:
			if event == 0 {
				event = time.Since(died)
			}
		case <-time.After(70 * time.Second):
			t.Fatalf("after the kill the code came after %v, the event after %v", code, event)
		}
	}
	if code > 30*time.Second || event > time.Minute {
		t.Errorf("the code came after %v (30 s), the event after %v (60 s)", code, event)
	}
	if two.PID() <= 0 {
		t.Error("the other node ended")
	}
	t.Logf("REPORT node killed with work in its hands: the code came from the other node after %.1f s, the event after %.1f s\n", code.Seconds(), event.Seconds())
}
