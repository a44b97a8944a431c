package notify

import (
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"casemate/internal/db"
)

// line is what messages leave by at one moment: the providers of the server's
// file and those of the store. It never changes; another one takes its place.
type line struct {
	all     []*provider         // mail first, those that are switched off too
	on      map[Way][]*provider // those that may be asked
	host    string              // right side of Message-IDs
	bounces []bounceReader      // that know our mails
	own     []string            // addresses we send from
}

// lines is the line in force on this node.
type lines struct {
	now  atomic.Pointer[line]
	read atomic.Bool // the store has been read

	load sync.Mutex // one reload at a time
}

// noHost is the right side of Message-IDs while no provider of mails is known.
const noHost = "casemate.invalid"

// line puts the providers together; hosts are those of Message-IDs of before.
func (s *Service) line(stored []*provider, before []string) *line {
	l := &line{on: map[Way][]*provider{}, host: noHost}
	hosts := []string{}
	for _, way := range []Way{Mail, SMS} {
		for _, p := range slices.Concat(s.fixed, stored) {
			if p.way != way {
				continue
			}
			l.all = append(l.all, p)
			if !p.spec.Off {
				l.on[way] = append(l.on[way], p)
			}
			a, err := mail.ParseAddress(p.from)
			if err != nil {
				continue
			}
			l.own = append(l.own, a.Address)
			if host := a.Address[strings.LastIndexByte(a.Address, '@')+1:]; !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	// One for all providers: a fail-over must not change the Message-ID. It is fixed
	// when a mail is written (Prepare), and what was written under another one comes
	// back all the same.
	if len(hosts) > 0 {
		l.host = hosts[0]
	}
	hosts = append(append(hosts, before...), noHost)
	slices.Sort(hosts)
	for _, host := range slices.Compact(hosts) {
		l.bounces = append(l.bounces, newBounceReader(host, ""))
	}
	for _, p := range l.all {
		if strings.Contains(p.verp, "{id}") {
			l.bounces = append(l.bounces, newBounceReader(l.host, p.verp))
		}
	}
	return l
}

// WakeProviders is the topic that tells nodes that providers changed.
const WakeProviders = "notify.providers"

// reloadEvery is how often the store is asked where no wake-up came.
const reloadEvery = 5 * time.Second

// current is the line in force; the store is read when that has not been done.
func (s *Service) current(ctx context.Context) (*line, error) {
	if !s.lines.read.Load() {
		if err := s.ReloadProviders(ctx); err != nil {
			return nil, err
		}
	}
	return s.lines.now.Load(), nil
}

// ReloadProviders takes over what is stored. A provider that did not change
// keeps its connections and its health; one that changed or is gone ends its
// connections when the attempts under way have ended. One that this node cannot
// use is there all the same, says why when it is asked, and is tried anew at each
// reload: what it lacked, such as a key, may have come.
func (s *Service) ReloadProviders(ctx context.Context) error {
	s.lines.load.Lock()
	defer s.lines.load.Unlock()
	var specs []Spec
	var hosts []string
	err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		if specs, err = specsIn(tx); err != nil {
			return err
		}
		hosts = nil
		return tx.List(func(r db.Row) error {
			var host string
			err := r.Scan(&host)
			hosts = append(hosts, host)
			return err
		}, "SELECT host FROM notify_hosts")
	})
	if err != nil {
		return fmt.Errorf("reading providers: %w", err)
	}
	before := map[string]*provider{}
	for _, p := range s.lines.now.Load().all {
		if p.spec.Source == SourceDesk {
			before[p.spec.key()] = p
		}
	}
	var stored []*provider
	for _, spec := range specs {
		p, known := before[spec.key()]
		if !known || p.broken != "" {
			p = s.build(spec, p)
		}
		if p == before[spec.key()] {
			delete(before, spec.key())
		}
		stored = append(stored, p)
	}
	l := s.line(stored, hosts)
	if l.host != noHost && !slices.Contains(hosts, l.host) { // before the first mail leaves with it
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			tx.Write(db.Any, "INSERT INTO notify_hosts (host, since) VALUES (?, ?) ON CONFLICT (host) DO NOTHING", l.host, tx.Real)
			return nil
		})
		if err != nil {
			return fmt.Errorf("remembering the host of Message-IDs: %w", err)
		}
	}
	s.lines.now.Store(l)
	s.lines.read.Store(true)
	for _, p := range before {
		p.retire()
	}
	return nil
}

// key tells one state of a stored provider from all others.
func (s Spec) key() string { return fmt.Sprint(s.Name, "/", s.Created, "/", s.Version) }

// build makes a provider of the store; of one that fails as it did before, before
// stays.
func (s *Service) build(spec Spec, before *provider) *provider {
	p := &provider{way: spec.Way(), place: spec.Place, spec: spec}
	secrets, err := s.openSecrets(spec)
	var m made
	if lacks := spec.lacks(spec.has()); err == nil && len(lacks) > 0 {
		err = fmt.Errorf("its %s is not there", lacks[0])
	}
	if err == nil {
		m, err = spec.make(s.o.Config.ProductName(), s.o.Log, s.walls, secrets)
	}
	if slices.ContainsFunc(s.fixed, func(f *provider) bool { return strings.EqualFold(f.Name(), spec.Name) }) {
		err = fmt.Errorf("the server's own file has a provider of this name")
		p.spec.Off = true // the file's is meant by it on this node
	}
	if err != nil {
		if p.broken = err.Error(); before != nil && before.broken == p.broken {
			return before
		}
		s.o.Log.Warn("a provider cannot be used", "provider", spec.Name, "error", err)
		p.Channel = Broken{As: spec.Name, Failure: Failure{Unsent: true, Detail: err.Error()}}
		p.last, p.failedAt = scrub(err.Error(), ""), s.db.Now().UnixMilli()
		return p
	}
	p.Channel, p.price, p.from, p.verp = m.Channel, m.price, m.from, m.verp
	if centre, ok := p.Channel.(*smpp); ok {
		centre.receive = s.receive
	}
	return p
}

// use is one attempt with a provider; it ends with the returned function.
func (p *provider) use() (leave func()) {
	p.using.Lock()
	defer p.using.Unlock()
	p.busy++
	return func() {
		p.using.Lock()
		p.busy--
		last := p.retired && p.busy == 0
		p.using.Unlock()
		if last {
			p.close()
		}
	}
}

// retire lets a provider end when nothing is under way with it.
func (p *provider) retire() {
	p.using.Lock()
	p.retired = true
	idle := p.busy == 0
	p.using.Unlock()
	if idle {
		p.close()
	}
}

// close ends the provider's connections, once.
func (p *provider) close() {
	p.using.Lock()
	closed := p.closed
	p.closed = true
	p.using.Unlock()
	if c, ok := p.Channel.(interface{ Close() }); ok && !closed {
		c.Close()
	}
}

// Run follows changes of the providers, and keeps the connections of those that
// have lasting ones, because receipts come over them, until the context ends. In
// the demo world nothing is connected.
func (s *Service) Run(ctx context.Context) {
	var all sync.WaitGroup
	keeping := map[*provider]context.CancelFunc{}
	tick := time.NewTicker(reloadEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.ReloadProviders(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "providers not reloaded, those before stay in force", "error", err)
		}
		on := s.lines.now.Load().on[SMS]
		for p, stop := range keeping {
			if !slices.Contains(on, p) {
				stop()
				delete(keeping, p)
			}
		}
		for _, p := range on {
			c, ok := p.Channel.(*smpp)
			if _, kept := keeping[p]; !ok || kept || s.o.Catch {
				continue
			}
			keep, stop := context.WithCancel(ctx)
			keeping[p] = stop
			all.Go(func() { c.keep(keep) })
		}
		select {
		case <-ctx.Done():
		case <-s.db.Wake(WakeProviders):
		case <-tick.C:
		}
	}
	for _, stop := range keeping {
		stop()
	}
	all.Wait()
}

// Close ends the connections of providers. What is sent after that fails.
func (s *Service) Close() {
	for _, p := range s.lines.now.Load().all {
		p.close()
	}
}
