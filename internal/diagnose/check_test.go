package diagnose_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"casemate/internal/diagnose"
)

func ready(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/moved":
		http.Redirect(w, r, "/", http.StatusFound)
	case "/broken":
		w.WriteHeader(http.StatusBadGateway)
	case "/large":
		fmt.Fprint(w, strings.Repeat("x", 64<<10), "ready")
	case "/other":
		fmt.Fprint(w, "nothing")
	default:
		fmt.Fprint(w, "all is ready")
	}
}

// TestChecks: each kind of check against real servers, good and bad.
func TestChecks(t *testing.T) {
	t.Parallel()
	_, resolver := zone(t)
	ca := newAuthority(t)
	long := ca.issue("good.example", now.AddDate(0, -1, 0), now.AddDate(1, 0, 0).Add(time.Hour))
	port, _ := site(t, long, ready)
	soon, _ := site(t, ca.issue("good.example", now.AddDate(0, -1, 0), now.AddDate(0, 0, 20).Add(time.Hour)), ready)
	very, _ := site(t, ca.issue("good.example", now.AddDate(0, -1, 0), now.Add(4*24*time.Hour+time.Hour)), ready)
	old, _ := site(t, ca.issue("good.example", now.AddDate(-1, 0, 0), now.AddDate(0, 0, -1)), ready)
	young, _ := site(t, ca.issue("good.example", now.AddDate(0, 0, 2), now.AddDate(1, 0, 0).Add(time.Hour)), ready)
	other, _ := site(t, ca.issue("other.example", now.AddDate(0, -1, 0), now.AddDate(1, 0, 0).Add(time.Hour)), ready)
	stranger, _ := site(t, newAuthority(t).issue("good.example", now.AddDate(0, -1, 0), now.AddDate(1, 0, 0).Add(time.Hour)), ready)
	silent, _ := deaf(t)
	shut := closed(t)
	o := diagnose.Options{Config: allowed, Resolver: resolver, TLS: &tls.Config{RootCAs: ca.pool}}
	o.Config.Hourly = 1000
	each(t, o, "", func(w *world) {
		t := w.t
		j := w.done(1, "host", "good.example", "port", port, "expected", "127.0.0.1")
		if j.State != diagnose.Finished || len(j.Abnormal) != 0 || j.Started == 0 || j.Ended == 0 || len(j.Checks) != 5 {
			t.Fatalf("%+v", j)
		}
		wants(t, j, "dns", diagnose.Passed, "A 记录：127.0.0.1", "A record: 127.0.0.1")
		wants(t, j, "points", diagnose.Passed, "", "")
		wants(t, j, "tcp", diagnose.Passed, "连接成功", "connected")
		wants(t, j, "tls", diagnose.Passed, "还有 365 天到期（2027-01-15）", "another 365 days (2027-01-15)")
		wants(t, j, "page", diagnose.Passed, "返回状态码 200", "status 200")

		// Names: another address than expected, an alias, one that does not exist.
		j = w.done(1, "host", "alias.example", "port", port, "expected", "192.0.2.9")
		wants(t, j, "points", diagnose.Bad, "缺少 192.0.2.9", "192.0.2.9 is missing")
		wants(t, j, "dns", diagnose.Passed, "127.0.0.1", "127.0.0.1")
		wants(t, j, "tls", diagnose.Bad, "不包含该域名", "does not name the host")
		wants(t, j, "page", diagnose.Bad, "不包含该域名", "does not name the host")
		if fmt.Sprint(j.Abnormal) != "[points tls page]" {
			t.Errorf("abnormal %v", j.Abnormal)
		}
		j = w.done(1, "host", "nowhere.example")
		wants(t, j, "dns", diagnose.Bad, "没有所需的解析记录", "no such record")
		wants(t, j, "points", diagnose.Skipped, "未填写 expected", "expected was not given")
		wants(t, j, "tcp", diagnose.Skipped, "前置检查“解析”未通过", `"Name" before it failed`)
		wants(t, j, "tls", diagnose.Skipped, "前置检查“端口”未通过", `"Port" before it failed`)
		if c := check(t, j, "dns"); c.Suggestion.EN != "Look at the records" || c.Help != "https://help.example/dns" || c.Group.Name.ZH != "网络" {
			t.Errorf("%+v", c)
		}
	})
	t.Run("certificates", func(t *testing.T) {
		each(t, o, "", func(w *world) {
			for _, c := range []struct {
				port    string
				outcome diagnose.Outcome
				zh, en  string
			}{
				{soon, diagnose.Warning, "20 天后到期", "in 20 days (2026-02-04)"},
				{very, diagnose.Bad, "4 天后到期", "in 4 days"},
				{old, diagnose.Bad, "已于 2026-01-14 到期", "expired on 2026-01-14"},
				{young, diagnose.Bad, "自 2026-01-17 起", "before 2026-01-17"},
				{other, diagnose.Bad, "不包含该域名", "does not name"},
				{stranger, diagnose.Bad, "不受信任", "not trusted"},
			} {
				j := w.done(1, "host", "good.example", "port", c.port)
				wants(w.t, j, "tls", c.outcome, c.zh, c.en)
				page := diagnose.Bad
				if c.port == soon || c.port == very {
					page, c.zh, c.en = diagnose.Passed, "200", "200"
				}
				wants(w.t, j, "page", page, c.zh, c.en)
			}
		})
	})
	t.Run("pages", func(t *testing.T) {
		each(t, o, "", func(w *world) {
			for path, want := range map[string][2]string{
				"/moved":  {"返回状态码 302，不是期望的 [200]", "status 302, expected [200]"},
				"/broken": {"返回状态码 502", "status 502"},
				"/other":  {"没有期望的文字", "not in the first 64 KiB"},
				"/large":  {"没有期望的文字", "not in the first 64 KiB"},
			} {
				wants(w.t, w.done(1, "host", "good.example", "port", port, "path", path), "page", diagnose.Bad, want[0], want[1])
			}
		})
	})
	t.Run("connections", func(t *testing.T) {
		o := o
		o.Timeout = time.Second
		each(t, o, "", func(w *world) {
			j := w.done(1, "host", "good.example", "port", shut)
			wants(w.t, j, "tcp", diagnose.Bad, "连接被拒绝", "refused")
			wants(w.t, j, "page", diagnose.Skipped, "端口", `"Port"`)
			j = w.done(1, "host", "good.example", "port", silent)
			wants(w.t, j, "tcp", diagnose.Passed, "", "")
			wants(w.t, j, "tls", diagnose.Bad, "1 秒内没有应答", "within 1 s")
			wants(w.t, j, "page", diagnose.Bad, "1 秒内没有应答", "within 1 s")
		})
	})
}

// TestRecords: the other types of records, and a name server that says nothing.
func TestRecords(t *testing.T) {
	t.Parallel()
	_, resolver := zone(t)
	o := diagnose.Options{Config: allowed, Resolver: resolver}
	o.Config.Allow = append(o.Config.Allow, "2001:db8::/32")
	each(t, o, "", func(w *world) {
		j := w.done(3, "host", "good.example")
		for id, want := range map[string]string{"aaaa": "2001:db8::7", "mx": "mail.good.example.", "txt": "v=spf1 -all", "ns": "ns1.good.example."} {
			wants(w.t, j, id, diagnose.Passed, want, want)
		}
		wants(w.t, j, "cname", diagnose.Bad, "没有所需的解析记录", "no such record")
		wants(w.t, w.done(3, "host", "alias.example"), "cname", diagnose.Passed, "good.example.", "CNAME record: good.example.")
		j = w.done(3, "host", "192.0.2.1")
		if j.State != diagnose.NotRun {
			w.t.Errorf("nothing to look up: state %d", j.State)
		}
		wants(w.t, j, "mx", diagnose.Skipped, "IP 地址", "an IP address")
	})
	t.Run("mute", func(t *testing.T) {
		dns, resolver := zone(t)
		dns.mute.Store(true)
		o := o
		o.Resolver = resolver
		o.Timeout = 200 * time.Millisecond
		each(t, o, "", func(w *world) {
			wants(w.t, w.done(3, "host", "good.example"), "mx", diagnose.Bad, "0.2 秒内没有应答", "within 0.2 s")
		})
	})
}

// TestRefusedTargets: what is not public is not connected to, by whatever name,
// and the answers show nothing of it (threats.md D12).
func TestRefusedTargets(t *testing.T) {
	t.Parallel()
	_, resolver := zone(t)
	ca := newAuthority(t)
	port, connections := site(t, ca.issue("good.example", now.AddDate(0, -1, 0), now.AddDate(1, 0, 0).Add(time.Hour)), ready)
	o := diagnose.Options{Resolver: resolver, TLS: &tls.Config{RootCAs: ca.pool}, Timeout: 2 * time.Second}
	o.Config.Hourly = 1000
	each(t, o, "", func(w *world) {
		t := w.t
		for _, host := range []string{"127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1", "fd00::1"} {
			j := w.done(4, "host", host, "port", port)
			if j.State != diagnose.Finished {
				t.Errorf("%s: state %d", host, j.State)
			}
			wants(t, j, "tcp", diagnose.Bad, "目标地址不允许访问：不是公网地址", "may not be reached: it is not a public address")
		}
		// Names that lead inside: refused at the look-up and, without it, at the connection.
		for _, host := range []string{"good.example", "inner.example", "mixed.example"} {
			j := w.done(1, "host", host, "port", port)
			wants(t, j, "dns", diagnose.Bad, "不允许访问", "may not be reached")
			if text := fmt.Sprint(j.Checks); strings.Contains(text, "10.1.2.3") || strings.Contains(text, "127.0.0.1") {
				t.Errorf("%s: inner addresses are shown: %s", host, text)
			}
			wants(t, w.done(4, "host", host, "port", port), "tcp", diagnose.Bad, "不允许访问", "may not be reached")
		}
		// What only another spelling hides is no host at all.
		for _, host := range []string{"localhost", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "fe80::1%lo", "a b.example", "good.example/x", "good.example:80", "-oProxyCommand=x.example", "a..example", strings.Repeat("a", 64) + ".example", "[::1]", "$(id).example"} {
			_, err := w.s.Start(t.Context(), w.li, diagnose.NewJob{Type: 4, Params: params("host", host)})
			w.refused(err, "01010001", "params.host")
		}
	})
	t.Cleanup(func() {
		if n := connections.Load(); n != 0 {
			t.Errorf("%d connections to an address that may not be reached", n)
		}
	})
}

// TestInnerNames: names of inner networks are not even asked for, unless the
// operator has said where to ask or what may be reached.
func TestInnerNames(t *testing.T) {
	t.Parallel()
	dns, resolver := zone(t)
	dns.set("db.corp.internal", &dnsmessage.TXTResource{TXT: []string{"secret"}})
	each(t, diagnose.Options{Resolver: resolver}, "", func(w *world) {
		for _, host := range []string{"db.corp.internal", "Printer.LOCAL", "1.0.0.127.in-addr.arpa", "a.home.arpa", "x.corp"} {
			j := w.done(3, "host", host)
			for _, id := range []string{"txt", "mx", "ns", "cname", "aaaa"} {
				wants(w.t, j, id, diagnose.Bad, "内部网络使用的名称", "belongs to inner networks")
			}
		}
	})
	t.Cleanup(func() {
		if n := dns.asked.Load(); n != 0 {
			t.Errorf("%d questions about inner names", n)
		}
	})
	t.Run("listed", func(t *testing.T) {
		dns, resolver := zone(t)
		dns.set("db.corp.internal", &dnsmessage.TXTResource{TXT: []string{"v=spf1 -all"}})
		each(t, diagnose.Options{Config: allowed, Resolver: resolver}, "", func(w *world) {
			wants(w.t, w.done(3, "host", "db.corp.internal"), "txt", diagnose.Passed, "spf1", "spf1")
		})
	})
}

// TestResolver: diagnose.resolver is the server that is asked.
func TestResolver(t *testing.T) {
	t.Parallel()
	dns, resolver := zone(t)
	conn, err := resolver.Dial(t.Context(), "udp", "")
	if err != nil {
		t.Fatal(err)
	}
	o := diagnose.Options{Config: allowed}
	o.Config.Resolver = conn.RemoteAddr().String()
	conn.Close()
	each(t, o, "", func(w *world) {
		wants(w.t, w.done(3, "host", "good.example"), "txt", diagnose.Passed, "spf1", "spf1")
	})
	t.Cleanup(func() {
		if dns.asked.Load() == 0 {
			t.Error("another server was asked")
		}
	})
}

// TestCommand: a program of the operator's, with arguments as they are.
func TestCommand(t *testing.T) {
	t.Parallel()
	_, resolver := zone(t)
	dir := t.TempDir()
	program := filepath.Join(dir, "probe")
	script := `#!/bin/sh
case "$1" in
ok) printf '%s|%s|%s|%s\n' "$#" "$2" "$3" "$HOME";;
warn) echo "nearly full"; exit 1;;
bad) printf 'broken\033[31m\000 here\377' >&2; exit 3;;
quiet) exit 0;;
slow) sleep 30 & sleep 30;;
loud) while :; do echo 0123456789012345678901234567890123456789; done | head -c 3000000;;
esac
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	o := diagnose.Options{Config: allowed, Resolver: resolver}
	o.Config.Commands, o.Config.Hourly = true, 1000
	each(t, o, program, func(w *world) {
		t := w.t
		wants(t, w.done(2, "host", "four.example"), "run", diagnose.Passed, "3|127.0.0.1|a b;$(id)|", "3|127.0.0.1|a b;$(id)|")
		if c := check(t, w.done(2, "host", "127.0.0.1"), "run"); c.Message.EN != "3|127.0.0.1|a b;$(id)|" {
			t.Errorf("environment: %q", c.Message.EN)
		}
		wants(t, w.done(2, "host", "127.0.0.1", "mode", "warn"), "run", diagnose.Warning, "nearly full", "nearly full")
		if c := check(t, w.done(2, "host", "127.0.0.1", "mode", "bad"), "run"); c.Outcome != diagnose.Bad || c.Message.EN != "broken[31m here" {
			t.Errorf("%d %q", c.Outcome, c.Message.EN)
		}
		wants(t, w.done(2, "host", "127.0.0.1", "mode", "quiet"), "run", diagnose.Passed, "没有输出", "printed nothing (exit code 0)")
		if c := check(t, w.done(2, "host", "127.0.0.1", "mode", "loud"), "run"); len(c.Message.EN) > 2010 || !strings.HasSuffix(c.Message.EN, "…") {
			t.Errorf("%d characters of output", len(c.Message.EN))
		}
		for _, host := range []string{"inner.example", "mixed.example", "good.example", "10.0.0.1"} { // good.example has an IPv6 address that is not listed
			wants(t, w.done(2, "host", host), "run", diagnose.Bad, "不允许访问", "may not be reached")
		}
		for _, mode := range []string{"-x", "a b", "$(id)", ";id", "a/b"} {
			_, err := w.s.Start(t.Context(), w.li, diagnose.NewJob{Type: 2, Params: params("host", "127.0.0.1", "mode", mode)})
			w.refused(err, "01010001", "params.mode")
		}
	})
	t.Run("slow", func(t *testing.T) {
		o := o
		o.Timeout = 300 * time.Millisecond
		each(t, o, program, func(w *world) {
			began := time.Now()
			wants(w.t, w.done(2, "host", "127.0.0.1", "mode", "slow"), "run", diagnose.Bad, "没有结束", "did not end within 0.3 s")
			if took := time.Since(began); took > 10*time.Second {
				w.t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("missing", func(t *testing.T) {
		each(t, o, dir+"/none", func(w *world) {
			wants(w.t, w.done(2, "host", "127.0.0.1"), "run", diagnose.Bad, "无法运行", "cannot be run")
		})
	})
	t.Run("off", func(t *testing.T) {
		o := o
		o.Config.Commands = false
		each(t, o, program, func(w *world) {
			j := w.done(2, "host", "127.0.0.1")
			wants(w.t, j, "run", diagnose.Skipped, "未启用命令检查", "switched off")
			if j.State != diagnose.NotRun {
				w.t.Errorf("state %d", j.State)
			}
		})
	})
}
