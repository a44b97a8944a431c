// Package server is the composition root: it builds every part from the
// options, mounts the surfaces, starts and drains workers, and tells its
// health. It is the only package that knows all others.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/notify"
	"casemate/internal/seal"
	"casemate/internal/ticket"
	"casemate/internal/verify"
)

// Options say where things lie and how the server behaves.
type Options struct {
	Data        string // data folder; made when missing
	Keys        string // keys folder, not inside Data; "" = Data + ".keys"
	Database    string // "" = SQLite in Data, or postgres://...
	Listen      string // HOST:PORT
	Demo        bool   // fill an empty store, catch mails and text messages
	DemoPublic  bool   // the operator said twice that a demo may be reachable by others
	Credentials string // file for the demo's credentials, "" = DATA/credentials.json
	Version     string
	Config      config.Config
	Log         *slog.Logger
	Now         func() time.Time // nil = the clock
}

// Server is one node.
type Server struct {
	o       Options
	db      *db.DB
	keys    *seal.Keyring
	sealer  *event.Sealer
	runner  *job.Runner
	ident   *identity.Service
	catalog *catalog.Service
	notify  *notify.Service
	verify  *verify.Service
	tickets *ticket.Service
	drain   drain
	metrics *metrics
	local   *localToken
	setup   string // one-time set-up secret, "" when an administrator exists
	demo    *Credentials
}

func (o Options) keysDir() string {
	if o.Keys != "" {
		return o.Keys
	}
	return strings.TrimRight(o.Data, "/") + ".keys"
}

func (o Options) databaseURL() string {
	if o.Database != "" {
		return o.Database
	}
	return "sqlite:" + filepath.Join(o.Data, "casemate.db")
}

// check refuses options that would hurt the operator.
func (o Options) check() error {
	data, err := filepath.Abs(o.Data)
	if err != nil {
		return err
	}
	keys, err := filepath.Abs(o.keysDir())
	if err != nil {
		return err
	}
	if keys == data || strings.HasPrefix(keys, data+string(filepath.Separator)) {
		return errors.New("the keys folder must not lie in the data folder: a copy of the data would hold its own keys")
	}
	if o.Demo && !o.DemoPublic {
		host, _, err := net.SplitHostPort(o.Listen)
		if err != nil {
			return fmt.Errorf("listen address %q: %w", o.Listen, err)
		}
		if host != "localhost" && !loopback(host) {
			return fmt.Errorf("the demo world's passwords are known to all: it serves on a loopback address only, not on %q (--demo-public allows it)", o.Listen)
		}
	}
	return nil
}

// Open builds a node. On an empty folder it makes the keys and the database.
func Open(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	s := &Server{o: o, metrics: newMetrics()}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// store opens keys and database, without any noun.
func (s *Server) store(ctx context.Context) error {
	if err := os.MkdirAll(s.o.Data, 0o700); err != nil {
		return err
	}
	var err error
	if s.keys, err = openKeys(ctx, s.o); err != nil {
		return err
	}
	sealRow, unsealRow := s.keys.Raw()
	s.db, err = db.Open(ctx, db.Options{URL: s.o.databaseURL(), Now: s.o.Now, Seal: sealRow, Unseal: unsealRow, Log: s.o.Log})
	return err
}

func (s *Server) build(ctx context.Context) error {
	if err := s.store(ctx); err != nil {
		return err
	}
	node := nodeName()
	cfg := s.o.Config
	if s.o.Demo {
		cfg = demoConfig(cfg)
	}
	s.sealer = event.NewSealer(s.db, s.keys.Derive("event-chain"), node, s.o.Log)
	s.runner = job.NewRunner(s.db, node, s.o.Log)
	s.ident = identity.New(s.db, s.keys, identity.Options{DemoLocks: s.o.Demo})
	s.catalog = catalog.New(s.db)
	var err error
	if s.notify, err = notify.New(s.db, s.keys, cfg.Notify); err != nil {
		return err
	}
	s.verify = verify.New(s.db, s.keys, s.notify, s.ident, cfg.Verify)
	s.tickets = ticket.New(s.db, s.keys, s.ident, s.catalog, s.verify, cfg.Ticket)
	return nil
}

func nodeName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s-%d-%x", host, os.Getpid(), b)
}

// Close releases what Open took. Serve has stopped the workers before.
func (s *Server) Close() error {
	var errs []error
	s.local.remove()
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.keys != nil {
		errs = append(errs, s.keys.Close())
	}
	return errors.Join(errs...)
}

// handler mounts the surfaces behind the chain.
func (s *Server) handler() (http.Handler, error) {
	return nil, errors.New("unreachable")
}
