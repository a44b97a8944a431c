package authorization

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// Faults of trying a host's login (contract/errors.csv).
var (
	ErrCheckOff   = fault.New(fault.Forbidden, fault.CodeNoPermission, "本服务未开启主机登录校验，请直接授权", "checking host logins is switched off on this service: grant without it")
	ErrPassword   = fault.New(fault.Invalid, "OSM.01010003", "账号与密码不匹配", "Account and password not matched.")
	ErrReach      = fault.New(fault.Unavailable, "OSM.01010047", "目标主机连接超时", "Target host connect time out.")
	errCheckOften = fault.New(fault.TooMany, "APIGW.0308", "校验过于频繁，请稍后再试", "too many tries of host logins, please try again later")
	errNoHost     = fault.New(fault.Invalid, fault.CodeInvalid, "只能校验主机类授权", "only hosts can be checked").In("authorization_detail_id")
	errNoAddress  = fault.New(fault.Invalid, fault.CodeInvalid, "工程师未填写主机地址，无法校验", "the engineer named no address for this host: it cannot be checked").In("authorization_detail_id")
	stepCheck     = locale.Texts{ZH: "校验", EN: "checked"}
)

// Try is a login to be tried.
type Try struct {
	Detail            int64
	Group             string
	Port              int // 1 to 65535
	Account, Password string
}

// Outcomes of a try, as they are kept.
const (
	outcomeOK       = "ok"
	outcomePassword = "password"
	outcomeReach    = "unreachable"
)

const maxTried = 1024 // VerifyHostV2Req.password

// CheckHost tries the login of a host over SSH (a password, or a private key in
// its place) at the address the engineer named, within 5 seconds, through the
// guard (threats.md D12). Nothing is kept of what was tried; the outcome and
// the host key's fingerprint are recorded, the key is not verified. Failures:
// OSM.01010002 (switched off; state), .32 (unknown detail), .01 (no host, no
// address), .03 (refused), .47 (not reached, or the address is not allowed),
// APIGW.0308 (more than 10 tries a minute).
func (s *Service) CheckHost(ctx context.Context, who principal.Principal, in Try) error {
	if !s.o.Config.CheckHosts.Enabled {
		return ErrCheckOff
	}
	switch {
	case in.Port < 1 || in.Port > 65535:
		return fault.OutOfRange.In("port").With("min", 1).With("max", 65535)
	case in.Account == "":
		return fault.Missing.In("account")
	case utf8.RuneCountInString(in.Account) > maxAccount:
		return fault.TooLong.In("account").With("max", maxAccount)
	case in.Password == "":
		return fault.Missing.In("password")
	case utf8.RuneCountInString(in.Password) > maxTried:
		return fault.TooLong.In("password").With("max", maxTried)
	}
	var d Detail
	var a Authorization
	// The first transaction counts the try before any connection is made, so that
	// tries at once cannot pass the limit; a repeated request finds its own.
	id, err := db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		var err error
		if a, d, err = s.tryable(tx, who, in); err != nil {
			return "", err
		}
		tx.Lock(who.Domain, "authorization.check."+who.User)
		const minute = 60_000
		var n int
		var oldest int64
		err = tx.Get("SELECT count(*), coalesce(min(at), 0) FROM authorization_checks WHERE domain_id = ? AND user_id = ? AND at > ?", who.Domain, who.User, tx.Now-minute).Scan(&n, &oldest)
		if err != nil {
			return "", err
		}
		if n >= s.o.Config.CheckHosts.PerMinute {
			return "", errCheckOften.After(time.Duration(oldest+minute-tx.Now) * time.Millisecond)
		}
		id := tx.NewID()
		tx.Write(1, "INSERT INTO authorization_checks (domain_id, id, user_id, detail_id, at, outcome) VALUES (?, ?, ?, ?, ?, '')", who.Domain, id, who.User, d.ID, tx.Now)
		return id, nil
	})
	if err != nil {
		return err
	}
	if db.Replayed(ctx) {
		var outcome string
		err := s.db.View(ctx, func(tx *db.Tx) error {
			err := tx.Get("SELECT outcome FROM authorization_checks WHERE domain_id = ? AND id = ?", who.Domain, id).Scan(&outcome)
			if err != nil {
				return err
			}
			a, d, err = s.tryable(tx, who, in)
			return err
		})
		if err != nil || outcome != "" {
			return errors.Join(err, faultOf(outcome))
		}
	}
	outcome, key := s.login(ctx, d.Address, in)
	// The try has happened: it is recorded also when the caller has gone.
	err = s.db.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error {
		tx.Write(1, "UPDATE authorization_checks SET outcome = ? WHERE domain_id = ? AND id = ?", outcome, who.Domain, id)
		now, err := load(tx, a.Domain, a.ID)
		if err != nil {
			return err
		}
		record(tx, who, now, "check", map[string]any{"detail": d.ID, "port": in.Port, "outcome": outcome, "host_key": key})
		return nil
	})
	if err != nil {
		return err
	}
	return faultOf(outcome)
}

func faultOf(outcome string) error {
	switch outcome {
	case outcomePassword:
		return ErrPassword
	case outcomeReach:
		return ErrReach
	}
	return nil
}

// tryable finds the host: one of an authorization that is the caller's to
// answer or answered.
func (s *Service) tryable(tx *db.Tx, who principal.Principal, in Try) (a Authorization, d Detail, err error) {
	if who.Kind != principal.Customer {
		return a, d, fault.NoPermission
	}
	if _, err := privilege.ScopeOf(tx, who, in.Group); err != nil {
		return a, d, err // the group first, as everywhere
	}
	d, err = scanDetail(tx.Get("SELECT "+detailColumns+" FROM authorization_details WHERE domain_id = ? AND id = ?", who.Domain, in.Detail))
	if err != nil {
		return a, d, err
	}
	a, _, err = visible(tx, who, d.auth, in.Group)
	switch {
	case errors.Is(err, ErrNone):
		return a, d, ErrNoDetail
	case err != nil:
		return a, d, err
	case a.Status != Asked && a.Status != Granted:
		return a, d, stateFault(stepCheck, a.Status)
	case d.Kind != Host:
		return a, d, errNoHost
	case d.Address == "":
		return a, d, errNoAddress
	}
	return a, d, nil
}

// login tries the login and tells how it went, and the host key's fingerprint
// where one was shown.
func (s *Service) login(ctx context.Context, address string, in Try) (outcome, key string) {
	var auth []ssh.AuthMethod
	signer, err := ssh.ParsePrivateKey([]byte(in.Password))
	var locked *ssh.PassphraseMissingError
	switch {
	case err == nil:
		auth = []ssh.AuthMethod{ssh.PublicKeys(signer)}
	case errors.As(err, &locked):
		return outcomePassword, "" // a key nobody here can open
	default:
		auth = []ssh.AuthMethod{ssh.Password(in.Password), ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range questions {
				if !echos[i] { // hosts with PAM ask for the password this way
					answers[i] = in.Password
				}
			}
			return answers, nil
		})}
	}
	ctx, cancel := context.WithTimeout(ctx, s.o.Reach)
	defer cancel()
	conn, err := s.dialer.DialContext(ctx, "tcp", net.JoinHostPort(address, fmt.Sprint(in.Port)))
	if err != nil {
		return outcomeReach, ""
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // a host that says nothing
	defer stop()
	c, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{User: in.Account, Auth: auth, ClientVersion: "SSH-2.0-Casemate",
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error { key = ssh.FingerprintSHA256(k); return nil }})
	switch {
	case err == nil:
		go ssh.DiscardRequests(requests)
		go func() {
			for ch := range channels {
				_ = ch.Reject(ssh.Prohibited, "") // nothing is opened from a host
			}
		}()
		_ = c.Close() // the login was all
		return outcomeOK, key
	case ctx.Err() == nil && key != "" && (strings.Contains(err.Error(), "unable to authenticate") || strings.Contains(err.Error(), "disconnect, reason")):
		// The library has no type for it: the host was an SSH server and said no.
		return outcomePassword, key
	}
	return outcomeReach, key
}

// purgeChecks forgets tries after a day: the limit looks back a minute, repeats
// of a request come within minutes.
func (s *Service) purgeChecks(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "DELETE FROM authorization_checks /* all domains: purge */ WHERE at <= ?", tx.Now-ms(day))
		return nil
	})
}
