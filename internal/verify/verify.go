// Package verify owns verification codes and proved contacts: it issues codes
// to phone numbers and mail addresses, checks and consumes them, limits how
// often both may happen, and remembers which contacts a user has proved to be
// his. How a code travels is package notify's business.
package verify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// What no configuration changes (threats.md A1, A2, A8).
const (
	digits   = 6
	lifetime = 5 * time.Minute
	maxTries = 5
	interval = time.Minute
	// skew is how far other nodes' clocks may be ahead. A code from further in
	// the future is not taken: after a clock was set back it would live too long.
	skew = 30 * time.Second
)

// purposeContact is the only purpose of codes so far: to prove a contact.
const purposeContact = "contact"

// Faults of this package.
var (
	// ErrWrong: wrong, expired, used or never sent, or too many wrong tries; a
	// contact without proof. Callers cannot tell which.
	ErrWrong = fault.New(fault.Invalid, "OSM.01010010", "验证未通过", "Verification not passed.")
	// ErrTooOften: a code was sent a short while ago, or too many were.
	ErrTooOften = fault.New(fault.TooMany, "OSM.01010024", "验证码发送过于频繁，请稍后再试", "Verification code resent too frequently.")
	// ErrNoSMS: text messages to this number are not allowed (threats.md A10).
	ErrNoSMS = fault.New(fault.Invalid, fault.CodeInvalid, "该号码不支持接收短信验证码", "no verification code can be sent to this number").In("contact_value")
)

// Options of the service.
type Options struct {
	Config config.Verify
	// Demo widens the send caps per caller.
	Demo bool
	// AddressKnown: the caller's address is the client's own, so that it can be
	// limited; with an unlisted proxy in front all would share one.
	AddressKnown bool
	Log          *slog.Logger // nil = slog.Default()
}

// Service is the noun.
type Service struct {
	db      *db.DB
	keys    *seal.Keyring
	ident   *identity.Service
	out     *notify.Service
	o       Options
	codeKey []byte // of the codes' hashes; never in the database

	// When this node made its codes, by time that no clock moves: their life is
	// five minutes of it too (threats.md E11).
	born    sync.Map // id -> time.Duration
	elapsed func() time.Duration
	stores  func(tx *db.Tx) (int64, error) // the time of the store; tests set it
}

// New makes the service. It fails when the configuration would switch off a
// limit that must stand.
func New(d *db.DB, keys *seal.Keyring, ident *identity.Service, out *notify.Service, o Options) (*Service, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	if o.Demo {
		o.Config = o.Config.Demo()
	}
	o.Config = o.Config.WithDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	began := time.Now()
	s := &Service{db: d, keys: keys, ident: ident, out: out, o: o, codeKey: keys.Derive("verification codes"),
		stores: storesTime, elapsed: func() time.Duration { return time.Since(began) }}
	out.LimitTests(s.AdmitTest)
	return s, nil
}

// Periodic is the housekeeping, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{{Name: "verify purge", Every: 10 * time.Minute, Run: s.Purge}}
}

// purgeBatch bounds one transaction of the purge, in rows.
const purgeBatch = 1000

// Purge removes codes that ended before what the live view reaches back to,
// counts and sends older than the longest window, and proofs that ran out a
// month ago.
func (s *Service) Purge(ctx context.Context) error {
	for _, q := range []struct {
		sql string
		age time.Duration
	}{
		{"DELETE FROM verify_codes /* all domains: purge */ WHERE (domain_id, id) IN (SELECT c.domain_id, c.id FROM verify_codes AS c WHERE c.expires_at <= ? ORDER BY c.expires_at LIMIT ?) RETURNING id", MaxTraffic},
		{"DELETE FROM verify_counts WHERE (subject, id) IN (SELECT c.subject, c.id FROM verify_counts AS c WHERE c.at <= ? ORDER BY c.at LIMIT ?) RETURNING id", day},
		{"DELETE FROM verify_contacts WHERE contact_hash IN (SELECT c.contact_hash FROM verify_contacts AS c WHERE c.sent_at <= ? ORDER BY c.sent_at LIMIT ?) RETURNING contact_hash", day},
		{"DELETE FROM verify_proofs /* all domains: purge */ WHERE (domain_id, id) IN (SELECT p.domain_id, p.id FROM verify_proofs AS p WHERE p.expires_at <= ? ORDER BY p.expires_at LIMIT ?) RETURNING id", 30 * day},
	} {
		for n := purgeBatch; n == purgeBatch; {
			err := s.db.Update(ctx, func(tx *db.Tx) error {
				n = 0
				return tx.List(func(r db.Row) error {
					var key string
					n++
					return r.Scan(&key)
				}, q.sql, tx.Now-q.age.Milliseconds(), purgeBatch)
			})
			if err != nil {
				return fmt.Errorf("purging codes and proofs: %w", err)
			}
		}
	}
	s.born.Range(func(id, at any) bool {
		if s.elapsed()-at.(time.Duration) > 2*time.Hour {
			s.born.Delete(id)
		}
		return true
	})
	if err := s.endFuture(ctx); err != nil {
		return fmt.Errorf("ending codes from the future: %w", err)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		purgeTraffic(tx)
		return nil
	})
}

// endFuture ends codes from the future, which a clock that was ahead left: they
// would be good once their time comes. They are ahead of this node's clock and of
// the database's, so that a node whose clock is behind ends nobody's. A sandbox's
// are on its own clock.
func (s *Service) endFuture(ctx context.Context) error {
	var n int
	var differs time.Duration
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		stores, err := s.stores(tx)
		if err != nil {
			return err
		}
		n, differs = 0, millis(stores-tx.Now)
		return tx.List(func(r db.Row) error {
			var id string
			n++
			return r.Scan(&id)
		}, `UPDATE verify_codes /* all domains: purge */ SET state = 'dead', code_hash = '', ended_at = ?
			WHERE state = 'live' AND expires_at > ? AND domain_id NOT IN (SELECT d.id FROM domains AS d WHERE d.clock <> 0) RETURNING id`,
			tx.Now, max(tx.Now, stores)+(lifetime+skew).Milliseconds())
	})
	if err != nil {
		return err
	}
	if n > 0 {
		s.o.Log.WarnContext(ctx, "verification codes from the future are ended: a node's clock is ahead, or was", "codes", n)
	}
	if differs.Abs() > skew {
		s.o.Log.WarnContext(ctx, "this node's clock differs from the database's: one of them is wrong", "database_ahead", differs)
	}
	return nil
}

// storesTime is the time on the store's own clock in milliseconds: on SQLite there
// is none but this node's.
func storesTime(tx *db.Tx) (now int64, err error) {
	if tx.DB().Dialect() == db.SQLite {
		return tx.Now, nil
	}
	err = tx.Get("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)").Scan(&now)
	return now, err
}

// aged tells that a code this node made is older than its life, whatever the
// clock says.
func (s *Service) aged(id string) bool {
	at, ours := s.born.Load(id)
	return ours && s.elapsed()-at.(time.Duration) >= lifetime
}

// Outcome is what a transaction that must be committed decided: Refusal is nil
// when all is proved.
type Outcome struct {
	Refusal *fault.Error `json:",omitempty"`
}

// OK tells whether all is proved.
func (o Outcome) OK() bool { return o.Refusal == nil }

func (o Outcome) err() error {
	if o.Refusal == nil {
		return nil
	}
	return o.Refusal
}

// Try is an attempt to prove a contact with a code.
type Try struct {
	Contact
	Code           string
	Customer, User string // domain and user of the wire; "" = the caller's, others are refused
}

// Check compares a code with the one last sent to the contact for this caller
// and, if it is right, uses it up and records the contact as proved. Each try
// counts. The transaction is committed before the answer. It fails with
// ErrWrong, whatever was wrong, or NoPermission for somebody else's ids.
func (s *Service) Check(ctx context.Context, who principal.Principal, in Try) error {
	if in.Customer != "" && in.Customer != who.Domain || in.User != "" && in.User != who.User {
		return fault.NoPermission
	}
	r, err := s.resolve(in.Contact)
	if err != nil {
		return err
	}
	p, err := s.sealProof(ctx, who, r)
	if err != nil {
		return err
	}
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (Outcome, error) {
		right, err := s.try(tx, who, purposeContact, r, in.Code)
		if err != nil {
			return Outcome{}, err
		}
		if !right {
			return Outcome{Refusal: ErrWrong}, nil
		}
		return Outcome{}, s.recordProof(tx, who, p)
	})
	if err != nil {
		return err
	}
	return out.err()
}
