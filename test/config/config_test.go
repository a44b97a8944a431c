// Package config drives configuration as code with the shipped binary on the
// demo world, and reads what became of it back through the API.
package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

func TestMain(m *testing.M) { world.Main(m) }

// get calls the desk as the operator.
func get(t *testing.T, w *world.World, path string, into any) {
	t.Helper()
	status, text, err := w.Operator("GET", path, nil)
	if err != nil || status != 200 {
		t.Fatalf("%s: %d %s %v", path, status, text, err)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
}

// clocks are what is promised for each open ticket and when it is due, by the API.
func clocks(t *testing.T, w *world.World) map[string]string {
	t.Helper()
	var list struct {
		Items []struct {
			Number string `json:"number"`
		} `json:"items"`
	}
	get(t, w, "/desk/v1/tickets?status=0&status=1&status=2&status=5&status=17&limit=100", &list)
	out := map[string]string{}
	for _, i := range list.Items {
		var c struct {
			Clocks []struct {
				Kind   string `json:"kind"`
				N      int    `json:"n"`
				Target int64  `json:"target_ms"`
				Due    string `json:"due_at"`
				State  string `json:"state"`
			} `json:"clocks"`
		}
		get(t, w, "/desk/v1/tickets/"+i.Number+"/clocks", &c)
		for _, k := range c.Clocks {
			if k.Target == 0 {
				t.Fatalf("%s has a clock without a target", i.Number)
			}
		}
		out[i.Number] = fmt.Sprint(c.Clocks)
	}
	return out
}

// tree reads a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// plan is what the command prints with --json.
type plan struct {
	Version int64 `json:"version"`
	Changes []any `json:"changes"`
	Layout  bool  `json:"layout"`
	Tickets []struct {
		Number string `json:"number"`
		Effect string `json:"effect"`
	} `json:"tickets"`
}

// TestDemo: the whole demo configuration, exported, planned and applied, differs
// in nothing; a change of targets moves the clocks of just the open tickets that
// its plan names; going back restores every file.
func TestDemo(t *testing.T) {
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			o := world.Options{Strict: true, Fresh: true}
			if engine == "postgres" {
				o.Database = dbtest.ServerDatabase(t)
			}
			w := world.Start(t, o)
			local := func(args ...string) string {
				t.Helper()
				out, err := w.Local(append([]string{"config"}, args...)...)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			planned := func(args ...string) (p plan) {
				t.Helper()
				if err := json.Unmarshal([]byte(local(append(args, "--json")...)), &p); err != nil {
					t.Fatal(err)
				}
				return p
			}
			first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
			local("export", first)
			nothing := func(p plan, when string) {
				t.Helper()
				if len(p.Changes) > 0 || p.Layout || len(p.Tickets) > 0 {
					t.Errorf("%s: %+v", when, p)
				}
			}
			nothing(planned("plan", first), "the plan of an export")
			nothing(planned("apply", first), "applying an export")
			nothing(planned("plan", first), "the plan behind it")
			local("export", second)
			if !maps.Equal(tree(t, first), tree(t, second)) {
				t.Error("applying an export changed the export")
			}

			accounts(t, w, local)
			// Ranges of reports are those of the installation's zone, unless another is asked for.
			for zone, args := range map[string][]string{"GMT+8": nil, "America/New_York": {"--zone", "America/New_York"}} {
				out, err := w.Local(append([]string{"report", "flow", "--from", "2026-01-02", "--to", "2026-01-03"}, args...)...)
				if err != nil || !strings.Contains(out, "2026-01-02 00:00:00 – 2026-01-04 00:00:00 (zone "+zone+")") {
					t.Errorf("a report's range in %s: %s %v", zone, out, err)
				}
			}

			p := filepath.Join(first, "catalog", "severities.yaml")
			text, err := os.ReadFile(p)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.ReplaceAll(string(text), "first_response: 1h", "first_response: 3h")
			if changed == string(text) {
				t.Fatal("no target to change")
			}
			if err := os.WriteFile(p, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
			broken := filepath.Join(first, "rules.yaml")
			rules, err := os.ReadFile(broken)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(broken, append(slices.Clone(rules), "mood: good\n"...), 0o600); err != nil {
				t.Fatal(err)
			}
			line := strings.Count(string(rules), "\n") + 1
			if _, err := w.Local("config", "apply", first); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("rules.yaml:%d:1: ", line)) || !strings.Contains(err.Error(), "mood") {
				t.Errorf("a broken file: %v", err)
			}
			if err := os.WriteFile(broken, rules, 0o600); err != nil {
				t.Fatal(err)
			}

			before := clocks(t, w)
			file := filepath.Join(t.TempDir(), "plan.json")
			moves := planned("plan", first, "--clocks", "move", "--out", file)
			var named []string
			for _, x := range moves.Tickets {
				if x.Effect == "clocks" {
					named = append(named, x.Number)
				}
			}
			if len(named) == 0 || len(moves.Changes) == 0 {
				t.Fatalf("the plan: %+v", moves)
			}
			if !maps.Equal(before, clocks(t, w)) {
				t.Error("a plan moved clocks")
			}
			local("apply", first, "--plan", file)
			others := func() (all []string) {
				after := clocks(t, w)
				for n, c := range before {
					if after[n] != c {
						all = append(all, n)
					}
				}
				return all
			}
			slices.Sort(named)
			var moved []string
			for range 100 { // a job moves them, behind the commit
				moved = others()
				slices.Sort(moved)
				if slices.Equal(named, moved) {
					break
				}
				time.Sleep(200 * time.Millisecond)
			}
			if !slices.Equal(named, moved) {
				t.Errorf("the plan named %v, the clocks of %v are others", named, moved)
			}
			nothing(planned("plan", first), "the plan behind apply")
			nothing(planned("plan", first, "--clocks", "move"), "moving again")

			if p := planned("apply", first, "--plan", file); len(p.Changes) > 0 || p.Version != 6 {
				t.Errorf("what is in force, by an old plan: %+v", p)
			}
			if err := os.WriteFile(p, []byte(strings.ReplaceAll(changed, "first_response: 3h", "first_response: 5h")), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Local("config", "apply", first, "--plan", file); err == nil || !strings.Contains(err.Error(), "severities.yaml") {
				t.Errorf("an old plan: %v", err)
			}
			if out, err := w.Local("config", "rollback"); err == nil || !strings.Contains(err.Error(), "--yes") {
				t.Errorf("going back unasked: %s %v", out, err)
			}
			if out, err := w.Local("config", "apply", first); err == nil || !strings.Contains(err.Error(), "--yes") {
				t.Errorf("applying unasked: %s %v", out, err)
			}
			if out := local("rollback", "--dry-run"); !strings.Contains(out, "severities") && !strings.Contains(out, "support_plan") {
				t.Errorf("going back would change: %s", out)
			}
			local("rollback", "--yes", "--clocks", "move")
			third := filepath.Join(t.TempDir(), "c")
			local("export", third)
			if !maps.Equal(tree(t, second), tree(t, third)) {
				t.Error("going back did not restore every file")
			}
			if out := local("history"); strings.Count(out, "\n") != 7 {
				t.Errorf("the history:\n%s", out)
			}
			for range 100 {
				if moved = others(); len(moved) == 0 {
					break
				}
				time.Sleep(200 * time.Millisecond)
			}
			if len(moved) > 0 {
				t.Errorf("the clocks of %v did not come back", moved)
			}
			reviewed(t, w, local)
		})
	}
}

// reviewed: a plan that was looked at puts nothing in force that it did not show, be
// the folder another one or edited, and what it showed although tickets go on; the
// values of secrets are not in it.
func reviewed(t *testing.T, w *world.World, local func(args ...string) string) {
	t.Helper()
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := t.TempDir()
	first, second, file, secret := filepath.Join(root, "a"), filepath.Join(root, "b"), filepath.Join(root, "plan.json"), filepath.Join(root, "secret")
	local("export", first)
	local("export", second)
	before := tree(t, first)
	edit := func(dir, target, provider string) {
		t.Helper()
		write(filepath.Join(dir, "catalog", "severities.yaml"), strings.ReplaceAll(before["catalog/severities.yaml"], "first_response: 1h", "first_response: "+target))
		write(filepath.Join(dir, "providers.yaml"), "providers:\n  - {id: relay, kind: smtp, order: 10, smtp: {host: mail.example, user: mailer, from: desk@desk.example}, secrets: {password: \"file:"+secret+"\"}}\n"+provider)
	}
	write(secret, "hunter2-of-relay\n")
	edit(first, "2h", "")
	edit(second, "9h", "  - {id: other, kind: smtp, order: 20, smtp: {host: evil.example, from: desk@desk.example}}\n")
	shown := local("plan", first, "--clocks", "move", "--out", file)
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "hunter2") || !strings.Contains(string(text), "relay") {
		t.Errorf("the plan's file: %s %v", text, err)
	}
	refused := func(dir string, words ...string) {
		t.Helper()
		_, err := w.Local("config", "apply", dir, "--plan", file)
		if err == nil {
			t.Fatalf("%s: put in force", dir)
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: no %q in %v", dir, word, err)
			}
		}
		out := filepath.Join(t.TempDir(), "now")
		if local("export", out); !maps.Equal(tree(t, out), before) {
			t.Errorf("%s: something is in force", dir)
		}
	}
	refused(second, "providers other: not in the plan\n", "not as in the plan (", "files edited since: catalog/severities.yaml, providers.yaml\n")
	text, err := os.ReadFile(filepath.Join(first, "catalog", "severities.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(filepath.Join(first, "catalog", "severities.yaml"), string(text)+"# nobody read this\n")
	refused(first, "catalog/severities.yaml: comments or the layout differ\n")
	write(filepath.Join(first, "catalog", "severities.yaml"), string(text))

	ended := false
	for line := range strings.Lines(shown) { // a ticket that the plan names ends
		if word := strings.Fields(line); len(word) > 0 && strings.HasPrefix(word[0], "TS") && !ended {
			_, err := w.Local("desk", "invalid", word[0], "spam")
			ended = err == nil
		}
	}
	if !ended {
		t.Fatalf("no ticket could be ended of\n%s", shown)
	}
	if local("plan", first, "--clocks", "move") == shown {
		t.Error("the plan does not look at tickets")
	}
	local("apply", first, "--plan", file)
	if out := local("plan", first); !strings.Contains(out, "no difference") {
		t.Errorf("behind the apply:\n%s", out)
	}

	local("export", first, "--force")
	before = tree(t, first)
	edit(first, "1h", "")
	local("plan", first, "--out", file)
	write(secret, "another-of-relay\n")
	refused(first, "providers relay: not in the plan\n", "make the plan again")
}

// accounts: the demo's accounts, people, groups and keys as files differ in nothing;
// what a tree changes of them is told first, is put in force when it is meant, and
// holds at once; a person who was made can come in, and a key's secret is shown once.
func accounts(t *testing.T, w *world.World, local func(args ...string) string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "with")
	local("export", dir, "--with", "accounts,people")
	empty := func(when string) {
		t.Helper()
		if out := local("plan", dir); !strings.Contains(out, "no difference") {
			t.Errorf("%s: %s", when, out)
		}
	}
	empty("the plan of an export with people")
	local("apply", dir, "--yes", "--with", "accounts")
	empty("the plan behind it")
	users := filepath.Join(dir, "accounts", "users.yaml")
	text, err := os.ReadFile(users)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "@") || strings.Contains(string(text), "password") {
		t.Error("the export has contacts or passwords")
	}
	domain := ""
	var list struct {
		Items []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"items"`
	}
	get(t, w, "/desk/v1/domains", &list)
	domain = list.Items[0].ID
	added := string(text) + "  - {id: ops-bot, domain_id: " + domain + ", name: ops-bot}\n"
	if err := os.WriteFile(users, []byte(added), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(dir, "accounts", "keys.yaml")
	if err := os.WriteFile(keys, []byte("keys:\n  - {id: OPSBOTOPSBOTOPSBOT01, user_id: ops-bot, description: CI}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := local("plan", dir); !strings.HasPrefix(out, "! new user ops-bot (ops-bot) (account "+list.Items[0].Name) {
		t.Errorf("the plan:\n%s", out)
	}
	if _, err := w.Local("config", "apply", dir, "--yes"); err == nil || !strings.Contains(err.Error(), "--with accounts") {
		t.Errorf("accounts that nobody meant: %v", err)
	}
	out := local("apply", dir, "--yes", "--with", "accounts")
	_, secret, ok := strings.Cut(out, "shown this once: ")
	if secret, _, _ = strings.Cut(secret, "\n"); !ok || len(secret) != 40 {
		t.Fatalf("no secret:\n%s", out)
	}
	empty("the plan behind apply")
	signed := func() int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+"/v2/servicerequest/cases?limit=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		world.Sign(r, nil, "OPSBOTOPSBOTOPSBOT01", secret, time.Now())
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode
	}
	if status := signed(); status != 200 {
		t.Errorf("the new key signs: %d", status)
	}
	if again := local("apply", dir, "--yes", "--with", "accounts"); strings.Contains(again, secret) || strings.Contains(local("export", filepath.Join(t.TempDir(), "x"), "--with", "accounts", "--json"), secret) {
		t.Error("the secret is shown again")
	}
	one := filepath.Join(t.TempDir(), "one") // a tree of one file
	if err := os.MkdirAll(filepath.Join(one, "accounts"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(one, "accounts", "keys.yaml"), []byte("keys:\n  - {id: OPSBOTOPSBOTOPSBOT01, state: disabled}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	local("apply", one, "--yes", "--with", "accounts")
	if status := signed(); status != 401 {
		t.Errorf("the stopped key signs: %d", status)
	}
	local("rollback", "--with", "accounts", "--yes")
	if status := signed(); status != 200 {
		t.Errorf("the key after going back: %d", status)
	}
	if out := local("rollback", "2", "--dry-run", "--with", "accounts"); !strings.Contains(out, "no difference") { // what was made stays
		t.Errorf("going back would change:\n%s", out)
	}
}
