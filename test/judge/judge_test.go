package judge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casemate/test/judge"
)

// TestJudge: a server that breaks the contract in each of these ways is found,
// one that keeps it is not, and the bytes pass unchanged.
func TestJudge(t *testing.T) {
	const list, refusal = `{"total_count":0,"incident_info_list":[]}`, `{"error_code":"OSM.01010015","error_msg":"no such ticket"}`
	for _, tt := range []struct {
		name, method, path, sent string
		status                   int
		header, body             string
		found                    string // part of the violation, "" = none
	}{
		{"good", "GET", "/v2/servicerequest/cases", "", 200, "", list, ""},
		{"good refusal", "GET", "/v2/servicerequest/cases/TS1", "", 404, "", refusal, ""},
		{"bad request refused", "GET", "/v2/servicerequest/cases?limit=101", "", 400, "", refusal, ""},
		{"bad request let through", "GET", "/v2/servicerequest/cases?limit=101", "", 200, "", list, "let through"},
		{"bad body let through", "POST", "/v2/servicerequest/cases", `{"simple_description":"x"}`, 200, "", `{}`, "let through"},
		{"good request called malformed", "GET", "/v2/servicerequest/cases", "", 400, "", `{"error_code":"OSM.0001","error_msg":"x"}`, "called malformed"},
		{"list missing", "GET", "/v2/servicerequest/cases", "", 200, "", `{"total_count":0}`, "incident_info_list"},
		{"wrong type", "GET", "/v2/servicerequest/cases", "", 200, "", `{"total_count":"0","incident_info_list":[]}`, "total_count"},
		{"time with an offset", "GET", "/v2/servicerequest/verifycodes/need-verify?contact_value=a&contact_way=1", "", 200, "", `{"need_verify_code":1,"expire_time":"2026-01-01T00:00:00+08:00"}`, "expire_time"},
		{"empty message", "GET", "/v2/servicerequest/cases", "", 400, "", `{"error_code":"OSM.01010001","error_msg":""}`, "empty"},
		{"unknown code", "GET", "/v2/servicerequest/cases", "", 400, "", `{"error_code":"X.1","error_msg":"x"}`, "not in the tables"},
		{"error with 200", "GET", "/v2/servicerequest/cases", "", 200, "", refusal, "with status 200"},
		{"another success", "POST", "/v2/servicerequest/privileges", `{"operation":"create"}`, 201, "", `{}`, "status 201"},
		{"no JSON", "GET", "/v2/servicerequest/cases", "", 500, "text/plain", `broken`, "Content-Type"},
		{"no request id", "GET", "/v2/servicerequest/cases", "", 200, "none", list, "X-Request-Id"},
		{"429 without Retry-After", "GET", "/v2/servicerequest/cases", "", 429, "", refusal, "Retry-After"},
		{"literal before parameter", "GET", "/v2/servicerequest/cases/count", "", 200, "", `{"incident_status_counts":[]}`, ""},
		{"spreadsheet as JSON", "GET", "/v2/servicerequest/cases/export", "", 200, "", `{}`, "Content-Type"},
		{"other surfaces", "GET", "/healthz", "", 200, "text/plain", "ok", ""},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if tt.header != "none" {
				w.Header().Set("X-Request-Id", "1")
			}
			if strings.Contains(tt.header, "/") {
				w.Header().Set("Content-Type", tt.header)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		}))
		court := &judge.Court{}
		tap, err := judge.Listen(strings.TrimPrefix(server.URL, "http://"), court)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: &http.Transport{}}
		for range 2 { // on one connection
			r, err := http.NewRequestWithContext(t.Context(), tt.method, tap.URL+tt.path, strings.NewReader(tt.sent))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			res, err := client.Do(r)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			text, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(text) != tt.body || res.StatusCode != tt.status {
				t.Errorf("%s: the tap changed the answer: %d %s %v", tt.name, res.StatusCode, text, err)
			}
		}
		client.CloseIdleConnections()
		tap.Close()
		server.Close()
		found := strings.Join(court.Violations(), "\n")
		n := court.Count()
		if tt.found == "" && (found != "" || n.Violations != 0) || tt.found != "" && (!strings.Contains(found, tt.found) || n.Violations < 2) {
			t.Errorf("%s: found %q (%v)", tt.name, found, n)
		}
		if want := 2; strings.HasPrefix(tt.path, "/v2/") && (n.Answers != want || n.Requests != want) {
			t.Errorf("%s: %v", tt.name, n)
		}
	}
}

// TestJudgeHeaders: what Go's server answers to headers it does not read, and
// then ends the connection, is no answer of the product.
func TestJudgeHeaders(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.MaxHeaderBytes = 1 // and 4 KB that the server adds
	server.Start()
	defer server.Close()
	court := &judge.Court{}
	tap, err := judge.Listen(strings.TrimPrefix(server.URL, "http://"), court)
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", strings.TrimPrefix(tap.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	// One write: the server ends the connection before it has read all of it.
	if _, err := fmt.Fprintf(client, "GET /v2/servicerequest/cases?app_key=%s HTTP/1.1\r\nHost: localhost\r\n\r\n", strings.Repeat("a", 6000)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(client), nil)
	if err != nil {
		t.Fatal(err)
	}
	tap.Close()
	if n := court.Count(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge || n.Answers != 1 || n.Bad != 1 || n.Violations != 0 {
		t.Errorf("%s, %v: %v", res.Status, n, court.Violations())
	}
}

// TestTapLargeAndCut: a large body streams through, and a server that goes away
// in the middle of an answer is seen by the client.
func TestTapLargeAndCut(t *testing.T) {
	const size = 64 << 20
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Request-Id", "1")
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/v2/servicerequest/cases/export" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		fmt.Fprintf(w, `{"accessory_id":"%d"}`, n)
	}))
	defer server.Close()
	court := &judge.Court{}
	tap, err := judge.Listen(strings.TrimPrefix(server.URL, "http://"), court)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(tap.URL+"/v2/servicerequest/accessorys", "multipart/form-data; boundary=x", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if string(text) != fmt.Sprintf(`{"accessory_id":"%d"}`, size) {
		t.Errorf("%s", text)
	}
	if res, err := http.Get(tap.URL + "/v2/servicerequest/cases/export"); err == nil {
		if _, err := io.ReadAll(res.Body); err == nil {
			t.Error("a cut answer looks whole")
		}
		res.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	tap.Close()
	if n := court.Count(); n.Cut != 1 || n.Answers != 1 || n.Violations != 0 {
		t.Errorf("%v: %v", n, court.Violations())
	}
	if _, err := net.Dial("tcp", strings.TrimPrefix(tap.URL, "http://")); err == nil {
		t.Error("the tap listens after Close")
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
