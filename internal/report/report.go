// Package report has the figures over many tickets: how many came and went, how
// long answers took, what was promised and kept, how customers rate it, who
// carries how much, what was sent and what it cost. It reads and never changes
// what it counts.
//
// What happened is counted from facts, which a follower works out from the
// sealed events (fact.go, follow.go) and which are added up by day behind it
// (day.go), so that a year's figures read few rows. What is now (open tickets,
// load) is read from the desk's rows, what was sent from the ledger of messages.
package report

import (
	"fmt"
	"log/slog"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// Nouns are what the figures are about.
type Nouns struct {
	Identity *identity.Service
	Catalog  *catalog.Service
	Tickets  *ticket.Service
	Queue    *queue.Service
}

// Options of the service.
type Options struct {
	Zone string // of the days that are added up ahead; "" = GMT+8. Days of every other zone are read from the facts
	Log  *slog.Logger
}

// Service answers with figures.
type Service struct {
	db      *db.DB
	ident   *identity.Service
	catalog *catalog.Service
	tickets *ticket.Service
	queue   *queue.Service
	log     *slog.Logger

	zoneName string
	zone     *time.Location
}

// home is the zone of days unless another is configured.
const home = "GMT+8"

// Zone is the installation's zone of days.
func (s *Service) Zone() string { return s.zoneName }

// New makes the service.
func New(d *db.DB, n Nouns, o Options) (*Service, error) {
	if o.Zone == "" {
		o.Zone = home
	}
	zone, err := locale.ParseZone(o.Zone)
	if err != nil {
		return nil, fmt.Errorf("report.zone: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Service{db: d, ident: n.Identity, catalog: n.Catalog, tickets: n.Tickets, queue: n.Queue, log: o.Log, zoneName: o.Zone, zone: zone}, nil
}

// Periodic is what the runner does now and then.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{
		{Name: "facts of reports", Every: time.Second, Run: s.Follow},
		{Name: "days of reports", Every: time.Minute, Run: s.Build},
	}
}

// reach is whose figures a caller sees.
type reach struct {
	all    bool
	user   string // else what he handles or answered, and his teams'
	domain string // of a customer
}

// reachOf: supervisors, administrators and whoever the policy lets in beside
// engineers see all; an engineer what is his and his teams'; partners' people
// nothing. It is the one place that tells.
func reachOf(who principal.Principal) (reach, error) {
	switch {
	case who.Partner != "":
		return reach{}, fault.NoPermission
	case who.Kind == principal.Local || who.Kind == principal.System:
		return reach{all: true}, nil
	case who.Kind == principal.Engineer && !who.Is(principal.RoleSupervisor) && !who.Admin() && !who.Audits():
		return reach{user: who.User}, nil
	case who.Kind == principal.Engineer:
		return reach{all: true}, nil
	case who.Kind == principal.Customer && who.Main:
		return reach{domain: who.Domain}, nil
	}
	return reach{}, fault.NoPermission
}
