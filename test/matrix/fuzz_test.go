package matrix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// TestFuzzApi: random bodies, headers, queries, paths and methods, made from the
// schemas of all operations, 6,000 (15,000 with CASEMATE_LONG=1): no answer is
// a 5xx, no answer breaks the contract, no request that breaks it is let
// through (the tap judges both), answers slower than a second are counted
// (threats.md E15). CASEMATE_SEED repeats a run's requests.
func TestFuzzApi(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("CASEMATE_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	const workers = 3
	each := 2000
	if os.Getenv("CASEMATE_LONG") != "" {
		each = 5000
	}
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{Config: objects.Scenes}
			if database == "postgres" {
				o.Database = world.Database(t)
			}
			w := world.Start(t, o)
			problem := w.Consultation(t)
			var (
				wait     sync.WaitGroup
				mu       sync.Mutex
				statuses = map[int]int{}
				asked    = map[string]int{}
				passed   = map[string]bool{} // operations that succeeded
				slow     int
				slowest  time.Duration
			)
			calls := contract.Calls(t)
			for worker := range workers {
				p := newParty(t, w, worker%2, worker, problem, fmt.Sprint("fuzz ", worker))
				f := &fuzzer{Rand: rand.New(rand.NewPCG(seed, uint64(worker)))}
				// Once in a while everything is there for the operation to succeed.
				f.good = func(call contract.Call) map[string]any {
					values := p.good()
					if f.one(2) {
						values["group_id"], values["groupId"] = "", ""
					}
					if f.one(10) {
						_ = p.maker.Prepare(t, call.ID, p.made, values) // quotas end it
					}
					return values
				}
				wait.Go(func() {
					for n := 0; n < each && !t.Failed(); {
						call := calls[f.IntN(len(calls))]
						r := f.request(w.URL, call)
						if r == nil {
							continue
						}
						n++
						r.Header.Set("X-Auth-Token", p.token)
						began := time.Now()
						res, err := web.Do(r)
						if err != nil {
							t.Errorf("seed %d: %s: %v", seed, f.said, err)
							return
						}
						text, err := io.ReadAll(res.Body)
						res.Body.Close()
						took := time.Since(began)
						if err != nil || res.StatusCode >= 500 {
							t.Errorf("seed %d: %s: %d %.300s %v", seed, f.said, res.StatusCode, text, err)
						}
						mu.Lock()
						statuses[res.StatusCode]++
						asked[call.ID]++
						if res.StatusCode == http.StatusOK && r.Method == call.Method {
							passed[call.ID] = true
						}
						if took > time.Second {
							slow++
						}
						slowest = max(slowest, took)
						mu.Unlock()
					}
				})
			}
			wait.Wait()
			n := 0
			for _, c := range statuses {
				n += c
			}
			if n < workers*each {
				t.Errorf("only %d requests of %d", n, workers*each)
			}
			for _, call := range calls {
				if asked[call.ID] < 5 {
					t.Errorf("seed %d: %s was asked %d times", seed, call.ID, asked[call.ID])
				}
			}
			if len(passed) < len(calls)/2 { // else it is the front door alone that is tried
				t.Errorf("seed %d: only %d of %d operations succeeded", seed, len(passed), len(calls))
			}
			t.Logf("REPORT fuzz (%s): seed %d, %d requests, %d operations succeeded, statuses %v, %d slower than 1 s, slowest %v\n", t.Name(), seed, n, len(passed), statuses, slow, slowest.Round(time.Millisecond))
		})
	}
}

type fuzzer struct {
	*rand.Rand
	good func(contract.Call) map[string]any
	said string // the last request, for messages
}

// one tells yes once in n times.
func (f *fuzzer) one(n int) bool { return f.IntN(n) == 0 }

func pickOne[T any](f *fuzzer, from ...T) T { return from[f.IntN(len(from))] }

var scraps = []string{"", " ", "0", "-1", "1.5", "1e400", "99999999999999999999", "null", "true", "undefined", "NaN", "[]", "{}", "'", `"`, "\\", "%", "%25", "%zz", "..", "../..", "/", "//",
	"\x00", "\r\n", "\t", "\x7f", "\xff\xfe", "\xed\xa0\x80", "云", "😀", "e\u0301", "\u202e", "\ufeff", "\u2028", "ſ", "İ", "0x10", "1,2,3,4,5,6,7", ",", ",,", ";", "a=b&c=d", "<script>alert(1)</script>",
	"' OR 1=1 --", "{{7*7}}", "${x}", "=cmd|' /C calc'!A0", "2026-13-45 99:99:99", "GMT+99", "zh-cn,en;q=0.5", "TS2601010000000000000", "admin@example.com", "+8613800138000"}

// text is a string that nobody expects.
func (f *fuzzer) text() string {
	switch f.IntN(6) {
	case 0:
		return strings.Repeat(pickOne(f, scraps...), 1+f.IntN(40))
	case 1:
		b := make([]byte, f.IntN(60))
		for i := range b {
			b[i] = byte(f.Uint32())
		}
		return string(b)
	case 2:
		r := make([]rune, f.IntN(80))
		for i := range r {
			r[i] = rune(f.IntN(0x10ffff))
		}
		return string(r)
	case 3:
		return strings.Repeat(pickOne(f, "a", "云", "1"), pickOne(f, 1, 7, 32, 33, 64, 65, 400, 401, 1200, 1201, 5000))
	}
	return pickOne(f, scraps...)
}

// value is a JSON value that nobody expects.
func (f *fuzzer) value(depth int) any {
	switch f.IntN(9) {
	case 0:
		return nil
	case 1:
		return f.one(2)
	case 2:
		return pickOne[any](f, 0, -1, 1, 31, 101, 65536, 1<<31, -1<<31-1, int64(1)<<62, 0.5, json.Number("1e308"), json.Number("123456789012345678901234567890"), json.Number("-0"))
	case 3:
		if depth > 3 {
			return []any{}
		}
		list := []any{}
		for range f.IntN(pickOne(f, 2, 5, 120)) {
			list = append(list, f.value(depth+1))
		}
		return list
	case 4:
		if depth > 3 {
			return map[string]any{}
		}
		m := map[string]any{}
		for range f.IntN(5) {
			m[f.text()] = f.value(depth + 1)
		}
		return m
	}
	return f.text()
}

// request is an operation's request with a few places spoilt; nil when the HTTP
// client cannot send it.
func (f *fuzzer) request(base string, call contract.Call) *http.Request {
	values := contract.Values{Full: f.one(2), Pick: objects.Pick(f.good(call))}
	if f.one(3) {
		values.Text = func(string, int, int) string { return f.text() }
	}
	wire := values.Wire(call)
	places := call.Places()
	for range f.IntN(4) {
		if len(places) == 0 {
			break
		}
		p := places[f.IntN(len(places))]
		limits := p.Limits()
		switch {
		case f.one(6):
			p.Put(wire, contract.Absent)
		case f.one(3) && len(limits) > 0:
			l := limits[f.IntN(len(limits))]
			p.Put(wire, pickOne(f, l.Within, l.Beyond))
		case p.In == "body":
			p.Put(wire, f.value(0))
		default:
			p.Put(wire, f.text())
		}
	}
	path, header, body, kind := call.HTTP(wire)
	if strings.Contains(path, "{") { // a path parameter was taken away
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
	}
	method := call.Method
	if f.one(40) {
		method = pickOne(f, "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "QUERY")
	}
	if f.one(15) {
		more := pickOne(f, "?", "&") + url.QueryEscape(f.text()) + "=" + url.QueryEscape(f.text())
		if f.one(4) {
			more = pickOne(f, "?", "&") + pickOne(f, "%", "limit=%zz", "limit=1&limit=2", "a;b", "=", "&&&", "limit", "offset=+1", "status=%00")
		}
		path += more
	}
	if f.one(25) {
		path = strings.Replace(path, "/servicerequest/", pickOne(f, "/servicerequest//", "/servicerequest/%2e%2e/", "/servicerequest/./", "/Servicerequest/", "/servicerequest/%2F"), 1)
	}
	switch {
	case body == nil && f.one(10):
		body = []byte(f.text())
	case body != nil && f.one(8) && len(body) > 0:
		body = f.spoil(body)
	}
	r, err := http.NewRequest(method, base+path, bytes.NewReader(body))
	if err != nil {
		return nil
	}
	r.Header.Set("Content-Type", kind)
	if f.one(20) {
		r.Header.Set("Content-Type", pickOne(f, "", "text/plain", "application/json; charset=utf-16", "application/xml", "multipart/form-data", "multipart/form-data; boundary=", "application/json;;", "*/*", "application/jsonp"))
	}
	for name, v := range header {
		r.Header.Set(name, clean(v))
	}
	if f.one(6) {
		r.Header.Add(pickOne(f, "X-Language", "X-Time-Zone", "X-Site", "Accept", "Accept-Encoding", "Accept-Language", "X-Domain-Id", "X-Project-Id", "X-Forwarded-For", "Range", "If-None-Match", "Idempotency-Key", "X-Client-Token", "Cookie", "Origin", "X-Http-Method-Override"), clean(f.text()))
	}
	f.said = fmt.Sprintf("%s %s %v %.600q", method, path, r.Header, body)
	return r
}

// spoil changes bytes of a body.
func (f *fuzzer) spoil(body []byte) []byte {
	switch f.IntN(8) {
	case 0:
		return body[:f.IntN(len(body))]
	case 1:
		return append(bytes.Clone(body), f.text()...)
	case 2:
		return append([]byte("\xef\xbb\xbf"), body...)
	case 3:
		n := 1 + f.IntN(20000)
		return []byte(strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n))
	case 4:
		return bytes.Replace(body, []byte("{"), []byte(`{"group_id":"a","group_id":"b",`), 1)
	case 5:
		return bytes.ReplaceAll(body, []byte(`"`), []byte(`\u0022`))
	}
	out := bytes.Clone(body)
	for range 1 + f.IntN(5) {
		out[f.IntN(len(out))] = byte(f.Uint32())
	}
	return out
}

// clean drops what the HTTP client refuses to send in a header.
func clean(s string) string {
	b := []byte(s)
	out := b[:0]
	for _, c := range b {
		if c >= ' ' && c != 0x7f {
			out = append(out, c)
		}
	}
	return string(out)
}
