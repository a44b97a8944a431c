package yamlfile

import "strings"

// Chinese is what the library says of text that is no YAML. What is rare is told
// by its kind, with the library's own words behind it.
func Chinese(why string) string {
	for _, w := range [][2]string{
		{"mapping value is not allowed in this context", "这里不能有“键: 值”，请检查缩进，以及上一行的引号与冒号"},
		{"block sequence entries are not allowed in this context", "这里不能以 - 开头，请另起一行或给值加引号"},
		{"non-map value is specified", "这里须为“键: 值”，请检查缩进与冒号后的空格"},
		{"value is not allowed in this context", "这里不能有值，请检查缩进与引号"},
		{"unexpected key name", "这里不能有键，请检查缩进"},
		{"unexpected map key", "这里不能有键，请检查缩进"},
		{"could not find value for mapping key", "键没有值"},
		{"sequence end token ']' not found", "缺少 ]"},
		{"',' or ']' must be specified", "缺少逗号或 ]"},
		{"could not find flow mapping end token '}'", "缺少 }"},
		{"',' or '}' must be specified", "缺少逗号或 }"},
		{"could not find end character of", "引号没有结束"},
		{"found character '\t' that cannot start any token", "不能用制表符缩进，请用空格"},
		{"found a tab character where an indentation space is expected", "不能用制表符缩进，请用空格"},
		{"found an unknown escape character", "引号中的反斜杠写法有误"},
		{"found unknown escape character", "引号中的反斜杠写法有误"},
		{"is a reserved character", "值以保留字符开头，请加引号"},
		{"undefined alias name", "* 后的名称没有定义，请给值加引号"},
		{"could not find alias value", "* 后没有名称，请给值加引号"},
		{"could not find anchor value", "& 后没有名称，请给值加引号"},
	} {
		if strings.Contains(why, w[0]) {
			return w[1]
		}
	}
	return "YAML 语法有误（" + why + "）"
}
