package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casemate/internal/locale"
)

// TestListenRefused: an address that can not be had is refused in the shell's
// language with what to write, and leaves no folder behind.
func TestListenRefused(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	form := [2]string{"须为 HOST:PORT，例如 127.0.0.1:8080", "write HOST:PORT, for example 127.0.0.1:8080"}
	port := [2]string{"端口须为 1 到 65535 的数字", "a port is a number from 1 to 65535"}
	data := filepath.Join(t.TempDir(), "d")
	for address, want := range map[string][2]string{
		"8080": form, "": form, "127.0.0.1:": form, "[::1]": form, "::1:8080": form, "http://127.0.0.1:8080": form,
		"127.0.0.1:99999": port, "127.0.0.1:-1": port, "127.0.0.1:http8": port,
		"203.0.113.7:8080":   {"本机没有此地址", "this machine has no such address"},
		busy.Addr().String(): {"无法监听 " + busy.Addr().String() + "：地址已被占用", "cannot listen on " + busy.Addr().String() + ": the address is in use"},
	} {
		for i, lang := range []string{"zh_CN.UTF-8", "en_US.UTF-8"} {
			t.Setenv("LC_ALL", lang)
			var out, problems strings.Builder
			code := run(t.Context(), []string{"serve", "--data", data, "--listen", address}, &out, &problems)
			if code != exitFailed || !strings.Contains(problems.String(), want[i]) || out.Len() > 0 {
				t.Errorf("%q, %s: exit %d, %q, want %q", address, lang, code, problems.String(), want[i])
			}
		}
	}
	for _, dir := range []string{data, data + ".keys"} {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s was made", dir)
		}
	}
}

// TestNoSuchHost: asked of nobody, as names are asked of the network.
func TestNoSuchHost(t *testing.T) {
	err := unheard("300.0.0.1:8080", &net.OpError{Op: "listen", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "300.0.0.1", IsNotFound: true}})
	for lang, want := range map[locale.Language]string{locale.ZH: "找不到主机 300.0.0.1", locale.EN: "there is no host 300.0.0.1"} {
		if got := describe(err, lang); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
