package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestSaysSo: an empty list says so on standard error, in the shell's language,
// and leaves standard output empty; what has no answer prints that it was done;
// with --json only the API's answer is printed.
func TestSaysSo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodGet:
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Path == "/desk/v1/domains":
			_, _ = w.Write([]byte(`{"items":[{"id":"d1","name":"Harbour"}],"total_count":1}`))
		default:
			_, _ = w.Write([]byte(`{"items":[],"total_count":0}`))
		}
	}))
	defer server.Close()
	data := localTokenFile(t, server.URL, "local.secret")
	for _, c := range []struct {
		args            string
		zh, en, zhE, eE string
	}{
		{"desk list", "", "", "没有工单\n", "no tickets\n"},
		{"desk authorizations", "", "", "没有授权申请\n", "no authorizations\n"},
		{"partner list", "", "", "没有伙伴\n", "no partners\n"},
		{"sandbox list", "", "", "没有沙箱\n", "no sandboxes\n"},
		{"agreement list", "", "", "没有协议\n", "no agreements\n"},
		{"article list", "", "", "没有文章\n", "no articles\n"},
		{"partner serve Harbour", "Harbour 不再由伙伴服务\n", "no partner serves Harbour any more\n", "", ""},
		{"partner serve Harbour --json", "", "", "", ""},
	} {
		for lang, want := range map[string][2]string{"zh-cn": {c.zh, c.zhE}, "en-us": {c.en, c.eE}} {
			t.Setenv("CASEMATE_LANGUAGE", lang)
			var out, errOut strings.Builder
			code := run(t.Context(), append(strings.Fields(c.args), "--data", data), &out, &errOut)
			if code != 0 || out.String() != want[0] || errOut.String() != want[1] {
				t.Errorf("%s in %s: exit code %d, %q, %q", c.args, lang, code, out.String(), errOut.String())
			}
		}
	}
}
