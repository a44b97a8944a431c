package delivery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/test/world"
)

// TestReceipts: a code leaves by a text message gateway, the gateway's signed
// receipt makes the ledger say that it arrived; no other request to the
// endpoint does anything, and none is answered with a 5xx.
func TestReceipts(t *testing.T) {
	var mu sync.Mutex
	sent := 0
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		sent++
		fmt.Fprintf(w, `{"id":"gw-%d"}`, sent)
	}))
	t.Cleanup(gateway.Close)
	w := world.Start(t, world.Options{NoDemo: true, Direct: true, Env: []string{"RECEIPT_KEY=receipt-key"}, Config: fmt.Sprintf(`notify:
  sms:
    - name: gw
      url: %s/send?to={to}
      allow: [127.0.0.1]
      provider_id: id
      prices: {"86": 45}
      receipt: {secret: {env: RECEIPT_KEY}, header: X-Signature, id: id, state: state, delivered: [ok], failed: [no]}
`, gateway.URL)})
	made(t, w, "user", "create", "boss", "--new-domain", "--domain", "Harbour Ltd", "--mail", "boss@harbour.example")
	key := made(t, w, "key", "create", "boss", "--domain", "Harbour Ltd")
	c := customer{w, key["id"].(string), key["secret"].(string)}
	if status, out := c.send(t, "POST", "/v2/servicerequest/verifycodes/send", map[string]any{"contact_value": "13800138000", "contact_way": 0, "area_code": "86"}); status != 200 {
		t.Fatalf("%d %v", status, out)
	}
	ledger := func() (text string, item map[string]any) {
		t.Helper()
		text, err := w.Local("outbox", "--deliveries", "--to", "13800138000", "--json")
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items []map[string]any `json:"items"`
		}
		if err := json.Unmarshal([]byte(text), &page); err != nil || len(page.Items) != 1 {
			t.Fatalf("%v: %s", err, text)
		}
		return text, page.Items[0]
	}
	for until := time.Now().Add(15 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, item := ledger(); item["state"] == "sent" {
			break
		}
		if time.Now().After(until) {
			t.Fatal("it was not sent")
		}
	}
	post := func(method, provider, signature, body string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, w.URL+"/notify/v1/receipts/"+provider, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer of the gateway's own")
		if signature != "" {
			r.Header.Set("X-Signature", signature)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.StatusCode
	}
	signed := func(body string) string {
		h := hmac.New(sha256.New, []byte("receipt-key"))
		h.Write([]byte(body))
		return hex.EncodeToString(h.Sum(nil))
	}
	const good = `{"id":"gw-1","state":"ok"}`
	long := `{"id":"gw-1","state":"` + strings.Repeat("x", 70<<10) + `"}`
	for _, q := range []struct {
		name, method, provider, signature, body string
		want                                    int
	}{
		{"no signature", "POST", "gw", "", good, 401},
		{"another body's signature", "POST", "gw", signed("x"), good, 401},
		{"rubbish for a signature", "POST", "gw", "%%%", good, 401},
		{"an unknown provider", "POST", "nobody", signed(good), good, 401},
		{"too long", "POST", "gw", signed(long), long, 413},
		{"another method", "GET", "gw", "", "", 404},
		{"an unknown id", "POST", "gw", signed(`{"id":"other","state":"ok"}`), `{"id":"other","state":"ok"}`, 204},
		{"no id", "POST", "gw", signed(`{"state":"ok"}`), `{"state":"ok"}`, 204},
		{"no JSON", "POST", "gw", signed("<xml/>"), "<xml/>", 204},
		{"not final", "POST", "gw", signed(`{"id":"gw-1","state":"queued"}`), `{"id":"gw-1","state":"queued"}`, 204},
	} {
		if got := post(q.method, q.provider, q.signature, q.body); got != q.want {
			t.Errorf("%s: %d, want %d", q.name, got, q.want)
		}
	}
	for _, body := range []string{"\x00", "\xff\xfe", strings.Repeat("[", 10000), `{"id":{"a":[1]},"state":null}`, `{"id":1e400,"state":true}`} {
		if got := post("POST", "gw", signed(body), body); got >= 500 {
			t.Errorf("%.20q: %d", body, got)
		}
	}
	if text, item := ledger(); item["state"] != "sent" {
		t.Errorf("before its receipt: %s", text)
	}
	for range 2 {
		if got := post("POST", "gw", signed(good), good); got != 204 {
			t.Errorf("the receipt: %d", got)
		}
	}
	text, item := ledger()
	if item["state"] != "delivered" || item["cost"] != 90.0 && item["cost"] != 45.0 || !strings.Contains(text, `"receipt": "delivered"`) || strings.Contains(text, "13800138000") {
		t.Errorf("after its receipt: %s", text)
	}
	for language, want := range map[string]string{"zh_CN.UTF-8": "已送达", "en_US.UTF-8": "delivered"} {
		t.Setenv("LANG", language)
		t.Setenv("LC_ALL", language)
		if out, err := w.Local("outbox", "--deliveries", "--state", "delivered"); err != nil || !strings.Contains(out, want) || !strings.Contains(out, "gw-1") || !strings.Contains(out, "+86 138****8000") {
			t.Errorf("%s: %v: %s", language, err, out)
		}
	}
	if out, err := w.Local("outbox", "--deliveries", "--ticket", "TS260115ABCDEFGH12345", "--to", "13800138000"); err != nil || strings.Contains(out, "gw-1") {
		t.Errorf("of another ticket: %v: %s", err, out)
	}
	t.Logf("REPORT receipts: 1 delivered, spoilt ones refused\n")
}

// TestCentreIsBound: the binary binds a text message centre when it starts, and
// unbinds when it stops.
func TestCentreIsBound(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seen := make(chan uint32, 100) // command ids
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for {
					head := make([]byte, 16)
					if _, err := io.ReadFull(c, head); err != nil {
						return
					}
					n, command := binary.BigEndian.Uint32(head), binary.BigEndian.Uint32(head[4:])
					if n > 16 {
						if _, err := io.CopyN(io.Discard, c, int64(n)-16); err != nil {
							return
						}
					}
					seen <- command
					body := ""
					if command == 9 {
						body = "sim\x00"
					}
					answer := binary.BigEndian.AppendUint32(nil, uint32(16+len(body)))
					answer = binary.BigEndian.AppendUint32(answer, command|0x80000000)
					answer = append(answer, 0, 0, 0, 0)
					answer = append(answer, head[12:]...)
					if _, err := c.Write(append(answer, body...)); err != nil {
						return
					}
				}
			}()
		}
	}()
	w := world.Start(t, world.Options{NoDemo: true, Direct: true, Config: fmt.Sprintf("drain: 10ms\nnotify:\n  smpp:\n    - {name: smsc, address: %q, system_id: casemate, enquire_link: 1s, allow: [127.0.0.1]}\n", l.Addr())})
	for _, want := range []uint32{9, 0x15} {
		select {
		case got := <-seen:
			if got != want {
				t.Fatalf("command %#x, want %#x", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no command %#x", want)
		}
	}
	w.Stop()
	for {
		select {
		case got := <-seen:
			if got == 6 {
				return
			}
		case <-time.After(5 * time.Second):
			t.Fatal("it did not unbind")
		}
	}
}
