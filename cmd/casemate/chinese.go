package main

import (
	"errors"
	"io/fs"
	"regexp"
	"strings"
	"syscall"

	"casemate/internal/fault"
	"casemate/internal/yamlfile"
)

// pathWords are what the operating system says of a path, in both languages.
var pathWords = []struct {
	is     error
	zh, en string
}{
	{fs.ErrNotExist, "文件或目录不存在：", "there is no such file or folder: "},
	{fs.ErrExist, "已存在：", "it exists: "},
	{fs.ErrPermission, "没有权限：", "permission denied: "},
	{syscall.ENOSPC, "磁盘空间不足：", "no space left on the disk for "},
	{syscall.EDQUOT, "超出磁盘配额：", "the disk quota is used up, at "},
	{syscall.EFBIG, "超出文件大小限制（ulimit -f）：", "the file would be larger than may be written (ulimit -f): "},
	{syscall.EROFS, "文件系统只读：", "the file system is read-only: "},
	{syscall.EISDIR, "是目录而不是文件：", "a folder, not a file: "},
	{syscall.ENOTDIR, "不是目录：", "no folder: "},
	{syscall.EIO, "磁盘读写失败：", "reading or writing the disk failed: "},
}

// ofPath is an error of the operating system over a path, with what to do about it.
func ofPath(err error) (zh, en string, found *fs.PathError) {
	if !errors.As(err, &found) {
		return "", "", nil
	}
	zh, en = "", ""
	for _, w := range pathWords {
		if errors.Is(found.Err, w.is) {
			zh, en = w.zh+found.Path, w.en+found.Path
			break
		}
	}
	switch {
	case zh == "":
		return "", "", nil
	case found.Op == "mkdir" && errors.Is(found.Err, fs.ErrNotExist): // the folder above is not there, or takes none (/proc)
		return "无法创建目录 " + found.Path + "：上级目录不存在，或不接受新的目录", "the folder " + found.Path + " cannot be made: the folder above it is not there, or takes none", found
	case found.Op == "mkdir" && errors.Is(found.Err, fs.ErrPermission):
		return "无法创建目录 " + found.Path + "：对上级目录没有写权限", "the folder " + found.Path + " cannot be made: no permission to write in the folder above it", found
	}
	return zh, en, found
}

// inChinese is an error that was made in one language only: of files, and of the
// server's configuration file, whose words are few. What none of the forms fits is
// shown as it is.
func inChinese(err error) string {
	text := err.Error()
	if at := lineOfSettings.FindStringSubmatch(text); at != nil {
		return at[1] + "：第 " + at[2] + " 行，" + settingInChinese(at[3])
	}
	for _, f := range settingForms {
		if f.en.MatchString(text) {
			return f.en.ReplaceAllString(text, f.zh)
		}
	}
	if at := placeOfYAML.FindStringSubmatch(text); at != nil {
		return at[1] + "：第 " + at[2] + " 行第 " + at[3] + " 列，" + yamlfile.Words(at[4]).ZH
	}
	if zh := fault.Chinese(text); zh != "" {
		return zh
	}
	return text
}

// inEnglish is an English error with the YAML library's words made plain.
func inEnglish(text string) string {
	if at := placeOfYAML.FindStringSubmatch(text); at != nil {
		return at[1] + ": line " + at[2] + ", column " + at[3] + ": " + yamlfile.Words(at[4]).EN
	}
	return text
}

// lineOfSettings is where package config found a mistake of form, and its words.
var lineOfSettings = regexp.MustCompile(`^(.*?): line (\d+): (.*)`)

// settingInChinese is what it says of one.
func settingInChinese(why string) string {
	for _, f := range lineForms {
		if f.en.MatchString(why) {
			return strings.Replace(f.en.ReplaceAllString(why, f.zh), "the file ", "文件", 1)
		}
	}
	return yamlfile.Words(why).ZH
}

// lineForms are how package config words what is not of a key's form.
var lineForms = []form{
	{regexp.MustCompile(`^unknown key ("[^"]*")$`), `未知的键 $1`},
	{regexp.MustCompile(`^the key ("[^"]*") is there twice, first in line (\d+)$`), `键 $1 重复，已在第 $2 行写过`},
	{regexp.MustCompile(`^(.+): write a whole number$`), `$1 须为整数`},
	{regexp.MustCompile(`^(.+): write true or false$`), `$1 须为 true 或 false`},
	{regexp.MustCompile(`^(.+): write a text$`), `$1 须为文本`},
	{regexp.MustCompile(`^(.+): write (?:a|the) time with its unit, such as (.+) or (.+)$`), `$1 须为带单位的时长，例如 $2 或 $3`},
	{regexp.MustCompile(`^(.+): write (\{env: NAME\}) or (\{file: PATH\}); .*$`), `$1 须写 $2 或 $3，密钥从不写在此文件中`},
	{regexp.MustCompile(`^(.+): write a list of entries, each with its keys$`), `$1 须为列表，每个条目各有其键`},
	{regexp.MustCompile(`^(.+): write a list, such as (.+)$`), `$1 须为列表，例如 $2`},
	{regexp.MustCompile(`^(.+): write its keys below it, indented$`), `$1 须为“键: 值”，在其下缩进书写`},
}

// placeOfYAML is where the library found no YAML, and its words.
var placeOfYAML = regexp.MustCompile(`^(.*?): \[(\d+):(\d+)\] (.*)$`)

type form struct {
	en *regexp.Regexp
	zh string
}

// settingForms are how package config words what is wrong with a setting, the more
// special ones first. A file's name may stand in front.
var settingForms = []form{
	{regexp.MustCompile(`^(?:.*: )?listen tcp[46]? (\S+): .*address already in use$`), `无法监听 $1：地址已被占用`},
	{regexp.MustCompile(`^(?:.*: )?listen tcp[46]? (\S+): .*permission denied$`), `无法监听 $1：没有权限`},
	{regexp.MustCompile(`^(?:.*: )?listen tcp[46]? (\S+): .*cannot assign requested address$`), `无法监听 $1：本机没有此地址`},
	{regexp.MustCompile(`^(.*): no UTF-8 text, so no configuration file$`), `$1：不是 UTF-8 文本，因此不是配置文件`},
	{regexp.MustCompile(`unknown field "([^"]+)"`), `未知的键 "$1"`},
	{regexp.MustCompile(`^(.*)environment variable (\S+) is not set$`), `${1}未设置环境变量 $2`},
	{regexp.MustCompile(`^(.*)a secret comes from env or from file, not both$`), `${1}密钥取自 env 或 file，不能两者都写`},
	{regexp.MustCompile(`^(.*): the id is there twice$`), `$1：id 重复`},
	{regexp.MustCompile(`^(.*?)(\S+) cannot be negative$`), `${1}$2 不能为负数`},
	{regexp.MustCompile(`^(.*?)(\S+) cannot be switched off$`), `${1}$2 不能关闭`},
	{regexp.MustCompile(`^(.*?)(\S+) is missing(?:: (.*))?$`), `${1}缺少 $2 $3`},
	{regexp.MustCompile(`^(.*?)(\S+) is at least (\S+)$`), `${1}$2 至少为 $3`},
	{regexp.MustCompile(`^(.*?)(\S+) is at most (\S+)$`), `${1}$2 最多为 $3`},
	{regexp.MustCompile(`^(.*?)(\S+) is (-?\w+) to (\w+), 0 for the default$`), `${1}$2 须在 $3 到 $4 之间，0 为默认值`},
	{regexp.MustCompile(`^(.*?)(\S+) is (-?\w+) to (\w+)(, in whole seconds)?$`), `${1}$2 须在 $3 到 $4 之间`},
	{regexp.MustCompile(`^(.*?)(\S+) is (.+) or (\S+), not (".*")$`), `${1}$2 须为 $3 或 $4，而不是 $5`},
	{regexp.MustCompile(`^(.*?)(\S+) is an address such as (\S+)$`), `${1}$2 须为地址，例如 $3`},
	{regexp.MustCompile(`^(.*?)(\S+) is an https address \(http only with allow\)$`), `${1}$2 须为 https 地址（仅在 allow 中列出时可用 http）`},
	{regexp.MustCompile(`^(.*?)(\S+) is an address with a port, for example (\S+)$`), `${1}$2 须为带端口的地址，例如 $3`},
	{regexp.MustCompile(`^(.*): (".*") is no address with a port, such as (\S+)$`), `$1：$2 不是带端口的地址，例如 $3`},
	{regexp.MustCompile(`^(.*): (".*") is neither an address nor a range such as (\S+)$`), `$1：$2 既不是地址，也不是网段（例如 $3）`},
	{regexp.MustCompile(`^(.*?)(\S+) is one plain address(.*), name@example.com$`), `${1}$2 须为一个邮箱地址，例如 name@example.com`},
	{regexp.MustCompile(`^(.*): (".*"|\S+) is not one of (.*)$`), `$1：$2 须为以下之一：$3`},
	{regexp.MustCompile(`^(.*?)(\S+) is one of (.*)$`), `${1}$2 须为以下之一：$3`},
	{regexp.MustCompile(`^(.*?)(\S+) has 1 to (\d+) (?:characters|letters, digits, hyphens and underscores)$`), `${1}$2 须为 1 到 $3 个字母、数字、连字符或下划线`},
	{regexp.MustCompile(`^(.*?): certificate and key belong together$`), `$1：证书与私钥须同时给出`},
	{regexp.MustCompile(`^(.*?)(\S+) is (\S+),? (\S+ )?or (\S+)$`), `${1}$2 须为 $3 ${4}或 $5`},
}
