// Package server is the composition root: it builds every part from the
// options, mounts the surfaces, starts and drains workers, and tells its
// health. It is the only package that knows all others.
package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"casemate/internal/api"
	"casemate/internal/attachment"
	"casemate/internal/authorization"
	"casemate/internal/blob"
	"casemate/internal/catalog"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/desk"
	"casemate/internal/diagnose"
	"casemate/internal/event"
	"casemate/internal/iam"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/knowledge"
	"casemate/internal/live"
	"casemate/internal/mailin"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/privilege"
	"casemate/internal/queue"
	"casemate/internal/report"
	"casemate/internal/seal"
	"casemate/internal/setup"
	"casemate/internal/ticket"
	"casemate/internal/verify"
	"casemate/internal/webapi"
	"casemate/internal/webhook"
	"casemate/internal/wire"
	"casemate/web"
)

// Options say where things lie and how the server behaves.
type Options struct {
	Data             string   // data folder; made when missing
	Keys             string   // keys folder, not inside Data; "" = Data + ".keys"
	Database         string   // "" = SQLite in Data, or postgres://...
	Blobs            string   // "" = files in Data, or s3://... (blob.OpenS3)
	Backups          string   // where backups made from the desk go, a folder or s3://BUCKET/PREFIX/; "" = backups in Data
	BackupRecipients []string // files of public keys (age) that those are encrypted for
	Listen           string   // HOST:PORT
	Demo             bool     // fill an empty store, catch mails and text messages
	DemoPublic       bool     // the operator said twice that a demo may be reachable by others
	Credentials      string   // file for the demo's credentials, "" = DATA/credentials.json
	Version          string
	Program          string // how the operator calls this program, for the welcome; "" = casemate
	Config           config.Config
	ConfigFile       string // where Config was read, LogLevel and LogJSON how Log was made: told, not used
	LogLevel         string
	LogJSON          bool
	Log              *slog.Logger
	Now              func() time.Time // nil = the clock

	tool bool          // a tool looks at a store that a server may have open
	file config.Config // Config before the demo's additions
}

// Server is one node.
type Server struct {
	o         Options
	outside   string // where others open this node, when it listens on all addresses
	db        *db.DB
	hold      *seal.Hold
	keys      *seal.Keyring
	sealer    *event.Sealer
	runner    *job.Runner
	ident     *identity.Service
	catalog   *catalog.Service
	notify    *notify.Service
	verify    *verify.Service
	ticket    *ticket.Service
	webhook   *webhook.Service
	queue     *queue.Service
	knowledge *knowledge.Service
	mail      *mailin.Service
	gate      *mailin.Gate
	drain     drain
	metrics   *metrics
	local     *localToken
	diagnose  *diagnose.Service
	report    *report.Service
	setup     *setup.Service
	live      *live.Hub
	clock     *turnable
	backups   backups

	authorization *authorization.Service
	privacy       *privacy.Service
	blobs         blob.Store
	files         *attachment.Service
}

func (o Options) keysDir() string {
	if o.Keys != "" {
		return o.Keys
	}
	return strings.TrimRight(o.Data, "/") + ".keys"
}

// exportDir is where files are built before they are sent; what a crash left
// there goes at the next start.
func (o Options) exportDir() string { return filepath.Join(o.Data, "export") }

func (o Options) databaseURL() string {
	if o.Database != "" {
		return o.Database
	}
	return "sqlite:" + filepath.Join(o.Data, "casemate.db")
}

// openBlobs opens the store of attachments' bytes.
func (o Options) openBlobs(ctx context.Context) (blob.Store, error) {
	if o.Blobs == "" {
		return blob.OpenLocal(filepath.Join(o.Data, "blobs"), o.now)
	}
	return blob.OpenS3(ctx, o.Blobs)
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
			return fmt.Errorf("the demo world is for trying out and serves on a loopback address only, not on %q (--demo-public allows it)", o.Listen)
		}
	}
	return nil
}

// Open builds a node. On an empty folder it makes the keys and the database. A
// data folder whose database lies in it serves one process at a time.
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
	if err := o.checkKeys(); err != nil {
		return nil, err
	}
	if err := o.notMoved(); err != nil {
		return nil, err
	}
	o.tryable()
	clock := &turnable{base: o.Now}
	o.Now = clock.now
	s := &Server{o: o, clock: clock, metrics: newMetrics()}
	if !o.tool {
		var err error
		if s.hold, err = seal.Claim(ctx, o.keysDir(), o.Database, o.Database == ""); err != nil {
			return nil, o.claimed(err)
		}
	}
	if err := s.build(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.metrics.surveys(s.db)
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
	s.db, err = db.Open(ctx, db.Options{URL: s.o.databaseURL(), Now: s.o.Now, Seal: sealRow, Unseal: unsealRow, Log: s.o.Log, SealAddress: s.sealAddress, OpenAddress: s.openAddress})
	if err != nil {
		return err
	}
	return s.goBack(ctx)
}

func (s *Server) build(ctx context.Context) error {
	if err := s.store(ctx); err != nil {
		return err
	}
	if !s.o.tool { // a tool must not take a running server's files away
		if err := os.RemoveAll(s.o.exportDir()); err != nil {
			return err
		}
	}
	node := nodeName()
	s.sealer = event.NewSealer(s.db, s.keys.Derive("event-chain"), node, s.o.Log)
	s.runner = job.NewRunner(s.db, node, s.o.Log)
	var err error
	if s.ident, err = identity.NewFederated(s.db, s.keys, identity.Options{DemoLocks: s.o.Demo, Providers: s.o.Config.Identity.Providers, Sessions: s.o.Config.Identity.Sessions, SecondFactor: s.o.Config.Identity.SecondFactor,
		OIDC: s.o.Config.Identity.OIDC, LDAP: s.o.Config.Identity.LDAP, Recheck: s.o.Config.Identity.Recheck, Plans: s.plans, Log: s.o.Log}); err != nil {
		return err
	}
	if s.catalog, err = catalog.New(ctx, s.db, catalog.Options{UnlimitedQuota: s.o.Demo, Log: s.o.Log, Article: s.templateArticle}); err != nil {
		return err
	}
	if err := s.catalog.EnsureDefault(ctx); err != nil {
		return err
	}
	replySecret, err := s.o.Config.MailIn.ReplySecret.Read()
	if err != nil {
		return fmt.Errorf("mail_in.reply_secret: %w", err)
	}
	if s.notify, err = notify.New(s.db, s.keys, notify.Options{Config: s.o.Config.Notify, Catch: s.o.Demo, Sandbox: s.ident.InSandbox, Identity: s.ident,
		ReplyTo: s.o.Config.MailIn.Reply(), ReplySecret: replySecret, Log: s.o.Log}); err != nil {
		return err
	}
	if s.verify, err = verify.New(s.db, s.keys, s.ident, s.notify, verify.Options{Config: s.o.Config.Verify, Demo: s.o.Demo, AddressKnown: len(s.o.Config.TrustedProxies) > 0, Log: s.o.Log}); err != nil {
		return err
	}
	if s.blobs, err = s.o.openBlobs(ctx); err != nil {
		return err
	}
	if remote, ok := s.blobs.(*blob.S3); ok {
		if err := remote.Claim(ctx, hex.EncodeToString(s.keys.Derive("owner of blobs"))); err != nil {
			return err
		}
	}
	if s.files, err = attachment.New(s.db, s.keys, s.blobs, attachment.Options{Config: s.o.Config.Attachment, Log: s.o.Log}); err != nil {
		return err
	}
	if s.ticket, err = ticket.New(s.db, s.keys, ticket.Nouns{Identity: s.ident, Catalog: s.catalog, Verify: s.verify, Notify: s.notify, Attachments: s.files},
		ticket.Options{Config: s.o.Config.Ticket, Demo: s.o.Demo, Log: s.o.Log}); err != nil {
		return err
	}
	s.knowledge = knowledge.New(s.db, s.catalog, s.ident, knowledge.Options{URL: strings.TrimRight(s.o.Config.Notify.URL, "/")})
	s.runner.Every(s.knowledge.Periodic()...)
	if s.queue, err = queue.New(s.db, s.keys, queue.Nouns{Identity: s.ident, Catalog: s.catalog, Notify: s.notify, Tickets: s.ticket, Knowledge: s.knowledge}, queue.Options{Log: s.o.Log, Queue: s.o.Config.Queue, Config: s.o.Config.Teamwork, Automation: s.o.Config.Automation}); err != nil {
		return err
	}
	if s.report, err = report.New(s.db, report.Nouns{Identity: s.ident, Catalog: s.catalog, Tickets: s.ticket, Queue: s.queue}, report.Options{Zone: s.o.Config.Report.Zone, Log: s.o.Log}); err != nil {
		return err
	}
	s.runner.Every(s.report.Periodic()...)
	if s.mail, err = mailin.New(s.db, s.keys, mailin.Nouns{Identity: s.ident, Catalog: s.catalog, Notify: s.notify, Tickets: s.ticket, Attachments: s.files, Queue: s.queue},
		mailin.Options{Config: s.o.Config.MailIn, Log: s.o.Log}); err != nil {
		return err
	}
	if err := s.openGate(node); err != nil {
		return err
	}
	s.runner.Add(s.mail.Kinds()...)
	s.runner.Every(s.mail.Periodic()...)
	s.live = live.New(s.db, s.ticket, live.Options{Beat: s.o.Config.WithDefaults().Heartbeat, Presence: s.queue.Everywhere, Log: s.o.Log})
	if s.webhook, err = webhook.New(s.db, s.keys, s.o.Config.Webhooks, s.o.Log); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	s.runner.Add(s.webhook.Kinds()...)
	s.runner.Every(s.webhook.Periodic()...)
	s.runner.Clock(s.ident.Clock)
	if s.diagnose, err = diagnose.New(s.db, s.ident, s.catalog, diagnose.Options{Config: s.o.Config.Diagnose, Log: s.o.Log}); err != nil {
		return err
	}
	s.runner.Add(s.diagnose.Kinds()...)
	s.runner.Every(s.diagnose.Periodic()...)
	if s.authorization, err = authorization.New(s.db, s.keys, authorization.Nouns{Identity: s.ident, Catalog: s.catalog, Ticket: s.ticket},
		authorization.Options{Config: s.o.Config.Authorization, Demo: s.o.Demo, Log: s.o.Log}); err != nil {
		return err
	}
	s.runner.Add(s.authorization.Kinds()...)
	s.runner.Every(s.authorization.Periodic()...)
	s.openPrivacy()
	s.setup = setup.New(s.db, setup.Nouns{Identity: s.ident, Catalog: s.catalog, Notify: s.notify, Tickets: s.ticket, Queue: s.queue, Webhooks: s.webhook, Privacy: s.privacy})
	s.runner.Add(s.notify.Kinds()...)
	s.runner.Add(s.ticket.Kinds()...)
	s.runner.Add(s.files.Kinds()...)
	s.runner.Add(s.queue.Kinds()...)
	s.runner.Every(s.queue.Periodic()...)
	s.runner.Every(s.ticket.Periodic()...)
	s.runner.Every(s.queue.RulePeriodic()...)
	s.runner.Every(s.files.Periodic()...)
	s.runner.Every(s.notify.Periodic()...)
	s.runner.Every(s.verify.Periodic()...)
	s.runner.Every(s.ident.Periodic()...)
	s.runner.Every(
		job.Periodic{Name: "request keys", Every: time.Minute, Run: func(ctx context.Context) error {
			_, err := s.db.PurgeRequestKeys(ctx)
			return err
		}},
		job.Periodic{Name: "tokens", Every: 5 * time.Minute, Run: s.ident.Purge},
	)
	return nil
}

// plans are the support plans of the catalogue in force.
func (s *Server) plans() (names []string) {
	for _, p := range s.catalog.Now().Plans() {
		names = append(names, p.ID)
	}
	return names
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
	s.stopBackup()
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.blobs != nil {
		errs = append(errs, s.blobs.Close())
	}
	if s.keys != nil {
		errs = append(errs, s.keys.Close())
	}
	return errors.Join(append(errs, s.hold.Release())...)
}

// openKeys opens the keyring, or makes it for a store that has none yet.
func openKeys(ctx context.Context, o Options) (*seal.Keyring, error) {
	if seal.Exists(o.keysDir()) {
		return seal.Open(ctx, o.keysDir(), o.Database)
	}
	return seal.Create(ctx, o.keysDir(), o.Database)
}

// checkKeys refuses a store without its keys: new keys would open nothing of it.
func (o Options) checkKeys() error {
	if _, err := os.Stat(filepath.Join(o.Data, "casemate.db")); err == nil && !seal.Exists(o.keysDir()) {
		return fmt.Errorf("%s holds data but %s holds no master key: restore the keys from their backup", o.Data, o.keysDir())
	}
	return nil
}

// handler mounts the surfaces behind the chain.
func (s *Server) handler(c *chain) (http.Handler, error) {
	v2, err := api.New(api.Nouns{Catalog: s.catalog, Verify: s.verify, Ticket: s.ticket, Diagnose: s.diagnose, Authorization: s.authorization, Attachments: s.files, Identity: s.ident, Privilege: privilege.New(s.db, s.ident), Knowledge: s.knowledge}, api.Options{Documented: s.o.Config.Errors.Documented(), Temp: s.o.exportDir(), Log: s.o.Log})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for _, p := range []string{"/v2/", "/v2.0/", "/osm/"} {
		mux.Handle(p, v2)
	}
	engineers, err := desk.New(desk.Nouns{Identity: s.ident, Tickets: s.ticket, Catalog: s.catalog, Notify: s.notify, Webhooks: s.webhook, Verify: s.verify, Diagnose: s.diagnose, Queue: s.queue, Mail: s.mail, MailGate: s.gate, Authorizations: s.authorization, Privacy: s.privacy, Knowledge: s.knowledge, Reports: s.report, Setup: s.setup}, s.deskHost(), s.o.Log)
	if err != nil {
		return nil, err
	}
	mux.Handle("/desk/v1/", engineers)
	identityAPI, err := iam.New(s.ident, s.o.Log)
	if err != nil {
		return nil, err
	}
	mux.Handle("GET /{$}", front(identityAPI))
	for _, p := range []string{"/v3", "/v3/", "/v3.0", "/v3.0/"} {
		mux.Handle(p, identityAPI)
	}
	browsers, err := webapi.New(webapi.Nouns{Tickets: s.ticket, Catalog: s.catalog, Identity: s.ident, Privacy: s.privacy, Knowledge: s.knowledge, Reports: s.report, Live: s.live, Demo: s.o.Demo, Privilege: privilege.New(s.db, s.ident), Verify: s.verify}, s.o.Log)
	if err != nil {
		return nil, err
	}
	mux.Handle("/web/v1/", browsers)
	mux.HandleFunc(notify.StopPath, s.unsubscribe)
	mux.HandleFunc(ticket.SurveyPath, s.survey)
	mux.HandleFunc("GET "+attachment.LinkPath+"{id}", s.linked)
	mux.HandleFunc("POST /notify/v1/receipts/{provider}", s.receipts)
	mux.HandleFunc("GET /healthz", s.alive)
	mux.HandleFunc("GET /readyz", s.ready)
	nothing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wire.Write(r.Context(), w, wire.ErrNoAPI.With("method", r.Method).With("path", r.URL.Path), s.o.Config.Errors.Documented())
	})
	built, err := newPages(web.Dist())
	if err != nil {
		return nil, err
	}
	built.mount(mux, nothing)
	mux.Handle("/", nothing)
	return c.wrap(mux), nil
}

// Timeouts of the listener (threats.md E8): the Java SDK pools connections for
// five minutes.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 6 * time.Minute
	maxHeader     = 64 << 10
	finishTimeout = 60 * time.Second
)

// Serve answers requests until the context ends, then drains: not ready, each
// answer closes its connection, running requests finish, workers stop. ready is
// called once the node serves, with the base URL and, where no administrator
// exists, the one-time secret to make him.
func (s *Server) Serve(ctx context.Context, ready func(base, setup string)) error {
	trusted, err := parseProxies(s.o.Config.TrustedProxies)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.o.Listen)
	if err != nil {
		return err
	}
	if err := uploadFolder(s.o.Data); err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := s.gate.Listen(); err != nil {
		return errors.Join(err, listener.Close())
	}
	defer s.gate.Close()
	s.anchor()
	var base string
	base, s.outside = addresses(listener.Addr())
	if s.local, err = newLocalToken(s.o.Data, base, s.db.Random(32)); err != nil {
		return errors.Join(err, listener.Close())
	}
	if s.o.Demo {
		if err := s.fillDemo(ctx, base); err != nil {
			return errors.Join(fmt.Errorf("demo world: %w", err), listener.Close())
		}
	}
	setup, err := s.ident.SetupToken(ctx)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	c := &chain{warm: s.warm, ident: s.ident, proxies: trusted, log: s.o.Log, now: s.o.Now, metrics: s.metrics, random: s.db.Random,
		local: s.local, drain: &s.drain, docMode: s.o.Config.Errors.Documented(),
		largest: s.o.Config.Attachment.MaxBytes(), bulky: make(chan struct{}, bulkyAtOnce)}
	h, err := s.handler(c)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	public := &http.Server{Handler: h, ConnContext: withConn, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug)}
	servers := []*http.Server{public}
	failed := make(chan error, 2)
	go func() { failed <- public.Serve(listener) }()
	if s.o.Config.Metrics != "" {
		m := &http.Server{Addr: s.o.Config.Metrics, Handler: s.metrics.handler(), ReadHeaderTimeout: headerTimeout}
		servers = append(servers, m)
		go func() { failed <- m.ListenAndServe() }()
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var workers sync.WaitGroup
	workers.Go(func() { s.runner.Run(work) })
	workers.Go(func() {
		if err := s.catalog.Run(work); err != nil {
			s.o.Log.Error("catalogue", "error", err)
		}
	})
	workers.Go(func() {
		if err := s.sealer.Run(work); err != nil {
			s.o.Log.Error("sealing events", "error", err)
		}
	})
	workers.Go(func() { s.ident.Run(work) })
	workers.Go(func() { s.notify.Run(work) })
	workers.Go(func() { s.live.Run(work) })
	workers.Go(func() { s.gate.Run(work) })
	ready(base, setup)
	select {
	case err = <-failed:
	case <-ctx.Done():
		s.drain.start()
		s.live.Close()                              // streams would never finish by themselves
		time.Sleep(s.o.Config.WithDefaults().Drain) // clients go elsewhere while their connections still work
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishTimeout)
		defer cancel()
		for _, hs := range servers {
			err = errors.Join(err, hs.Shutdown(end))
		}
	}
	stop()
	workers.Wait()
	s.notify.Close() // after the last job: receipts of what it sent are taken until here
	return err
}

// Init prepares an empty store with its first administrator. It refuses a
// store that has one.
func Init(ctx context.Context, o Options, name, password string) error {
	o.Listen = "127.0.0.1:0"
	s, err := Open(ctx, o)
	if err != nil {
		return err
	}
	defer s.Close()
	who := principal.AsSystem(principal.House)
	people, err := s.ident.Users(ctx, who, principal.House)
	if err != nil {
		return err
	}
	for _, u := range people {
		if u.Role == principal.RoleAdministrator {
			return fmt.Errorf("this store has an administrator: %s", u.Name)
		}
	}
	_, err = s.ident.CreateUser(ctx, who, identity.NewUser{Domain: principal.House, Name: name, Password: password, Role: principal.RoleAdministrator})
	return err
}
