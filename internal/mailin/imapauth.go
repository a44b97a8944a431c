package mailin

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/guard"
)

// tokens gets access tokens of a mail account (RFC 6749, refresh tokens and
// client credentials). A token is kept until shortly before its end.
type tokens struct {
	c                     config.MailOAuth
	clientSecret, refresh string
	client                *http.Client
	now                   func() time.Time
	// stored is a refresh token that the endpoint gave in exchange for the
	// configured one, store keeps one.
	stored func(ctx context.Context) (string, error)
	store  func(ctx context.Context, token string) error

	mu     sync.Mutex
	token  string
	expiry time.Time
}

// A token is not used in its last minute.
const tokenSpare = time.Minute

func newTokens(c config.MailOAuth, now func() time.Time) (*tokens, error) {
	t := &tokens{c: c, now: now}
	var err error
	if t.clientSecret, err = c.ClientSecret.Read(); err != nil {
		return nil, fmt.Errorf("client_secret: %w", err)
	}
	if t.refresh, err = c.RefreshToken.Read(); err != nil {
		return nil, fmt.Errorf("refresh_token: %w", err)
	}
	walls, err := guard.New(c.Allow)
	if err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	roots, err := certificates(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	walls.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	t.client = walls.Client()
	t.client.Timeout = 20 * time.Second // token endpoints of the big ones take their time
	return t, nil
}

// secrets are the words that must not show in an error.
func (t *tokens) secrets() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return []string{t.clientSecret, t.refresh, t.token}
}

// access is a token that is good for a while.
func (t *tokens) access(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && t.now().Before(t.expiry) {
		return t.token, nil
	}
	form := url.Values{"client_id": {t.c.ClientID}}
	if t.clientSecret != "" {
		form.Set("client_secret", t.clientSecret)
	}
	if t.c.Scope != "" {
		form.Set("scope", t.c.Scope)
	}
	refresh := t.refresh
	if refresh == "" {
		form.Set("grant_type", "client_credentials")
	} else {
		newer, err := t.stored(ctx)
		if err != nil {
			return "", err
		}
		refresh = cmp.Or(newer, refresh)
		form.Set("grant_type", "refresh_token")
		form.Set("refresh_token", refresh)
	}
	a, err := t.ask(ctx, form)
	if err != nil && refresh != t.refresh && a.Error == "invalid_grant" {
		// The stored one is worthless: the configured one may still do, after the
		// operator's new consent or a restored backup.
		form.Set("refresh_token", t.refresh)
		a, err = t.ask(ctx, form)
	}
	if err != nil {
		why := err.Error()
		for _, s := range []string{t.clientSecret, t.refresh, refresh} {
			if len(s) >= 4 {
				why = strings.ReplaceAll(why, s, "***")
			}
		}
		return "", trouble("获取访问令牌失败", "no access token", errors.New(why))
	}
	if a.RefreshToken != "" && a.RefreshToken != refresh && t.refresh != "" {
		if err := t.store(ctx, a.RefreshToken); err != nil {
			return "", err
		}
	}
	life := time.Duration(a.ExpiresIn) * time.Second
	if life <= 0 || life > 24*time.Hour {
		life = 10 * time.Minute
	}
	t.token, t.expiry = a.AccessToken, t.now().Add(max(life-tokenSpare, life/2))
	return t.token, nil
}

// drop forgets the token: the mail server did not take it.
func (t *tokens) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.token = ""
}

type tokenAnswer struct {
	AccessToken  string  `json:"access_token"`
	RefreshToken string  `json:"refresh_token"`
	ExpiresIn    seconds `json:"expires_in"`
	Error        string  `json:"error"`
	Description  string  `json:"error_description"`
}

// seconds are a number; some endpoints write it as a text.
type seconds int64

func (s *seconds) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal([]byte(strings.Trim(string(b), `"`)), &n); err != nil {
		return nil // then the token is taken to live shortly
	}
	v, _ := n.Int64()
	*s = seconds(v)
	return nil
}

func (t *tokens) ask(ctx context.Context, form url.Values) (a tokenAnswer, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.c.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	res, err := t.client.Do(r)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, guard.Most))
	if err != nil {
		return a, err
	}
	bad := json.Unmarshal(body, &a)
	switch {
	case a.Error != "":
		return a, fmt.Errorf("%s %s %s", res.Status, a.Error, a.Description)
	case res.StatusCode != http.StatusOK:
		return a, errors.New(res.Status)
	case bad != nil || a.AccessToken == "":
		return a, errors.New("the answer holds no access_token")
	case strings.ContainsFunc(a.AccessToken, func(r rune) bool { return r < ' ' || r > '~' }):
		return a, errors.New("the access_token is not printable")
	}
	return a, nil
}

// xoauth2 is the mechanism of Google and Microsoft.
type xoauth2 struct{ user, token string }

func (x xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}

// Next answers the challenge that tells of a refusal: the server then ends the
// exchange with NO.
func (x xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }

func bearer(c config.IMAP, token string) sasl.Client {
	if c.OAuth.Mechanism == "oauthbearer" {
		return sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{Username: c.User, Token: token, Host: c.Host, Port: c.Port})
	}
	return xoauth2{c.User, token}
}

// storedRefresh and keepRefresh keep what the endpoint gave for the configured
// refresh token; when the operator configures another one, it counts no more.
func (g *Gate) storedRefresh(mailbox, configured string) func(ctx context.Context) (string, error) {
	of := g.keys.Lookup("mail refresh token", configured)
	return func(ctx context.Context) (string, error) {
		b, err := g.state(ctx, mailbox)
		if err != nil || b.refresh == "" || b.refreshOf != of {
			return "", err
		}
		plain, err := g.keys.Open(refreshPlace(mailbox), b.refresh)
		return string(plain), err
	}
}

func (g *Gate) keepRefresh(mailbox, configured string) func(ctx context.Context, token string) error {
	of := g.keys.Lookup("mail refresh token", configured)
	return func(ctx context.Context, token string) error {
		sealed, err := g.keys.Seal(refreshPlace(mailbox), []byte(token))
		if err != nil {
			return err
		}
		_, err = g.change(ctx, mailbox, func(_ *db.Tx, b *boxState) { b.refresh, b.refreshOf = sealed, of })
		return err
	}
}
