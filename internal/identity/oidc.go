package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/guard"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// stateLife is how long a log-in may take at the provider.
const stateLife = 10 * time.Minute

// Why a sign-in at a provider does not come to its end.
var (
	// ErrSignInUnknown: there is no such provider.
	ErrSignInUnknown = errors.New("no such identity provider")
	// ErrSignInExpired: it took too long, was begun in another browser, or is done.
	ErrSignInExpired = errors.New("the sign-in is over or was begun in another browser")
	// ErrSignInDenied: the provider refused, or knows nobody who is a user here.
	ErrSignInDenied = errors.New("the sign-in was refused")
	// ErrSignInAway: the provider cannot be reached.
	ErrSignInAway = errors.New("the identity provider cannot be reached")
)

// signInProvider is an OpenID Connect provider that people sign in at.
type signInProvider struct {
	config.SignIn
	secret string
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex
	found  *oidc.Provider // nil until discovered
	failed time.Time      // when discovery last did not work
}

func newSignInProvider(c config.SignIn, now func() time.Time) (*signInProvider, error) {
	p := &signInProvider{SignIn: c, now: now}
	g, err := guard.New(c.Allow)
	if err != nil {
		return nil, err
	}
	if c.CAFile != "" {
		if g.TLS, err = trust(c.CAFile); err != nil {
			return nil, err
		}
	}
	if p.secret, err = c.ClientSecret.Read(); err != nil {
		return nil, fmt.Errorf("client_secret: %w", err)
	}
	p.client = g.Client()
	p.client.Transport = cut{p.client.Transport}
	return p, nil
}

// cut cuts answers off behind what the guard allows.
type cut struct{ next http.RoundTripper }

// RoundTrip makes the request.
func (c cut) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, guard.Most), res.Body}
	}
	return res, err
}

// discover reads the provider's addresses and keys on first need.
func (p *signInProvider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.now().Sub(p.failed).Abs() < retryDiscovery {
		return nil, ErrSignInAway
	}
	// What it finds is kept, so the client goes with it and not the request.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.Issuer)
	if err != nil {
		p.failed = p.now()
		return nil, fmt.Errorf("%w: %w", ErrSignInAway, err)
	}
	p.found = found
	return found, nil
}

func (p *signInProvider) oauth(found *oidc.Provider, redirect string) *oauth2.Config {
	end := found.Endpoint()
	end.AuthStyle = p.authStyle(found)
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: p.secret, Endpoint: end, RedirectURL: redirect, Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...)}
}

// authStyle is how the provider wants the secret. Trying both, as the library
// does else, would send a refused code or refresh token twice.
func (p *signInProvider) authStyle(found *oidc.Provider) oauth2.AuthStyle {
	var doc struct {
		Methods []string `json:"token_endpoint_auth_methods_supported"` // absent = client_secret_basic (OpenID Connect Discovery section 3)
	}
	if p.secret == "" || found.Claims(&doc) == nil && len(doc.Methods) > 0 && !slices.Contains(doc.Methods, "client_secret_basic") {
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

// SignInWay is a provider as the sign-in page offers it.
type SignInWay struct {
	ID    string
	Name  locale.Texts
	House bool
}

// Ways are the providers that people sign in at, in the settings' order: the
// house's, and those of the customer's account with the name. Who names none does
// not learn which customers there are.
func (s *Service) Ways(ctx context.Context, account string) (all []SignInWay, err error) {
	if len(s.outside.oidc) == 0 {
		return nil, nil
	}
	var d Domain
	if account != "" {
		err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			d, err = scanDomain(tx.Get("SELECT "+domainColumns+" FROM domains WHERE name = ?", account))
			return err
		})
		if err != nil && !errors.Is(err, db.ErrNone) && !errors.Is(err, ErrNoDomain) {
			return nil, err
		}
	}
	for _, p := range s.outside.oidc {
		if p.People.Domain != principal.House && (d.ID == "" || p.People.Domain != d.ID) {
			continue
		}
		all = append(all, SignInWay{ID: p.ID, Name: locale.Texts{ZH: p.NameZH, EN: p.SignIn.Name}, House: p.People.Domain == principal.House})
	}
	return all, nil
}

func (s *Service) way(id string) *signInProvider {
	for _, p := range s.outside.oidc {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// CallbackPath is where a provider sends browsers back to.
func CallbackPath(provider string) string {
	return "/web/v1/sign-in/" + url.PathEscape(provider) + "/callback"
}

// begun is what a sign-in remembers while the browser is at the provider.
type begun struct {
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE (RFC 7636)
	Redirect string `json:"redirect"`
	To       string `json:"to"`
	Provider string `json:"provider"`
	Until    int64  `json:"until"` // milliseconds UTC
}

// statePlace binds what the cookie holds to the state.
func statePlace(hash string) seal.Place {
	return seal.Place{Table: "login_states", Column: "cookie", Row: hash}
}

func (s *Service) stateHash(state string) string { return s.keys.Lookup("login state", state) }

// BeginSignIn starts a sign-in at a provider: the address to send the browser to
// and the value of the cookie that binds it to the browser: the state and, sealed,
// what the way back needs. Nothing is stored before the browser comes back, so
// that whoever begins many leaves no room to nobody else. base is the address by
// which the browser reaches this server, to where it wants to go on. It fails with
// ErrSignInUnknown and ErrSignInAway.
func (s *Service) BeginSignIn(ctx context.Context, provider, base, to string) (location, bound string, err error) {
	p := s.way(provider)
	if p == nil {
		return "", "", ErrSignInUnknown
	}
	found, err := p.discover(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "sign-in", "provider", p.ID, "error", err)
		return "", "", ErrSignInAway
	}
	random := func() string { return base64.RawURLEncoding.EncodeToString(s.db.Random(32)) }
	b := begun{Nonce: random(), Verifier: random(), Redirect: base + CallbackPath(p.ID), Provider: p.ID, Until: s.db.Now().Add(stateLife).UnixMilli()}
	if localPath(to) {
		b.To = to
	}
	state := random()
	text, err := json.Marshal(b)
	if err != nil {
		return "", "", err
	}
	sealed, err := s.keys.Seal(statePlace(s.stateHash(state)), text)
	if err != nil {
		return "", "", err
	}
	bound = state + "." + base64.RawURLEncoding.EncodeToString([]byte(sealed))
	return p.oauth(found, b.Redirect).AuthCodeURL(state, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier)), bound, nil
}

// localPath tells a path of this server from anything that leads elsewhere.
func localPath(to string) bool {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") || len(to) > 512 {
		return false
	}
	u, err := url.Parse(to)
	return err == nil && u.Host == "" && u.Scheme == ""
}

// FinishSignIn ends a sign-in: the state must be the one the browser's cookie
// (bound) has, is good once, and for the provider that it was made for; the code is
// exchanged with the verifier of PKCE; the id token must be the issuer's, for
// this client, with the nonce. It opens a session and tells where to go on. It
// fails with the four reasons above.
func (s *Service) FinishSignIn(ctx context.Context, provider, state, bound, code string, br Browser) (Session, string, error) {
	p := s.way(provider)
	if p == nil {
		return Session{}, "", ErrSignInUnknown
	}
	known, sealed, _ := strings.Cut(bound, ".")
	if state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(known)) != 1 {
		return Session{}, "", ErrSignInExpired
	}
	if err := s.slowDown(ctx, br.Address); err != nil {
		return Session{}, "", err
	}
	b, err := s.takeState(ctx, p, state, sealed)
	if err != nil {
		return Session{}, "", err
	}
	if code == "" {
		return Session{}, "", s.failedSignIn(ctx, br.Address, p, errors.New("the provider answered with an error"))
	}
	found, err := p.discover(ctx)
	if err != nil {
		return Session{}, "", ErrSignInAway
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.oauth(found, b.Redirect).Exchange(ctx, code, oauth2.VerifierOption(b.Verifier))
	if err != nil {
		if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) {
			return Session{}, "", s.failedSignIn(ctx, br.Address, p, fmt.Errorf("the code was refused: %s", refused.ErrorCode))
		}
		s.log.WarnContext(ctx, "sign-in", "provider", p.ID, "error", err)
		return Session{}, "", ErrSignInAway
	}
	who, err := p.read(ctx, found, token, b.Nonce, s.db.Now)
	if err != nil {
		return Session{}, "", s.failedSignIn(ctx, br.Address, p, err)
	}
	u, d, err := s.admit(ctx, who)
	if refusal(err) || errors.Is(err, ErrLogin) {
		return Session{}, "", s.failedSignIn(ctx, br.Address, p, err)
	}
	if err != nil {
		return Session{}, "", err
	}
	o, err := s.openSession(ctx, proved{user: u, domain: d}, ByOIDC, p.ID, br)
	return o, b.To, err
}

// takeState takes a state, once: what the cookie holds of it counts when it is
// ours, of this provider, in time, and no row says that it was taken.
func (s *Service) takeState(ctx context.Context, p *signInProvider, state, cookie string) (b begun, err error) {
	hash := s.stateHash(state)
	sealed, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil {
		return b, ErrSignInExpired
	}
	text, err := s.keys.Open(statePlace(hash), string(sealed))
	if err != nil {
		return b, ErrSignInExpired // not ours
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return b, err
	}
	if b.Provider != p.ID || b.Until <= s.db.Now().UnixMilli() {
		return begun{}, ErrSignInExpired
	}
	return b, s.db.Update(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.Get("SELECT count(*) FROM login_states WHERE hash = ?", hash).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return ErrSignInExpired
		}
		tx.Write(1, "INSERT INTO login_states (hash, provider, secrets, expires_at) VALUES (?, ?, '', ?)", hash, p.ID, b.Until)
		return nil
	})
}

// failedSignIn counts a failure for its address and says why in the log.
func (s *Service) failedSignIn(ctx context.Context, address string, p *signInProvider, why error) error {
	s.log.InfoContext(ctx, "sign-in refused", "provider", p.ID, "why", why)
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(1, "INSERT INTO login_failures (subject, id, at) VALUES (?, ?, ?)", addressKey(address), tx.NewID(), tx.Real)
		return nil
	})
	if err != nil {
		return err
	}
	return ErrSignInDenied
}

// read verifies the id token of an answer and reads who it is; what the token
// does not say of groups and name comes from the user info.
func (p *signInProvider) read(ctx context.Context, found *oidc.Provider, token *oauth2.Token, nonce string, now func() time.Time) (who person, err error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return who, errors.New("the answer has no id token")
	}
	id, err := found.VerifierContext(ctx, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: p.Algorithms, Now: now}).Verify(ctx, raw)
	if err != nil {
		return who, err
	}
	if nonce != "" && subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return who, errors.New("the id token has another nonce")
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return who, err
	}
	if err := p.more(ctx, found, token, id.Subject, claims); err != nil {
		return who, err
	}
	who = person{provider: p.ID, people: p.People, issuer: id.Issuer, subject: id.Subject, groups: listClaim(claims, p.GroupsClaim), refresh: token.RefreshToken}
	if who.refresh == "" {
		until := now().Add(time.Until(token.Expiry))
		if token.Expiry.IsZero() || id.Expiry.Before(until) && found.UserInfoEndpoint() == "" {
			until = id.Expiry
		}
		who.refresh = keptAccess(until, token.AccessToken)
	}
	who.name, _ = claims[p.NameClaim].(string)
	if verified, _ := claims["email_verified"].(bool); verified {
		who.mail, _ = claims["email"].(string)
	}
	return who, nil
}

// A provider that gives no refresh token is asked by the access token while that
// lasts. It is kept where the refresh token would be, told from one by a first
// character that no token has (RFC 6749 appendix A).
const accessMark = "\x01"

func keptAccess(until time.Time, token string) string {
	return accessMark + strconv.FormatInt(until.UnixMilli(), 10) + " " + token
}

// accessKept reads what keptAccess wrote; ok is false for a refresh token.
func accessKept(text string) (until int64, token string, ok bool) {
	rest, ok := strings.CutPrefix(text, accessMark)
	if !ok {
		return 0, "", false
	}
	number, token, _ := strings.Cut(rest, " ")
	until, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, "", true // over
	}
	return until, token, true
}

// status notes the last answer's status.
type status struct {
	next http.RoundTripper
	code int
}

// RoundTrip makes the request.
func (s *status) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := s.next.RoundTrip(r)
	if err == nil {
		s.code = res.StatusCode
	}
	return res, err
}

// look asks the provider for a person by an access token. It fails with
// errSignInAgain when the token is over or not taken any more: whether the person
// is gone or only the token, the next sign-in shows. knows tells whether the answer
// says anything of groups; many providers say that in id tokens alone.
func (p *signInProvider) look(ctx context.Context, kept string, now time.Time) (who person, knows bool, err error) {
	until, token, ok := accessKept(kept)
	if !ok || until <= now.UnixMilli() {
		return who, false, errSignInAgain
	}
	found, err := p.discover(ctx)
	if err != nil {
		return who, false, err
	}
	if found.UserInfoEndpoint() == "" {
		return who, false, errNothingToAsk
	}
	seen := &status{next: p.client.Transport}
	client := *p.client
	client.Transport = seen
	info, err := found.UserInfo(oidc.ClientContext(ctx, &client), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token, TokenType: "Bearer"}))
	switch {
	case seen.code == http.StatusUnauthorized || seen.code == http.StatusForbidden:
		return who, false, errSignInAgain
	case seen.code >= 500 || seen.code == http.StatusTooManyRequests:
		return who, false, fmt.Errorf("%w: user info: status %d", ErrSignInAway, seen.code)
	case err != nil:
		return who, false, err
	}
	claims := map[string]any{}
	if err := info.Claims(&claims); err != nil {
		return who, false, err
	}
	groups := listClaim(claims, p.GroupsClaim)
	return person{provider: p.ID, people: p.People, issuer: p.Issuer, subject: info.Subject, groups: groups, refresh: kept}, len(groups) > 0 || claims[p.GroupsClaim] != nil, nil
}

// more adds what the user info says and the token did not.
func (p *signInProvider) more(ctx context.Context, found *oidc.Provider, token *oauth2.Token, subject string, claims map[string]any) error {
	if found.UserInfoEndpoint() == "" {
		return nil
	}
	info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return fmt.Errorf("user info: %w", err)
	}
	if info.Subject != subject {
		return errors.New("the user info is somebody else's (OpenID Connect Core section 5.3.2)")
	}
	extra := map[string]any{}
	if err := info.Claims(&extra); err != nil {
		return err
	}
	for k, v := range extra {
		if _, there := claims[k]; !there {
			claims[k] = v
		}
	}
	return nil
}

// listClaim reads a list of texts, or one text, at a name whose dots go deeper
// where no claim has the whole name, e.g. realm_access.roles.
func listClaim(claims map[string]any, name string) (all []string) {
	v, there := claims[name]
	if first, rest, deeper := strings.Cut(name, "."); !there && deeper {
		if inner, ok := claims[first].(map[string]any); ok {
			return listClaim(inner, rest)
		}
	}
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, x := range v {
			if text, ok := x.(string); ok {
				all = append(all, strings.TrimPrefix(text, "/")) // Keycloak's full paths begin with one
			}
		}
	}
	return all
}

// renew asks the provider for a person again, by the refresh token; errGoneThere
// when it does not give one any more.
func (p *signInProvider) renew(ctx context.Context, refresh string, now func() time.Time) (who person, err error) {
	found, err := p.discover(ctx)
	if err != nil {
		return who, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token, err := p.oauth(found, "").TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	if refused := (*oauth2.RetrieveError)(nil); errors.As(err, &refused) {
		// Of all refusals this one alone is about the person (RFC 6749 section 5.2).
		if refused.ErrorCode == "invalid_grant" {
			return who, errGoneThere
		}
		if refused.Response != nil && refused.Response.StatusCode >= 500 {
			return who, fmt.Errorf("%w: %s", ErrSignInAway, refused.Response.Status)
		}
		return who, fmt.Errorf("refreshing: %s", refused.ErrorCode)
	}
	if err != nil {
		return who, err
	}
	if token.RefreshToken == "" {
		token.RefreshToken = refresh
	}
	return p.read(ctx, found, token, "", now)
}
