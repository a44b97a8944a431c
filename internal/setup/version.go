package setup

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// How a version came to be.
const (
	KindApply    = "apply"
	KindRollback = "rollback"
	KindFound    = "found" // what others had changed by the desk, as the next apply found it
)

// keepVersions is how many versions are kept.
const keepVersions = 500

// Version is a configuration that was in force.
type Version struct {
	Version   int64
	At        int64 // milliseconds UTC
	Kind      string
	From      int64 // of a rollback: the version it went back to
	ActorKind string
	Actor     string
	Hash      string
	Changes   int // entries that it changed
}

// record is a version as it is written.
type record struct {
	Version, From int64
	Kind, Hash    string
	Changes       int
	tree          string
}

const versionColumns = "version, at, kind, from_version, actor_kind, actor, hash, changes"

func scanVersion(r db.Row) (v Version, err error) {
	err = r.Scan(&v.Version, &v.At, &v.Kind, &v.From, &v.ActorKind, &v.Actor, &v.Hash, &v.Changes)
	return v, err
}

// lastIn is the newest version; zero when there is none.
func lastIn(tx *db.Tx) (Version, error) {
	v, err := scanVersion(tx.Get("SELECT " + versionColumns + " FROM config_versions ORDER BY version DESC LIMIT 1"))
	if errors.Is(err, db.ErrNone) {
		return Version{}, nil
	}
	return v, err
}

// keepVersion writes a version and forgets the oldest ones.
func keepVersion(tx *db.Tx, who principal.Principal, r record) Version {
	v := Version{Version: r.Version, At: tx.Now, Kind: r.Kind, From: r.From, ActorKind: who.Kind.String(), Actor: who.User, Hash: r.Hash, Changes: r.Changes}
	tx.Write(1, "INSERT INTO config_versions ("+versionColumns+", tree) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		v.Version, v.At, v.Kind, v.From, v.ActorKind, v.Actor, v.Hash, v.Changes, r.tree)
	tx.Write(db.Any, "DELETE FROM config_versions WHERE version <= ?", v.Version-keepVersions)
	return v
}

// Versions are the newest ones before a version (0 = of all), newest first, at
// most limit. Administrators only.
func (s *Service) Versions(ctx context.Context, who principal.Principal, before int64, limit int) (all []Version, err error) {
	if !who.Admin() {
		return nil, fault.NoPermission
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		return tx.List(func(r db.Row) error {
			v, err := scanVersion(r)
			all = append(all, v)
			return err
		}, "SELECT "+versionColumns+" FROM config_versions WHERE (CAST(? AS BIGINT) = 0 OR version < ?) ORDER BY version DESC LIMIT ?", before, before, limit)
	})
	return all, err
}

// recorded is a version with its files.
func (s *Service) recorded(ctx context.Context, version int64) (v Version, files map[string]string, err error) {
	var tree string
	err = s.db.View(ctx, func(tx *db.Tx) error {
		return tx.Get("SELECT "+versionColumns+", tree FROM config_versions WHERE version = ?", version).
			Scan(&v.Version, &v.At, &v.Kind, &v.From, &v.ActorKind, &v.Actor, &v.Hash, &v.Changes, &tree)
	})
	if errors.Is(err, db.ErrNone) {
		return v, nil, ErrNoVersion
	}
	if err != nil {
		return v, nil, err
	}
	files, err = unpack(tree)
	return v, files, err
}

// pack is a tree as it is stored: JSON, gzip, base64.
func pack(tree map[string]string) (string, error) {
	text, err := json.Marshal(tree)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

func unpack(text string) (tree map[string]string, err error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("a recorded configuration: %w", err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("a recorded configuration: %w", err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		return nil, fmt.Errorf("a recorded configuration: %w", err)
	}
	return tree, json.Unmarshal(all, &tree)
}
