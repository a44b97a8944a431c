package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"casemate/internal/locale"
)

// usageZH says kong's errors in Chinese, the common ones; $1 and so on are the
// groups of the pattern, what is not known stays as it is.
var usageZH = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`^unknown flag (.+?), did you mean (?:one of )?(.+)\?$`), "没有参数 $1，您是否要用 $2？"},
	{regexp.MustCompile(`^unknown flag (.+)$`), "没有参数 $1"},
	{regexp.MustCompile(`^unexpected argument (.+?), did you mean (?:one of )?(.+)\?$`), "多余的参数或未知的命令 $1，您是否要用 $2？"},
	{regexp.MustCompile(`^unexpected argument (.+)$`), "多余的参数或未知的命令 $1"},
	{regexp.MustCompile(`^missing flags: (.+)$`), "缺少必填参数：$1"},
	{regexp.MustCompile(`^missing positional arguments (.+)$`), "缺少参数：$1"},
	{regexp.MustCompile(`^expected one of (.+)$`), "缺少命令，可用的有：$1"},
	{regexp.MustCompile(`^expected "(.+)"$`), "缺少参数：$1"},
	{regexp.MustCompile(`^(.+) must be one of ("[^",]*") but got (".*")$`), "$1 只能是 $2，不能是 $3"},
	{regexp.MustCompile(`^(.+) must be one of (.+) but got (".*")$`), "$1 只能是 $2 之一，不能是 $3"},
	{regexp.MustCompile(`^(.+): expected .+ value but got "EOL".*$`), "$1 缺少值"},
	{regexp.MustCompile(`^(.+): expected .+ value but got (".*") .*$`), "$1 缺少值，其后为 $2"},
	{regexp.MustCompile(`^(.+): missing value, expecting (.+)$`), "$1 缺少值，格式为 $2"},
	{regexp.MustCompile(`^(.+): expected a valid \d+ bit u?int but got (".*")(.*)$`), "$1 须为整数：$2$3"},
	{regexp.MustCompile(`^(.+): expected duration but got (".*?").*$`), "$1 须为时长，例如 30s、5m、2h：$2"},
	{regexp.MustCompile(`^(.+): bool value must be (.+) but got (".*")(.*)$`), "$1 只能是 $2：$3$4"},
	{regexp.MustCompile(`^(.+): expected ("<key>=<value>") but got (".*")(.*)$`), "$1 的格式为 $2：$3$4"},
	{regexp.MustCompile(`^unexpected flag argument (.+)$`), "该参数不带值：$1"},
}

// usageEN says in plain words what kong says otherwise.
var usageEN = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`^expected "(.+)"$`), "missing $1"},
	{regexp.MustCompile(`^expected one of (.+)$`), "missing a command, there are: $1"},
	{regexp.MustCompile(`^(.+) must be one of ("[^",]*") but got (".*")$`), "$1 must be $2 but got $3"},
}

// usageText is what is wrong with a command line, in the shell's language.
func usageText(text string, lang locale.Language) string {
	if lang != locale.ZH {
		for _, u := range usageEN {
			text = u.pattern.ReplaceAllString(text, u.text)
		}
		return text
	}
	for _, u := range usageZH {
		if m := u.pattern.FindStringSubmatchIndex(text); m != nil {
			return string(u.pattern.ExpandString(nil, u.text, text, m))
		}
	}
	return text
}

// wrongPath are kong's errors of a path that is not what a command reads, and what
// is said of a file and of a folder. The command line itself is right.
var wrongPath = []struct {
	pattern      *regexp.Regexp
	file, folder locale.Texts
}{
	{regexp.MustCompile(`^(.+?): stat (.+): no such file or directory$`), locale.Texts{ZH: "$1：文件不存在：$2", EN: "$1: there is no such file: $2"}, locale.Texts{ZH: "$1：目录不存在：$2", EN: "$1: there is no such folder: $2"}},
	{regexp.MustCompile(`^(.+?): stat (.+): permission denied$`), locale.Texts{ZH: "$1：没有权限读取：$2", EN: "$1: it may not be read: $2"}, locale.Texts{ZH: "$1：没有权限读取：$2", EN: "$1: it may not be read: $2"}},
	{regexp.MustCompile(`^(.+?): stat (.+): not a directory$`), locale.Texts{ZH: "$1：文件不存在，其上级不是目录：$2", EN: "$1: there is no such file, what is above it is no folder: $2"}, locale.Texts{ZH: "$1：目录不存在，其上级不是目录：$2", EN: "$1: there is no such folder, what is above it is none: $2"}},
	{regexp.MustCompile(`^(.+?): "(.*)" exists but is a directory$`), locale.Texts{ZH: "$1：须为文件，而这是目录：$2", EN: "$1: a folder, where a file is asked for: $2"}, locale.Texts{}},
	{regexp.MustCompile(`^(.+?): "(.*)" exists but is not a directory$`), locale.Texts{}, locale.Texts{ZH: "$1：须为目录，而这是文件：$2", EN: "$1: a file, where a folder is asked for: $2"}},
}

// pathText is what is wrong with a path on a command line, "" when it is something
// else.
func pathText(text string, at *kong.Node, lang locale.Language) string {
	for _, w := range wrongPath {
		m := w.pattern.FindStringSubmatchIndex(text)
		if m == nil {
			continue
		}
		says := w.file
		for _, v := range at.Positional {
			if v.Tag.Type == "existingdir" && v.Summary() == text[m[2]:m[3]] {
				says = w.folder
			}
		}
		for _, f := range at.Flags {
			if f.Tag.Type == "existingdir" && strings.HasPrefix(text[m[2]:m[3]], "--"+f.Name) {
				says = w.folder
			}
		}
		said := string(w.pattern.ExpandString(nil, says.In(lang), text, m))
		// An argument is known by what was typed, only a flag by its name.
		return argument.ReplaceAllString(said, "")
	}
	return ""
}

// argument is the name of a positional argument in front of what is wrong with it.
var argument = regexp.MustCompile(`^<[^>]*>(?:\.\.\.)?(?:：|: )`)

// negative is a move of a clock that kong takes for a flag.
var negative = regexp.MustCompile(`^unknown flag -\d`)

// unknownCommand is kong's error of a word where a command is asked for, without
// one that is like it.
var unknownCommand = regexp.MustCompile(`^unexpected argument (\S+)$`)

// placeholders are kong's own words in a line of usage.
var placeholders = strings.NewReplacer("<command>", "<命令>", "[flags]", "[选项]", "[command]", "[命令]")

// misused tells what is wrong with a command line: the error, one line how the
// command is used, and where more is to be read.
func misused(w io.Writer, app *kong.Application, err error, lang locale.Language) {
	at, selected := app.Node, (*kong.Node)(nil)
	unnamed := false // the command is a default one that nobody wrote
	if p := (*kong.ParseError)(nil); errors.As(err, &p) && p.Context != nil {
		if selected = p.Context.Selected(); selected != nil {
			at = selected
			unnamed = at.Parent != nil && at.Parent.DefaultCmd == at && !slices.Contains(p.Context.Args, at.Name)
		}
	}
	if text := pathText(err.Error(), at, lang); text != "" {
		fmt.Fprintln(w, "casemate:", text)
		return
	}
	said := err.Error()
	if unknown := unknownCommand.FindStringSubmatch(said); unknown != nil && unnamed {
		// The word stood where a command could: the default one took it.
		selected, at = at.Parent, at.Parent
		if like := alike(unknown[1], at.Children); like != "" {
			said += ", did you mean " + strconv.Quote(like) + "?"
		}
	}
	text := usageText(said, lang)
	if at.FullPath() == "casemate demo clock" && negative.MatchString(err.Error()) {
		text = describe(errForward, lang)
	}
	usage := "casemate <command>"
	if selected != nil {
		usage = "casemate " + strings.TrimSpace(at.Summary())
	}
	if lang == locale.ZH {
		usage = placeholders.Replace(usage)
	}
	if unknown := unknownCommand.FindStringSubmatch(said); unknown != nil && len(at.Children) > 0 {
		text = unknownCommand.ReplaceAllString(err.Error(), locale.Texts{ZH: "没有命令 $1", EN: "there is no command $1"}.In(lang))
	}
	form := locale.Texts{ZH: "casemate: %s\n用法：%s\n详见 %s --help\n", EN: "casemate: %s\nUsage: %s\nSee %s --help\n"}.In(lang)
	fmt.Fprintf(w, form, text, usage, at.FullPath())
}

// alike is the command that a word was probably meant to be, "" = none: at most two
// letters of it are other, missing, too many or in each other's place.
func alike(word string, commands []*kong.Node) (like string) {
	least := min(2, len(word)/2)
	for _, c := range commands {
		if d := distance(word, c.Name); d <= least && !c.Hidden {
			like, least = c.Name, d-1
		}
	}
	return like
}

// distance is how many letters of a word are to be changed, put in, left out or
// swapped with the next to make it the other.
func distance(a, b string) int {
	row := make([][]int, len(a)+1)
	for i := range row {
		row[i] = make([]int, len(b)+1)
		for j := range row[i] {
			switch {
			case i == 0 || j == 0:
				row[i][j] = i + j
			default:
				cost := 1
				if a[i-1] == b[j-1] {
					cost = 0
				}
				row[i][j] = min(row[i-1][j]+1, row[i][j-1]+1, row[i-1][j-1]+cost)
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					row[i][j] = min(row[i][j], row[i-2][j-2]+1)
				}
			}
		}
	}
	return row[len(a)][len(b)]
}

// helpArgs turns `casemate help COMMAND` into `casemate COMMAND --help`.
func helpArgs(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(append([]string{}, args[1:]...), "--help")
	}
	return args
}

// helpZH are the texts of the help in Chinese, one a line: English, a tab, Chinese; \n
// stands for the end of a line.
//
//go:embed help.zh-cn.tsv
var helpZH string

// translate puts the help of a parser's commands, arguments and flags into
// Chinese; what has no text there stays as it is.
func translate(app *kong.Application) {
	lines := strings.NewReplacer(`\n`, "\n")
	words := map[string]string{}
	for line := range strings.Lines(helpZH) {
		en, zh, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		words[lines.Replace(en)] = lines.Replace(zh)
	}
	put := func(text *string) {
		if zh := words[*text]; zh != "" {
			*text = zh
		}
	}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		put(&n.Help)
		put(&n.Detail)
		for _, f := range n.Flags {
			put(&f.Help)
		}
		for _, p := range n.Positional {
			put(&p.Help)
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(app.Node)
	if app.HelpFlag != nil {
		put(&app.HelpFlag.Help)
	}
}

// frames are the words around the help's texts.
var frames = []struct {
	en *regexp.Regexp
	zh string
}{
	{regexp.MustCompile(`(?m)^Flags:$`), "选项："},
	{regexp.MustCompile(`(?m)^Arguments:$`), "参数："},
	{regexp.MustCompile(`(?m)^Commands:$`), "命令："},
	{regexp.MustCompile(`(?m)^Run "(.*)" for more information on a command\.$`), "运行 \"$1\" 查看某个命令的说明。"},
}

// usageLine is the line of usage in kong's help.
var usageLine = regexp.MustCompile(`(?m)^Usage: .*$`)

// help prints kong's help in the shell's language; who reads Chinese is also told
// where the documents are.
func help(lang locale.Language) kong.HelpPrinter {
	return func(o kong.HelpOptions, c *kong.Context) error {
		if lang != locale.ZH {
			return kong.DefaultHelpPrinter(o, c)
		}
		out := c.Stdout
		defer func() { c.Stdout = out }()
		var text strings.Builder
		c.Stdout = &text
		if err := kong.DefaultHelpPrinter(o, c); err != nil {
			return err
		}
		said := text.String()
		said = usageLine.ReplaceAllStringFunc(said, func(line string) string {
			return "用法：" + placeholders.Replace(strings.TrimPrefix(line, "Usage: "))
		})
		for _, f := range frames {
			said = f.en.ReplaceAllString(said, f.zh)
		}
		_, err := fmt.Fprint(out, "中文文档见 README.zh-CN.md 与 docs 目录（DESK.zh-CN.md 工程师，guide/ 与 CUSTOMERS.zh-CN.md 客户，OPERATE.zh-CN.md 运维），服务运行后也可在浏览器中打开 /docs。\n\n", said)
		return err
	}
}
