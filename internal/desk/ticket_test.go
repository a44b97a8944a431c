package desk

import (
	"errors"
	"io"
	"log/slog"
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
