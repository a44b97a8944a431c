package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestApplyTellsOfPeople: whom an apply made has no password, and his key's secret
// is shown this once.
func TestApplyTellsOfPeople(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"version":3,"hash":"abcdefabcdefabcdef","base":{"users":"x"},"names":{"u2":"lihua"},"changes":[
			{"action":"added","section":"users","id":"u2","fields":[]},{"action":"changed","section":"users","id":"u1","fields":[]}],
			"keys":[{"id":"AKAKAKAKAKAKAKAK","domain_id":"d","user_id":"u2","secret":"made-here"}]}`))
	}))
	defer server.Close()
	data, tree := localTokenFile(t, server.URL, "local.secret"), t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "server.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for lang, want := range map[string][]string{
		"zh-cn": {"新用户 u2 (lihua) 没有密码：经身份提供商登录，或由 casemate user reset-password 设置\n", "仅显示这一次：made-here\n"},
		"en-us": {"the new user u2 (lihua) has no password: he comes in by an identity provider, or casemate user reset-password sets one\n", "shown this once: made-here\n"},
	} {
		t.Setenv("CASEMATE_LANGUAGE", lang)
		var out, problems strings.Builder
		if code := run(t.Context(), []string{"config", "apply", tree, "--yes", "--with", "accounts", "--data", data}, &out, &problems); code != 0 {
			t.Fatalf("exit %d, %s", code, problems.String())
		}
		for _, w := range want {
			if strings.Count(out.String(), w) != 1 {
				t.Errorf("%s: %q, want %q once", lang, out.String(), w)
			}
		}
	}
}
