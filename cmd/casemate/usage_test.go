package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/alecthomas/kong"
)

// TestUsage: a wrong command line is answered on standard error with the error,
// one line of usage and where more is to be read, in the shell's language, and
// with exit code 2; nothing is on standard output.
func TestUsage(t *testing.T) {
	for _, c := range []struct{ args, zh, en string }{
		{"desk list --colour", "没有参数 --colour", "unknown flag --colour"},
		{"desk list --limt 3", `您是否要用 "--limit"`, `did you mean "--limit"`},
		{"config exprot x", `您是否要用 "export"`, `did you mean "export"`},
		{"config aply", `您是否要用 "apply"`, `did you mean "apply"`},
		{"config nonsense", "没有命令 nonsense", "there is no command nonsense"},
		{"desk show", "缺少参数：<case-id>", `missing <case-id>`},
		{"desk show TS1 TS2", "多余的参数或未知的命令 TS2", "unexpected argument TS2"},
		{"dekc", "多余的参数或未知的命令 dekc", "unexpected argument dekc"},
		{"backup", "缺少必填参数：--to=FILE", "missing flags: --to=FILE"},
		{"desk", "缺少命令，可用的有：", "missing a command, there are:"},
		{"desk transfer TS1 nowhere", "只能是", "must be one of"},
		{"desk list --limit", "--limit 缺少值", "--limit: expected"},
		{"desk list --limit many", `--limit 须为整数："many"`, "--limit: expected a valid"},
		{"desk preferences --notice foo", `--notice 的格式为 "<key>=<value>"："foo"`, `expected "<key>=<value>"`},
		{"demo clock -3d", "时钟只能向前拨动", "only moves forward"},
	} {
		for lang, want := range map[string]string{"zh-cn": c.zh, "en-us": c.en} {
			t.Setenv("CASEMATE_LANGUAGE", lang)
			var out, errOut strings.Builder
			code := run(t.Context(), strings.Fields(c.args), &out, &errOut)
			text := errOut.String()
			if code != 2 || out.Len() > 0 || !strings.Contains(text, want) || strings.Count(text, "\n") != 3 || !strings.Contains(text, "--help") {
				t.Errorf("%s in %s: exit code %d, %q, on standard output %q", c.args, lang, code, text, out.String())
			}
			first, _, _ := strings.Cut(text, "\n")
			if strings.ContainsFunc(first, func(r rune) bool { return unicode.Is(unicode.Han, r) }) != (lang == "zh-cn") {
				t.Errorf("%s: not in %s: %s", c.args, lang, first)
			}
		}
	}
}

// TestWrongPath: a path that is not what a command reads is told in a line of its
// own, in the shell's language, and not as a mistake of the command line.
func TestWrongPath(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.yaml")
	if err := os.WriteFile(file, []byte("a: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		zh, en string
	}{
		{[]string{"config", "plan", dir + "/none"}, "casemate: 目录不存在：" + dir + "/none", "casemate: there is no such folder: " + dir + "/none"},
		{[]string{"config", "apply", file}, "casemate: 须为目录，而这是文件：" + file, "casemate: a file, where a folder is asked for: " + file},
		{[]string{"config", "apply", file + "/x"}, "casemate: 目录不存在，其上级不是目录：", "casemate: there is no such folder, what is above it is none: "},
		{[]string{"config", "apply", dir, "--plan", dir + "/none"}, "：文件不存在：" + dir + "/none", ": there is no such file: " + dir + "/none"},
		{[]string{"config", "apply", dir, "--plan", dir}, "：须为文件，而这是目录：" + dir, ": a folder, where a file is asked for: " + dir},
		{[]string{"desk", "attach", "TS1", "/no/such/file"}, "casemate: 文件不存在：/no/such/file", "casemate: there is no such file: /no/such/file"},
	} {
		for lang, want := range map[string]string{"zh-cn": c.zh, "en-us": c.en} {
			t.Setenv("CASEMATE_LANGUAGE", lang)
			var out, errOut strings.Builder
			if code := run(t.Context(), c.args, &out, &errOut); code != 2 || out.Len() > 0 || !strings.Contains(errOut.String(), want) || strings.Count(errOut.String(), "\n") != 1 {
				t.Errorf("%v in %s: exit code %d, %q, want %q", c.args, lang, code, errOut.String(), want)
			}
		}
	}
}

// TestUsageWords: a wrong command line is told in the shell's language to its end.
func TestUsageWords(t *testing.T) {
	for _, c := range []struct {
		args   []string
		zh, en string
	}{
		{[]string{"bogus"}, "casemate: 没有命令 bogus\n用法：casemate <命令>\n", "casemate: there is no command bogus\nUsage: casemate <command>\n"},
		{[]string{"user"}, "缺少命令，可用的有：", "missing a command, there are: "},
		{[]string{"user", "bogus"}, "用法：casemate user <命令> [选项]\n", "Usage: casemate user <command> [flags]\n"},
		{[]string{"config", "apply"}, "缺少参数：<dir>\n用法：casemate config apply <dir> [选项]\n", "missing <dir>\nUsage: casemate config apply <dir> [flags]\n"},
		{[]string{"config", "apply", t.TempDir(), "--with", "x"}, `--with 只能是 "accounts"，不能是 "x"`, `--with must be "accounts" but got "x"`},
		{[]string{"config", "plan", t.TempDir(), "--clocks", "x"}, `--clocks 只能是 "keep","move" 之一，不能是 "x"`, `--clocks must be one of "keep","move" but got "x"`},
	} {
		for lang, want := range map[string]string{"zh-cn": c.zh, "en-us": c.en} {
			t.Setenv("CASEMATE_LANGUAGE", lang)
			var out, errOut strings.Builder
			if code := run(t.Context(), c.args, &out, &errOut); code != 2 || !strings.Contains(errOut.String(), want) {
				t.Errorf("%v in %s: exit code %d, %q, want %q", c.args, lang, code, errOut.String(), want)
			}
		}
	}
	t.Setenv("CASEMATE_LANGUAGE", "zh-cn")
	var out strings.Builder
	if run(t.Context(), []string{"user", "--help"}, &out, &out); !strings.Contains(out.String(), "用法：casemate user <命令> [选项]\n") {
		t.Errorf("the help: %.300s", out.String())
	}
}

// TestHelp: asked for, the help is whole and on standard output; who reads
// Chinese is told where that is.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{nil, {"help"}, {"--help"}, {"help", "desk"}, {"desk", "--help"}} {
		for lang, chinese := range map[string]bool{"zh-cn": true, "en-us": false} {
			t.Setenv("CASEMATE_LANGUAGE", lang)
			var out, errOut strings.Builder
			if code := run(t.Context(), args, &out, &errOut); code != 0 || errOut.Len() > 0 {
				t.Errorf("%v: exit code %d, %s", args, code, errOut.String())
			}
			if !strings.Contains(out.String(), map[bool]string{true: "用法：casemate", false: "Usage: casemate"}[chinese]) || strings.HasPrefix(out.String(), "中文文档") != chinese {
				t.Errorf("%v in %s: %.80q", args, lang, out.String())
			}
		}
	}
}

// TestHelpInChinese: nearly all of the help has its Chinese text, and none of the
// Chinese texts is left over from a help that is gone, but for a few under way.
func TestHelpInChinese(t *testing.T) {
	parser, err := kong.New(&command{})
	if err != nil {
		t.Fatal(err)
	}
	han := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
	}
	texts := func() (all []string) {
		var walk func(n *kong.Node)
		walk = func(n *kong.Node) {
			all = append(all, n.Help, n.Detail)
			for _, f := range n.Flags {
				all = append(all, f.Help)
			}
			for _, p := range n.Positional {
				all = append(all, p.Help)
			}
			for _, c := range n.Children {
				walk(c)
			}
		}
		walk(parser.Model.Node)
		return all
	}
	known := map[string]bool{}
	for _, text := range texts() {
		known[text] = true
	}
	translate(parser.Model)
	for _, n := range parser.Model.Children {
		if n.Detail != "" && !han(n.Detail) {
			t.Errorf("%s: not in Chinese: %s", n.Name, n.Detail)
		}
	}
	seen, chinese := 0, 0
	for _, text := range texts() {
		if text == "" {
			continue
		}
		if seen++; han(text) {
			chinese++
		} else if seen-chinese < 30 && !strings.HasPrefix(text, "zh-cn or") {
			t.Logf("not in Chinese: %s", text)
		}
	}
	if seen < 500 || chinese*100 < seen*95 {
		t.Errorf("%d of %d texts are in Chinese", chinese, seen)
	}
	stale := 0
	for line := range strings.Lines(helpZH) {
		en, zh, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || zh == "" {
			t.Errorf("no text: %q", line)
		}
		if !known[strings.ReplaceAll(en, `\n`, "\n")] && !strings.HasPrefix(en, "Show context") && !strings.HasPrefix(en, "Casemate, the") {
			stale++
			t.Logf("no help any more: %s", en)
		}
	}
	if stale > 25 {
		t.Errorf("%d texts are of no help any more", stale)
	}
}
