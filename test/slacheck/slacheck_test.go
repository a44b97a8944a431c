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
				o.Database = dbtest.EmptyDatabase(t)
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
			local("user", "create", "chen", "--role", "engineer")
			local("catalog", "export", dir)
			if err := os.WriteFile(filepath.Join(dir, "sla.yaml"), []byte(policy(time.Now())), 0o600); err != nil {
				t.Fatal(err)
			}
			local("catalog", "apply", dir)
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
					rule, err := slacheck.Catalog(files, p[0], p[1], p[2])
					if err != nil {
						t.Fatal(err)
					}
					for _, body := range []string{s.desk("GET", "/desk/v1/tickets/"+number+"/clocks", nil), s.customer("GET", "/web/v1/tickets/"+number+"/clocks", nil)} {
						shown, now, err := slacheck.Shown([]byte(body))
						if err != nil {
							t.Fatalf("%s: %s: %v", when, number, err)
						}
						want := slacheck.Recompute(slacheck.Of(feed, slacheck.ID(feed, number)), rule, now)
						if !slices.Equal(shown, want) || len(shown) == 0 {
							t.Errorf("%s: %s:\n%s", when, number, slacheck.Differences(shown, want))
						}
						compared += len(shown)
					}
				}
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
			check("after 40 minutes")
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
