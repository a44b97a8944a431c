package matrix

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"casemate/test/world"
)

// traced is an entry of a customer's audit.
type traced struct {
	Name     string `json:"trace_name"`
	Title    string `json:"trace_title"`
	Resource string `json:"resource_name"`
}

// happened is an event of the house's audit.
type happened struct {
	Seq                       int64
	Kind, Ticket, About, Hash string
	SubjectID                 string `json:"subject_id"`
	SubjectName               string `json:"subject_name"`
	Via                       struct{ Kind, ID, Name string }
	Data                      struct{ Name string }
	TagsAdded                 []string `json:"tags_added"`
}

// TestAuditSaysWhat: what a customer and the house read in their audits names the
// file, the agreement, the tickets and tags it is about, and by what it happened.
func TestAuditSaysWhat(t *testing.T) {
	each(t, func(t *testing.T, w *world.World) {
		const password, file = "a password of the matrix 2", "AUDITED-of-frau-weber.log"
		if status, text, err := w.Operator("POST", "/desk/v1/domains/house/users", map[string]any{"name": "reads-auditor", "password": password, "role": "auditor"}); err != nil || status >= 300 {
			t.Fatalf("%d %s %v", status, text, err)
		}
		admin := caller{name: "the administrator", w: w, token: engineerToken(t, w, w.Admin.Name, w.Admin.Password)}
		auditor := caller{name: "an auditor", w: w, token: engineerToken(t, w, "reads-auditor", password)}
		boss, u := user(t, w, 0, 0), user(t, w, 0, 1)
		do := func(c caller, method, path string, body, into any) {
			t.Helper()
			raw, _ := json.Marshal(body)
			if body == nil {
				raw = nil
			}
			a := c.send(t, method, path, nil, raw)
			if a.status >= 300 {
				t.Fatalf("%s %s by %s: %d %.400s", method, path, c.name, a.status, a.text)
			}
			if into != nil {
				if err := json.Unmarshal([]byte(a.text), into); err != nil {
					t.Fatalf("%s: %v", path, err)
				}
			}
		}
		problem := consultation(t, u)
		one, two := create(t, u, problem, "one"), create(t, u, problem, "two")
		const base = "/v2/servicerequest/"

		// A label goes from two tickets; a file is uploaded; an agreement is signed.
		do(u, "POST", base+"labels", map[string]any{"name": "to go", "color": "#1f6feb"}, nil)
		var labels struct {
			List []struct {
				ID json.Number `json:"label_id"`
			} `json:"label_list"`
		}
		do(u, "GET", base+"labels?name="+url.QueryEscape("to go"), nil, &labels)
		label := labels.List[0].ID.String()
		for _, n := range []string{one, two} {
			do(u, "POST", base+"cases/"+n+"/labels?label_ids="+label, nil, nil)
		}
		do(u, "DELETE", base+"labels/"+label, nil, nil)
		var made struct {
			ID string `json:"accessory_id"`
		}
		do(u, "POST", base+"accessorys/json-format-content", map[string]any{"accessory_name": file, "accessory_from": "incident", "upload_type": 0,
			"accessory_data": base64.StdEncoding.EncodeToString([]byte("a log"))}, &made)
		var newest struct {
			Agreement struct {
				ID   json.Number `json:"id"`
				Name string      `json:"name"`
			} `json:"case_agreement"`
		}
		do(u, "GET", base+"agreements/published-agreement?agreement_type=0", nil, &newest)
		do(u, "POST", base+"agreements/"+newest.Agreement.ID.String()+"/signed", map[string]any{"relation_id": "audited"}, nil)

		entry := func(c caller, lang, name string) traced {
			t.Helper()
			a := c.send(t, "GET", "/web/v1/audit?limit=1&trace_name="+name, map[string]string{"X-Language": lang}, nil)
			var page struct{ Items []traced }
			if err := json.Unmarshal([]byte(a.text), &page); err != nil || len(page.Items) != 1 {
				t.Fatalf("%s of %s: %.400s", name, c.name, a.text)
			}
			return page.Items[0]
		}
		for lang, want := range map[string]string{"en-us": " (taken off 2 tickets: ", "zh-cn": "（已从 2 个工单移除："} {
			for _, c := range []caller{u, boss} {
				got := entry(c, lang, "deleteLabel")
				if !strings.Contains(got.Title, want) || !strings.Contains(got.Title, one) || !strings.Contains(got.Title, two) {
					t.Errorf("%s deleted a label, by %s: %q", lang, c.name, got.Title)
				}
			}
		}
		if got := entry(u, "en-us", "uploadAccessory"); got.Resource != file {
			t.Errorf("uploaded: %+v", got)
		}
		if got := entry(boss, "en-us", "uploadAccessory"); got.Resource != "" {
			t.Errorf("the main account is told of a file that no ticket has: %+v", got)
		}
		if got := entry(u, "en-us", "signAgreement"); !strings.HasSuffix(got.Resource, "Version 1") || len(got.Resource) < len("Version 1")+3 {
			t.Errorf("signed: %+v", got)
		}
		if got := entry(u, "zh-cn", "signAgreement"); !strings.HasSuffix(got.Resource, "版本 1") {
			t.Errorf("signed: %+v", got)
		}
		do(u, "DELETE", base+"accessorys/"+made.ID, nil, nil)
		if got := entry(u, "en-us", "deleteAccessory"); got.Resource != file {
			t.Errorf("deleted: %+v", got)
		}

		// Two tickets are tagged in one run; a rule tags a third one.
		handler := w.Engineers[0].Name
		status, text, err := w.Operator("POST", "/desk/v1/bulk-runs", map[string]any{"numbers": []string{one, two}, "as": handler, "actions": []any{map[string]any{"do": "tag", "tags": []string{"hot", "mild"}}}})
		if err != nil || status >= 300 {
			t.Fatalf("bulk: %d %s %v", status, text, err)
		}
		const rule = "tags what is new"
		status, text, err = w.Operator("POST", "/desk/v1/rules", map[string]any{"name": map[string]string{"en": rule}, "mode": "on", "when": map[string]any{"events": []string{"ticket.create"}},
			"then": []any{map[string]any{"do": "tag", "tags": []string{"ruled"}}}})
		if err != nil || status >= 300 {
			t.Fatalf("rule: %d %s %v", status, text, err)
		}
		time.Sleep(20 * time.Millisecond) // what was before the rule is none of its business
		three := create(t, u, problem, "three")

		list := func(c caller, query string) []happened {
			t.Helper()
			var page struct{ Items []happened }
			do(c, "GET", "/desk/v1/audit?limit=100&"+query, nil, &page)
			return page.Items
		}
		until := func(what string, fits func() bool) {
			t.Helper()
			for began := time.Now(); !fits(); time.Sleep(100 * time.Millisecond) {
				if time.Since(began) > 30*time.Second {
					t.Fatalf("never: %s", what)
				}
			}
		}
		until("the run is sealed", func() bool { return len(list(admin, "action=bulk.done")) > 0 })
		begun, done := list(admin, "action=bulk.create")[0], list(admin, "action=bulk.done")[0]
		if begun.Via.ID != begun.SubjectID || done.Via.ID != begun.Via.ID || begun.Via.Kind != "bulk" || begun.About != fmt.Sprintf("2 tickets: %s, %s; actions: tag", one, two) || done.About != "2 tickets" {
			t.Errorf("the run: %+v %+v", begun, done)
		}
		for _, n := range []string{one, two} {
			got := list(admin, "action=ticket.tag&ticket="+n)
			if len(got) != 1 || got[0].Ticket != n || got[0].About != "added: hot, mild" || got[0].Via.Kind != "bulk" || got[0].Via.ID != begun.SubjectID {
				t.Errorf("tagged in a run: %+v", got)
			}
		}
		until("the rule ran", func() bool { return len(list(admin, "action=ticket.tag&ticket="+three)) > 0 })
		if got := list(admin, "action=ticket.tag&ticket="+three)[0]; got.Ticket != three || got.About != "added: ruled" || got.Via.Kind != "rule" || got.Via.Name != rule {
			t.Errorf("tagged by a rule: %+v", got)
		}
		if text, err := w.Local("audit", "list", "--ticket", one, "--action", "ticket.tag"); err != nil || !strings.Contains(text, "ticket "+one+"\t") || !strings.Contains(text, "\tbulk "+begun.SubjectID+"\t") {
			t.Errorf("the command line tells %q %v", text, err)
		}
		// The run of the rule says by which rule as its steps do, and what it did.
		until("the rule's run is sealed", func() bool { return len(list(admin, "action=rule.run")) > 0 })
		ran := list(admin, "action=rule.run")[0]
		if ran.Ticket != three || ran.SubjectName != rule || ran.About != "actions: tag" || ran.Via.Kind != "rule" || ran.Via.ID != ran.SubjectID || ran.Via.Name != rule {
			t.Errorf("the rule's run: %+v", ran)
		}
		if text, err := w.Local("audit", "list", "--action", "rule.run"); err != nil || !strings.Contains(text, "\trule "+rule+" ("+ran.SubjectID+")\t"+three+"\t") || !strings.Contains(text, "\trule "+rule+"\t") {
			t.Errorf("the command line tells of the rule's run %q %v", text, err)
		}
		if text, err := w.Local("audit", "list", "--action", "user.create"); err != nil || !regexp.MustCompile(`\tuser reads-auditor \([0-9a-z]{26}\)\t\t`).MatchString(text) {
			t.Errorf("the command line tells of a user %q %v", text, err)
		}
		var past struct{ Items []happened }
		do(admin, "GET", "/desk/v1/tickets/"+three+"/history", nil, &past)
		found := false
		for _, e := range past.Items {
			found = found || e.Kind == "ticket.tag" && e.Via.Kind == "rule" && e.Via.Name == rule && len(e.TagsAdded) == 1 && e.TagsAdded[0] == "ruled"
		}
		if !found {
			t.Errorf("the ticket's history: %+v", past)
		}
		// A file's name is sealed: administrators read it, auditors do not.
		if got := list(admin, "action=attachment.upload&domain="+w.Domains[0].ID); len(got) == 0 || got[0].Data.Name != file {
			t.Errorf("an administrator reads of the upload: %+v", got)
		}
		for _, e := range list(auditor, "action=attachment.*&domain="+w.Domains[0].ID) {
			if e.Data.Name != "" {
				t.Errorf("an auditor reads a file's name: %+v", e)
			}
		}
		if where := w.Stored(t, file); len(where) > 0 {
			t.Errorf("the file's name is stored in clear: %v", where)
		}

		// The file: every hash as the list has it, behind a word that is no formula.
		a := admin.send(t, "GET", "/desk/v1/audit/export?"+url.Values{"domain": {w.Domains[0].ID}}.Encode(), nil, nil)
		if a.status != http.StatusOK {
			t.Fatalf("%d %.300s", a.status, a.text)
		}
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.text, "\ufeff"))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		column := map[string]int{}
		for i, name := range rows[0] {
			column[name] = i
		}
		hashes := map[string]string{}
		for before := ""; ; {
			var page struct {
				Items []happened
				Next  int64 `json:"next_before"`
			}
			do(admin, "GET", "/desk/v1/audit?limit=500&domain="+w.Domains[0].ID+before, nil, &page)
			for _, e := range page.Items {
				hashes[fmt.Sprint(e.Seq)] = e.Hash
			}
			if page.Next == 0 {
				break
			}
			before = fmt.Sprint("&before=", page.Next)
		}
		if last := rows[0][len(rows[0])-1]; last != "via_name" {
			t.Fatalf("the file's last column is %s", last)
		}
		dashes, tags, ruled := 0, 0, 0
		for _, r := range rows[1:] {
			if hash := hashes[r[column["seq"]]]; hash == "" || r[column["hash"]] != "hmac-sha256:"+hash {
				t.Fatalf("event %s: %q in the file, %q in the list", r[column["seq"]], r[column["hash"]], hash)
			} else if hash[0] == '-' {
				dashes++
			}
			if r[column["kind"]] == "ticket.tag" && r[column["ticket"]] == one && r[column["about"]] == "added: hot, mild" && r[column["via"]] == "bulk" && r[column["via_id"]] == begun.SubjectID {
				tags++
			}
			if k := r[column["kind"]]; (k == "rule.run" || k == "ticket.tag") && r[column["ticket"]] == three && r[column["via"]] == "rule" && r[column["via_id"]] == ran.SubjectID && r[column["via_name"]] == rule {
				ruled++
			}
		}
		t.Logf("%d events, %d hashes begin with a minus", len(rows)-1, dashes)
		if tags != 1 {
			t.Errorf("the file tells %d times of the tag", tags)
		}
		if ruled != 2 {
			t.Errorf("the file names the rule %d times: its run and its step have it", ruled)
		}
	})
}
