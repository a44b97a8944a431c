package signin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"casemate/test/world"
)

// configured starts a world whose configuration may change between runs.
func configured(t *testing.T, database, text string) (w *world.World, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "casemate.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := world.Options{Args: []string{"--config", path}, Env: []string{"READER=reader-password"}}
	if database == "postgres" {
		o.Database = world.Database(t)
	}
	return world.Start(t, o), path
}

func ldapConfig(d *directory, domain string) string {
	text := fmt.Sprintf(`identity:
  recheck: 1s
  ldap:
  - id: corp
    url: ldap://localhost:%s
    start_tls: true
    ca_file: %s
    allow: [127.0.0.1/32, "::1/128"]
    bind_dn: cn=reader,dc=example,dc=com
    bind_password: {env: READER}
    base: %s
    filter: (&(objectClass=inetOrgPerson)(employeeType=active)(uid={name}))
    group_base: %s
    people:
      domain: house
      create: true
      roles:
      - {group: desk-admins, to: administrator}
      - {group: "cn=desk-auditors,%[4]s", to: auditor}
`, d.plain, d.ca, people, groups)
	if domain != "" {
		text += fmt.Sprintf(`  - id: customers
    url: ldaps://localhost:%s
    ca_file: %s
    allow: [127.0.0.1/32, "::1/128"]
    bind_dn: cn=reader,dc=example,dc=com
    bind_password: {env: READER}
    base: %s
    group_base: %s
    people:
      domain: %s
      create: true
      groups:
      - {group: network-team, to: network}
`, d.tls, d.ca, people, groups, domain)
	}
	return text
}

// try logs in and answers the status, the browser when it is in, and the answer.
func try(t *testing.T, w *world.World, domain, name, password string) (int, *browser, obj) {
	t.Helper()
	b := &browser{t: t, url: w.URL, agent: "Browser of " + name}
	body := obj{"name": name, "password": password}
	if domain != "" {
		body["domain"] = domain
	}
	res, out := b.send("POST", "/web/v1/session", body)
	if res.StatusCode == http.StatusCreated {
		b.took(res, out)
	}
	return res.StatusCode, b, out
}

// house tells whether a session opens the desk.
func (b *browser) house() bool {
	b.t.Helper()
	status, _ := b.call("GET", "/desk/v1/sessions", nil)
	return status == http.StatusOK
}

// out waits until a session is over, and fails after within.
func (b *browser) out(what string, within time.Duration) {
	b.t.Helper()
	for began := time.Now(); b.house() || b.alive(); time.Sleep(20 * time.Millisecond) {
		if time.Since(began) > within {
			b.t.Errorf("%s: still in after %v", what, within)
			return
		}
	}
}

// TestDirectory: people of a real slapd log in, over StartTLS, with the role of
// their groups; who is not theirs does not, whatever the name says; who leaves
// there is out here (threats.md B8).
func TestDirectory(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			d := slapd(t)
			w, _ := configured(t, database, ldapConfig(d, ""))
			local := w.Engineers[0]
			d.hire("boss", "boss-password")
			d.hire("nobody", "nobody-password")
			d.hire(local.Name, "directory-password")
			d.group("desk-admins", "boss", local.Name)
			d.group("desk-auditors")

			status, boss, out := try(t, w, "", "boss", "boss-password")
			if status != 201 || out["role"] != "administrator" || out["kind"] != "engineer" || !boss.house() {
				t.Fatalf("log-in: %d %v\n%s", status, out, w.LogText())
			}
			id := out["user_id"].(string)
			if _, out := boss.call("GET", "/web/v1/sessions", nil); out["items"].([]any)[0].(obj)["method"] != "ldap" || out["items"].([]any)[0].(obj)["provider"] != "corp" {
				t.Errorf("the session: %v", out)
			}
			// Refused, all alike: wrong password, no role, no person, names that are filters.
			answers := map[string]string{}
			for _, c := range [][2]string{{"boss", "wrong-password"}, {"nobody", "nobody-password"}, {"nobody-at-all", "boss-password"}, {"*", "boss-password"}, {"bos*", "boss-password"},
				{"boss)(uid=*", "boss-password"}, {"x)(|(uid=boss", "boss-password"}, {`boss\00`, "boss-password"}, {"uid=boss", "boss-password"}, {local.Name, "directory-password"}} {
				w.Exec(t, "DELETE FROM login_failures") // else each failure is slower
				status, _, out := try(t, w, "", c[0], c[1])
				delete(out, "request_id")
				text, _ := json.Marshal(out)
				answers[string(text)] = c[0]
				if status != 401 {
					t.Errorf("%q: %d %v", c[0], status, out)
				}
			}
			if len(answers) != 1 {
				t.Errorf("refusals are told apart: %v", answers)
			}
			w.Exec(t, "DELETE FROM login_failures")
			// A user of Casemate's own keeps his password, though the directory has his name.
			if status, _, _ := try(t, w, "", local.Name, local.Password); status != 201 {
				t.Errorf("a local user: %d", status)
			}
			// The desk's API takes the password, too.
			if res, out := (&browser{t: t, url: w.URL}).send("POST", "/desk/v1/sessions", obj{"name": "boss", "password": "boss-password"}); res.StatusCode != 201 || out["token"] == nil {
				t.Errorf("a token: %d %v", res.StatusCode, out)
			}
			// Other groups, another role: within the next check, and the person stays the same under another name.
			d.members("desk-admins")
			d.members("desk-auditors", "boss")
			role := ""
			for began := time.Now(); role != "auditor" && time.Since(began) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
				if _, out := boss.send("GET", "/web/v1/session", nil); out["role"] != nil {
					role = out["role"].(string)
				}
			}
			if role != "auditor" {
				t.Errorf("the role after the groups changed: %s\n%s", role, w.LogText())
			}
			d.root(func(c *ldap.Conn) error {
				return c.ModifyDN(ldap.NewModifyDNRequest(personDN("boss"), "uid=chief", true, ""))
			})
			d.members("desk-auditors", "chief")
			if status, _, out := try(t, w, "", "chief", "boss-password"); status != 201 || out["user_id"] != id || out["role"] != "auditor" {
				t.Errorf("under another name: %d %v", status, out)
			}
			// Out there, out here; back there, in again.
			d.put(personDN("chief"), "employeeType", "left")
			boss.out("left the directory", 20*time.Second)
			if status, _, _ := try(t, w, "", "chief", "boss-password"); status != 401 {
				t.Errorf("log-in after leaving: %d", status)
			}
			d.put(personDN("chief"), "employeeType", "active")
			status, again, _ := try(t, w, "", "chief", "boss-password")
			if status != 201 || !again.house() {
				t.Errorf("log-in after coming back: %d", status)
			}
			// Shut out here: at once, and the directory's word does not help.
			if status, _, err := w.Operator("POST", "/desk/v1/domains/house/users/"+id+"/disable", nil); err != nil || status != 200 {
				t.Fatal(status, err)
			}
			if again.house() {
				t.Error("a session outlives its user")
			}
			if status, _, _ := try(t, w, "", "chief", "boss-password"); status != 401 {
				t.Errorf("log-in of one who is shut out: %d", status)
			}
			if status, _, err := w.Operator("POST", "/desk/v1/domains/house/users/"+id+"/enable", nil); err != nil || status != 200 {
				t.Fatal(status, err)
			}
			status, last, _ := try(t, w, "", "chief", "boss-password")
			if status != 201 {
				t.Errorf("let in again: %d", status)
			}
			// An administrator sees how the person signs in.
			_, text, err := w.Operator("GET", "/desk/v1/domains/house/users/"+id+"/sign-in", nil)
			if err != nil || !strings.Contains(text, `"provider":"corp"`) {
				t.Errorf("how the person signs in: %s %v", text, err)
			}
			// Without the directory its people wait, and nobody is thrown out.
			d.stop()
			time.Sleep(1500 * time.Millisecond) // a check finds nobody
			if !last.house() {
				t.Error("an absent directory throws its people out")
			}
			// 503 by the name the user has here; any other name tells nothing (threats.md C5).
			for name, want := range map[string]int{"boss": 503, "chief": 401, "nobody-at-all": 401} {
				if status, _, _ := try(t, w, "", name, "boss-password"); status != want {
					t.Errorf("log-in of %s without the directory: %d", name, status)
				}
			}
			if status, _, _ := try(t, w, "", local.Name, local.Password); status != 201 {
				t.Errorf("a local user without the directory: %d", status)
			}
		})
	}
}

// TestDirectoryCustomers: a customer's people log in over LDAPS into their
// account, with the groups that theirs stand for, at the browser and at the
// identity surface; they never come into another account or the house.
func TestDirectoryCustomers(t *testing.T) {
	d := slapd(t)
	w, path := configured(t, "sqlite", "drain: 100ms\nidentity: {recheck: 1s}\n")
	domain := w.Domains[0]
	status, text, err := w.Operator("POST", "/desk/v1/domains/"+domain.ID+"/groups", obj{"name": "network", "roles": []string{"ticket_group_operator"}})
	if err != nil || status != 201 {
		t.Fatal(status, text, err)
	}
	if err := os.WriteFile(path, []byte(ldapConfig(d, domain.ID)), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Stop()
	w.Run()
	d.hire("zhou", "zhou-password")
	d.group("network-team", "zhou")
	code, zhou, out := try(t, w, domain.Name, "zhou", "zhou-password")
	if code != 201 || out["kind"] != "customer" || out["domain_id"] != domain.ID || !zhou.alive() {
		t.Fatalf("%d %v\n%s", code, out, w.LogText())
	}
	id := out["user_id"].(string)
	members := func() string {
		_, text, err := w.Operator("GET", "/desk/v1/domains/"+domain.ID+"/groups", nil)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if !strings.Contains(members(), id) {
		t.Errorf("not in the group: %s", members())
	}
	for _, where := range []string{w.Domains[1].Name, ""} {
		if code, _, _ := try(t, w, where, "zhou", "zhou-password"); code != 401 {
			t.Errorf("in %q: %d", where, code)
		}
	}
	res, _ := (&browser{t: t, url: w.URL}).send("POST", "/v3/auth/tokens", obj{"auth": obj{"identity": obj{"methods": []string{"password"},
		"password": obj{"user": obj{"name": "zhou", "password": "zhou-password", "domain": obj{"name": domain.Name}}}}}})
	if res.StatusCode != 201 || res.Header.Get("X-Subject-Token") == "" {
		t.Errorf("a token: %d", res.StatusCode)
	}
	// The operator's check says step by step what works and what does not.
	check := func(args ...string) (string, error) {
		c := exec.Command(world.Binary(t), append([]string{"login", "check", "--config", path}, args...)...)
		c.Env = append(os.Environ(), "READER=reader-password", "CASEMATE_LANGUAGE=en-us")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	report, err := check("customers", "--user", "zhou")
	if err != nil || !strings.Contains(report, "TLS, the certificate ends") || !strings.Contains(report, "uid=zhou,"+people) || !strings.Contains(report, "groups network\n") || strings.Contains(report, "FAILED") {
		t.Errorf("the check: %v\n%s", err, report)
	}
	if report, err := check("corp", "--user", "zhou"); err == nil || !strings.Contains(report, "FAILED  corp: role") || strings.Contains(report, "reader-password") {
		t.Errorf("the check of one without a role: %v\n%s", err, report)
	}
	if report, err := check("nowhere"); err == nil {
		t.Errorf("the check of none: %s", report)
	}
	d.members("network-team")
	for began := time.Now(); strings.Contains(members(), id); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal("still in the group")
		}
	}
	d.root(func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(personDN("zhou"), nil)) })
	zhou.out("removed from the directory", 20*time.Second)
}
