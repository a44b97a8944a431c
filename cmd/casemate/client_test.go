package main

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casemate/internal/locale"
)

func quiet() *output {
	return &output{out: new(strings.Builder), err: new(strings.Builder), lang: locale.EN}
}

func localTokenFile(t *testing.T, url, token string) string {
	t.Helper()
	dir := t.TempDir()
	text, err := json.Marshal(map[string]string{"url": url, "token": token})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "local-token"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestLocalTokenStaysHere: the operator's token is sent to this machine only,
// whatever address a flag, a file or a redirect names.
func TestLocalTokenStaysHere(t *testing.T) {
	t.Parallel()
	dir := localTokenFile(t, "http://127.0.0.1:1", "local.secret")
	for _, url := range []string{"http://example.com", "http://10.0.0.1:8080", "https://127.0.0.1.example.com", "http://[2001:db8::1]", "ftp://127.0.0.1", "127.0.0.1:8080"} {
		if _, err := (clientFlags{Data: dir, URL: url}).local(quiet()); err == nil {
			t.Errorf("the local token would be sent to %s", url)
		}
	}
	for _, url := range []string{"http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:8080"} {
		if _, err := (clientFlags{Data: dir, URL: url}).local(quiet()); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}

	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	moved := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer moved.Close()
	c, err := clientFlags{Data: localTokenFile(t, moved.URL, "local.secret")}.local(quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.get(t.Context(), "/desk/v1/system", nil, nil); err == nil || reached {
		t.Errorf("a redirect was followed: error %v, reached %v", err, reached)
	}
}

// TestClientSaysWhatIsWrong: each way in which a server cannot be reached or
// read is told in both languages, without the token.
func TestClientSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		_, _ = w.Write([]byte("<html>proxy</html>"))
	}))
	defer page.Close()
	for _, tt := range []struct {
		name, data, zh, en string
	}{
		{"no server", t.TempDir(), "没有找到运行中的服务", "no running server found"},
		{"stopped", localTokenFile(t, gone.URL, "local.secret"), "无法连接服务", "does not answer"},
		{"a proxy's page", localTokenFile(t, page.URL, "local.secret"), "502", "502"},
		{"no token", localTokenFile(t, page.URL, ""), "不是本地令牌文件", "not a local token file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := clientFlags{Data: tt.data}.operator(t.Context(), quiet())
			if err == nil {
				err = c.get(t.Context(), "/desk/v1/system", nil, nil)
			}
			if err == nil {
				t.Fatal("no error")
			}
			zh, en := describe(err, locale.ZH), describe(err, locale.EN)
			if !strings.Contains(zh, tt.zh) || !strings.Contains(en, tt.en) || strings.Contains(zh+en, "secret") {
				t.Errorf("zh %q, en %q", zh, en)
			}
		})
	}
}

// TestFolder: what is exported reads back the same; nothing is written outside
// of the folder, and nothing that differs is overwritten without being told.
func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "catalog")
	files := map[string]string{"products.yaml": "a: 1\n", "texts/zh/agreement.yaml": "b: 约定\n"}
	if err := writeFolder(dir, files, false); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".git/config.yaml", ".hidden.yaml", "README.md"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("c: 1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readFolder(dir)
	if err != nil || !maps.Equal(got, files) {
		t.Fatalf("read back %v, %v", got, err)
	}
	if err := writeFolder(dir, files, false); err != nil {
		t.Errorf("writing the same again: %v", err)
	}
	changed := map[string]string{"a.yaml": "new", "products.yaml": "a: 2\n"}
	if err := writeFolder(dir, changed, false); !errors.As(err, new(problem)) {
		t.Errorf("a file that differs was overwritten: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a.yaml")); err == nil {
		t.Error("a refused export wrote something")
	}
	if err := writeFolder(dir, changed, true); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"../out.yaml", "/tmp/casemate-out.yaml", "texts/../../out.yaml"} {
		if err := writeFolder(dir, map[string]string{name: "x"}, true); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if _, err := readFolder(t.TempDir()); err == nil {
		t.Error("an empty folder would remove the whole catalogue")
	}
}

// TestNewPassword: from a file its first line, else a made one that no two
// users share.
func TestNewPassword(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	for text, want := range map[string]string{"correct horse\r\nbattery\n": "correct horse", "staple": "staple"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, made, err := newPassword(file); got != want || made || err != nil {
			t.Errorf("%q: %q, %v, %v", text, got, made, err)
		}
	}
	if err := os.WriteFile(file, []byte("\nsecond"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := newPassword(file); err == nil {
		t.Error("an empty password was taken")
	}
	a, made, err := newPassword("")
	b, _, _ := newPassword("")
	if err != nil || !made || a == b || len(a) < 20 {
		t.Errorf("made %q and %q: %v", a, b, err)
	}
}
