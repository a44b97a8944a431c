package door

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// wire is one keep-alive connection on which requests are written raw.
type wire struct {
	t  *testing.T
	c  net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, w *world.World) *wire {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &wire{t, c, bufio.NewReader(c)}
}

func (x *wire) write(raw []byte) {
	x.t.Helper()
	if _, err := x.c.Write(raw); err != nil {
		x.t.Fatal(err)
	}
}

func (x *wire) read() (status int, body string) {
	x.t.Helper()
	_ = x.c.SetReadDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(x.in, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// signedRaw is a signed request as bytes, to be sent as often as one likes.
func signedRaw(t *testing.T, w *world.World, method, path string, body []byte, at time.Time, header map[string]string) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		r.Header.Set(k, v)
	}
	u := w.Domains[0].Users[0]
	world.Sign(r, body, u.AK, u.SK, at)
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func caseBody(t *testing.T, w *world.World, text string) []byte {
	t.Helper()
	body, err := json.Marshal(map[string]string{"business_type_id": question(t, w), "simple_description": text, "source_id": "83aeb0f2834c4df49826c781d32a963e"})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// question is a problem type that needs neither region nor plan.
func question(t *testing.T, w *world.World) string {
	t.Helper()
	x := dial(t, w)
	x.write(signedRaw(t, w, "GET", "/v2/servicerequest/config/problems?product_category_id=b5f0be5c9639466184abf80e01f9fa1d", nil, time.Now(), nil))
	_, text := x.read()
	var list struct {
		Types []struct {
			ID   string `json:"business_type_id"`
			Case string `json:"case_type"`
		} `json:"incident_business_type_list"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Types {
		if p.Case == "0" {
			return p.ID
		}
	}
	t.Fatalf("no consultation: %s", text)
	return ""
}

// found is how many tickets hold the word.
func found(t *testing.T, w *world.World, word string) int {
	t.Helper()
	x := dial(t, w)
	x.write(signedRaw(t, w, "GET", "/v2/servicerequest/cases?search_key="+word, nil, time.Now(), nil))
	_, text := x.read()
	var list struct {
		Total int `json:"total_count"`
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return list.Total
}

// TestJavaResend: a client whose connection dies after the request was sent
// repeats it on a new one, as the Java SDK's HTTP client does by itself: each
// request makes one ticket, and the repeat gets its number.
func TestJavaResend(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		const requests = 200
		template := string(caseBody(t, w, "resend NUMBER"))
		for i := range requests {
			body := []byte(strings.Replace(template, "NUMBER", fmt.Sprint(i), 1))
			raw := signedRaw(t, w, "POST", "/v2/servicerequest/cases", body, time.Now(), nil)
			first := dial(t, w)
			first.write(raw)
			if i%2 == 0 {
				first.read() // committed and answered, but the client says it never saw it
			}
			first.c.Close()
			again := dial(t, w)
			again.write(raw)
			if status, text := again.read(); status != http.StatusOK || !strings.Contains(text, "incident_id") {
				t.Fatalf("repeat %d: %d %s", i, status, text)
			}
			again.c.Close()
		}
		if n := found(t, w, "resend"); n != requests {
			t.Errorf("%d tickets of %d requests, each sent twice", n, requests)
		}
		t.Logf("REPORT repeats (%s): %d requests sent twice on two connections made %d tickets\n", t.Name(), requests, found(t, w, "resend"))
	})
}

// TestSameSecondTwins: two equal requests that are both wanted, one after the
// other on one connection within a second, make two; the same bytes captured
// and sent from elsewhere make none.
func TestSameSecondTwins(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		raw := signedRaw(t, w, "POST", "/v2/servicerequest/cases", caseBody(t, w, "twins"), time.Now(), nil)
		x := dial(t, w)
		var numbers []string
		for range 2 {
			x.write(raw)
			status, text := x.read()
			if status != http.StatusOK {
				t.Fatalf("%d %s", status, text)
			}
			numbers = append(numbers, text)
		}
		if numbers[0] == numbers[1] || found(t, w, "twins") != 2 {
			t.Errorf("two wanted twins made %d tickets: %v", found(t, w, "twins"), numbers)
		}
		captured := dial(t, w)
		captured.write(raw)
		if _, text := captured.read(); text != numbers[0] || found(t, w, "twins") != 2 {
			t.Errorf("a captured request had an effect: %s", text)
		}
	})
}

// TestReplay: a captured signed request never has a second effect, whatever the
// write is: it is answered from the stored result within the window and refused
// after it. Reads may be repeated. An explicit key does the same for tokens.
func TestReplay(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		send := func(raw []byte) (int, string) {
			x := dial(t, w)
			x.write(raw)
			return x.read()
		}
		raw := signedRaw(t, w, "POST", "/v2/servicerequest/cases", caseBody(t, w, "replayed"), time.Now(), nil)
		_, first := send(raw)
		var made struct {
			ID string `json:"incident_id"`
		}
		if err := json.Unmarshal([]byte(first), &made); err != nil || made.ID == "" {
			t.Fatal(first)
		}
		say := signedRaw(t, w, "POST", "/v2/servicerequest/cases/"+made.ID+"/message", []byte(`{"message":{"content":"once"}}`), time.Now(), nil)
		cancel := signedRaw(t, w, "POST", "/v2/servicerequest/cases/"+made.ID+"/action?action_id=cancel", []byte(`{}`), time.Now(), nil)
		code := signedRaw(t, w, "POST", "/v2/servicerequest/verifycodes/send", []byte(`{"contact_value":"replay@example.com","contact_way":1,"area_code":"86"}`), time.Now(), nil)
		for _, raw := range [][]byte{raw, say, cancel, code} {
			status, want := send(raw)
			for range 3 {
				if s, text := send(raw); s != status || text != want {
					t.Errorf("a repeat answers %d %s, the first %d %s", s, text, status, want)
				}
			}
			if status != http.StatusOK {
				t.Errorf("%d %s", status, want)
			}
		}
		if n := found(t, w, "replayed"); n != 1 {
			t.Errorf("%d tickets", n)
		}
		_, detail := send(signedRaw(t, w, "GET", "/v2/servicerequest/cases/"+made.ID, nil, time.Now(), nil))
		if strings.Count(detail, `"once"`) != 1 {
			t.Errorf("the message stands there %d times", strings.Count(detail, `"once"`))
		}
		if out, err := w.Local("outbox", "--to", "replay@example.com", "--json"); err != nil || strings.Count(out, `"verify.code"`) != 1 {
			t.Errorf("codes sent: %s %v", out, err)
		}
		old := signedRaw(t, w, "POST", "/v2/servicerequest/cases", caseBody(t, w, "replayed"), time.Now().Add(-15*time.Minute-2*time.Second), nil)
		if status, text := send(old); status != http.StatusUnauthorized {
			t.Errorf("a request from 15 minutes ago: %d %s", status, text)
		}
		// The key is the client's: the same body under two keys is two tickets, under one key one.
		body := caseBody(t, w, "explicit")
		for _, key := range []string{"k1", "k1", "k2", "k1"} {
			if status, text := send(signedRaw(t, w, "POST", "/v2/servicerequest/cases", body, time.Now(), map[string]string{"Idempotency-Key": key})); status != http.StatusOK {
				t.Fatalf("%d %s", status, text)
			}
		}
		if n := found(t, w, "explicit"); n != 2 {
			t.Errorf("two keys made %d tickets", n)
		}
	})
}
