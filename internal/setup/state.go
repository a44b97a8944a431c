package setup

import (
	"maps"
	"slices"

	"casemate/internal/catalog"
	"casemate/internal/db"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/privacy"
	"casemate/internal/queue"
	"casemate/internal/webhook"
)

// state is the configuration as it is stored.
type state struct {
	files     map[string][]byte // of the catalogue, by path in the tree
	desk      queue.Config
	accounts  identity.Config
	templates []notify.Template
	hooks     []webhook.Hook
	senders   []notify.Spec
	retention []privacy.Retention
	people    *identity.People // nil = they were not asked for
}

// stateIn reads it, from one snapshot where the transaction is one; accounts,
// people, groups and keys when they are asked for.
func stateIn(tx *db.Tx, people bool) (st state, err error) {
	if st, err = shapeIn(tx); err != nil {
		return st, err
	}
	if st.accounts, err = identity.ConfigIn(tx); err != nil || !people {
		return st, err
	}
	all, err := identity.PeopleIn(tx)
	st.people = &all
	return st, err
}

// rests is what a draft's changes of accounts and people rest on.
type rests struct {
	domains []string // of domains.yaml
	people  *identity.Some
}

// restsIn reads what is stored as far as a draft rests on it: what shapes the
// service whole, of accounts and people those rows alone. An installation may have
// tens of thousands of them, and everybody who writes waits meanwhile.
func restsIn(tx *db.Tx, on rests) (st state, err error) {
	if st, err = shapeIn(tx); err != nil {
		return st, err
	}
	if st.accounts, err = identity.ConfigOf(tx, on.domains); err != nil || on.people == nil {
		return st, err
	}
	some, err := identity.SomeIn(tx, *on.people)
	st.people = &some
	return st, err
}

// shapeIn is what neither grows with customers nor with people.
func shapeIn(tx *db.Tx) (st state, err error) {
	files, err := catalog.FilesIn(tx)
	if err != nil {
		return st, err
	}
	st.files = map[string][]byte{}
	for name, text := range files {
		st.files[treePath(name)] = text
	}
	if st.desk, err = queue.ConfigIn(tx); err != nil {
		return st, err
	}
	if st.templates, err = notify.TemplatesIn(tx); err != nil {
		return st, err
	}
	if st.hooks, err = webhook.HooksIn(tx); err != nil {
		return st, err
	}
	if st.senders, err = notify.ProvidersIn(tx); err != nil {
		return st, err
	}
	st.retention, err = privacy.RetentionsIn(tx)
	return st, err
}

// draft is one look at files beside what is stored.
type draft struct {
	state
	teams     *list[teamShape]
	queues    *list[queueShape]
	views     *list[viewShape]
	macros    *list[macroShape]
	snippets  *list[snippetShape]
	rules     *list[ruleShape]
	engineers *list[engineerShape]
	hookList  *list[hookShape]
	partners  *list[partnerShape]
	domains   *list[domainShape]
	texts     *list[templateShape]
	providers *list[providerShape]
	keep      *list[retentionShape]
	// With people, else nil.
	accts  *list[accountShape]
	users  *list[userShape]
	groups *list[groupShape]
	keys   *list[keyShape]

	parts   []part
	given   map[string][]byte // the catalogue's files that were handed in, nil = none
	catalog *catalog.Draft    // with given
	changes []Change
	base    map[string]string       // hashes of the stored files, by path
	sealed  map[string]string       // secrets of new webhooks and access keys
	secrets []NewKey                // of new access keys, plain
	tell    []func(tx *db.Tx) error // queue what their users are told
	ready   []identity.Readied
	last    map[string]string // the tree of the last version
	who     principal.Principal

	told   map[string]string            // what references stand for, as handed in
	locked map[string]map[string]string // secrets of providers, sealed
	back   bool                         // an earlier version comes back
}

func shapes[N, S any](all []N, shape func(N) S) []S {
	out := make([]S, len(all))
	for i, v := range all {
		out[i] = shape(v)
	}
	return out
}

func templateShapes(all []notify.Template) (out []templateShape) {
	for _, t := range all {
		w := wordsShape(t.Words)
		if len(out) == 0 || out[len(out)-1].ID != t.Name {
			out = append(out, templateShape{ID: t.Name})
		}
		if t.Language == locale.ZH {
			out[len(out)-1].ZH = &w
		} else {
			out[len(out)-1].EN = &w
		}
	}
	return out
}

// newDraft is a draft that wants nothing yet.
func newDraft(st state) *draft {
	d := &draft{state: st}
	d.teams = &list[teamShape]{kind: teamKind, stored: shapes(st.desk.Teams, teamShapeOf)}
	d.queues = &list[queueShape]{kind: queueKind, stored: shapes(st.desk.Queues, queueShapeOf)}
	d.views = &list[viewShape]{kind: viewKind, stored: shapes(st.desk.Views, viewShapeOf)}
	d.macros = &list[macroShape]{kind: macroKind, stored: shapes(st.desk.Macros, macroShapeOf)}
	d.snippets = &list[snippetShape]{kind: snippetKind, stored: shapes(st.desk.Snippets, snippetShapeOf)}
	d.rules = &list[ruleShape]{kind: ruleKind, stored: shapes(st.desk.Rules, ruleShapeOf)}
	d.engineers = &list[engineerShape]{kind: engineerKind, stored: shapes(st.desk.Engineers, engineerShapeOf)}
	d.hookList = &list[hookShape]{kind: hookKind, stored: shapes(st.hooks, hookShapeOf)}
	d.partners = &list[partnerShape]{kind: partnerKind, stored: shapes(st.accounts.Partners, partnerShapeOf)}
	d.domains = &list[domainShape]{kind: domainKind, stored: shapes(st.accounts.Domains, domainShapeOf)}
	d.texts = &list[templateShape]{kind: templateKind, stored: templateShapes(st.templates)}
	d.providers = &list[providerShape]{kind: providerKind, stored: shapes(st.senders, providerShapeOf)}
	d.keep = &list[retentionShape]{kind: retentionKind, stored: shapes(st.retention, retentionShapeOf)}
	if p := st.people; p != nil {
		d.accts = &list[accountShape]{kind: accountKind, stored: shapes(p.Accounts, accountShapeOf)}
		d.users = &list[userShape]{kind: userKind, stored: shapes(p.Members, userShapeOf)}
		d.groups = &list[groupShape]{kind: groupKind, stored: shapes(p.Groups, groupShapeOf)}
		d.keys = &list[keyShape]{kind: keyKind, stored: shapes(p.Keys, keyShapeOf)}
		d.parts = []part{d.accts, d.users, d.groups, d.keys}
	}
	d.parts = append(d.parts, d.keep, d.texts, d.partners, d.domains, d.teams, d.queues, d.views, d.macros, d.snippets, d.rules, d.engineers, d.hookList, d.providers)
	return d
}

// settle completes what the files leave alone.
func (d *draft) settle() {
	d.texts.settle()
	if d.texts.given { // a template whose file is gone has its built-in text
		for _, old := range d.texts.stored {
			if !slices.ContainsFunc(d.texts.wanted, func(p placed[templateShape]) bool { return p.v.ID == old.ID }) {
				d.texts.wanted = append(d.texts.wanted, placed[templateShape]{v: templateShape{ID: old.ID}})
			}
		}
	}
	for _, p := range d.parts {
		if p != part(d.texts) {
			p.settle()
		}
	}
}

func idsOf[T any](l *list[T], wanted bool) map[string]bool {
	ids := map[string]bool{}
	if wanted {
		for _, p := range l.wanted {
			ids[l.ident(p.v)] = true
		}
		return ids
	}
	for _, v := range l.stored {
		ids[l.ident(v)] = true
	}
	return ids
}

// env is what entries may refer to: as it is, or as it would be.
func (d *draft) env(s *Service, c *catalog.Catalog, wanted bool) env {
	e := env{catalog: c, judge: s.n.Queue.Under(c), hooks: s.n.Webhooks, people: d.accounts.People, hookOf: map[string]string{}, served: map[string]string{},
		notify: s.n.Notify, senders: map[string]*notify.Spec{}, secrets: d.told, back: wanted && d.back,
		teams: idsOf(d.teams, wanted), partners: idsOf(d.partners, wanted), domains: idsOf(d.domains, false), among: d.among(s, wanted)}
	for i, p := range d.senders {
		e.senders[p.Name] = &d.senders[i]
	}
	if wanted && d.people != nil {
		e.people = maps.Clone(e.people)
		for _, p := range d.users.wanted {
			if p.v.Domain == principal.House && p.v.Partner == "" {
				e.people[p.v.ID] = p.v.State != stateDisabled && !slices.Equal(p.v.Roles, []string{principal.RoleAuditor})
			}
		}
		for id := range e.among.domains {
			e.domains[id] = true
		}
	}
	for _, h := range d.hooks {
		e.hookOf[h.ID] = h.Domain
	}
	if wanted {
		for _, p := range d.domains.wanted {
			e.served[p.v.ID] = p.v.Partner
		}
	} else {
		for _, v := range d.domains.stored {
			e.served[v.ID] = v.Partner
		}
	}
	return e
}

// among is what entries of the folder accounts know of each other: as it is, or
// as it would be.
func (d *draft) among(s *Service, wanted bool) among {
	a := among{who: d.who, names: s.n.Identity}
	if d.people == nil {
		return a
	}
	a.gone, a.taken = d.people.Gone, d.people.Names
	a.accounts, a.users, a.groups, a.keys = byID(d.accts), byID(d.users), byID(d.groups), byID(d.keys)
	a.domains, a.members = idsOf(d.accts, false), a.users
	if !wanted {
		return a
	}
	a.domains, a.members = idsOf(d.accts, true), map[string]userShape{}
	for _, p := range d.users.wanted {
		v := p.v
		if old, ok := a.users[v.ID]; ok {
			v.Domain = old.Domain // it does not change, and may be left out
		}
		a.members[v.ID] = v
	}
	return a
}

func byID[T any](l *list[T]) map[string]T {
	out := make(map[string]T, len(l.stored))
	for _, v := range l.stored {
		out[l.ident(v)] = v
	}
	return out
}
