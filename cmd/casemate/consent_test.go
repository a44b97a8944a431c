package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"casemate/internal/locale"
)

// TestNothingUnasked: what changes a running product is done with --yes, or by a plan
// that was looked at; without a terminal it is shown and refused, and a trial does nothing.
func TestNothingUnasked(t *testing.T) {
	const plan = `{"version":2,"hash":"abcdefabcdefabcdef","base":{"queues.yaml":"x"},"changes":[{"action":"changed","kind":"severity","section":"queues","id":"q1","name":"Q","fields":[]}],"items":[{"version":2},{"version":1}]}`
	done := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, "/apply") || strings.HasSuffix(r.URL.Path, "/rollback") && !strings.Contains(string(body), `"dry_run":true`) {
			done++
		}
		_, _ = io.WriteString(w, plan)
	}))
	defer server.Close()
	data, tree := localTokenFile(t, server.URL, "local.secret"), t.TempDir()
	seen := filepath.Join(tree, "plan.json")
	for name, text := range map[string]string{"queues.yaml": "queues: []\n", "plan.json": plan} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args        []string
		code, calls int
		shows       bool
	}{
		{[]string{"config", "apply", tree}, 1, 0, true},
		{[]string{"config", "apply", tree, "--json"}, 1, 0, false},
		{[]string{"config", "apply", tree, "--yes"}, 0, 1, true},
		{[]string{"config", "apply", tree, "--plan", seen}, 0, 1, true},
		{[]string{"config", "rollback"}, 1, 0, true},
		{[]string{"config", "rollback", "--json"}, 1, 0, false},
		{[]string{"config", "rollback", "--dry-run"}, 0, 0, true},
		{[]string{"config", "rollback", "--yes"}, 0, 1, true},
		{[]string{"config", "rollback", "--yes", "--dry-run"}, 1, 0, false},
		{[]string{"catalog", "apply", tree}, 1, 0, true},
		{[]string{"catalog", "apply", tree, "--yes"}, 0, 1, true},
	} {
		for lang, refusal := range map[string]string{"zh-cn": "未作更改：此处没有可供确认的终端；加 --yes 执行", "en-us": "nothing was changed: there is no terminal to ask at; --yes does it"} {
			t.Setenv("CASEMATE_LANGUAGE", lang)
			done = 0
			var out, problems strings.Builder
			code := run(t.Context(), append(c.args, "--data", data), &out, &problems)
			if code != c.code || done != c.calls || strings.Contains(out.String(), "q1") != c.shows {
				t.Errorf("%v in %s: exit %d, %d changes, %q, %q", c.args, lang, code, done, out.String(), problems.String())
			}
			if asked := c.code == 1 && len(c.args) < 5 && !strings.Contains(strings.Join(c.args, " "), "--dry-run"); asked != strings.Contains(problems.String(), refusal) {
				t.Errorf("%v in %s: %q", c.args, lang, problems.String())
			}
		}
	}
}

// TestAsk: a yes in either language goes on, anything else changes nothing.
func TestAsk(t *testing.T) {
	for answer, agrees := range map[string]bool{"y\n": true, "YES\n": true, "是\n": true, "y": true, "\n": false, "n\n": false, "": false, "yesterday\n": false} {
		for lang, question := range map[locale.Language]string{locale.ZH: "生效？[y/N] ", locale.EN: "In force? [y/N] "} {
			var out strings.Builder
			o := &output{in: strings.NewReader(answer), out: &out, lang: lang}
			if err := o.ask(t.Context(), "生效？", "In force?"); (err == nil) != agrees || out.String() != question {
				t.Errorf("%q: %v, %q", answer, err, out.String())
			}
		}
	}
	r, _ := io.Pipe() // nobody answers
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := (&output{in: r, out: io.Discard}).ask(ctx, "", ""); err == nil {
		t.Error("a break is a yes")
	}
}
