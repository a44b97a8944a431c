package yamlfile

import (
	"strings"

	"casemate/internal/locale"
)

// Words are what the library says of text that is no YAML, in plain words of both
// languages. What is rare is told by its kind, with the library's own words behind it.
func Words(why string) locale.Texts {
	for _, w := range [][3]string{
		{"mapping value is not allowed in this context", "这里不能有“键: 值”，请检查缩进，以及上一行的引号与冒号", "there can be no key: value here: look at the indentation, and at quotes and colons of the line above"},
		{"block sequence entries are not allowed in this context", "这里不能以 - 开头，请另起一行或给值加引号", "there can be no - here: begin a new line, or quote the value"},
		{"non-map value is specified", "这里须为“键: 值”，请检查缩进与冒号后的空格", "key: value is wanted here: look at the indentation and the space behind the colon"},
		{"value is not allowed in this context", "这里不能有值，请检查缩进与引号", "there can be no value here: look at indentation and quotes"},
		{"unexpected key name", "这里不能有键，请检查缩进", "there can be no key here: look at the indentation"},
		{"unexpected map key", "这里不能有键，请检查缩进", "there can be no key here: look at the indentation"},
		{"could not find value for mapping key", "键没有值", "the key has no value"},
		{"sequence end token ']' not found", "缺少 ]", "] is missing"},
		{"',' or ']' must be specified", "缺少逗号或 ]", "a comma or ] is missing"},
		{"could not find flow mapping end token '}'", "缺少 }", "} is missing"},
		{"',' or '}' must be specified", "缺少逗号或 }", "a comma or } is missing"},
		{"could not find end character of", "引号没有结束", "a quote is not closed"},
		{"found character '\t' that cannot start any token", "不能用制表符缩进，请用空格", "indent with spaces, not tabs"},
		{"found a tab character where an indentation space is expected", "不能用制表符缩进，请用空格", "indent with spaces, not tabs"},
		{"found an unknown escape character", "引号中的反斜杠写法有误", "a backslash in quotes is not understood"},
		{"found unknown escape character", "引号中的反斜杠写法有误", "a backslash in quotes is not understood"},
		{"is a reserved character", "值以保留字符开头，请加引号", "the value begins with a reserved character: quote it"},
		{"undefined alias name", "* 后的名称没有定义，请给值加引号", "what stands behind * is not defined: quote the value"},
		{"could not find alias value", "* 后没有名称，请给值加引号", "there is no name behind *: quote the value"},
		{"could not find anchor value", "& 后没有名称，请给值加引号", "there is no name behind &: quote the value"},
	} {
		if strings.Contains(why, w[0]) {
			return locale.Texts{ZH: w[1], EN: w[2]}
		}
	}
	return locale.Texts{ZH: "YAML 语法有误（" + why + "）", EN: why}
}
