package api

import (
	"context"
	"log/slog"
	"net/http"

	"casemate/internal/api/oas"
	"casemate/internal/wire"
)

// mapper is the only place where an error of this surface becomes an answer.
type mapper struct {
	log        *slog.Logger
	documented bool
}

// as200 tells whether a business error goes out with 200. Downloads never do: the
// SDKs would save the error as the file (contract README, section 5).
func (m mapper) as200(ctx context.Context) bool { return m.documented && !besideOf(ctx).download }

// NewError answers errors of handlers, of the policy and of authentication.
func (m mapper) NewError(ctx context.Context, err error) *oas.ErrorStatusCode {
	f := wire.Fault(ctx, m.log, err)
	status := wire.Status(f, m.as200(ctx))
	wire.SetRetryAfter(ctx, f, status)
	code, msg := wire.Texts(ctx, f)
	return &oas.ErrorStatusCode{StatusCode: status, Response: oas.ErrorBody{ErrorCode: code, ErrorMsg: msg}}
}

// decodeError answers what the generated decoders and validators refuse.
func (m mapper) decodeError(ctx context.Context, w http.ResponseWriter, _ *http.Request, err error) {
	wire.Write(ctx, w, wire.Fault(ctx, m.log, err), m.as200(ctx))
}

func (m mapper) notFound(w http.ResponseWriter, r *http.Request) {
	f := wire.ErrNoAPI.With("method", r.Method).With("path", r.URL.Path)
	wire.Write(r.Context(), w, f, m.documented)
}
