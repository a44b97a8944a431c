package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casemate/internal/desk"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

// TestTeamwork: the wire of presence, snooze, followers, drafts, conflicts and
// messages that wait.
func TestTeamwork(t *testing.T) {
	t.Parallel()
	tickettest.Each(t, ticket.Options{}, func(w *tickettest.World) {
		t := w.T.(*testing.T)
		q, err := queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets}, queue.Options{})
		w.OK(err)
		w.Jobs.Add(q.Kinds()...)
		handler, err := desk.New(desk.Nouns{Identity: w.Ident, Tickets: w.Tickets, Catalog: w.Catalog, Notify: w.Notify, Queue: q}, desk.Host{Version: "test", Database: "test",
			SetUp:  func(context.Context, string, string, string) (identity.User, error) { return identity.User{}, nil },
			Events: func(context.Context, string, int64, int) ([]event.Row, error) { return nil, nil },
			Counts: func(context.Context) (desk.Counts, error) { return desk.Counts{}, nil }, Now: time.Now}, slog.New(slog.DiscardHandler))
		w.OK(err)
		n := w.Create(w.Li, "磁盘已满")
		do := func(who principal.Principal, method, path string, body any, want int) object {
			t.Helper()
			var text []byte
			if body != nil {
				text, _ = json.Marshal(body)
			}
			req := httptest.NewRequestWithContext(t.Context(), method, "/desk/v1/"+strings.ReplaceAll(path, "T/", "tickets/"+n+"/"), bytes.NewReader(text))
			req.Header.Set("X-Auth-Token", "verified in front")
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, req.WithContext(locale.With(principal.With(req.Context(), who), locale.Parse("en-us", "GMT+0", ""))))
			if rec.Code != want {
				t.Errorf("%s %s: %d %s, want %d", method, path, rec.Code, rec.Body, want)
			}
			var out object
			if rec.Body.Len() > 0 {
				w.OK(json.Unmarshal(rec.Body.Bytes(), &out))
			}
			return out
		}
		items := func(o object, name string) []any { all, _ := o[name].([]any); return all }
		local := principal.Principal{Kind: principal.Local, Domain: principal.House, User: "local"}
		last := do(w.Chen, "GET", "T/team", nil, 200)["last_message_id"]
		version := do(w.Chen, "GET", "tickets/"+n, nil, 200)["version"]

		// Presence.
		do(w.Chen, "PUT", "T/presence", object{"doing": "replying"}, 200)
		there := do(w.Emma, "PUT", "T/presence", object{"doing": "viewing"}, 200)
		if all := items(there, "items"); len(all) != 1 || all[0].(object)["name"] != "chen" || all[0].(object)["doing"] != "replying" || there["forgotten_seconds"] != 30.0 {
			t.Errorf("emma sees %v", there)
		}
		do(w.Emma, "PUT", "T/presence", object{"doing": "sleeping"}, 400)
		do(w.Emma, "DELETE", "T/presence", nil, 204)
		do(local, "PUT", "T/presence", object{"doing": "viewing"}, 400) // as whom?
		do(local, "PUT", "T/presence?as=emma", object{"doing": "viewing"}, 200)
		do(w.Emma, "PUT", "T/presence?as=chen", object{"doing": "viewing"}, 403)

		// Drafts.
		// Typed and taken away before it was saved: there is none, and none is made.
		if none := do(w.Chen, "PUT", "T/drafts/reply", object{"text": " ", "version": 0}, 200); none["version"] != 0.0 || none["kind"] != "reply" {
			t.Errorf("an empty draft: %v", none)
		}
		d := do(w.Chen, "PUT", "T/drafts/reply", object{"text": "hello", "version": 0, "action": "ask"}, 200)
		stale := do(w.Chen, "PUT", "T/drafts/reply", object{"text": "hallo", "version": 0}, 409)
		if c, _ := stale["conflict"].(object); c["reason"] != "draft" || c["draft"].(object)["text"] != "hello" || c["version"] != d["version"] {
			t.Errorf("another page: %v", stale)
		}
		do(w.Chen, "PUT", "T/drafts/reply", object{"text": strings.Repeat("字", 10001), "version": d["version"]}, 400)
		do(w.Chen, "PUT", "T/drafts/reply", object{"text": "x", "version": d["version"], "attachment_ids": strings.Split("abcdefghijk", "")}, 400)
		do(w.Chen, "PUT", "T/drafts/reply", object{"text": "x", "version": d["version"], "action": "pause"}, 400)
		do(w.Chen, "PUT", "T/drafts/reply", object{"text": strings.Repeat("字", 10000), "version": d["version"]}, 200)
		do(w.Chen, "DELETE", "T/drafts/reply?version=1", nil, 409)
		do(w.Chen, "DELETE", "T/drafts/reply", nil, 204)
		do(w.Chen, "DELETE", "T/drafts/reply", nil, 400)

		// A double answer, by message and by version.
		do(w.Emma, "POST", "T/steps", object{"action": "reply", "text": "emma was first", "last_message_id": last}, 200)
		for _, seen := range []object{{"last_message_id": last}, {"version": version}} {
			seen["action"], seen["text"] = "reply", "chen's answer"
			refused := do(w.Chen, "POST", "T/steps", seen, 409)
			c, _ := refused["conflict"].(object)
			changes := items(c, "changes")
			if len(changes) != 1 || c["new_messages"] != 1.0 || c["draft_id"] != "reply" || !strings.Contains(refused["error_msg"].(string), "emma replied") {
				t.Fatalf("refused: %v", refused)
			}
			change := changes[0].(object)
			if change["kind"] != "reply" || change["actor_name"] != "emma" || change["actor_side"] != "engineer" || change["from_status"] != 0.0 || change["to_status"] != 1.0 {
				t.Errorf("the change is %v", change)
			}
		}
		mine := items(do(w.Chen, "GET", "T/drafts", nil, 200), "items")
		if len(mine) != 1 || mine[0].(object)["text"] != "chen's answer" || mine[0].(object)["origin"] != "refused" {
			t.Errorf("kept: %v", mine)
		}
		if all := items(do(w.Chen, "GET", "drafts", nil, 200), "items"); len(all) != 1 {
			t.Errorf("my drafts: %v", all)
		}

		// Undo, later.
		do(w.Chen, "POST", "T/steps", object{"action": "reply", "text": "x", "undo_within": 61}, 400)
		held := do(w.Chen, "POST", "T/steps", object{"action": "reply", "text": "chen's answer", "last_message_id": last, "force": true, "undo_within": 60}, 200)
		later, _ := held["later"].(object)
		if later["undo"] != true || later["text"] != "chen's answer" || later["name"] != "chen" {
			t.Fatalf("held: %v", held)
		}
		id := later["id"].(string)
		if team := items(do(w.Emma, "GET", "T/team", nil, 200), "later"); len(team) != 1 || team[0].(object)["text"] != nil {
			t.Errorf("emma sees %v", team)
		}
		do(w.Emma, "DELETE", "later/"+id, nil, 400)
		if back := do(w.Chen, "DELETE", "later/"+id, nil, 200); back["text"] != "chen's answer" || back["origin"] != "recalled" {
			t.Errorf("back: %v", back)
		}
		do(w.Chen, "DELETE", "later/"+id, nil, 400)
		soon := func(in time.Duration) string { return w.Clock.Now().Add(in).UTC().Format(time.RFC3339Nano) }
		held = do(w.Chen, "POST", "T/steps", object{"action": "reply", "text": "in an hour", "send_at": soon(time.Hour)}, 200)
		id = held["later"].(object)["id"].(string)
		do(w.Chen, "PUT", "later/"+id, object{"send_at": soon(31 * 24 * time.Hour)}, 400)
		do(w.Chen, "PUT", "later/"+id, object{"text": ""}, 400)
		do(w.Chen, "PUT", "later/"+id, object{"version": 7, "text": "x"}, 409)
		if changed := do(w.Chen, "PUT", "later/"+id, object{"text": "in two", "send_at": soon(2 * time.Hour), "anyway": true, "version": 1}, 200); changed["version"] != 2.0 || changed["anyway"] != true {
			t.Errorf("changed: %v", changed)
		}
		w.Clock.Add(2 * time.Hour)
		w.Work()
		messages := items(do(w.Chen, "GET", "T/messages", nil, 200), "items")
		if m := messages[len(messages)-1].(object); m["text"] != "in two" || len(items(do(w.Chen, "GET", "later", nil, 200), "items")) != 0 {
			t.Errorf("it sent %v", m)
		}

		// Snooze and followers.
		do(w.Chen, "PUT", "T/snooze", object{}, 400)
		do(w.Chen, "PUT", "T/snooze", object{"until_customer": true, "until": soon(time.Hour)}, 400)
		stale = do(w.Chen, "PUT", "T/snooze", object{"until_customer": true, "version": version}, 409)
		if c, _ := stale["conflict"].(object); c["reason"] != "version" || len(items(c, "changes")) != 2 {
			t.Errorf("a stale snooze: %v", stale)
		}
		rests := do(w.Chen, "PUT", "T/snooze", object{"until": soon(time.Hour)}, 200)
		if z, _ := rests["snooze"].(object); z["by_name"] != "chen" || z["until_customer"] != false || z["until"] == nil {
			t.Errorf("it rests: %v", rests["snooze"])
		}
		for query, want := range map[string]int{"": 0, "?snoozed=no": 0, "?snoozed=only": 1, "?snoozed=all": 1, "?q=" + n: 1} {
			if all := items(do(w.Chen, "GET", "tickets"+query, nil, 200), "items"); len(all) != want {
				t.Errorf("tickets%s: %d, want %d", query, len(all), want)
			}
		}
		do(w.Chen, "GET", "tickets?snoozed=maybe", nil, 400)
		if woken := do(w.Chen, "DELETE", "T/snooze", nil, 200); woken["snooze"] != nil {
			t.Errorf("woken: %v", woken)
		}
		do(w.Chen, "DELETE", "T/snooze", nil, 409)
		do(w.Emma, "PUT", "T/follow", nil, 204)
		team := do(w.Emma, "GET", "T/team", nil, 200)
		if all := items(team, "followers"); len(all) != 1 || all[0].(object)["name"] != "emma" || team["following"] != true {
			t.Errorf("followers: %v", team)
		}
		do(w.Emma, "DELETE", "T/follow", nil, 204)
		if team := do(local, "GET", "T/team", nil, 200); len(items(team, "followers")) != 0 || team["following"] != false {
			t.Errorf("followers: %v", team)
		}
		do(w.Chen, "POST", "T/steps", object{"action": "note", "text": "@nosuch"}, 400)

		// Preferences.
		if p := do(w.Chen, "GET", "preferences", nil, 200); p["undo_within"] != 0.0 || p["mentioned"] != "mail" || p["withheld"] != "mail" {
			t.Errorf("preferences: %v", p)
		}
		do(w.Chen, "PUT", "preferences", object{"undo_within": 61}, 400)
		if p := do(w.Chen, "PUT", "preferences", object{"undo_within": 60, "followed": "off"}, 200); p["undo_within"] != 60.0 || p["followed"] != "off" {
			t.Errorf("preferences: %v", p)
		}
		if held := do(w.Chen, "POST", "T/steps", object{"action": "reply", "text": "by preference"}, 200); held["later"] == nil {
			t.Error("his preference does not count")
		}
	})
}
