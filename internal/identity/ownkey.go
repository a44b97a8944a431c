package identity

import (
	"context"
	"time"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// freshLogin is how long ago somebody without a password here may have logged in who
// makes an access key in a browser (our own choice: time enough to find the page).
const freshLogin = 10 * time.Minute

// Faults of CreateOwnKey.
var (
	errOwnWord = fault.New(fault.Invalid, fault.CodeInvalid, "密码不正确", "the password is wrong").In("password")
	// ErrLoginAnew: the caller's password is kept elsewhere and he logged in too long ago.
	ErrLoginAnew = fault.New(fault.Conflict, fault.CodeNoPermission, "您的密码不在此保存：请退出后重新登录，并在 {minutes} 分钟内创建访问密钥", "your password is not kept here: please log out, log in again and make the access key within {minutes} minutes")
)

// Proof is what a caller shows again before he gets something lasting.
type Proof struct{ Password, Code string }

// CreateOwnKey is CreateDescribedKey for the caller himself. A browser's session is
// not enough for a key that outlives it: with one, the password is asked for again,
// and a code of the second factor (or a recovery code) where one is on; of people
// whose password is kept elsewhere the log-in must be at most 10 minutes old. Wrong
// ones count as those of ChangePassword do. The user is told (Alerts). Failures beside
// those of CreateDescribedKey: OSM.01010001 naming password or code, ErrLoginAnew, a
// TooMany fault behind five wrong ones. Nothing is made then.
func (s *Service) CreateOwnKey(ctx context.Context, who principal.Principal, description string, p Proof) (AccessKey, error) {
	if who.Session == "" {
		return s.CreateDescribedKey(ctx, who, who.Domain, who.User, description)
	}
	k, sealed, err := s.newKey(who, who.Domain, who.User, description)
	if err != nil {
		return AccessKey{}, err
	}
	u, _, f, secret, err := s.self(ctx, who)
	if err != nil {
		return AccessKey{}, err
	}
	var o ownPassword
	var began int64
	oldSubject, codeSubject := s.oldSubject(u), s.codeSubject(u)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if o, err = s.readOwn(tx, u); err != nil {
			return err
		}
		if err := tx.Get("SELECT created_at FROM browser_sessions WHERE domain_id = ? AND user_id = ? AND id = ?", u.Domain, u.ID, who.Session).Scan(&began); err != nil {
			return err
		}
		return guessed(tx, oldSubject, codeSubject)
	})
	here := o.fault() == nil
	switch {
	case err != nil:
	case here && p.Password == "":
		err = fault.Missing.In("password")
	case !here && s.db.Now().UnixMilli()-began > freshLogin.Milliseconds():
		err = ErrLoginAnew.With("minutes", int(freshLogin/time.Minute))
	case f.confirmed > 0 && cleanCode(p.Code) == "":
		err = errCodeMissing
	}
	if err != nil {
		return AccessKey{}, err
	}
	right := true
	if here {
		if right, err = s.hasher.matches(ctx, o.hash, p.Password); err != nil {
			return AccessKey{}, err
		}
	}
	tell := s.alert(ctx, who, u.Domain, u.ID, AlertKey)
	type outcome struct {
		Key   AccessKey
		Wrong string // password, code; "" = neither
	}
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (outcome, error) {
		tx.Lock(u.Domain, "own password "+u.ID)
		if err := guessed(tx, oldSubject, codeSubject); err != nil {
			return outcome{}, err
		}
		now, err := s.readOwn(tx, u)
		if err != nil {
			return outcome{}, err
		}
		if !right || now.hash != o.hash { // or it was changed while this was checked
			failed(tx, oldSubject, addressKey(who.Address))
			return outcome{Wrong: "password"}, nil
		}
		g, err := readFactor(tx, u.Domain, u.ID)
		if err != nil {
			return outcome{}, err
		}
		if f.confirmed > 0 || g.confirmed > 0 {
			taken := false
			if g.sealed == f.sealed && g.confirmed == f.confirmed {
				if taken, err = s.takeCode(tx, u, g, secret, p.Code, true); err != nil {
					return outcome{}, err
				}
			}
			if !taken {
				failed(tx, codeSubject)
				return outcome{Wrong: "code"}, nil
			}
		}
		made, err := insertKey(tx, who, k, sealed)
		if err != nil {
			return outcome{}, err
		}
		for _, subject := range []string{oldSubject, codeSubject} {
			tx.Write(db.Any, "DELETE FROM login_failures WHERE subject = ?", subject)
		}
		return outcome{Key: made}, tell(tx)
	})
	switch {
	case err != nil:
		return AccessKey{}, err
	case out.Wrong == "password":
		return AccessKey{}, errOwnWord
	case out.Wrong == "code":
		return AccessKey{}, errWrongCode
	}
	return out.Key, nil
}
