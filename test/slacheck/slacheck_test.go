package slacheck_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/slacheck"
	"casemate/test/world"
)

func TestMain(m *testing.M) { world.Main(m) }

// policy has hours with a noon, a holiday and a compensation day about any day
// on which the test runs, in a zone whose clocks leap.
func policy(today time.Time) string {
	day := func(n int) string { return today.AddDate(0, 0, n).Format(time.DateOnly) }
	week := ""
	for _, d := range []string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday"} {
		week += "      " + d + ": [\"08:30-12:00\", \"13:15-17:45\"]\n"
	}
	return fmt.Sprintf(`calendars:
  - id: business hours
    name: {zh: 工作时间, en: Business hours}
    zone: America/New_York
    hours:
%s    holidays:
      - {from: "%s", to: "%s", name: {zh: 假期, en: Some days}}
    workdays:
      - {date: "%s", hours: ["10:00-16:00"]}
  - id: 24x7
    name: {zh: 全天候, en: Around the clock}
    zone: GMT+8
    hours: {monday: ["00:00-24:00"], tuesday: ["00:00-24:00"], wednesday: ["00:00-24:00"], thursday: ["00:00-24:00"], friday: ["00:00-24:00"], saturday: ["00:00-24:00"], sunday: ["00:00-24:00"]}
sla:
  warn_percent: 75
  escalate_percent: 100
  house: {clock: business hours, first_response: 1d, next_response: 5h, resolution: 3d}
`, week, day(2), day(3), day(4))
}

type shift struct {
	t    *testing.T
	w    *world.World
	send func(method, path string, body any) (int, string)
}

func (s *shift) desk(method, path string, body any) string {
	s.t.Helper()
	status, text, err := s.w.Operator(method, path, body)
	if err != nil || status >= 300 {
		s.t.Fatalf("%s %s: %d %s %v", method, path, status, text, err)
	}
	return text
}

func (s *shift) step(number, action string) {
	s.t.Helper()
	s.desk("POST", "/desk/v1/tickets/"+number+"/steps", map[string]any{"action": action, "text": "text of " + action, "as": "chen"})
}

func (s *shift) customer(method, path string, body any) string {
	s.t.Helper()
	status, text := s.send(method, path, body)
	if status >= 300 {
		s.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
	return text
}

func (s *shift) reply(number string) {
	s.t.Helper()
	s.customer("POST", "/v2/servicerequest/cases/"+number+"/message", map[string]any{"message": map[string]any{"content": "more"}})
}

func (s *shift) act(number, action string) {
	s.t.Helper()
	s.customer("POST", "/v2/servicerequest/cases/"+number+"/action?action_id="+action, map[string]any{})
}

func (s *shift) wait(by string) {
	s.t.Helper()
	if _, err := s.w.Local("demo", "clock", by); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // a moved clock is known everywhere within a second
}

// feed reads all events, until a ticket's last ones are sealed.
func (s *shift) feed() []slacheck.Event {
	s.t.Helper()
	var pages [][]byte
	after, quiet := 0, 0
	for quiet < 3 {
		page := s.desk("GET", fmt.Sprint("/desk/v1/events?limit=500&after=", after), nil)
		var head struct {
			Last int `json:"last"`
		}
		if err := json.Unmarshal([]byte(page), &head); err != nil {
			s.t.Fatal(err)
		}
		if head.Last == after {
			quiet++
			time.Sleep(250 * time.Millisecond) // the sealer's longest wait is 200 ms
			continue
		}
		after, quiet = head.Last, 0
		pages = append(pages, []byte(page))
	}
	all, err := slacheck.Events(pages...)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// TestRecomputed: tickets through every state, with time moved by a sandbox's
// clock over nights, days off and holidays: each figure that the desk and the
// customer are shown is what an independent computation makes of the event feed
// and the exported catalogue. Warnings are told once.
func TestRecomputed(t *testing.T) {
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{NoDemo: true, Direct: true, Config: "ticket:\n  urge_after: -1s\n"}
			if database == "postgres" {
				o.Database = dbtest.ServerDatabase(t)
			}
			w := world.Start(t, o)
			s := &shift{t: t, w: w}
			dir := filepath.Join(t.TempDir(), "catalogue")
			local := func(args ...string) string {
				t.Helper()
				out, err := w.Local(args...)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			var chen struct{ Password string }
			if err := json.Unmarshal([]byte(local("user", "create", "--json", "chen", "--role", "engineer")), &chen); err != nil {
				t.Fatal(err)
			}
			local("catalog", "export", dir)
			if err := os.WriteFile(filepath.Join(dir, "sla.yaml"), []byte(policy(time.Now())), 0o600); err != nil {
				t.Fatal(err)
			}
			local("catalog", "apply", dir, "--yes")
			var made struct {
				Domains []struct {
					Users []struct{ AK, SK string } `json:"users"`
				} `json:"domains"`
			}
			if err := json.Unmarshal([]byte(local("sandbox", "create", "playground", "--plan", "Business")), &made); err != nil {
				t.Fatal(err)
			}
			boss := made.Domains[0].Users[0]
			s.send = func(method, path string, body any) (int, string) {
				return signed(t, w, boss.AK, boss.SK, method, path, body)
			}

			const question, fault = "uc-message", "eip-unreachable" // plans do not apply to the first
			promised := map[string][3]string{}                      // number -> plan, severity, problem type
			create := func(problem, severity string) string {
				body := map[string]any{"business_type_id": problem, "simple_description": "something", "source_id": "83aeb0f2834c4df49826c781d32a963e", "region_id": "cn-north-1"}
				if severity != "" {
					body["severity_id"] = severity
				}
				var got struct {
					ID string `json:"incident_id"`
				}
				if err := json.Unmarshal([]byte(s.customer("POST", "/v2/servicerequest/cases", body)), &got); err != nil {
					t.Fatal(err)
				}
				promised[got.ID] = [3]string{"Business", severity, problem}
				return got.ID
			}
			compared := 0
			check := func(when string) {
				t.Helper()
				feed := s.feed()
				files := s.files()
				for number, p := range promised {
					rule := func(severity string) (slacheck.Policy, error) { return slacheck.Catalog(files, p[0], severity, p[2]) }
					for _, body := range []string{s.desk("GET", "/desk/v1/tickets/"+number+"/clocks", nil), s.customer("GET", "/web/v1/tickets/"+number+"/clocks", nil)} {
						shown, now, err := slacheck.Shown([]byte(body))
						if err != nil {
							t.Fatalf("%s: %s: %v", when, number, err)
						}
						want, err := slacheck.RecomputeTurned(slacheck.Of(feed, slacheck.ID(feed, number)), rule, p[1], now)
						if err != nil {
							t.Fatal(err)
						}
						if !slices.Equal(shown, want) || len(shown) == 0 {
							t.Errorf("%s: %s:\n%s", when, number, slacheck.Differences(shown, want))
						}
						compared += len(shown)
					}
				}
			}

			door := create(question, "")
			path := w.URL + "/web/v1/tickets/" + door + "/clocks"
			if status, text := plain(t, path, ""); status != http.StatusUnauthorized {
				t.Errorf("nobody reads clocks: %d %s", status, text)
			}
			if text := s.customer("GET", "/web/v1/tickets/"+door+"/clocks", nil); strings.Contains(text, "percent") || strings.Contains(text, "chen") {
				t.Errorf("a customer is shown the house's own: %s", text)
			}
			token := map[string]any{}
			if err := json.Unmarshal([]byte(s.desk("POST", "/desk/v1/sessions", map[string]string{"name": "chen", "password": chen.Password})), &token); err != nil {
				t.Fatal(err)
			}
			if status, text := plain(t, path, token["token"].(string)); status != http.StatusForbidden {
				t.Errorf("an engineer reads clocks as a customer: %d %s", status, text)
			}
			asked, paused, solved := create(question, ""), create(question, ""), create(fault, "sev-2")
			cancelled, invalid, late := create(question, ""), create(fault, "sev-4"), create(fault, "sev-2")
			check("at first")
			s.wait("+40m")
			s.step(asked, "accept")
			s.step(asked, "ask")
			s.step(paused, "accept")
			s.step(paused, "pause")
			s.act(solved, "press")
			s.step(solved, "reply")
			s.act(cancelled, "cancel")
			s.step(invalid, "invalid")
			severity := func(number, to string) int64 {
				t.Helper()
				var ran struct {
					Version int64 `json:"version"`
				}
				body := map[string]any{"as": "chen", "actions": []any{map[string]any{"do": "severity", "severity": to}}}
				if err := json.Unmarshal([]byte(s.desk("POST", "/desk/v1/tickets/"+number+"/actions", body)), &ran); err != nil {
					t.Fatal(err)
				}
				return ran.Version
			}
			// One whose first answer is late by the one severity and not by the other;
			// one whose change is undone behind its answer.
			turned, undone := create(fault, "sev-2"), create(fault, "sev-3")
			check("after 40 minutes")
			s.wait("+90m")
			lower := severity(turned, "sev-3")
			raised := severity(undone, "sev-2")
			check("other severities")
			s.step(turned, "reply")
			s.step(undone, "reply")
			s.reply(turned)
			s.reply(undone)
			check("other severities, answered")
			s.wait("+10m")
			for number, revision := range map[string]int64{turned: lower, undone: raised} {
				s.desk("POST", "/desk/v1/tickets/"+number+"/undo", map[string]any{"as": "chen", "revision": revision})
			}
			severity(turned, "sev-4")
			check("severities undone")
			// An unanswered one merged into an answered one, and taken apart again; one
			// that stays merged.
			target, source, other := create(question, ""), create(question, ""), create(question, "")
			s.step(target, "reply")
			merge := func(from, into string) int64 {
				t.Helper()
				var got struct {
					Version int64 `json:"version"`
				}
				if err := json.Unmarshal([]byte(s.desk("POST", "/desk/v1/tickets/"+from+"/merge", map[string]any{"as": "chen", "into": into})), &got); err != nil {
					t.Fatal(err)
				}
				return got.Version
			}
			joined := merge(source, target)
			check("merged")
			s.wait("+5m")
			s.desk("POST", "/desk/v1/tickets/"+target+"/undo", map[string]any{"as": "chen", "revision": joined})
			check("taken apart")
			merge(other, target)
			s.wait("+1d5h")
			s.reply(asked)
			s.reply(solved)
			s.step(paused, "resume")
			s.step(paused, "reply")
			s.step(late, "reply")
			check("after a day")
			s.wait("+2d7h")
			s.step(asked, "resolve")
			s.reply(asked)
			s.step(solved, "resolve")
			check("over the holiday")
			s.wait("+20h")
			s.step(asked, "resolve")
			s.act(asked, "close")
			s.act(solved, "close")
			s.act(solved, "delete")
			delete(promised, solved) // gone from the customer's eyes
			s.wait("+6d")
			check("at the end")

			told := map[string]int{}
			for _, e := range s.feed() {
				if strings.HasPrefix(e.Kind, "sla.") {
					told[e.Kind+" "+e.SubjectID]++
				}
			}
			if len(told) < 3 {
				t.Errorf("only %v was told", told)
			}
			if compared < 60 {
				t.Errorf("only %d figures were compared", compared)
			}
			t.Logf("REPORT SLA (%s): %d clocks recomputed from the event feed and the exported catalogue are equal\n", database, compared)
		})
	}
}

// plain reads an address with a token, "" = none.
func plain(t *testing.T, address, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

func (s *shift) files() map[string]string {
	s.t.Helper()
	var got struct {
		Files map[string]string `json:"files"`
	}
	if err := json.Unmarshal([]byte(s.desk("GET", "/desk/v1/catalog", nil)), &got); err != nil {
		s.t.Fatal(err)
	}
	return got.Files
}

func signed(t *testing.T, w *world.World, ak, sk, method, path string, body any) (int, string) {
	t.Helper()
	var text []byte
	if body != nil {
		text, _ = json.Marshal(body) // maps of texts
	}
	r, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	world.Sign(r, text, ak, sk, time.Now())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// TestByHand holds the recomputation itself against sums made by hand, over a
// night on which the clocks of New York go forward.
func TestByHand(t *testing.T) {
	t.Parallel()
	files := map[string]string{"a.yaml": `calendars:
  - id: c
    zone: America/New_York
    hours: {saturday: ["20:00-24:00"], sunday: ["00:00-04:00"], monday: ["09:00-17:00"]}
    holidays: [{from: "2026-03-16"}]
    workdays: [{date: "2026-03-17", hours: ["10:00-12:00"]}]
sla:
  house: {clock: c, first_response: 6h, next_response: 1h, resolution: 2d}
severities: [{id: high}, {id: low}]
support_plans:
  - {id: Gold, clock: c, targets: [{severity: high, first_response: 30m}, {severity: low, first_response: 90m}]}
products:
  - {can_use_support_plan: true, problem_types: [{id: p, can_use_support_plan: true}, {id: q, can_use_support_plan: false}]}
`}
	for _, c := range []struct {
		plan, severity, problem string
		first                   int64
	}{{"", "", "p", 360}, {"Gold", "high", "p", 30}, {"Gold", "", "p", 90}, {"Gold", "", "q", 360}, {"Gold", "gone", "p", 90}, {"Lead", "high", "p", 360}} {
		p, err := slacheck.Catalog(files, c.plan, c.severity, c.problem)
		if err != nil || p.First != c.first*60000 {
			t.Errorf("%+v: %d min, %v", c, p.First/60000, err)
		}
	}
	p, err := slacheck.Catalog(files, "", "", "p")
	if err != nil {
		t.Fatal(err)
	}
	utc := func(text string) int64 {
		at, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMilli()
	}
	one, two := int64(1), int64(17)
	zero := int64(0)
	event := func(kind, actor, at string, from, to *int64) slacheck.Event {
		e := slacheck.Event{Kind: kind, ActorKind: actor, AtMs: utc(at), Subject: "ticket"}
		e.Data.From, e.Data.To = from, to
		return e
	}
	events := []slacheck.Event{
		event("ticket.create", "customer", "2026-03-08 02:00", nil, nil),  // Saturday 21:00
		event("ticket.reply", "system", "2026-03-08 03:00", &zero, &zero), // no answer
		event("ticket.ask", "engineer", "2026-03-08 09:30", &zero, &two),  // Sunday 05:30 summer time: 3 h + 3 h, an hour was leapt over
		event("ticket.reply", "customer", "2026-03-09 13:30", &two, &one), // Monday 09:30
		event("ticket.reply", "engineer", "2026-03-09 15:00", &one, &one), // half an hour late
	}
	got := slacheck.Recompute(events, p, utc("2026-03-17 15:00"))
	hour := int64(3_600_000)
	want := []slacheck.Figure{
		// Answered when nothing counted any more, behind the due instant: late all the same.
		{Kind: "first_answer", N: 1, State: "breached", Target: 6 * hour, Start: utc("2026-03-08 02:00"), End: utc("2026-03-08 09:30"), Due: utc("2026-03-08 08:00"), Used: 6 * hour},
		// 6 h on Sunday, 7:30 h on Monday from 09:30, 8 h in the night of the 14th, where it is full, and 1 h on the 17th.
		{Kind: "resolution", N: 1, State: "breached", Target: 16 * hour, Start: utc("2026-03-08 02:00"), Due: utc("2026-03-15 02:30"), Used: 22*hour + hour/2, Left: -6*hour - hour/2},
		{Kind: "next_answer", N: 1, State: "breached", Target: hour, Start: utc("2026-03-09 13:30"), End: utc("2026-03-09 15:00"), Due: utc("2026-03-09 14:30"), Used: hour * 3 / 2, Left: -hour / 2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("by hand:\n%s", slacheck.Differences(got, want))
	}
}
