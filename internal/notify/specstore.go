package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

const specColumns = "name, kind, state, place, weight, settings, secrets, version, created_at, changed_at, actor"

func scanSpec(r db.Row) (Spec, error) {
	s := Spec{Source: SourceDesk}
	var state, settings, secrets string
	if err := r.Scan(&s.Name, &s.Kind, &state, &s.Order, &s.Weight, &settings, &secrets, &s.Version, &s.Created, &s.Changed, &s.Actor); err != nil {
		return s, err
	}
	s.Off = state != "on"
	return s, s.read(settings, secrets)
}

// specsIn are the stored providers, in the order they are asked.
func specsIn(tx *db.Tx) (all []Spec, err error) {
	err = tx.List(func(r db.Row) error {
		s, err := scanSpec(r)
		all = append(all, s)
		return err
	}, "SELECT "+specColumns+" FROM notify_providers ORDER BY place, name")
	return all, err
}

func specIn(tx *db.Tx, name string) (Spec, error) {
	s, err := scanSpec(tx.Get("SELECT "+specColumns+" FROM notify_providers WHERE name = ?", name))
	if errors.Is(err, db.ErrNone) {
		return s, ErrNoProvider
	}
	return s, err
}

func secretPlace(name, slot string) seal.Place {
	return seal.Place{Table: "notify_providers", Column: "secrets." + slot, Row: name}
}

func (s *Service) openSecrets(spec Spec) (map[string]string, error) {
	out := map[string]string{}
	for slot, sealed := range spec.sealed {
		plain, err := s.keys.Open(secretPlace(spec.Name, slot), sealed)
		if err != nil {
			return nil, fmt.Errorf("its %s does not open: %w", slot, err)
		}
		out[slot] = string(plain)
	}
	return out, nil
}

// SealProvider seals secrets for a provider: of those that are "" the stored one
// goes. Outside any transaction.
func (s *Service) SealProvider(name string, secrets map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for slot, plain := range secrets {
		out[slot] = ""
		if plain != "" {
			sealed, err := s.keys.Seal(secretPlace(name, slot), []byte(plain))
			if err != nil {
				return nil, err
			}
			out[slot] = sealed
		}
	}
	return out, nil
}

// taken refuses a name of the server's file: of this node's, which is what we
// know.
func (s *Service) taken(name string) error {
	if slices.ContainsFunc(s.fixed, func(p *provider) bool { return strings.EqualFold(p.Name(), name) }) {
		return ErrProviderTaken.With("name", name)
	}
	return nil
}

// held are the secrets a provider would have.
func held(stored []string, fresh map[string]string) map[string]bool {
	has := map[string]bool{}
	for _, slot := range stored {
		has[slot] = true
	}
	for slot, plain := range fresh {
		if has[slot] = plain != ""; !has[slot] {
			delete(has, slot)
		}
	}
	return has
}

// slotsOf are the secrets that a change names, also those it removes.
func slotsOf(secrets map[string]string) map[string]bool {
	all := map[string]bool{}
	for slot := range secrets {
		all[slot] = true
	}
	return all
}

// ready checks a provider and seals its new secrets, outside any transaction.
func (s *Service) ready(who principal.Principal, in *Spec, stored *Spec, secrets map[string]string) (map[string]string, error) {
	if err := s.mayOperate(who); err != nil {
		return nil, err
	}
	var kept []string
	if stored != nil {
		kept = stored.Secrets
	}
	if err := s.checkSpec(in, held(kept, secrets), secrets); err != nil {
		return nil, err
	}
	if err := checkStrayed(stored, *in, slotsOf(secrets)); err != nil {
		return nil, err
	}
	return s.SealProvider(in.Name, secrets)
}

// CreateProvider adds a provider with its secrets by name. All nodes use it
// within seconds, this one at once. Administrators only. It fails with
// OSM.01010001 naming the field, ErrProviderTaken, or errProviderMany.
func (s *Service) CreateProvider(ctx context.Context, who principal.Principal, in Spec, secrets map[string]string) (Health, error) {
	sealed, err := s.ready(who, &in, nil, secrets)
	if err != nil {
		return Health{}, err
	}
	if err := s.taken(in.Name); err != nil {
		return Health{}, err
	}
	_, err = db.Do(ctx, s.db, func(tx *db.Tx) (string, error) {
		tx.Lock(principal.House, "notify.providers")
		var n, same int
		if err := tx.Get("SELECT count(*), count(*) FILTER (WHERE lower(name) = ?) FROM notify_providers", strings.ToLower(in.Name)).Scan(&n, &same); err != nil {
			return "", err
		}
		switch {
		case same > 0:
			return "", ErrProviderTaken.With("name", in.Name)
		case n >= MaxProviders:
			return "", errProviderMany
		}
		return in.Name, PutProviderIn(tx, who, nil, in, sealed)
	})
	return s.changed(ctx, who, in.Name, err)
}

// changed takes a change over on this node.
func (s *Service) changed(ctx context.Context, who principal.Principal, name string, err error) (Health, error) {
	if err != nil {
		return Health{}, err
	}
	if err := s.ReloadProviders(ctx); err != nil {
		return Health{}, err
	}
	return s.Provider(ctx, who, name)
}

// storedSpec is a provider as it is stored; ErrProviderFile of the server's file.
func (s *Service) storedSpec(ctx context.Context, name string) (spec Spec, err error) {
	if s.taken(name) != nil {
		return spec, ErrProviderFile
	}
	err = s.db.View(ctx, func(tx *db.Tx) error { spec, err = specIn(tx, name); return err })
	return spec, err
}

// SetProvider replaces order, weight, state and settings of a provider. Secrets
// that are not named stay, "" removes one. A stored one never goes elsewhere: when
// the change leads to another server (address, TLS, CA), or shows the secret in
// another place of a request, it must be named, or OSM.01010001 names it. One that
// is switched off may lack secrets. seen is the version the caller has read;
// ErrProviderStale when another is stored. It fails like CreateProvider, and with
// ErrNoProvider and ErrProviderFile.
func (s *Service) SetProvider(ctx context.Context, who principal.Principal, in Spec, secrets map[string]string, seen int64) (Health, error) {
	if err := s.mayOperate(who); err != nil {
		return Health{}, err
	}
	before, err := s.storedSpec(ctx, in.Name)
	if err != nil {
		return Health{}, err
	}
	if before.Kind != in.Kind {
		return Health{}, errProviderKind.In("kind")
	}
	sealed, err := s.ready(who, &in, &before, secrets)
	if err != nil {
		return Health{}, err
	}
	_, err = db.Do(ctx, s.db, func(tx *db.Tx) (int64, error) {
		now, err := specIn(tx, in.Name)
		switch {
		case err != nil:
			return 0, err
		case now.Version != seen || now.Version != before.Version: // what was checked is what is stored
			return 0, ErrProviderStale
		}
		return now.Version + 1, PutProviderIn(tx, who, &now, in, sealed)
	})
	if errors.Is(err, db.ErrRows) {
		err = ErrProviderStale.Because(err)
	}
	return s.changed(ctx, who, in.Name, err)
}

// EnableProvider lets messages leave by a provider, or no more. ErrNoProvider,
// ErrProviderFile; OSM.01010001 naming a secret that is needed and not there.
func (s *Service) EnableProvider(ctx context.Context, who principal.Principal, name string, on bool) (Health, error) {
	if err := s.mayOperate(who); err != nil {
		return Health{}, err
	}
	if _, err := s.storedSpec(ctx, name); err != nil {
		return Health{}, err
	}
	_, err := db.Do(ctx, s.db, func(tx *db.Tx) (bool, error) {
		now, err := specIn(tx, name)
		if err != nil || now.Off != on {
			return on, err
		}
		if lacks := now.lacks(now.has()); on && len(lacks) > 0 {
			return on, errSecretGone.In("secrets." + lacks[0])
		}
		next := now
		next.Off = !on
		return on, PutProviderIn(tx, who, &now, next, nil)
	})
	return s.changed(ctx, who, name, err)
}

// DeleteProvider removes a provider with its secrets; what was sent by it stays
// in the ledger. seen as of SetProvider, 0 = whatever is stored.
func (s *Service) DeleteProvider(ctx context.Context, who principal.Principal, name string, seen int64) error {
	if err := s.mayOperate(who); err != nil {
		return err
	}
	if _, err := s.storedSpec(ctx, name); err != nil {
		return err
	}
	err := s.db.Update(ctx, func(tx *db.Tx) error {
		now, err := specIn(tx, name)
		if err != nil {
			return err
		}
		if seen != 0 && now.Version != seen {
			return ErrProviderStale
		}
		DropProviderIn(tx, who, name)
		return nil
	})
	if err != nil {
		return err
	}
	return s.ReloadProviders(ctx)
}

// What follows is for configuration as code as well (package setup), in a
// transaction that spans several nouns. Who may do so is checked there. Call
// ReloadProviders when the transaction is committed.

// ProvidersIn are the stored providers, by name.
func ProvidersIn(tx *db.Tx) ([]Spec, error) {
	all, err := specsIn(tx)
	slices.SortFunc(all, func(a, b Spec) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

// CheckProvider judges a provider as CreateProvider does; stored is what there
// is of it, nil = nothing. fresh are secrets that differ from the stored ones,
// told all that were given, be it the same again: one that is not does not go
// elsewhere (SetProvider).
func (s *Service) CheckProvider(in *Spec, stored *Spec, fresh map[string]string, told map[string]bool) error {
	var kept []string
	if stored != nil {
		if kept = stored.Secrets; stored.Kind != in.Kind {
			return errProviderKind.In("kind")
		}
	}
	if err := s.taken(in.Name); err != nil {
		return err
	}
	if err := s.checkSpec(in, held(kept, fresh), fresh); err != nil {
		return err
	}
	return checkStrayed(stored, *in, told)
}

// FreshSecrets leaves out the secrets that a provider has already.
func (s *Service) FreshSecrets(stored *Spec, secrets map[string]string) (map[string]string, error) {
	has := map[string]string{}
	if stored != nil {
		var err error
		if has, err = s.openSecrets(*stored); err != nil {
			return nil, err
		}
	}
	fresh := map[string]string{}
	for slot, plain := range secrets {
		if has[slot] != plain {
			fresh[slot] = plain
		}
	}
	return fresh, nil
}

// PutProviderIn writes a provider in place of what is stored (nil = nothing),
// with sealed secrets (SealProvider).
func PutProviderIn(tx *db.Tx, who principal.Principal, before *Spec, in Spec, sealed map[string]string) error {
	in.sealed = map[string]string{}
	if before != nil {
		in.sealed = maps.Clone(before.sealed)
	}
	var changed []string
	for slot, v := range sealed {
		changed = append(changed, slot)
		if in.sealed[slot] = v; v == "" {
			delete(in.sealed, slot)
		}
	}
	slices.Sort(changed)
	settings, err := in.settings()
	if err != nil {
		return err
	}
	secrets, err := json.Marshal(in.sealed)
	if err != nil {
		return err
	}
	state, kind := "on", "provider.create"
	if in.Off {
		state = "off"
	}
	in.Version = 1
	if before == nil {
		tx.Write(1, "INSERT INTO notify_providers ("+specColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?)",
			in.Name, in.Kind, state, in.Order, in.Weight, settings, string(secrets), tx.Now, tx.Now, who.User)
	} else {
		in.Version, kind = before.Version+1, "provider.change"
		tx.Write(1, "UPDATE notify_providers SET state = ?, place = ?, weight = ?, settings = ?, secrets = ?, version = ?, changed_at = ?, actor = ? WHERE name = ? AND version = ?",
			state, in.Order, in.Weight, settings, string(secrets), in.Version, tx.Now, who.User, in.Name, before.Version)
	}
	event.Record(tx, who, event.Event{Kind: kind, Subject: "provider", SubjectID: in.Name, Revision: in.Version, LogCode: event.NoLog,
		Data: map[string]any{"kind": in.Kind, "state": state, "order": in.Order, "weight": in.Weight, "secrets": changed}})
	tx.Wake(WakeProviders)
	return nil
}

// DropProviderIn removes a provider.
func DropProviderIn(tx *db.Tx, who principal.Principal, name string) {
	tx.Write(db.Any, "DELETE FROM notify_drained WHERE name = ?", name)
	tx.Write(1, "DELETE FROM notify_providers WHERE name = ?", name)
	event.Record(tx, who, event.Event{Kind: "provider.delete", Subject: "provider", SubjectID: name, LogCode: event.NoLog})
	tx.Wake(WakeProviders)
}
