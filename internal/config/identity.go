package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Identity is who, beside Casemate, may say who a user is.
type Identity struct {
	Sessions     Sessions     `yaml:"sessions"`      // of browsers
	SecondFactor SecondFactor `yaml:"second_factor"` // codes of authenticator apps
	Providers    []OIDC       `yaml:"providers"`     // OpenID Connect providers whose id tokens are taken
	OIDC         []SignIn     `yaml:"oidc"`          // OpenID Connect providers that people sign in at
	LDAP         []LDAP       `yaml:"ldap"`          // directories whose people log in with their password there
	// How often providers are asked for the people who are logged in; 0 = 5m.
	Recheck time.Duration `yaml:"recheck"`
}

// SecondFactor is who must have a second factor; everybody may.
type SecondFactor struct {
	Required []string `yaml:"required"` // roles of the house, main, customers
	Issuer   string   `yaml:"issuer"`   // what authenticator apps show; "" = Casemate
}

// Customers of whom a second factor can be demanded, beside the house's roles.
const (
	MainAccounts  = "main"      // main accounts
	CustomerUsers = "customers" // all users of customers
)

// WithDefaults fills in what is not set.
func (f SecondFactor) WithDefaults() SecondFactor {
	if f.Issuer == "" {
		f.Issuer = "Casemate"
	}
	return f
}

func (f SecondFactor) check() error {
	for _, r := range f.Required {
		if !slices.Contains(append(slices.Clone(roles), MainAccounts, CustomerUsers), r) {
			return fmt.Errorf("identity.second_factor.required: %q is not one of %s, main, customers", r, strings.Join(roles, ", "))
		}
	}
	if strings.Contains(f.Issuer, ":") || len(f.Issuer) > 64 {
		return errors.New("identity.second_factor.issuer has at most 64 bytes and no colon")
	}
	return nil
}

// roles of the house, as package principal names them.
var roles = []string{"administrator", "supervisor", "engineer", "auditor"}

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
	i.Sessions, i.SecondFactor = i.Sessions.WithDefaults(), i.SecondFactor.WithDefaults()
	if i.Recheck == 0 {
		i.Recheck = DefaultRecheck
	}
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
	if err := errors.Join(i.Sessions.check(), i.SecondFactor.check(), i.checkSignIn()); err != nil {
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
