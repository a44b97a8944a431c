package notify

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// catcher is the channel of a demo world and of sandboxes: it holds what would
// have left, sealed, for administrators to look at (threats.md A14).
type catcher struct{ s *Service }

func (c *catcher) Name() string { return "catcher" }

// caught is what is sealed of a caught message.
type caught struct {
	To, Subject, Text, Code string
}

// Send keeps the message; keeping it twice is keeping it once.
func (c *catcher) Send(ctx context.Context, m Outgoing) (string, error) {
	plain, err := json.Marshal(caught{m.To, m.Subject, m.Text, m.Code})
	if err != nil {
		return "", err
	}
	key, err := c.s.cipher(ctx, m.Person)
	if err != nil {
		return "", err
	}
	sealed, err := key.seal(caughtPlace(m.ID), string(plain))
	if err != nil {
		return "", err
	}
	return "", c.s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, `INSERT INTO notify_caught (domain_id, id, person, channel, recipient_hash, template, content, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain_id, id) DO NOTHING`,
			m.Domain, m.ID, m.Person, string(m.Way), c.s.hash(m.Way, m.To), m.Template, sealed, m.At)
		return nil
	})
}

func caughtPlace(id string) seal.Place {
	return seal.Place{Table: "notify_caught", Column: "content", Row: id}
}

// Caught is a message the catcher holds.
type Caught struct {
	ID, Domain          string
	Way                 Way
	To, Subject, Text   string
	Code                string
	Template            string
	At                  int64 // milliseconds UTC
	person, sealedValue string
}

// CaughtFilter narrows Caught.
type CaughtFilter struct {
	Domain string // "" = all
	To     string // contact in any spelling; "" = all
	Limit  int    // 1..100; 0 = 20
}

// contact normalises what an administrator typed: an address if it has an @,
// else a phone number (without a calling code a Chinese one).
func contact(to string) (Way, string, error) {
	if strings.Contains(to, "@") {
		c, err := identity.NormalMail(to)
		return Mail, c, rename(err)
	}
	c, err := identity.NormalMobile("", to)
	return SMS, c, rename(err)
}

// rename names the parameter as this package's callers do.
func rename(err error) error {
	if f, ok := fault.As(err); ok {
		return f.In("to")
	}
	return err
}

// Caught lists caught messages, newest first. Administrators and the operator
// on the machine only; ErrCatcherOff when there is no catcher and nothing was
// caught.
func (s *Service) Caught(ctx context.Context, who principal.Principal, f CaughtFilter) ([]Caught, error) {
	if !who.Admin() {
		return nil, fault.NoPermission
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 20
	}
	limit = min(limit, 100)
	cond, args := "1 = 1", []any{}
	if f.To != "" {
		way, to, err := contact(f.To)
		if err != nil {
			return nil, err
		}
		cond, args = cond+" AND recipient_hash = ?", append(args, s.hash(way, to))
	}
	if f.Domain != "" {
		cond, args = cond+" AND domain_id = ?", append(args, f.Domain)
	}
	sql := "SELECT domain_id, id, person, channel, template, content, created_at FROM notify_caught /* all domains: what the catcher holds */ WHERE " + cond + " ORDER BY id DESC LIMIT ?"
	args = append(args, limit)
	var all []Caught
	var held int
	err := s.db.View(ctx, func(tx *db.Tx) error {
		err := tx.List(func(r db.Row) error {
			var c Caught
			var way string
			err := r.Scan(&c.Domain, &c.ID, &c.person, &way, &c.Template, &c.sealedValue, &c.At)
			c.Way = Way(way)
			all = append(all, c)
			return err
		}, sql, args...)
		if err != nil || s.o.Catch || len(all) > 0 {
			return err
		}
		return tx.Get("SELECT count(*) FROM (SELECT 1 FROM notify_caught /* all domains: is anything caught */ LIMIT 1) AS c").Scan(&held)
	})
	if err != nil {
		return nil, err
	}
	if !s.o.Catch && len(all) == 0 && held == 0 && f.Domain == "" {
		return nil, ErrCatcherOff
	}
	out := all[:0]
	for _, c := range all {
		key, err := s.cipher(ctx, c.person)
		if errors.Is(err, seal.ErrErased) {
			continue
		}
		if err != nil {
			return nil, err
		}
		plain, err := key.open(caughtPlace(c.ID), c.sealedValue)
		if err != nil {
			return nil, err
		}
		var in caught
		if err := json.Unmarshal([]byte(plain), &in); err != nil {
			return nil, err
		}
		c.To, c.Subject, c.Text, c.Code, c.sealedValue = in.To, in.Subject, in.Text, in.Code, ""
		out = append(out, c)
	}
	return out, nil
}

// LastCode is the last verification code caught on its way to the contact,
// with the time it was sent. A code that is still queued is waited for, up to
// three seconds. ErrNoCode when there is none.
func (s *Service) LastCode(ctx context.Context, who principal.Principal, to string) (Caught, error) {
	if !who.Admin() {
		return Caught{}, fault.NoPermission
	}
	way, normal, err := contact(to)
	if err != nil {
		return Caught{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for waited := false; !waited; {
		var queued int
		err := s.db.View(ctx, func(tx *db.Tx) error {
			return tx.Get("SELECT count(*) FROM notify_messages /* all domains: codes on their way to the catcher */ WHERE recipient_hash = ? AND template = ? AND caught = 1 AND state IN ('queued', 'sending') AND expires_at > ?",
				s.hash(way, normal), TemplateCode, tx.Now).Scan(&queued)
		})
		if err != nil {
			return Caught{}, err
		}
		if queued == 0 {
			break
		}
		select {
		case <-ctx.Done():
			waited = true
		case <-tick.C:
		}
	}
	list, err := s.Caught(context.WithoutCancel(ctx), who, CaughtFilter{To: normal, Limit: 100})
	if err != nil {
		return Caught{}, err
	}
	for _, c := range list {
		if c.Code != "" && c.Template == TemplateCode {
			return c, nil
		}
	}
	return Caught{}, ErrNoCode
}
