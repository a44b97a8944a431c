package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// How a browser's user proved who they are.
const (
	ByPassword = "password"
	ByLDAP     = "ldap"
	ByOIDC     = "oidc"
	withOTP    = "+otp" // a code of the second factor was given, too
)

// Faults of browsers' sessions.
var (
	// ErrSession: not one of ours, ended, over, or of a user who is shut out.
	ErrSession = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：会话不存在或已结束，请重新登录", "Incorrect IAM authentication information: the session is not there or over, please log in again")
	// ErrNoCsrf: the cookie counts, but the X-Csrf header is missing.
	ErrNoCsrf = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：缺少请求头 X-Csrf（其值见 GET /web/v1/session）", "Incorrect IAM authentication information: the header X-Csrf is missing (GET /web/v1/session gives its value)")
	// ErrCsrf: the X-Csrf header is not the session's.
	ErrCsrf = fault.New(fault.Forbidden, fault.CodeForbidden, "请求头 X-Csrf 与会话不符", "the header X-Csrf is not the session's")
	// ErrNoSession: not one of the caller's.
	ErrNoSession = fault.New(fault.NotFound, fault.CodeInvalid, "会话不存在", "the session does not exist").In("session_id")
)

// mostSessions is how many browsers a user is logged in with at once; with one
// more the one that was made first ends.
const mostSessions = 50

// Browser is where a log-in comes from.
type Browser struct {
	Device  string // what it says it is; cut after 256 characters
	Address string
	Old     string // the session's secret it still has, "" = none: it ends with the log-in
}

// Session is a browser's log-in, kept in a cookie.
type Session struct {
	Secret          string // the cookie's value; only of one that was just made
	ID              string
	User            User
	Domain          Domain
	Method          string // password, ldap, oidc, with +otp after a second factor
	Provider        string // id of the identity provider, "" = Casemate's own passwords
	Device, Address string
	Created         int64 // milliseconds UTC, as are the others
	LastUsed        int64
	Expires         int64

	hash string
}

func (s *Service) sessionHash(secret string) string { return s.keys.Lookup("browser session", secret) }

// Csrf is what changing calls with a session's cookie carry: it follows from
// the cookie's value, which no script and no other site can read, and is kept
// nowhere.
func (s *Service) Csrf(secret string) string { return s.keys.Lookup("browser csrf", secret) }

func sessionPlace(column, id string) seal.Place {
	return seal.Place{Table: "browser_sessions", Column: column, Row: id}
}

// openSession opens a session for one who has proved who they are.
func (s *Service) openSession(ctx context.Context, p proved, method, provider string, b Browser) (Session, error) {
	if device := []rune(b.Device); len(device) > 256 {
		b.Device = string(device[:256])
	}
	out := Session{Secret: "cmb_" + base64.RawURLEncoding.EncodeToString(s.db.Random(32)), ID: s.db.NewID(), User: p.user, Domain: p.domain, Method: method, Provider: provider,
		Device: b.Device, Address: b.Address}
	out.hash = s.sessionHash(out.Secret)
	person, err := s.keys.Person(ctx, p.user.ID)
	if err != nil {
		return Session{}, err
	}
	device, err := person.Seal(sessionPlace("device", out.ID), b.Device)
	if err != nil {
		return Session{}, err
	}
	address, err := person.Seal(sessionPlace("address", out.ID), b.Address)
	if err != nil {
		return Session{}, err
	}
	old := ""
	if b.Old != "" {
		old = s.sessionHash(b.Old)
	}
	defer s.cache.browser.forget()
	return out, s.db.Update(ctx, func(tx *db.Tx) error {
		// Who was shut out while the password was checked stays out.
		if _, _, err := loadHolder(tx, p.user.Domain, p.user.ID); errors.Is(err, ErrToken) || errors.Is(err, ErrNoDomain) {
			return ErrLogin
		} else if err != nil {
			return err
		}
		out.Created, out.LastUsed, out.Expires = tx.Real, tx.Real, tx.Real+s.o.Sessions.Absolute.Milliseconds()
		if old != "" {
			tx.Write(db.Any, "DELETE FROM browser_sessions WHERE hash = ?", old)
		}
		tx.Write(db.Any, `DELETE FROM browser_sessions WHERE domain_id = ? AND user_id = ? AND id NOT IN
			(SELECT id FROM browser_sessions WHERE domain_id = ? AND user_id = ? ORDER BY created_at DESC, id DESC LIMIT ?)`,
			p.user.Domain, p.user.ID, p.user.Domain, p.user.ID, mostSessions-1)
		tx.Write(1, "INSERT INTO browser_sessions (hash, id, domain_id, user_id, method, provider, device, address, created_at, last_used, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			out.hash, out.ID, p.user.Domain, p.user.ID, method, provider, device, address, out.Created, out.LastUsed, out.Expires)
		if p.subject != "" {
			tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", p.subject)
		}
		event.Record(tx, s.entering(ctx, p.user), event.Event{Domain: p.user.Domain, Kind: "user.login", Subject: "user", SubjectID: p.user.ID, LogCode: event.NoLog,
			Data: map[string]any{"session": out.ID, "method": method, "provider": provider}})
		return nil
	})
}

// entering is who an event of a log-in names: nobody called yet, but the request
// has an address.
func (s *Service) entering(ctx context.Context, u User) principal.Principal {
	from := principal.From(ctx)
	return principal.Principal{Kind: kindOf(u), Domain: u.Domain, User: u.ID, Address: from.Address, RequestID: from.RequestID}
}

const sessionColumns = "hash, id, domain_id, user_id, method, provider, device, address, created_at, last_used, expires_at"

func scanSession(r db.Row) (o Session, err error) {
	err = r.Scan(&o.hash, &o.ID, &o.User.Domain, &o.User.ID, &o.Method, &o.Provider, &o.Device, &o.Address, &o.Created, &o.LastUsed, &o.Expires)
	if errors.Is(err, db.ErrNone) {
		err = ErrSession
	}
	return o, err
}

// sessionOf reads the session a cookie's value stands for; ErrSession when it is
// over. Device and address stay sealed.
func (s *Service) sessionOf(ctx context.Context, secret string) (Session, error) {
	return s.readSession(ctx, secret, false)
}

// readSession is sessionOf; fresh = not from what this node remembers.
func (s *Service) readSession(ctx context.Context, secret string, fresh bool) (Session, error) {
	if len(secret) > 128 || !strings.HasPrefix(secret, "cmb_") {
		return Session{}, ErrSession
	}
	hash := s.sessionHash(secret)
	if o, ok := s.cache.browser.get(hash); ok && !fresh {
		return o, s.lasts(o)
	}
	generation := s.cache.browser.generation()
	var o Session
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		if o, err = scanSession(tx.Get("SELECT "+sessionColumns+" FROM browser_sessions WHERE hash = ?", hash)); err != nil {
			return err
		}
		o.User, o.Domain, err = loadHolder(tx, o.User.Domain, o.User.ID)
		return err
	})
	if errors.Is(err, ErrToken) || errors.Is(err, ErrNoDomain) {
		err = ErrSession
	}
	if err == nil {
		err = s.open(ctx, &o.User)
	}
	if err != nil {
		return Session{}, err
	}
	s.cache.browser.put(hash, o, generation)
	return o, s.lasts(o)
}

// lasts refuses a session at its end, absolute or idle.
func (s *Service) lasts(o Session) error {
	now := s.db.Now().UnixMilli()
	if o.Expires <= now || max(o.LastUsed, s.cache.lastSeen(o.hash))+s.o.Sessions.Idle.Milliseconds() <= now {
		return ErrSession
	}
	return nil
}

// BySession is the caller a cookie stands for. csrf is the X-Csrf header, or
// nil for the few reads that do without. It fails with ErrSession, and with
// ErrCsrf for another session's header.
func (s *Service) BySession(ctx context.Context, secret string, csrf *string) (principal.Principal, error) {
	o, err := s.sessionOf(ctx, secret)
	if err != nil {
		return principal.Principal{}, err
	}
	if csrf != nil && subtle.ConstantTimeCompare([]byte(*csrf), []byte(s.Csrf(secret))) != 1 {
		return principal.Principal{}, ErrCsrf
	}
	s.cache.see(o.hash)
	p := holder(o.User, o.Domain)
	p.Session = o.ID
	return p, nil
}

// BrowserSession is the session behind a cookie's value; ErrSession when it is
// over.
func (s *Service) BrowserSession(ctx context.Context, secret string) (Session, error) {
	return s.sessionOf(ctx, secret)
}

// Holder is who a cookie's value stands for now; ErrSession when the session is
// over, so that what keeps a connection open can look again. It is no use of the
// session. fresh = as it is stored, else as it was a second ago at most.
func (s *Service) Holder(ctx context.Context, secret string, fresh bool) (principal.Principal, error) {
	o, err := s.readSession(ctx, secret, fresh)
	if err != nil {
		return principal.Principal{}, err
	}
	return holder(o.User, o.Domain), nil
}

// Idle is how long a session lasts without a request.
func (s *Service) Idle() time.Duration { return s.o.Sessions.Idle }

// BrowserSessions lists a user's sessions, the one used last first: one's own,
// or any user's for administrators.
func (s *Service) BrowserSessions(ctx context.Context, who principal.Principal, domain, user string) (all []Session, err error) {
	if who.User != user || who.Domain != domain {
		if err := administer(who); err != nil {
			return nil, err
		}
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		if _, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, user)); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			o, err := scanSession(r)
			all = append(all, o)
			return err
		}, "SELECT "+sessionColumns+" FROM browser_sessions WHERE domain_id = ? AND user_id = ? AND expires_at > ? AND last_used > ? ORDER BY last_used DESC, id DESC LIMIT 200",
			domain, user, tx.Real, before(tx.Real, s.o.Sessions.Idle))
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	p, err := s.keys.Person(ctx, user)
	if errors.Is(err, seal.ErrErased) {
		return nil, nil
	}
	for i := range all {
		o := &all[i]
		if err == nil {
			o.Device, err = p.Open(sessionPlace("device", o.ID), o.Device)
		}
		if err == nil {
			o.Address, err = p.Open(sessionPlace("address", o.ID), o.Address)
		}
		o.LastUsed = max(o.LastUsed, s.cache.lastSeen(o.hash))
	}
	return all, err
}

// EndSession ends one of a user's sessions: one's own, or any user's for
// administrators. It fails with ErrNoSession.
func (s *Service) EndSession(ctx context.Context, who principal.Principal, domain, user, id string) error {
	if (who.User != user || who.Domain != domain) && administer(who) != nil {
		return ErrNoSession
	}
	defer s.cache.browser.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.Get("SELECT count(*) FROM browser_sessions WHERE domain_id = ? AND user_id = ? AND id = ?", domain, user, id).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return ErrNoSession
		}
		tx.Write(db.Any, "DELETE FROM browser_sessions WHERE domain_id = ? AND user_id = ? AND id = ?", domain, user, id)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "user.logout", Subject: "user", SubjectID: user, LogCode: event.NoLog, Data: map[string]any{"session": id}})
		return nil
	})
}

// flushEvery is how often each node writes when keys and sessions were used
// there. Others read it to end idle sessions, so it is far below what Idle may be.
const flushEvery = 20 * time.Second

// Run writes when access keys and sessions were last used on this node, until
// the context ends, and once more then.
func (s *Service) Run(ctx context.Context) {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for done := false; !done; {
		select {
		case <-ctx.Done():
			done = true
		case <-t.C:
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		if err := errors.Join(s.FlushLastUsed(end), s.FlushSessions(end)); err != nil {
			s.log.WarnContext(ctx, "writing when credentials were used", "error", err)
		}
		cancel()
	}
}

// FlushSessions writes when sessions were last used; now and then, so that
// requests do not pay for it.
func (s *Service) FlushSessions(ctx context.Context) error {
	seen := s.cache.seenSince()
	if len(seen) == 0 {
		return nil
	}
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		for hash, at := range seen {
			tx.Write(db.Any, "UPDATE browser_sessions SET last_used = ? WHERE hash = ? AND last_used < ?", at, hash, at)
		}
		return nil
	})
	if err == nil {
		s.cache.written(seen)
	}
	return err
}

// see notes that a session is used now.
func (c *credentialCache) see(hash string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[hash] = c.now().UnixMilli()
}

// lastSeen is when a session was used here, 0 when that is written already.
func (c *credentialCache) lastSeen(hash string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[hash]
}

func (c *credentialCache) seenSince() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.seen)
}

// written forgets what the database knows now; sessions read before that are
// read again.
func (c *credentialCache) written(seen map[string]int64) {
	c.browser.forget()
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, v := range seen {
		if c.seen[k] == v {
			delete(c.seen, k)
		}
	}
}
