package ticket

import (
	"context"
	"errors"
	"strconv"
	"time"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// notices are a ticket's notices of one step, rendered and sealed before the
// transaction that queues them.
type notices []notify.Prepared

// noticeKinds are the kinds a user switches notices off by.
var noticeKinds = map[string]string{
	notify.TemplateCreate: identity.NoticeCreated, notify.TemplateReply: identity.NoticeReplied, notify.TemplateAsk: identity.NoticeAsked, notify.TemplateResolve: identity.NoticeResolved,
	notify.TemplateRemind: identity.NoticeClosing, notify.TemplateClose: identity.NoticeClosing, notify.TemplateAuthorize: identity.NoticeAuthorized, notify.TemplateSurvey: identity.NoticeSurveyed,
}

// prepare renders a notice for each contact of the ticket; without one, for the
// registered mail of its creator. Copy addresses get a mail of their own each, so
// that nobody sees the others (threats.md D10). A kind of contact the installation cannot
// reach is left out: a step does not fail for want of a provider.
func (s *Service) prepare(ctx context.Context, t Ticket, template string, days int) (notices, error) {
	c, err := s.Contact(ctx, t)
	if err != nil {
		return nil, err
	}
	if c.Mobile == "" && c.Mail == "" {
		u, err := s.ident.User(ctx, principal.AsSystem(t.Domain), t.Domain, t.Creator)
		switch {
		case err == nil && !u.Disabled:
			c.Mail = u.Mail
		case len(c.Copies) == 0:
			return nil, nil //nolint:nilerr // nobody to tell: the creator is gone
		}
	}
	// The creator may have switched such notices off for himself; copied addresses
	// are other people, who end their mails themselves.
	if kind := noticeKinds[template]; kind != "" {
		wanted, err := s.ident.Wants(ctx, t.Domain, t.Creator, kind)
		if err != nil {
			return nil, err
		}
		if !wanted {
			c.Mail, c.E164 = "", ""
		}
	}
	type target struct {
		way     notify.Way
		contact string
		stop    notify.Stop // copies may end their mails: nobody there has the ticket
	}
	targets := []target{{way: notify.Mail, contact: c.Mail}, {way: notify.SMS, contact: c.E164}}
	for _, address := range c.Copies {
		if address != c.Mail {
			targets = append(targets, target{notify.Mail, address, notify.Stop{Ticket: true}})
		}
	}
	var out notices
	for _, to := range targets {
		if to.contact == "" {
			continue
		}
		p, err := s.notify.Prepare(ctx, notify.Message{Domain: t.Domain, Person: t.Creator, Way: to.way, To: to.contact, Template: template, Language: t.Language,
			Values: map[string]string{"number": t.Number, "days": strconv.Itoa(days)}, Ref: t.Number, Stop: to.stop, NotBefore: opens(t, s.db.NowIn(ctx))})
		if errors.Is(err, notify.ErrNoChannel) {
			s.o.Log.Warn("no provider for a ticket's notice", "ticket", t.Number, "channel", string(to.way))
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (s *Service) queue(tx *db.Tx, all notices) {
	for _, p := range all {
		s.notify.Queue(tx, p)
	}
}

// opens is when notices of the ticket may next be sent, milliseconds UTC, 0 for
// now: remind_time is a range in the customer's zone, which may cross midnight
// (semantics.md section 1).
func opens(t Ticket, now time.Time) int64 {
	r, ok := locale.ParseRange(t.RemindTime)
	if !ok || r.From == r.To {
		return 0
	}
	zone := locale.Parse("", t.Zone, "").Zone
	if r.Holds(now, zone) {
		return 0
	}
	return locale.NextMinute(now, zone, r.From).UnixMilli()
}
