// Package api is the customer surface: it translates between the wire contract
// api/v2.yaml and the nouns, and decides nothing. The vendor's spelling
// (accessorys, case, incident) ends here.
package api

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/ogen-go/ogen/middleware"

	"casemate/internal/api/oas"
	"casemate/internal/attachment"
	"casemate/internal/authorization"
	"casemate/internal/catalog"
	"casemate/internal/diagnose"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/ticket"
	"casemate/internal/verify"
	"casemate/internal/wire"
)

// Handler serves the 82 operations, one embedded type per group, so that a
// missing operation does not compile.
type Handler struct {
	configQueries
	agreements
	quotas
	verifyCodes
	tickets
	messages

	attachments
	details
	privileges
	authorizations
	labels
	relations
	instantMessages
	customers
	extras
	oldList
	diagnoses

	mapper
}

var _ oas.Handler = (*Handler)(nil)

// Nouns are what the surface translates to.
type Nouns struct {
	Catalog  *catalog.Service
	Verify   *verify.Service
	Ticket   *ticket.Service
	Diagnose *diagnose.Service

	Authorization *authorization.Service
	Attachments   *attachment.Service
	Identity      *identity.Service
	Privilege     *privilege.Service
	Knowledge     *knowledge.Service // what templates refer to
}

// Options of the surface.
type Options struct {
	// Documented sends business errors with status 200, as the vendor's table
	// says (semantics.md D1); the default is real 4xx and 5xx.
	Documented bool
	// Temp is a folder for files that are built before they are sent; "" = the
	// system's. It is made when it is needed.
	Temp string
	Log  *slog.Logger
}

// New makes the HTTP handler of the surface. The caller's principal and locale
// must be in the request's context.
func New(n Nouns, o Options) (http.Handler, error) {
	h := &Handler{
		configQueries: configQueries{catalog: n.Catalog, knowledge: n.Knowledge},
		agreements:    agreements{catalog: n.Catalog},
		verifyCodes:   verifyCodes{verify: n.Verify},
		tickets:       tickets{ticket: n.Ticket, catalog: n.Catalog},
		messages:      messages{ticket: n.Ticket},
		quotas:        quotas{ticket: n.Ticket},
		diagnoses:     diagnoses{diagnose: n.Diagnose},
		attachments:   attachments{files: n.Attachments},
		privileges:    privileges{privilege: n.Privilege},
		customers:     customers{identity: n.Identity, catalog: n.Catalog},
		details:       newDetails(n.Ticket, n.Catalog, o.Temp),
		extras:        extras{ticket: n.Ticket, catalog: n.Catalog},
		mapper:        mapper{log: o.Log, documented: o.Documented},

		authorizations:  authorizations{authorization: n.Authorization},
		labels:          labels{ticket: n.Ticket},
		relations:       relations{ticket: n.Ticket},
		instantMessages: instantMessages{ticket: n.Ticket},
		oldList:         oldList{tickets: tickets{ticket: n.Ticket, catalog: n.Catalog}},
	}
	router, err := oas.NewServer(h, door{},
		oas.WithErrorHandler(h.decodeError),
		oas.WithNotFound(h.notFound),
		oas.WithMethodNotAllowed(func(w http.ResponseWriter, r *http.Request, _ string) { h.notFound(w, r) }),
		oas.WithMaxMultipartMemory(64<<10),
		oas.WithMiddleware(admit),
	)
	if err != nil {
		return nil, err
	}
	return withBeside(realErrors(wire.Downloads(router, o.Log))), nil
}

// admit holds the policy row of the operation against the caller.
func admit(req middleware.Request, next middleware.Next) (middleware.Response, error) {
	if err := privilege.Admit("v2", req.OperationID, principal.From(req.Context)); err != nil {
		return middleware.Response{}, err
	}
	return next(req)
}

// door accepts what the server's authentication has already verified: both
// kinds of credentials end in one principal.
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
