package identity

import (
	"context"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// A sandbox is a domain to try things in: nothing of it leaves, its clock can
// be moved, it can be reset (design.md section 8).

// Limits of a sandbox's clock.
const (
	maxMove  = 366 * 24 * time.Hour  // in one go
	maxAhead = 3660 * 24 * time.Hour // in all
)

// Faults of sandboxes.
var (
	ErrNotSandbox = fault.New(fault.Conflict, fault.CodeNoPermission, "该账号不是沙箱，不能执行此操作", "the account is not a sandbox: this is for sandboxes only")
	errMove       = fault.New(fault.Invalid, fault.CodeInvalid, "时钟只能向前拨动，每次最多 366 天，累计最多 3660 天", "a clock is moved forward only, by at most 366 days in one go and 3660 in all").In("seconds")
)

// AccountTables are what the reset of a sandbox leaves: who exists, how they
// prove it and who may act for them, locks in use, records of erasures, and the
// history, whose chain would break.
var AccountTables = []string{"users", "user_groups", "group_members", "access_keys", "temporary_keys", "agencies", "tokens", "browser_sessions", "second_factors", "recovery_codes",
	"login_challenges", "user_links", "locks", "events", "event_heads", "privacy_erasures"}

// searchTable is not erased as others are: its index is a table of its own.
const searchTable = "search_docs"

// InSandbox tells whether a domain is a sandbox, as of a second ago at most.
func (s *Service) InSandbox(ctx context.Context, domain string) (bool, error) {
	d, err := s.setting(ctx, domain)
	return d.Sandbox, err
}

// Clock is how far a domain's clock is ahead of the installation's, in
// milliseconds, as of a second ago at most.
func (s *Service) Clock(ctx context.Context, domain string) (int64, error) {
	d, err := s.setting(ctx, domain)
	return d.Clock, err
}

// OnClock is the context with the domain's clock, for those who act in a domain
// that is not theirs: engineers' steps.
func (s *Service) OnClock(ctx context.Context, domain string) (context.Context, error) {
	ahead, err := s.Clock(ctx, domain)
	return db.WithClock(ctx, ahead), err
}

// setting is a domain's row; of none, and of the house, the ordinary one.
func (s *Service) setting(ctx context.Context, domain string) (Domain, error) {
	if domain == "" || domain == principal.House {
		return Domain{}, nil
	}
	d, err := s.Current(ctx, domain)
	if fault.KindOf(err) == fault.NotFound {
		return Domain{}, nil
	}
	return d, err
}

// MoveClock moves a sandbox's clock forward: what is due until then becomes due
// now, in the same transaction. It is in force at once on this node and within
// a second on others; a request that runs meanwhile still has the old time.
// Administrators only; ErrNotSandbox for other domains, which are untouched.
func (s *Service) MoveClock(ctx context.Context, who principal.Principal, id string, by time.Duration) (Domain, error) {
	if err := administer(who); err != nil {
		return Domain{}, err
	}
	ms := by.Milliseconds()
	if ms <= 0 || by > maxMove {
		return Domain{}, errMove
	}
	defer s.cache.forget()
	return db.Do(ctx, s.db, func(tx *db.Tx) (Domain, error) {
		d, err := sandboxIn(tx, id)
		if err != nil {
			return d, err
		}
		if d.Clock+ms > maxAhead.Milliseconds() {
			return d, errMove
		}
		d.Clock += ms
		tx.Write(1, "UPDATE domains SET clock = ? WHERE id = ? AND clock = ?", d.Clock, id, d.Clock-ms)
		job.Shift(tx, id, ms)
		event.Record(tx, who, event.Event{Domain: id, Kind: "domain.clock", Subject: "domain", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"by": ms, "ahead": d.Clock}})
		return d, nil
	})
}

func sandboxIn(tx *db.Tx, id string) (Domain, error) {
	d, err := DomainIn(tx, id)
	if err == nil && !d.Sandbox {
		err = ErrNotSandbox
	}
	return d, err
}

// Reset takes everything out of a sandbox but its accounts, groups, keys and
// history, sets its clock to the installation's and the submission policy to
// its default, all in one transaction; more removes what stands in no table of
// domains. Nobody should work in the sandbox meanwhile: what he writes at that
// moment may stay. Administrators only; ErrNotSandbox for other domains, which
// are untouched; OSM.01010002 while a legal hold is on it, on a ticket or on one of
// its people.
func (s *Service) Reset(ctx context.Context, who principal.Principal, id string, more ...func(tx *db.Tx, domain string) error) (Domain, error) {
	if err := administer(who); err != nil {
		return Domain{}, err
	}
	defer s.cache.forget()
	return db.Do(ctx, s.db, func(tx *db.Tx) (Domain, error) {
		tx.Lock(principal.House, personal.HoldsLock)
		d, err := sandboxIn(tx, id)
		if err != nil {
			return d, err
		}
		if err := notHeld(tx, id); err != nil {
			return d, err
		}
		for _, f := range append(more, search.Forget) {
			if err := f(tx, id); err != nil {
				return d, err
			}
		}
		if err := db.Erase(tx, id, append([]string{searchTable}, AccountTables...)...); err != nil {
			return d, err
		}
		d.Clock, d.SubmitByPermission = 0, false
		tx.Write(1, "UPDATE domains SET clock = 0, submit_by_permission = 0 WHERE id = ?", id)
		event.Record(tx, who, event.Event{Domain: id, Kind: "domain.reset", Subject: "domain", SubjectID: id, LogCode: event.NoLog})
		return d, nil
	})
}
