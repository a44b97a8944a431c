// Package webhook tells other systems what happened. A webhook follows the
// sealed history by its numbers: in order, each event at least once, at its own
// pace, from any point again. It owns the list of webhooks and the log of what
// was sent to them.
//
// Events hold references and small values only, so nothing secret leaves; what
// a receiver wants to know more, it asks the API for.
package webhook

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/guard"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Limits of a webhook.
const (
	maxURL   = 2048
	maxAbout = 200
	maxKinds = 50
	maxHooks = 100

	// OldSecretLives is how long a replaced secret still signs beside the new one.
	OldSecretLives = 24 * time.Hour
	// GiveUp is how long one event is tried before the webhook is switched off
	// (threats.md D13).
	GiveUp = 24 * time.Hour
	// logAge is how long deliveries stay in the log.
	logAge = 30 * 24 * time.Hour
)

// Faults of this package.
var (
	ErrNoHook = fault.New(fault.NotFound, fault.CodeInvalid, "Webhook 不存在", "the webhook does not exist")
	ErrOff    = fault.New(fault.Conflict, fault.CodeNoPermission, "Webhook 已停用", "the webhook is switched off")
	errURL    = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须为不含用户名的 https 地址（http 仅限配置中允许的网段）", "{field} must be an https address without a user name (http only into ranges that the configuration allows)").In("url")
	errKind   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 中的事件类型无效：{kind}；类型如 ticket.create 或 ticket.*，首词为：{known}",
		"{field} holds {kind}, which is no kind of event; kinds are such as ticket.create or ticket.*, and begin with: {known}").In("kinds").With("known", fault.List(event.Families))
	errTooMany  = fault.New(fault.Conflict, fault.CodeInvalid, "最多可配置 {max} 个 Webhook", "at most {max} webhooks can be set up").With("max", maxHooks)
	errNoDomain = fault.New(fault.NotFound, fault.CodeInvalid, "账号不存在", "the account does not exist").In("domain_id")
)

// Hook is a receiver as stored, its secrets aside.
type Hook struct {
	ID, URL, About string
	Domain         string   // only this domain's events, "" = all
	Kinds          []string // kinds, or beginnings such as ticket.*; empty = all
	Off            bool
	Cause          string // why it is off
	Passed         int64  // number of the last event that is done with: of the domain, or over all
	Tries          int    // failed tries of the event behind it
	FailingSince   int64  // milliseconds UTC, 0 = it is not
	NextAt         int64  // no try before
	OldUntil       int64  // until when the replaced secret signs too, 0 = there is none
	Created        int64
}

// NewHook is what Create needs.
type NewHook struct {
	URL, About, Domain string
	Kinds              []string
	// After is the number to begin behind; negative = from now on.
	After int64
}

// Change is what Update changes; nil leaves a value.
type Change struct {
	URL, About *string
	Kinds      *[]string
	Off        *bool
}

// Service is the noun.
type Service struct {
	db     *db.DB
	keys   *seal.Keyring
	client *http.Client
	clear  bool // http may be tried: the guard decides by address
	log    *slog.Logger
}

// New makes the service. It fails when a range of the configuration is none.
func New(d *db.DB, keys *seal.Keyring, c config.Webhooks, log *slog.Logger) (*Service, error) {
	walls, err := guard.New(c.Allow)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.Default()
	}
	return &Service{db: d, keys: keys, client: walls.Client(), clear: len(c.Allow) > 0, log: log}, nil
}

func mayAdminister(who principal.Principal) error {
	if !who.Admin() {
		return fault.NoPermission
	}
	return nil
}

// mayInspect is for who administers, and for auditors.
func mayInspect(who principal.Principal) error {
	if !who.Inspects() {
		return fault.NoPermission
	}
	return nil
}

var kindForm = regexp.MustCompile(`^([a-z]+(\.[a-z_]+)*(\.\*)?|\*)$`)

func (s *Service) check(raw, about string, kinds []string) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return fault.Missing.In("url")
	case len(raw) > maxURL:
		return fault.TooLong.In("url").With("max", maxURL)
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "https" && (u.Scheme != "http" || !s.clear):
		return errURL
	case utf8.RuneCountInString(about) > maxAbout:
		return fault.TooLong.In("about").With("max", maxAbout)
	case len(kinds) > maxKinds:
		return fault.TooManyItems.In("kinds").With("max", maxKinds)
	}
	for _, k := range kinds {
		family, _, whole := strings.Cut(k, ".")
		if len(k) > 64 || !kindForm.MatchString(k) || k != "*" && !(whole && slices.Contains(event.Families, family)) {
			return errKind.With("kind", k)
		}
	}
	return nil
}

// wants tells whether a kind of event is asked for.
func wants(kinds []string, kind string) bool {
	if len(kinds) == 0 {
		return true
	}
	return slices.ContainsFunc(kinds, func(k string) bool {
		begin, many := strings.CutSuffix(k, "*")
		return k == kind || many && strings.HasPrefix(kind, begin)
	})
}

func place(id, column string) seal.Place {
	return seal.Place{Table: "webhooks", Column: column, Row: id}
}

// secretPrefix is how receivers' libraries know a secret (Standard Webhooks).
const secretPrefix = "whsec_"

// newSecret is 32 random bytes in the form receivers' libraries take.
func (s *Service) newSecret() string {
	return secretPrefix + base64.StdEncoding.EncodeToString(s.db.Random(32))
}

// made is what the transaction of Create and Rotate leaves for a repeat.
type made struct {
	Hook   Hook
	Secret string
}

// Create adds a webhook and answers its secret, which is not shown again.
// Administrators only. It fails with OSM.01010001 naming url, about, kinds or
// domain_id.
func (s *Service) Create(ctx context.Context, who principal.Principal, in NewHook) (Hook, string, error) {
	if err := mayAdminister(who); err != nil {
		return Hook{}, "", err
	}
	if err := s.check(in.URL, in.About, in.Kinds); err != nil {
		return Hook{}, "", err
	}
	secret, id := s.newSecret(), s.db.NewID()
	sealed, err := s.keys.Seal(place(id, "secret"), []byte(secret))
	if err != nil {
		return Hook{}, "", err
	}
	kinds, err := json.Marshal(append([]string{}, in.Kinds...))
	if err != nil {
		return Hook{}, "", err
	}
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (made, error) {
		var n, domains int
		if err := tx.Get("SELECT count(*) FROM webhooks").Scan(&n); err != nil {
			return made{}, err
		}
		if n >= maxHooks {
			return made{}, errTooMany
		}
		if in.Domain != "" {
			if err := tx.Get("SELECT count(*) FROM domains WHERE id = ?", in.Domain).Scan(&domains); err != nil {
				return made{}, err
			}
			if domains == 0 {
				return made{}, errNoDomain
			}
		}
		passed := in.After
		if passed < 0 {
			var err error
			if passed, err = event.Head(tx, in.Domain); err != nil {
				return made{}, err
			}
		}
		h := Hook{ID: id, URL: in.URL, About: in.About, Domain: in.Domain, Kinds: in.Kinds, Passed: passed, Created: tx.Now}
		tx.Write(1, `INSERT INTO webhooks (id, url, about, only_domain, kinds, secret, old_secret, old_until, state, cause, passed, tries, failing_since, next_at, created_at, changed_at)
			VALUES (?, ?, ?, ?, ?, ?, '', 0, 'on', '', ?, 0, 0, 0, ?, ?)`, h.ID, h.URL, h.About, h.Domain, string(kinds), sealed, h.Passed, tx.Now, tx.Now)
		record(tx, who, "webhook.create", h.ID, map[string]any{"domain": h.Domain, "kinds": in.Kinds})
		return made{h, secret}, nil
	})
	return out.Hook, out.Secret, err
}

func record(tx *db.Tx, who principal.Principal, kind, id string, data any) {
	event.Record(tx, who, event.Event{Kind: kind, Subject: "webhook", SubjectID: id, LogCode: event.NoLog, Data: data})
}

const columns = "id, url, about, only_domain, kinds, old_until, state, cause, passed, tries, failing_since, next_at, created_at"

func scan(r db.Row) (h Hook, err error) {
	var kinds, state string
	err = r.Scan(&h.ID, &h.URL, &h.About, &h.Domain, &kinds, &h.OldUntil, &state, &h.Cause, &h.Passed, &h.Tries, &h.FailingSince, &h.NextAt, &h.Created)
	if errors.Is(err, db.ErrNone) {
		return h, ErrNoHook
	}
	if err != nil {
		return h, err
	}
	h.Off = state != "on"
	return h, json.Unmarshal([]byte(kinds), &h.Kinds)
}

func hookIn(tx *db.Tx, id string) (Hook, error) {
	return scan(tx.Get("SELECT "+columns+" FROM webhooks WHERE id = ?", id))
}

// List is all webhooks, oldest first. Administrators only.
func (s *Service) List(ctx context.Context, who principal.Principal) (all []Hook, err error) {
	if err := mayInspect(who); err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			h, err := scan(r)
			all = append(all, h)
			return err
		}, "SELECT "+columns+" FROM webhooks ORDER BY id")
	})
	return all, err
}

// Show reads a webhook. It fails with ErrNoHook.
func (s *Service) Show(ctx context.Context, who principal.Principal, id string) (h Hook, err error) {
	if err := mayInspect(who); err != nil {
		return h, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { h, err = hookIn(tx, id); return err })
	return h, err
}

// Update changes a webhook. Switching it on again forgets its failures and goes
// on behind the last event it took, so that it misses nothing.
func (s *Service) Update(ctx context.Context, who principal.Principal, id string, c Change) (h Hook, err error) {
	if err := mayAdminister(who); err != nil {
		return h, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Hook, error) {
		h, err := hookIn(tx, id)
		if err != nil {
			return h, err
		}
		if c.URL != nil {
			h.URL = *c.URL
		}
		if c.About != nil {
			h.About = *c.About
		}
		if c.Kinds != nil {
			h.Kinds = *c.Kinds
		}
		if err := s.check(h.URL, h.About, h.Kinds); err != nil {
			return h, err
		}
		if c.Off != nil && *c.Off != h.Off {
			h.Off, h.Cause = *c.Off, ""
			h.Tries, h.FailingSince, h.NextAt = 0, 0, 0
		}
		kinds, err := json.Marshal(append([]string{}, h.Kinds...))
		if err != nil {
			return h, err
		}
		tx.Write(1, "UPDATE webhooks SET url = ?, about = ?, kinds = ?, state = ?, cause = ?, tries = ?, failing_since = ?, next_at = ?, changed_at = ? WHERE id = ?",
			h.URL, h.About, string(kinds), stateOf(h.Off), h.Cause, h.Tries, h.FailingSince, h.NextAt, tx.Now, id)
		record(tx, who, "webhook.update", id, map[string]any{"off": h.Off, "kinds": h.Kinds})
		return h, nil
	})
}

// Delete removes a webhook with its log.
func (s *Service) Delete(ctx context.Context, who principal.Principal, id string) error {
	if err := mayAdminister(who); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		if _, err := hookIn(tx, id); err != nil {
			return err
		}
		DropIn(tx, who, id)
		return nil
	})
}

// Rotate makes a new secret and answers it; the one before signs beside it for
// OldSecretLives, so that the receiver can change over.
func (s *Service) Rotate(ctx context.Context, who principal.Principal, id string) (Hook, string, error) {
	if err := mayAdminister(who); err != nil {
		return Hook{}, "", err
	}
	old, _, err := s.secrets(ctx, id)
	if err != nil {
		return Hook{}, "", err
	}
	secret := s.newSecret()
	sealed, err := s.keys.Seal(place(id, "secret"), []byte(secret))
	if err != nil {
		return Hook{}, "", err
	}
	sealedOld, err := s.keys.Seal(place(id, "old_secret"), []byte(old))
	if err != nil {
		return Hook{}, "", err
	}
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (made, error) {
		h, err := hookIn(tx, id)
		if err != nil {
			return made{}, err
		}
		h.OldUntil = tx.Now + OldSecretLives.Milliseconds()
		tx.Write(1, "UPDATE webhooks SET secret = ?, old_secret = ?, old_until = ?, changed_at = ? WHERE id = ?", sealed, sealedOld, h.OldUntil, tx.Now, id)
		record(tx, who, "webhook.rotate", id, nil)
		return made{h, secret}, nil
	})
	return out.Hook, out.Secret, err
}

// Replay makes the webhook go on behind a number: 0 sends all of the history
// again. Delivery ids stay the same, so a receiver that keeps them sees no
// event twice.
func (s *Service) Replay(ctx context.Context, who principal.Principal, id string, after int64) (Hook, error) {
	if err := mayAdminister(who); err != nil {
		return Hook{}, err
	}
	if after < 0 {
		return Hook{}, fault.OutOfRange.In("after").With("min", 0).With("max", int64(1)<<53)
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Hook, error) {
		h, err := hookIn(tx, id)
		if err != nil {
			return h, err
		}
		head, err := event.Head(tx, h.Domain)
		if err != nil {
			return h, err
		}
		from := h.Passed
		h.Passed, h.Tries, h.FailingSince, h.NextAt = min(after, head), 0, 0, 0
		tx.Write(1, "UPDATE webhooks SET passed = ?, tries = 0, failing_since = 0, next_at = 0, changed_at = ? WHERE id = ?", h.Passed, tx.Now, id)
		record(tx, who, "webhook.replay", id, map[string]any{"from": from, "to": h.Passed})
		return h, nil
	})
}

// secrets opens the live secret, and the one before while it lives.
func (s *Service) secrets(ctx context.Context, id string) (now, before string, err error) {
	var sealed, old string
	var until, at int64
	err = s.db.View(ctx, func(tx *db.Tx) error {
		at = tx.Now
		return tx.Get("SELECT secret, old_secret, old_until FROM webhooks WHERE id = ?", id).Scan(&sealed, &old, &until)
	})
	if errors.Is(err, db.ErrNone) {
		return "", "", ErrNoHook
	}
	if err != nil {
		return "", "", err
	}
	plain, err := s.keys.Open(place(id, "secret"), sealed)
	if err != nil {
		return "", "", err
	}
	if old != "" && until > at {
		b, err := s.keys.Open(place(id, "old_secret"), old)
		return string(plain), string(b), err
	}
	return string(plain), "", nil
}
