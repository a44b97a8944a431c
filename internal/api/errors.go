package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/ogen-go/ogen/ogenerrors"

	"casemate/internal/api/oas"
	"casemate/internal/fault"
	"casemate/internal/wire"
)

// mapper is the only place where an error of this surface becomes an answer.
type mapper struct {
	log        *slog.Logger
	documented bool
}

// NewError answers errors of handlers, of the policy and of authentication.
func (m mapper) NewError(ctx context.Context, err error) *oas.ErrorStatusCode {
	f := wire.Fault(ctx, m.log, err)
	status := wire.Status(f, m.documented && !wire.RealStatus(ctx))
	wire.SetRetryAfter(ctx, f, status)
	code, msg := wire.Texts(ctx, f)
	return &oas.ErrorStatusCode{StatusCode: status, Response: oas.ErrorBody{ErrorCode: code, ErrorMsg: msg}}
}

// decodeError answers what the generated decoders and validators refuse.
func (m mapper) decodeError(ctx context.Context, w http.ResponseWriter, _ *http.Request, err error) {
	f := wire.Fault(ctx, m.log, err)
	if r := (*ogenerrors.DecodeRequestError)(nil); f.Field == "" && f.Code == fault.CodeInvalid && errors.As(err, &r) && r.OperationName() == oas.UploadAccessoryOperation {
		f = f.In("form_data") // the one part with rules of its own
	}
	wire.Write(ctx, w, f, m.documented && !wire.RealStatus(ctx))
}

func (m mapper) notFound(w http.ResponseWriter, r *http.Request) {
	f := wire.ErrNoAPI.With("method", r.Method).With("path", r.URL.Path)
	wire.Write(r.Context(), w, f, m.documented)
}
