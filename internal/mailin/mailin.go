// Package mailin is everything between "a mail was received" and "a ticket or a
// message exists": it keeps what came, reads it, finds whose it is and which
// ticket it belongs to, and lets nothing be lost. Every mail ends as a ticket, a
// message, a note, a bounce that notify knows, ignored with a cause, or in
// quarantine with a cause. Transports hand mails to Accept.
//
// It does not send anything but the few answers notify has templates for, and
// changes tickets only through packages ticket and queue.
package mailin

import (
	"fmt"
	"log/slog"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/notify"
	"casemate/internal/queue"
	"casemate/internal/seal"
	"casemate/internal/ticket"
)

// Received is a mail as a transport got it.
type Received struct {
	Raw     []byte
	Mailbox string   // name of the source (config.Mailbox)
	From    string   // envelope sender, "" = the null sender, or unknown
	To      []string // envelope recipients; may be empty
	UID     string   // unique in the mailbox, "" = none
	At      int64    // when it was received, milliseconds UTC; 0 = now
}

// Nouns are what incoming mail works with.
type Nouns struct {
	Identity    *identity.Service
	Catalog     *catalog.Service
	Notify      *notify.Service
	Tickets     *ticket.Service
	Attachments *attachment.Service
	Queue       *queue.Service
}

// Options of the service.
type Options struct {
	Config config.MailIn
	Log    *slog.Logger // nil = the default logger
}

// Service is the noun.
type Service struct {
	db   *db.DB
	keys *seal.Keyring
	n    Nouns
	o    Options

	large chan struct{} // held while a large mail is read
}

// New makes the service. It fails on a configuration that means nothing.
func New(d *db.DB, keys *seal.Keyring, n Nouns, o Options) (*Service, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	o.Config = o.Config.WithDefaults()
	if err := attachment.CheckTypes(o.Config.Types); err != nil {
		return nil, fmt.Errorf("mail_in.types: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Service{db: d, keys: keys, n: n, o: o, large: make(chan struct{}, largeAtOnce)}, nil
}

// Kinds are the jobs of the package, for the runner.
func (s *Service) Kinds() []job.Kind {
	return []job.Kind{{Name: kindRead, Run: s.read, Timeout: 2 * time.Minute, MaxTries: 1 << 20, Backoff: backoff}}
}

// backoff is the pause after a failed try: 2 s doubling to ten minutes.
func backoff(try int) time.Duration {
	return min(2*time.Second<<min(max(try-1, 0), 12), 10*time.Minute)
}

// Periodic is the housekeeping, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{{Name: "mails", Every: time.Hour, Run: s.Purge}}
}
