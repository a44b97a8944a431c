package catalog_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/locale"
)

// TestDiagnosisMistakes: what a diagnosis must not be, each with file and line.
func TestDiagnosisMistakes(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, sqliteOptions(t))
	s, err := catalog.New(t.Context(), d, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const file = "diagnoses.yaml"
	tcp := `tcp: {host: "{eip}", port: "{port}"}`
	page := `http: {url: "https://{domain}:{port}{path}"}`
	command := func(argv string) string { return "command: {argv: " + argv + "}" }
	small := smaller{s: s}
	for _, tt := range []struct{ name, old, text, words string }{
		{"type twice", "type: 2\n", "type: 1\n", "type 1 is used twice"},
		{"type over", "type: 3\n", "type: 5\n", "between 1 and 4"},
		{"id twice", "id: website", "id: remote-login", "is used twice, first in diagnoses.yaml:"},
		{"check twice", "id: login-port", "id: login-dns", `"login-dns" is used twice`},
		{"unknown group", "group: site\n        needs: [site-port]\n        name: {zh: 证书", "group: sight\n        needs: [site-port]\n        name: {zh: 证书", `no group "sight"`},
		{"later need", "needs: [login-dns]", "needs: [login-port]", `no earlier check "login-port"`},
		{"two kinds", tcp, tcp + "\n        dns: {name: \"{eip}\", type: A}", "exactly one of"},
		{"no kind", tcp, "needs: []", "already defined"},
		{"unknown param", tcp, `tcp: {host: "{ip}", port: "{port}"}`, `no param "ip"`},
		{"port as host", tcp, `tcp: {host: "{port}", port: "{port}"}`, `must have the form host`},
		{"host as port", tcp, `tcp: {host: "{eip}", port: "{eip}"}`, `must have the form port`},
		{"part of a host", tcp, `tcp: {host: "www.{eip}", port: "{port}"}`, "neither a fixed value"},
		{"bad fixed port", tcp, `tcp: {host: "{eip}", port: "70000"}`, "neither a fixed value"},
		{"bad fixed host", tcp, `tcp: {host: "local host", port: "{port}"}`, "neither a fixed value"},
		{"odd form", "form: port, default: \"22\"", "form: number, default: \"22\"", "not one of host, port"},
		{"default outside", "form: port, default: \"22\"", "form: port, default: \"0\"", "is not a value of this parameter"},
		{"default resource", "{key: instance_id, form: resource, name: {zh: 云服务器", "{key: instance_id, form: resource, default: x, name: {zh: 云服务器", "no default"},
		{"two resources", "{key: eip, form: host,", "{key: eip, form: resource,", "only one param may be a resource"},
		{"record type", `dns: {name: "{eip}", type: A}`, `dns: {name: "{eip}", type: ANY}`, "not one of A, AAAA"},
		{"no url", page, `http: {url: "ftp://{domain}/"}`, "no template of an http(s) address"},
		{"user in url", page, `http: {url: "https://u:p@{domain}/"}`, "no template of an http(s) address"},
		{"path as host", page, `http: {url: "https://{path}/"}`, "no template of an http(s) address"},
		{"host in path", page, `http: {url: "https://example.com/{domain}"}`, "cannot stand here"},
		{"part of a name", page, `http: {url: "https://x{domain}/"}`, "cannot stand here"},
		{"path in query", page, `http: {url: "https://{domain}/?p={path}"}`, "cannot stand here"},
		{"open brace", page, `http: {url: "https://{domain}/{x"}`, "no template of an http(s) address"},
		{"status", page, `http: {url: "https://{domain}/", status: [99]}`, "between 100 and 599"},
		{"fail before warn", "warn_days: 21, fail_days: 0", "warn_days: 21, fail_days: 22", "between 0 and 21"},
		{"relative program", tcp, command("[ping, \"{eip}\"]"), "absolute path"},
		{"placeholder program", tcp, command("[\"{eip}\"]"), "never the program"},
		{"part of an argument", tcp, command("[/bin/x, \"--host={eip}\"]"), "a placeholder is a whole argument"},
		{"no arguments", tcp, command("[]"), "1 to 30 items"},
		{"long command", tcp, `command: {argv: [/bin/x], seconds: 61}`, "between 0 and 60"},
		{"plain help", tcp, tcp + "\n        help: http://help.example", "must be an https link"},
		{"one language", "desc: {zh: 检查云服务器的登录端口能否从公网访问, en: Checks", "desc: {zh: '', en: Checks", "Chinese text (zh) is missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := small.edited(t, file, tt.old, tt.text)
			_, err := s.Plan(t.Context(), admin, files)
			var broken *catalog.Broken
			if !errors.As(err, &broken) {
				t.Fatalf("not refused: %v", err)
			}
			// The mistake is named at one of the places of the text, or at the check around it.
			text, line := string(files[file]), 0
			for {
				before, after, ok := strings.Cut(text, tt.text)
				if !ok {
					break
				}
				first := line + strings.Count(before, "\n") + 1
				last := first + strings.Count(tt.text, "\n")
				line, text = last-1, after
				for _, m := range broken.Mistakes {
					if m.File == file && m.Line >= first-4 && m.Line <= last && strings.Contains(m.EN, tt.words) && m.ZH != "" {
						return
					}
				}
			}
			t.Errorf("no mistake with %q where it is:\n%v", tt.words, err)
		})
	}
	over := maps.Clone(catalog.Default())
	over[file] = append(over[file], "\n"+strings.Repeat(`      - {id: x, group: site, name: {zh: 多, en: more}, tcp: {host: "{domain}", port: "1"}}`+"\n", 17)...)
	if _, err := s.Plan(t.Context(), admin, over); err == nil || !strings.Contains(err.Error(), "1 to 20 checks") {
		t.Errorf("21 checks: %v", err)
	}
}

// TestDiagnosisApplied: diagnoses are entries like all others: planned, applied,
// found by type, and names of retired ones stay.
func TestDiagnosisApplied(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB, s *catalog.Service) {
		if n := len(s.Now().Diagnoses()); n != 3 {
			t.Errorf("%d diagnoses are shipped", n)
		}
		for kind, id := range map[int32]string{1: "remote-login", 2: "database-connection", 3: "website"} {
			x, ok := s.Now().Diagnosis(kind)
			if !ok || x.ID != id || x.Name.ZH == "" || len(x.Checks) < 2 || x.Group(x.Checks[0].Group).Name.EN == "" {
				t.Errorf("type %d: %+v", kind, x)
			}
		}
		if _, ok := s.Now().Diagnosis(4); ok {
			t.Error("there is a diagnosis of type 4")
		}
		files := catalog.Default()
		text := string(files["diagnoses.yaml"])
		files["diagnoses.yaml"] = []byte(text[:strings.Index(text, "  - id: website")])
		if c := one(t, apply(t, s, files)); c.What != catalog.Retired || c.Kind != catalog.KindDiagnosis || c.ID != "website" {
			t.Errorf("%+v", c)
		}
		if _, ok := s.Now().Diagnosis(3); ok {
			t.Error("a retired diagnosis is offered")
		}
		if n := s.Now().Name(catalog.KindDiagnosis, "website", locale.EN); n != "Website cannot be reached" {
			t.Errorf("its name is %q", n)
		}
		if c := one(t, apply(t, s, catalog.Default())); c.What != catalog.Restored {
			t.Errorf("%+v", c)
		}
		delete(files, "diagnoses.yaml")
		apply(t, s, files) // a catalogue without any is one
	})
}

// TestHost: what can be a target, in the form it is used in.
func TestHost(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"example.com": "example.com", "Example.COM.": "example.com", "例子.中国": "xn--fsqu00a.xn--fiqs8s", "_sip._tcp.example.com": "_sip._tcp.example.com",
		"192.0.2.1": "192.0.2.1", "2001:DB8:0:0::1": "2001:db8::1", "a-b.c-d.example": "a-b.c-d.example",
		strings.Repeat("a", 63) + ".example": strings.Repeat("a", 63) + ".example",
	} {
		if got, ok := catalog.Host(in); !ok || got != want || !catalog.FitsForm(catalog.FormHost, in) {
			t.Errorf("%q is %q, %v; want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"", " ", "localhost", "example", ".", "a..b", ".example.com", "-a.example", "a-.example", "127.1", "1.2.3", "2130706433", "0x7f.1", "0x7f.0x1", "1.2.3.4.5",
		"fe80::1%eth0", "a b.example", "a/b.example", "a:80.example", "a@b.example", "a.example\n", "[::1]", "http://a.example", strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 130) + "example"} {
		if got, ok := catalog.Host(in); ok {
			t.Errorf("%q is taken as %q", in, got)
		}
	}
}

// FuzzHost: what is taken as a host is one spelling of itself and holds nothing
// that an address or an argument would take amiss.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"example.com", "例子.中国", "-a.example", "127.1", "::1", "fe80::1%lo", "a b.example", "xn--a.example", "A_b.example.", "0x7f.1", "٣.example", "a。example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, ok := catalog.Host(in)
		if !ok {
			return
		}
		if again, ok := catalog.Host(got); !ok || again != got {
			t.Errorf("%q is %q, and that is %q, %v", in, got, again, ok)
		}
		if got == "" || got[0] == '-' || len(got) > 253 || strings.ContainsFunc(got, func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-_:", r) }) {
			t.Errorf("%q is taken as %q", in, got)
		}
	})
}
