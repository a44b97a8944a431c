package webapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/ogen-go/ogen/ogenerrors"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/webapi/oas"
	"casemate/internal/wire"
)

// mapper is the only place where an error of this surface becomes an answer.
// Its statuses are always real: the switch of semantics.md D1 is for the
// customer API, whose clients know the vendor's table.
type mapper struct {
	log      *slog.Logger
	identity *identity.Service
}

// NewError answers errors of handlers, of the policy and of missing sessions.
func (m mapper) NewError(ctx context.Context, err error) *oas.ErrorStatusCode {
	f := m.fault(ctx, err)
	status := wire.Status(f, false)
	wire.SetRetryAfter(ctx, f, status)
	code, msg := wire.Texts(ctx, f)
	return &oas.ErrorStatusCode{StatusCode: status, Response: oas.ErrorBody{ErrorCode: code, ErrorMsg: msg}}
}

// ofSessions are the operations that only a browser's session opens.
var ofSessions = map[string]bool{"ShowBrowserSession": true, "DeleteBrowserSession": true, "ListBrowserSessions": true, "RevokeBrowserSession": true, "StreamEvents": true,
	"ShowSecondFactor": true, "BeginSecondFactor": true, "ConfirmSecondFactor": true, "RenewRecoveryCodes": true, "EndSecondFactor": true,
	"ShowOwnPassword": true, "ChangeOwnPassword": true, "ShowOwnPreferences": true, "PutOwnPreferences": true}

func (m mapper) fault(ctx context.Context, err error) *fault.Error {
	// Without a session that counts, what only a session opens is not there for
	// the caller; the other credentials do not matter.
	if denied := (*ogenerrors.SecurityError)(nil); errors.As(err, &denied) {
		switch {
		case m.headless(ctx):
			return identity.ErrNoCsrf
		case ofSessions[denied.ID]:
			return identity.ErrSession
		}
	}
	return wire.Fault(ctx, m.log, err)
}

// headless tells that the caller is a browser whose session counts, without the
// header that goes with it.
func (m mapper) headless(ctx context.Context) bool {
	b := wire.BrowserOf(ctx)
	if !b.NoCsrf || b.Secret == "" || b.Foreign {
		return false
	}
	_, err := m.identity.BrowserSession(ctx, b.Secret)
	return err == nil
}

// decodeError answers what the generated decoders and validators refuse.
func (m mapper) decodeError(ctx context.Context, w http.ResponseWriter, _ *http.Request, err error) {
	wire.Write(ctx, w, m.fault(ctx, err), false)
}

func (m mapper) notFound(w http.ResponseWriter, r *http.Request) {
	f := wire.ErrNoAPI.With("method", r.Method).With("path", r.URL.Path)
	wire.Write(r.Context(), w, f, false)
}

func (m mapper) methodNotAllowed(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	m.notFound(w, r)
}
