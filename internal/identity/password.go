package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/argon2"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Argon2id's cost: 19 MiB, two passes, one lane (threats.md C7).
const (
	argonMemory = 19 * 1024
	argonTime   = 2
	argonLen    = 32
)

// hasher lets one hash run per core and a bounded number wait.
type hasher struct {
	slots  chan struct{}
	queue  chan struct{}
	memory uint32 // KiB a hash

	mu     sync.Mutex
	cycles uint64 // of the garbage collector, when the last hash ended
	litter uint32 // KiB that hashes left since then
}

func newHasher(memory uint32) *hasher {
	n := runtime.NumCPU()
	if memory == 0 {
		memory = argonMemory
	}
	return &hasher{slots: make(chan struct{}, n), queue: make(chan struct{}, 32*n), memory: memory}
}

// run calls f when a core is free; ErrBusy when too many wait.
func (h *hasher) run(ctx context.Context, f func()) error {
	select {
	case h.queue <- struct{}{}:
		defer func() { <-h.queue }()
	default:
		return fault.Busy.After(2 * time.Second)
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	f()
	h.tidy()
	return nil
}

// tidy has the garbage collected when hashes left as much as they may use at
// once: left to itself the collector waits until the heap has grown by a
// multiple, which is what a log-in flood would take (threats.md C7).
func (h *hasher) tidy() {
	sample := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(sample)
	h.mu.Lock()
	if cycles := sample[0].Value.Uint64(); cycles != h.cycles {
		h.cycles, h.litter = cycles, 0
	}
	h.litter += h.memory
	full := h.litter >= uint32(cap(h.slots))*h.memory && h.memory >= argonMemory
	h.mu.Unlock()
	if full {
		runtime.GC()
	}
}

func (h *hasher) hash(ctx context.Context, password string, salt []byte) (out string, err error) {
	err = h.run(ctx, func() {
		sum := argon2.IDKey([]byte(password), salt, argonTime, h.memory, 1, argonLen)
		out = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=1$%s$%s", h.memory, argonTime, base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
	})
	return out, err
}

// matches compares in constant time.
func (h *hasher) matches(ctx context.Context, stored, password string) (ok bool, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("identity: a stored password is not understood")
	}
	var memory, passes uint32
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=1", &memory, &passes); err != nil {
		return false, err
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, err
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil {
		return false, err
	}
	err = h.run(ctx, func() {
		got := argon2.IDKey([]byte(password), salt, passes, memory, 1, uint32(len(want)))
		ok = subtle.ConstantTimeCompare(got, want) == 1
	})
	return ok, err
}

// nobody is compared against when there is no such user, so that the answer
// takes as long.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func checkPassword(name, password string) error {
	n := len([]rune(password))
	if n < 8 || n > 64 || foldName(password) == foldName(name) {
		return ErrPassword
	}
	return nil
}

// ErrLogin is the one answer to every failed log-in: locked, unknown, wrong
// password and wrong domain look alike (threats.md C5).
var ErrLogin = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：用户名或密码错误，或用户暂时被锁定", "Incorrect IAM authentication information: the user name or password is wrong, or the user is locked for a while")

// The log-in limits.
const (
	loginFailures       = 5
	loginWindow         = 15 * time.Minute
	addressFailures     = 10
	addressWindow       = time.Hour
	addressSlowestDelay = 4 * time.Second
)

// Login is a request to log in with a password.
type Login struct {
	Domain, DomainID string // one of them, unless UserID is given
	User, UserID     string
	Password         string
	Code             string // of the second factor, or a recovery code; of log-ins through the APIs
	Address          string
	Engineer         bool // to the desk; else to the customer API
	// Scope judges the user's domain: the id of the project to scope the token
	// to ("" = the domain), ok false for a scope that is not the domain's. nil =
	// domain scope.
	Scope func(Domain) (project string, ok bool)
}

func (s *Service) loginSubject(domain, user string) string {
	return s.keys.Lookup("login", domain+"/"+foldName(user))
}

// addressKey is an address or, of IPv6, its /64.
func addressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "address " + address
	}
	if a = a.Unmap(); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return "address " + p.String()
		}
	}
	return "address " + a.String()
}

// Login checks a password and issues a token. Five failures in 15 minutes lock
// the user for the rest of the window; ten an hour slow an address down. It
// fails with ErrLogin for every reason the caller may not tell apart, and with
// fault.Unavailable when too many log in at once. Of a user with a second factor
// who gave the right password it fails with ErrCodeNeeded, ErrCode or ErrEnrol.
func (s *Service) Login(ctx context.Context, l Login) (Token, error) {
	p, err := s.prove(ctx, l)
	if err != nil {
		return Token{}, err
	}
	methods, err := s.secondStep(ctx, p, l.Code, l.Address)
	if err != nil {
		return Token{}, err
	}
	return s.issue(ctx, p.user, p.domain, methods, p.project, p.subject, 0)
}

// proved is who a log-in's password belongs to.
type proved struct {
	user    User
	domain  Domain
	project string
	subject string // whose failures end with the log-in

	method, provider string // how, and by which identity provider, "" = Casemate's own password
}

// prove checks a log-in's password, within the limits that Login states.
func (s *Service) prove(ctx context.Context, l Login) (proved, error) {
	var (
		u        User
		d        Domain
		password = nobody
		found    bool
		failures int
		slow     int
		subject  string
		linked   map[string]string
	)
	err := s.db.View(ctx, func(tx *db.Tx) error {
		var err error
		if u, d, password, found, err = s.findLogin(tx, l); err != nil {
			return err
		}
		subject = s.loginSubject(l.DomainID+l.Domain, l.User+l.UserID)
		if found {
			if err := s.open(ctx, &u); err != nil {
				return err
			}
			subject = s.loginSubject(u.Domain, u.Name)
			if linked, err = linksOf(tx, u.Domain, u.ID); err != nil {
				return err
			}
		}
		if err := tx.Get("SELECT count(*) FROM login_failures WHERE subject = ? AND at > ?", subject, before(tx.Now, loginWindow)).Scan(&failures); err != nil {
			return err
		}
		return tx.Get("SELECT count(*) FROM login_failures WHERE subject = ? AND at > ?", addressKey(l.Address), before(tx.Now, addressWindow)).Scan(&slow)
	})
	if err != nil {
		return proved{}, err
	}
	if slow >= addressFailures && l.Address != "" {
		select {
		case <-time.After(min(time.Duration(slow-addressFailures+1)*250*time.Millisecond, addressSlowestDelay)):
		case <-ctx.Done():
			return proved{}, ctx.Err()
		}
	}
	ok, err := s.hasher.matches(ctx, password, l.Password)
	if err != nil {
		return proved{}, err
	}
	provider, method := "", ByPassword
	// Who is linked to a directory logs in with the password there, and whom nobody
	// here knows may be one of its people. A user of Casemate's own is never theirs,
	// whatever the name.
	asks := failures < loginFailures && l.UserID == "" && d.ID != "" && (d.ID == principal.House) == l.Engineer
	if asks && found && len(linked) == 0 && !ok {
		s.feint(ctx, d.ID)
	}
	if asks && (!found || len(linked) > 0) {
		p, there, err := s.byDirectory(ctx, d.ID, linked, found, l.User, l.Password)
		if err != nil {
			return proved{}, err
		}
		if there {
			made, of, err := s.admit(ctx, p)
			if err != nil && !refusal(err) && !errors.Is(err, ErrLogin) {
				return proved{}, err
			}
			if err != nil {
				s.log.InfoContext(ctx, "log-in refused", "provider", p.provider, "why", err)
			}
			ok = err == nil && (!found || made.ID == u.ID)
			if ok {
				u, d, found, provider, method = made, of, true, p.provider, ByLDAP
			}
		} else if directoryOf(s.outside.directories, linked) {
			ok = false
		}
	}
	kind := found && (u.Domain == principal.House) == l.Engineer
	project, scoped := "", true
	if l.Scope != nil {
		project, scoped = l.Scope(d)
	}
	if !ok || !kind || !scoped || u.Disabled || d.Disabled || failures >= loginFailures {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			if found {
				lockFailures(tx, u)
			}
			for _, sub := range []string{subject, addressKey(l.Address)} {
				tx.Write(1, "INSERT INTO login_failures (subject, id, at) VALUES (?, ?, ?)", sub, tx.NewID(), tx.Now)
			}
			var n int // counted here and not before the password was checked: many try at once
			err := tx.Get("SELECT count(*) FROM login_failures WHERE subject = ? AND at > ?", subject, before(tx.Now, loginWindow)).Scan(&n)
			if err == nil && found {
				err = recordFailure(ctx, tx, u, l.Address, whyNot(n > loginFailures, ok, u.Disabled || d.Disabled), false, n)
			}
			return err
		})
		if err != nil {
			return proved{}, err
		}
		return proved{}, ErrLogin
	}
	return proved{user: u, domain: d, project: project, subject: subject, method: method, provider: provider}, nil
}

// directoryOf tells whether a directory that is configured vouches for a user:
// no password kept here counts for them.
func directoryOf(all []*directory, linked map[string]string) bool {
	return slices.ContainsFunc(all, func(d *directory) bool { _, is := linked[d.ID]; return is })
}

// findLogin finds the user a log-in means.
func (s *Service) findLogin(tx *db.Tx, l Login) (u User, d Domain, password string, found bool, err error) {
	password = nobody
	switch {
	case l.Engineer:
		d = Domain{ID: principal.House, Name: principal.House}
	case l.UserID != "":
		err = tx.Get("SELECT domain_id FROM users WHERE id = ? /* all domains: log-in by user id */", l.UserID).Scan(&l.DomainID)
		if err == nil {
			d, err = DomainIn(tx, l.DomainID)
		}
	case l.DomainID != "":
		d, err = DomainIn(tx, l.DomainID)
	default:
		d, err = scanDomain(tx.Get("SELECT "+domainColumns+" FROM domains WHERE name = ?", l.Domain))
	}
	if err == nil && l.UserID != "" {
		u, err = scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", d.ID, l.UserID))
	} else if err == nil {
		u, err = scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND name_hash = ?", d.ID, s.nameHash(d.ID, l.User)))
	}
	if err == nil && u.Partner != "" {
		_, err = PartnerIn(tx, u.Partner)
	}
	if err == nil {
		err = tx.Get("SELECT password FROM users WHERE domain_id = ? AND id = ?", d.ID, u.ID).Scan(&password)
	}
	if errors.Is(err, db.ErrNone) || fault.KindOf(err) == fault.NotFound {
		return u, d, nobody, false, nil
	}
	return u, d, password, err == nil, err
}
