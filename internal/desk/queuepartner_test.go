package desk_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"casemate/internal/desk"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

// TestQueuesOfPartners: through the surface a partner's people read nothing of
// the house's queues: no filter, and no id of a customer, a person, a team or
// another partner.
func TestQueuesOfPartners(t *testing.T) {
	t.Parallel()
	contract := contractOf(t)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	tickettest.Each(t, ticket.Options{}, func(world *tickettest.World) {
		ctx, house := world.T.(*testing.T).Context(), principal.AsSystem(principal.House)
		w := &diagnoseDesk{t: world.T.(*testing.T), contract: contract, admin: world.Engineer("root", "Root", principal.RoleAdministrator)}
		service, err := queue.New(world.DB, world.Keys, queue.Nouns{Identity: world.Ident, Catalog: world.Catalog, Notify: world.Notify, Tickets: world.Tickets}, queue.Options{})
		world.OK(err)
		w.handler, err = desk.New(desk.Nouns{Identity: world.Ident, Tickets: world.Tickets, Catalog: world.Catalog, Notify: world.Notify, Queue: service}, desk.Host{Now: time.Now}, quiet)
		world.OK(err)
		blue, err := world.Ident.CreatePartner(ctx, house, identity.Partner{Name: "Blue", Whitelisted: true, Hours: identity.Hours{Zone: "GMT+08:00", Days: 5, Day: 8}})
		world.OK(err)
		u, err := world.Ident.CreateUser(ctx, house, identity.NewUser{Domain: principal.House, Name: "nora", Password: "a-Password-1", Role: principal.RoleEngineer, Partner: blue.ID})
		world.OK(err)
		nora := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: u.ID, UserName: "nora", Role: principal.RoleEngineer, Partner: blue.ID}
		secrets := []string{world.Boss.Domain, world.Chen.User, "other-partner", "some-team", "Bank"}
		theirs := w.ok(201, "POST", "queues", fmt.Sprintf(`{"name_en":"Blue's","filter":{"partner_ids":[%q]}}`, blue.ID))
		var hidden []string
		for _, f := range []string{`{"domain_ids":["` + secrets[0] + `"]}`, `{"assignee":"` + secrets[1] + `"}`, `{"partner_ids":["` + secrets[2] + `"]}`, `{"team_ids":["` + secrets[3] + `"]}`, `{}`} {
			hidden = append(hidden, w.ok(201, "POST", "queues", `{"name_en":"Bank","filter":`+f+`}`)["id"].(string))
			w.ok(201, "POST", "views", `{"name_en":"Bank","shared":"all","filter":`+f+`}`)
		}
		clean := func(what string, answer map[string]any) {
			w.t.Helper()
			text, err := json.Marshal(answer)
			world.OK(err)
			for _, s := range append(hidden, secrets...) {
				if strings.Contains(string(text), s) {
					w.t.Errorf("%s shows %s: %s", what, s, text)
				}
			}
		}
		code, list := w.call(nora, "GET", "queues", "")
		if code != 200 || len(items(w.t, list)) != 5 {
			w.t.Errorf("she lists %d %v", code, list)
		}
		clean("the list", list)
		for _, q := range items(w.t, list) {
			if q["filter"] != nil || q["count"] == nil {
				w.t.Errorf("she is shown %v", q)
			}
			_, one := w.call(nora, "GET", "queues/"+q["id"].(string), "")
			if one["id"] != q["id"] || one["filter"] != nil {
				w.t.Errorf("she reads %v", one)
			}
			clean("a queue", one)
		}
		if code, one := w.call(nora, "GET", "queues/"+theirs["id"].(string)+"/tickets", ""); code != 200 {
			w.t.Errorf("her own queue: %d %v", code, one)
		}
		_, unknown := w.call(nora, "GET", "queues/none", "")
		for _, id := range hidden {
			for _, path := range []string{"queues/" + id, "queues/" + id + "/tickets"} {
				if code, answer := w.call(nora, "GET", path, ""); code != 400 || answer["error_code"] != unknown["error_code"] || answer["error_msg"] != unknown["error_msg"] {
					w.t.Errorf("%s: %d %v, want as of no queue: %v", path, code, answer, unknown)
				}
			}
		}
		_, views := w.call(nora, "GET", "views", "")
		if len(items(w.t, views)) != 0 {
			w.t.Errorf("she has views: %v", views)
		}
		if q := w.ok(200, "GET", "queues/"+hidden[0], ""); q["filter"] == nil {
			w.t.Errorf("the house reads %v", q)
		}
	})
}
