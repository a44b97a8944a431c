package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"casemate/internal/api"
	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal/sealtest"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// talk is the real surface over the tickets' nouns, each answer held against
// the contract.
type talk struct {
	t       *testing.T
	handler http.Handler
	router  routers.Router
	clock   *dbtest.Clock
	tickets *ticket.Service
	problem string
	product string

	boss, li, foreign, chen principal.Principal
}

func eachTalk(t *testing.T, test func(w *talk)) {
	t.Helper()
	t.Parallel()
	router, err := routerOnce()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.EachClock(t, func(t *testing.T, d *db.DB, clock *dbtest.Clock) {
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
		w := &talk{t: t, router: router, clock: clock}
		keys := sealtest.Keyring(t)
		ident := identity.New(d, keys, identity.Options{PasswordMemory: 64})
		cat, err := catalog.New(t.Context(), d, catalog.Options{Log: quiet})
		must(err)
		must(cat.EnsureDefault(t.Context()))
		out, err := notify.New(d, keys, notify.Options{Config: config.Notify{}, Log: quiet})
		must(err)
		v, err := verify.New(d, keys, ident, out, verify.Options{})
		must(err)
		w.tickets, err = ticket.New(d, keys, ticket.Nouns{Identity: ident, Catalog: cat, Verify: v, Notify: out}, ticket.Options{Log: quiet})
		must(err)
		w.handler, err = api.New(api.Nouns{Catalog: cat, Verify: v, Ticket: w.tickets}, api.Options{Log: quiet})
		must(err)
		house := principal.AsSystem(principal.House)
		user := func(domain, name string, main bool) principal.Principal {
			u, err := ident.CreateUser(t.Context(), house, identity.NewUser{Domain: domain, Name: name, Password: "a-Password-1", Main: main})
			must(err)
			return principal.Principal{Kind: principal.Customer, Domain: domain, User: u.ID, UserName: name, Main: main}
		}
		one, err := ident.CreateDomain(t.Context(), house, identity.NewDomain{Name: "云帆科技"})
		must(err)
		two, err := ident.CreateDomain(t.Context(), house, identity.NewDomain{Name: "Harbour"})
		must(err)
		w.boss, w.li, w.foreign = user(one.ID, "boss", true), user(one.ID, "li", false), user(two.ID, "foreign", true)
		e, err := ident.CreateUser(t.Context(), house, identity.NewUser{Domain: principal.House, Name: "chen", Password: "a-Password-1", Role: principal.RoleEngineer, Alias: "工程师小陈"})
		must(err)
		w.chen = principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: e.ID, UserName: "chen", Role: principal.RoleEngineer}
		for _, p := range cat.Now().ProblemTypes() {
			if p.CaseType == catalog.Consultation {
				w.problem, w.product = p.ID, p.Product
				break
			}
		}
		test(w)
	})
}

func (w *talk) create(who principal.Principal, text string) string {
	w.t.Helper()
	w.clock.Add(time.Millisecond)
	n, err := w.tickets.Create(w.t.Context(), who, ticket.NewTicket{Choice: catalog.Choice{ProblemType: w.problem}, Description: text, Source: ticket.Source, Locale: locale.Default()})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *talk) answer(number, text string) {
	w.t.Helper()
	if _, err := w.tickets.Take(w.t.Context(), w.chen, ticket.Step{Number: number, Action: ticket.StepReply, Text: text}); err != nil {
		w.t.Fatal(err)
	}
}

// call sends a request; paths without a slash in front are the API's usual ones.
func (w *talk) call(who principal.Principal, method, path, body, language string) (int, map[string]any) {
	w.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = "/v2/servicerequest/" + path
	}
	req := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	req.Header.Set("X-Auth-Token", "verified in front of the surface")
	req.Header.Set("Content-Type", "application/json")
	req = req.WithContext(locale.With(principal.With(req.Context(), who), locale.Parse(language, "", "")))
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, req)
	raw := rec.Body.Bytes()
	if rec.Code >= 500 {
		w.t.Errorf("%s %s: %d %s", method, path, rec.Code, raw)
	}
	route, params, err := w.router.FindRoute(req)
	if err != nil {
		w.t.Fatalf("%s %s is not in the contract: %v", method, path, err)
	}
	in := &openapi3filter.RequestValidationInput{Request: req, Route: route, PathParams: params}
	if err := openapi3filter.ValidateResponse(w.t.Context(), &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: rec.Code, Header: rec.Header(), Body: io.NopCloser(bytes.NewReader(raw))}); err != nil {
		w.t.Errorf("%s %s: the answer breaks the contract: %v\n%s", method, path, err, raw)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, raw)
	}
	return rec.Code, out
}

func (w *talk) ok(who principal.Principal, method, path, body string) map[string]any {
	w.t.Helper()
	status, out := w.call(who, method, path, body, "en-us")
	if status != http.StatusOK {
		w.t.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// refused wants the code and a text in each language that holds the words.
func (w *talk) refused(who principal.Principal, method, path, body, code string, words ...string) {
	w.t.Helper()
	texts := map[string]bool{}
	for _, lang := range []string{"zh-cn", "en-us"} {
		status, out := w.call(who, method, path, body, lang)
		msg, _ := out["error_msg"].(string)
		got, _ := out["error_code"].(string)
		if status < 400 || !strings.HasSuffix(got, code) {
			w.t.Errorf("%s %.120s: %d %v, want %s", method, path, status, out, code)
			return
		}
		for _, word := range words {
			if !strings.Contains(msg, word) {
				w.t.Errorf("%s %.120s in %s: %q does not say %q", method, path, lang, msg, word)
			}
		}
		if han := regexp.MustCompile(`\p{Han}`).MatchString(msg); han != (lang == "zh-cn") {
			w.t.Errorf("%s %.120s: %q is not in %s", method, path, msg, lang)
		}
		texts[msg] = true
	}
	if len(texts) != 2 {
		w.t.Errorf("%s %.120s: one text for both languages: %v", method, path, texts)
	}
}

// items is a list of an answer, its items' fields joined by the names given.
func items(t *testing.T, out map[string]any, name string, fields ...string) (rows []string) {
	t.Helper()
	all, ok := out[name].([]any)
	if !ok {
		t.Fatalf("no list %s in %v", name, out)
	}
	for _, one := range all {
		var parts []string
		for _, f := range fields {
			parts = append(parts, fmt.Sprint(one.(map[string]any)[f]))
		}
		rows = append(rows, strings.Join(parts, " "))
	}
	return rows
}

func quoted(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestLabelOperations(t *testing.T) {
	eachTalk(t, func(w *talk) {
		label := func(name, color string) string { return quoted(map[string]string{"name": name, "color": color}) }
		w.ok(w.li, "POST", "labels", label("紧急", "#FF0000"))
		w.ok(w.li, "POST", "labels", label(strings.Repeat("字", 64), "#00ff00"))
		w.ok(w.boss, "POST", "labels", label("boss", "#00ff00"))
		for _, tt := range []struct{ body, field string }{
			{label(strings.Repeat("字", 65), "#00ff00"), "name"}, {label("", "#00ff00"), "name"}, {label("  ", "#00ff00"), "name"}, {label("紧急", "#00ff00"), "name"},
			{label("x", "#00ff000"), "color"}, {label("x", ""), "color"}, {label("x", "green"), "color"}, {`{"name":"x"}`, "color"}, {`{"color":"#000000"}`, "name"},
		} {
			w.refused(w.li, "POST", "labels", tt.body, "01010001", tt.field)
			w.refused(w.li, "PUT", "labels/2", tt.body, "01010001", tt.field)
		}
		got := w.ok(w.li, "GET", "labels", "")
		if rows := items(w.t, got, "label_list", "label_id", "name", "color"); got["total_count"] != 2.0 || rows[1] != "1 紧急 #FF0000" {
			w.t.Errorf("%v", got)
		}
		w.ok(w.li, "PUT", "labels/1", label("很急", "#123456"))
		for query, want := range map[string]int{"name=%E6%80%A5": 1, "name=%25": 0, "name=_": 0, "label_id=1": 1, "label_id=0": 0, "label_id=3": 0, "limit=1": 1, "limit=0": 2, "limit=100": 2, "offset=1": 1, "offset=2147483647": 0, "name=%27%20OR%201%3D1": 0} {
			if rows := items(w.t, w.ok(w.li, "GET", "labels?"+query, ""), "label_list", "name"); len(rows) != want {
				w.t.Errorf("%s: %q", query, rows)
			}
		}
		for query, field := range map[string]string{"limit=101": "limit", "limit=-1": "limit", "offset=-1": "offset", "name=" + strings.Repeat("n", 65): "name", "label_id=-1": "label_id", "label_id=2147483648": "label_id", "limit=x": "limit"} {
			_, out := w.call(w.li, "GET", "labels?"+query, "", "en-us")
			if out["error_code"] != "OSM.01010001" && out["error_code"] != "OSM.0001" || !strings.Contains(fmt.Sprint(out["error_msg"]), field) {
				w.t.Errorf("%s: %v", query, out)
			}
		}
		for _, id := range []string{"3", "0", "4", "2147483647"} { // another's, none, not yet, the last
			w.refused(w.li, "PUT", "labels/"+id, label("x", "#000000"), "01010001", id)
			w.refused(w.li, "DELETE", "labels/"+id, "", "01010001", id)
		}
		// On tickets: the labels travel in the query of a POST and of a DELETE.
		n := w.create(w.li, "labelled")
		path := "cases/" + n + "/labels"
		w.ok(w.li, "POST", path+"?label_ids=1&label_ids=2", "")
		if rows := items(w.t, w.ok(w.li, "GET", path, ""), "case_label_list", "label_id", "name", "color"); !slices.Equal(rows, []string{"1 很急 #123456", "2 " + strings.Repeat("字", 64) + " #00ff00"}) {
			w.t.Errorf("%q", rows)
		}
		for i := range 5 {
			w.ok(w.li, "POST", "labels", label(fmt.Sprint("more ", i), "#000000")) // 4..8
		}
		w.refused(w.li, "POST", path+"?label_ids=4&label_ids=5&label_ids=6&label_ids=7", "", "01010001", "label_ids", "5")
		w.refused(w.li, "POST", path+"?label_ids=4&label_ids=5&label_ids=6&label_ids=7&label_ids=8&label_ids=1", "", "01010001", "label_ids")
		w.refused(w.li, "POST", path, "", "01010001", "label_ids")
		w.refused(w.li, "POST", path+"?label_ids=x", "", "01010001", "label_ids")
		w.refused(w.li, "POST", path+"?label_ids=3", "", "01010001", "label_ids")
		w.refused(w.li, "DELETE", path+"?label_ids=99999999999999999999", "", "01010001", "label_ids")
		w.ok(w.li, "POST", path+"?label_ids=4&label_ids=5&label_ids=6", "")
		w.ok(w.li, "DELETE", path+"?label_ids=2&label_ids=4", "")
		foreign := w.create(w.foreign, "abroad")
		for _, number := range []string{foreign, "TS0000000000000000000", w.create(w.boss, "the boss's")} {
			for _, method := range []string{"POST", "DELETE", "GET"} {
				w.refused(w.li, method, "cases/"+number+"/labels?label_ids=1", "", "01010015")
			}
		}
		// The list shows them and filters by any of them.
		other := w.create(w.li, "labelled, too")
		w.ok(w.li, "POST", "cases/"+other+"/labels?label_ids=5", "")
		for query, want := range map[string][]string{"label_id_list=1": {n}, "label_id_list=5": {other, n}, "label_id_list=1&label_id_list=5": {other, n}, "label_id_list=2": nil, "label_id_list=3": nil, "label_id_list=99999999999": nil,
			"label_id_list=5&status=0": {other, n}, "label_id_list=5&status=1": nil, "label_id_list=": {other, n}} {
			got := w.ok(w.li, "GET", "cases?"+query, "")
			if rows := items(w.t, got, "incident_info_list", "incident_id"); !slices.Equal(rows, want) || got["total_count"] != float64(len(want)) {
				w.t.Errorf("%s: %q of %v", query, rows, got["total_count"])
			}
		}
		got = w.ok(w.li, "GET", "cases?incident_id="+n, "")
		if labels := items(w.t, got["incident_info_list"].([]any)[0].(map[string]any), "label_list", "label_id"); !slices.Equal(labels, []string{"1", "5", "6"}) {
			w.t.Errorf("in the list: %q", labels)
		}
		if _, there := w.ok(w.boss, "GET", "cases?incident_id="+n, "")["incident_info_list"].([]any)[0].(map[string]any)["label_list"].([]any); !there {
			w.t.Error("no list of labels where there are none")
		}
		w.refused(w.li, "GET", "cases?label_id_list=x", "", "01010001", "label_id_list")
		w.refused(w.li, "GET", "cases?label_id_list=1&label_id_list=2&label_id_list=3&label_id_list=4&label_id_list=5&label_id_list=6", "", "01010001", "label_id_list")
		w.ok(w.li, "DELETE", "labels/5", "")
		if rows := items(w.t, w.ok(w.li, "GET", path, ""), "case_label_list", "label_id"); !slices.Equal(rows, []string{"1", "6"}) {
			w.t.Errorf("after the label was deleted: %q", rows)
		}
		for i := range 24 {
			w.ok(w.li, "POST", "labels", label(fmt.Sprint("fill ", i), "#000000"))
		}
		w.refused(w.li, "POST", "labels", label("the 31st", "#000000"), "01010001", "30")
	})
}

func TestRelationOperations(t *testing.T) {
	eachTalk(t, func(w *talk) {
		var n []string
		for i := range 5 {
			n = append(n, w.create(w.li, fmt.Sprintf("<p>ticket %d &amp; more</p>", i)))
		}
		foreign, boss := w.create(w.foreign, "abroad"), w.create(w.boss, "the boss's")
		path := "cases/" + n[0] + "/relations"
		others := func(numbers ...string) string { return quoted(map[string]any{"related_id_list": numbers}) }
		other := func(number string) string { return quoted(map[string]any{"related_id": number}) }
		w.ok(w.li, "POST", path, others(n[1], n[2]))
		if rows := items(w.t, w.ok(w.li, "GET", path, ""), "case_relation_list", "case_id", "simple_description", "user_name"); !slices.Equal(rows, []string{n[1] + " ticket 1 & more li", n[2] + " ticket 2 & more li"}) {
			w.t.Errorf("%q", rows)
		}
		w.refused(w.li, "POST", path, others(n[3], n[4]), "01010001", "related_id_list", "3")
		w.refused(w.li, "POST", path, others(n[1], n[2], n[3], n[4]), "01010001", "related_id_list")
		w.refused(w.li, "POST", path, others(n[0]), "01010001", "related_id_list")
		w.refused(w.li, "POST", path, `{"related_id_list":[]}`, "01010001", "related_id_list")
		w.refused(w.li, "POST", path, `{}`, "01010001", "related_id_list")
		w.refused(w.li, "POST", path, others(strings.Repeat("T", 65)), "01010001", "related_id_list")
		w.refused(w.li, "POST", path, quoted(map[string]any{"related_id_list": []string{n[3]}, "group_id": strings.Repeat("g", 65)}), "01010001", "group_id")
		w.refused(w.li, "POST", path, quoted(map[string]any{"related_id_list": []string{n[3]}, "group_id": "none"}), "01010002")
		for _, number := range []string{foreign, boss, "TS0000000000000000000", strings.Repeat("T", 64)} {
			w.refused(w.li, "POST", path, others(number), "01010015")
			w.refused(w.li, "POST", "cases/"+number+"/relations", others(n[0]), "01010015")
			w.refused(w.li, "GET", "cases/"+number+"/relations", "", "01010015")
			w.refused(w.li, "DELETE", path, other(number), "01010015")
			w.refused(w.li, "DELETE", "cases/"+number+"/relations", other(n[0]), "01010015")
		}
		w.ok(w.boss, "POST", path, others(boss)) // the main account relates its own to a sub-user's
		if rows := items(w.t, w.ok(w.li, "GET", path, ""), "case_relation_list", "case_id", "simple_description", "user_name"); !slices.Contains(rows, boss+" <nil> <nil>") {
			w.t.Errorf("of a ticket out of sight: %q", rows)
		}
		w.refused(w.li, "DELETE", path, other(n[3]), "01010001", "related_id")
		w.refused(w.li, "DELETE", path, `{}`, "01010001", "related_id")
		w.ok(w.li, "DELETE", path, other(n[1]))
		w.ok(w.li, "DELETE", "cases/"+n[2]+"/relations", other(n[0]))
		if rows := items(w.t, w.ok(w.li, "GET", path, ""), "case_relation_list", "case_id"); !slices.Equal(rows, []string{boss}) {
			w.t.Errorf("in the end: %q", rows)
		}
	})
}

func TestInstantOperations(t *testing.T) {
	eachTalk(t, func(w *talk) {
		n, second, foreign := w.create(w.li, "<p>opening &amp; first</p>"), w.create(w.li, "second"), w.create(w.foreign, "abroad")
		poll := func(query string) map[string]any {
			return w.ok(w.li, "GET", "cases/instant-messages?case_ids="+n+"&case_ids="+second+query, "")
		}
		got := poll("")
		if rows := items(w.t, got, "imstatus", "incident_id", "status"); !slices.Equal(rows, []string{n + " 1", second + " 1"}) {
			w.t.Errorf("%q", rows)
		}
		if rows := items(w.t, got, "immsg", "incident_id"); !slices.Equal(rows, []string{n, second}) {
			w.t.Errorf("%q", rows)
		}
		cursor := got["last_message_time_id"].(string)
		w.answer(n, "<b>answer</b> a < b")
		w.ok(w.li, "POST", "cases/"+n+"/message", `{"message":{"content":"x < y"}}`)
		got = poll("&last_message_time_id=" + url.QueryEscape(cursor))
		said := got["immsg"].([]any)
		if len(said) != 1 || said[0].(map[string]any)["incident_id"] != n {
			w.t.Fatalf("%v", got)
		}
		rows := items(w.t, said[0].(map[string]any), "message_list", "type", "replier_type", "replier_name", "content", "is_first_message")
		if !slices.Equal(rows, []string{"1 1 工程师小陈 answer a < b 0", "0 0 li x < y 0"}) {
			w.t.Errorf("%q", rows)
		}
		if rows := items(w.t, got, "imstatus", "status"); !slices.Equal(rows, []string{"0", "1"}) {
			w.t.Errorf("%q", rows)
		}
		untrimmed := poll("&last_message_time_id=" + url.QueryEscape(cursor) + "&trim_osm_rich_text_label=false")
		if rows := items(w.t, untrimmed["immsg"].([]any)[0].(map[string]any), "message_list", "content"); rows[0] != "<b>answer</b> a < b" {
			w.t.Errorf("untrimmed: %q", rows)
		}
		next := got["last_message_time_id"].(string)
		if got := poll("&last_message_time_id=" + url.QueryEscape(next)); len(got["immsg"].([]any)) != 0 || got["last_message_time_id"] != next {
			w.t.Errorf("nothing new: %v", got)
		}
		// Unread and read.
		unread := func(want string) {
			w.t.Helper()
			got := w.ok(w.li, "GET", "cases/instant-messages/unread?case_ids="+n, "")
			if rows := items(w.t, got, "imunread", "incident_id", "status", "unread_num"); !slices.Equal(rows, []string{n + " 1 " + want}) {
				w.t.Errorf("%q, want %s", rows, want)
			}
		}
		unread("1")
		w.ok(w.boss, "POST", "cases/"+n+"/instant-messages/unread", `{}`)
		unread("1")
		w.ok(w.li, "POST", "cases/"+n+"/instant-messages/unread", "") // a body is not needed
		unread("0")
		hundred := strings.Repeat("&case_ids=x", 99)
		w.ok(w.li, "GET", "cases/instant-messages?case_ids="+n+strings.ReplaceAll(hundred, "x", "x"), "")
		for _, what := range []string{"cases/instant-messages", "cases/instant-messages/unread"} {
			w.refused(w.li, "GET", what+"?case_ids="+n+hundred+"&case_ids=y", "", "01010001", "case_ids")
			w.refused(w.li, "GET", what, "", "01010001", "case_ids")
			w.refused(w.li, "GET", what+"?case_ids=", "", "01010001", "case_ids")
			w.refused(w.li, "GET", what+"?case_ids="+foreign, "", "01010015")
			w.refused(w.li, "GET", what+"?case_ids="+n+"&group_id=none", "", "01010002")
			w.refused(w.li, "GET", what+"?case_ids="+n+"&group_id="+strings.Repeat("g", 65), "", "01010001", "group_id")
			if out := w.ok(w.li, "GET", what+"?case_ids="+n+"&case_ids="+foreign, ""); strings.Contains(quoted(out), foreign) {
				w.t.Errorf("a foreign ticket shows: %v", out)
			}
		}
		w.refused(w.li, "GET", "cases/instant-messages?case_ids="+n+"&last_message_time_id=2026", "", "01010001", "last_message_time_id")
		w.refused(w.li, "GET", "cases/instant-messages?case_ids="+n+"&last_message_time_id="+strings.Repeat("i", 65), "", "01010001", "last_message_time_id")
		w.refused(w.li, "POST", "cases/"+foreign+"/instant-messages/unread", "", "01010015")
		w.refused(w.li, "POST", "cases/"+n+"/instant-messages/unread", `{"group_id":"none"}`, "01010002")
		// Paging back.
		more := "cases/" + n + "/instant-messages/more?"
		for i := range 12 {
			w.ok(w.li, "POST", "cases/"+n+"/message", quoted(map[string]any{"message": map[string]string{"content": fmt.Sprint("m", i)}}))
		}
		at, kind, seen := "2030-01-01T00:00:00Z", "0", []string{}
		for {
			got := w.ok(w.li, "GET", more+"type="+kind+"&limit=4&create_time="+url.QueryEscape(at), "")
			page := got["message_list"].([]any)
			if n := got["count"].(float64); n < float64(15-len(seen)) || n > 15 {
				w.t.Errorf("count %v after %d", n, len(seen))
			}
			// Times on the wire have whole seconds: messages of one second may come
			// again, none is left out.
			before := len(seen)
			for _, m := range page {
				if text := m.(map[string]any)["content"].(string); !slices.Contains(seen, text) {
					seen = append(seen, text)
				}
			}
			if len(seen) == before {
				break
			}
			last := page[len(page)-1].(map[string]any)
			at, kind = last["create_time"].(string), fmt.Sprint(last["type"])
		}
		if want := []string{"m11", "m10", "m9", "m8", "m7", "m6", "m5", "m4", "m3", "m2", "m1", "m0", "x < y", "answer a < b", "opening & first"}; !slices.Equal(seen, want) {
			w.t.Errorf("paged back: %q", seen)
		}
		for _, at := range []string{"1893456000000", "1893456000", "2030-01-01T00:00:00.000Z", "2030-01-01 08:00:00", "2030-01-01T08:00:00+08:00", "2030-01-01 00:00:00.000000+00:00"} {
			if got := w.ok(w.li, "GET", more+"type=1&limit=0&create_time="+url.QueryEscape(at), ""); len(got["message_list"].([]any)) != 10 || got["count"] != 15.0 {
				w.t.Errorf("%s: %v", at, got["count"])
			}
		}
		for _, kind := range []string{"2", "-1", "x"} {
			w.refused(w.li, "GET", more+"limit=4&create_time=1893456000000&type="+kind, "", "01010012", "0", "1")
		}
		w.refused(w.li, "GET", more+"limit=4&create_time=1893456000000", "", "01010001", "type")
		for query, field := range map[string]string{"type=0&limit=101&create_time=1": "limit", "type=0&create_time=1": "limit", "type=0&limit=1": "create_time", "type=0&limit=1&create_time=": "create_time",
			"type=0&limit=1&create_time=yesterday": "create_time", "type=0&limit=1&create_time=" + strings.Repeat("1", 101): "create_time"} {
			w.refused(w.li, "GET", more+query, "", "01010001", field)
		}
		w.ok(w.li, "GET", more+"type=0&limit=100&create_time=1893456000000", "")
		w.refused(w.li, "GET", "cases/"+foreign+"/instant-messages/more?type=0&limit=1&create_time=1", "", "01010015")
		// Withdrawing: the detail has the messages' ids.
		ids := map[string]string{}
		detail := w.ok(w.li, "GET", "cases/"+n, "")["incident_detail_info"].(map[string]any)
		for _, m := range detail["message_list"].([]any) {
			m := m.(map[string]any)
			ids[m["content"].(string)] = m["message_id"].(string)
		}
		if len(ids) != 15 {
			w.t.Fatalf("%q", slices.Sorted(maps.Keys(ids)))
		}
		withdraw := func(who principal.Principal, number, id, code string) {
			w.t.Helper()
			path := "cases/" + number + "/instant-messages/" + id + "/withdraw"
			if code == "" {
				w.ok(who, "POST", path, "")
			} else {
				w.refused(who, "POST", path, "", code)
			}
		}
		withdraw(w.li, n, ids["m3"], "")
		withdraw(w.li, n, ids["m3"], "")
		withdraw(w.li, n, ids["answer a < b"], "01010002")
		withdraw(w.li, n, ids["opening & first"], "01010002")
		withdraw(w.boss, n, ids["m4"], "01010002")
		withdraw(w.li, n, "none", "01010001")
		withdraw(w.foreign, n, ids["m4"], "01010015")
		withdraw(w.li, second, ids["m4"], "01010001")
		w.clock.Add(3 * time.Minute)
		withdraw(w.li, n, ids["m4"], "01010002")
		if all := items(w.t, w.ok(w.li, "GET", "cases/"+n+"/messages?limit=100", ""), "message_list", "content"); len(all) != 15 || all[6] != "" {
			w.t.Errorf("its place: %q", all)
		}
		if log := items(w.t, w.ok(w.li, "GET", "cases/"+n+"/operate-logs", ""), "incident_operate_log_list", "operate_type", "operate_desc"); log[0] != "86 Message withdrawn" {
			w.t.Errorf("%q", log)
		}
	})
}

// TestOldList: the older list finds what ListCases finds, in its own spelling.
func TestOldList(t *testing.T) {
	eachTalk(t, func(w *talk) {
		var all []string
		for i := range 12 {
			all = append([]string{w.create([]principal.Principal{w.li, w.boss}[i%2], fmt.Sprintf("<p>disk %d &gt; full</p>", i))}, all...)
		}
		w.create(w.foreign, "abroad")
		w.ok(w.boss, "POST", "labels", `{"name":"a","color":"#aabbcc"}`)
		w.ok(w.boss, "POST", "cases/"+all[3]+"/labels?label_ids=1", "")
		const path = "/osm/incidentservice/api/v1/queryincident?"
		find := func(query string, want ...string) map[string]any {
			w.t.Helper()
			got := w.ok(w.boss, "GET", path+query, "")
			if rows := items(w.t, got, "incidentInfoList", "incidentId"); !slices.Equal(rows, want) {
				w.t.Errorf("%s: %q, want %q", query, rows, want)
			}
			return got
		}
		find("", all[:10]...)
		if got := find("pageNo=3&pageSize=5", all[10:]...); got["totalCount"] != 12.0 {
			w.t.Errorf("%v", got["totalCount"])
		}
		if got := find("pageNo=65535&pageSize=100"); got["totalCount"] != 12.0 {
			w.t.Errorf("%v", got["totalCount"])
		}
		one := find("labelIdList=1", all[3])["incidentInfoList"].([]any)[0].(map[string]any)
		if labels := items(w.t, one, "labelList", "labelId", "name", "color"); !slices.Equal(labels, []string{"1 a #aabbcc"}) || one["labelList"].([]any)[0].(map[string]any)["labelId"] != "1" {
			w.t.Errorf("%v", one)
		}
		if one["simpleDescribe"] != "disk 8 > full" || one["xcustomerName"] == "" || one["status"] != 0.0 || one["gray"] != false || !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`).MatchString(one["createTime"].(string)) {
			w.t.Errorf("%v", one)
		}
		find("searchKey=disk&searchKey=3", all[8])
		find("searchKey=disk%203", all[8])
		find("appKey="+all[2], all[2])
		find("incidentId="+all[2], all[2])
		find("status=1")
		find("status=0&pageSize=1", all[0])
		find("incidentStatus=1,2")
		find("incidentStatus=0,1&pageSize=2", all[:2]...)
		find("xCustomerName=li&pageSize=2", all[1], all[3])
		find("xCustomerId="+w.li.User+"&pageSize=2", all[1], all[3])
		find("businessTypeId="+w.problem+"&productCategoryId="+w.product+"&pageSize=2", all[:2]...)
		find("businessTypeId=none")
		find("productCategoryId=none")
		find("queryStartTime=2030-01-01%2000:00:00")
		find("queryEndTime=2030-01-01%2000:00:00&pageSize=1", all[0])
		find("version=1&pageSize=1", all[0])
		if got := w.ok(w.boss, "GET", path+"businessTypeId="+w.problem+"&xCustomerName=li", ""); got["totalCount"] != 6.0 {
			w.t.Errorf("%v", got["totalCount"])
		}
		for query, field := range map[string]string{"pageNo=0": "pageNo", "pageNo=65536": "pageNo", "pageSize=0": "pageSize", "pageSize=101": "pageSize", "status=101": "status", "status=-1": "status", "status=7": "status",
			"incidentStatus=a": "incidentStatus", "incidentStatus=0,99": "incidentStatus", "labelIdList=x": "labelIdList", "labelIdList=1&labelIdList=2&labelIdList=3&labelIdList=4&labelIdList=5&labelIdList=6": "labelIdList",
			"searchKey=a&searchKey=b&searchKey=c&searchKey=d": "searchKey", "searchKey=" + strings.Repeat("s", 65): "searchKey", "appKey=" + strings.Repeat("s", 65): "appKey", "incidentId=" + strings.Repeat("s", 33): "incidentId",
			"queryStartTime=yesterday": "queryStartTime", "queryStartTime=2030-01-01%2000:00:00&queryEndTime=2029-01-01%2000:00:00": "queryEndTime", "xCustomerName=" + strings.Repeat("s", 65): "xCustomerName",
			"xCustomerId=" + strings.Repeat("s", 65): "xCustomerId", "groupId=" + strings.Repeat("s", 65): "groupId", "productCategoryId=" + strings.Repeat("s", 65): "productCategoryId", "businessTypeId=" + strings.Repeat("s", 513): "businessTypeId"} {
			w.refused(w.boss, "GET", path+query, "", "01010001", field)
		}
		w.refused(w.boss, "GET", path+"groupId=none", "", "01010002")
	})
}
