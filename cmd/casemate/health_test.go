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
	ask(1, address+" does not answer: connect: connection refused; the server does not run, or listens elsewhere (give --listen)", "--listen", address)
	for _, port := range []string{"x", "0", "-1", "65536"} {
		ask(1, "casemate: --listen \"127.0.0.1:"+port+"\": a port is a number from 1 to 65535, the one the server listens on\n", "--listen", "127.0.0.1:"+port)
	}
	t.Setenv("CASEMATE_LANGUAGE", "zh")
	ask(1, address+" 没有响应：连接被拒绝；服务未运行，或监听在其他地址（由 --listen 给出）", "--listen", address)
	ask(1, "casemate: --listen \"127.0.0.1:x\"：端口须为 1 到 65535 的数字，即服务所监听的端口\n", "--listen", "127.0.0.1:x")
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	ask(1, "不是 Casemate：/readyz 返回状态 404", "--listen", other.Listener.Addr().String())
	t.Setenv("CASEMATE_LANGUAGE", "en")
	ask(1, "is not Casemate: /readyz has status 404", "--listen", other.Listener.Addr().String())
	ask(1, "--listen", "--listen", "nonsense")
	t.Setenv("CASEMATE_LISTEN", "192.0.2.1:x")
	ask(1, "", "--wait", "100ms")
}
