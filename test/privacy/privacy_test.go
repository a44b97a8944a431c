// Package privacy erases people against the shipped binary and looks for what is
// left in every byte the installation has.
package privacy

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// The markers of the person: each begins with another letter, so that the index,
// which writes what words have in common once, holds each nearly whole.
const (
	nameMark  = "qnameqzwx41"
	mailMark  = "vmailqzwx42"
	phoneMark = "13955512347"
	textMark  = "jtextqzwx43"
	replyMark = "kreplyqzwx44"
	fileMark  = "wfileqzwx45"
	bytesMark = "ybytesqzwx46"
	hanMark   = "麒麟瑞兽献宝"
)

var marks = []string{nameMark, mailMark, phoneMark, textMark, replyMark, fileMark, bytesMark, hanMark}

// party is the person and his ticket.
type party struct {
	w              *world.World
	domain         string
	id, number     string
	token, problem string
}

func operator(t *testing.T, w *world.World, method, path string, body any, want int) map[string]any {
	t.Helper()
	status, text, err := w.Operator(method, path, body)
	if err != nil || status != want {
		t.Fatalf("%s %s: %d %s %v", method, path, status, text, err)
	}
	out := map[string]any{}
	if text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
	return out
}

func newParty(t *testing.T, w *world.World) *party {
	t.Helper()
	p := &party{w: w, domain: w.Domains[0].ID, problem: w.Consultation(t)}
	const password = "a-Long-Password-1"
	made := operator(t, w, "POST", "/desk/v1/domains/"+p.domain+"/users", map[string]any{"name": nameMark, "password": password, "area_code": "86", "mobile": phoneMark, "email": mailMark + "@example.com"}, http.StatusCreated)
	p.id = made["id"].(string)
	w.Domains[0].Users = append(w.Domains[0].Users, world.User{Name: nameMark, Password: password, ID: p.id})
	p.token = w.Token(t, 0, len(w.Domains[0].Users)-1)
	p.write(t)
	return p
}

func (p *party) send(t *testing.T, method, path string, body any) string {
	t.Helper()
	status, text := p.w.SendAs(p.token)(method, path, body)
	if status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

func (p *party) write(t *testing.T) {
	t.Helper()
	file := strings.Split(p.send(t, "POST", "/v2/servicerequest/accessorys/json-format-content", map[string]any{"accessory_name": fileMark + ".txt", "accessory_from": "message", "upload_type": 0,
		"accessory_data": base64.StdEncoding.EncodeToString([]byte(strings.Repeat(bytesMark+"\n", 1000)))}), `"`)[3]
	p.number = strings.Split(p.send(t, "POST", "/v2/servicerequest/cases", map[string]any{"business_type_id": p.problem, "source_id": "83aeb0f2834c4df49826c781d32a963e",
		"simple_description": textMark + " " + hanMark, "remind_mail": mailMark + "@example.com"}), `"`)[3]
	p.send(t, "POST", "/v2/servicerequest/cases/"+p.number+"/message", map[string]any{"message": map[string]any{"content": replyMark, "type": 0, "accessory_ids": []string{file}}})
}

// left tells where markers stand: in the files of the data folder, in the log, in
// every value of the database.
func (p *party) left(t *testing.T) (found []string) {
	t.Helper()
	look := func(where string, b []byte) {
		for _, m := range marks {
			// The index writes what neighbours have in common once.
			for _, part := range []string{m, string([]rune(m)[1:])} {
				if bytes.Contains(b, []byte(part)) {
					found = append(found, where+": "+m)
					break
				}
			}
		}
	}
	err := filepath.WalkDir(filepath.Dir(p.w.Dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, "before") {
			return err
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		look(strings.TrimPrefix(path, filepath.Dir(p.w.Dir)), b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	look("log", []byte(p.w.LogText()))
	p.w.EachValue(t, func(table, column string, value []byte) { look(table+"."+column, value) })
	slices.Sort(found)
	return slices.Compact(found)
}

func (p *party) erase(t *testing.T, how ...string) string {
	t.Helper()
	out, err := p.w.Local(append([]string{"privacy", "erase", "--domain", p.w.Domains[0].Name, "--user", p.id, "--reason", "asked by letter", "--yes", "--json"}, how...)...)
	if err != nil {
		t.Fatal(out, err)
	}
	var e struct{ ID, State string }
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		t.Fatal(out, err)
	}
	if len(how) == 0 && e.State != "done" {
		t.Fatal(out)
	}
	return e.ID
}

// each runs the test on both databases.
func each(t *testing.T, test func(t *testing.T, w *world.World, lite bool)) {
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, world.Start(t, world.Options{Config: "drain: 100ms\n"}), true)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, world.Start(t, world.Options{Config: "drain: 100ms\n", Database: world.Database(t)}), false)
	})
}

// TestErase: after an erase no byte of the installation holds what the person
// was called, wrote or uploaded; the ticket, the counters and the chain are as
// they were; the customer reads who looked and what was done; a backup made before
// does not open the person's fields.
func TestErase(t *testing.T) {
	each(t, func(t *testing.T, w *world.World, lite bool) {
		p := newParty(t, w)
		w.Settled(t, p.domain)
		if found := p.left(t); len(found) < 5 {
			t.Fatalf("the scan finds nothing to begin with: %v", found)
		}
		before := filepath.Join(filepath.Dir(w.Dir), "before.tar")
		if lite {
			if _, err := w.Local("backup", "--to", before); err != nil {
				t.Fatal(err)
			}
		}
		// Who looks says why, and the customer reads it.
		operator(t, w, "POST", "/desk/v1/tickets/"+p.number+"/reveal", map[string]any{}, http.StatusBadRequest)
		if got := operator(t, w, "POST", "/desk/v1/tickets/"+p.number+"/reveal", map[string]any{"reason": "to call back"}, http.StatusOK); got["mail"] != mailMark+"@example.com" {
			t.Errorf("reveal: %v", got)
		}
		boss := w.SendAs(w.Token(t, 0, 0))
		if status, text := boss("GET", "/web/v1/audit?trace_name=revealCaseContactInfo", nil); status != 200 || !strings.Contains(text, `"reason":"to call back"`) {
			t.Errorf("audit: %d %s", status, text)
		}
		// The address he came from is shown, and stored sealed only.
		if status, text := boss("GET", "/web/v1/audit?trace_name=createCase&user_id="+p.id, nil); status != 200 || !strings.Contains(text, `"source_ip":"127.0.0.1"`) {
			t.Errorf("audit: %d %s", status, text)
		}
		w.EachValue(t, func(table, column string, value []byte) {
			if table == "events" && column == "address" && len(value) > 0 && value[0] != 'p' && string(value) != "127.0.0.1" {
				t.Errorf("an address in the history: %q", value)
			}
		})
		p.bundle(t)
		p.holds(t)

		began := time.Now()
		p.erase(t)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
		if found := p.left(t); len(found) > 0 {
			t.Errorf("left: %v", found)
		}
		if out, err := w.Local("audit", "verify"); lite && (err != nil || !strings.Contains(out, "holds")) {
			t.Errorf("audit verify: %s %v", out, err)
		}
		if status, text := w.SendAs(p.token)("GET", "/v2/servicerequest/cases/"+p.number, nil); status != http.StatusUnauthorized {
			t.Errorf("the erased user's token: %d %s", status, text)
		}
		show := operator(t, w, "GET", "/desk/v1/tickets/"+p.number, nil, http.StatusOK)
		if text := fmt.Sprint(show); !strings.Contains(text, "erased") {
			t.Errorf("the ticket: %s", text)
		}
		if status, text := boss("GET", "/web/v1/audit?trace_name=createCase&user_id="+p.id, nil); status != 200 || strings.Contains(text, "source_ip") || !strings.Contains(text, p.number) {
			t.Errorf("audit: %d %s", status, text)
		}
		if !lite {
			return
		}
		w.Stop()
		if out, err := w.Local("doctor"); err != nil {
			t.Errorf("doctor: %s %v", out, err)
		}
		p.restored(t, before)
	})
}

// bundle: the person takes all that is held about him, once.
func (p *party) bundle(t *testing.T) {
	t.Helper()
	var link struct{ Path string }
	if err := json.Unmarshal([]byte(p.send(t, "POST", "/web/v1/me/bundles", nil)), &link); err != nil {
		t.Fatal(err)
	}
	raw := p.send(t, "GET", link.Path, nil)
	z, err := zip.NewReader(strings.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		all += f.Name + "\n" + string(text)
	}
	for _, m := range append(slices.Clone(marks), p.number, "127.0.0.1", "index.html") {
		if !strings.Contains(all, m) {
			t.Errorf("%s is not in the bundle", m)
		}
	}
	if status, text := p.w.SendAs(p.token)("GET", link.Path, nil); status != http.StatusForbidden {
		t.Errorf("a second download: %d %s", status, text)
	}
	file := filepath.Join(filepath.Dir(p.w.Dir), "before.zip")
	if out, err := p.w.Local("privacy", "bundle", "--domain", p.w.Domains[0].Name, "--user", nameMark, "--to", file); err != nil {
		t.Error(out, err)
	}
	if got, err := zip.OpenReader(file); err != nil {
		t.Error(err)
	} else if err := got.Close(); err != nil {
		t.Error(err)
	}
}

// holds: a hold on his ticket keeps him.
func (p *party) holds(t *testing.T) {
	t.Helper()
	out, err := p.w.Local("privacy", "hold", "put", "--case", p.number, "--reason", "a lawsuit", "--json")
	if err != nil {
		t.Fatal(out, err)
	}
	var h struct{ ID string }
	if err := json.Unmarshal([]byte(out), &h); err != nil {
		t.Fatal(err)
	}
	if out, err := p.w.Local("privacy", "erase", "--domain", p.w.Domains[0].Name, "--user", p.id, "--reason", "asked", "--yes"); err == nil || !strings.Contains(err.Error(), "OSM.01010002") {
		t.Errorf("erased in spite of a hold: %s %v", out, err)
	}
	if status, text := p.w.SendAs(p.token)("DELETE", "/web/v1/me/contacts", nil); status != http.StatusForbidden {
		t.Errorf("cleared in spite of a hold: %d %s", status, text)
	}
	if out, err := p.w.Local("privacy", "hold", "list"); err != nil || !strings.Contains(out, "a lawsuit") {
		t.Errorf("%s %v", out, err)
	}
	if out, err := p.w.Local("privacy", "hold", "release", h.ID, "--reason", "settled"); err != nil {
		t.Error(out, err)
	}
}

// restored: the backup made before, with the keys of now, does not open the
// person's name and contacts; everybody else's do.
func (p *party) restored(t *testing.T, before string) {
	t.Helper()
	w := p.w
	keys := filepath.Join(filepath.Dir(w.Dir), "before.keys.tar")
	if _, err := w.Local("backup", "--keys-only", "--to", keys); err != nil {
		t.Fatal(err)
	}
	old := w.Dir
	w.Moved(filepath.Join(filepath.Dir(old), "before-restored"), "", "--config", p.config(t))
	if out, err := w.Local("restore", "--from", before, "--keys-from", keys); err != nil {
		t.Fatal(out, err)
	}
	w.Run()
	users := fmt.Sprint(operator(t, w, "GET", "/desk/v1/domains/"+p.domain+"/users", nil, http.StatusOK))
	if !strings.Contains(users, p.id) || strings.Contains(users, nameMark) || strings.Contains(users, mailMark) || !strings.Contains(users, w.Domains[0].Users[0].Name) {
		t.Errorf("users of the backup: %s", users)
	}
	details := fmt.Sprint(operator(t, w, "POST", "/desk/v1/tickets/"+p.number+"/reveal", map[string]any{"reason": "a test"}, http.StatusOK))
	if strings.Contains(details, mailMark) {
		t.Errorf("details of the backup: %s", details)
	}
}

func (p *party) config(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "casemate.yaml")
	if err := os.WriteFile(path, []byte("drain: 100ms\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestEraseKilled: a server that is killed in the middle of an erase goes on with
// it after its next start.
func TestEraseKilled(t *testing.T) {
	each(t, func(t *testing.T, w *world.World, _ bool) {
		p := newParty(t, w)
		for range 15 {
			p.write(t)
		}
		id := p.erase(t, "--no-wait")
		w.Kill()
		w.Run()
		deadline := time.Now().Add(90 * time.Second)
		for {
			e := operator(t, w, "GET", "/desk/v1/privacy/erasures/"+id, nil, http.StatusOK)
			if e["state"] == "done" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%v", e)
			}
			time.Sleep(200 * time.Millisecond)
		}
		if found := p.left(t); len(found) > 0 {
			t.Errorf("left: %v", found)
		}
	})
}
