package identity

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// MaxKeys is how many access keys a user may have.
const MaxKeys = 2

// AccessKey is a pair for signing; Secret only right after creation.
type AccessKey struct {
	ID, Secret, Domain, User string
	Disabled                 bool
	LastUsed, Created        int64  // milliseconds UTC; 0 = never
	Description              string // at most 255 characters
}

const keyLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func letters(random []byte, n int, alphabet string) string {
	var b strings.Builder
	most := 256 - 256%len(alphabet) // bytes above would prefer the first letters
	for _, x := range random {
		if int(x) < most && b.Len() < n {
			b.WriteByte(alphabet[int(x)%len(alphabet)])
		}
	}
	return b.String()
}

func keyPlace(id string) seal.Place {
	return seal.Place{Table: "access_keys", Column: "secret", Row: id}
}

func (s *Service) mayManageKeys(who principal.Principal, domain, user string) error {
	if who.Kind == principal.Customer && who.User == user && who.Domain == domain {
		return nil
	}
	return s.mayManage(who, domain)
}

// CreateAccessKey makes a pair; its secret is shown this once. At most two a
// user.
func (s *Service) CreateAccessKey(ctx context.Context, who principal.Principal, domain, user string) (AccessKey, error) {
	return s.CreateDescribedKey(ctx, who, domain, user, "")
}

// maxKeyDescription is how long the description of an access key may be.
const maxKeyDescription = 255

// CreateDescribedKey is CreateAccessKey with a word on what the key is for.
// Failures: ErrNoUser, ErrKeyLimit, OSM.01010001 naming description, .02 for
// keys of others.
func (s *Service) CreateDescribedKey(ctx context.Context, who principal.Principal, domain, user, description string) (AccessKey, error) {
	k, sealed, err := s.newKey(who, domain, user, description)
	if err != nil {
		return AccessKey{}, err
	}
	tell := s.alert(ctx, who, domain, user, AlertKey)
	return db.Do(ctx, s.db, func(tx *db.Tx) (AccessKey, error) {
		made, err := insertKey(tx, who, k, sealed)
		if err != nil {
			return AccessKey{}, err
		}
		return made, tell(tx)
	})
}

// newKey makes a pair that the caller may have, and seals its secret.
func (s *Service) newKey(who principal.Principal, domain, user, description string) (k AccessKey, sealed string, err error) {
	if len([]rune(description)) > maxKeyDescription {
		return k, "", fault.TooLong.In("description").With("max", maxKeyDescription)
	}
	if err := s.mayManageKeys(who, domain, user); err != nil {
		return k, "", err
	}
	if domain == principal.House {
		return k, "", fault.NoPermission // engineers do not sign
	}
	k = AccessKey{ID: letters(s.db.Random(64), 20, keyLetters), Secret: letters(s.db.Random(128), 40, keyLetters+"abcdefghijklmnopqrstuvwxyz"), Domain: domain, User: user, Description: description}
	sealed, err = s.keys.Seal(keyPlace(k.ID), []byte(k.Secret))
	return k, sealed, err
}

func insertKey(tx *db.Tx, who principal.Principal, k AccessKey, sealed string) (AccessKey, error) {
	tx.Lock(k.Domain, "access keys "+k.User)
	if _, err := scanUser(tx.Get("SELECT "+userColumns+" FROM users WHERE domain_id = ? AND id = ?", k.Domain, k.User)); err != nil {
		return AccessKey{}, err
	}
	var n int
	if err := tx.Get("SELECT count(*) FROM access_keys WHERE domain_id = ? AND user_id = ?", k.Domain, k.User).Scan(&n); err != nil {
		return AccessKey{}, err
	}
	if n >= MaxKeys {
		return AccessKey{}, ErrKeyLimit
	}
	k.Created = tx.Now
	tx.Write(1, "INSERT INTO access_keys (id, domain_id, user_id, secret, disabled, last_used, created_at, description) VALUES (?, ?, ?, ?, 0, 0, ?, ?)", k.ID, k.Domain, k.User, sealed, tx.Now, k.Description)
	event.Record(tx, who, event.Event{Domain: k.Domain, Kind: "key.create", Subject: "user", SubjectID: k.User, LogCode: event.NoLog, Data: map[string]any{"key": k.ID}})
	return k, nil
}

// AccessKeys lists a user's keys, without secrets.
func (s *Service) AccessKeys(ctx context.Context, who principal.Principal, domain, user string) (all []AccessKey, err error) {
	if err := s.mayManageKeys(who, domain, user); err != nil && !who.Audits() {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			k := AccessKey{Domain: domain, User: user}
			var disabled int64
			err := r.Scan(&k.ID, &disabled, &k.LastUsed, &k.Created, &k.Description)
			k.Disabled = disabled == 1
			all = append(all, k)
			return err
		}, "SELECT id, disabled, last_used, created_at, description FROM access_keys WHERE domain_id = ? AND user_id = ? ORDER BY created_at, id", domain, user)
	})
	return all, err
}

// AccessKey is one key, without its secret; ErrNoKey, also for a key the caller
// may not manage.
func (s *Service) AccessKey(ctx context.Context, who principal.Principal, id string) (k AccessKey, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var disabled int64
		err := tx.Get("SELECT id, domain_id, user_id, disabled, last_used, created_at, description FROM access_keys WHERE id = ?", id).
			Scan(&k.ID, &k.Domain, &k.User, &disabled, &k.LastUsed, &k.Created, &k.Description)
		k.Disabled = disabled == 1
		if errors.Is(err, db.ErrNone) || err == nil && s.mayManageKeys(who, k.Domain, k.User) != nil {
			return ErrNoKey
		}
		return err
	})
	if err != nil {
		return AccessKey{}, err
	}
	return k, nil
}

// KeyChange is what ChangeAccessKey changes; nil stays.
type KeyChange struct {
	Disabled    *bool
	Description *string
}

// ChangeAccessKey switches a key on or off, at once, or describes it anew.
// Failures: ErrNoKey, OSM.01010001 naming description.
func (s *Service) ChangeAccessKey(ctx context.Context, who principal.Principal, id string, c KeyChange) (AccessKey, error) {
	if c.Description != nil && len([]rune(*c.Description)) > maxKeyDescription {
		return AccessKey{}, fault.TooLong.In("description").With("max", maxKeyDescription)
	}
	if c.Description != nil {
		err := s.changeKey(ctx, who, id, "key.describe", func(tx *db.Tx) {
			tx.Write(1, "UPDATE access_keys SET description = ? WHERE id = ?", *c.Description, id)
		})
		if err != nil {
			return AccessKey{}, err
		}
	}
	if c.Disabled != nil {
		if err := s.DisableAccessKey(ctx, who, id, *c.Disabled); err != nil {
			return AccessKey{}, err
		}
	}
	return s.AccessKey(ctx, who, id)
}

// DisableAccessKey stops a key or lets it work again.
func (s *Service) DisableAccessKey(ctx context.Context, who principal.Principal, id string, disabled bool) error {
	return s.changeKey(ctx, who, id, "key.disable", func(tx *db.Tx) {
		tx.Write(1, "UPDATE access_keys SET disabled = ? WHERE id = ?", number(disabled), id)
	})
}

// DeleteAccessKey removes a key.
func (s *Service) DeleteAccessKey(ctx context.Context, who principal.Principal, id string) error {
	return s.changeKey(ctx, who, id, "key.delete", func(tx *db.Tx) {
		tx.Write(1, "DELETE FROM access_keys WHERE id = ?", id)
	})
}

// ownKey refuses a key that is not the caller's own, even where he manages those
// of others; ErrNoKey.
func (s *Service) ownKey(ctx context.Context, who principal.Principal, id string) error {
	k, err := s.AccessKey(ctx, who, id)
	if err == nil && (k.User != who.User || k.Domain != who.Domain) {
		err = ErrNoKey
	}
	return err
}

// ChangeOwnKey is ChangeAccessKey for the caller's own keys only.
func (s *Service) ChangeOwnKey(ctx context.Context, who principal.Principal, id string, c KeyChange) (AccessKey, error) {
	if err := s.ownKey(ctx, who, id); err != nil {
		return AccessKey{}, err
	}
	return s.ChangeAccessKey(ctx, who, id, c)
}

// DeleteOwnKey is DeleteAccessKey for the caller's own keys only.
func (s *Service) DeleteOwnKey(ctx context.Context, who principal.Principal, id string) error {
	if err := s.ownKey(ctx, who, id); err != nil {
		return err
	}
	return s.DeleteAccessKey(ctx, who, id)
}

func (s *Service) changeKey(ctx context.Context, who principal.Principal, id, kind string, change func(*db.Tx)) error {
	defer s.cache.forget()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var domain, user string
		err := tx.Get("SELECT domain_id, user_id FROM access_keys WHERE id = ?", id).Scan(&domain, &user)
		if errors.Is(err, db.ErrNone) || err == nil && s.mayManageKeys(who, domain, user) != nil {
			return ErrNoKey
		}
		if err != nil {
			return err
		}
		change(tx)
		event.Record(tx, who, event.Event{Domain: domain, Kind: kind, Subject: "user", SubjectID: user, LogCode: event.NoLog, Data: map[string]any{"key": id}})
		return nil
	})
}

// signingKey is an opened access key with its holder.
type signingKey struct {
	secret []byte
	user   User
	domain Domain

	tokenHash string // of a temporary key: of its security token
	expires   int64  // of a temporary key
}

// errUnknownKey is the answer for unknown, disabled and ownerless keys alike.
var errUnknownKey = fault.New(fault.Unauthenticated, "APIGW.0301", "认证信息不正确：获取密钥失败", "Incorrect IAM authentication information: Get secretKey failed")

// signingKey opens the key for a signature check. Cached for at most a second.
func (s *Service) signingKey(ctx context.Context, ak string) (k signingKey, err error) {
	if k, ok := s.cache.keys.get(ak); ok {
		return k, nil
	}
	generation := s.cache.keys.generation()
	var sealed string
	place := keyPlace(ak)
	if temporary(ak) {
		place = temporaryPlace(ak)
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if temporary(ak) {
			k, sealed, err = loadTemporary(tx, ak)
			return err
		}
		var (
			domain, user string
			disabled     int64
		)
		err = tx.Get("SELECT domain_id, user_id, secret, disabled FROM access_keys WHERE id = ?", ak).Scan(&domain, &user, &sealed, &disabled)
		if errors.Is(err, db.ErrNone) || err == nil && disabled == 1 {
			return errUnknownKey
		}
		if err != nil {
			return err
		}
		k.user, k.domain, err = loadHolder(tx, domain, user)
		if errors.Is(err, ErrToken) {
			return errUnknownKey
		}
		return err
	})
	if err != nil {
		return k, err
	}
	if k.secret, err = s.keys.Open(place, sealed); err != nil {
		return k, err
	}
	if err := s.open(ctx, &k.user); err != nil {
		return k, err
	}
	s.cache.keys.put(ak, k, generation)
	if !temporary(ak) {
		s.cache.use(ak)
	}
	return k, nil
}

// FlushLastUsed writes when keys were last used; periodic, so that requests do
// not pay for it.
func (s *Service) FlushLastUsed(ctx context.Context) error {
	used := s.cache.takeUsed()
	if len(used) == 0 {
		return nil
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		for ak, at := range used {
			tx.Write(db.Any, "UPDATE access_keys SET last_used = ? WHERE id = ? AND last_used < ?", at, ak, at)
		}
		return nil
	})
}

// credentialCache keeps verified credentials for at most a second (threats.md
// B8: a change takes effect at once here, within a second elsewhere).
type credentialCache struct {
	keys    *recent[signingKey]
	tokens  *recent[Token]
	browser *recent[Session]
	domains *recent[Domain]
	isv     *recent[map[string]bool] // products that are an ISV's
	notices *recent[map[string]bool] // users' kinds of notices
	now     func() time.Time
	mu      *sync.Mutex
	used    map[string]int64 // access keys, when they were last opened
	seen    map[string]int64 // browsers' sessions by hash, when they were last used
}

const (
	cachedFor = time.Second
	cacheMost = 10000
)

func newCredentialCache(now func() time.Time) credentialCache {
	return credentialCache{keys: newRecent[signingKey](now), tokens: newRecent[Token](now), browser: newRecent[Session](now), domains: newRecent[Domain](now), isv: newRecent[map[string]bool](now), notices: newRecent[map[string]bool](now), now: now, mu: new(sync.Mutex), used: map[string]int64{}, seen: map[string]int64{}}
}

// forget drops everything: a right was changed.
func (c *credentialCache) forget() {
	c.keys.forget()
	c.tokens.forget()
	c.browser.forget()
	c.domains.forget()
	c.isv.forget()
	c.notices.forget()
}

func (c *credentialCache) use(ak string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used[ak] = c.now().UnixMilli()
}

func (c *credentialCache) takeUsed() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	used := c.used
	c.used = map[string]int64{}
	return used
}

// recent is a bounded map whose values live for cachedFor.
type recent[T any] struct {
	now func() time.Time
	mu  sync.RWMutex
	m   map[string]cached[T]
	gen uint64 // raised by forget
}

type cached[T any] struct {
	v    T
	till time.Time
}

func newRecent[T any](now func() time.Time) *recent[T] {
	return &recent[T]{now: now, m: map[string]cached[T]{}}
}

func (r *recent[T]) get(k string) (T, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c, ok := r.m[k]
	return c.v, ok && r.now().Before(c.till)
}

// generation is taken before reading what will be put: a value read before a
// forget must not come back after it.
func (r *recent[T]) generation() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.gen
}

func (r *recent[T]) put(k string, v T, generation uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if generation != r.gen {
		return
	}
	if len(r.m) >= cacheMost {
		clear(r.m)
	}
	r.m[k] = cached[T]{v, r.now().Add(cachedFor)}
}

func (r *recent[T]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gen++
	clear(r.m)
}

// Unopened tells that the keys are those of the data, but for so many persons.
type Unopened struct{ Persons int }

func (u Unopened) Error() string {
	return fmt.Sprintf("identity: %d persons' keys are missing", u.Persons)
}

// VerifySealed opens every access key's secret, lasting or temporary, every second factor's and
// every user's personal fields: the keys belong to this data. Erased persons are passed over.
// Where only persons' keys are missing, as when the keys are older than the data, the error
// is Unopened.
func (s *Service) VerifySealed(ctx context.Context) error {
	var unopened map[string]bool
	err := s.db.View(ctx, func(tx *db.Tx) error {
		unopened = map[string]bool{}
		missing := func(id string, err error) error {
			if errors.Is(err, seal.ErrOpen) {
				unopened[id] = true
				return nil
			}
			return err
		}
		opens := func(place func(id string) seal.Place) func(db.Row) error {
			return func(r db.Row) error {
				var id, sealed string
				if err := r.Scan(&id, &sealed); err != nil {
					return err
				}
				_, err := s.keys.Open(place(id), sealed)
				return err
			}
		}
		if err := tx.List(opens(keyPlace), "SELECT id, secret FROM access_keys"); err != nil {
			return err
		}
		if err := tx.List(opens(temporaryPlace), "SELECT id, secret FROM temporary_keys"); err != nil {
			return err
		}
		if err := tx.List(opens(factorPlace), "SELECT user_id, secret FROM second_factors /* all domains: a restored store is checked whole */"); err != nil {
			return err
		}
		err := tx.List(func(r db.Row) error {
			var id, sealed string
			if err := r.Scan(&id, &sealed); err != nil {
				return err
			}
			p, err := s.keys.Person(ctx, id)
			if errors.Is(err, seal.ErrErased) {
				return nil
			}
			if err == nil {
				_, err = p.Open(preferencesPlace(id), sealed)
			}
			return missing(id, err)
		}, "SELECT user_id, chosen FROM user_preferences /* all domains: a restored store is checked whole */")
		if err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			u, err := scanUser(r)
			if err != nil {
				return err
			}
			return missing(u.ID, s.open(ctx, &u))
		}, "SELECT "+userColumns+" FROM users ORDER BY domain_id, id /* all domains: a restored store is checked whole */")
	})
	if err == nil && len(unopened) > 0 {
		err = Unopened{len(unopened)}
	}
	return err
}
