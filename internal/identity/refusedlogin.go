package identity

import (
	"context"
	"encoding/json"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
)

// KindLoginFail is the event of a failed log-in of somebody who is known. Names
// that nobody has leave no trace, so nothing tells which ones are taken.
const KindLoginFail = "user.login.fail"

// LoginFailure is what the event says: why, and how many log-ins of the user
// failed for the like in the window that ends with it.
type LoginFailure struct {
	Why     string `json:"why"`
	Count   int    `json:"count"`
	Minutes int    `json:"minutes"`          // of the window
	Locked  bool   `json:"locked"`           // by this one
	Factor  bool   `json:"factor,omitempty"` // codes of the second factor count apart from passwords
}

// Why a log-in failed. The caller is not told (threats.md C5); the account is.
const (
	WhyPassword = "password" // wrong
	WhyCode     = "code"     // of the second factor, wrong or used before
	WhyLocked   = "locked"   // for what failed before
	WhyDisabled = "disabled" // the user or the account
	WhyScope    = "scope"    // asked for something that is not the user's
)

// lockFailures has the failed log-ins of a user wait for each other, so that each
// is counted once. Lock before counting.
func lockFailures(tx *db.Tx, u User) { tx.Lock(u.Domain, "failed log-ins "+u.ID) }

// recordFailure records a failed log-in, with which its subject has failed n times
// in the window. Each of the first five is an event; while the user is locked only
// one when 10 are reached, one at 100 and so on, however long somebody tries on at
// whatever pace: he fills no history. The next ones are those after it has been
// five or fewer.
func recordFailure(ctx context.Context, tx *db.Tx, u User, address, why string, factor bool, n int) error {
	if n > loginFailures {
		reached := powerOfTen(n)
		if reached <= loginFailures {
			return nil
		}
		told, err := lastFailure(tx, u, factor)
		if err != nil || reached <= told {
			return err
		}
	}
	from := principal.From(ctx)
	if from.Address != "" {
		address = from.Address
	}
	event.Record(tx, principal.Principal{Kind: kindOf(u), Domain: u.Domain, User: u.ID, Address: address, RequestID: from.RequestID},
		event.Event{Domain: u.Domain, Kind: KindLoginFail, Subject: "user", SubjectID: u.ID, LogCode: event.NoLog,
			Data: LoginFailure{Why: why, Count: n, Minutes: int(loginWindow.Minutes()), Locked: n == loginFailures, Factor: factor}})
	return nil
}

// lastFailure is how many failures the newest event of them tells of.
func lastFailure(tx *db.Tx, u User, factor bool) (n int, err error) {
	_, err = event.Newest(tx, u.Domain, "user", u.ID, func(r event.Row) bool {
		var f LoginFailure
		if r.Kind != KindLoginFail || json.Unmarshal(r.Data, &f) != nil || factor != (f.Factor || f.Why == WhyCode) {
			return false
		}
		n = f.Count
		return true
	})
	return n, err
}

// powerOfTen is the greatest up to n.
func powerOfTen(n int) int {
	p := 1
	for n /= 10; n > 0; n /= 10 {
		p *= 10
	}
	return p
}

// whyNot is why a log-in of a known user failed.
func whyNot(locked, right, disabled bool) string {
	switch {
	case locked:
		return WhyLocked
	case !right:
		return WhyPassword
	case disabled:
		return WhyDisabled
	}
	return WhyScope
}
