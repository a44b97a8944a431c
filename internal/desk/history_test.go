package desk_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// surface is the desk API of a world.
type surface struct {
	t *testing.T
	h http.Handler
}

// call sends a request as somebody and reads the answer.
func (s surface) call(who principal.Principal, lang locale.Language, method, path, body string, into any) (int, string) {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("X-Auth-Token", "verified before")
	l := locale.Default()
	l.Language = lang
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r.WithContext(locale.With(principal.With(r.Context(), who), l)))
	text := w.Body.String()
	if into != nil && w.Code < 300 {
		if err := json.Unmarshal([]byte(text), into); err != nil {
			s.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return w.Code, text
}

// TestHistoryOperations: merge, history, undo and as of through the surface,
// with what they refuse, in both languages.
func TestHistoryOperations(t *testing.T) {
	t.Parallel()
	tickettest.Each(t, ticket.Options{}, func(w *tickettest.World) {
		t := w.T.(*testing.T)
		q, err := queue.New(w.DB, w.Keys, queue.Nouns{Identity: w.Ident, Catalog: w.Catalog, Notify: w.Notify, Tickets: w.Tickets}, queue.Options{})
		w.OK(err)
		h, err := desk.New(desk.Nouns{Identity: w.Ident, Tickets: w.Tickets, Catalog: w.Catalog, Notify: w.Notify, Verify: w.Verify, Queue: q}, desk.Host{
			Events: func(context.Context, string, int64, int) ([]event.Row, error) { return nil, nil },
			Counts: func(context.Context) (desk.Counts, error) { return desk.Counts{}, nil },
			Reset: func(context.Context, principal.Principal, string) (identity.Domain, error) {
				return identity.Domain{}, nil
			},
			Now: w.Clock.Now,
		}, slog.New(slog.NewTextHandler(io.Discard, nil)))
		w.OK(err)
		s := surface{t, h}
		a, b := w.Create(w.Li, "the first"), w.Create(w.Li, "the second")
		w.OK(w.Step(w.Chen, a, "accept", ""))
		w.OK(w.Step(w.Chen, a, "reply", "an answer"))
		w.Clock.Add(time.Second)
		then := w.Clock.Now()
		w.Clock.Add(time.Second)
		path := "/desk/v1/tickets/" + a
		type shown struct {
			Number  string
			Version int64
			Status  int
		}
		var got shown
		if code, text := s.call(w.Chen, locale.EN, "POST", path+"/merge", `{"into":"`+b+`"}`, &got); code != 200 || got.Number != b {
			t.Fatalf("%d %s", code, text)
		}
		var past struct {
			Items []struct {
				Kind, Other, Why string
				Revision         int64
				Undoable         bool
			}
			Total int `json:"total_count"`
		}
		if code, text := s.call(w.Emma, locale.EN, "GET", path+"/history", "", &past); code != 200 || past.Total != 4 || past.Items[0].Kind != "ticket.merge" || past.Items[0].Other != b || !past.Items[0].Undoable {
			t.Fatalf("%d %s", code, text)
		}
		merged := past.Items[0].Revision
		var messages struct {
			Items []struct {
				ID   string
				From string `json:"moved_from"`
			}
		}
		if code, text := s.call(w.Chen, locale.EN, "GET", "/desk/v1/tickets/"+b+"/messages", "", &messages); code != 200 || len(messages.Items) != 4 || messages.Items[0].From != a {
			t.Errorf("%d %s", code, text)
		}
		var old struct {
			Ticket   shown
			Messages []struct{ Text string }
		}
		if code, text := s.call(w.Chen, locale.EN, "GET", path+"/as-of?as_of="+url.QueryEscape(then.Format(time.RFC3339Nano)), "", &old); code != 200 || old.Ticket.Status != 1 || len(old.Messages) != 2 || old.Messages[1].Text != "an answer" {
			t.Errorf("%d %s", code, text)
		}
		var page struct {
			Total int `json:"total_count"`
			Items []shown
		}
		if code, text := s.call(w.Chen, locale.EN, "GET", "/desk/v1/tickets?status=1&as_of="+url.QueryEscape(then.Format(time.RFC3339Nano)), "", &page); code != 200 || page.Total != 1 || page.Items[0].Number != a {
			t.Errorf("%d %s", code, text)
		}
		if code, text := s.call(w.Emma, locale.EN, "POST", path+"/undo", fmt.Sprintf(`{"revision":%d}`, merged), &got); code != 200 || got.Number != a || got.Status != 1 {
			t.Errorf("%d %s", code, text)
		}
		for lang, want := range map[locale.Language]string{locale.EN: "was undone already", locale.ZH: "撤销"} {
			if code, text := s.call(w.Emma, lang, "POST", path+"/undo", fmt.Sprintf(`{"revision":%d}`, merged), nil); code != 409 || !strings.Contains(text, want) {
				t.Errorf("%d %s", code, text)
			}
		}
		var answer struct {
			Items []struct {
				Undone bool
				Error  string `json:"error_code"`
			}
		}
		if code, text := s.call(w.Chen, locale.EN, "POST", "/desk/v1/tickets/undo", fmt.Sprintf(`{"items":[{"number":%q,"revision":2},{"number":%q,"revision":2},{"number":"TS1","revision":2}]}`, a, a), &answer); code != 200 || !answer.Items[0].Undone || answer.Items[1].Undone || answer.Items[2].Error != "OSM.01010015" {
			t.Errorf("%d %s", code, text)
		}
		messages.Items = nil
		s.call(w.Chen, locale.EN, "GET", path+"/messages", "", &messages)
		if code, text := s.call(w.Chen, locale.EN, "POST", path+"/split", `{"message_ids":["`+messages.Items[1].ID+`"],"description":"apart"}`, &got); code != 201 || got.Number == a {
			t.Fatalf("%d %s", code, text)
		}
		if code, text := s.call(w.Chen, locale.EN, "POST", "/desk/v1/tickets/"+got.Number+"/move-messages", `{"message_ids":["`+messages.Items[1].ID+`"],"to":"`+b+`"}`, &got); code != 200 || got.Number != b {
			t.Errorf("%d %s", code, text)
		}
		root := w.Engineer("root", "Root", principal.RoleAdministrator)
		var rights struct {
			Users []struct {
				Name string
				Main bool
			}
		}
		if code, text := s.call(root, locale.EN, "GET", "/desk/v1/domains/"+w.Li.Domain+"/permissions", "", &rights); code != 200 || len(rights.Users) != 3 || !rights.Users[0].Main {
			t.Errorf("%d %s", code, text)
		}
		local := principal.Principal{Kind: principal.Local, Domain: principal.House, User: "local"}
		for _, c := range []struct {
			who                principal.Principal
			method, path, body string
			status             int
		}{
			{w.Chen, "POST", path + "/merge", `{}`, 400},
			{w.Chen, "POST", path + "/merge", `{"into":"` + a + `"}`, 409},
			{w.Chen, "POST", path + "/merge", `{"into":"TS2601010000000000000"}`, 404},
			{w.Chen, "POST", path + "/split", `{"message_ids":[]}`, 400},
			{w.Chen, "POST", path + "/move-messages", `{"message_ids":["x"],"to":"` + b + `"}`, 400},
			{w.Chen, "POST", path + "/undo", `{"revision":0}`, 400},
			{w.Chen, "POST", path + "/undo", `{"revision":99}`, 400},
			{w.Chen, "POST", path + "/undo", `{"revision":1}`, 409},
			{w.Chen, "POST", path + "/undo", `{"revision":1,"as":"emma"}`, 403},
			{local, "POST", path + "/undo", `{"revision":1}`, 400},
			{w.Chen, "POST", "/desk/v1/tickets/undo", `{"items":[]}`, 400},
			{w.Chen, "GET", path + "/as-of", "", 400},
			{w.Chen, "GET", path + "/as-of?as_of=yesterday", "", 400},
			{w.Chen, "GET", path + "/as-of?as_of=2001-01-01T00:00:00Z", "", 400},
			{w.Chen, "GET", path + "/history?limit=501", "", 400},
			{w.Chen, "GET", "/desk/v1/tickets?as_of=2999-01-01T00:00:00Z", "", 400},
			{w.Chen, "GET", "/desk/v1/domains/" + w.Li.Domain + "/permissions", "", 403},
			{root, "GET", "/desk/v1/domains/none/permissions", "", 400},
			{w.Li, "GET", path + "/history", "", 403},
			{w.Auditor, "POST", path + "/merge", `{"into":"` + b + `"}`, 403},
		} {
			if code, text := s.call(c.who, locale.EN, c.method, c.path, c.body, nil); code != c.status || !strings.Contains(text, "error_code") {
				t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, code, text, c.status)
			}
		}
	})
}
