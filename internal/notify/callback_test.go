package notify_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/notify"
)

// example is a snippet of docs/examples, leading to the server of the test.
func example(t *testing.T, name string, s *smsServer) config.SMSGateway {
	t.Helper()
	c, err := config.Load(filepath.Join("..", "..", "docs", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Notify.SMS) != 1 {
		t.Fatalf("%s has %d gateways", name, len(c.Notify.SMS))
	}
	g := c.Notify.SMS[0]
	if _, err := notify.NewGateway(g); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	u, err := url.Parse(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	g.URL, g.Allow = s.URL+u.RequestURI(), []string{"127.0.0.1"}
	return g
}

// TestReceiptExamples: the documented snippets send as their providers want it,
// and take those providers' receipts, and nobody else's.
func TestReceiptExamples(t *testing.T) {
	for name, value := range map[string]string{"TWILIO_BASIC": "QUM6dG9rZW4=", "TWILIO_TOKEN": "twilio-token", "HUAWEI_APP_SECRET": "app-secret", "RECEIPT_KEY": "receipt-key", "SMS_KEY": "sms-key", "SMS_RECEIPT_KEY": "sms-receipt-key"} {
		t.Setenv(name, value)
	}
	form := "application/x-www-form-urlencoded"
	twilio := func(state, more string) func(string, *http.Request, string) notify.Callback {
		return func(string, *http.Request, string) notify.Callback {
			h := hmac.New(sha1.New, []byte("twilio-token"))
			text, first := "https://support.example.com/notify/v1/receipts/twilio", ""
			if more != "" {
				text += "ErrorCode" + more
				first = "ErrorCode=" + more + "&"
			}
			h.Write([]byte(text + "MessageSidSM77MessageStatus" + state + "To+8613800138000"))
			return notify.Callback{Header: http.Header{"Content-Type": {form}, "X-Twilio-Signature": {base64.StdEncoding.EncodeToString(h.Sum(nil))}},
				Body: []byte(first + "To=%2B8613800138000&MessageStatus=" + state + "&MessageSid=SM77")}
		}
	}
	huawei := func(state string) func(string, *http.Request, string) notify.Callback {
		return func(id string, _ *http.Request, sent string) notify.Callback {
			f, err := url.ParseQuery(sent)
			if err != nil {
				t.Fatal(err)
			}
			back, err := url.Parse(f.Get("statusCallback"))
			if err != nil || back.Path != "/notify/v1/receipts/huawei" || back.Query().Get("m") != id {
				t.Fatalf("the link: %s", back)
			}
			return notify.Callback{Header: http.Header{"Content-Type": {form}}, Query: back.Query(), Body: []byte("sequence=1&total=1&source=2&smsMsgId=hw-1&status=" + url.QueryEscape(state))}
		}
	}
	generic := func(body string, encode func([]byte) string) func(string, *http.Request, string) notify.Callback {
		return func(string, *http.Request, string) notify.Callback {
			h := hmac.New(sha256.New, []byte("sms-receipt-key"))
			h.Write([]byte(body))
			return notify.Callback{Header: http.Header{"Content-Type": {"application/json"}, "X-Signature": {encode(h.Sum(nil))}}, Body: []byte(body)}
		}
	}
	b64 := base64.StdEncoding.EncodeToString
	for _, c := range []struct {
		file, answer, state, cause string
		status                     int
		receipt                    func(id string, sent *http.Request, body string) notify.Callback
	}{
		{"sms-twilio.yaml", `{"sid":"SM77","status":"queued"}`, "delivered", "", 201, twilio("delivered", "")},
		{"sms-twilio.yaml", `{"sid":"SM77","status":"queued"}`, "sent", "", 201, twilio("sent", "")},
		{"sms-twilio.yaml", `{"sid":"SM77"}`, "failed", "sms gateway: undelivered ***", 201, twilio("undelivered", "30003")},
		{"sms-twilio.yaml", `{"sid":"SM77"}`, "bounced", "sms gateway: undelivered 30005", 201, twilio("undelivered", "30005")},
		{"sms-huawei.yaml", `{"code":"000000","result":[{"smsMsgId":"hw-1","status":"000000"}]}`, "delivered", "", 200, huawei("DELIVRD")},
		{"sms-huawei.yaml", `{"code":"000000","result":[{"smsMsgId":"hw-1"}]}`, "bounced", "sms gateway: MK:0001", 200, huawei("MK:0001")},
		{"sms-huawei.yaml", `{"code":"000000","result":[{"smsMsgId":"hw-1"}]}`, "failed", "sms gateway: EXPIRED", 200, huawei("EXPIRED")},
		{"sms-generic.yaml", `{"status":"accepted","message":{"id":"g-1"}}`, "delivered", "", 200, generic(`{"message":{"id":"g-1"},"status":"delivered"}`, hex.EncodeToString)},
		{"sms-generic.yaml", `{"status":"accepted","message":{"id":"g-1"}}`, "failed", "sms gateway: expired", 200, generic(`{"message":{"id":"g-1"},"status":"expired"}`, b64)},
		{"sms-generic.yaml", `{"status":"accepted","message":{"id":"g-1"}}`, "bounced", "sms gateway: failed no_such_number", 200,
			generic(`{"message":{"id":"g-1"},"status":"failed","error":{"code":"no_such_number"}}`, func(b []byte) string { return "sha256=" + hex.EncodeToString(b) })},
		{"sms-generic.yaml", `{"status":"accepted","message":{"id":"g-1"}}`, "sent", "", 200, generic(`{"message":{"id":"other"},"status":"delivered"}`, b64)},
		{"sms-generic.yaml", `{"status":"accepted","message":{"id":"g-1"}}`, "sent", "", 200, generic(`[1]`, b64)},
		{"sms-generic.yaml", `{"status":"accepted","message":{"id":"g-1"}}`, "sent", "", 200, generic("", b64)},
	} {
		t.Run(c.file+" "+c.state, func(t *testing.T) {
			each(t, notify.Options{}, func(w *world) {
				server := startSMS(w.t, answer(c.status, c.answer))
				g := example(w.t, c.file, server)
				w.serve(notify.Options{Config: config.Notify{SMS: []config.SMSGateway{g}}})
				id := w.queue(codeSMS())
				w.work()
				if d := w.wantState(id, "sent", ""); d.Cost == 0 || len(d.Attempts) != 1 {
					w.t.Errorf("%+v", d)
				}
				in := c.receipt(id, server.got[0], server.bodies[0])
				spoil := func(change func(*notify.Callback)) {
					w.t.Helper()
					bad := notify.Callback{Header: in.Header.Clone(), Query: url.Values{}, Body: append([]byte(nil), in.Body...)}
					for k, v := range in.Query {
						bad.Query[k] = v
					}
					change(&bad)
					if err := w.s.Callback(w.t.Context(), g.Name, bad); !errors.Is(err, notify.ErrReceipt) {
						w.t.Errorf("a spoilt receipt: %v", err)
					}
				}
				if g.Receipt.Check == config.ReceiptLink {
					spoil(func(b *notify.Callback) { b.Query.Set("m", "another") })
					spoil(func(b *notify.Callback) { b.Query.Set("t", "00") })
					spoil(func(b *notify.Callback) { b.Query = nil })
				} else {
					spoil(func(b *notify.Callback) { b.Body = append(b.Body, "&a=b"...) })
					spoil(func(b *notify.Callback) { b.Header = http.Header{"Content-Type": b.Header["Content-Type"]} })
				}
				if err := w.s.Callback(w.t.Context(), "nobody", in); !errors.Is(err, notify.ErrReceipt) {
					w.t.Errorf("an unknown provider: %v", err)
				}
				w.wantState(id, "sent", "")
				for range 2 { // a repeat changes nothing
					if err := w.s.Callback(w.t.Context(), g.Name, in); err != nil {
						w.t.Error(err)
					}
					w.clock.Add(time.Minute)
				}
				d := w.wantState(id, c.state, c.cause)
				if c.state != "sent" && (d.Attempts[0].Receipt != c.state || d.Attempts[0].ReceiptAt == 0) {
					w.t.Errorf("%+v", d.Attempts[0])
				}
			})
		})
	}
	if c := example(t, "sms-huawei.yaml", startSMS(t, answer(200, ""))); !strings.Contains(c.Headers["X-WSSE"], "{digest}") {
		t.Error("no digest")
	}
}

// TestWSSE: the digest is the one that WSSE asks for, and another each time.
func TestWSSE(t *testing.T) {
	t.Setenv("APP_SECRET", "app-secret")
	s := startSMS(t, answer(200, "{}"))
	ch, err := notify.NewGateway(config.SMSGateway{URL: s.URL, Secret: config.Secret{Env: "APP_SECRET"}, Allow: []string{"127.0.0.1"}, Headers: map[string]string{"X-W": "{nonce} {created} {digest}"}})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 3 {
		if _, err := ch.Send(t.Context(), notify.Outgoing{ID: "m", To: "+8613800138000"}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range s.got {
		f := strings.Fields(r.Header.Get("X-W"))
		sum := sha256.Sum256([]byte(f[0] + f[1] + "app-secret"))
		if at, err := time.Parse(time.RFC3339, f[1]); err != nil || time.Since(at) > time.Minute || f[2] != base64.StdEncoding.EncodeToString(sum[:]) || seen[f[0]] {
			t.Errorf("%v", f)
		}
		seen[f[0]] = true
	}
}

// TestReceiptConfig: receipts are never taken unchecked.
func TestReceiptConfig(t *testing.T) {
	t.Setenv("RECEIPT_KEY", "receipt-key")
	t.Setenv("SHORT_KEY", "short")
	good := config.Receipt{Secret: config.Secret{Env: "RECEIPT_KEY"}, Header: "X-Signature", ID: "id", State: "state", Delivered: []string{"ok"}}
	for name, change := range map[string]func(*config.Receipt){
		"":               func(*config.Receipt) {},
		"no secret":      func(c *config.Receipt) { c.Secret = config.Secret{} },
		"short secret":   func(c *config.Receipt) { c.Secret.Env = "SHORT_KEY" },
		"not set":        func(c *config.Receipt) { c.Secret.Env = "NO_SUCH_KEY" },
		"no header":      func(c *config.Receipt) { c.Header = "" },
		"no id":          func(c *config.Receipt) { c.ID = "" },
		"no state":       func(c *config.Receipt) { c.State = "" },
		"nothing is won": func(c *config.Receipt) { c.Delivered = nil },
		"twilio, no url": func(c *config.Receipt) { c.Check = config.ReceiptTwilio },
		"check":          func(c *config.Receipt) { c.Check = "trust" },
	} {
		c := good
		change(&c)
		if _, err := notify.NewGateway(config.SMSGateway{URL: "https://sms.example/", Receipt: c}); (err == nil) != (name == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
