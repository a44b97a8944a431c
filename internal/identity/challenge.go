package identity

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"casemate/internal/db"
)

// Challenges of log-ins whose password was right.
const (
	challengeLife = 5 * time.Minute
	enrolLife     = 15 * time.Minute // who sets the app up needs longer
	challengeMost = 5                // wrong codes
)

// Challenge is what a log-in still asks: a code, and where Enrolment is set,
// first that the user sets the second factor up with it.
type Challenge struct {
	Secret    string
	Expires   int64 // milliseconds UTC
	Enrolment *Enrolment
}

func (s *Service) challengeHash(secret string) string {
	return s.keys.Lookup("login challenge", secret)
}

// LoginBrowser checks a password as Login does and opens a session of a browser,
// or answers a challenge where the user has or must have a second factor. The
// session the browser had before ends with the new one. It fails as Login does.
func (s *Service) LoginBrowser(ctx context.Context, l Login, b Browser) (Session, *Challenge, error) {
	p, err := s.prove(ctx, l)
	if err != nil {
		return Session{}, nil, err
	}
	var code, enrol bool
	err = s.db.View(ctx, func(tx *db.Tx) (err error) { code, enrol, err = s.needed(tx, p.user); return err })
	if err != nil {
		return Session{}, nil, err
	}
	if code || enrol {
		c, err := s.challenge(ctx, p, enrol)
		return Session{}, c, err
	}
	o, err := s.openSession(ctx, p, p.method, p.provider, b)
	return o, nil, err
}

// challenge makes one; the user's earlier ones end, so that guesses are not
// multiplied by them.
func (s *Service) challenge(ctx context.Context, p proved, enrol bool) (*Challenge, error) {
	c := &Challenge{Secret: "cmc_" + base64.RawURLEncoding.EncodeToString(s.db.Random(32))}
	hash := s.challengeHash(c.Secret)
	life, sealed := challengeLife, ""
	if enrol {
		e, text, err := s.newFactor(ctx, p.user, p.domain)
		if err != nil {
			return nil, err
		}
		c.Enrolment, sealed, life = &e, text, enrolLife
	}
	return c, s.db.Update(ctx, func(tx *db.Tx) error {
		c.Expires = tx.Real + life.Milliseconds()
		if enrol {
			now, err := readFactor(tx, p.user.Domain, p.user.ID)
			if err != nil {
				return err
			}
			if now.confirmed > 0 {
				return ErrLogin // meanwhile it was set up elsewhere
			}
			putFactor(tx, p.user, sealed)
		}
		tx.Write(db.Any, "DELETE FROM login_challenges WHERE domain_id = ? AND user_id = ?", p.user.Domain, p.user.ID)
		tx.Write(1, "INSERT INTO login_challenges (hash, domain_id, user_id, method, provider, enrol, tries, expires_at) VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
			hash, p.user.Domain, p.user.ID, p.method, p.provider, number(enrol), c.Expires)
		return nil
	})
}

// AnswerChallenge opens the session of a log-in with a code of the second factor
// or a recovery code. Of a factor that was to be set up the code confirms it, and
// recovery codes are answered. It fails with ErrCode for all reasons alike; after
// five wrong codes the challenge is over, and codes of the user are refused for
// the rest of 15 minutes.
func (s *Service) AnswerChallenge(ctx context.Context, secret, code string, b Browser) (Session, []string, error) {
	if err := s.slowDown(ctx, b.Address); err != nil {
		return Session{}, nil, err
	}
	if !strings.HasPrefix(secret, "cmc_") {
		return Session{}, nil, ErrCode
	}
	hash := s.challengeHash(secret)
	var (
		p     proved
		f     factorRow
		enrol int64
	)
	err := s.db.View(ctx, func(tx *db.Tx) error {
		var domain, user string
		err := tx.Get("SELECT domain_id, user_id, method, provider, enrol FROM login_challenges WHERE hash = ? AND expires_at > ? AND tries < ?", hash, tx.Real, challengeMost).
			Scan(&domain, &user, &p.method, &p.provider, &enrol)
		if err != nil {
			return err
		}
		if p.user, p.domain, err = loadHolder(tx, domain, user); err != nil {
			return err
		}
		f, err = readFactor(tx, domain, user)
		return err
	})
	if errors.Is(err, db.ErrNone) || errors.Is(err, ErrToken) || errors.Is(err, ErrNoDomain) {
		err = ErrCode
	}
	if err == nil {
		err = s.open(ctx, &p.user)
	}
	if err != nil {
		return Session{}, nil, err
	}
	key, err := s.openFactor(ctx, p.user.ID, f)
	if err != nil {
		return Session{}, nil, err
	}
	codes, hashes := []string(nil), []string(nil)
	tell := func(*db.Tx) error { return nil }
	if enrol == 1 {
		codes, hashes = s.newRecovery(p.user)
		tell = s.alert(ctx, s.entering(ctx, p.user), p.user.Domain, p.user.ID, AlertFactorOn)
	}
	taken := false
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if taken, err = s.countedCode(tx, p.user, f, key, code, b.Address, enrol == 0); err != nil {
			return err
		}
		if !taken {
			tx.Write(db.Any, "UPDATE login_challenges SET tries = tries + 1 WHERE hash = ?", hash)
			return nil
		}
		var got string // once only
		err = tx.Get("DELETE FROM login_challenges WHERE hash = ? AND tries < ? RETURNING user_id", hash, challengeMost).Scan(&got)
		if errors.Is(err, db.ErrNone) {
			return ErrCode
		}
		if err == nil && enrol == 1 {
			confirm(tx, s.entering(ctx, p.user), p.user, hashes)
			err = tell(tx)
		}
		return err
	})
	if err == nil && !taken {
		err = ErrCode
	}
	if err != nil {
		return Session{}, nil, err
	}
	// Failures of the password count as forgiven only now.
	p.subject = s.loginSubject(p.user.Domain, p.user.Name)
	o, err := s.openSession(ctx, p, p.method+withOTP, p.provider, b)
	if err != nil {
		return Session{}, nil, err
	}
	return o, codes, nil
}

// countedCode takes a code within the limits: five wrong ones in 15 minutes are
// the last ones, and each slows the address down.
func (s *Service) countedCode(tx *db.Tx, u User, f factorRow, key []byte, code, address string, recovery bool) (taken bool, err error) {
	subject := s.codeSubject(u)
	lockFailures(tx, u)
	failures, err := failuresOf(tx, subject)
	if err != nil {
		return false, err
	}
	now, err := readFactor(tx, u.Domain, u.ID)
	if err != nil {
		return false, err
	}
	if failures < loginFailures && now.sealed != "" && now.sealed == f.sealed && now.confirmed == f.confirmed {
		if taken, err = s.takeCode(tx, u, now, key, code, recovery); err != nil {
			return false, err
		}
	}
	if taken {
		tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", subject)
		return true, nil
	}
	why := WhyCode
	if failures >= loginFailures {
		why = WhyLocked
	}
	if err := recordFailure(tx.Context(), tx, u, address, why, true, failures+1); err != nil {
		return false, err
	}
	for _, sub := range []string{subject, addressKey(address)} {
		tx.Write(1, "INSERT INTO login_failures (subject, id, at) VALUES (?, ?, ?)", sub, tx.NewID(), tx.Real)
	}
	return false, nil
}

// secondStep asks of a log-in through the APIs what its user's second factor
// demands; it returns the methods of the token.
func (s *Service) secondStep(ctx context.Context, p proved, code, address string) ([]string, error) {
	methods := []string{"password"}
	var (
		f     factorRow
		enrol bool
	)
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		f, err = readFactor(tx, p.user.Domain, p.user.ID)
		enrol = f.confirmed == 0 && s.mustHave(p.user)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case enrol:
		return nil, ErrEnrol
	case f.confirmed == 0:
		return methods, nil
	case code == "":
		return nil, ErrCodeNeeded
	}
	key, err := s.openFactor(ctx, p.user.ID, f)
	if err != nil {
		return nil, err
	}
	taken := false
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		taken, err = s.countedCode(tx, p.user, f, key, code, address, true)
		return err
	})
	if err == nil && !taken {
		err = ErrCode
	}
	return append(methods, "totp"), err
}
