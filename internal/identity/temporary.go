package identity

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// How long a temporary access key lives.
const (
	leastTemporary = 15 * time.Minute // also the default
	mostTemporary  = 24 * time.Hour
)

// temporaryPrefix begins the ids of temporary access keys, which are longer
// than those of lasting ones: no id is both.
const (
	temporaryPrefix = "HST"
	temporaryLength = 24
)

var (
	errSecurityToken = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：X-Security-Token 无效或缺失", "Incorrect IAM authentication information: X-Security-Token is missing or wrong")
	errKeyExpired    = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：临时访问密钥已过期，过期时间 {at}", "Incorrect IAM authentication information: the temporary access key expires, expires_at: {at}")
	errChain         = fault.New(fault.Forbidden, fault.CodeForbidden, "临时访问密钥不能再申请临时访问密钥", "a temporary access key makes no other one")
)

func temporary(ak string) bool {
	return len(ak) == temporaryLength && strings.HasPrefix(ak, temporaryPrefix)
}

// TemporaryKey is a pair for signing together with its security token.
type TemporaryKey struct {
	ID, Secret, Token string
	Expires           int64 // milliseconds UTC
}

func temporaryPlace(id string) seal.Place {
	return seal.Place{Table: "temporary_keys", Column: "secret", Row: id}
}

func (s *Service) securityHash(token string) string { return s.keys.Lookup("security token", token) }

// CreateTemporaryKey makes a temporary access key for the holder of a token, or
// with an empty token for the caller, who signed with a lasting key. It lives so
// many seconds (900..86400; 0 = 900), no longer than the token, and dies with
// the token, the key it was made with, and the user. It fails with ErrToken,
// OSM.01010001 naming duration_seconds, OSM.0003 for a caller who signed with a
// temporary key, and OSM.01010002 for people of the house.
func (s *Service) CreateTemporaryKey(ctx context.Context, who principal.Principal, token string, seconds int) (TemporaryKey, error) {
	life := time.Duration(seconds) * time.Second
	if seconds == 0 {
		life = leastTemporary
	}
	if life < leastTemporary || life > mostTemporary {
		return TemporaryKey{}, fault.OutOfRange.In("auth.identity.token.duration_seconds").With("min", int(leastTemporary.Seconds())).With("max", int(mostTemporary.Seconds()))
	}
	domain, user, byToken, byKey, ends := who.Domain, who.User, "", who.AccessKey, int64(0)
	if token != "" {
		t, err := s.TokenOf(ctx, token)
		if err != nil {
			return TemporaryKey{}, err
		}
		domain, user, byToken, byKey, ends = t.User.Domain, t.User.ID, t.ID, "", t.ExpiresAt
	}
	switch {
	case domain == principal.House:
		return TemporaryKey{}, fault.NoPermission // people of the house do not sign
	case byToken == "" && byKey == "":
		return TemporaryKey{}, ErrToken
	case temporary(byKey):
		return TemporaryKey{}, errChain
	}
	k := TemporaryKey{ID: temporaryPrefix + letters(s.db.Random(64), temporaryLength-len(temporaryPrefix), keyLetters),
		Secret: letters(s.db.Random(128), 40, keyLetters+"abcdefghijklmnopqrstuvwxyz"), Token: "cms_" + base64.RawURLEncoding.EncodeToString(s.db.Random(32))}
	sealed, err := s.keys.Seal(temporaryPlace(k.ID), []byte(k.Secret))
	if err != nil {
		return TemporaryKey{}, err
	}
	hash := s.securityHash(k.Token)
	return db.Do(ctx, s.db, func(tx *db.Tx) (TemporaryKey, error) {
		k := k
		if _, _, err := loadHolder(tx, domain, user); err != nil {
			return k, err
		}
		if err := parentAlive(tx, domain, user, byToken, byKey); err != nil {
			return k, err
		}
		if k.Expires = tx.Now + life.Milliseconds(); ends > 0 {
			k.Expires = min(k.Expires, ends)
		}
		tx.Write(1, "INSERT INTO temporary_keys (id, domain_id, user_id, secret, token_hash, by_token, by_key, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			k.ID, domain, user, sealed, hash, byToken, byKey, tx.Now, k.Expires)
		by := who
		if token != "" { // it said who asks, whoever sent it
			by = principal.Principal{Kind: principal.Customer, Domain: domain, User: user, Address: who.Address, RequestID: who.RequestID}
		}
		event.Record(tx, by, event.Event{Domain: domain, Kind: "key.temporary", Subject: "user", SubjectID: user, LogCode: event.NoLog, Data: map[string]any{"key": k.ID, "expires": k.Expires}})
		return k, nil
	})
}

// parentAlive refuses when the credential a temporary key was made with is gone:
// ErrToken.
func parentAlive(tx *db.Tx, domain, user, token, key string) error {
	var n int
	var err error
	if token != "" {
		err = tx.Get("SELECT count(*) FROM tokens WHERE domain_id = ? AND user_id = ? AND id = ?", domain, user, token).Scan(&n)
	} else {
		err = tx.Get("SELECT count(*) FROM access_keys WHERE id = ? AND domain_id = ? AND user_id = ? AND disabled = 0", key, domain, user).Scan(&n)
	}
	if err == nil && n == 0 {
		err = ErrToken
	}
	return err
}

// loadTemporary reads a temporary key for a signature check; errUnknownKey when
// it, its user or the credential it was made with is gone.
func loadTemporary(tx *db.Tx, ak string) (k signingKey, sealed string, err error) {
	var domain, user, token, key string
	err = tx.Get("SELECT domain_id, user_id, secret, token_hash, by_token, by_key, expires_at FROM temporary_keys WHERE id = ?", ak).
		Scan(&domain, &user, &sealed, &k.tokenHash, &token, &key, &k.expires)
	if errors.Is(err, db.ErrNone) {
		return k, "", errUnknownKey
	}
	if err != nil {
		return k, "", err
	}
	if k.user, k.domain, err = loadHolder(tx, domain, user); err == nil {
		err = parentAlive(tx, domain, user, token, key)
	}
	if errors.Is(err, ErrToken) {
		err = errUnknownKey
	}
	return k, sealed, err
}

// checkTemporary holds a key whose signature was right against its end and the
// security token that was sent, which the signature covers. A lasting key has
// none.
func (s *Service) checkTemporary(k signingKey, token string) error {
	switch {
	case k.tokenHash == "" && token == "":
		return nil
	case k.tokenHash == "" || subtle.ConstantTimeCompare([]byte(k.tokenHash), []byte(s.securityHash(token))) != 1:
		return errSecurityToken
	case k.expires <= s.db.Now().UnixMilli():
		return errKeyExpired.With("at", time.UnixMilli(k.expires).UTC().Format(time.RFC3339))
	}
	return nil
}
