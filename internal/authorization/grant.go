package authorization

import (
	"context"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Limits of an answer, in characters (api/v2.yaml), and of its window.
const (
	maxGrants       = 6
	maxAccount      = 64
	maxPassword     = 10240
	maxAgency       = 64
	maxRejectReason = 300
	maxAhead        = 365 * day // how far ahead a grant may end
)

var (
	stepGrant    = locale.Texts{ZH: "同意", EN: "granted"}
	stepReject   = locale.Texts{ZH: "拒绝", EN: "rejected"}
	stepWithdraw = locale.Texts{ZH: "取消", EN: "cancelled"}

	errOrder     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须晚于 auth_effective_time", "{field} must be after auth_effective_time").In("auth_expire_time")
	errPast      = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须晚于当前时间", "{field} must be in the future").In("auth_expire_time")
	errLong      = fault.New(fault.Invalid, fault.CodeInvalid, "授权时长最多 {days} 天", "an authorization may last at most {days} days").In("auth_expire_time")
	errAhead     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 最晚为 {days} 天后", "{field} may be at most {days} days ahead").In("auth_expire_time")
	errTwice     = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 重复", "{field} is named twice").In("auth_detail_list.auth_detail_id")
	errAgency    = fault.New(fault.Invalid, fault.CodeInvalid, "委托不存在或已过期", "there is no such agency, or it is over").In("agency_id")
	errNoConsole = fault.New(fault.Invalid, fault.CodeInvalid, "该授权不是控制台登录，不能使用委托", "this authorization is no log-in to a console: an agency does not fit").In("agency_id")
	errNoLogin   = fault.New(fault.Invalid, fault.CodeInvalid, "该授权使用委托，不需要账号和密码", "this authorization is by an agency: no account and no password are needed").In("auth_detail_list")
	errUnsigned  = fault.New(fault.Forbidden, fault.CodeNoPermission, "请先签署最新的授权协议（relation_id 为授权编号）", "please accept the newest authorization agreement first, with the authorization's id as relation_id")
)

// Access is what the customer gives for one detail.
type Access struct {
	Detail            int64
	Port              int // 0 = not said
	Account, Password string
}

// Grant is a customer's yes.
type Grant struct {
	ID, Group         string
	Effective, Expire int64 // milliseconds UTC; Effective 0 = now
	Agency            string
	Access            []Access // 0 to 6
}

func (g Grant) check() error {
	const list = "auth_detail_list"
	if len(g.Access) > maxGrants {
		return fault.TooManyItems.In(list).With("max", maxGrants)
	}
	seen := map[int64]bool{}
	for _, a := range g.Access {
		switch {
		case a.Port < 0 || a.Port > 65535:
			return fault.OutOfRange.In(list+".port").With("min", 1).With("max", 65535)
		case utf8.RuneCountInString(a.Account) > maxAccount:
			return fault.TooLong.In(list+".account").With("max", maxAccount)
		case strings.ContainsFunc(a.Account, unicode.IsControl):
			return fault.Unknown.In(list + ".account")
		case utf8.RuneCountInString(a.Password) > maxPassword:
			return fault.TooLong.In(list+".password").With("max", maxPassword)
		case seen[a.Detail]:
			return errTwice
		}
		seen[a.Detail] = true
	}
	if utf8.RuneCountInString(g.Agency) > maxAgency {
		return fault.TooLong.In("agency_id").With("max", maxAgency)
	}
	switch {
	case g.Effective < 0:
		return fault.Unknown.In("auth_effective_time")
	case g.Expire == 0:
		return fault.Missing.In("auth_expire_time")
	}
	return nil
}

// window is the grant's time, checked at the moment of granting.
func (s *Service) window(g Grant, now int64) (from, to int64, err error) {
	if from, to = g.Effective, g.Expire; from == 0 {
		from = now
	}
	longest := int64(s.o.Config.LongestDays)
	switch {
	case to <= now:
		return 0, 0, errPast
	case from >= to:
		return 0, 0, errOrder
	case to-now > ms(maxAhead):
		return 0, 0, errAhead.With("days", int(maxAhead/day))
	case to-from > longest*ms(day):
		return 0, 0, errLong.With("days", longest)
	}
	return from, to, nil
}

// Ids of kinds that decide what a grant needs (kind.go).
const (
	resourceInfo      = "3"
	visitInfo         = "6"
	contentAgency     = "3"
	contentCredential = "4"
)

// fits holds what is given against what was asked for. An agency opens a console: it
// is needed where one was asked for, may take the place of the whole account where
// that was (semantics.md section 8), may open the console of a request that names
// hosts as well, and fits nothing else: no host, no information to read. Where
// an agency was asked for, nobody gives an account or password.
func (g Grant) fits(a Authorization, details []Detail) error {
	console, host := false, false
	for _, d := range details {
		console, host = console || d.Kind == Console, host || d.Kind == Host
	}
	byAgency := a.Content == contentAgency && console
	switch {
	case g.Agency == "" && byAgency:
		return fault.Missing.In("agency_id")
	case g.Agency != "" && (!console || a.Resource == resourceInfo || a.Visit == visitInfo || !host && a.Content != contentAgency && a.Content != contentCredential):
		return errNoConsole
	}
	for _, d := range g.Access {
		if byAgency && !host && (d.Account != "" || d.Password != "") {
			return errNoLogin
		}
	}
	return nil
}

// Confirm grants an authorization that was asked for (0 to 1): the window, what
// is needed to enter, an agency for consoles. The end must be given, lie ahead
// and behind the start, at most longest_days after it. Accounts and passwords
// are sealed and wiped at the end. Failures: OSM.01010001 (unknown id, times,
// fields, what does not fit the kind), .32 (a detail that is not of this authorization), .02 (state, ticket
// has ended, agreement not signed).
func (s *Service) Confirm(ctx context.Context, who principal.Principal, g Grant) error {
	if err := g.check(); err != nil {
		return err
	}
	sealed := make([]Detail, len(g.Access))
	for i, in := range g.Access {
		d := Detail{ID: in.Detail, Port: in.Port, auth: g.ID, owner: who.Domain}
		var err error
		if d.account, err = s.seal(d.place("account"), in.Account); err != nil {
			return err
		}
		if d.password, err = s.seal(d.place("password"), in.Password); err != nil {
			return err
		}
		sealed[i] = d
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, t, err := visible(tx, who, g.ID, g.Group)
		switch {
		case err != nil:
			return err
		case before.Status != Asked:
			return stateFault(stepGrant, before.Status)
		case !t.Status.Open():
			return errEnded
		}
		details, err := detailsOf(tx, before)
		if err != nil {
			return err
		}
		mine := map[int64]bool{}
		for _, d := range details {
			mine[d.ID] = true
		}
		for _, d := range sealed {
			if !mine[d.ID] {
				return ErrNoDetail.In("auth_detail_list.auth_detail_id")
			}
		}
		if err := g.fits(before, details); err != nil {
			return err
		}
		if g.Agency != "" {
			if _, err := identity.AgencyIn(tx, who.Domain, g.Agency); errors.Is(err, identity.ErrNoAgency) {
				return errAgency
			} else if err != nil {
				return err
			}
		}
		a := before
		if a.Effective, a.Expires, err = s.window(g, tx.Now); err != nil {
			return err
		}
		if s.catalog.Now().RequireAuthorizationAgreement() {
			signed, err := catalog.SignedFor(tx, who.Domain, who.User, catalog.AgreementAuthorize, a.ID)
			if err != nil {
				return err
			}
			if !signed {
				return errUnsigned
			}
		}
		for _, d := range sealed {
			tx.Write(1, "UPDATE authorization_details SET account = ?, password = ?, port = CASE WHEN ? > 0 THEN ? ELSE port END WHERE domain_id = ? AND id = ? AND authorization_id = ?",
				d.account, d.password, d.Port, d.Port, a.Domain, d.ID, a.ID)
		}
		a.Status, a.Handler, a.Agency, a.Due = Granted, who.User, g.Agency, a.Expires
		a = change(tx, before, a)
		s.startClock(tx, a)
		s.answered(tx, who, a, t, before.Status, "ticket.authorization.confirm", ticket.LogGrant, "",
			map[string]any{"effective": a.Effective, "expire": a.Expires, "details": len(sealed), "agency": a.Agency})
		return nil
	})
}

// answered records a customer's step: in the authorization's history and as a
// line of the ticket's operation log.
func (s *Service) answered(tx *db.Tx, who principal.Principal, a Authorization, t ticket.Ticket, from Status, kind string, code int, remark string, data map[string]any) {
	if data == nil {
		data = map[string]any{}
	}
	data["from"] = from
	record(tx, who, a, strings.TrimPrefix(kind, "ticket.authorization."), data)
	ticket.Record(tx, who, t, kind, code, remark, map[string]any{"authorization": a.ID, "engineer": a.Engineer})
}

// Customers' actions as the wire spells them (contract: action_id).
const (
	Reject = "reject"
	Cancel = "cancel"
)

// Do rejects an authorization that was asked for (0 to 2, with a reason up to
// 300 characters) or cancels a granted one (1 to 5); what was granted is wiped.
// Failures: OSM.01010001 (unknown id or action, reason), .02 (state).
func (s *Service) Do(ctx context.Context, who principal.Principal, id, group, action, reason string) error {
	switch {
	case action == "":
		return fault.Missing.In("action_id")
	case action != Reject && action != Cancel:
		return fault.Unknown.In("action_id")
	case utf8.RuneCountInString(reason) > maxRejectReason:
		return fault.TooLong.In("reject_reason").With("max", maxRejectReason)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		before, t, err := visible(tx, who, id, group)
		if err != nil {
			return err
		}
		a := before
		a.Handler = who.User
		if action == Cancel {
			if before.Status != Granted {
				return stateFault(stepWithdraw, before.Status)
			}
			a.Status = Withdrawn
			a = end(tx, before, a)
			s.answered(tx, who, a, t, before.Status, "ticket.authorization.cancel", ticket.LogWithdraw, "", nil)
			return nil
		}
		if before.Status != Asked {
			return stateFault(stepReject, before.Status)
		}
		a.Status, a.RejectReason = Rejected, reason
		a = end(tx, before, a)
		s.answered(tx, who, a, t, before.Status, "ticket.authorization.reject", ticket.LogReject, reason, nil)
		return nil
	})
}
