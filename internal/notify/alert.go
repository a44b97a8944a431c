package notify

import (
	"context"
	"errors"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// changes are what alerts say, as {change} of TemplateAccount.
var changes = map[identity.Alert]locale.Texts{
	identity.AlertKey:       {ZH: "新建了访问密钥", EN: "an access key was made"},
	identity.AlertPassword:  {ZH: "密码已更改", EN: "the password was changed"},
	identity.AlertFactorOn:  {ZH: "已启用第二因素验证", EN: "a second factor was set up"},
	identity.AlertFactorOff: {ZH: "第二因素验证已移除", EN: "the second factor was removed"},
}

// alertsDay is how many alerts a number gets as text messages in 24 hours: they cost
// money, and who makes changes by turns is not told any more by the sixth.
const alertsDay = 5

// alert readies what a user is told of a change of what he comes in with: a mail, or
// a text message when he has no address; nothing when he has neither, or the
// installation cannot send.
func (s *Service) alert(ctx context.Context, who principal.Principal, u identity.User, a identity.Alert) (func(tx *db.Tx) error, error) {
	m := Message{Domain: u.Domain, Person: u.ID, Way: Mail, To: u.Mail, Template: TemplateAccount, Language: u.Language}
	if u.Mail == "" {
		m.Way, m.To = SMS, u.Mobile
	}
	if m.To == "" {
		return nil, nil
	}
	if m.Language == "" {
		m.Language = locale.ZH
	}
	address := who.Address
	if address == "" {
		address = locale.Texts{ZH: "未知地址", EN: "an unknown address"}.In(m.Language)
	}
	zone := locale.Parse("", u.Zone, "").Zone
	m.Values = map[string]string{"change": changes[a].In(m.Language), "time": s.db.Now().In(zone).Format("2006-01-02 15:04 -0700"), "address": address}
	ready, err := s.Prepare(ctx, m)
	if errors.Is(err, ErrNoChannel) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return func(tx *db.Tx) error {
		if m.Way == SMS {
			var n int
			err := tx.Get("SELECT count(*) FROM notify_messages WHERE recipient_hash = ? AND domain_id = ? AND template = ? AND created_at > ?",
				ready.hash, m.Domain, m.Template, tx.Now-24*3600*1000).Scan(&n)
			if err != nil || n >= alertsDay {
				return err
			}
		}
		s.Queue(tx, ready)
		return nil
	}, nil
}
