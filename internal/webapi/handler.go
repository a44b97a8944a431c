// Package webapi is the browsers' surface: sessions kept in a cookie and live
// events, and what customers can read beyond the customer API, by the contract
// api/web.yaml. It translates and decides nothing.
package webapi

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/ogen-go/ogen/middleware"
	"github.com/ogen-go/ogen/ogenerrors"

	"casemate/internal/catalog"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/live"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/privilege"
	"casemate/internal/report"
	"casemate/internal/ticket"
	"casemate/internal/verify"
	"casemate/internal/webapi/oas"
	"casemate/internal/wire"
)

// Handler serves the operations of web.yaml, one embedded type per group, so
// that a missing operation does not compile.
type Handler struct {
	sessions
	factors
	signIns
	events
	serviceLevels
	audits
	ownData
	articles
	reports
	accounts
	lists

	mapper
}

// Nouns are what the surface translates to.
type Nouns struct {
	Tickets *ticket.Service
	Catalog *catalog.Service

	Identity  *identity.Service
	Privacy   *privacy.Service
	Knowledge *knowledge.Service
	Reports   *report.Service
	Privilege *privilege.Service
	Verify    *verify.Service
	Live      *live.Hub
	Demo      bool // a demo world, its catcher on
}

var _ oas.Handler = (*Handler)(nil)

// New makes the HTTP handler of the surface.
func New(n Nouns, log *slog.Logger) (http.Handler, error) {
	h := &Handler{
		ownData: ownData{privacy: n.Privacy}, sessions: sessions{identity: n.Identity, demo: n.Demo}, factors: factors{identity: n.Identity},
		signIns: signIns{identity: n.Identity, demo: n.Demo}, audits: audits{tickets: n.Tickets}, serviceLevels: serviceLevels{tickets: n.Tickets, catalog: n.Catalog},
		mapper: mapper{log: log, identity: n.Identity}, articles: articles{knowledge: n.Knowledge}, reports: reports{report: n.Reports},
		events: events{hub: n.Live, identity: n.Identity}, accounts: accounts{identity: n.Identity, privileges: n.Privilege, catalog: n.Catalog, verify: n.Verify},
		lists: lists{tickets: n.Tickets, catalog: n.Catalog},
	}
	router, err := oas.NewServer(h, door{},
		oas.WithErrorHandler(h.decodeError),
		oas.WithNotFound(h.notFound),
		oas.WithMethodNotAllowed(h.methodNotAllowed),
		oas.WithMaxMultipartMemory(64<<10),
		oas.WithMiddleware(admit),
	)
	if err != nil {
		return nil, err
	}
	return flushed(wire.Downloads(router, log)), nil
}

// admit holds the policy row of the operation against the caller, and what was
// asked against the contract.
func admit(req middleware.Request, next middleware.Next) (middleware.Response, error) {
	if err := privilege.Admit("web", req.OperationID, principal.From(req.Context)); err != nil {
		return middleware.Response{}, err
	}
	if err := wire.KnownQuery(req, "FinishSignIn"); err != nil {
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

func (door) HandleSessionCookie(ctx context.Context, _ oas.OperationName, _ oas.SessionCookie) (context.Context, error) {
	return bySession(ctx, wire.SecureCookie)
}

func (door) HandleLoopbackCookie(ctx context.Context, _ oas.OperationName, _ oas.LoopbackCookie) (context.Context, error) {
	return bySession(ctx, wire.LoopbackCookie)
}

// bySession takes the cookie that counts here, of a session that the server's
// authentication has verified. Whoever came in by a token or a signature has no
// session: the cookie beside it, maybe an old one, decides nothing.
func bySession(ctx context.Context, cookie string) (context.Context, error) {
	switch who := principal.From(ctx); {
	case who.Session == "" && who.Kind != principal.Anonymous:
		return ctx, ogenerrors.ErrSkipServerSecurity
	case who.Session == "" || wire.BrowserOf(ctx).Cookie != cookie:
		return ctx, identity.ErrSession
	}
	return ctx, nil
}

// HandleCsrfHeader: with a session, the header was compared when it was verified;
// without one it decides nothing, as the cookie.
func (door) HandleCsrfHeader(ctx context.Context, _ oas.OperationName, _ oas.CsrfHeader) (context.Context, error) {
	switch who := principal.From(ctx); {
	case who.Session == "" && who.Kind != principal.Anonymous:
		return ctx, ogenerrors.ErrSkipServerSecurity
	case who.Session == "":
		return ctx, identity.ErrSession
	}
	return ctx, nil
}
