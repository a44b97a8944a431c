package identity

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// The second factor: RFC 6238 with what all authenticator apps know. A code is
// taken one step early or late, for clocks that differ (RFC 6238 section 5.2).
const (
	otpStep     = 30000 // milliseconds
	otpSkew     = 1     // steps
	otpBytes    = 20    // of the secret (RFC 4226 section 4, R6)
	recoveries  = 10
	recoverySet = "0123456789abcdefghjkmnpqrstvwxyz" // Crockford's
)

// Faults of the second factor.
var (
	// ErrCode: the code is wrong, was used, or too many wrong ones were given.
	ErrCode = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：验证码错误、已使用，或错误次数过多", "Incorrect IAM authentication information: the code is wrong or was used, or too many wrong ones were given")
	// ErrCodeNeeded: the password is right, and a code is missing.
	ErrCodeNeeded = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：需要第二因素验证码", "Incorrect IAM authentication information: a code of the second factor is needed")
	// ErrEnrol: the user must set a second factor up first.
	ErrEnrol     = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：请先在浏览器登录并设置第二因素", "Incorrect IAM authentication information: log in with a browser and set a second factor up first")
	errWrongCode = fault.New(fault.Invalid, fault.CodeInvalid, "验证码错误或已使用", "the code is wrong or was used").In("code")
	errFactorOn  = fault.New(fault.Conflict, fault.CodeNoPermission, "已启用第二因素，请先停用", "there is a second factor; give it up first")
	// ErrNoFactor: the user has none.
	ErrNoFactor     = fault.New(fault.Conflict, fault.CodeNoPermission, "尚未设置第二因素", "there is no second factor")
	errFactorNeeded = fault.New(fault.Forbidden, fault.CodeNoPermission, "您的角色必须使用第二因素", "your role must have a second factor")
)

// Enrolment is a new secret for an authenticator app.
type Enrolment struct {
	Secret string // in base32
	URI    string // otpauth://totp/...
	QR     string // the picture of it, an SVG as data URL
}

// Factor is how a user's second factor stands.
type Factor struct {
	Active    bool
	Required  bool
	Confirmed int64 // milliseconds UTC
	Left      int   // recovery codes that are not used
}

// otpCode is the code of a step (RFC 6238, RFC 4226).
func otpCode(secret []byte, step int64) (string, error) {
	return hotp.GenerateCodeCustom(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret), uint64(step),
		hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
}

// otpMatch is the step whose code was given, of those near now and behind last;
// 0 = none.
func otpMatch(secret []byte, code string, now, last int64) (found int64, err error) {
	for step := now/otpStep - otpSkew; step <= now/otpStep+otpSkew; step++ {
		want, err := otpCode(secret, step)
		if err != nil {
			return 0, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 && step > last {
			found = step
		}
	}
	return found, nil
}

// cleanCode is a code as compared: people type spaces and hyphens, and capitals.
func cleanCode(code string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\u3000", "").Replace(code))
}

func factorPlace(user string) seal.Place {
	return seal.Place{Table: "second_factors", Column: "secret", Row: user}
}

func (s *Service) recoveryHash(domain, user, code string) string {
	return s.keys.Lookup("recovery "+domain+"/"+user, code)
}

// mustHave tells whether the settings demand a second factor of a user.
func (s *Service) mustHave(u User) bool {
	for _, r := range s.o.SecondFactor.Required {
		if r == u.Role && u.Domain == principal.House || u.Domain != principal.House && (r == config.CustomerUsers || r == config.MainAccounts && u.Main) {
			return true
		}
	}
	return false
}

// factorRow is a row of second_factors.
type factorRow struct {
	sealed          string
	confirmed, last int64
}

func readFactor(tx *db.Tx, domain, user string) (f factorRow, err error) {
	err = tx.Get("SELECT secret, confirmed_at, last_step FROM second_factors WHERE domain_id = ? AND user_id = ?", domain, user).Scan(&f.sealed, &f.confirmed, &f.last)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return f, err
}

// newFactor makes a secret, sealed with the person's key, and what shows it;
// ErrLogin for an erased one.
func (s *Service) newFactor(ctx context.Context, u User, d Domain) (e Enrolment, sealed string, err error) {
	secret := s.db.Random(otpBytes)
	e.Secret = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	issuer := s.o.SecondFactor.WithDefaults().Issuer
	account := u.Name
	if u.Domain != principal.House {
		account = d.Name + "/" + u.Name
	}
	e.URI = "otpauth://totp/" + url.PathEscape(issuer+":"+account) + "?secret=" + e.Secret + "&issuer=" + url.QueryEscape(issuer) + "&algorithm=SHA1&digits=6&period=30"
	if e.QR, err = qrPicture(e.URI); err != nil {
		return e, "", err
	}
	p, err := s.keys.Person(ctx, u.ID)
	if errors.Is(err, seal.ErrErased) {
		return e, "", ErrLogin
	}
	if err != nil {
		return e, "", err
	}
	sealed, err = p.Seal(factorPlace(u.ID), string(secret))
	return e, sealed, err
}

// qrPicture is a QR code as an SVG in a data URL, with the quiet zone that
// readers need.
func qrPicture(text string) (string, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", err
	}
	n := code.Bounds().Dx()
	var path bytes.Buffer
	for y := range n {
		for x := range n {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+4, y+4)
			}
		}
	}
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %[1]d %[1]d" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%[1]dv%[1]dH0z"/><path d="%[2]s"/></svg>`, n+8, path.String())
	return "data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(svg)), nil
}

func putFactor(tx *db.Tx, u User, sealed string) {
	tx.Write(1, `INSERT INTO second_factors (domain_id, user_id, secret, confirmed_at, last_step, created_at) VALUES (?, ?, ?, 0, 0, ?)
		ON CONFLICT (domain_id, user_id) DO UPDATE SET secret = excluded.secret, last_step = 0, created_at = excluded.created_at`, u.Domain, u.ID, sealed, tx.Real)
}

// newRecovery makes recovery codes; they replace the old ones.
func (s *Service) newRecovery(u User) (codes, hashes []string) {
	for range recoveries {
		c := letters(s.db.Random(48), 12, recoverySet)
		codes = append(codes, c[:4]+"-"+c[4:8]+"-"+c[8:])
		hashes = append(hashes, s.recoveryHash(u.Domain, u.ID, c))
	}
	return codes, hashes
}

func putRecovery(tx *db.Tx, u User, hashes []string) {
	tx.Write(db.Any, "DELETE FROM recovery_codes WHERE domain_id = ? AND user_id = ?", u.Domain, u.ID)
	for _, h := range hashes {
		tx.Write(1, "INSERT INTO recovery_codes (domain_id, user_id, hash, used_at, created_at) VALUES (?, ?, ?, 0, ?)", u.Domain, u.ID, h, tx.Real)
	}
}

// takeCode takes a code of a user's second factor in the transaction, each once:
// a time code of a confirmed secret, or where recovery allows a recovery code.
// secret is what f.sealed holds, opened before. It says whether it took one.
func (s *Service) takeCode(tx *db.Tx, u User, f factorRow, secret []byte, code string, recovery bool) (bool, error) {
	code = cleanCode(code)
	if len(code) == 6 {
		step, err := otpMatch(secret, code, tx.Real, f.last)
		if err != nil || step == 0 {
			return false, err
		}
		// Of two with the same code one finds another last step, and is refused.
		var got string
		err = tx.Get("UPDATE second_factors SET last_step = ? WHERE domain_id = ? AND user_id = ? AND last_step < ? RETURNING user_id", step, u.Domain, u.ID, step).Scan(&got)
		if errors.Is(err, db.ErrNone) {
			return false, nil
		}
		return err == nil, err
	}
	if !recovery || len(code) != 12 {
		return false, nil
	}
	var got string
	err := tx.Get("UPDATE recovery_codes SET used_at = ? WHERE domain_id = ? AND user_id = ? AND hash = ? AND used_at = 0 RETURNING user_id",
		tx.Real, u.Domain, u.ID, s.recoveryHash(u.Domain, u.ID, code)).Scan(&got)
	if errors.Is(err, db.ErrNone) {
		return false, nil
	}
	if err == nil {
		event.Record(tx, s.entering(tx.Context(), u), event.Event{Domain: u.Domain, Kind: "user.recovery", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog})
	}
	return err == nil, err
}

// openFactor opens a factor's secret; nothing for none, ErrLogin when its person
// was erased.
func (s *Service) openFactor(ctx context.Context, user string, f factorRow) ([]byte, error) {
	if f.sealed == "" {
		return nil, nil
	}
	p, err := s.keys.Person(ctx, user)
	if errors.Is(err, seal.ErrErased) {
		return nil, ErrLogin
	}
	if err != nil {
		return nil, err
	}
	secret, err := p.Open(factorPlace(user), f.sealed)
	return []byte(secret), err
}

// SecondFactor tells how the caller's second factor stands, or for
// administrators anybody's.
func (s *Service) SecondFactor(ctx context.Context, who principal.Principal, domain, user string) (Factor, error) {
	var out Factor
	if (who.User != user || who.Domain != domain) && administer(who) != nil {
		return out, ErrNoUser
	}
	return out, s.db.View(ctx, func(tx *db.Tx) error {
		u, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, user))
		if err != nil {
			return err
		}
		f, err := readFactor(tx, domain, user)
		if err != nil {
			return err
		}
		out = Factor{Active: f.confirmed > 0, Required: s.mustHave(u), Confirmed: f.confirmed}
		if !out.Active {
			return nil
		}
		return tx.Get("SELECT count(*) FROM recovery_codes WHERE domain_id = ? AND user_id = ? AND used_at = 0", domain, user).Scan(&out.Left)
	})
}

// self reads the calling user and their factor, opened.
func (s *Service) self(ctx context.Context, who principal.Principal) (u User, d Domain, f factorRow, secret []byte, err error) {
	if who.Kind != principal.Customer && who.Kind != principal.Engineer {
		return u, d, f, nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if u, d, err = loadHolder(tx, who.Domain, who.User); err != nil {
			return err
		}
		f, err = readFactor(tx, who.Domain, who.User)
		return err
	})
	if err == nil {
		err = s.open(ctx, &u)
	}
	if err == nil {
		secret, err = s.openFactor(ctx, u.ID, f)
	}
	return u, d, f, secret, err
}

// BeginFactor makes a new secret for the caller; it counts once ConfirmFactor
// took a code. It fails with errFactorOn while a confirmed one is there.
func (s *Service) BeginFactor(ctx context.Context, who principal.Principal) (Enrolment, error) {
	u, d, f, _, err := s.self(ctx, who)
	if err != nil {
		return Enrolment{}, err
	}
	if f.confirmed > 0 {
		return Enrolment{}, errFactorOn
	}
	e, sealed, err := s.newFactor(ctx, u, d)
	if err != nil {
		return Enrolment{}, err
	}
	return e, s.db.Update(ctx, func(tx *db.Tx) error {
		now, err := readFactor(tx, u.Domain, u.ID)
		if err != nil {
			return err
		}
		if now.confirmed > 0 {
			return errFactorOn
		}
		putFactor(tx, u, sealed)
		event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.factor", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"step": "begin"}})
		return nil
	})
}

// withCode runs change in a transaction that took a code of the caller's factor.
// Wrong codes count as failed log-ins and stop after five in 15 minutes.
func (s *Service) withCode(ctx context.Context, who principal.Principal, code string, recovery bool, check func(u User, f factorRow) error, change func(tx *db.Tx, u User) error) error {
	u, _, f, secret, err := s.self(ctx, who)
	if err != nil {
		return err
	}
	if err := check(u, f); err != nil {
		return err
	}
	subject := s.codeSubject(u)
	taken := false
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		taken = false
		if n, err := failuresOf(tx, subject); err != nil || n >= loginFailures {
			return err
		}
		now, err := readFactor(tx, u.Domain, u.ID)
		if err != nil || now.sealed != f.sealed || now.confirmed != f.confirmed {
			return errors.Join(err, errIf(err == nil, ErrNoFactor))
		}
		if taken, err = s.takeCode(tx, u, now, secret, code, recovery); err != nil {
			return err
		}
		if !taken {
			tx.Write(1, "INSERT INTO login_failures (subject, id, at) VALUES (?, ?, ?)", subject, tx.NewID(), tx.Real)
			return nil
		}
		tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", subject)
		return change(tx, u)
	})
	if err == nil && !taken {
		err = errWrongCode
	}
	return err
}

func errIf(is bool, err error) error {
	if is {
		return err
	}
	return nil
}

// codeSubject counts wrong codes apart from wrong passwords: who knows the
// password cannot shut the user out of a session that is open, nor clear the
// count by logging in.
func (s *Service) codeSubject(u User) string {
	return s.keys.Lookup("login code", u.Domain+"/"+u.ID)
}

// failuresOf counts what failed in the window.
func failuresOf(tx *db.Tx, subject string) (n int, err error) {
	err = tx.Get("SELECT count(*) FROM login_failures WHERE subject = ? AND at > ?", subject, before(tx.Real, loginWindow)).Scan(&n)
	return n, err
}

// ConfirmFactor turns the caller's new secret on with a code of it and answers
// recovery codes. It fails with OSM.01010001 naming code.
func (s *Service) ConfirmFactor(ctx context.Context, who principal.Principal, code string) (codes []string, err error) {
	var hashes []string
	tell := s.alert(ctx, who, who.Domain, who.User, AlertFactorOn)
	err = s.withCode(ctx, who, code, false, func(u User, f factorRow) error {
		if f.sealed == "" {
			return ErrNoFactor
		}
		codes, hashes = s.newRecovery(u)
		return errIf(f.confirmed > 0, errFactorOn)
	}, func(tx *db.Tx, u User) error {
		confirm(tx, who, u, hashes)
		return tell(tx)
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

func confirm(tx *db.Tx, who principal.Principal, u User, hashes []string) {
	tx.Write(1, "UPDATE second_factors SET confirmed_at = ? WHERE domain_id = ? AND user_id = ? AND confirmed_at = 0", tx.Real, u.Domain, u.ID)
	putRecovery(tx, u, hashes)
	event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.factor", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"step": "on"}})
}

// RenewRecovery replaces the caller's recovery codes; a code of the second
// factor is needed.
func (s *Service) RenewRecovery(ctx context.Context, who principal.Principal, code string) (codes []string, err error) {
	var hashes []string
	err = s.withCode(ctx, who, code, false, func(u User, f factorRow) error {
		codes, hashes = s.newRecovery(u)
		return errIf(f.confirmed == 0, ErrNoFactor)
	}, func(tx *db.Tx, u User) error {
		putRecovery(tx, u, hashes)
		event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.factor", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"step": "recovery"}})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// EndFactor gives the caller's second factor up, with a code of it or a recovery
// code; refused where the settings demand one.
func (s *Service) EndFactor(ctx context.Context, who principal.Principal, code string) error {
	tell := s.alert(ctx, who, who.Domain, who.User, AlertFactorOff)
	return s.withCode(ctx, who, code, true, func(u User, f factorRow) error {
		switch {
		case f.confirmed == 0:
			return ErrNoFactor
		case s.mustHave(u):
			return errFactorNeeded
		}
		return nil
	}, func(tx *db.Tx, u User) error {
		dropFactor(tx, who, u)
		return tell(tx)
	})
}

func dropFactor(tx *db.Tx, who principal.Principal, u User) {
	for _, table := range []string{"second_factors", "recovery_codes", "login_challenges"} {
		tx.Write(db.Any, "DELETE FROM "+table+" WHERE domain_id = ? AND user_id = ?", u.Domain, u.ID)
	}
	event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.factor", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"step": "off"}})
}

// ResetFactor takes a user's second factor away and ends sessions and tokens:
// for those who lost the device. Administrators only. ErrNoFactor, and nothing is
// ended, for somebody who has none.
func (s *Service) ResetFactor(ctx context.Context, who principal.Principal, domain, user string) error {
	if err := administer(who); err != nil {
		return err
	}
	tell := s.alert(ctx, who, domain, user, AlertFactorOff)
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		u, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", domain, user))
		if err != nil {
			return err
		}
		f, err := readFactor(tx, domain, user)
		if err != nil {
			return err
		}
		if f.sealed == "" { // one that is only begun goes as well
			return ErrNoFactor
		}
		dropFactor(tx, who, u)
		endAll(tx, domain, user)
		tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", s.codeSubject(u))
		if f.confirmed == 0 {
			return nil // nothing that was in use
		}
		return tell(tx)
	})
}

// logOut ends a user's tokens and sessions, and log-ins under way.
func logOut(tx *db.Tx, domain, user string) {
	for _, table := range []string{"tokens", "browser_sessions", "login_challenges"} {
		tx.Write(db.Any, "DELETE FROM "+table+" WHERE domain_id = ? AND user_id = ?", domain, user)
	}
}

// endAll ends all a user can call with, but for lasting access keys.
func endAll(tx *db.Tx, domain, user string) {
	logOut(tx, domain, user)
	tx.Write(db.Any, "DELETE FROM temporary_keys WHERE domain_id = ? AND user_id = ?", domain, user)
}

// needed reads whether a log-in by password needs a second step: a code, or
// setting the factor up.
func (s *Service) needed(tx *db.Tx, u User) (code, enrol bool, err error) {
	f, err := readFactor(tx, u.Domain, u.ID)
	return f.confirmed > 0, err == nil && f.confirmed == 0 && s.mustHave(u), err
}
