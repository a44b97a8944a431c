package identity

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"casemate/internal/config"
	"casemate/internal/guard"
)

// directory is a configured LDAP server.
type directory struct {
	config.LDAP
	guard    guard.Guard
	tls      *tls.Config
	password string
	places   chan struct{} // connections at once
}

// directoryPlaces bounds what a flood of log-ins opens to a directory.
const directoryPlaces = 8

func newDirectory(c config.LDAP) (*directory, error) {
	d := &directory{LDAP: c, places: make(chan struct{}, directoryPlaces)}
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	if d.guard, err = guard.New(c.Allow); err != nil {
		return nil, err
	}
	d.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		if d.tls, err = trust(c.CAFile); err != nil {
			return nil, err
		}
	}
	d.tls.ServerName = u.Hostname()
	if d.password, err = c.BindPassword.Read(); err != nil {
		return nil, fmt.Errorf("bind_password: %w", err)
	}
	return d, nil
}

// issuer names the directory in links, whatever its address becomes.
func (d *directory) issuer() string { return "ldap:" + d.ID }

var errNoEntry = errors.New("no such person in the directory")

// connect dials behind the guard, with TLS as configured, and binds as the one
// who searches.
func (d *directory) connect(ctx context.Context) (*ldap.Conn, error) {
	dialer := d.guard.Dialer()
	dialer.Timeout = d.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		dialer.Deadline = deadline
	}
	c, err := ldap.DialURL(d.URL, ldap.DialWithDialer(dialer), ldap.DialWithTLSConfig(d.tls))
	if err != nil {
		return nil, err
	}
	c.SetTimeout(d.Timeout)
	if d.StartTLS {
		if err := c.StartTLS(d.tls); err != nil {
			_ = c.Close()
			return nil, err
		}
	}
	if err := d.bind(c); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (d *directory) bind(c *ldap.Conn) error {
	if d.BindDN == "" {
		return c.UnauthenticatedBind("")
	}
	return c.Bind(d.BindDN, d.password)
}

// do runs f with a connection, of which there are few.
func (d *directory) do(ctx context.Context, f func(c *ldap.Conn) error) error {
	select {
	case d.places <- struct{}{}:
		defer func() { <-d.places }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c, err := d.connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// filled puts values into a filter, escaped (RFC 4515): no name ends or widens
// it.
func filled(filter, name, dn string) string {
	return strings.NewReplacer("{name}", ldap.EscapeFilter(name), "{dn}", ldap.EscapeFilter(dn)).Replace(filter)
}

// entry finds the one person a filter means; errNoEntry for none and for two.
func (d *directory) entry(c *ldap.Conn, filter string) (*ldap.Entry, error) {
	res, err := c.Search(ldap.NewSearchRequest(d.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 2, int(d.Timeout.Seconds())+1, false, filter,
		[]string{d.Unique, d.NameAttr, d.MailAttr, d.MemberOf}, nil))
	if ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		return nil, errNoEntry
	}
	if err != nil {
		return nil, err
	}
	if len(res.Entries) != 1 {
		return nil, errNoEntry
	}
	return res.Entries[0], nil
}

// person reads what an entry says.
func (d *directory) person(c *ldap.Conn, e *ldap.Entry, login string) (person, error) {
	p := person{provider: d.ID, people: d.People, issuer: d.issuer(), name: e.GetAttributeValue(d.NameAttr), mail: e.GetAttributeValue(d.MailAttr), groups: e.GetAttributeValues(d.MemberOf)}
	raw := e.GetRawAttributeValue(d.Unique)
	if len(raw) == 0 {
		return p, fmt.Errorf("the entry has no attribute %s", d.Unique)
	}
	if p.subject = string(raw); !utf8.ValidString(p.subject) || strings.ContainsRune(p.subject, 0) {
		p.subject = hex.EncodeToString(raw) // objectGUID is 16 bytes
	}
	if p.name == "" {
		p.name = login
	}
	if d.GroupBase == "" {
		return p, nil
	}
	res, err := c.SearchWithPaging(ldap.NewSearchRequest(d.GroupBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, int(d.Timeout.Seconds())+1, false,
		filled(d.GroupFilter, login, e.DN), []string{d.GroupAttr}, nil), 500)
	if err != nil {
		return p, err
	}
	for _, g := range res.Entries {
		p.groups = append(append(p.groups, g.DN), g.GetAttributeValues(d.GroupAttr)...)
	}
	return p, nil
}

// verify checks a password by binding as the person who has the name. It fails
// with errNoEntry for a wrong name or password; all else is a failure to find
// out.
func (d *directory) verify(ctx context.Context, name, password string) (p person, err error) {
	if password == "" {
		return p, errNoEntry // a bind without a password is anonymous and succeeds (RFC 4513 section 5.1.2)
	}
	err = d.do(ctx, func(c *ldap.Conn) error {
		e, err := d.entry(c, filled(d.Filter, name, ""))
		if err != nil {
			return err
		}
		if err := c.Bind(e.DN, password); err != nil {
			if ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) || ldap.IsErrorWithCode(err, ldap.LDAPResultInappropriateAuthentication) ||
				ldap.IsErrorWithCode(err, ldap.LDAPResultUnwillingToPerform) || ldap.IsErrorWithCode(err, ldap.LDAPResultConstraintViolation) {
				return errNoEntry
			}
			return err
		}
		if err := d.bind(c); err != nil { // again as the one who may read groups
			return err
		}
		p, err = d.person(c, e, name)
		return err
	})
	return p, err
}

// look reads how a person stands now, by the subject of the link; errNoEntry
// when the filter finds the person no more.
func (d *directory) look(ctx context.Context, subject string) (p person, err error) {
	value := ldap.EscapeFilter(subject)
	if raw, err := hex.DecodeString(subject); err == nil && strings.EqualFold(d.Unique, "objectGUID") {
		value = ldap.EscapeFilter(string(raw))
	}
	everybody := strings.NewReplacer("{name}", "*").Replace(d.Filter)
	err = d.do(ctx, func(c *ldap.Conn) error {
		e, err := d.entry(c, "(&"+everybody+"("+d.Unique+"="+value+"))")
		if err != nil {
			return err
		}
		p, err = d.person(c, e, e.GetAttributeValue(d.NameAttr))
		return err
	})
	return p, err
}

// firstRDN is the value of a DN's first part.
func firstRDN(dn string) (string, bool) {
	if !strings.Contains(dn, "=") {
		return "", false
	}
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 || len(parsed.RDNs[0].Attributes) == 0 {
		return "", false
	}
	return parsed.RDNs[0].Attributes[0].Value, true
}

// byDirectory asks the directories of a log-in's domain for a user whom they
// vouch for: the one the user is linked to, or for an unknown name each. ok is
// false when none knows name and password. errDirectory: the one the user is
// linked to does not answer.
func (s *Service) byDirectory(ctx context.Context, domain string, linked map[string]string, known bool, name, password string) (p person, ok bool, err error) {
	for _, d := range s.outside.directories {
		if _, is := linked[d.ID]; d.People.Domain != domain || known && !is {
			continue
		}
		p, err := d.verify(ctx, name, password)
		if errors.Is(err, errNoEntry) {
			continue
		}
		if err != nil {
			s.log.WarnContext(ctx, "directory", "provider", d.ID, "error", err)
			if known {
				return p, false, errDirectory
			}
			continue // as if it knew nobody of the name, or the answer would tell which names are known here
		}
		return p, true, nil
	}
	return person{}, false, nil
}

// feint asks the directories of a domain for nobody, so that a wrong password of
// a user of Casemate's own takes as long as one of a name that only a directory
// may know (threats.md C5).
func (s *Service) feint(ctx context.Context, domain string) {
	for _, d := range s.outside.directories {
		if d.People.Domain == domain {
			_, _ = d.verify(ctx, "nobody-"+s.db.NewID(), "nothing")
		}
	}
}
