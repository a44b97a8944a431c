package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Identity is who, beside Casemate, may say who a user is.
type Identity struct {
	Sessions  Sessions `yaml:"sessions"`  // of browsers
	Providers []OIDC   `yaml:"providers"` // OpenID Connect providers whose id tokens are taken
}

// Sessions is when the sessions of browsers end.
type Sessions struct {
	Idle     time.Duration `yaml:"idle"`     // without a request; 0 = 12h
	Absolute time.Duration `yaml:"absolute"` // after log-in, used or not; 0 = 168h (7 days)
}

// Ends of browsers' sessions where nothing is set.
const (
	DefaultIdle     = 12 * time.Hour
	DefaultAbsolute = 7 * 24 * time.Hour
)

// WithDefaults fills in what is not set.
func (s Sessions) WithDefaults() Sessions {
	if s.Idle == 0 {
		s.Idle = DefaultIdle
	}
	if s.Absolute == 0 {
		s.Absolute = DefaultAbsolute
	}
	return s
}

func (s Sessions) check() error {
	d := s.WithDefaults()
	switch {
	case d.Idle < time.Minute || d.Absolute < time.Minute || d.Absolute > 90*24*time.Hour:
		return errors.New("identity.sessions: idle and absolute are at least 1m, absolute at most 2160h (90 days)")
	case d.Idle > d.Absolute:
		return errors.New("identity.sessions: idle is not longer than absolute")
	}
	return nil
}

// WithDefaults fills in what is not set.
func (i Identity) WithDefaults() Identity {
	i.Sessions = i.Sessions.WithDefaults()
	return i
}

// What an id token's claim is compared with.
const (
	MatchName = "name" // the log-in name
	MatchMail = "mail" // the registered mail address; the token must say that it is verified
)

// OIDC is an OpenID Connect provider for the users of one customer's account.
// Its keys are found by discovery at the issuer, unless keys_file holds them.
type OIDC struct {
	ID         string   `yaml:"id"`         // as clients send it in X-Idp-Id
	Domain     string   `yaml:"domain"`     // id of the customer's account whose users it knows
	Issuer     string   `yaml:"issuer"`     // as in the tokens: https://...
	ClientID   string   `yaml:"client_id"`  // audience the tokens must be for
	Claim      string   `yaml:"claim"`      // claim that tells the user; "" = sub
	Match      string   `yaml:"match"`      // what the claim is compared with: name (default) or mail
	Algorithms []string `yaml:"algorithms"` // of signatures; empty = RS256 and ES256
	KeysFile   string   `yaml:"keys_file"`  // public keys in PEM; "" = discovery
	Allow      []string `yaml:"allow"`      // address ranges that may be reached although they are not public; http is allowed to them
	CAFile     string   `yaml:"ca_file"`    // certificates to trust instead of the system's
}

// algorithms are the asymmetric ones; others would let a client id, which is no
// secret, sign.
var algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// Check refuses a provider that could not be used, or would be used wrongly.
func (i Identity) Check() error {
	if err := i.Sessions.check(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, p := range i.Providers {
		if err := p.check(); err != nil {
			return fmt.Errorf("identity.providers %q: %w", p.ID, err)
		}
		if seen[p.ID] {
			return fmt.Errorf("identity.providers %q: the id is there twice", p.ID)
		}
		seen[p.ID] = true
	}
	return nil
}

func (p OIDC) check() error {
	u, err := url.Parse(p.Issuer)
	switch {
	case p.ID == "" || len(p.ID) > 128:
		return errors.New("id has 1 to 128 characters")
	case p.Domain == "":
		return errors.New("domain is missing")
	case err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || len(p.Allow) == 0):
		return errors.New("issuer is an https address (http only with allow)")
	case p.ClientID == "":
		return errors.New("client_id is missing")
	case p.Match != "" && p.Match != MatchName && p.Match != MatchMail:
		return errors.New("match is name or mail")
	}
	for _, a := range p.Algorithms {
		if !strings.Contains(" "+strings.Join(algorithms, " ")+" ", " "+a+" ") {
			return fmt.Errorf("algorithms: %s is not one of %s", a, strings.Join(algorithms, ", "))
		}
	}
	return nil
}
