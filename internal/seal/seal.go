// Package seal keeps secrets and personal fields unreadable at rest: AES-256-GCM
// under data keys that a master key wraps, a key of their own for each person,
// keyed hashes for looking up what is sealed. The keys lie in a folder (or
// schema) apart from the data, so that neither a copy of the data nor its
// backup opens anything (threats.md D2, D15).
package seal

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of the keyring.
var (
	// ErrOpen: the value was changed, moved to another place, or sealed under
	// another key.
	ErrOpen = errors.New("seal: the value does not open here")
	// ErrErased: the person's key was destroyed.
	ErrErased = errors.New("seal: the person's key was destroyed")
)

// Place is where a sealed value belongs; it does not open elsewhere.
type Place struct{ Table, Column, Row string }

// Keyring opens and seals. It is safe for concurrent use.
type Keyring struct {
	dir   string
	store Store

	mu      sync.RWMutex
	master  []byte            // 32 bytes
	data    map[uint32][]byte // data keys by version
	version uint32            // the newest, used for sealing
	persons map[string]*Person
	life    time.Duration // of a person's key in the cache
	aead    map[uint32]cipher.AEAD
	loads   atomic.Int64 // Loads
}

const keySize = 32

// Store keeps wrapped keys: data keys by version under names "data/N", persons'
// under "person/ID". Two implementations: an SQLite file and a PostgreSQL
// schema.
type Store interface {
	// Load is the wrapped key of the name; nil when there is none.
	Load(ctx context.Context, name string) ([]byte, error)
	// LoadAll are the wrapped keys of names, at most 500 of them, by one
	// statement; names without a key are missing.
	LoadAll(ctx context.Context, names []string) (map[string][]byte, error)
	// Add stores a key unless the name has one; it returns what is stored then.
	Add(ctx context.Context, name string, wrapped []byte) ([]byte, error)
	// Replace changes all keys at once: rewrap is called for each.
	Replace(ctx context.Context, rewrap func(name string, wrapped []byte) ([]byte, error)) error
	// Destroy overwrites and removes the key and leaves a mark that it existed.
	Destroy(ctx context.Context, name string) error
	// Names lists the names with a prefix.
	Names(ctx context.Context, prefix string) ([]string, error)
	Close() error
}

// personPrefix leads the names of people's keys.
const personPrefix = "person/"

// destroyed is what a destroyed key's row holds.
var destroyed = []byte("destroyed")

func random(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err) // never happens (crypto/rand)
	}
	return b
}

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // keys have 32 bytes
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return a
}

// encrypt is nonce + ciphertext, bound to the additional data.
func encrypt(a cipher.AEAD, plain, ad []byte) []byte {
	nonce := random(a.NonceSize())
	return a.Seal(nonce, nonce, plain, ad)
}

func decrypt(a cipher.AEAD, sealed, ad []byte) ([]byte, error) {
	if len(sealed) < a.NonceSize() {
		return nil, ErrOpen
	}
	plain, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], ad)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// bind is the additional data of a value: each part with its length, so that
// no two places read alike.
func bind(at Place, key string) []byte {
	var b []byte
	for _, s := range []string{at.Table, at.Column, at.Row, key} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}

// wrap seals a key under the master key.
func wrap(master []byte, name string, key []byte) []byte {
	return encrypt(newAEAD(master), key, []byte("casemate key "+name))
}

func unwrap(master []byte, name string, wrapped []byte) ([]byte, error) {
	return decrypt(newAEAD(master), wrapped, []byte("casemate key "+name))
}

// Seal seals a value for its place. The form is "s1.VERSION.BASE64URL".
func (k *Keyring) Seal(at Place, plain []byte) (string, error) {
	k.mu.RLock()
	v, a := k.version, k.aead[k.version]
	k.mu.RUnlock()
	name := fmt.Sprint(v)
	return "s1." + name + "." + base64.RawURLEncoding.EncodeToString(encrypt(a, plain, bind(at, name))), nil
}

// Open opens a value at its place.
func (k *Keyring) Open(at Place, sealed string) ([]byte, error) {
	rest, ok := strings.CutPrefix(sealed, "s1.")
	if !ok {
		return nil, ErrOpen
	}
	name, text, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, ErrOpen
	}
	var v uint32
	if _, err := fmt.Sscanf(name, "%d", &v); err != nil || fmt.Sprint(v) != name {
		return nil, ErrOpen
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrOpen
	}
	k.mu.RLock()
	a, ok := k.aead[v]
	k.mu.RUnlock()
	if !ok {
		return nil, ErrOpen
	}
	return decrypt(a, raw, bind(at, name))
}

// Raw seals bytes without a place, for the results of repeated writes.
func (k *Keyring) Raw() (sealRow, unsealRow func([]byte) ([]byte, error)) {
	a := newAEAD(k.Derive("stored results"))
	return func(plain []byte) ([]byte, error) { return encrypt(a, plain, nil), nil },
		func(sealed []byte) ([]byte, error) { return decrypt(a, sealed, nil) }
}

// Derive is a 32-byte key for another use, the same at every start and after a
// rotation of the master key.
func (k *Keyring) Derive(purpose string) []byte {
	k.mu.RLock()
	root := k.data[0]
	k.mu.RUnlock()
	key, err := hkdf.Key(sha256.New, root, nil, "casemate "+purpose, keySize)
	if err != nil {
		panic(err) // the length is valid
	}
	return key
}

// Lookup is a keyed hash for finding a sealed value again by equality: 43
// characters. The key is not in the database.
func (k *Keyring) Lookup(purpose, value string) string {
	k.mu.RLock()
	root := k.data[0]
	k.mu.RUnlock()
	h := hmac.New(sha256.New, root)
	h.Write(bind(Place{Table: "lookup", Column: purpose, Row: value}, ""))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Person is the key of one person.
type Person struct {
	id   string
	aead cipher.AEAD
	till time.Time // when the store is asked again whether the key still is
}

// Seal seals a personal field. The form is "p1.BASE64URL".
func (p *Person) Seal(at Place, plain string) (string, error) {
	return "p1." + base64.RawURLEncoding.EncodeToString(encrypt(p.aead, []byte(plain), bind(at, p.id))), nil
}

// Open opens a personal field at its place.
func (p *Person) Open(at Place, sealed string) (string, error) {
	text, ok := strings.CutPrefix(sealed, "p1.")
	if !ok {
		return "", ErrOpen
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return "", ErrOpen
	}
	plain, err := decrypt(p.aead, raw, bind(at, p.id))
	return string(plain), err
}

// maxPersons bounds the cache of opened persons' keys, personLife how long one
// stands in it: so long a key that another node destroyed opens values here.
const (
	maxPersons = 20000
	personLife = 20 * time.Second
)

// Person is the key of a person, made on first use; ErrErased when it was
// destroyed.
func (k *Keyring) Person(ctx context.Context, id string) (*Person, error) {
	k.mu.RLock()
	p, ok := k.persons[id]
	master := k.master
	k.mu.RUnlock()
	if ok && time.Now().Before(p.till) {
		return p, nil
	}
	name := personPrefix + id
	k.loads.Add(1)
	wrapped, err := k.store.Load(ctx, name)
	if err == nil && wrapped == nil {
		wrapped, err = k.store.Add(ctx, name, wrap(master, name, random(keySize)))
	}
	if err != nil {
		return nil, fmt.Errorf("seal: person's key: %w", err)
	}
	if string(wrapped) == string(destroyed) {
		k.mu.Lock()
		delete(k.persons, id)
		k.mu.Unlock()
		return nil, ErrErased
	}
	key, err := unwrap(master, name, wrapped)
	if err != nil {
		// A rotation may have come in between: try the present master key.
		k.mu.RLock()
		master = k.master
		k.mu.RUnlock()
		if wrapped, err = k.store.Load(ctx, name); err != nil {
			return nil, err
		}
		if key, err = unwrap(master, name, wrapped); err != nil {
			return nil, err
		}
	}
	p = &Person{id: id, aead: newAEAD(key), till: time.Now().Add(k.life)}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.persons) >= maxPersons {
		clear(k.persons)
	}
	k.persons[id] = p
	return p, nil
}

// Persons are the keys of many people, read 500 by one statement; those whose key
// was destroyed, or who have none yet, are missing. Unlike Person it makes no key.
func (k *Keyring) Persons(ctx context.Context, ids []string) (map[string]*Person, error) {
	out := make(map[string]*Person, len(ids))
	var names []string
	k.mu.RLock()
	master, now := k.master, time.Now()
	for _, id := range ids {
		if p, ok := k.persons[id]; ok && now.Before(p.till) {
			out[id] = p
		} else {
			names = append(names, personPrefix+id)
		}
	}
	k.mu.RUnlock()
	for some := range slices.Chunk(names, 500) {
		k.loads.Add(1)
		all, err := k.store.LoadAll(ctx, some)
		if err != nil {
			return nil, fmt.Errorf("seal: people's keys: %w", err)
		}
		for name, wrapped := range all {
			if string(wrapped) == string(destroyed) {
				continue
			}
			id := strings.TrimPrefix(name, personPrefix)
			key, err := unwrap(master, name, wrapped)
			if err != nil { // a rotation may have come in between: one by one
				p, err := k.Person(ctx, id)
				if errors.Is(err, ErrErased) {
					continue
				}
				if err != nil {
					return nil, err
				}
				out[id] = p
				continue
			}
			out[id] = &Person{id: id, aead: newAEAD(key), till: time.Now().Add(k.life)}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.persons)+len(names) > maxPersons {
		clear(k.persons)
	}
	for id, p := range out {
		if len(k.persons) < maxPersons {
			k.persons[id] = p
		}
	}
	return out, nil
}

// ForgetPeople drops the people's keys that are remembered.
func (k *Keyring) ForgetPeople() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.persons)
}

// Loads counts how often people's keys were read from the store: what many people
// are read by is to raise it by few.
func (k *Keyring) Loads() int64 { return k.loads.Load() }

// Destroy destroys a person's key: nothing sealed under it opens again, here
// or in any backup of the data. It cannot be undone.
func (k *Keyring) Destroy(ctx context.Context, id string) error {
	err := k.store.Destroy(ctx, personPrefix+id)
	k.mu.Lock()
	delete(k.persons, id)
	k.mu.Unlock()
	return err
}

// Close closes the key store.
func (k *Keyring) Close() error { return k.store.Close() }
