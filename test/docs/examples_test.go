// Package docs runs what the documents show: every block of code of the page
// with application examples, as it stands there, against the shipped binary.
package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"casemate/test/world"
)

func TestMain(m *testing.M) { world.Main(m) }

const page = "../../docs/guide/examples"

type block struct{ title, lang, text string }

var (
	fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")
)

func blocks(t *testing.T, file string) []block {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	for _, section := range strings.Split("\n"+string(text), "\n## ")[1:] {
		title, _, _ := strings.Cut(section, "\n")
		for _, m := range fence.FindAllStringSubmatch(section, -1) {
			out = append(out, block{title, m[1], m[2]})
		}
	}
	return out
}

// TestExamples runs the page: the bash blocks as one session, the programs each
// with the same environment. The first block, where the reader fills in his own
// values, is filled in here.
func TestExamples(t *testing.T) {
	all := blocks(t, page+".md")
	zh := blocks(t, page+".zh-CN.md")
	if len(all) < 8 || len(all) != len(zh) {
		t.Fatalf("%d blocks in English, %d in Chinese", len(all), len(zh))
	}
	for i := range all {
		if all[i].text != zh[i].text || all[i].lang != zh[i].lang {
			t.Errorf("the code of %q and %q differs", all[i].title, zh[i].title)
		}
	}

	w := world.Start(t, world.Options{Strict: true})
	domain, user := w.Domains[0], w.Domains[0].Users[0]
	values := map[string]string{"CASEMATE": w.URL, "ACCOUNT": domain.Name, "CASEMATE_USER": user.Name, "PASSWORD": user.Password, "AK": user.AK, "SK": user.SK}
	env := os.Environ()
	for name, value := range values {
		if !regexp.MustCompile(`\b` + name + `='`).MatchString(all[0].text) {
			t.Errorf("the first block does not set %s", name)
		}
		env = append(env, name+"="+value)
	}
	run := func(t *testing.T, dir, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	has := func(t *testing.T, out string, words ...string) {
		t.Helper()
		for _, word := range words {
			if !strings.Contains(out, word) {
				t.Errorf("%q is not in what was printed:\n%s", word, out)
			}
		}
	}

	t.Run("bash", func(t *testing.T) {
		session := "set -eu -o pipefail\n"
		for _, b := range all[1:] {
			if b.lang == "bash" {
				session += b.text
			}
		}
		for _, tool := range []string{"bash", "curl", "jq", "openssl"} {
			if _, err := exec.LookPath(tool); err != nil {
				t.Fatalf("%s is needed: make setup installs it", tool)
			}
		}
		out := run(t, t.TempDir(), "bash", "-c", session)
		has(t, out, "submitted TS", user.Name+": The report is attached.", user.Name+": One more thing", `"incident_status_counts"`)
		if n := strings.Count(out, "One more thing: it happens"); n != 1 {
			t.Errorf("a message was shown %d times", n)
		}
	})
	t.Run("go", func(t *testing.T) {
		i := slices.IndexFunc(all, func(b block) bool { return b.lang == "go" })
		dir, err := os.MkdirTemp(".", "example") // in the module, whose go.mod names the SDK
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(all[i].text), 0o600); err != nil {
			t.Fatal(err)
		}
		out := run(t, dir, "go", "run", ".")
		has(t, out, "submitted TS", user.Name+" wrote: Found it", "cancelled TS")
	})
	for _, b := range all {
		if b.lang != "python" {
			continue
		}
		t.Run("python "+b.title, func(t *testing.T) {
			python, err := exec.LookPath("python3")
			if err != nil {
				t.Fatal("python3 is needed: make setup installs it")
			}
			file := filepath.Join(t.TempDir(), "example.py")
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, "", python, "-m", "py_compile", file)
			if strings.Contains(b.text, "huaweicloudsdkosm") && exec.Command(python, "-c", "import huaweicloudsdkosm").Run() != nil {
				// No Debian package has it: there the example is held to Python's grammar only.
				t.Log("compiled and not run: huaweicloudsdkosm is not installed")
				return
			}
			has(t, run(t, "", python, file), "TS")
		})
	}
}
