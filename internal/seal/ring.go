package seal

import (
	"bytes"
	"context"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// The files of the keys folder.
const (
	// MasterFile and StoreFile are what a backup of the keys holds.
	MasterFile    = "master.key"
	StoreFile     = "keys.db"         // the key store, where it is an SQLite file
	nextFile      = "master.key.next" // a rotation that has not ended
	masterHeading = "casemate-master-key-1 "
)

// Create makes a keys folder: a master key (0600) and an empty key store at
// database ("" = an SQLite file in the folder, else postgres://...). It refuses
// a folder that has a master key.
func Create(ctx context.Context, dir, database string) (*Keyring, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, MasterFile)
	if _, err := os.Stat(path); err == nil {
		return nil, fmt.Errorf("seal: %s exists", path)
	}
	if err := writeMaster(path, random(keySize)); err != nil {
		return nil, err
	}
	k, err := Open(ctx, dir, database)
	if err != nil {
		// A second node without the first one's master key: its new one opens
		// nothing and must not stay for somebody to trust.
		return nil, errors.Join(err, os.Remove(path))
	}
	return k, nil
}

// Open opens the keyring. A missing, loose or wrong master key is refused with
// the reason.
func Open(ctx context.Context, dir, database string) (*Keyring, error) {
	master, err := readMaster(filepath.Join(dir, MasterFile))
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, dir, database)
	if err != nil {
		return nil, fmt.Errorf("seal: key store: %w", err)
	}
	k := &Keyring{dir: dir, store: store, master: master, persons: map[string]*Person{}, life: personLife}
	if err := k.load(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return k, nil
}

// Exists tells whether the folder holds a master key.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, MasterFile))
	return err == nil
}

func openStore(ctx context.Context, dir, database string) (Store, error) {
	if onPostgres(database) {
		return openPostgres(ctx, database)
	}
	return openSQLite(ctx, filepath.Join(dir, StoreFile))
}

func onPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

func writeMaster(path string, key []byte) error {
	text := masterHeading + base64.StdEncoding.EncodeToString(key) + "\n"
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// loose are the permissions that a master key must not have: any of others'. One
// that root gave to this process's group may be read by the group, since its
// owner is no stranger and a process without rights could not read it
// otherwise: so container platforms hand out secrets, and so PostgreSQL takes
// its key.
func loose(owner uint32, user, group int) os.FileMode {
	if owner == 0 && user != 0 && group != 0 {
		return 0o037
	}
	return 0o077
}

func readMaster(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("seal: no master key at %s: without it nothing sealed can be opened; restore it from the backup of the keys", path)
	}
	if err != nil {
		return nil, err
	}
	owner := uint32(os.Geteuid())
	if of, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = of.Uid
	}
	if info.Mode().Perm()&loose(owner, os.Geteuid(), os.Getegid()) != 0 {
		return nil, fmt.Errorf("seal: %s may be read by others (mode %o): chmod 600 it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	body, ok := bytes.CutPrefix(bytes.TrimSpace(text), []byte(masterHeading))
	key, err := base64.StdEncoding.DecodeString(string(body))
	if !ok || err != nil || len(key) != keySize {
		return nil, fmt.Errorf("seal: %s is no master key of Casemate", path)
	}
	return key, nil
}

// load unwraps the data keys; on an empty store it makes the first. Version 0
// is the root of derived keys and look-ups and never changes; versions from 1
// seal values.
func (k *Keyring) load(ctx context.Context) error {
	for _, name := range []string{"data/0", "data/1"} {
		if _, err := k.store.Add(ctx, name, wrap(k.master, name, random(keySize))); err != nil {
			return fmt.Errorf("seal: key store: %w", err)
		}
	}
	names, err := k.store.Names(ctx, "data/")
	if err != nil {
		return err
	}
	if err := k.unwrapData(ctx, names); err == nil {
		return k.forget()
	}
	// A rotation was cut off after the store was rewritten and before the file
	// was: the next master key is the right one then.
	next := filepath.Join(k.dir, nextFile)
	if master, err := readMaster(next); err == nil {
		k.master = master
		if err := k.unwrapData(ctx, names); err == nil {
			if err := os.Rename(next, filepath.Join(k.dir, MasterFile)); err != nil {
				return err
			}
			return syncDir(k.dir)
		}
	}
	return fmt.Errorf("seal: the master key in %s is not the one these keys were wrapped with: look for the right one in the backup of the keys", k.dir)
}

// forget removes the next master key of a rotation that was cut off before
// anything was rewritten.
func (k *Keyring) forget() error {
	err := os.Remove(filepath.Join(k.dir, nextFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (k *Keyring) unwrapData(ctx context.Context, names []string) error {
	data := map[uint32][]byte{}
	aead := map[uint32]cipher.AEAD{}
	var newest uint32
	for _, name := range names {
		var v uint32
		if _, err := fmt.Sscanf(name, "data/%d", &v); err != nil {
			return fmt.Errorf("seal: key %q: %w", name, err)
		}
		wrapped, err := k.store.Load(ctx, name)
		if err != nil {
			return err
		}
		key, err := unwrap(k.master, name, wrapped)
		if err != nil {
			return err
		}
		data[v], aead[v] = key, newAEAD(key)
		newest = max(newest, v)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.data, k.aead, k.version = data, aead, newest
	return nil
}

// Rotate makes a new master key, wraps every key anew under it and adds a data
// key for what is sealed from now on. Readers of this keyring go on meanwhile;
// another process's would go on with the old master key, so claim the store
// alone before it is opened. Cut off at any point, the next Open finds either
// the old or the new master key valid.
func (k *Keyring) Rotate(ctx context.Context) error {
	next := random(keySize)
	nextPath := filepath.Join(k.dir, nextFile)
	if err := os.Remove(nextPath); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := writeMaster(nextPath, next); err != nil {
		return err
	}
	k.mu.RLock()
	old, version := k.master, k.version
	k.mu.RUnlock()
	err := k.store.Replace(ctx, func(name string, wrapped []byte) ([]byte, error) {
		if string(wrapped) == string(destroyed) {
			return wrapped, nil
		}
		key, err := unwrap(old, name, wrapped)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", name, err)
		}
		return wrap(next, name, key), nil
	})
	if err != nil {
		return fmt.Errorf("seal: rotation: %w", err)
	}
	k.mu.Lock()
	k.master = next
	k.mu.Unlock()
	if err := os.Rename(nextPath, filepath.Join(k.dir, MasterFile)); err != nil {
		return err
	}
	if err := syncDir(k.dir); err != nil {
		return err
	}
	name := fmt.Sprintf("data/%d", version+1)
	if _, err := k.store.Add(ctx, name, wrap(next, name, random(keySize))); err != nil {
		return err
	}
	names, err := k.store.Names(ctx, "data/")
	if err != nil {
		return err
	}
	return k.unwrapData(ctx, names)
}
