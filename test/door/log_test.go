package door

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// TestLogForging (threats.md D16): whatever stands in a request, each line of
// the log is one the server began, and no contact stands in it in full.
func TestLogForging(t *testing.T) {
	w := world.Start(t, world.Options{Args: []string{"--log-level", "debug"}, Direct: true})
	const forged = "level=ERROR msg=forged"
	send := func(method, path string, header map[string]string, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, w.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = "//" + strings.TrimPrefix(w.URL, "http://") + path
		for k, v := range header {
			r.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	for _, brk := range []string{"%0a", "%0d%0a", "%0d", "%e2%80%a8", "%c2%85", "%1b%5b2K", "%00", "%22%0a"} {
		lie := brk + strings.ReplaceAll(forged, " ", "%20")
		send("GET", "/v2/servicerequest/cases/x"+lie, nil, "")
		send("GET", "/"+lie, nil, "")
		send("GET", "/v2/servicerequest/cases?search_key=x"+lie, nil, "")
		send("POST", "/v3/auth/tokens", map[string]string{"Content-Type": "application/json"},
			`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"x\n`+forged+`","password":"y","domain":{"name":"z\r\n`+forged+`"}}}}}}`)
	}
	// A line break that net/http's client would not send.
	c, err := net.DialTimeout("tcp", strings.TrimPrefix(w.URL, "http://"), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET /v2/x HTTP/1.1\r\nHost: h\r\nX-Language: zh\n%s\r\nUser-Agent: a\x00b\r\n\r\n", forged)
	_ = c.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = c.Read(make([]byte, 4096)) // whatever it answers
	c.Close()

	// Contacts: a code to a number and an address, in the debug log too.
	u := w.Domains[0].Users[1]
	for _, b := range []string{`{"contact_value":"13912345678","contact_way":0,"area_code":"86"}`, `{"contact_value":"marker.person@example.org","contact_way":1,"area_code":"86"}`} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.URL+"/v2/servicerequest/verifycodes/send", bytes.NewReader([]byte(b)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		world.Sign(r, []byte(b), u.AK, u.SK, time.Now())
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("sending a code: %s", res.Status)
		}
	}
	time.Sleep(300 * time.Millisecond) // the deliveries' own lines
	text := w.LogText()
	begins := regexp.MustCompile(`^time=\S+ level=[A-Z]+ msg=`)
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) < 30 {
		t.Fatalf("only %d lines: the debug log is off", len(lines))
	}
	for _, line := range lines {
		if !begins.MatchString(line) || strings.ContainsAny(line, "\x00\x1b\r\u2028\u0085") {
			t.Errorf("a forged or broken line: %q", line)
		}
		if strings.HasPrefix(line, forged) || strings.Contains(line, "level=ERROR msg=forged") && !strings.Contains(line, `"`) {
			t.Errorf("forged: %q", line)
		}
	}
	for _, contact := range []string{"13912345678", "marker.person@example.org"} {
		if strings.Contains(text, contact) {
			t.Errorf("%s stands in the log", contact)
		}
	}
}
