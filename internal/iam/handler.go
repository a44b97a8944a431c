// Package iam is the identity surface: the part of OpenStack's Identity API v3
// that clients need, by the contract api/iam.yaml. It translates between the
// wire and package identity and decides nothing.
package iam

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/ogen-go/ogen/middleware"

	"casemate/internal/iam/oas"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/wire"
)

// Handler serves the operations of iam.yaml, one embedded type per group, so
// that a missing operation does not compile.
type Handler struct {
	discovery
	tokens
	temporaries
	scopes
	accounts

	mapper
}

var _ oas.Handler = (*Handler)(nil)

// New makes the HTTP handler of the surface, for paths with and without /v3.0
// and trailing slashes. The caller's principal and locale must be in the
// request's context.
func New(ident *identity.Service, log *slog.Logger) (http.Handler, error) {
	h := &Handler{tokens: tokens{identity: ident}, temporaries: temporaries{identity: ident}, scopes: scopes{identity: ident}, accounts: accounts{identity: ident}, mapper: mapper{log: log}}
	s, err := oas.NewServer(h, door{},
		oas.WithErrorHandler(h.decodeError),
		oas.WithNotFound(h.notFound),
		oas.WithMethodNotAllowed(func(w http.ResponseWriter, r *http.Request, _ string) { h.notFound(w, r) }),
		oas.WithMaxMultipartMemory(64<<10),
		oas.WithMiddleware(admit),
	)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if rest, ok := strings.CutPrefix(path, "/v3.0"); ok {
			path = "/v3" + rest
		}
		if path != "/" {
			path = strings.TrimSuffix(path, "/")
		}
		if path != r.URL.Path {
			u := *r.URL
			u.Path, u.RawPath = path, ""
			copied := *r
			copied.URL = &u
			r = &copied
		}
		if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "" {
			// The Go SDK's call for temporary keys sends JSON and does not say so.
			copied := *r
			copied.Header = r.Header.Clone()
			copied.Header.Set("Content-Type", "application/json")
			r = &copied
		}
		s.ServeHTTP(w, r)
	}), nil
}

// admit holds the policy row of the operation against the caller.
func admit(req middleware.Request, next middleware.Next) (middleware.Response, error) {
	if err := privilege.Admit("iam", req.OperationID, principal.From(req.Context)); err != nil {
		return middleware.Response{}, err
	}
	return next(req)
}

// door accepts what the server's authentication has already verified.
type door struct{}

func (door) HandleTokenAuth(ctx context.Context, _ oas.OperationName, _ oas.TokenAuth) (context.Context, error) {
	return verified(ctx)
}

func (door) HandleAkSkAuth(ctx context.Context, _ oas.OperationName, _ oas.AkSkAuth) (context.Context, error) {
	return verified(ctx)
}

func verified(ctx context.Context) (context.Context, error) {
	if principal.From(ctx).Kind == principal.Anonymous {
		return ctx, wire.ErrNoToken
	}
	return ctx, nil
}

// mapper is the only place where an error of this surface becomes an answer.
// Its statuses are real in both modes: OpenStack's clients judge by them.
type mapper struct{ log *slog.Logger }

// NewError answers errors of handlers, of the policy and of authentication.
func (m mapper) NewError(ctx context.Context, err error) *oas.ErrorStatusCode {
	f := wire.Fault(ctx, m.log, err)
	status := wire.Status(f, false)
	wire.SetRetryAfter(ctx, f, status)
	code, msg := wire.Texts(ctx, f)
	return &oas.ErrorStatusCode{StatusCode: status, Response: oas.ErrorBody{ErrorCode: code, ErrorMsg: msg,
		Error: oas.OpenStackError{Code: int32(status), Title: http.StatusText(status), Message: msg}}}
}

// decodeError answers what the generated decoders and validators refuse.
func (m mapper) decodeError(ctx context.Context, w http.ResponseWriter, _ *http.Request, err error) {
	wire.Write(ctx, w, wire.Fault(ctx, m.log, err), false)
}

func (m mapper) notFound(w http.ResponseWriter, r *http.Request) {
	wire.Write(r.Context(), w, wire.ErrNoAPI.With("method", r.Method).With("path", r.URL.Path), false)
}
