package desk

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ogen-go/ogen/ogenerrors"

	"casemate/internal/desk/oas"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

// TestMine: the operator on the machine handles no tickets, so his own are no
// list of all.
func TestMine(t *testing.T) {
	ctx := principal.With(t.Context(), principal.Principal{Kind: principal.Local, User: "local"})
	if _, err := (tickets{}).ListTickets(ctx, oas.ListTicketsParams{Assignee: oas.NewOptString("me")}); !errors.Is(err, errMe) {
		t.Errorf("%v", err)
	}
}

// TestNoSuchNotice: preferences for a kind of notice that there is not are
// refused by its name, not taken.
func TestNoSuchNotice(t *testing.T) {
	body := []byte(`{"urged":"off","foo":"mail"}`)
	err := new(oas.Preferences).UnmarshalJSON(body)
	if err == nil {
		t.Fatal("taken")
	}
	f := wire.Fault(t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil)), &ogenerrors.DecodeBodyError{Body: body, Err: err})
	if f.Code != fault.CodeInvalid || f.Field != "foo" {
		t.Errorf("%+v", f)
	}
}

// TestUnknownQuery: a filter that there is not is refused by its name: passed
// over it would answer the tickets of all customers.
func TestUnknownQuery(t *testing.T) {
	h, err := New(Nouns{}, Host{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	who := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: "u", Role: principal.RoleEngineer}
	for path, field := range map[string]string{
		"/desk/v1/tickets?domain_id=x&limit=1":              "domain_id",
		"/desk/v1/tickets?assignee=me&domain=a&Z=":          "Z",
		"/desk/v1/tickets/TS261126T22Y14615JDD1?language=x": "language",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(principal.With(t.Context(), who), "GET", path, nil)
		r.Header.Set("X-Auth-Token", "verified before")
		h.ServeHTTP(w, r)
		if body := w.Body.String(); w.Code != http.StatusBadRequest || !strings.Contains(body, field) {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
	}
}
