package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"casemate/internal/locale"
)

// untold is the refusal of a question beside an answer for a program.
var untold = map[string]string{"zh-cn": "未作更改：使用 --json 时不询问；加 --yes 执行\n", "en-us": "nothing was changed: --json asks nothing; --yes does it\n"}

// planServer answers every call with a plan that changes the queue q1, and counts
// those that would do it. It answers the folder of data.
func planServer(t *testing.T, done *int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, "/apply") || strings.HasSuffix(r.URL.Path, "/rollback") && !strings.Contains(string(body), `"dry_run":true`) {
			*done++
		}
		_, _ = io.WriteString(w, `{"version":2,"hash":"abcdefabcdefabcdef","base":{"queues.yaml":"x"},"changes":[{"action":"changed","kind":"severity","section":"queues","id":"q1","name":"Q","fields":[]}],"items":[{"version":2},{"version":1}]}`)
	}))
	t.Cleanup(server.Close)
	return localTokenFile(t, server.URL, "local.secret")
}

// person answers a question, and keeps what he has seen until then.
type person struct {
	answer io.Reader
	seen   func()
}

func (p person) Read(b []byte) (int, error) {
	p.seen()
	return p.answer.Read(b)
}

// TestAskedAtATerminal: who is there sees what would change, is asked, and only his
// yes does it, once; with --json he is not asked.
func TestAskedAtATerminal(t *testing.T) {
	done := 0
	data, tree := planServer(t, &done), t.TempDir()
	if err := os.WriteFile(filepath.Join(tree, "queues.yaml"), []byte("queues: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	words := map[string][3]string{"zh-cn": {"使以上更改生效？[y/N] ", "回退？[y/N] ", "未作更改\n"}, "en-us": {"Put this in force? [y/N] ", "Go back? [y/N] ", "nothing was changed\n"}}
	for i, args := range [][]string{{"config", "apply", tree}, {"catalog", "apply", tree}, {"config", "rollback"}} {
		for lang, w := range words {
			t.Setenv("CASEMATE_LANGUAGE", lang)
			for answer, calls := range map[string]int{"n\n": 0, "\n": 0, "": 0, "y\n": 1} {
				done = 0
				var out, problems strings.Builder
				before, early := "", -1
				o := &output{out: &out, err: &problems, lang: shellLanguage(), person: true, in: person{strings.NewReader(answer), func() {
					if early < 0 {
						before, early = out.String(), done
					}
				}}}
				code := runWith(t.Context(), append(args, "--data", data), o)
				plan, rest, _ := strings.Cut(before, w[i/2])
				if code != 1-calls || done != calls || early != 0 || !strings.Contains(plan, "q1") || rest != "" || !strings.HasSuffix(before, w[i/2]) {
					t.Errorf("%v, %s, %q: exit %d, %d changes, %d before the answer, asked with %q", args, lang, answer, code, done, early, before)
				}
				if refused := problems.String() == "casemate: "+w[2]; refused == (calls == 1) {
					t.Errorf("%v, %s, %q: %q", args, lang, answer, problems.String())
				}
			}
			done = 0
			var out, problems strings.Builder
			o := &output{out: &out, err: &problems, lang: shellLanguage(), person: true, in: person{strings.NewReader("y\n"), func() { t.Errorf("%v --json asks", args) }}}
			if code := runWith(t.Context(), append(args, "--json", "--data", data), o); code != 1 || done != 0 || out.Len() > 0 || problems.String() != "casemate: "+untold[lang] {
				t.Errorf("%v --json, %s: exit %d, %d changes, %q, %q", args, lang, code, done, out.String(), problems.String())
			}
		}
	}
}

// TestNothingUnasked: what changes a running product is done with --yes, or by a plan
// that was looked at; without a terminal it is shown and refused, and a trial does nothing.
func TestNothingUnasked(t *testing.T) {
	done := 0
	data, tree := planServer(t, &done), t.TempDir()
	seen := filepath.Join(tree, "plan.json")
	if err := os.WriteFile(filepath.Join(tree, "queues.yaml"), []byte("queues: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), []string{"config", "plan", tree, "--out", seen, "--data", data}, io.Discard, io.Discard); code != 0 {
		t.Fatal("no plan")
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
		refusals := map[string]string{"zh-cn": "未作更改：此处没有可供确认的终端；加 --yes 执行\n", "en-us": "nothing was changed: there is no terminal to ask at; --yes does it\n"}
		if slices.Contains(c.args, "--json") {
			refusals = untold
		}
		for lang, refusal := range refusals {
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
