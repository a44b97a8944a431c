package identity

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/principal"
)

// Alert is a change of what somebody comes in with, of which he is told: whoever
// did not do it himself learns of it.
type Alert string

// The alerts.
const (
	AlertKey       Alert = "key"        // an access key was made
	AlertPassword  Alert = "password"   // the password is another one
	AlertFactorOn  Alert = "factor_on"  // a second factor was set up
	AlertFactorOff Alert = "factor_off" // it was taken away
)

// Alerting readies the notice to a user, whose contacts are open, outside a
// transaction; what it answers queues the notice in the transaction of the change.
type Alerting func(ctx context.Context, who principal.Principal, u User, a Alert) (queue func(tx *db.Tx) error, err error)

// Alerts sets who tells people. It is set once, before the service is used.
func (s *Service) Alerts(f Alerting) { s.alerts = f }

// alert readies the notice of a change that somebody is about to make. Nobody is told
// of what Casemate itself does, and a notice that cannot be made stops no change.
func (s *Service) alert(ctx context.Context, who principal.Principal, domain, user string, a Alert) (queue func(tx *db.Tx) error) {
	nothing := func(*db.Tx) error { return nil }
	if s.alerts == nil || who.Kind == principal.System {
		return nothing
	}
	users, err := s.usersByID(ctx, domain, []string{user})
	if err == nil && len(users) == 1 && users[0].Name != "" {
		if queue, err = s.alerts(ctx, who, users[0], a); err == nil && queue != nil {
			return queue
		}
	}
	if err != nil {
		s.log.WarnContext(ctx, "a user is not told of a change of his", "user", user, "change", a, "error", err)
	}
	return nothing
}

// TellOfKey readies, outside a transaction, the notice to a user that an access key
// is made for him; what it answers queues it in the transaction that makes the key.
func (s *Service) TellOfKey(ctx context.Context, who principal.Principal, domain, user string) (queue func(tx *db.Tx) error) {
	return s.alert(ctx, who, domain, user, AlertKey)
}
