package identity

import (
	"context"

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
	Minutes int    `json:"minutes"` // of the window
	Locked  bool   `json:"locked"`  // by this one
}

// Why a log-in failed. The caller is not told (threats.md C5); the account is.
const (
	WhyPassword = "password" // wrong
	WhyCode     = "code"     // of the second factor, wrong or used before
	WhyLocked   = "locked"   // for what failed before
	WhyDisabled = "disabled" // the user or the account
	WhyScope    = "scope"    // asked for something that is not the user's
)

// recordFailure records a failed log-in, the n-th of its subject in the window.
// Each of the first five is an event; while the user is locked only the 10th, the
// 100th and so on are: whoever tries on for days fills no history.
func recordFailure(ctx context.Context, tx *db.Tx, u User, address, why string, n int) {
	if n > loginFailures && !powerOfTen(n) {
		return
	}
	from := principal.From(ctx)
	if from.Address != "" {
		address = from.Address
	}
	event.Record(tx, principal.Principal{Kind: kindOf(u), Domain: u.Domain, User: u.ID, Address: address, RequestID: from.RequestID},
		event.Event{Domain: u.Domain, Kind: KindLoginFail, Subject: "user", SubjectID: u.ID, LogCode: event.NoLog,
			Data: LoginFailure{Why: why, Count: n, Minutes: int(loginWindow.Minutes()), Locked: n == loginFailures}})
}

func powerOfTen(n int) bool {
	for n%10 == 0 && n > 0 {
		n /= 10
	}
	return n == 1
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
