package identity

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/guard"
	"casemate/internal/principal"
)

// errIDToken is the one answer to an id token that opens nothing: of an unknown
// provider, not its, over, for somebody else, or of nobody here.
var errIDToken = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：id token 无效，或没有对应的用户", "Incorrect IAM authentication information: the id token is not valid, or names no user here")

// errProvider: a provider's keys cannot be read now.
var errProvider = fault.New(fault.Unavailable, fault.CodeInternal, "身份提供商暂时无法访问，请稍后再试", "the identity provider cannot be reached now, please try again later").After(retryDiscovery)

// retryDiscovery is how long a provider that did not answer is left alone, so
// that requests do not queue up behind its timeouts.
const retryDiscovery = 5 * time.Second

// federation is what the configured providers say about users.
type federation map[string]*provider

// provider is one of them. Its keys are looked for when they are first needed.
type provider struct {
	config.OIDC
	client *http.Client
	now    func() time.Time
	mu     sync.Mutex
	keys   oidc.KeySet // nil until discovered
	failed time.Time   // when discovery last did not work
}

// newFederation reads what the providers' settings point to.
func newFederation(all []config.OIDC, now func() time.Time) (federation, error) {
	f := federation{}
	for _, c := range all {
		p := &provider{OIDC: c, now: now}
		if p.Claim == "" {
			p.Claim = "sub"
		}
		if len(p.Algorithms) == 0 {
			p.Algorithms = []string{oidc.RS256, oidc.ES256}
		}
		g, err := guard.New(c.Allow)
		if err == nil && c.CAFile != "" {
			g.TLS, err = trust(c.CAFile)
		}
		if err == nil && c.KeysFile != "" {
			p.keys, err = readKeys(c.KeysFile)
		}
		if err != nil {
			return nil, fmt.Errorf("identity provider %s: %w", c.ID, err)
		}
		p.client = g.Client()
		p.client.Transport = &paced{next: p.client.Transport, now: now}
		f[c.ID] = p
	}
	return f, nil
}

func trust(file string) (*tls.Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

func readKeys(file string) (oidc.KeySet, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	set := &oidc.StaticKeySet{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		set.PublicKeys = append(set.PublicKeys, crypto.PublicKey(key))
	}
	if len(set.PublicKeys) == 0 {
		return nil, fmt.Errorf("%s holds no public key", file)
	}
	return set, nil
}

// paced bounds what is asked of a provider: tokens with made-up key ids make
// the library look for new keys each time, and strangers can send them.
type paced struct {
	next  http.RoundTripper
	now   func() time.Time
	mu    sync.Mutex
	since time.Time
	n     int
}

// mostFetches is how often a provider is asked in a minute.
const mostFetches = 12

var errPaced = errors.New("the provider was asked too often")

// RoundTrip makes the request, and cuts the answer off behind guard.Most bytes.
func (p *paced) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	if now := p.now(); now.Sub(p.since) >= time.Minute || now.Before(p.since) {
		p.since, p.n = now, 0
	}
	p.n++
	over := p.n > mostFetches
	p.mu.Unlock()
	if over {
		return nil, errPaced
	}
	res, err := p.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, guard.Most), res.Body}
	}
	return res, err
}

// keySet is the provider's, discovered at its issuer on first need.
func (p *provider) keySet(ctx context.Context) (oidc.KeySet, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys != nil {
		return p.keys, nil
	}
	if p.now().Sub(p.failed).Abs() < retryDiscovery {
		return nil, errProvider
	}
	var doc struct {
		Keys string `json:"jwks_uri"`
	}
	ctx = oidc.ClientContext(ctx, p.client)
	found, err := oidc.NewProvider(ctx, p.Issuer)
	if err == nil {
		err = found.Claims(&doc)
	}
	if err != nil {
		p.failed = p.now()
		return nil, errProvider.Because(err)
	}
	p.keys = oidc.NewRemoteKeySet(ctx, doc.Keys)
	return p.keys, nil
}

// subject verifies an id token and is the claim that tells the user.
func (p *provider) subject(ctx context.Context, raw string, now func() time.Time) (string, error) {
	keys, err := p.keySet(ctx)
	if err != nil {
		return "", err
	}
	v := oidc.NewVerifier(p.Issuer, keys, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: p.Algorithms, Now: now})
	token, err := v.Verify(ctx, raw)
	if err != nil {
		return "", err
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		return "", err
	}
	if p.Match == config.MatchMail {
		if verified, _ := claims["email_verified"].(bool); !verified {
			return "", errors.New("the mail address is not verified")
		}
	}
	value, _ := claims[p.Claim].(string)
	if strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("the token has no claim %s", p.Claim)
	}
	return value, nil
}

// find reads the user a claim names.
func (s *Service) find(tx *db.Tx, p *provider, claim string) (User, Domain, error) {
	column, value := "name_hash", s.nameHash(p.Domain, claim)
	if p.Match == config.MatchMail {
		mail, err := NormalMail(claim)
		if err != nil {
			return User{}, Domain{}, ErrNoUser
		}
		column, value = "mail_hash", s.ContactHash(Mail, mail)
	}
	var ids []string
	err := tx.List(func(r db.Row) error {
		var id string
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT id FROM users WHERE domain_id = ? AND "+column+" = ? LIMIT 2", p.Domain, value)
	if err != nil {
		return User{}, Domain{}, err
	}
	if len(ids) != 1 || p.Domain == principal.House {
		return User{}, Domain{}, ErrNoUser // two have the address: it tells neither
	}
	return loadHolder(tx, p.Domain, ids[0])
}

// LoginByIDToken issues a token for the user whom a configured provider's id
// token names; scope is as in Login. It fails with the same answer for every
// reason the caller may not tell apart, and slows an address down that fails ten
// times an hour, as Login does; with fault.Unavailable while the provider cannot
// be reached.
func (s *Service) LoginByIDToken(ctx context.Context, address, idp, raw string, scope func(Domain) (project string, ok bool)) (Token, error) {
	if err := s.slowDown(ctx, address); err != nil {
		return Token{}, err
	}
	u, d, project, err := s.federated(ctx, idp, raw, scope)
	if err == nil {
		return s.issue(ctx, u, d, []string{"mapped"}, project, "", 0)
	}
	if !errors.Is(err, errIDToken) {
		return Token{}, err
	}
	if err := s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(1, "INSERT INTO login_failures (subject, id, at) VALUES (?, ?, ?)", addressKey(address), tx.NewID(), tx.Now)
		return nil
	}); err != nil {
		return Token{}, err
	}
	return Token{}, err
}

func (s *Service) federated(ctx context.Context, idp, raw string, scope func(Domain) (string, bool)) (u User, d Domain, project string, err error) {
	p := s.federation[idp]
	if p == nil {
		return u, d, "", errIDToken
	}
	claim, err := p.subject(ctx, raw, s.db.Now)
	if errors.Is(err, errProvider) {
		return u, d, "", err
	}
	if err != nil {
		return u, d, "", errIDToken.Because(err)
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { u, d, err = s.find(tx, p, claim); return err })
	if errors.Is(err, ErrNoUser) || errors.Is(err, ErrNoDomain) || errors.Is(err, ErrToken) {
		return u, d, "", errIDToken.Because(err)
	}
	if err != nil {
		return u, d, "", err
	}
	if scope != nil {
		var ok bool
		if project, ok = scope(d); !ok {
			return u, d, "", errIDToken
		}
	}
	return u, d, project, s.open(ctx, &u)
}

// slowDown lets an address wait that has failed often in the last hour.
func (s *Service) slowDown(ctx context.Context, address string) error {
	if address == "" {
		return nil
	}
	var n int
	err := s.db.View(ctx, func(tx *db.Tx) error {
		return tx.Get("SELECT count(*) FROM login_failures WHERE subject = ? AND at > ?", addressKey(address), before(tx.Now, addressWindow)).Scan(&n)
	})
	if err != nil || n < addressFailures {
		return err
	}
	select {
	case <-time.After(min(time.Duration(n-addressFailures+1)*250*time.Millisecond, addressSlowestDelay)):
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
