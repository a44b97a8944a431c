// Package catalog owns what tickets are about: categories, products, problem
// types with their templates and additional parameters, severities and support
// plans, regions, calling codes, satisfaction dimensions, limits, quotas and
// agreements. The operator keeps it as YAML files and applies them as a whole;
// every node holds the applied version in memory.
//
// It does not count tickets (quotas are numbers here) and does not run SLA
// clocks.
package catalog

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/principal"
)

//go:embed default/*.yaml
var shipped embed.FS

// Default is the catalogue Casemate ships with, file by file.
func Default() map[string][]byte {
	files := map[string][]byte{}
	list, err := shipped.ReadDir("default")
	if err != nil { // embedded
		panic(err)
	}
	for _, f := range list {
		text, err := shipped.ReadFile(path.Join("default", f.Name()))
		if err != nil {
			panic(err)
		}
		files[f.Name()] = text
	}
	return files
}

// Wake is the topic that tells other nodes of a new version.
const Wake = "catalog"

// poll is how often a node looks for a version it was not told of; a new one
// must be in force everywhere within a second.
const poll = 750 * time.Millisecond

// Options of the service.
type Options struct {
	// UnlimitedQuota lifts every quota, for the demo world (design.md section 8).
	UnlimitedQuota bool
	Log            *slog.Logger // nil = slog.Default()
	// Article refuses a text of a template that refers to an article customers
	// could not open; nil = nothing is refused.
	Article func(ctx context.Context, text string) error
}

// Service is the noun.
type Service struct {
	db   *db.DB
	o    Options
	now  atomic.Pointer[Catalog]
	load sync.Mutex // one reload at a time, so that an older version never replaces a newer one
}

// New makes the service and loads the version in force. An empty store has an
// empty catalogue until EnsureDefault.
func New(ctx context.Context, d *db.DB, o Options) (*Service, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Service{db: d, o: o}
	s.now.Store(&Catalog{})
	return s, s.reload(ctx)
}

// Now is the catalogue in force. It costs nothing; take it once per request so
// that one answer does not mix two versions.
func (s *Service) Now() *Catalog { return s.now.Load() }

// Offered are the severities that the caller's support plan gives for a problem
// type of a product, highest first; none when the plan gives none. It fails
// with OSM.01010001 naming the field for ids that are unknown or do not belong
// together.
func (s *Service) Offered(ctx context.Context, who principal.Principal, product, problemType string) ([]Severity, error) {
	c := s.Now()
	p, err := c.FitProblemType(problemType, "", product)
	if err != nil {
		return nil, err
	}
	var offered []Severity
	err = s.db.View(ctx, func(tx *db.Tx) error {
		d, err := identity.DomainIn(tx, who.Domain)
		offered = c.SeveritiesOf(d.Plan, p)
		return err
	})
	return offered, err
}

// EnsureDefault applies the shipped catalogue to an empty store.
func (s *Service) EnsureDefault(ctx context.Context) error {
	if s.Now().Version > 0 {
		return nil
	}
	_, err := s.Apply(ctx, principal.AsSystem(principal.House), Default(), 0)
	if errors.Is(err, errMoved) { // another node was faster
		return s.reload(ctx)
	}
	return err
}

// Run keeps the node's catalogue up to date until the context ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.db.Wake(Wake):
		case <-tick.C:
		}
		if err := s.reload(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "catalogue not reloaded, the old one stays in force", "error", err)
		}
	}
}

// reload takes over the stored version if it is another than the one in force.
func (s *Service) reload(ctx context.Context) error {
	s.load.Lock()
	defer s.load.Unlock()
	var next *Catalog
	err := s.db.View(ctx, func(tx *db.Tx) error {
		version, err := storedVersion(tx)
		if err != nil || version == s.Now().Version {
			return err
		}
		rows, err := storedEntries(tx)
		if err != nil {
			return err
		}
		next, err = build(version, rows, s.o.UnlimitedQuota)
		return err
	})
	if err != nil {
		return fmt.Errorf("load catalogue: %w", err)
	}
	if next != nil {
		s.now.Store(next)
	}
	return nil
}

func storedVersion(tx *db.Tx) (int64, error) {
	var v int64
	err := tx.Get("SELECT coalesce(max(version), 0) FROM catalog_versions").Scan(&v)
	return v, err
}

func storedEntries(tx *db.Tx) ([]entry, error) {
	var rows []entry
	err := tx.List(func(r db.Row) error {
		var e entry
		var retired int64
		if err := r.Scan(&e.kind, &e.id, &e.place, &e.data, &retired); err != nil {
			return err
		}
		e.retired = retired > 0
		rows = append(rows, e)
		return nil
	}, "SELECT kind, id, place, data, retired FROM catalog_entries ORDER BY kind, place, id")
	return rows, err
}
