// Package privacy does for people and by age what the nouns say of their tables
// (package personal): it erases a person, removes what is past its time, keeps
// what is under a legal hold, and bundles what is held about a person. It owns
// the records of that and no data of anybody else's.
package privacy

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/job"
	"casemate/internal/personal"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/ticket"
)

// Faults of the package.
var (
	// ErrNone: no erasure, hold, rule or link of this id.
	ErrNone = fault.New(fault.NotFound, fault.CodeInvalid, "记录不存在", "there is no such record")
	// ErrTarget: neither a user nor a contact, or both.
	ErrTarget = fault.New(fault.Invalid, fault.CodeInvalid, "请给出用户（账号和用户 ID）或一个联系方式，二者取一", "name either a user (domain and user id) or one contact").In("user_id")
	// ErrHeld: a legal hold stands in the way.
	ErrHeld = fault.New(fault.Conflict, fault.CodeNoPermission, "存在保全，不能清除（{n} 项）", "legal holds stand in the way ({n})")
	// ErrErased: the person was erased, or is being.
	ErrErased = fault.New(fault.Conflict, fault.CodeNoPermission, "该人员的个人信息已清除或正在清除", "this person was erased, or is being erased")
	// ErrUsers: the contact is a registered one of a user.
	ErrUsers      = fault.New(fault.Conflict, fault.CodeNoPermission, "该联系方式是某用户的注册联系方式，请对该用户操作：{user}", "this contact is a registered one of a user: name the user {user}").In("contact")
	errSelf       = fault.New(fault.Conflict, fault.CodeNoPermission, "不能清除自己", "nobody erases himself here").In("user_id")
	errLastAdmin  = fault.New(fault.Conflict, fault.CodeNoPermission, "不能清除最后一个管理员", "the last administrator cannot be erased").In("user_id")
	errNoContact  = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不是有效的邮箱或手机号码", "{field} is no mail address and no phone number").In("contact")
	errNoReason   = fault.Missing.In("reason")
	errLongReason = fault.TooLong.In("reason").With("max", maxReason)
)

// maxReason bounds the reason of an erasure or hold, in characters.
const maxReason = 500

// Nouns are what people's data are with.
type Nouns struct {
	Identity    *identity.Service
	Tickets     *ticket.Service
	Attachments *attachment.Service
	// Rules and Aged are all that nouns hold; Hashes are how they find a contact.
	Rules  []personal.Rule
	Aged   []personal.Aged
	Hashes []func(contact string) []string
}

// Service is the noun.
type Service struct {
	db   *db.DB
	keys *seal.Keyring
	n    Nouns
	log  *slog.Logger

	before func() // tests: called before each transaction of an erasure
}

// New makes the service.
func New(d *db.DB, keys *seal.Keyring, n Nouns, log *slog.Logger) *Service {
	if log == nil {
		log = slog.Default()
	}
	n.Aged = append(slices.Clone(n.Aged), aged()...)
	return &Service{db: d, keys: keys, n: n, log: log}
}

const kindErase = "privacy.erase"

// Kinds are the jobs of the package, for the runner.
func (s *Service) Kinds() []job.Kind {
	return []job.Kind{{Name: kindErase, Run: s.eraseJob, Timeout: 30 * time.Minute, MaxTries: 1 << 20}, {Name: kindScrub, Run: s.scrubJob, Timeout: 30 * time.Minute}}
}

// Periodic are the retention and the end of links to bundles, for the runner; one
// node at a time does it.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{{Name: "retention", Every: time.Hour, Run: s.Retain}, {Name: "ended bundles", Every: time.Hour, Run: s.endBundles}}
}

func mayRule(who principal.Principal) error {
	if who.Admin() {
		return nil
	}
	return fault.NoPermission
}

// mayRead tells who may look at holds, rules and erasures.
func mayRead(who principal.Principal) error {
	if who.Admin() || who.Kind == principal.Engineer && who.Partner == "" && who.Is(principal.RoleAuditor) {
		return nil
	}
	return fault.NoPermission
}

func checkReason(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return errNoReason
	case len([]rune(reason)) > maxReason:
		return errLongReason
	}
	return nil
}

// Target is whose data are meant: a user of a domain (of principal.House for
// people of the house), or a contact that is no user's, in any spelling.
type Target struct{ Domain, User, Contact string }

// subject is what is known of a target; it is sealed where it is stored.
type subject struct {
	personal.Subject
	Contacts []string // in their one spelling
	Name     string   // log-in name
}

// normal is the one spelling of a contact.
func normal(contact string) (string, error) {
	way := identity.SMS
	if strings.Contains(contact, "@") {
		way = identity.Mail
	}
	n, err := identity.NormalContact(way, "", contact)
	if err != nil {
		return "", errNoContact
	}
	return n, nil
}

// find makes a target's subject. It fails with ErrTarget, identity.ErrNoUser,
// ErrUsers.
func (s *Service) find(ctx context.Context, t Target) (out subject, err error) {
	switch {
	case t.Contact == "" && t.User != "" && t.Domain != "":
		out.Subject, out.Contacts, out.Name, err = s.n.Identity.SubjectOf(ctx, t.Domain, t.User)
		if err == nil {
			err = s.known(ctx, &out)
		}
		if err != nil {
			return out, err
		}
	case t.Contact != "" && t.User == "" && t.Domain == "":
		c, err := normal(t.Contact)
		if err != nil {
			return out, err
		}
		out.Subject, out.Contacts = s.n.Identity.ContactOf(c), []string{c}
		user, err := s.n.Identity.Registered(ctx, out.Hashes)
		if err != nil {
			return out, err
		}
		if user != "" {
			return out, ErrUsers.With("user", user)
		}
	default:
		return out, ErrTarget
	}
	for _, c := range out.Contacts {
		for _, hashes := range s.n.Hashes {
			out.Hashes = append(out.Hashes, hashes(c)...)
		}
	}
	return out, nil
}

// known adds what an erasure that a hold stopped knew of the person, whose key may
// be gone since.
func (s *Service) known(ctx context.Context, sub *subject) error {
	var id, sealed string
	err := s.db.View(ctx, func(tx *db.Tx) error {
		return tx.Get("SELECT id, subject FROM privacy_erasures WHERE domain_id = ? AND user_id = ? AND state = 'held' AND subject <> '' ORDER BY id DESC LIMIT 1", sub.Domain, sub.User).Scan(&id, &sealed)
	})
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	plain, err := s.open("privacy_erasures", "subject", id, sealed)
	if err != nil {
		return err
	}
	var old subject
	if err := json.Unmarshal([]byte(plain), &old); err != nil {
		return err
	}
	for _, more := range []struct {
		into *[]string
		from []string
	}{{&sub.Hashes, old.Hashes}, {&sub.Terms, old.Terms}, {&sub.Contacts, old.Contacts}} {
		for _, v := range more.from {
			if !slices.Contains(*more.into, v) {
				*more.into = append(*more.into, v)
			}
		}
	}
	return nil
}

// rules are those that can apply to a subject.
func (s *Service) rules(p personal.Subject) []personal.Rule {
	if p.User != "" {
		return s.n.Rules
	}
	return slices.DeleteFunc(slices.Clone(s.n.Rules), func(r personal.Rule) bool { return !strings.Contains(r.Where, "{hashes}") })
}

func whole(r personal.Rule) string {
	if r.Left == "" {
		return "(" + r.Where + ")"
	}
	return "(" + r.Where + ") AND (" + r.Left + ")"
}

// Count is how many rows of a kind there are.
type Count struct {
	Kind string
	Rows int64
}

// Plan is what an erasure would do.
type Plan struct {
	Target  Target
	Name    string // log-in name, "" of a contact or an erased user
	Erased  bool   // there is nothing more to erase
	Running string // id of an erasure that is under way
	Counts  []Count
	Tickets []string // numbers of tickets concerned, at most 100
	InAll   int      // how many tickets there are, at most maxConcerned
	Holds   []Hold   // that stand in the way

	mark string // the newest hold that was looked at
}

// shownTickets and maxConcerned bound what a plan tells of tickets.
const (
	shownTickets = 100
	maxConcerned = 10_000
)

// Plan tells what an erasure would destroy and what stands in its way. It
// changes nothing. Administrators only. It fails as find does.
func (s *Service) Plan(ctx context.Context, who principal.Principal, t Target) (p Plan, err error) {
	if err := mayRule(who); err != nil {
		return p, err
	}
	sub, err := s.find(ctx, t)
	if err != nil {
		return p, err
	}
	return s.plan(ctx, t, sub)
}

type concerned struct{ domain, ticket string }

func (s *Service) plan(ctx context.Context, t Target, sub subject) (p Plan, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		p = Plan{Target: t, Name: sub.Name}
		if p.mark, err = newestHold(tx); err != nil {
			return err
		}
		var on []concerned
		if p.Counts, on, err = s.count(tx, sub); err != nil {
			return err
		}
		p.Erased, p.InAll = len(p.Counts) == 0, len(on)
		if p.Holds, err = s.inTheWay(tx, sub, on); err != nil {
			return err
		}
		byDomain := map[string][]string{}
		for _, c := range on[:min(len(on), shownTickets)] {
			byDomain[c.domain] = append(byDomain[c.domain], c.ticket)
		}
		for domain, ids := range byDomain {
			numbers, err := ticket.Numbers(tx, domain, ids)
			if err != nil {
				return err
			}
			for _, n := range numbers {
				p.Tickets = append(p.Tickets, n)
			}
		}
		slices.Sort(p.Tickets)
		err := tx.Get("SELECT id FROM privacy_erasures WHERE domain_id = ? AND user_id = ? AND user_id <> '' AND state = 'running' ORDER BY id DESC LIMIT 1", t.Domain, t.User).Scan(&p.Running)
		if errors.Is(err, db.ErrNone) {
			err = nil
		}
		return err
	})
	return p, err
}

// count counts what there is of a subject, by kind, and the tickets concerned.
func (s *Service) count(tx *db.Tx, sub subject) (counts []Count, on []concerned, err error) {
	at := map[string]int{}
	seen := map[concerned]bool{}
	for _, r := range s.rules(sub.Subject) {
		if r.Keep {
			continue
		}
		cond, args := personal.Expand(whole(r), sub.Subject, 0)
		n, err := r.Count(tx, cond, args)
		if err != nil {
			return nil, nil, err
		}
		if n == 0 {
			continue
		}
		i, known := at[r.Kind]
		if !known {
			i = len(counts)
			at[r.Kind] = i
			counts = append(counts, Count{Kind: r.Kind})
		}
		counts[i].Rows += n
		if r.Ticket == "" || len(seen) >= maxConcerned {
			continue
		}
		err = tx.List(func(row db.Row) error {
			var c concerned
			err := row.Scan(&c.domain, &c.ticket)
			if c.ticket != "" && !seen[c] {
				seen[c] = true
				on = append(on, c)
			}
			return err
		}, "SELECT DISTINCT domain_id, "+r.Ticket+" FROM "+r.Table+" /* all domains: the condition says whose */ WHERE "+cond+" LIMIT ?", append(args, maxConcerned)...)
		if err != nil {
			return nil, nil, err
		}
	}
	return counts, on, nil
}

func place(table, column, id string) seal.Place {
	return seal.Place{Table: table, Column: column, Row: id}
}

func (s *Service) seal(table, column, id, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return s.keys.Seal(place(table, column, id), []byte(text))
}

func (s *Service) open(table, column, id, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	plain, err := s.keys.Open(place(table, column, id), sealed)
	return string(plain), err
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // numbers by names: always possible
	}
	return string(text)
}
