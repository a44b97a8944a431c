package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHealth: exit code and words follow what the server says of itself.
func TestHealth(t *testing.T) {
	ready := true
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/healthz":
			fmt.Fprintln(w, `{"status":"ok"}`)
		case r.URL.Path == "/readyz" && ready:
			fmt.Fprintln(w, `{"ready":true,"why":null}`)
		case r.URL.Path == "/readyz":
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintln(w, `{"ready":false,"why":["draining","database not reachable"]}`)
		default:
			http.NotFound(w, r)
		}
	}))
	address := s.Listener.Addr().String()
	_, port, _ := strings.Cut(address, ":")
	ask := func(want int, words string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"health"}, args...), &out, &errs); code != want || !strings.Contains(out.String()+errs.String(), words) {
			t.Errorf("%v: exit %d, %q %q; want %d, %q", args, code, out.String(), errs.String(), want, words)
		}
	}
	t.Setenv("CASEMATE_LANGUAGE", "en")
	ask(0, "ok", "--listen", address)
	ask(0, "ok", "--listen", "0.0.0.0:"+port)
	ask(0, "ok", "--listen", ":"+port, "--alive")
	ready = false
	ask(1, "not ready: draining, database not reachable", "--listen", address)
	ask(0, "ok", "--listen", address, "--alive")
	s.Close()
	ask(1, "refused", "--listen", address)
	ask(1, "--listen", "--listen", "nonsense")
	t.Setenv("CASEMATE_LISTEN", "192.0.2.1:x")
	ask(1, "", "--wait", "100ms")
}
