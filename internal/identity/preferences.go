package identity

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Limits of preferences.
const (
	maxKeyNames  = 100
	maxKeyName   = 32
	maxViews     = 20
	maxSearches  = 50
	maxViewName  = 64
	maxViewQuery = 500
	maxColumns   = 20
	maxColumn    = 32
)

// Notices a user can switch off for his own tickets. A notice of no kind always
// goes.
const (
	NoticeCreated    = "created"
	NoticeReplied    = "replied"
	NoticeAsked      = "asked"
	NoticeResolved   = "resolved"
	NoticeClosing    = "closing"
	NoticeAuthorized = "authorized"
	NoticeSurveyed   = "surveyed"
)

// Notices are all kinds, in the order of a ticket's life.
var Notices = []string{NoticeCreated, NoticeReplied, NoticeAsked, NoticeResolved, NoticeClosing, NoticeAuthorized, NoticeSurveyed}

var errKeyTwice = fault.New(fault.Invalid, fault.CodeInvalid, "快捷键 {key} 被用了两次", "the key {key} is used twice").In("keys")

// View is a saved filter of the ticket list.
type View struct {
	Name  string `json:"name"`
	Query string `json:"query"` // as in the page's address
}

// Preferences are what a user chose for all his browsers. A nil part was never
// chosen; in a change it stays as it is.
type Preferences struct {
	Language *locale.Language  `json:"-"`
	Zone     *string           `json:"-"`
	Theme    *string           `json:"theme,omitempty"` // system, light, dark
	Single   *bool             `json:"single_keys,omitempty"`
	Keys     map[string]string `json:"keys"` // a shortcut's own key to the one it has now
	Notices  map[string]bool   `json:"-"`
	Views    []View            `json:"views"`
	Columns  []string          `json:"columns"`
	Searches []View            `json:"searches,omitempty"` // of the desk: what was typed, by name
}

func (p Preferences) check() error {
	if l := p.Language; l != nil && *l != locale.ZH && *l != locale.EN {
		return fault.Unknown.In("language")
	}
	if p.Zone != nil {
		if _, err := locale.ParseZone(*p.Zone); err != nil {
			return ErrZone.In("time_zone")
		}
	}
	if t := p.Theme; t != nil && *t != "system" && *t != "light" && *t != "dark" {
		return fault.Unknown.In("theme")
	}
	if len(p.Keys) > maxKeyNames {
		return fault.TooManyItems.In("keys").With("max", maxKeyNames)
	}
	used := map[string]bool{}
	for own, now := range p.Keys {
		if own == "" || now == "" || utf8.RuneCountInString(own) > maxKeyName || utf8.RuneCountInString(now) > maxKeyName {
			return fault.Unknown.In("keys")
		}
		if used[now] {
			return errKeyTwice.With("key", now)
		}
		used[now] = true
	}
	for kind := range p.Notices {
		if !slices.Contains(Notices, kind) {
			return fault.Unknown.In("notices." + kind)
		}
	}
	if err := checkViews("views", p.Views, maxViews); err != nil {
		return err
	}
	if err := checkViews("searches", p.Searches, maxSearches); err != nil {
		return err
	}
	if len(p.Columns) > maxColumns {
		return fault.TooManyItems.In("columns").With("max", maxColumns)
	}
	for _, c := range p.Columns {
		if c == "" || utf8.RuneCountInString(c) > maxColumn {
			return fault.Unknown.In("columns")
		}
	}
	return nil
}

// checkViews holds saved filters against their limits; no two have one name,
// whatever the case.
func checkViews(field string, all []View, most int) error {
	if len(all) > most {
		return fault.TooManyItems.In(field).With("max", most)
	}
	names := map[string]bool{}
	for _, v := range all {
		name := strings.ToLower(strings.TrimSpace(v.Name))
		switch {
		case name == "":
			return fault.Missing.In(field + ".name")
		case utf8.RuneCountInString(v.Name) > maxViewName:
			return fault.TooLong.In(field+".name").With("max", maxViewName)
		case utf8.RuneCountInString(v.Query) > maxViewQuery:
			return fault.TooLong.In(field+".query").With("max", maxViewQuery)
		case names[name]:
			return ErrNameTaken.With("name", v.Name).In(field + ".name")
		}
		names[name] = true
	}
	return nil
}

// put is the change done to what was chosen before, and the names of what it
// sets: for the record, never what to.
func (p Preferences) put(before Preferences) (after Preferences, fields []string) {
	after = before
	set := func(name string, is bool, do func()) {
		if is {
			fields = append(fields, name)
			do()
		}
	}
	set("language", p.Language != nil, func() { after.Language = p.Language })
	set("time_zone", p.Zone != nil, func() { after.Zone = p.Zone })
	set("theme", p.Theme != nil, func() { after.Theme = p.Theme })
	set("single_keys", p.Single != nil, func() { after.Single = p.Single })
	set("keys", p.Keys != nil, func() { after.Keys = p.Keys })
	set("notices", p.Notices != nil, func() {
		after.Notices = maps.Clone(before.Notices)
		if after.Notices == nil {
			after.Notices = map[string]bool{}
		}
		maps.Copy(after.Notices, p.Notices)
	})
	set("views", p.Views != nil, func() { after.Views = p.Views })
	set("columns", p.Columns != nil, func() { after.Columns = p.Columns })
	set("searches", p.Searches != nil, func() { after.Searches = p.Searches })
	return after, fields
}

func preferencesPlace(user string) seal.Place {
	return seal.Place{Table: "user_preferences", Column: "chosen", Row: user}
}

// chosenRow is a row as it is stored; "" = there is none.
type chosenRow struct{ chosen, notices string }

func readChosen(tx *db.Tx, domain, user string) (c chosenRow, err error) {
	err = tx.Get("SELECT chosen, notices FROM user_preferences WHERE domain_id = ? AND user_id = ?", domain, user).Scan(&c.chosen, &c.notices)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return c, err
}

// opened are the preferences of a stored row and the user's own.
func (c chosenRow) opened(p *seal.Person, u User) (out Preferences, err error) {
	if c.chosen != "" {
		text, err := p.Open(preferencesPlace(u.ID), c.chosen)
		if err != nil {
			return out, err
		}
		if err := errors.Join(json.Unmarshal([]byte(text), &out), json.Unmarshal([]byte(c.notices), &out.Notices)); err != nil {
			return out, err
		}
	}
	if u.Language != "" {
		out.Language = &u.Language
	}
	if u.Zone != "" {
		out.Zone = &u.Zone
	}
	return out, nil
}

// Preferences are the caller's.
func (s *Service) Preferences(ctx context.Context, who principal.Principal) (Preferences, error) {
	u, _, _, _, err := s.self(ctx, who)
	if err != nil {
		return Preferences{}, err
	}
	var c chosenRow
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) { c, err = readChosen(tx, u.Domain, u.ID); return err }); err != nil {
		return Preferences{}, err
	}
	p, err := s.keys.Person(ctx, u.ID)
	if err != nil {
		return Preferences{}, err
	}
	return c.opened(p, u)
}

// ChangePreferences sets what is given of the caller's preferences and answers
// all of them. Of two changes at once the later one is tried again on what the
// earlier left. Failures: OSM.01010001 naming the field (unknown, too long or
// too many, a key or a view's name twice).
func (s *Service) ChangePreferences(ctx context.Context, who principal.Principal, change Preferences) (Preferences, error) {
	if err := change.check(); err != nil {
		return Preferences{}, err
	}
	u, _, _, _, err := s.self(ctx, who)
	if err != nil {
		return Preferences{}, err
	}
	p, err := s.keys.Person(ctx, u.ID)
	if err != nil {
		return Preferences{}, err
	}
	for range 5 {
		var before chosenRow
		if err := s.db.View(ctx, func(tx *db.Tx) (err error) { before, err = readChosen(tx, u.Domain, u.ID); return err }); err != nil {
			return Preferences{}, err
		}
		was, err := before.opened(p, u)
		if err != nil {
			return Preferences{}, err
		}
		after, fields := change.put(was)
		if len(fields) == 0 {
			return was, nil
		}
		text, err := json.Marshal(after)
		if err != nil {
			return Preferences{}, err
		}
		notices, err := json.Marshal(after.Notices)
		if err != nil {
			return Preferences{}, err
		}
		sealed, err := p.Seal(preferencesPlace(u.ID), string(text))
		if err != nil {
			return Preferences{}, err
		}
		stale := false
		err = s.db.Update(ctx, func(tx *db.Tx) error {
			tx.Lock(u.Domain, "preferences "+u.ID)
			now, err := readChosen(tx, u.Domain, u.ID)
			if err != nil {
				return err
			}
			if stale = now != before; stale {
				return nil
			}
			tx.Write(1, `INSERT INTO user_preferences (domain_id, user_id, chosen, notices, changed_at) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (domain_id, user_id) DO UPDATE SET chosen = excluded.chosen, notices = excluded.notices, changed_at = excluded.changed_at`,
				u.Domain, u.ID, sealed, string(notices), tx.Now)
			if change.Language != nil {
				tx.Write(1, "UPDATE users SET language = ? WHERE domain_id = ? AND id = ?", string(*change.Language), u.Domain, u.ID)
			}
			if change.Zone != nil {
				tx.Write(1, "UPDATE users SET zone = ? WHERE domain_id = ? AND id = ?", *change.Zone, u.Domain, u.ID)
			}
			event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.preferences", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"fields": fields}})
			return nil
		})
		if err != nil || !stale {
			s.cache.forget()
			return after, err
		}
	}
	return Preferences{}, fault.Busy
}

// Wants tells whether a user wants notices of a kind for his own tickets; who
// never chose, and whoever is not there any more, does. As of a second ago at most.
func (s *Service) Wants(ctx context.Context, domain, user, kind string) (bool, error) {
	key := domain + "/" + user
	all, ok := s.cache.notices.get(key)
	if !ok {
		generation := s.cache.notices.generation()
		var c chosenRow
		if err := s.db.View(ctx, func(tx *db.Tx) (err error) { c, err = readChosen(tx, domain, user); return err }); err != nil {
			return true, err
		}
		if c.notices != "" {
			if err := json.Unmarshal([]byte(c.notices), &all); err != nil {
				return true, err
			}
		}
		s.cache.notices.put(key, all, generation)
	}
	on, chosen := all[kind]
	return on || !chosen, nil
}
