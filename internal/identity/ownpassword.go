package identity

import (
	"context"
	"errors"
	"slices"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Faults of a user's own change of his password.
var (
	errOldPassword   = fault.New(fault.Invalid, fault.CodeInvalid, "原密码不正确", "the old password is wrong").In("old_password")
	errShortPassword = fault.New(fault.Invalid, fault.CodeInvalid, "新密码太短，至少 8 个字符", "the new password is too short: at least 8 characters").In("new_password")
	errLongPassword  = fault.New(fault.Invalid, fault.CodeInvalid, "新密码太长，最多 64 个字符", "the new password is too long: at most 64 characters").In("new_password")
	errNamePassword  = fault.New(fault.Invalid, fault.CodeInvalid, "新密码不能与用户名相同", "the new password must not be the user's name").In("new_password")
	errSamePassword  = fault.New(fault.Invalid, fault.CodeInvalid, "新密码不能与原密码相同", "the new password must not be the old one").In("new_password")
	errCodeMissing   = fault.New(fault.Invalid, fault.CodeInvalid, "请填写第二因素验证码", "a code of the second factor is needed").In("code")
	errGuessing      = fault.New(fault.TooMany, fault.CodeNoPermission, "原密码或验证码多次错误，请稍后再试", "too many wrong passwords or codes: please try again later")
	// ErrForeignPassword: the caller's password is kept elsewhere.
	ErrForeignPassword = fault.New(fault.Conflict, fault.CodeNoPermission, "您通过 {provider} 登录，请在那里修改密码", "you log in through {provider}: change the password there")
	// ErrNoPassword: the caller has none, and logs in by other means.
	ErrNoPassword = fault.New(fault.Conflict, fault.CodeNoPermission, "您没有在此设置密码，请通过身份提供商登录", "you have no password here: log in through your identity provider")
)

// OwnPassword is how the caller's password stands.
type OwnPassword struct {
	Changeable bool
	Provider   string // who keeps it instead, "" = nobody that is known
	Code       bool   // a code of the second factor goes with the old one
	Changed    int64  // milliseconds UTC
}

// ownPassword is the caller's password as stored, and by whom it is kept.
type ownPassword struct {
	hash     string
	changed  int64
	provider string // a directory that vouches for the user, or the provider of a user without a password
}

func (s *Service) readOwn(tx *db.Tx, u User) (o ownPassword, err error) {
	if err = tx.Get("SELECT password, password_at FROM users WHERE domain_id = ? AND id = ?", u.Domain, u.ID).Scan(&o.hash, &o.changed); err != nil {
		return o, err
	}
	links, err := linksOf(tx, u.Domain, u.ID)
	if err != nil {
		return o, err
	}
	for id := range links {
		directory := slices.ContainsFunc(s.outside.directories, func(d *directory) bool { return d.ID == id })
		if directory || o.hash == nobody && o.provider == "" {
			o.provider = id
		}
	}
	return o, nil
}

// fault is why the password can not be changed here, nil when it can.
func (o ownPassword) fault() error {
	switch {
	case o.provider != "":
		return ErrForeignPassword.With("provider", o.provider)
	case o.hash == nobody || o.hash == "":
		return ErrNoPassword
	}
	return nil
}

// OwnPassword tells how the caller's password stands.
func (s *Service) OwnPassword(ctx context.Context, who principal.Principal) (out OwnPassword, err error) {
	u, _, f, _, err := s.self(ctx, who)
	if err != nil {
		return out, err
	}
	return out, s.db.View(ctx, func(tx *db.Tx) error {
		o, err := s.readOwn(tx, u)
		out = OwnPassword{Changeable: o.fault() == nil, Provider: o.provider, Code: f.confirmed > 0, Changed: o.changed}
		return err
	})
}

// oldSubject counts wrong old passwords, apart from failed log-ins: who guesses
// at the log-in can not keep a user from changing his password, and who found an
// open session gets five guesses.
func (s *Service) oldSubject(u User) string {
	return s.keys.Lookup("own password", u.Domain+"/"+u.ID)
}

// fit refuses a new password, naming what is wrong with it.
func fit(name, old, password string) error {
	n := len([]rune(password))
	switch {
	case password == "":
		return fault.Missing.In("new_password")
	case n < 8:
		return errShortPassword
	case n > 64:
		return errLongPassword
	case foldName(password) == foldName(name):
		return errNamePassword
	case password == old:
		return errSamePassword
	}
	return nil
}

// ChangePassword sets the caller's own password: the old one is needed, and a
// code of the second factor (or a recovery code) where one is on. His other
// sessions, all his tokens and log-ins under way end; the session he calls with
// and lasting access keys stay. Wrong old passwords count, five in 15 minutes,
// as wrong codes do. It fails with OSM.01010001 naming old_password,
// new_password or code, a TooMany fault behind five wrong ones, and
// ErrForeignPassword or ErrNoPassword for people who come in through others.
// Nothing is changed then.
func (s *Service) ChangePassword(ctx context.Context, who principal.Principal, old, password, code string) error {
	u, _, f, secret, err := s.self(ctx, who)
	if err != nil {
		return err
	}
	var o ownPassword
	oldSubject, codeSubject := s.oldSubject(u), s.codeSubject(u)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if o, err = s.readOwn(tx, u); err != nil {
			return err
		}
		return guessed(tx, oldSubject, codeSubject)
	})
	if err == nil {
		err = o.fault()
	}
	if err == nil && old == "" {
		err = fault.Missing.In("old_password")
	}
	if err == nil {
		err = fit(u.Name, old, password)
	}
	if err == nil && f.confirmed > 0 && cleanCode(code) == "" {
		err = errCodeMissing
	}
	if err != nil {
		return err
	}
	right, err := s.hasher.matches(ctx, o.hash, old)
	if err != nil {
		return err
	}
	hash := ""
	if right {
		if hash, err = s.hasher.hash(ctx, password, s.db.Random(16)); err != nil {
			return err
		}
	}
	tell := s.alert(ctx, who, u.Domain, u.ID, AlertPassword)
	defer s.cache.forget()
	var refused error
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		refused = nil
		tx.Lock(u.Domain, "own password "+u.ID) // of two at once one finds the other's
		if err := guessed(tx, oldSubject, codeSubject); err != nil {
			return err
		}
		now, err := s.readOwn(tx, u)
		if err != nil {
			return err
		}
		if !right || now.hash != o.hash { // or it was changed while this was checked
			failed(tx, oldSubject, addressKey(who.Address))
			refused = errOldPassword
			return nil
		}
		if f.confirmed > 0 {
			g, err := readFactor(tx, u.Domain, u.ID)
			if err != nil {
				return err
			}
			taken := false
			if g.sealed == f.sealed {
				if taken, err = s.takeCode(tx, u, g, secret, code, true); err != nil {
					return err
				}
			}
			if !taken {
				failed(tx, codeSubject)
				refused = errWrongCode
				return nil
			}
		}
		tx.Write(1, "UPDATE users SET password = ?, password_at = ? WHERE domain_id = ? AND id = ?", hash, tx.Now, u.Domain, u.ID)
		tx.Write(db.Any, "DELETE FROM browser_sessions WHERE domain_id = ? AND user_id = ? AND id <> ?", u.Domain, u.ID, who.Session)
		for _, table := range []string{"tokens", "login_challenges"} {
			tx.Write(db.Any, "DELETE FROM "+table+" WHERE domain_id = ? AND user_id = ?", u.Domain, u.ID)
		}
		for _, subject := range []string{oldSubject, codeSubject, s.loginSubject(u.Domain, u.Name)} {
			tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", subject)
		}
		event.Record(tx, who, event.Event{Domain: u.Domain, Kind: "user.password", Subject: "user", SubjectID: u.ID, LogCode: event.NoLog, Data: map[string]any{"own": true}})
		return tell(tx)
	})
	return errors.Join(err, errIf(err == nil, refused))
}

// guessed refuses when too much was wrong lately.
func guessed(tx *db.Tx, subjects ...string) error {
	for _, subject := range subjects {
		var n int
		var first int64
		if err := tx.Get("SELECT count(*), COALESCE(min(at), 0) FROM login_failures WHERE subject = ? AND at > ?", subject, before(tx.Real, loginWindow)).Scan(&n, &first); err != nil {
			return err
		}
		if n >= loginFailures {
			return errGuessing.After(time.Duration(first-before(tx.Real, loginWindow)) * time.Millisecond)
		}
	}
	return nil
}

func failed(tx *db.Tx, subjects ...string) {
	for _, subject := range subjects {
		tx.Write(1, "INSERT INTO login_failures (subject, id, at) VALUES (?, ?, ?)", subject, tx.NewID(), tx.Real)
	}
}
