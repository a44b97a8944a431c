package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Kinds of notices people of the house can get.
const (
	KindAssigned   = "assigned"   // a ticket was given to me
	KindReplied    = "replied"    // the customer replied to my ticket
	KindUrged      = "urged"      // the customer urges it
	KindNew        = "created"    // a ticket is new
	KindAuthorized = "authorized" // the customer answered a request for an authorization
	KindWarned     = "warned"     // a target of my ticket is nearly used up
	KindEscalated  = "escalated"  // a target comes to the share supervisors are told of
	KindBreached   = "breached"   // a target is missed: to the handler and supervisors

	KindMentioned = "mentioned" // a colleague named me in a note
	KindFollowed  = "followed"  // something happened to a ticket I follow
	KindWoken     = "woken"     // my snoozed ticket woke
	KindWithheld  = "withheld"  // a message I wanted to send later was not sent
	KindAsked     = "asked"     // a colleague's macro or a rule asks me to look at a ticket
	KindRule      = "rule"      // a rule was switched off because it went in circles

	// KindDigest stands for all of them in links of daily mails.
	KindDigest = "digest"
)

// kinds are the notices with their template and whether they come by default.
var kinds = map[string]struct {
	template string
	on       bool
	name     locale.Texts
}{
	KindAssigned:   {TemplateAssigned, true, locale.Texts{ZH: "已分派给您", EN: "assigned to you"}},
	KindReplied:    {TemplateReplied, true, locale.Texts{ZH: "客户回复", EN: "customer replied"}},
	KindUrged:      {TemplateUrged, true, locale.Texts{ZH: "客户催单", EN: "urged"}},
	KindNew:        {TemplateNew, false, locale.Texts{ZH: "新工单", EN: "new"}},
	KindAuthorized: {TemplateAuthorized, true, locale.Texts{ZH: "授权已答复", EN: "authorization answered"}},
	KindWarned:     {TemplateWarned, true, locale.Texts{ZH: "即将超时", EN: "nearly due"}},
	KindEscalated:  {TemplateEscalated, true, locale.Texts{ZH: "升级提醒", EN: "escalated"}},
	KindBreached:   {TemplateBreached, true, locale.Texts{ZH: "已超时", EN: "overdue"}},
	KindMentioned:  {TemplateMentioned, true, locale.Texts{ZH: "备注提到您", EN: "a note names you"}},
	KindFollowed:   {TemplateFollowed, true, locale.Texts{ZH: "关注的工单有更新", EN: "changed, followed by you"}},
	KindWoken:      {TemplateWoken, true, locale.Texts{ZH: "延后到期", EN: "woke"}},
	KindWithheld:   {TemplateWithheld, true, locale.Texts{ZH: "消息未发送", EN: "message not sent"}},
	KindAsked:      {TemplateAsked, true, locale.Texts{ZH: "请您关注", EN: "please look"}},
	KindRule:       {TemplateRule, true, locale.Texts{ZH: "自动规则已停用", EN: "a rule was switched off"}},
}

// Faults of preferences.
var (
	errWholeDay = fault.New(fault.Invalid, fault.CodeInvalid, "免打扰时段不能为一整天，请改为关闭通知", "quiet hours cannot be the whole day: switch the notices off instead").In("quiet_hours")
	errZone     = fault.New(fault.Invalid, fault.CodeInvalid, "时区无效：{zone}", "there is no such zone: {zone}").In("zone")
)

// Preferences are what a person of the house wants to be told by mail.
type Preferences struct {
	Kinds      map[string]bool // a kind that is missing gets its default
	QuietHours string          // HH:mm-HH:mm in the zone, may cross midnight; "" = none
	Digest     string          // HH:mm in the zone: one mail a day for all; "" = each its own
	Zone       string          // GMT+8, Europe/Paris; "" = the person's
}

func (p Preferences) wants(kind string) bool {
	if on, ok := p.Kinds[kind]; ok {
		return on
	}
	return kinds[kind].on
}

// whole is the preferences with every kind named.
func (p Preferences) whole() Preferences {
	all := map[string]bool{}
	for kind := range kinds {
		all[kind] = p.wants(kind)
	}
	p.Kinds = all
	return p
}

func (p Preferences) check() error {
	for kind := range p.Kinds {
		if _, ok := kinds[kind]; !ok {
			return fault.Unknown.In(kind)
		}
	}
	if p.QuietHours != "" {
		r, ok := locale.ParseRange(p.QuietHours)
		if !ok {
			return fault.BadFormat.In("quiet_hours").With("form", "HH:mm-HH:mm")
		}
		if r.From == r.To {
			return errWholeDay
		}
	}
	if _, ok := locale.Minute(p.Digest); p.Digest != "" && !ok {
		return fault.BadFormat.In("digest").With("form", "HH:mm")
	}
	if _, err := locale.ParseZone(p.Zone); p.Zone != "" && err != nil {
		return errZone.With("zone", oneLine(p.Zone))
	}
	return nil
}

// opens is when a mail may leave that is made now, milliseconds UTC; 0 = at once.
func (p Preferences) opens(now time.Time, zone *time.Location) int64 {
	r, ok := locale.ParseRange(p.QuietHours)
	if !ok || !r.Holds(now, zone) {
		return 0
	}
	return locale.NextMinute(now, zone, r.To).UnixMilli()
}

// mayPrefer tells who has preferences: people of the house, each his own.
func mayPrefer(who principal.Principal) error {
	if who.Kind != principal.Engineer || who.Domain != principal.House || who.User == "" {
		return fault.NoPermission
	}
	return nil
}

// Preferences are the caller's, defaults filled in.
func (s *Service) Preferences(ctx context.Context, who principal.Principal) (p Preferences, err error) {
	if err := mayPrefer(who); err != nil {
		return p, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { p, err = preferencesIn(tx, who.User); return err })
	return p.whole(), err
}

func preferencesIn(tx *db.Tx, user string) (p Preferences, err error) {
	var text string
	err = tx.Get("SELECT kinds, quiet_hours, digest, zone FROM notify_preferences WHERE user_id = ?", user).Scan(&text, &p.QuietHours, &p.Digest, &p.Zone)
	if errors.Is(err, db.ErrNone) {
		return Preferences{}, nil
	}
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal([]byte(text), &p.Kinds)
}

// SetPreferences replaces the caller's preferences and answers them with
// defaults filled in. Failures: OSM.01010001 naming the field. What waits for a
// daily mail already still comes with it.
func (s *Service) SetPreferences(ctx context.Context, who principal.Principal, p Preferences) (Preferences, error) {
	if err := mayPrefer(who); err != nil {
		return p, err
	}
	if err := p.check(); err != nil {
		return p, err
	}
	p = p.whole()
	err := s.db.Update(ctx, func(tx *db.Tx) error { return write(tx, who, p) })
	return p, err
}

func write(tx *db.Tx, who principal.Principal, p Preferences) error {
	text, err := json.Marshal(p.Kinds)
	if err != nil {
		return err
	}
	tx.Write(1, `INSERT INTO notify_preferences (user_id, kinds, wants_new, quiet_hours, digest, zone, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (user_id) DO UPDATE SET kinds = excluded.kinds, wants_new = excluded.wants_new, quiet_hours = excluded.quiet_hours, digest = excluded.digest, zone = excluded.zone, changed_at = excluded.changed_at`,
		who.User, string(text), number(p.wants(KindNew)), p.QuietHours, p.Digest, p.Zone, tx.Now)
	event.Record(tx, who, event.Event{Kind: "user.preferences", Subject: "user", SubjectID: who.User, LogCode: event.NoLog,
		Data: map[string]any{"kinds": p.Kinds, "quiet_hours": p.QuietHours, "digest": p.Digest, "zone": p.Zone}})
	return nil
}

// switchOff ends one kind of notice of the caller's; KindDigest the daily mail
// with all that would be in it.
func (s *Service) switchOff(ctx context.Context, who principal.Principal, kind string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Lock(principal.House, "notify.preferences."+who.User)
		p, err := preferencesIn(tx, who.User)
		if err != nil {
			return err
		}
		before := p.whole()
		p = p.whole()
		if kind == KindDigest {
			p.Digest = ""
			for k := range p.Kinds {
				p.Kinds[k] = false
			}
		} else if _, ok := kinds[kind]; ok {
			p.Kinds[kind] = false
		}
		if maps.Equal(before.Kinds, p.Kinds) && before.Digest == p.Digest {
			return nil
		}
		return write(tx, who, p)
	})
}

// Subscribed are the people who want to know of every new ticket, at most 1,000.
func (s *Service) Subscribed(ctx context.Context) (users []string, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		users = nil
		return tx.List(func(r db.Row) error {
			var u string
			err := r.Scan(&u)
			users = append(users, u)
			return err
		}, "SELECT user_id FROM notify_preferences WHERE wants_new = 1 ORDER BY user_id LIMIT 1000")
	})
	return users, err
}

// preferencesOf reads those of several people at once.
func (s *Service) preferencesOf(ctx context.Context, users []string) (map[string]Preferences, error) {
	all := map[string]Preferences{}
	err := s.db.View(ctx, func(tx *db.Tx) error {
		clear(all)
		for some := range slices.Chunk(users, 500) {
			args := make([]any, len(some))
			for i, u := range some {
				args[i] = u
			}
			err := tx.List(func(r db.Row) error {
				var user, text string
				var p Preferences
				if err := r.Scan(&user, &text, &p.QuietHours, &p.Digest, &p.Zone); err != nil {
					return err
				}
				if err := json.Unmarshal([]byte(text), &p.Kinds); err != nil {
					return fmt.Errorf("preferences of %s: %w", user, err)
				}
				all[user] = p
				return nil
			}, "SELECT user_id, kinds, quiet_hours, digest, zone FROM notify_preferences WHERE user_id IN (?"+repeat(len(some)-1)+")", args...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}
