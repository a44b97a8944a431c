// Package desk is the surface of engineers, administrators and the command
// line: it translates between the wire contract api/desk.yaml and the nouns,
// and decides nothing.
package desk

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/ogen-go/ogen/middleware"

	"casemate/internal/authorization"
	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/diagnose"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/knowledge"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/privilege"
	"casemate/internal/queue"
	reporting "casemate/internal/report"
	"casemate/internal/setup"
	"casemate/internal/ticket"
	"casemate/internal/verify"
	"casemate/internal/webhook"
	"casemate/internal/wire"
)

// Handler serves the operations of desk.yaml, one embedded type per group, so
// that a missing operation does not compile.
type Handler struct {
	sessions
	tickets
	ticketDetails
	abuseReports
	deliveries
	catalogue
	domains
	sandboxes
	users
	groups
	accessKeys
	webhooks
	codes
	partners
	agencies
	transfers
	system
	diagnoses
	agreements
	notices
	serviceLevels

	teams
	queues
	savedViews
	teamwork

	authorizations
	mails
	mailboxes
	reads
	attachments
	automation

	userSignIns
	articles
	catalogNames

	histories
	searches
	administration
	settings
	backups
	privacies
	reports
	configuration

	mapper
}

var _ oas.Handler = (*Handler)(nil)

// Nouns are what the surface translates to.
type Nouns struct {
	Identity  *identity.Service
	Tickets   *ticket.Service
	Catalog   *catalog.Service
	Notify    *notify.Service
	Webhooks  *webhook.Service
	Verify    *verify.Service
	Diagnose  *diagnose.Service
	Queue     *queue.Service
	Knowledge *knowledge.Service
	Mail      *mailin.Service
	MailGate  *mailin.Gate
	Setup     *setup.Service

	Authorizations *authorization.Service
	Privacy        *privacy.Service
	Reports        *reporting.Service
}

// Host is what only the composition root knows. Every function must be set.
type Host struct {
	Version  string // of the program
	Database string // sqlite or postgres
	Demo     bool   // a demo world, its catcher on
	// SetUp makes the first administrator with the one-time token.
	SetUp func(ctx context.Context, token, name, password string) (identity.User, error)
	// Events reads the sealed feed behind a number; domain "" is all domains.
	Events func(ctx context.Context, domain string, after int64, limit int) ([]event.Row, error)
	// Counts reads the figures of the system page.
	Counts func(ctx context.Context) (Counts, error)
	// Reset empties a sandbox, over all nouns.
	Reset func(ctx context.Context, who principal.Principal, domain string) (identity.Domain, error)
	Now   func() time.Time

	AdministrationHost
	SettingsHost
	BackupHost
}

// Counts are the figures of the system page.
type Counts struct {
	Domains, Users, Tickets        int64
	JobsWaiting, DeliveriesWaiting int64
	LastEvent                      int64 // number of the last sealed event
}

// New makes the HTTP handler of the surface. The caller's principal and locale
// must be in the request's context.
func New(n Nouns, host Host, log *slog.Logger) (http.Handler, error) {
	h := &Handler{
		sessions:      sessions{identity: n.Identity, host: host},
		tickets:       tickets{tickets: n.Tickets, identity: n.Identity, catalog: n.Catalog, queue: n.Queue},
		deliveries:    deliveries{notify: n.Notify},
		catalogue:     catalogue{catalog: n.Catalog},
		catalogNames:  catalogNames{catalog: n.Catalog},
		domains:       domains{identity: n.Identity, catalog: n.Catalog},
		sandboxes:     sandboxes{identity: n.Identity, host: host},
		users:         users{identity: n.Identity},
		groups:        groups{identity: n.Identity},
		accessKeys:    accessKeys{identity: n.Identity},
		webhooks:      webhooks{webhooks: n.Webhooks},
		backups:       backups{host: host},
		codes:         codes{verify: n.Verify, identity: n.Identity},
		partners:      partners{identity: n.Identity},
		agencies:      agencies{identity: n.Identity},
		transfers:     transfers{of: tickets{tickets: n.Tickets, identity: n.Identity, catalog: n.Catalog, queue: n.Queue}},
		system:        system{host: host},
		diagnoses:     diagnoses{diagnose: n.Diagnose, identity: n.Identity, catalog: n.Catalog},
		agreements:    agreements{catalog: n.Catalog, identity: n.Identity},
		mails:         mails{mails: n.Mail},
		mailboxes:     mailboxes{gate: n.MailGate},
		reads:         reads{tickets: n.Tickets},
		mapper:        mapper{log: log},
		ticketDetails: ticketDetails{tickets: n.Tickets, catalog: n.Catalog},
		abuseReports:  abuseReports{tickets: n.Tickets},
		serviceLevels: serviceLevels{tickets: n.Tickets, catalog: n.Catalog},
	}
	h.privacies = privacies{privacy: n.Privacy, now: host.Now}
	h.articles = articles{knowledge: n.Knowledge, queue: n.Queue, identity: n.Identity, now: host.Now}
	h.searches = searches{of: h.tickets}
	h.userSignIns = userSignIns{identity: n.Identity}
	h.administration = administration{identity: n.Identity, tickets: n.Tickets, notify: n.Notify, host: host}
	h.settings = settings{host: host}
	h.reports = reports{report: n.Reports}
	h.configuration = configuration{setup: n.Setup}
	h.notices = notices{notify: n.Notify, queue: n.Queue, steps: h.tickets}
	h.teamwork = teamwork{queue: n.Queue, steps: h.tickets}
	h.histories = histories{tickets: n.Tickets, identity: n.Identity, steps: h.tickets, now: host.Now}
	h.authorizations = authorizations{authorization: n.Authorizations, steps: h.tickets}
	h.teams = teams{queue: n.Queue, steps: h.tickets}
	h.queues = queues{queue: n.Queue, steps: h.tickets}
	h.savedViews = savedViews{of: h.queues}
	h.automation = automation{queue: n.Queue, steps: h.tickets}
	h.attachments = attachments{tickets: n.Tickets, steps: h.tickets}
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
	return wire.Downloads(router, log), nil
}

// admit holds the policy row of the operation against the caller, and what was
// asked against the contract.
func admit(req middleware.Request, next middleware.Next) (middleware.Response, error) {
	if err := privilege.Admit("desk", req.OperationID, principal.From(req.Context)); err != nil {
		return middleware.Response{}, err
	}
	if err := wire.KnownQuery(req); err != nil {
		return middleware.Response{}, err
	}
	return next(req)
}

// door accepts what the server's authentication has already verified.
type door struct{}

func (door) HandleTokenAuth(ctx context.Context, _ oas.OperationName, _ oas.TokenAuth) (context.Context, error) {
	if principal.From(ctx).Kind == principal.Anonymous {
		return ctx, wire.ErrNoToken
	}
	return ctx, nil
}

// at is an instant on the wire: UTC, whole seconds.
func at(ms int64) oas.Time { return oas.Time(time.UnixMilli(ms).UTC().Truncate(time.Second)) }

// maybeAt is an optional instant: absent when 0.
func maybeAt(ms int64) oas.OptTime {
	if ms == 0 {
		return oas.OptTime{}
	}
	return oas.NewOptTime(at(ms))
}

// text is an optional text: absent when empty.
func text(s string) oas.OptString {
	if s == "" {
		return oas.OptString{}
	}
	return oas.NewOptString(s)
}
