// Package setup is the configuration as code: everything of the house that is
// configuration as one tree of files, compared with what is stored and put in
// force as a whole, by the nouns that own it and in one transaction. It owns the
// versions that were put in force. Whatever it changes, it changes through the
// nouns.
//
// Accounts, people, groups and access keys are part of it only for who says so
// (docs/adr/0012); secrets are never exported, and versions hold nothing personal.
package setup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/queue"
	"casemate/internal/ticket"
	"casemate/internal/webhook"
	"casemate/internal/yamlfile"
)

// MaxFiles is how many files a tree may have.
const MaxFiles = 500

// Clocks is what becomes of the clocks of open tickets.
type Clocks string

// The choices.
const (
	KeepClocks Clocks = "keep" // open tickets keep the targets they were promised
	MoveClocks Clocks = "move" // they go by what is promised now
)

// Faults of this package.
var (
	ErrNoVersion = fault.New(fault.NotFound, fault.CodeInvalid, "没有该配置版本", "there is no such version of the configuration").In("version")
	// errMoved has a code of the coarse kind, so that its status is 409.
	errDeliberate = fault.New(fault.Invalid, fault.CodeInvalid, "accounts/ 更改账号、人员或权限；确认后请给出 {field}: true（命令行 --with accounts）", "accounts/ changes accounts, people or rights: when that is meant, give {field}: true (--with accounts on the command line)").In("accounts")
	errNoAccounts = fault.New(fault.Invalid, fault.CodeInvalid, "版本 {version} 未记录账号（accounts/）", "version {version} recorded no accounts (accounts/)").In("accounts")
	errMoved      = fault.New(fault.Conflict, fault.CodeForbidden, "配置已被他人更改：{files}；请重新查看差异", "the configuration was changed by somebody else: {files}; look at the difference again")
)

// Nouns are what configuration is made of.
type Nouns struct {
	Identity *identity.Service
	Catalog  *catalog.Service
	Notify   *notify.Service
	Tickets  *ticket.Service
	Queue    *queue.Service
	Webhooks *webhook.Service
	Privacy  *privacy.Service
}

// Service is the noun.
type Service struct {
	db *db.DB
	n  Nouns

	secrets map[string]string // Knowing

	// interrupt is asked at the end of the transaction of Apply; tests set it.
	interrupt func(tx *db.Tx) error
	readied   func() // is called in front of it
}

// New makes the service.
func New(d *db.DB, n Nouns) *Service { return &Service{db: d, n: n} }

// Knowing is the service for a caller who tells what references in files, such as
// env:NAME, stand for: he reads them, never the server.
func (s *Service) Knowing(secrets map[string]string) *Service {
	knows := *s
	knows.secrets = secrets
	return &knows
}

// Plan is what separates files from what is in force.
type Plan struct {
	Version int64             // the last one that was recorded, 0 = none; of Apply the new one
	Hash    string            // of what is in force
	Base    map[string]string // hashes of its files, by path: what the plan was made against
	Changes []Change
	Layout  bool // files of the catalogue differ, be it in comments or order only
	Tickets Touched
	// Notices are what is to be read first: rights that change, data that goes.
	Notices []locale.Texts
	Names   map[string]locale.Texts // what ids in Changes stand for, in values and in the steps of fields
	Keys    []NewKey                // of Apply: access keys that it made
}

// Empty tells whether applying would change nothing.
func (p Plan) Empty() bool { return len(p.Changes) == 0 && !p.Layout }

// Tree is the configuration as files.
type Tree struct {
	Version int64 // the last one that was recorded, 0 = none
	Hash    string
	Files   map[string]string
}

// With is what a tree has beside what shapes the service.
type With struct {
	Accounts bool // the folder accounts: accounts, people, groups, access keys
	People   bool // in it what is personal: log-in names, aliases, languages, zones
	Plain    bool // without README and comments, as versions record it
}

// Export is what is in force as files, with a README and what is set elsewhere
// as comments unless it is to be plain; of an earlier version, version > 0, as it was recorded. An export
// with accounts or people is an event (config.export).
// Administrators only. ErrNoVersion.
func (s *Service) Export(ctx context.Context, who principal.Principal, version int64, with With) (t Tree, err error) {
	if !who.Admin() {
		return t, fault.NoPermission
	}
	with.Accounts = with.Accounts || with.People
	if version > 0 {
		v, files, err := s.recorded(ctx, version)
		if err != nil {
			return t, err
		}
		if !with.Accounts {
			files = core(files)
		}
		return Tree{v.Version, v.Hash, files}, s.exported(ctx, who, version, with)
	}
	var d *draft
	var names map[string]string
	err = s.db.View(ctx, func(tx *db.Tx) error {
		st, err := stateIn(tx, with.Accounts)
		if err != nil {
			return err
		}
		last, err := lastIn(tx)
		if err != nil {
			return err
		}
		d = newDraft(st)
		files, err := d.tree(false)
		if err != nil {
			return err
		}
		t = Tree{Version: last.Version, Hash: hashOf(Hashes(files)), Files: files}
		names, err = d.names(tx)
		return err
	})
	if err != nil {
		return Tree{}, err
	}
	if err := s.exported(ctx, who, 0, with); err != nil {
		return Tree{}, err
	}
	if with.People { // a key for each of them is loaded: not while the snapshot is held
		if err := d.openNames(ctx, s); err != nil {
			return Tree{}, err
		}
	}
	if with.Plain {
		if with.People {
			t.Files, err = d.tree(false)
		}
		return t, err
	}
	for _, p := range d.parts {
		noted, err := p.notes(names)
		if err != nil {
			return Tree{}, err
		}
		maps.Copy(t.Files, noted)
	}
	t.Files[readme] = readmeText
	t.Files[serverFile] = s.serverText()
	return t, nil
}

// exported records that somebody takes accounts and people along, before he gets
// them. What only shapes the service is no secret and leaves no trace.
func (s *Service) exported(ctx context.Context, who principal.Principal, version int64, with With) error {
	if !with.Accounts {
		return nil
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		event.Record(tx, who, event.Event{Domain: principal.House, Kind: "config.export", Subject: "config", SubjectID: "config", Revision: version, LogCode: event.NoLog,
			Data: map[string]any{"accounts": with.Accounts, "people": with.People}})
		return nil
	})
}

// Plan shows what Apply would change, and which open tickets are touched by it.
// A section without any file stays as it is. Files that make no configuration are
// refused with every mistake found, each with file, line, column and reason (kind
// Invalid). Administrators only. It changes nothing.
func (s *Service) Plan(ctx context.Context, who principal.Principal, files map[string][]byte, clocks Clocks) (Plan, error) {
	if err := clocks.check(); err != nil {
		return Plan{}, err
	}
	d, p, err := s.prepare(ctx, who, files, false)
	if err != nil {
		return Plan{}, err
	}
	return s.told(ctx, d, p, clocks)
}

// told completes a plan by what it does to tickets, and by what is to be read first.
func (s *Service) told(ctx context.Context, d *draft, p Plan, clocks Clocks) (Plan, error) {
	var err error
	if p.Tickets, err = s.touched(ctx, d, clocks); err != nil {
		return p, err
	}
	p.Notices, err = d.notices(ctx, s)
	return p, err
}

func (c *Clocks) check() error {
	if *c == "" {
		*c = KeepClocks
	}
	if *c != KeepClocks && *c != MoveClocks {
		return fault.Unknown.In("clocks")
	}
	return nil
}

// Apply puts files in force, all of them or nothing, and records the version.
// how.Base are the hashes of the plan (Plan.Base): when files of the sections that
// would be changed differ from them by now, it refuses and names them (kind Conflict);
// nil = whatever is in force. Without how.Accounts a tree that changes accounts,
// people or rights is refused (kind Invalid). It fails like Plan. What others changed
// since the last version is recorded first as a version of its own, so that nothing
// that was in force is lost.
func (s *Service) Apply(ctx context.Context, who principal.Principal, files map[string][]byte, how How) (Plan, error) {
	if err := how.Clocks.check(); err != nil {
		return Plan{}, err
	}
	d, p, err := s.prepare(ctx, who, files, false)
	if err != nil {
		return Plan{}, err
	}
	if !how.Accounts && d.changesPeople() {
		return Plan{}, errDeliberate
	}
	return s.carryOut(ctx, who, d, p, how, record{Kind: KindApply})
}

// How is how a tree is put in force.
type How struct {
	Base     map[string]string // of the plan that was looked at; nil = whatever is in force
	Clocks   Clocks
	Accounts bool // also the folder accounts
}

// Rollback puts an earlier version in force again, as Apply does with its files.
// Accounts that it names and that are gone are left out. A provider whose secrets
// are gone, or were given for another server, comes back switched off and without
// them; Plan.Notices say so. The folder accounts is
// looked at with how.Accounts only, and must be in the version then. dry = only tell
// what it would change, as Plan does. ErrNoVersion.
func (s *Service) Rollback(ctx context.Context, who principal.Principal, version int64, how How, dry bool) (Plan, error) {
	if err := how.Clocks.check(); err != nil {
		return Plan{}, err
	}
	if !who.Admin() {
		return Plan{}, fault.NoPermission
	}
	_, tree, err := s.recorded(ctx, version)
	if err != nil {
		return Plan{}, err
	}
	switch bare := core(tree); {
	case !how.Accounts:
		tree = bare
	case len(bare) == len(tree):
		return Plan{}, errNoAccounts.With("version", version)
	}
	files := map[string][]byte{}
	for p, text := range tree {
		files[p] = []byte(text)
	}
	d, p, err := s.prepare(ctx, who, files, true)
	if err != nil {
		return Plan{}, err
	}
	if dry {
		return s.told(ctx, d, p, how.Clocks)
	}
	return s.carryOut(ctx, who, d, p, how, record{Kind: KindRollback, From: version})
}

// Broken is the error of files that make no configuration.
type Broken struct{ Mistakes []yamlfile.Mistake }

// Error only counts; the refusal around it lists them.
func (b *Broken) Error() string { return fmt.Sprintf("%d mistakes", len(b.Mistakes)) }

// asFault is the refusal callers see: every mistake on a line of its own, with
// file, line and column.
func (b *Broken) asFault() error {
	text := func(lang locale.Language) string {
		return strings.Join(yamlfile.Lines(b.Mistakes, true, func(m yamlfile.Mistake) string { return locale.Texts{ZH: m.ZH, EN: m.EN}.In(lang) }), "\n")
	}
	return fault.New(fault.Invalid, fault.CodeInvalid, "配置有误，未作任何更改：\n{mistakes.zh}", "the configuration is not valid, nothing was changed:\n{mistakes.en}").
		With("mistakes.zh", text(locale.ZH)).With("mistakes.en", text(locale.EN)).Because(b)
}

// prepare parses, checks and compares, outside any Update: it takes longer than
// other writers should wait.
func (s *Service) prepare(ctx context.Context, who principal.Principal, files map[string][]byte, lenient bool) (*draft, Plan, error) {
	if !who.Admin() {
		return nil, Plan{}, fault.NoPermission
	}
	if err := s.n.Catalog.Refresh(ctx); err != nil {
		return nil, Plan{}, err
	}
	var d *draft
	var p Plan
	var called map[string]string
	err := s.db.View(ctx, func(tx *db.Tx) error {
		st, err := stateIn(tx, asksForPeople(files))
		if err != nil {
			return err
		}
		d = newDraft(st)
		last, err := lastIn(tx)
		if p.Version = last.Version; err != nil {
			return err
		}
		called, err = d.names(tx)
		return err
	})
	if err != nil {
		return nil, p, err
	}
	if p.Version > 0 {
		if _, d.last, err = s.recorded(ctx, p.Version); err != nil && !errors.Is(err, ErrNoVersion) {
			return nil, p, err
		}
	}
	d.who, d.domains.lenient, d.told, d.back = who, lenient, s.secrets, lenient
	now, err := d.tree(false)
	if err != nil {
		return nil, p, err
	}
	d.base = Hashes(now)
	p.Base, p.Hash = d.base, hashOf(d.base)
	w := &wrongs{}
	d.parse(files, w)
	if d.people != nil && lenient {
		d.lenient()
	}
	if maps.EqualFunc(d.given, d.files, slices.Equal[[]byte]) {
		d.given = nil // as they are: nothing to check
	}
	current, next := s.n.Catalog.Now(), s.n.Catalog.Now()
	if d.given != nil { // also beside mistakes elsewhere: all are told at once
		inner := map[string][]byte{}
		for path, text := range d.given {
			name, _ := catalogName(path)
			inner[name] = text
		}
		d.catalog, err = s.n.Catalog.Draft(ctx, who, inner)
		if wrong, ok := catalog.Mistakes(err); ok {
			for _, m := range wrong {
				if m.File != "" {
					m.File = d.pathOf(m.File)
				}
				w.add(m)
			}
		} else if err != nil {
			return nil, p, err
		} else {
			next = d.catalog.Catalog()
		}
	}
	if len(w.all) == 0 { // what cannot be read would make every reference to it a mistake
		d.settle()
		before, after := d.env(s, current, false), d.env(s, next, true)
		for _, part := range d.parts {
			if err := part.judge(ctx, before, after, w); err != nil {
				return nil, p, err
			}
		}
	}
	if len(w.all) > 0 {
		return nil, p, (&Broken{w.all}).asFault()
	}
	if d.catalog != nil {
		diff := d.catalog.Diff()
		p.Layout = diff.Layout
		for _, c := range diff.Changes {
			d.changes = append(d.changes, Change{What: c.What, Section: "catalog." + string(c.Kind), ID: c.ID, Name: c.Name, Fields: c.Fields})
		}
	}
	for _, part := range d.parts {
		d.changes = append(d.changes, part.diff()...)
	}
	p.Changes, p.Names = d.changes, d.say(called, current, next)
	return d, p, nil
}

// pathOf is the path of the handed-in file that the catalogue knows by a name.
func (d *draft) pathOf(name string) string {
	for p := range d.given {
		if n, _ := catalogName(p); n == name {
			return p
		}
	}
	return treePath(name)
}

// parse reads the files of a tree.
func (d *draft) parse(files map[string][]byte, w *wrongs) {
	if len(files) == 0 {
		w.add(yamlfile.Mistake{ZH: "没有文件", EN: "there are no files"})
	}
	if len(files) > MaxFiles {
		w.add(yamlfile.Mistake{ZH: fmt.Sprintf("最多 %d 个文件", MaxFiles), EN: fmt.Sprintf("at most %d files", MaxFiles)})
		return
	}
	names := map[string]string{}
	for _, p := range slices.Sorted(maps.Keys(files)) {
		if p == readme || p == serverFile {
			continue
		}
		if name, ok := catalogName(p); ok {
			if other, taken := names[name]; taken {
				w.add(yamlfile.Mistake{File: p, ZH: "与 " + other + " 是同一个文件", EN: "is the same file as " + other})
			}
			names[name] = p
			if d.given == nil {
				d.given = map[string][]byte{}
			}
			d.given[p] = files[p]
			continue
		}
		src, wrong := yamlfile.Parse(p, files[p])
		if wrong != nil {
			w.add(*wrong)
			continue
		}
		section := d.section(p)
		if section == nil {
			w.add(yamlfile.Mistake{File: p, ZH: "没有此类配置；可用：" + d.sections(), EN: "there is no such configuration; there are: " + d.sections()})
			continue
		}
		section.read(src, w)
	}
}

// carryOut writes a draft, in one transaction.
func (s *Service) carryOut(ctx context.Context, who principal.Principal, d *draft, p Plan, how How, r record) (Plan, error) {
	var refusal, err error
	clocks := how.Clocks
	if how.Base != nil {
		if moved := d.moved(how.Base); len(moved) > 0 {
			refusal = errMoved.With("files", strings.Join(moved, ", "))
		}
	}
	if p, err = s.told(ctx, d, p, clocks); err != nil {
		return p, err
	}
	tree, err := d.tree(true)
	if err != nil {
		return p, err
	}
	before, err := d.tree(false)
	if err != nil {
		return p, err
	}
	if r.tree, err = pack(tree); err != nil {
		return p, err
	}
	r.Hash, r.Changes = hashOf(Hashes(tree)), len(d.changes)
	foundTree, err := pack(before)
	if err != nil {
		return p, err
	}
	if err := d.seal(ctx, who, s); err != nil {
		return p, err
	}
	d.locked = map[string]map[string]string{}
	for _, sender := range d.providers.put() {
		if d.locked[sender.v.ID], err = s.n.Notify.SealProvider(sender.v.ID, sender.v.fresh); err != nil {
			return p, err
		}
	}
	known := d.known(before)
	for _, part := range d.parts {
		part.fix()
	}
	on := d.rests()
	found := newDraft(d.only(on))
	if s.readied != nil {
		s.readied()
	}
	type done struct {
		Version int64
		Keys    []NewKey
	}
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (done, error) {
		if refusal != nil {
			return done{}, refusal // behind the look at an earlier request's result
		}
		tx.Lock(principal.House, "setup")
		if d.people != nil {
			identity.LockAdministratorsIn(tx)
		}
		st, err := restsIn(tx, on)
		if err != nil {
			return done{}, err
		}
		if moved := newDraft(st).movedSince(found); len(moved) > 0 {
			return done{}, errMoved.With("files", strings.Join(moved, ", "))
		}
		last, err := lastIn(tx)
		if err != nil {
			return done{}, err
		}
		same := known && last.Version == p.Version
		if p.Empty() && clocks == KeepClocks && same {
			return done{Version: last.Version}, nil
		}
		if !same { // changed by others since the last version
			last = keepVersion(tx, who, record{Version: last.Version + 1, Kind: KindFound, Hash: p.Hash, tree: foundTree})
		}
		if !p.Empty() {
			if err := d.write(tx, who); err != nil {
				return done{}, err
			}
			r.Version = last.Version + 1
			last = keepVersion(tx, who, r)
		}
		if clocks == MoveClocks {
			ticket.TurnIn(tx, last.Version)
		}
		if !p.Empty() || clocks == MoveClocks {
			event.Record(tx, who, event.Event{Domain: principal.House, Kind: "config." + r.Kind, Subject: "config", SubjectID: "config", Revision: last.Version, LogCode: event.NoLog,
				Data: map[string]any{"hash": r.Hash, "changes": r.Changes, "from": r.From, "clocks": clocks}})
		}
		if s.interrupt != nil {
			if err := s.interrupt(tx); err != nil {
				return done{}, err
			}
		}
		return done{last.Version, d.secrets}, nil
	})
	if errors.Is(err, db.ErrRows) || errors.Is(err, db.ErrTaken) { // somebody else changed it in between
		err = errMoved.With("files", "...").Because(err)
	}
	if err != nil {
		return p, err
	}
	p.Version, p.Hash, p.Base, p.Keys = out.Version, r.Hash, Hashes(tree), out.Keys
	if s.n.Identity.Forget(); d.people != nil {
		s.n.Identity.Shut() // names, too
	}
	s.n.Notify.ForgetWords()
	if err := s.n.Notify.ReloadProviders(ctx); err != nil {
		return p, err
	}
	return p, s.n.Catalog.Refresh(ctx)
}
