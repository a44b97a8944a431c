package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// tokenLife is how long a token is valid (semantics.md, "Authentication").
const tokenLife = 24 * time.Hour

// ErrToken: not one of ours, revoked, over, or of a user who is disabled.
var (
	ErrToken   = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：token 无效", "Incorrect IAM authentication information: decrypt token fail")
	errExpired = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：token 已过期，过期时间 {at}", "Incorrect IAM authentication information: token expires, expires_at: {at}")
	errScope   = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：没有该范围的权限", "Incorrect IAM authentication information: no right to the scope asked for")
)

// Token is an issued or verified token.
type Token struct {
	Secret    string // only when it was just issued
	ID        string
	User      User
	Domain    Domain
	Project   string   // id, "" = domain scope
	Methods   []string // password, token
	IssuedAt  int64
	ExpiresAt int64
}

func (s *Service) tokenHash(secret string) string { return s.keys.Lookup("token", secret) }

// issue makes a token that ends after tokenLife, or at ends when that is not 0.
func (s *Service) issue(ctx context.Context, u User, d Domain, methods []string, project, clearFailures string, ends int64) (Token, error) {
	// 256 random bits; the prefix lets a scanner of leaked secrets know it.
	secret := "cmt_" + base64.RawURLEncoding.EncodeToString(s.db.Random(32))
	hash := s.tokenHash(secret)
	return db.Do(ctx, s.db, func(tx *db.Tx) (Token, error) {
		t := Token{Secret: secret, ID: tx.NewID(), User: u, Domain: d, Project: project, Methods: methods, IssuedAt: tx.Now, ExpiresAt: ends}
		if ends == 0 {
			t.ExpiresAt = tx.Now + tokenLife.Milliseconds()
		}
		tx.Write(1, "INSERT INTO tokens (hash, id, domain_id, user_id, project_id, methods, issued_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			hash, t.ID, u.Domain, u.ID, project, strings.Join(methods, ","), t.IssuedAt, t.ExpiresAt)
		if clearFailures != "" {
			tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", clearFailures)
		}
		from := principal.From(ctx) // who is logging in is nobody yet, but the request has an address
		event.Record(tx, principal.Principal{Kind: kindOf(u), Domain: u.Domain, User: u.ID, Address: from.Address, RequestID: from.RequestID}, event.Event{Domain: u.Domain, Kind: "token.issue", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog})
		return t, nil
	})
}

func kindOf(u User) principal.Kind {
	if u.Domain == principal.House {
		return principal.Engineer
	}
	return principal.Customer
}

// Rescope issues a token for the holder of another one; it ends when that one
// ends. It fails with ErrToken, or for a scope that is not the holder's.
func (s *Service) Rescope(ctx context.Context, secret string, scope func(Domain) (project string, ok bool)) (Token, error) {
	old, err := s.TokenOf(ctx, secret)
	if err != nil {
		return Token{}, err
	}
	project, ok := scope(old.Domain)
	if !ok || old.User.Domain == principal.House {
		return Token{}, errScope
	}
	methods := old.Methods
	if !slices.Contains(methods, "token") {
		methods = append(slices.Clone(methods), "token")
	}
	return s.issue(ctx, old.User, old.Domain, methods, project, "", old.ExpiresAt)
}

// TokenOf verifies a token's secret and reads whose it is.
func (s *Service) TokenOf(ctx context.Context, secret string) (t Token, err error) {
	hash := s.tokenHash(secret)
	if t, ok := s.cache.tokens.get(hash); ok {
		return t, s.alive(t)
	}
	generation := s.cache.tokens.generation()
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var domain, user, methods string
		err := tx.Get("SELECT id, domain_id, user_id, project_id, methods, issued_at, expires_at FROM tokens WHERE hash = ?", hash).
			Scan(&t.ID, &domain, &user, &t.Project, &methods, &t.IssuedAt, &t.ExpiresAt)
		if errors.Is(err, db.ErrNone) {
			return ErrToken
		}
		if err != nil {
			return err
		}
		t.Methods = strings.Split(methods, ",")
		t.User, t.Domain, err = loadHolder(tx, domain, user)
		return err
	})
	if err != nil {
		return t, err
	}
	if err := s.open(ctx, &t.User); err != nil {
		return t, err
	}
	s.cache.tokens.put(hash, t, generation)
	return t, s.alive(t)
}

// loadHolder reads the holder of a credential; ErrToken when it may not be used.
func loadHolder(tx *db.Tx, domain, user string) (User, Domain, error) {
	d := Domain{ID: principal.House, Name: principal.House}
	if domain != principal.House {
		var err error
		if d, err = DomainIn(tx, domain); err != nil {
			return User{}, d, err
		}
	}
	u, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, user))
	if fault.KindOf(err) == fault.NotFound || err == nil && (u.Disabled || d.Disabled) {
		err = ErrToken
	}
	if err == nil && u.Partner != "" {
		if _, err = PartnerIn(tx, u.Partner); errors.Is(err, ErrNoPartner) {
			err = ErrToken
		}
	}
	return u, d, err
}

func (s *Service) alive(t Token) error {
	if now := s.db.Now().UnixMilli(); t.ExpiresAt <= now {
		return errExpired.With("at", time.UnixMilli(t.ExpiresAt).UTC().Format(time.RFC3339))
	}
	return nil
}

// ByToken is the caller a token stands for.
func (s *Service) ByToken(ctx context.Context, secret string) (principal.Principal, error) {
	if len(secret) > 5000 {
		return principal.Principal{}, ErrToken
	}
	t, err := s.TokenOf(ctx, secret)
	if err != nil {
		return principal.Principal{}, err
	}
	p := holder(t.User, t.Domain)
	p.Token, p.Project = t.ID, t.Project
	return p, nil
}

func holder(u User, d Domain) principal.Principal {
	return principal.Principal{Kind: kindOf(u), Domain: u.Domain, DomainName: d.Name, User: u.ID, UserName: u.Name, Main: u.Main && u.Domain != principal.House,
		Role: u.Role, Partner: u.Partner, AllTickets: d.AssumeAll && u.Domain != principal.House, Sandbox: d.Sandbox, Clock: d.Clock}
}

// Revoke ends a token by its secret: the caller's own, or one of its domain
// for the main account, or any for administrators.
func (s *Service) Revoke(ctx context.Context, who principal.Principal, secret string) error {
	t, err := s.TokenOf(ctx, secret)
	if err != nil {
		return err
	}
	if t.User.ID != who.User && s.mayManage(who, t.User.Domain) != nil {
		return ErrToken
	}
	return s.RevokeID(ctx, who, t.User.Domain, t.ID)
}

// RevokeID ends a token by its id; the caller's right was checked.
func (s *Service) RevokeID(ctx context.Context, who principal.Principal, domain, id string) error {
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM tokens WHERE domain_id = ? AND id = ?", domain, id)
		event.Record(tx, who, event.Event{Domain: domain, Kind: "token.revoke", Subject: "user", SubjectID: who.User, LogCode: event.NoLog})
		return nil
	})
}

// Purge removes ended tokens and old failures.
func (s *Service) Purge(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM tokens WHERE expires_at < ?", before(tx.Now, time.Hour))
		tx.Write(db.Any, "DELETE FROM temporary_keys WHERE expires_at < ?", before(tx.Now, time.Hour))
		tx.Write(db.Any, "DELETE FROM browser_sessions WHERE expires_at < ? OR last_used < ?", before(tx.Now, time.Hour), before(tx.Now, s.o.Sessions.Idle+time.Hour))
		tx.Write(db.Any, "DELETE FROM login_challenges WHERE expires_at < ?", tx.Now)
		tx.Write(db.Any, "DELETE FROM login_states WHERE expires_at < ?", tx.Now)
		tx.Write(db.Any, "DELETE FROM login_failures WHERE at < ?", before(tx.Now, addressWindow))
		tx.Write(db.Any, "DELETE FROM setup_tokens WHERE expires_at < ?", tx.Now)
		return nil
	})
}
