package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"casemate/internal/archive"
	"casemate/internal/fault"
	"casemate/internal/locale"
)

// TestReasonsInChinese: what keys, encrypted files, YAML and the operating system
// refuse is told in Chinese to its end; a library's own words stand in
// parentheses only.
func TestReasonsInChinese(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	identities := func(text string) error {
		_, err := archive.Identities([]string{file("identity", text)})
		return err
	}
	settings := func(text string) error {
		_, err := readConfig(file("casemate.yaml", text))
		return err
	}
	missing := func() error { _, err := archive.Identities([]string{filepath.Join(dir, "none")}); return err }()
	english := regexp.MustCompile(`[a-z]+ [a-z]+ [a-z]+`)
	for want, err := range map[string]error{
		"没有私钥":     identities("# nothing\n"),
		"第 2 行有误":  identities("# a\nAGE-SECRET-KEY-1X\n"),
		"文件或目录不存在": missing,
		"没有主密钥：没有它无法打开任何密封的内容":          errors.New("seal: no master key at /d.keys/master.key: without it nothing sealed can be opened; restore it from the backup of the keys"),
		"/d.keys/m 可被其他人读取（权限 644），请执行": errors.New("seal: /d.keys/m may be read by others (mode 644): chmod 600 it"),
		"不是 Casemate 的主密钥":              errors.New("seal: /d.keys/m is no master key of Casemate"),
		"主密钥与这些密钥不匹配":                   errors.New("seal: the master key in /d is not the one these keys were wrapped with: look for the right one in the backup of the keys"),
		"数据库地址的格式有误":                    errors.New("db: the database URL does not parse"),
		"数据库的结构版本为 9，本程序最高支持 7":         errors.New("db: the database has schema 9, this binary knows up to 7: use a newer binary"),
		"密钥目录不能位于数据目录之内":                errors.New("the keys folder must not lie in the data folder: a copy of the data would hold its own keys"),
		"--demo-public 可放行":             errors.New(`the demo world is for trying out and serves on a loopback address only, not on "0.0.0.0:1" (--demo-public allows it)`),
		"已有管理员：admin":                   errors.New("this store has an administrator: admin"),
		"连接被拒绝":                         fmt.Errorf("dial tcp 127.0.0.1:1: connect: connection refused"),
		"第 1 行第 4 列，这里不能有":              settings("a: b: c\n"),
		"缺少 ]":                          settings("trusted_proxies: [10.0.0.1\n"),
		"引号没有结束":                        settings("metrics: \"x\n"),
	} {
		if err == nil {
			t.Errorf("%s: no error", want)
			continue
		}
		got := describe(err, locale.ZH)
		if !strings.Contains(got, want) || english.MatchString(got) {
			t.Errorf("%q: %q, want %q", err, got, want)
		}
		if en := describe(err, locale.EN); strings.ContainsFunc(en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("English: %q", en)
		}
	}
	if w := fault.Reason(errors.New("odd thing")); w.ZH != "未知原因（odd thing）" || w.EN != "odd thing" {
		t.Errorf("%+v", w)
	}
}
