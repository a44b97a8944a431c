package desk_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"casemate/internal/desk"
	"casemate/internal/knowledge"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/ticket/tickettest"
)

// TestArticlesOnTheDesk: every operation of the knowledge base through the
// surface, each answer held against the contract, with what it refuses.
func TestArticlesOnTheDesk(t *testing.T) {
	t.Parallel()
	contract := contractOf(t)
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	tickettest.Each(t, ticket.Options{}, func(world *tickettest.World) {
		w := &diagnoseDesk{t: world.T.(*testing.T), contract: contract, admin: world.Engineer("root", "Root", principal.RoleAdministrator)}
		know := knowledge.New(world.DB, world.Catalog, world.Ident, knowledge.Options{URL: "https://desk.example"})
		service, err := queue.New(world.DB, world.Keys, queue.Nouns{Identity: world.Ident, Catalog: world.Catalog, Notify: world.Notify, Tickets: world.Tickets, Knowledge: know}, queue.Options{})
		world.OK(err)
		w.handler, err = desk.New(desk.Nouns{Identity: world.Ident, Tickets: world.Tickets, Catalog: world.Catalog, Notify: world.Notify, Queue: service, Knowledge: know}, desk.Host{Now: world.Clock.Now}, quiet)
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
			is(who.UserName+" "+method+" "+path+" "+fmt.Sprint(answer["error_msg"]), got, status)
			return answer
		}
		chen, auditor := world.Chen, world.Auditor
		partner := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "p", Role: principal.RoleEngineer, Partner: "p"}
		body := `"visibility":"customers","zh":{"title":"重启","summary":"摘要","body":"**先**看日志"},"tags":["ECS"],"products":["elb"]`
		a := as(chen, 201, "POST", "articles", `{"slug":"restart",`+body+`,"note":"first"}`)
		is("link", a["link"], "https://desk.example/console/articles/restart")
		is("state", a["state"], "draft")
		is("fallback in English", a["fallback"], true)
		is("html", a["zh"].(map[string]any)["html"], "<p><strong>先</strong>看日志</p>\n")
		is("by", a["changed_by"], "chen")
		as(chen, 409, "POST", "articles", `{"slug":"restart",`+body+`}`)
		as(chen, 400, "POST", "articles", `{"slug":"other",`+body+`,"stat":"published"}`)
		as(chen, 400, "POST", "articles", `{"slug":"other","visibility":"customers","zh":{"title":"x","text":"y"}}`)
		as(auditor, 403, "POST", "articles", `{"slug":"other",`+body+`}`)
		as(partner, 403, "GET", "articles", "")
		as(world.Li, 403, "GET", "articles", "")
		names := as(auditor, 200, "GET", "catalog/names", "")
		is("a product", names["products"].([]any)[0].(map[string]any)["group_name"], "Products")
		is("a problem type", names["problem_types"].([]any)[0].(map[string]any)["group"], names["products"].([]any)[0].(map[string]any)["id"])
		is("the highest severity", names["severities"].([]any)[0].(map[string]any)["id"], "sev-1")
		as(partner, 403, "GET", "catalog/names", "")
		as(world.Li, 403, "GET", "catalog/names", "")
		changed := as(chen, 200, "PUT", "articles/restart", `{`+strings.Replace(body, "先", "再", 1)+`,"en":{"title":"Restart","body":"see the log"},"revision":1}`)
		is("version", changed["version"], 2)
		stale := as(world.Emma, 409, "PUT", "articles/restart", `{`+body+`,"revision":1}`)
		if msg := fmt.Sprint(stale["error_msg"]); !strings.Contains(msg, "Chinese body, English title, English body") {
			w.t.Error(msg)
		}
		as(chen, 409, "POST", "articles/restart/steps", `{"do":"unpublish"}`)
		as(chen, 400, "POST", "articles/restart/steps", `{"do":"restore"}`)
		as(chen, 400, "POST", "articles/restart/steps", `{"do":"delete"}`)
		is("published", as(chen, 200, "POST", "articles/restart/steps", `{"do":"publish","revision":2}`)["published_version"], 2)
		restored := as(chen, 200, "POST", "articles/restart/steps", `{"do":"restore","version":1}`)
		is("pending", restored["pending"], true)
		as(chen, 400, "POST", "articles/nonesuch/steps", `{"do":"publish"}`)
		versions := as(auditor, 200, "GET", "articles/restart/versions?limit=2", "")
		is("versions", len(items(w.t, versions)), 2)
		rest := as(auditor, 200, "GET", "articles/restart/versions?cursor="+fmt.Sprint(versions["next_cursor"]), "")
		is("note", items(w.t, rest)[0]["note"], "first")
		as(auditor, 400, "GET", "articles/restart/versions?cursor=x", "")
		is("a version", as(auditor, 200, "GET", "articles/restart/versions/2", "")["title"], "Restart")
		as(auditor, 400, "GET", "articles/restart/versions/9", "")
		diff := items(w.t, as(auditor, 200, "GET", "articles/restart/differences?from=1&to=2", ""))
		is("parts", len(diff), 3)
		is("line", diff[0]["lines"].([]any)[0].(map[string]any)["sign"], "-")
		found := as(auditor, 200, "GET", "articles?q="+"%E6%97%A5", "")
		is("found", found["total_count"], 1)
		is("hit", items(w.t, found)[0]["found"].([]any)[1].(map[string]any)["text"], "日")
		is("by tag", as(auditor, 200, "GET", "articles?tag=ecs&state=published&visibility=customers&product=elb", "")["total_count"], 1)
		is("preview", as(chen, 200, "POST", "article-preview", `{"text":"a <b onclick=x>b</b> *x*"}`)["html"], "<p>a b <em>x</em></p>\n")
		is("suggested", len(items(w.t, as(chen, 200, "POST", "article-suggestions", `{"text":"服务重启"}`))), 1)
		as(auditor, 403, "POST", "article-suggestions", `{"text":"服务重启"}`)
		number := world.Create(world.Li, "请重启")
		is("suggested for a ticket", items(w.t, as(chen, 200, "POST", "article-suggestions", `{"number":"`+number+`"}`))[0]["slug"], "restart")
		is("used", as(chen, 200, "PUT", "tickets/"+number+"/articles/restart", "")["by"], "chen")
		is("articles of it", len(items(w.t, as(chen, 200, "GET", "tickets/"+number+"/articles", ""))), 1)
		is("tickets", items(w.t, as(chen, 200, "GET", "articles/restart/tickets", ""))[0]["number"], number)
		as(chen, 204, "DELETE", "tickets/"+number+"/articles/restart", "")
		as(chen, 400, "DELETE", "tickets/"+number+"/articles/restart", "")
		is("articles of it, read", len(items(w.t, as(auditor, 200, "GET", "tickets/"+number+"/articles", ""))), 0)
		is("tickets, read", len(items(w.t, as(auditor, 200, "GET", "articles/restart/tickets", ""))), 0)
		as(auditor, 403, "PUT", "tickets/"+number+"/articles/restart", "")
		as(auditor, 403, "POST", "articles/restart/feedback", `{"helpful":true}`) // reads, and changes nothing
		as(chen, 204, "POST", "articles/restart/feedback", `{"helpful":true}`)
		is("helped", as(auditor, 200, "GET", "articles/restart", "")["helpful"], 1)
		_, err = know.Suggest(world.T.Context(), world.Li, knowledge.Ask{Text: "重启"})
		world.OK(err)
		world.Clock.Add(time.Second)
		is("figures", as(auditor, 200, "GET", "article-figures", "")["shown"], 1)
		as(auditor, 400, "GET", "article-figures?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "")
		files := as(auditor, 200, "GET", "article-files", "")["files"].(map[string]any)
		is("files", len(files), 1)
		text := fmt.Sprintf("%q", strings.Replace(files["restart.zh-cn.md"].(string), "title: 重启", "title: 重新启动", 1))
		dry := as(chen, 200, "POST", "article-files", `{"files":{"restart.zh-cn.md":`+text+`},"dry_run":true}`)
		is("dry", fmt.Sprint(items(w.t, dry)[0]["parts"], dry["dry_run"]), "[zh.title] true")
		is("done", len(items(w.t, as(chen, 200, "POST", "article-files", `{"files":{"restart.zh-cn.md":`+text+`}}`))), 1)
		is("again", as(chen, 200, "POST", "article-files", `{"files":{"restart.zh-cn.md":`+text+`}}`)["unchanged"], 1)
		as(chen, 400, "POST", "article-files", `{"files":{"restart.zh-cn.md":"x"}}`)
		as(auditor, 403, "POST", "article-files", `{"files":{}}`)
	})
}
