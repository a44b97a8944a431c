package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReviewedPlan: a plan in a file puts in force what it showed, whatever the
// tickets are by now, and nothing else; what differs is named in both languages.
func TestReviewedPlan(t *testing.T) {
	const (
		queue  = `{"action":"changed","section":"queues","id":"q1","name":"Q","fields":[{"field":"order","before":"1","after":"2"},{"field":"team","before":"a","after":"b"}]}`
		other  = `{"action":"changed","section":"queues","id":"q1","name":"Q","fields":[{"field":"order","before":"1","after":"3"},{"field":"team","before":"a","after":"b"}]}`
		rule   = `{"action":"added","section":"rules","id":"r1","fields":[{"field":"mode","before":"","after":"on"}]}`
		totals = `"totals":[{"effect":"queue_in","count":7}],"tickets":[{"number":"TS1","effect":"queue_in"}],"notices":["12 records go"]`
	)
	answer := func(layout, base, more string, changes ...string) string {
		return `{"version":2,"hash":"abcdefabcdefabcdef","layout":` + layout + `,"base":{"queues.yaml":"` + base + `"},"changes":[` + strings.Join(changes, ",") + `]` + more + `}`
	}
	var now, applied string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, "/apply") {
			applied = string(body)
		}
		_, _ = io.WriteString(w, now)
	}))
	defer server.Close()
	data := localTokenFile(t, server.URL, "local.secret")
	files := map[string]string{"queues.yaml": "queues: []\n", "catalog/products.yaml": "products: []\n"}
	for name, c := range map[string]struct {
		edit     map[string]string
		seen     string
		now      string
		zh, en   string // "" = it is put in force
		zh2, en2 string
	}{
		"the same, other tickets":         {nil, answer("false", "x", "", queue, rule), answer("false", "x", ","+totals, queue, rule), "", "", "", ""},
		"a comment that nothing keeps":    {map[string]string{"queues.yaml": "queues: [] # none\n"}, answer("false", "x", "", queue), answer("false", "x", "", queue), "", "", "", ""},
		"in force by now":                 {nil, answer("true", "x", "", queue), answer("false", "y", ""), "", "", "", ""},
		"a part of it in force by now":    {nil, answer("false", "x", "", queue, rule), answer("false", "y", "", rule), "", "", "", ""},
		"an entry that was not shown":     {map[string]string{"rules.yaml": "rules: []\n"}, answer("false", "x", "", queue), answer("false", "x", "", queue, rule), "  rules r1：差异中没有\n此后被修改的文件：rules.yaml\n请重新", "  rules r1: not in the plan\nfiles edited since: rules.yaml\nmake the plan again", "当前配置", "in force since"},
		"another value":                   {map[string]string{"queues.yaml": "queues: [1]\n"}, answer("false", "x", "", queue), answer("false", "x", "", other), "  queues q1 (Q)：与差异所示不同（order）\n此后被修改的文件：queues.yaml\n", "  queues q1 (Q): not as in the plan (order)\nfiles edited since: queues.yaml\n", "team", "team"},
		"an entry that is edited away":    {map[string]string{"queues.yaml": "queues: [1]\n"}, answer("false", "x", "", queue, rule), answer("false", "x", "", queue), "  rules r1：差异中有，现在不会更改\n", "  rules r1: in the plan, and would not be changed now\n", "q1", "q1"},
		"all of it edited away":           {map[string]string{"queues.yaml": "queues: [1]\n"}, answer("false", "x", "", queue), answer("false", "y", ""), "  queues q1 (Q)：差异中有，现在不会更改\n", "  queues q1 (Q): in the plan, and would not be changed now\n", "rules", "rules"},
		"changed in force":                {nil, answer("false", "x", "", queue), answer("false", "y", "", other), "（order）\n此后当前配置有变：queues.yaml\n请重新", "(order)\nchanged in force since: queues.yaml\nmake the plan again", "修改的文件", "edited"},
		"a comment that is kept":          {map[string]string{"catalog/products.yaml": "products: [] # none\n"}, answer("true", "x", "", queue), answer("true", "x", "", queue), "  catalog/products.yaml：注释或文件划分不同\n", "  catalog/products.yaml: comments or the layout differ\n", "q1", "q1"},
		"a comment that is kept no more":  {map[string]string{"catalog/products.yaml": "products: [ ]\n"}, answer("true", "x", ""), answer("false", "x", ""), "  catalog/products.yaml：注释或文件划分不同\n", "  catalog/products.yaml: comments or the layout differ\n", "q1", "q1"},
		"a secret's value, the same file": {nil, answer("false", "x", "", queue), answer("false", "x", "", queue, `{"action":"changed","section":"providers","id":"relay","fields":[{"field":"secrets.password","before":"","after":"(changed)"}]}`), "  providers relay：差异中没有\n请重新", "  providers relay: not in the plan\nmake the plan again", "修改的文件", "edited"},
	} {
		t.Run(name, func(t *testing.T) {
			tree := t.TempDir()
			write := func(all map[string]string) {
				for name, text := range all {
					p := filepath.Join(tree, name)
					if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
			write(files)
			seen := filepath.Join(t.TempDir(), "plan.json")
			now = c.seen
			if code := run(t.Context(), []string{"config", "plan", tree, "--clocks", "move", "--out", seen, "--data", data}, io.Discard, io.Discard); code != 0 {
				t.Fatal("no plan")
			}
			write(c.edit)
			now = c.now
			for lang, want := range map[string][2]string{"zh-cn": {c.zh, c.zh2}, "en-us": {c.en, c.en2}} {
				t.Setenv("CASEMATE_LANGUAGE", lang)
				applied = ""
				var out, problems strings.Builder
				code := run(t.Context(), []string{"config", "apply", tree, "--plan", seen, "--data", data}, &out, &problems)
				if want[0] == "" {
					if code != 0 || !strings.Contains(applied, `"base":{"queues.yaml":"x"}`) || !strings.Contains(applied, `"clocks":"move"`) {
						t.Errorf("%s: exit %d, %q, put in force with %q", lang, code, problems.String(), applied)
					}
					continue
				}
				if code != 1 || applied != "" || !strings.Contains(problems.String(), want[0]) || want[1] != "" && strings.Contains(problems.String(), want[1]) || !strings.Contains(problems.String(), seen) || !strings.Contains(problems.String(), tree) {
					t.Errorf("%s: exit %d, %q, put in force with %q", lang, code, problems.String(), applied)
				}
			}
		})
	}
}

// TestNoPlanFile: the answer of the server alone does not say what files it is of.
func TestNoPlanFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "plan.json")
	for _, text := range []string{"", "{}", "[]", `{"base":{}}`, `{"files":{}}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readPlan(file); err == nil || !strings.HasSuffix(err.Error(), "not a file that plan --out wrote") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
