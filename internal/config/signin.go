package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// SignIn is an OpenID Connect provider that people sign in at with a browser.
type SignIn struct {
	ID           string   `yaml:"id"`            // part of the address it sends browsers back to: /web/v1/sign-in/ID/callback
	Name         string   `yaml:"name"`          // on the sign-in page
	NameZH       string   `yaml:"name_zh"`       // the same in Chinese; "" = name
	Issuer       string   `yaml:"issuer"`        // https://...
	ClientID     string   `yaml:"client_id"`     // as registered there
	ClientSecret Secret   `yaml:"client_secret"` // nothing = a public client
	Scopes       []string `yaml:"scopes"`        // beside openid; empty = profile and email
	NameClaim    string   `yaml:"name_claim"`    // log-in name of a user made here; "" = preferred_username
	GroupsClaim  string   `yaml:"groups_claim"`  // a list of groups or roles, dots go deeper; "" = groups
	Algorithms   []string `yaml:"algorithms"`    // of signatures; empty = RS256 and ES256
	Allow        []string `yaml:"allow"`         // address ranges that may be reached although they are not public; http is allowed to them
	CAFile       string   `yaml:"ca_file"`       // certificates to trust instead of the system's
	People       People   `yaml:"people"`
}

// LDAP is a directory whose people log in with their password there.
type LDAP struct {
	ID           string        `yaml:"id"`
	URL          string        `yaml:"url"`           // ldaps://HOST or ldap://HOST, with a port or without
	StartTLS     bool          `yaml:"start_tls"`     // with ldap://; without it only loopback addresses may be reached
	CAFile       string        `yaml:"ca_file"`       // certificates to trust instead of the system's
	Allow        []string      `yaml:"allow"`         // address ranges that may be reached although they are not public
	BindDN       string        `yaml:"bind_dn"`       // who searches; "" = anonymous
	BindPassword Secret        `yaml:"bind_password"` // of bind_dn
	Base         string        `yaml:"base"`          // below it people are looked for
	Filter       string        `yaml:"filter"`        // finds a person by {name}; leave out who is disabled; "" = (&(objectClass=person)(uid={name}))
	Unique       string        `yaml:"unique"`        // attribute that names a person for ever; "" = entryUUID (Active Directory: objectGUID)
	NameAttr     string        `yaml:"name_attr"`     // log-in name of a user made here; "" = uid (Active Directory: sAMAccountName)
	MailAttr     string        `yaml:"mail_attr"`     // mail address; "" = mail
	MemberOf     string        `yaml:"member_of"`     // attribute of a person that lists groups; "" = memberOf
	GroupBase    string        `yaml:"group_base"`    // below it groups are looked for; "" = only member_of
	GroupFilter  string        `yaml:"group_filter"`  // finds a person's groups by {dn} and {name}; "" = (member={dn})
	GroupAttr    string        `yaml:"group_attr"`    // name of a group; "" = cn
	Timeout      time.Duration `yaml:"timeout"`       // of each step; 0 = 5s
	People       People        `yaml:"people"`
}

// People is whose users an identity provider knows, and what its groups mean.
type People struct {
	Domain string    `yaml:"domain"` // id of a customer's account; house = people of the house
	Create bool      `yaml:"create"` // make a user at the first log-in; else an administrator links nobody and only made users return
	Role   string    `yaml:"role"`   // house: the role of whom no line of roles fits; "" = refused
	Roles  []GroupTo `yaml:"roles"`  // house: the first line that fits gives the role
	Groups []GroupTo `yaml:"groups"` // customers: whoever is in the group there is in the group here, and nobody else
}

// GroupTo maps a group of a provider.
type GroupTo struct {
	Group string `yaml:"group"` // its name, or its DN
	To    string `yaml:"to"`    // a role of the house, or the id or name of a customer's group
}

// House is the id of the domain of the house's people.
const House = "house"

// WithDefaults fills in what is not set.
func (l LDAP) WithDefaults() LDAP {
	for p, v := range map[*string]string{&l.Filter: "(&(objectClass=person)(uid={name}))", &l.Unique: "entryUUID", &l.NameAttr: "uid", &l.MailAttr: "mail",
		&l.MemberOf: "memberOf", &l.GroupFilter: "(member={dn})", &l.GroupAttr: "cn"} {
		if *p == "" {
			*p = v
		}
	}
	if l.Timeout == 0 {
		l.Timeout = 5 * time.Second
	}
	return l
}

// WithDefaults fills in what is not set.
func (o SignIn) WithDefaults() SignIn {
	if len(o.Scopes) == 0 {
		o.Scopes = []string{"profile", "email"}
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = []string{"RS256", "ES256"}
	}
	for p, v := range map[*string]string{&o.NameClaim: "preferred_username", &o.GroupsClaim: "groups", &o.Name: o.ID} {
		if *p == "" {
			*p = v
		}
	}
	if o.NameZH == "" {
		o.NameZH = o.Name
	}
	return o
}

func (p People) check() error {
	switch {
	case p.Domain == "":
		return errors.New("people.domain is missing: house, or the id of a customer's account")
	case p.Domain == House && p.Role == "" && len(p.Roles) == 0:
		return errors.New("people.roles is missing: nobody could log in")
	case p.Domain == House && len(p.Groups) > 0:
		return errors.New("people.groups is for customers; people of the house have roles")
	case p.Domain != House && (p.Role != "" || len(p.Roles) > 0):
		return errors.New("people.role and people.roles are for the house; customers have groups")
	case p.Role != "" && !slices.Contains(roles, p.Role):
		return fmt.Errorf("people.role is one of %s", strings.Join(roles, ", "))
	}
	for _, g := range append(slices.Clone(p.Roles), p.Groups...) {
		if g.Group == "" || g.To == "" {
			return errors.New("people: a line has group and to")
		}
		if p.Domain == House && !slices.Contains(roles, g.To) {
			return fmt.Errorf("people.roles: %q is not one of %s", g.To, strings.Join(roles, ", "))
		}
	}
	return nil
}

func (o SignIn) check() error {
	u, err := url.Parse(o.Issuer)
	switch {
	case !plainID(o.ID):
		return errors.New("id has 1 to 64 letters, digits, hyphens and underscores")
	case err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || len(o.Allow) == 0):
		return errors.New("issuer is an https address (http only with allow)")
	case o.ClientID == "":
		return errors.New("client_id is missing")
	}
	for _, a := range o.Algorithms {
		if !slices.Contains(algorithms, a) {
			return fmt.Errorf("algorithms: %s is not one of %s", a, strings.Join(algorithms, ", "))
		}
	}
	return o.People.check()
}

func (l LDAP) check() error {
	u, err := url.Parse(l.URL)
	d := l.WithDefaults()
	switch {
	case !plainID(l.ID):
		return errors.New("id has 1 to 64 letters, digits, hyphens and underscores")
	case err != nil || u.Hostname() == "" || u.Scheme != "ldaps" && u.Scheme != "ldap":
		return errors.New("url is ldaps://HOST or ldap://HOST")
	case u.Scheme == "ldaps" && l.StartTLS:
		return errors.New("start_tls is for ldap://; ldaps:// has TLS from the start")
	case u.Scheme == "ldap" && !l.StartTLS && !loopbackOnly(l.Allow):
		return errors.New("passwords go over TLS: ldaps://, or start_tls: true (without, allow may name loopback addresses only)")
	case l.Base == "":
		return errors.New("base is missing")
	case !strings.Contains(d.Filter, "{name}"):
		return errors.New("filter holds {name}")
	case l.GroupBase != "" && !strings.Contains(d.GroupFilter, "{dn}") && !strings.Contains(d.GroupFilter, "{name}"):
		return errors.New("group_filter holds {dn} or {name}")
	case l.BindDN != "" && l.BindPassword == (Secret{}):
		return errors.New("bind_password is missing")
	case d.Timeout < 0 || d.Timeout > time.Minute:
		return errors.New("timeout is at most 1m")
	}
	return l.People.check()
}

func plainID(id string) bool {
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

// loopbackOnly tells that ranges name this machine and nothing else.
func loopbackOnly(list []string) bool {
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, err := netip.ParseAddr(s)
			if err != nil {
				return false
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if !p.Addr().IsLoopback() || p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 128 {
			return false
		}
	}
	return len(list) > 0
}

// DefaultRecheck is how often providers are asked for the people who are logged
// in.
const DefaultRecheck = 5 * time.Minute

// checkSignIn holds all ways to sign in together.
func (i Identity) checkSignIn() error {
	if i.Recheck < 0 || i.Recheck > 0 && i.Recheck < time.Second || i.Recheck > 24*time.Hour {
		return errors.New("identity.recheck is 1s to 24h")
	}
	seen := map[string]bool{}
	for _, o := range i.OIDC {
		if err := errors.Join(o.check(), ranges("allow", o.Allow)); err != nil {
			return fmt.Errorf("identity.oidc %q: %w", o.ID, err)
		}
		if seen[o.ID] {
			return fmt.Errorf("identity.oidc %q: the id is there twice", o.ID)
		}
		seen[o.ID] = true
	}
	for _, l := range i.LDAP {
		if err := errors.Join(l.check(), ranges("allow", l.Allow)); err != nil {
			return fmt.Errorf("identity.ldap %q: %w", l.ID, err)
		}
		if seen[l.ID] {
			return fmt.Errorf("identity.ldap %q: the id is there twice", l.ID)
		}
		seen[l.ID] = true
	}
	return nil
}
