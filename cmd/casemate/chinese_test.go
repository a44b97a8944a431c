package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// TestSettingsInChinese: what is wrong with the server's configuration file, and
// with backups, is told in the shell's language.
func TestSettingsInChinese(t *testing.T) {
	dir := t.TempDir()
	said := func(lang string, args ...string) string {
		t.Setenv("CASEMATE_LANGUAGE", lang)
		var out, errOut strings.Builder
		if code := run(t.Context(), args, &out, &errOut); code != 1 {
			t.Errorf("%v: exit code %d, %s", args, code, out.String())
		}
		return errOut.String()
	}
	n := 0
	each := func(want string, args ...string) {
		t.Helper()
		n++
		zh, en := said("zh-cn", args...), said("en-us", args...)
		han := func(s string) bool {
			return strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) })
		}
		if !han(zh) || han(en) || !strings.Contains(zh, want) {
			t.Errorf("%v:\n%s%swant %s", args, zh, en, want)
		}
	}
	for text, want := range map[string]string{
		"foo: 1\n": `未知的键 "foo"`, "queue: {capacity: -1}\n": "queue.capacity 须在 1 到 1000 之间", "queue: [x\n": "第 1 行", "ticket: {confirm_days: -2}\n": "须在 -1 到 365", "drain: -1s\n": "drain 不能为负数",
		"errors: {business_status: maybe}\n": "errors.business_status 须为 real 或 documented", "metrics: nowhere\n": "不是带端口的地址", "trusted_proxies: [x]\n": "既不是地址", "identity: {recheck: 1ms}\n": "identity.recheck 须在 1s 到 24h",
		"ticket: {confirm_days: x}\n": "第 1 行，ticket.confirm_days 须为整数", "ticket:\n  urge_after: 5\n": "第 2 行，ticket.urge_after 须为带单位的时长，例如 5s 或 5m", "ticket:\n  confrm: 1\n": `第 2 行，未知的键 "confrm"`,
		"ticket: {acknowledge: maybe}\n": "须为 true 或 false", "ticket: 5\n": "ticket 须为“键: 值”", "trusted_proxies: x\n": "trusted_proxies 须为列表，例如 [a, b]", "text\n": "第 1 行，文件须为“键: 值”", "drain: 1s\ndrain: 2s\n": `第 2 行，键 "drain" 重复，已在第 1 行写过`,
		"identity: {oidc: [{id: a}]}\n": "issuer 须为 https 地址", "notify: {url: x}\n": "notify.url 须为地址",
	} {
		path := filepath.Join(dir, "c.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		each(want, "config", "--config", path)
	}
	each("不存在", "config", "--config", filepath.Join(dir, "none.yaml"))
	archive := filepath.Join(dir, "a.tar")
	if err := os.WriteFile(archive, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	each("不是 Casemate 的备份", "restore", "--data", filepath.Join(dir, "d"), "--from", archive, "--keys-from", archive)
	each("不是接收方", "backup", "--data", dir, "--recipient", "age1x", "--to", filepath.Join(dir, "b"))
	each("是私钥", "backup", "--data", dir, "--recipient", "AGE-SECRET-KEY-1X", "--to", filepath.Join(dir, "b"))
	each("没有接收方", "backup", "--data", dir, "--recipients-file", os.DevNull, "--to", filepath.Join(dir, "b"))
	each("不是身份文件", "restore", "--data", filepath.Join(dir, "d"), "--from", archive, "--keys-from", archive, "--identity", archive)
	each("已存在", "backup-key", "--to", archive)
	each("需要密钥备份", "restore", "--data", filepath.Join(dir, "d"), "--from", archive)
	each("没有以时间命名的备份", "restore", "--verify", "--from", dir)
	each("--to 须为 postgres://...，或 SQLite 的文件夹：sqlite:...", "migrate", "--data", filepath.Join(dir, "d"), "--to", "sqlite:x")
	each("--to 须为 postgres://...，或 SQLite 的文件夹：mysql:...", "migrate", "--data", filepath.Join(dir, "d"), "--to", "mysql://me:secret@db/x")
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("a: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	each("bad.yaml：第 1 行第 4 列，无法读取：缺少 ]", "rule", "apply", "--data", filepath.Join(dir, "d"), bad)
	each("不存在，请先创建", "backups", "--at", filepath.Join(dir, "none"))
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	each("无法监听 "+busy.Addr().String()+"：地址已被占用", "serve", "--data", filepath.Join(dir, "s"), "--listen", busy.Addr().String())
	if n < 10 {
		t.Error("too few")
	}
}
