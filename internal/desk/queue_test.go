package desk_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"casemate/internal/desk"
	"casemate/internal/event"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

// TestQueuesOnTheDesk: teams, engineers, queues and views through the surface,
// each answer held against the contract.
func TestQueuesOnTheDesk(t *testing.T) {
	t.Parallel()
	contract := contractOf(t)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	tickettest.Each(t, ticket.Options{}, func(world *tickettest.World) {
		w := &diagnoseDesk{t: world.T.(*testing.T), contract: contract, admin: world.Engineer("root", "Root", principal.RoleAdministrator)}
		service, err := queue.New(world.DB, world.Keys, queue.Nouns{Identity: world.Ident, Catalog: world.Catalog, Notify: world.Notify, Tickets: world.Tickets}, queue.Options{})
		world.OK(err)
		w.handler, err = desk.New(desk.Nouns{Identity: world.Ident, Tickets: world.Tickets, Catalog: world.Catalog, Notify: world.Notify, Queue: service}, desk.Host{Now: time.Now}, quiet)
		world.OK(err)
		is := func(what string, got, want any) {
			w.t.Helper()
			if fmt.Sprint(got) != fmt.Sprint(want) {
				w.t.Errorf("%s: %v, want %v", what, got, want)
			}
		}
		as := func(who principal.Principal, status int, method, path, body string) map[string]any {
			w.t.Helper()
			got, answer := w.call(who, method, path, body)
			is(who.UserName+" "+method+" "+path, got, status)
			return answer
		}
		team := w.ok(201, "POST", "teams", fmt.Sprintf(`{"name_zh":"一线","name_en":"First","members":[%q,%q],"lead":%q}`, world.Chen.User, world.Emma.User, world.Emma.User))
		id := team["id"].(string)
		is("name", team["name"], "First")
		w.ok(200, "PUT", "teams/"+id, fmt.Sprintf(`{"name_zh":"一线","members":[%q],"version":1}`, world.Chen.User))
		as(w.admin, 409, "PUT", "teams/"+id, `{"name_zh":"一线","members":[],"version":1}`)
		is("teams", len(items(w.t, as(world.Auditor, 200, "GET", "teams", ""))), 1)
		is("members", len(as(world.Chen, 200, "GET", "teams/"+id, "")["members"].([]any)), 1)
		as(world.Chen, 403, "DELETE", "teams/"+id, "")
		// Engineers.
		profile := "engineer-profiles/" + world.Chen.User
		set := w.ok(200, "PUT", profile, `{"capacity":1,"skills":{"languages":["zh-cn"],"region_ids":["cn-north-1"]},"plan":{"zone":"UTC","week":[{"day":4,"hours":"00:00-24:00"}],"exceptions":[{"date":"2026-12-25"},{"date":"2026-12-24","hours":"09:00-12:00"}]}}`)
		is("limit", set["limit"], 1)
		is("available", set["available"], true)
		as(w.admin, 400, "PUT", profile, `{"capacity":1001}`)
		as(world.Chen, 403, "PUT", profile, `{"capacity":5}`)
		is("engineers", len(items(w.t, as(world.Auditor, 200, "GET", "engineer-profiles", ""))), 3)
		is("his plan", len(as(world.Auditor, 200, "GET", profile, "")["plan"].(map[string]any)["exceptions"].([]any)), 2)
		is("his presence", as(world.Chen, 200, "PUT", "me/shift", `{"presence":"online"}`)["engineer"].(map[string]any)["presence"], "online")
		is("his shift", as(world.Chen, 200, "GET", "me/shift", "")["on_shift"], true)
		as(world.Auditor, 403, "PUT", "me/shift", `{"presence":"online"}`)
		local := principal.Principal{Kind: principal.Local, Domain: principal.House}
		as(local, 400, "GET", "me/shift", "")
		is("the operator for him", as(local, 200, "GET", "me/shift?as=chen", "")["name"], "chen")
		// Queues: everything of a filter comes back as it went in.
		filter := `{"statuses":[0,1,5],"languages":["zh-cn"],"region_ids":["none","cn-north-1"],"owners":["house"],"team_ids":["none"],"assignee":"none","domain_ids":["` + world.Boss.Domain + `"],"older_than_minutes":1,"urged":false}`
		body := `{"name_en":"Auto","place":5,"assignment":"round_robin","sort":"oldest","hard_capacity":true,"team_id":"` + id + `","filter":` + filter + `}`
		q := w.ok(201, "POST", "queues", body)
		qid := q["id"].(string)
		f := q["filter"].(map[string]any)
		is("filter", fmt.Sprint(f["statuses"], f["languages"], f["region_ids"], f["owners"], f["team_ids"], f["assignee"], f["older_than_minutes"], f["urged"]), "[0 1 5] [zh-cn] [none cn-north-1] [house] [none]none1 false")
		as(w.admin, 400, "POST", "queues", `{"name_en":"x","filter":{"statuses":[13]}}`)
		as(w.admin, 400, "POST", "queues", `{"name_en":"x","assignment":"round_robin","filter":{}}`)
		as(world.Chen, 403, "POST", "queues", body)
		first, second := world.Create(world.Boss, "one"), world.Create(world.Boss, "two")
		world.Clock.Add(2 * time.Minute)
		is("count", as(world.Emma, 200, "GET", "queues/"+qid, "")["count"], 2)
		page := as(world.Emma, 200, "GET", "queues/"+qid+"/tickets?limit=1", "")
		is("page", fmt.Sprint(page["total_count"], items(w.t, page)[0]["number"], items(w.t, page)[0]["waiting_code"]), fmt.Sprint(2, first, "soon"))
		page = as(world.Emma, 200, "GET", "queues/"+qid+"/tickets?limit=1&cursor="+page["next_cursor"].(string), "")
		is("next page", fmt.Sprint(items(w.t, page)[0]["number"], page["next_cursor"]), fmt.Sprint(second, nil))
		as(world.Emma, 400, "GET", "queues/"+qid+"/tickets?sort=changed&cursor=x", "")
		then := url.QueryEscape(world.DB.Now().Format(time.RFC3339Nano))
		world.Clock.Add(time.Millisecond)
		sealer := event.NewSealer(world.DB, world.Keys.Derive("event-chain"), "test", quiet)
		_, err = sealer.SealOnce(w.t.Context())
		world.OK(err)
		world.OK(service.Assign(w.t.Context()))
		is("assigned", as(world.Emma, 200, "GET", "tickets/"+first, "")["assignee_name"], "chen")
		is("full", as(world.Emma, 200, "GET", "tickets/"+second, "")["waiting_code"], "full")
		// Claim and accept: hard, then a warning.
		as(world.Chen, 409, "POST", "queues/"+qid+"/claim", "")
		as(world.Chen, 409, "POST", "tickets/"+second+"/steps", `{"action":"accept"}`)
		w.ok(200, "PUT", "queues/"+qid, `{"name_en":"Auto","team_id":"`+id+`","filter":`+filter+`}`)
		claimed := as(world.Chen, 200, "POST", "queues/"+qid+"/claim", "")
		is("claimed", fmt.Sprint(claimed["number"], claimed["warning"]), second+"you have 2 open tickets now, more than your capacity of 1")
		third := world.Create(world.Boss, "three")
		if as(world.Chen, 200, "POST", "tickets/"+third+"/steps", `{"action":"accept"}`)["warning"] == nil {
			w.t.Error("no warning after accept")
		}
		// Given back, and given to the team.
		is("released", as(world.Chen, 200, "POST", "tickets/"+third+"/steps", `{"action":"release"}`)["assignee_id"], nil)
		given := as(world.Chen, 200, "POST", "tickets/"+third+"/steps", `{"action":"transfer","to":"house","team_id":"`+id+`"}`)
		is("the team", fmt.Sprint(given["team_id"], given["team_name"]), id+"一线")
		is("by team", as(world.Chen, 200, "GET", "tickets?team="+id, "")["total_count"], 1)
		as(world.Chen, 409, "POST", "tickets/"+third+"/steps", `{"action":"transfer","to":"house","queue_id":"`+qid+`"}`)
		is("idle ones go back", len(as(world.Chen, 200, "PUT", "me/shift", `{"presence":"away"}`)["given_back"].([]any)), 1)
		// Views.
		v := as(world.Chen, 201, "POST", "views", `{"name_zh":"我的","shared":"team","team_id":"`+id+`","columns":["number","urges"],"sort":"changed","filter":{"assignee":"me"}}`)
		vid := v["id"].(string)
		is("view", fmt.Sprint(v["columns"], v["count"], v["editable"], v["owner_name"]), "[number urges] 1 truechen")
		is("in it", as(world.Chen, 200, "GET", "views/"+vid+"/tickets", "")["total_count"], 1)
		is("views", len(items(w.t, as(world.Emma, 200, "GET", "views", ""))), 0)
		as(world.Emma, 400, "GET", "views/"+vid, "")
		as(w.admin, 200, "PUT", "views/"+vid, `{"name_zh":"大家的","shared":"all","filter":{},"version":1}`)
		as(world.Emma, 403, "PUT", "views/"+vid, `{"name_zh":"x","filter":{}}`)
		as(world.Chen, 409, "DELETE", "views/"+vid+"?version=1", "")
		as(world.Chen, 204, "DELETE", "views/"+vid+"?version=2", "")
		as(world.Emma, 400, "GET", "views/"+vid+"/tickets", "")
		is("queues", len(items(w.t, as(world.Emma, 200, "GET", "queues", ""))), 5)
		as(w.admin, 409, "DELETE", "teams/"+id, "")
		as(w.admin, 409, "DELETE", "queues/"+qid+"?version=1", "")
		as(w.admin, 204, "DELETE", "queues/"+qid, "")
		as(w.admin, 204, "DELETE", "teams/"+id, "")
		as(world.Emma, 400, "GET", "queues/"+qid+"/tickets", "")
		// What it held before all that, though it is gone: its filter has team_ids
		// ("none"), which the history does not answer; a queue without says.
		refused := as(world.Emma, 400, "GET", "queues/"+qid+"/tickets?as_of="+then, "")
		if !strings.Contains(fmt.Sprint(refused["error_msg"]), "filter.team_ids") {
			w.t.Errorf("refused: %v", refused)
		}
		old := as(world.Emma, 200, "GET", "queues/unassigned/tickets?as_of="+then, "")
		is("then", fmt.Sprint(old["total_count"], items(w.t, old)[0]["number"], items(w.t, old)[0]["assignee_id"], old["queue_as_of"].(map[string]any)["present"]), fmt.Sprint(2, first, nil, true))
		was := w.ok(200, "GET", "queues/unassigned", "")
		w.ok(200, "PUT", "queues/unassigned", `{"name_en":"Other","filter":{"statuses":[4]}}`)
		old = as(world.Emma, 200, "GET", "queues/unassigned/tickets?limit=1&as_of="+then, "")
		is("then, told", fmt.Sprint(old["total_count"], old["queue_as_of"].(map[string]any)["name"], old["queue_as_of"].(map[string]any)["version"]), fmt.Sprint(2, was["name"], was["version"]))
		as(world.Emma, 400, "GET", "queues/unassigned/tickets?as_of=yesterday", "")
		as(world.Emma, 400, "GET", "queues/unassigned/tickets?as_of=2999-01-01T00:00:00Z", "")
		as(world.Auditor, 200, "GET", "queues/unassigned/tickets?as_of="+then, "")
	})
}
