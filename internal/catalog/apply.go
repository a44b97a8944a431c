package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// AnyVersion as the expected version of Apply means: whatever is in force.
const AnyVersion = -1

// errMoved has a code of the coarse kind, so that its status is 409.
var errMoved = fault.New(fault.Conflict, fault.CodeForbidden,
	"配置目录已被他人更改：当前版本 {now}，期望版本 {expected}；请重新查看差异",
	"the catalogue was changed by somebody else: version {now} is in force, {expected} was expected; look at the difference again")

// Plan shows what Apply would change. Administrators only. Files that do not
// make a catalogue are refused with every mistake found, each with file and
// line (kind Invalid; errors.As finds the *Broken).
func (s *Service) Plan(ctx context.Context, who principal.Principal, files map[string][]byte) (Diff, error) {
	p, err := s.prepare(ctx, who, files)
	return p.diff, err
}

// Apply puts the files in force as a whole or not at all. Administrators only.
// It fails like Plan, and with kind Conflict when the version in force is not
// the expected one (AnyVersion for no expectation). Entries that left the files
// are retired: they are not offered any more and stay valid in old tickets.
// When it returns, this node uses the new version; others follow within a second.
func (s *Service) Apply(ctx context.Context, who principal.Principal, files map[string][]byte, expected int64) (Diff, error) {
	p, err := s.prepare(ctx, who, files)
	if err != nil {
		return Diff{}, err
	}
	diff, err := db.Do(ctx, s.db, func(tx *db.Tx) (Diff, error) { return p.apply(tx, who, expected) })
	if errors.Is(err, db.ErrTaken) { // a concurrent Apply wrote the same version
		return Diff{}, errMoved.With("now", p.diff.Version+1).With("expected", p.diff.Version).Because(err)
	}
	if err != nil {
		return Diff{}, err
	}
	return diff, s.reload(ctx)
}

// apply writes the prepared content unless another version is in force by now.
func (p prepared) apply(tx *db.Tx, who principal.Principal, expected int64) (Diff, error) {
	now, err := storedVersion(tx)
	if err != nil {
		return Diff{}, err
	}
	if expected != AnyVersion && now != expected {
		return Diff{}, errMoved.With("now", now).With("expected", expected)
	}
	if now != p.diff.Version { // changed since the difference was taken
		return Diff{}, errMoved.With("now", now).With("expected", p.diff.Version)
	}
	return p.write(tx, who), nil
}

// Export is the files last applied, as they were handed in; the shipped ones
// when the store is empty. Administrators only.
func (s *Service) Export(ctx context.Context, who principal.Principal) (map[string][]byte, error) {
	if !who.Inspects() {
		return nil, fault.NoPermission
	}
	var files map[string][]byte
	err := s.db.View(ctx, func(tx *db.Tx) error {
		var err error
		files, err = storedFiles(tx)
		return err
	})
	if err == nil && len(files) == 0 {
		files = Default()
	}
	return files, err
}

// prepared is a checked difference, ready to be written.
type prepared struct {
	diff   Diff
	files  map[string][]byte
	wanted []entry
	stored map[name]entry // canonical

	agreements []Agreement
}

// prepare parses, checks and compares, outside any Update: it takes longer
// than other writers should wait.
func (s *Service) prepare(ctx context.Context, who principal.Principal, files map[string][]byte) (prepared, error) {
	if !who.Admin() {
		return prepared{}, fault.NoPermission
	}
	c, wrong := parse(files)
	if len(wrong) == 0 { // a file that cannot be read would make every reference to it a mistake
		wrong = c.check()
	}
	if len(wrong) == 0 && s.o.Article != nil {
		var err error
		if wrong, err = c.checkArticles(ctx, s.o.Article); err != nil {
			return prepared{}, err
		}
	}
	if len(wrong) > 0 {
		return prepared{}, (&Broken{wrong}).asFault()
	}
	p := prepared{files: files, wanted: c.entries(), stored: map[name]entry{}, agreements: c.agreements}
	var before map[string][]byte
	var rows []entry
	err := s.db.View(ctx, func(tx *db.Tx) error {
		var err error
		if p.diff.Version, err = storedVersion(tx); err != nil {
			return err
		}
		if before, err = storedFiles(tx); err != nil {
			return err
		}
		rows, err = storedEntries(tx)
		return err
	})
	if err != nil {
		return p, err
	}
	canonical, published, err := canonicalRows(rows)
	if err != nil {
		return p, err
	}
	if wrong := c.checkPublished(published); len(wrong) > 0 {
		return p, (&Broken{wrong}).asFault()
	}
	for _, e := range canonical {
		p.stored[name{e.kind, e.id}] = e
	}
	p.diff.Changes = compare(canonical, p.wanted)
	p.diff.Layout = !maps.EqualFunc(before, files, slices.Equal[[]byte])
	return p, nil
}

// canonicalRows sends stored rows through this release's types, so that a
// field added by a release is no difference; with all agreements ever published.
func canonicalRows(rows []entry) ([]entry, []Agreement, error) {
	var all []entry
	var published []Agreement
	for _, gone := range []bool{false, true} {
		var c content
		places := map[name]int{}
		for _, e := range rows {
			if e.retired == gone {
				places[name{e.kind, e.id}] = e.place
				if err := c.add(e); err != nil {
					return nil, nil, err
				}
			}
		}
		published = append(published, c.agreements...)
		for _, e := range c.entries() {
			e.retired, e.place = gone, places[name{e.kind, e.id}]
			all = append(all, e)
		}
	}
	return all, published, nil
}

// write queues everything that makes the prepared content the next version.
func (p prepared) write(tx *db.Tx, who principal.Principal) Diff {
	diff := p.diff
	if diff.Empty() && !diff.Layout {
		return diff
	}
	diff.Version++
	tx.Write(1, "INSERT INTO catalog_versions (version, applied_at, actor_kind, actor) VALUES (?, ?, ?, ?)",
		diff.Version, tx.Now, who.Kind.String(), who.User)
	for _, f := range slices.Sorted(maps.Keys(p.files)) {
		tx.Write(1, "INSERT INTO catalog_files (version, name, content) VALUES (?, ?, ?)", diff.Version, f, string(p.files[f]))
	}
	wanted := map[name]bool{}
	for _, e := range p.wanted {
		wanted[name{e.kind, e.id}] = true
		old, ok := p.stored[name{e.kind, e.id}]
		switch {
		case !ok || old.retired || old.data != e.data:
			tx.Write(1, `INSERT INTO catalog_entries (kind, id, place, data, changed, retired) VALUES (?, ?, ?, ?, ?, 0)
				ON CONFLICT (kind, id) DO UPDATE SET place = excluded.place, data = excluded.data, changed = excluded.changed, retired = 0`,
				string(e.kind), e.id, e.place, e.data, diff.Version)
		case old.place != e.place:
			tx.Write(1, "UPDATE catalog_entries SET place = ? WHERE kind = ? AND id = ?", e.place, string(e.kind), e.id)
		}
	}
	for key, e := range p.stored {
		if !e.retired && !wanted[key] {
			tx.Write(1, "UPDATE catalog_entries SET retired = ?, changed = ? WHERE kind = ? AND id = ?", diff.Version, diff.Version, string(e.kind), e.id)
		}
	}
	p.writeAgreements(tx, diff)
	counts := map[string]int{}
	for _, c := range diff.Changes {
		counts[c.What]++
	}
	event.Record(tx, who, event.Event{Domain: principal.House, Kind: "catalog.apply", Subject: "catalog", SubjectID: "catalog",
		Revision: diff.Version, LogCode: event.NoLog, Data: map[string]any{"changes": counts}})
	tx.Wake(Wake)
	return diff
}

func storedFiles(tx *db.Tx) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := tx.List(func(r db.Row) error {
		var name, text string
		if err := r.Scan(&name, &text); err != nil {
			return err
		}
		files[name] = []byte(text)
		return nil
	}, "SELECT name, content FROM catalog_files WHERE version = (SELECT max(version) FROM catalog_versions)")
	if err != nil {
		return nil, fmt.Errorf("stored catalogue files: %w", err)
	}
	return files, nil
}
