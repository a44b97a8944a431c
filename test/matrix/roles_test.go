package matrix

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/test/contract"
	"casemate/test/objects"
	"casemate/test/world"
)

// The letters of roles.csv: who may call an operation at all. The table was
// written from what each role is for (docs/ADMINISTRATION.md), not from the
// policy, which it judges.
const (
	letterAdministrator = 'A'
	letterSupervisor    = 'S'
	letterEngineer      = 'E'
	letterAuditor       = 'U'
	letterPartner       = 'P' // a partner's engineer
	letterMain          = 'M' // main account of a customer
	letterSubUser       = 'C'
	letterNobody        = 'N'
	letterDisabled      = 'D' // a disabled engineer: may what nobody may, no more
)

// rolesTable reads roles.csv: letters by surface and operation.
func rolesTable(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open("roles.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]string{}
	for _, r := range rows[1:] {
		name := r[0] + "." + r[1]
		if table[name] != "" {
			t.Errorf("roles.csv names %s twice", name)
		}
		if r[2] == "" || strings.Trim(r[2], "ASEUPMCN") != "" {
			t.Errorf("roles.csv: %s is for %q: the letters are ASEUPMCN", name, r[2])
		}
		table[name] = r[2]
	}
	return table
}

// rolesCaller is one column of the table.
type rolesCaller struct {
	letter rune
	caller
	fresh func() caller // with a new token
	page  caller        // in a browser
	again func() caller // in a browser, with a new session
}

// ways are how an operation is called: by a token where the contract takes one,
// and by a browser's session where it takes that.
func ways(op contract.Operation) (all []bool) {
	if op.Public || len(op.Schemes) == 0 || slices.Contains(op.Schemes, "TokenAuth") {
		all = append(all, false)
	}
	if slices.Contains(op.Schemes, "SessionCookie") {
		all = append(all, true)
	}
	return all
}

// openStatus calls an operation whose answer does not end and reads its status.
func openStatus(t *testing.T, c caller, op contract.Operation, values map[string]any) answer {
	t.Helper()
	path, header, _ := op.Request(values)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, op.Method, c.w.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	if c.token != "" {
		r.Header.Set("X-Auth-Token", c.token)
	}
	if c.cookie != nil {
		r.AddCookie(c.cookie)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", op.Method, path, err)
	}
	res.Body.Close()
	return answer{status: res.StatusCode}
}

// TestRolesMatrix: every operation of the desk's and the browser's contract by
// every role. Who may not is refused before anything else, on the victim's
// objects as on such that never were, with the same answer, and is shown and
// changes nothing; who may is let in. An auditor who reads all he may is shown
// no sealed personal field of the victim's and no byte of his files.
func TestRolesMatrix(t *testing.T) {
	table := rolesTable(t)
	operations := map[string][]contract.Operation{"desk": contract.Load(t, "desk.yaml"), "web": contract.Load(t, "web.yaml")}
	known := 0
	for surface, all := range operations {
		for _, op := range all {
			known++
			if table[surface+"."+op.ID] == "" {
				t.Errorf("test/matrix/roles.csv has no row for the operation %s.%s: add who may call it (A administrator, S supervisor, E engineer, U auditor, P partner's engineer, M main account, C sub-user, N nobody)", surface, op.ID)
			}
		}
	}
	if len(table) != known && !t.Failed() {
		for name := range table {
			surface, id, _ := strings.Cut(name, ".")
			if !slices.ContainsFunc(operations[surface], func(op contract.Operation) bool { return op.ID == id }) {
				t.Errorf("test/matrix/roles.csv has a row for %s, which is no operation", name)
			}
		}
	}
	configured(t, objects.Scenes, func(t *testing.T, w *world.World) {
		const marker = "VICTIM-roles-77c1"
		victim := newParty(t, w, 0, 0, w.Consultation(t), marker)
		const password = "a password of the matrix 1"
		make := func(letter rune, name, role string) rolesCaller {
			status, text, err := w.Operator("POST", "/desk/v1/domains/house/users", map[string]any{"name": name, "password": password, "role": role})
			if err != nil || status >= 300 {
				t.Fatalf("%s: %d %s %v", name, status, text, err)
			}
			fresh := func() caller { return caller{name: role, w: w, token: engineerToken(t, w, name, password)} }
			again := func() caller { return caller{name: role, w: w}.browser(t, "", name, password) }
			return rolesCaller{letter, fresh(), fresh, again(), again}
		}
		customer := func(letter rune, c caller, domain, n int) rolesCaller {
			d := w.Domains[domain]
			again := func() caller { return c.browser(t, d.Name, d.Users[n].Name, d.Users[n].Password) }
			return rolesCaller{letter, c, func() caller { return user(t, w, domain, n) }, again(), again}
		}
		nora := partner(t, w)
		inPage := func() caller { return nora.browser(t, "", "nora-of-blue", "a long password of nora") }
		nobody := caller{name: "nobody", w: w}
		as := func(c caller) func() caller { return func() caller { return c } }
		callers := []rolesCaller{
			make(letterAdministrator, "matrix-admin", "administrator"), make(letterSupervisor, "matrix-supervisor", "supervisor"),
			make(letterEngineer, "matrix-engineer", "engineer"), make(letterAuditor, "matrix-auditor", "auditor"),
			{letterPartner, nora, func() caller {
				return caller{name: nora.name, w: w, token: engineerToken(t, w, "nora-of-blue", "a long password of nora")}
			}, inPage(), inPage},
			customer(letterMain, victim.caller, 0, 0), customer(letterSubUser, user(t, w, 0, 1), 0, 1),
			{letterNobody, nobody, as(nobody), nobody, as(nobody)},
		}
		gone := make(letterDisabled, "matrix-disabled", "administrator")
		gone.name, gone.page.name = "a disabled administrator", "a disabled administrator in a browser"
		gone.fresh, gone.again = as(gone.caller), as(gone.page)
		if _, err := w.Local("user", "disable", "matrix-disabled"); err != nil {
			t.Fatal(err)
		}
		callers = append(callers, gone)

		ids := func(id func(objects.Kind) string) map[string]any {
			v := map[string]any{"action": "reply", "text": "from the matrix", "to": "house", "numbers": []any{id(objects.Ticket)}, "reason": "from the matrix"}
			for name, kind := range map[string]objects.Kind{"number": objects.Ticket, "authorization_id": objects.Authorization, "detail_id": objects.Detail, "session_id": objects.Session,
				"attachment_id": objects.Sent, "domain_id": objects.Domain, "user_id": objects.User, "group_id": objects.Group, "job_id": objects.Job, "agency_id": objects.Agency} {
				v[name] = id(kind)
			}
			return v
		}
		theirs := ids(func(k objects.Kind) string { return victim.made[k] })
		nobodys := ids(func(k objects.Kind) string {
			if k == objects.Sent {
				k = objects.Attachment
			}
			return objects.Never[k]
		})
		bodies := map[string]minimal{"desk": loadMinimal(t, "desk.yaml"), "web": loadMinimal(t, "web.yaml")}
		personal := []string{marker + " file"} // what an auditor must not be shown
		for _, u := range w.Domains[0].Users {
			personal = append(personal, u.Email, u.Mobile, `"`+u.Name+`"`)
		}
		personal = append(personal, victim.maker.Mail)
		fixed := map[string]map[string]any{"ListAudit": {"to": "2026-01-01T00:00:00Z"}, "ExportAudit": {"to": "2026-01-01T00:00:00Z"},
			"ShowTicketAsOf": {"as_of": "2026-01-01T00:00:00Z"}}
		// Who clears his own contacts changes his tickets, which are compared below.
		others := map[rune]rolesCaller{letterMain: customer(letterMain, user(t, w, 1, 0), 1, 0), letterSubUser: customer(letterSubUser, user(t, w, 1, 1), 1, 1)}
		before := state(t, victim.caller)
		calls, leaks, refused, let := 0, 0, 0, 0
		for _, surface := range []string{"desk", "web"} {
			never, real := bodies[surface].bodies(nobodys), bodies[surface].bodies(theirs)
			for _, op := range operations[surface] {
				name := surface + "." + op.ID
				for _, c := range callers {
					may := strings.ContainsRune(table[name], c.letter) || c.letter == letterDisabled && strings.ContainsRune(table[name], letterNobody)
					ask := func(byBrowser bool, values map[string]any) answer {
						calls++
						by := c
						if other, ok := others[c.letter]; ok && op.ID == "ClearOwnContacts" {
							by = other
						}
						as, again := by.caller, by.fresh
						if byBrowser {
							as, again = by.page, by.again
						}
						switch {
						case may && strings.HasPrefix(op.ID, "Delete") && strings.HasSuffix(op.ID, "Session"):
							as = again() // it ends with this call
						case op.ID == "StreamEvents":
							return openStatus(t, as, op, values)
						case op.ID == "CreateTicketAttachment":
							path, _, _ := op.Request(values)
							return as.send(t, op.Method, path, map[string]string{"Content-Type": "multipart/form-data; boundary=b"},
								[]byte("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nx\r\n--b--\r\n"))
						}
						in := map[string]any{}
						for k, v := range values {
							// "to" is of transfers, and a filter elsewhere; in a group nobody asks.
							if k != "to" && (k != "group_id" || strings.Contains(op.Path, "{group_id}")) {
								in[k] = v
							}
						}
						for k, v := range fixed[op.ID] {
							in[k] = v
						}
						path, header, _ := op.Request(in)
						body := never[op.ID]
						if fmt.Sprint(values) == fmt.Sprint(theirs) {
							body = real[op.ID]
						}
						return as.send(t, op.Method, path, header, body)
					}
					for _, byBrowser := range ways(op) {
						who := c.name
						if byBrowser {
							who = c.page.name
						}
						none := ask(byBrowser, nobodys)
						shut := none.status == http.StatusUnauthorized || none.status == http.StatusForbidden
						switch {
						case none.status == http.StatusNotImplemented:
							t.Errorf("%s is not built", name)
						case may && shut && !op.Public && !refusedByNoun(op.ID, c.letter, none.text):
							leaks++
							t.Errorf("%s may call %s by roles.csv and is refused: %d %.200s", who, name, none.status, none.text)
						case may:
							let++
						case !shut:
							leaks++
							t.Errorf("%s calls %s, which roles.csv does not give him: %d %.200s (a 400 says that the request was not decoded: see minimal_test.go)", who, name, none.status, none.text)
						default:
							if refused++; c.letter == letterNobody || c.letter == letterDisabled {
								continue
							}
							a := ask(byBrowser, theirs)
							if a.plain() != none.plain() {
								leaks++
								t.Errorf("%s calling %s: the victim's is answered %s, what never was %s", who, name, a.plain(), none.plain())
							}
						}
					}
					if !slices.Contains(ways(op), false) { // a token opens nothing that is a session's
						if a := ask(false, nobodys); a.status != http.StatusUnauthorized {
							leaks++
							t.Errorf("%s calls %s by a token: %d %.200s", c.name, name, a.status, a.text)
						}
					}
					if may && c.letter == letterAuditor && op.Method == http.MethodGet && op.ID != "StreamEvents" {
						a := ask(!slices.Contains(ways(op), false), theirs)
						for _, p := range personal {
							if strings.Contains(a.text, p) {
								leaks++
								t.Errorf("an auditor calling %s is shown %s: %.300s", name, p, a.text)
							}
						}
					}
				}
			}
		}
		if after := state(t, victim.caller); after != before {
			leaks++
			t.Errorf("the victim's domain has changed: %s", parted(before, after))
		}
		t.Logf("REPORT roles matrix (%s): %d operations by %d callers, %d calls, %d refused, %d let in, %d leaks\n", t.Name(), known, len(callers), calls, refused, let, leaks)
		if leaks > 0 {
			t.Errorf("%d leaks", leaks)
		}
	})
}

// refusedByNoun are calls that a role may make and that are refused for what
// they are about, by a text that is not the door's.
func refusedByNoun(operation string, letter rune, text string) bool {
	r, ok := nounRefusals[operation]
	return ok && strings.ContainsRune(r.letters, letter) && strings.Contains(text, r.text)
}

var nounRefusals = map[string]struct{ letters, text string }{
	"CreateAuthorizationStep": {"E", ""}, // the first of the steps, to approve, is a supervisor's; to withdraw an engineer's
	"EndSecondFactor":         {"ASEUPMC", "there is no second factor"},
	"RenewRecoveryCodes":      {"ASEUPMC", "there is no second factor"},
}
