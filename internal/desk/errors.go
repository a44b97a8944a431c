package desk

import (
	"context"
	"log/slog"
	"net/http"

	"casemate/internal/desk/oas"
	"casemate/internal/fault"
	"casemate/internal/wire"
)

// mapper is the only place where an error of this surface becomes an answer.
type mapper struct{ log *slog.Logger }

// status is the HTTP status of a fault here. It is always a real one: the
// switch of semantics.md D1 is for the customer API, whose clients know the
// vendor's table. A conflict is 409 whatever its code, so that a page can tell
// "somebody was faster" from "you may not".
func status(f *fault.Error) int {
	if f.Kind == fault.Conflict {
		return http.StatusConflict
	}
	return wire.Status(f, false)
}

// NewError answers errors of handlers, of the policy and of authentication.
func (m mapper) NewError(ctx context.Context, err error) *oas.ErrorStatusCode {
	f := wire.Fault(ctx, m.log, err)
	n := status(f)
	wire.SetRetryAfter(ctx, f, n)
	code, msg := wire.Texts(ctx, f)
	return &oas.ErrorStatusCode{StatusCode: n, Response: oas.ErrorBody{ErrorCode: code, ErrorMsg: msg, Conflict: conflictOut(err)}}
}

// decodeError answers what the generated decoders and validators refuse.
func (m mapper) decodeError(ctx context.Context, w http.ResponseWriter, _ *http.Request, err error) {
	wire.Write(ctx, w, wire.Fault(ctx, m.log, err), false)
}

func (m mapper) notFound(w http.ResponseWriter, r *http.Request) {
	f := wire.ErrNoAPI.With("method", r.Method).With("path", r.URL.Path)
	wire.Write(r.Context(), w, f, false)
}

func (m mapper) methodNotAllowed(w http.ResponseWriter, r *http.Request, allowed string) {
	w.Header().Set("Allow", allowed)
	m.notFound(w, r)
}
