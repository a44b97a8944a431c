package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode"

	"casemate/internal/archive"
	"casemate/internal/blob"
	"casemate/internal/db"
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
	raw := regexp.MustCompile(`\b(?:mkdir|open|read|write|stat) /|no such file or directory|token '|\[\d+:\d+\]|unknown identity type|OSM\.`)
	for _, c := range []struct {
		err    error
		zh, en string
	}{
		{writeFolder(filepath.Join(dir, "none", "x"), nil, false), "", ""}, // what is above is made
		{writeFolder(filepath.Join(file("text", "x"), "y"), nil, false), "不是目录：" + dir, "no folder: " + dir},
		{writeFolder("/proc/xx", nil, false), "无法创建目录 /proc/xx：上级目录不存在，或不接受新的目录", "the folder /proc/xx cannot be made: the folder above it is not there, or takes none"},
		{&os.PathError{Op: "mkdir", Path: "/d/x", Err: syscall.EACCES}, "无法创建目录 /d/x：对上级目录没有写权限", "the folder /d/x cannot be made: no permission to write in the folder above it"},
		{&os.PathError{Op: "write", Path: "/d/x", Err: syscall.EFBIG}, "超出文件大小限制（ulimit -f）：/d/x", "the file would be larger than may be written (ulimit -f): /d/x"},
		{&os.PathError{Op: "open", Path: "/d/x", Err: syscall.EROFS}, "文件系统只读：/d/x", "the file system is read-only: /d/x"},
		{db.ErrFull.Because(&os.PathError{Op: "write", Path: "/d/x", Err: syscall.ENOSPC}), "存储空间不足：/d/x", "no space left to store this: /d/x"},
		{db.ErrFull.Because(errors.New("database or disk is full (13)")), "存储空间不足：数据库所在的磁盘已满", "no space left to store this: the disk the database lies on is full"},
		{db.ErrUnavailable.Because(errors.New("disk I/O error (778)")), "ulimit -f", "look at the disk"},
		{settings("a: [\n"), "第 1 行第 4 列，缺少 ]", "line 1, column 4: ] is missing"},
		{settings("\xff\xfe"), "不是 UTF-8 文本", "no UTF-8 text"},
		{settings("a: 1\x00\n"), "不是 UTF-8 文本", "no UTF-8 text"},
		{missing, "无法读取身份文件", "cannot be read: there is no such file"},
		{identities("# a\nAGE-SECRET-KEY-1X\n"), "不是身份文件", "line 2 is not a key"},
		{identities("# nothing\n"), "没有私钥", "there is no private key in it"},
	} {
		if c.err == nil {
			if c.zh != "" {
				t.Errorf("%s: no error", c.en)
			}
			continue
		}
		zh, en := describe(c.err, locale.ZH), describe(c.err, locale.EN)
		if !strings.Contains(zh, c.zh) || !strings.Contains(en, c.en) || raw.MatchString(zh) || raw.MatchString(en) {
			t.Errorf("%q: %q, %q, want %q, %q", c.err, zh, en, c.zh, c.en)
		}
	}
	if w := fault.Reason(errors.New("odd thing")); w.ZH != "未知原因（odd thing）" || w.EN != "odd thing" {
		t.Errorf("%+v", w)
	}
}

// TestReasonOnce: a store that is away is told with its place and why, each once.
func TestReasonOnce(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_MAX_ATTEMPTS": "1"} {
		t.Setenv(name, value)
	}
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<ListBucketResult><Name>safe</Name></ListBucketResult>`)
	}))
	defer store.Close()
	shelf, name, err := blob.OpenShelf(t.Context(), "s3://safe/nightly.tar?endpoint="+store.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer shelf.Close()
	store.Close()
	_, _, err = shelf.Open(t.Context(), name)
	for lang, want := range map[locale.Language]string{locale.ZH: "s3://safe/nightly.tar：连接被拒绝", locale.EN: "connection refused"} {
		got := describe(err, lang)
		if strings.Count(got, want) != 1 || strings.Count(got, "s3://safe/nightly.tar") != 1 || strings.Count(got, "连接被拒绝")+strings.Count(got, "connection refused") != 1 {
			t.Errorf("%s: %q", lang, got)
		}
	}
}
