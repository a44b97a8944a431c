package authorization

import (
	"context"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

var (
	stepUse    = locale.Texts{ZH: "使用", EN: "used"}
	errWindow  = fault.New(fault.Conflict, fault.CodeNoPermission, "不在授权的有效期内", "the authorization is not in force at this time")
	errHandler = fault.New(fault.Forbidden, fault.CodeNoPermission, "仅工单当前处理人或授权申请人可以使用授权", "only the ticket's handler or the engineer who asked may use the authorization")
)

// maxLookReason bounds why somebody looks, in characters.
const maxLookReason = 200

// usable reads an authorization that the engineer may use at this moment: it is
// granted, its window is now, its ticket is open and his.
func usable(tx *db.Tx, who principal.Principal, id string, detail int64) (a Authorization, d Detail, err error) {
	if !who.Works() {
		return a, d, fault.NoPermission
	}
	if a, err = deskIn(tx, id); err != nil {
		return a, d, err
	}
	if d, err = detailOf(tx, a, detail); err != nil {
		return a, d, err
	}
	t, err := ticket.In(tx, a.Domain, a.Ticket)
	switch {
	case err != nil:
		return a, d, err
	case t.Assignee != who.User && a.Engineer != who.User:
		return a, d, errHandler
	case a.Status != Granted:
		return a, d, stateFault(stepUse, a.Status)
	case tx.Now < a.Effective || tx.Now >= a.Expires:
		return a, d, errWindow
	case !t.Status.Open():
		return a, d, errEnded
	}
	return a, d, nil
}

// Secret is what was granted for one detail.
type Secret struct {
	Address           string
	Port              int
	Account, Password string
	Agency            string
}

// Reveal shows an engineer what he was granted: only the ticket's handler or
// who asked, only while the grant is in force; each look is recorded, with the
// reason (0 to 200 characters) that was given. Failures: OSM.01010001 (unknown
// id, reason), .32 (unknown detail), .02 (role, state, window, ticket has ended).
func (s *Service) Reveal(ctx context.Context, who principal.Principal, id string, detail int64, reason string) (out Secret, err error) {
	if utf8.RuneCountInString(reason) > maxLookReason {
		return out, fault.TooLong.In("reason").With("max", maxLookReason)
	}
	if ctx, err = s.onClock(ctx, id); err != nil {
		return out, err
	}
	// The result of the write is stored for repeats: it must not be the secret.
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		a, d, err := usable(tx, who, id, detail)
		if err != nil {
			return err
		}
		ticket.Remark(tx, a.Domain, a.Ticket, record(tx, who, a, "reveal", map[string]any{"detail": d.ID}), strings.TrimSpace(reason))
		return nil
	})
	if err != nil {
		return out, err
	}
	var (
		a Authorization
		d Detail
	)
	if err := s.db.View(ctx, func(tx *db.Tx) error { a, d, err = usable(tx, who, id, detail); return err }); err != nil {
		return out, err
	}
	out = Secret{Address: d.Address, Port: d.Port}
	if d.Kind == Console {
		out.Agency = a.Agency
	}
	if out.Account, err = s.open(d.place("account"), d.account); err != nil {
		return Secret{}, err
	}
	if out.Password, err = s.open(d.place("password"), d.password); err != nil {
		return Secret{}, err
	}
	return out, nil
}
