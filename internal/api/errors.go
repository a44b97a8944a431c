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

// as200 tells whether a business error goes out with 200. Downloads never do: the
// SDKs would save the error as the file (contract README, section 5).
func (m mapper) as200(ctx context.Context) bool {
	return m.documented && !wire.RealStatus(ctx) && !besideOf(ctx).download
}

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
	f := ownCode(wire.Fault(ctx, m.log, err), err)
	if r := (*ogenerrors.DecodeRequestError)(nil); f.Field == "" && f.Code == fault.CodeInvalid && errors.As(err, &r) && r.OperationName() == oas.UploadAccessoryOperation {
		f = f.In("form_data") // the one part with rules of its own
	}
	wire.Write(ctx, w, f, m.as200(ctx))
}

// ownCode gives refusals of the decoders that have a code of their own that
// code: the generated ones all have OSM.01010001. A missing type is missing.
func ownCode(f *fault.Error, err error) *fault.Error {
	var params *ogenerrors.DecodeParamsError
	if errors.As(err, &params) && params.ID == "ListMoreInstantMessages" && f.Field == "type" && !errors.Is(f, fault.Missing) {
		return errType
	}
	return f
}

func (m mapper) notFound(w http.ResponseWriter, r *http.Request) {
	f := wire.ErrNoAPI.With("method", r.Method).With("path", r.URL.Path)
	wire.Write(r.Context(), w, f, m.documented)
}
