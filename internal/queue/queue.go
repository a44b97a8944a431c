// Package queue is the desk beyond single steps: teams and queues, who gets
// which ticket, views, macros, rules, drafts and who is looking at what. It
// changes tickets only through package ticket, and owns the tables that are the
// desk's own. They belong to the house, not to a customer: they name no domain.
package queue

import (
	"log/slog"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/knowledge"
	"casemate/internal/notify"
	"casemate/internal/seal"
	"casemate/internal/ticket"
)

// Nouns are what the desk works with.
type Nouns struct {
	Identity *identity.Service
	Catalog  *catalog.Service
	Notify   *notify.Service
	Tickets  *ticket.Service
	// Knowledge is what texts refer to as {{article:slug}} and what was of use in
	// tickets.
	Knowledge *knowledge.Service
}

// Options of the service.
type Options struct {
	Queue      config.Queue
	Config     config.Teamwork
	Log        *slog.Logger // nil = the default logger
	Automation config.Automation
}

// Service is the noun.
type Service struct {
	db      *db.DB
	keys    *seal.Keyring
	ident   *identity.Service
	catalog *catalog.Service
	notify  *notify.Service
	tickets *ticket.Service
	know    *knowledge.Service
	o       Options

	interrupt func(at string) error // tests end runs here; nil = nobody does
}

// New makes the service.
func New(d *db.DB, keys *seal.Keyring, n Nouns, o Options) (*Service, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := o.Queue.Check(); err != nil {
		return nil, err
	}
	o.Queue = o.Queue.WithDefaults()
	if err := o.Automation.Check(); err != nil {
		return nil, err
	}
	o.Automation = o.Automation.WithDefaults()
	return &Service{db: d, keys: keys, ident: n.Identity, catalog: n.Catalog, notify: n.Notify, tickets: n.Tickets, know: n.Knowledge, o: o}, nil
}

// Kinds are the jobs of the package, for the runner.
func (s *Service) Kinds() []job.Kind {
	return []job.Kind{{Name: kindLater, Run: s.sendLater, Timeout: time.Minute}}
}

// Periodic is what one node at a time does again and again, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{
		{Name: "queue assignment", Every: time.Second, Run: s.Assign},
		{Name: "desk aftermath", Every: time.Second, Run: s.FollowDesk},
		{Name: "presence", Every: time.Minute, Run: s.forgetAbsent},
		{Name: "messages overdue", Every: time.Minute, Run: s.remake},
	}
}
