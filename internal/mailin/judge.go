package mailin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// judge decides what a mail is. A verdict without a state is one to carry out.
// What it says of the sender comes from the mail, so it opens nothing to read:
// it leads to a ticket or a message in somebody's name, or to quarantine.
func (s *Service) judge(ctx context.Context, m row, h head, raw []byte, read *mail, rel *release) (verdict, error) {
	box, ok := s.box(m.mailbox)
	if !ok {
		box = config.Mailbox{Name: m.mailbox, Language: "zh-cn", Unknown: config.UnknownQuarantine}
	}
	header := read.root.header
	null := h.Null || strings.TrimSpace(header.get("return-path")) == "<>"
	if rel == nil {
		if report(read, h.Envelope, null) || null {
			ours, err := s.n.Notify.Returned(ctx, raw)
			if err != nil {
				return verdict{}, err
			}
			if ours {
				return verdict{state: StateDone, outcome: OutcomeBounce}, nil
			}
			if report(read, h.Envelope, null) {
				return ignore(CauseBounce), nil
			}
		}
		if s.own(read) {
			return ignore(CauseOwn), nil
		}
	}
	by := writerOf(header, read.Subject, null)
	if rel == nil {
		switch {
		case by == byAbsence:
			return ignore(CauseAutoReply), nil
		case read.Bare || len(bytes.TrimSpace(raw)) == 0:
			return quarantine(CauseUnreadable), nil
		case read.From == "":
			return quarantine(CauseNoSender), nil
		case by == byMachine || null:
			return quarantine(CauseAutomatic), nil
		}
		if len(s.o.Config.AuthServers) > 0 {
			switch a := authenticOf(header, s.o.Config.AuthServers); {
			case a == failed:
				return quarantine(CauseDMARC), nil
			case a == unchecked && s.o.Config.RequireAuth:
				return quarantine(CauseUnproved), nil
			}
		}
		twice, err := s.before(ctx, m, read)
		if err != nil {
			return verdict{}, err
		}
		if twice {
			return ignore(CauseDuplicate), nil
		}
	}
	th, err := s.find(ctx, m, h, read, rel)
	if err != nil {
		return verdict{}, err
	}
	if rel != nil {
		return s.judgeReleased(ctx, box, read, th, rel)
	}
	var people []identity.Holder
	if read.From != "" {
		if people, err = s.n.Identity.UsersByMail(ctx, system, read.From); err != nil {
			return verdict{}, err
		}
	}
	var customers, staff []identity.Holder
	for _, p := range people {
		if p.Who.Kind == principal.Engineer {
			staff = append(staff, p)
		} else {
			customers = append(customers, p)
		}
	}
	if th != nil {
		n, err := s.flood(ctx, m, read, &th.t)
		if err != nil {
			return verdict{}, err
		}
		if n {
			v := quarantine(CauseTooMany)
			v.domain, v.ticket, v.number = th.t.Domain, th.t.ID, th.t.Number
			return v, nil
		}
	}
	if th != nil && th.staff {
		return s.judgeStaff(read, th, staff, by), nil
	}
	v, err := s.judgeUsual(ctx, box, read, th, customers, staff, by)
	v.quiet = by != byPerson || null
	// A person's mails are bounded by the customer's quota only: an outage brings
	// many at once.
	if err == nil && v.outcome == OutcomeTicket && v.quiet {
		too, err := s.flood(ctx, m, read, nil)
		if err != nil {
			return verdict{}, err
		}
		if too {
			return quarantine(CauseTooMany), nil
		}
	}
	return v, err
}

// judgeUsual decides about a mail of a customer or stranger.
func (s *Service) judgeUsual(ctx context.Context, box config.Mailbox, read *mail, th *thread, customers, staff []identity.Holder, by writer) (verdict, error) {
	if th != nil {
		v, known, err := s.judgeThread(ctx, read, th, customers)
		if known || err != nil {
			return v, err
		}
		if len(customers) == 0 || th.signed {
			v := quarantine(CauseStranger)
			v.domain, v.ticket, v.number = th.t.Domain, th.t.ID, th.t.Number
			return v, nil
		}
	}
	return s.judgeNew(ctx, box, read, customers, staff, by)
}

// own tells a mail of ours, which must not go round.
func (s *Service) own(read *mail) bool {
	if read.MessageID != "" && s.n.Notify.OwnID(read.MessageID) || s.n.Notify.Own(read.From) && read.From != "" {
		return true
	}
	for _, b := range s.o.Config.Mailboxes {
		for _, a := range append([]string{b.Address}, b.Aliases...) {
			if n, err := identity.NormalMail(a); err == nil && n == read.From {
				return true
			}
		}
	}
	return false
}

// before tells whether the same mail of the same sender became a ticket or
// message before: it went to two mailboxes, or the mailbox shows it anew.
func (s *Service) before(ctx context.Context, m row, read *mail) (twice bool, err error) {
	if read.MessageID == "" {
		return false, nil
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var n int
		err := tx.Get("SELECT count(*) FROM mails WHERE message_hash = ? AND message_hash <> '' AND sender_hash = ? AND id <> ? AND state = 'done' AND outcome IN ('ticket', 'message', 'note')",
			s.messageHash(read.MessageID), s.senderHash(read.From), m.id).Scan(&n)
		twice = n > 0
		return err
	})
	return twice, err
}

var inSubject = regexp.MustCompile(`(?i)\bTS[0-9]{6}[0-9A-HJKMNP-TV-Z]{13}\b`)

// find finds the ticket a mail belongs to: by the address it went to, by the
// mails it answers, by the number in its subject; nil = by none of them.
func (s *Service) find(ctx context.Context, m row, h head, read *mail, rel *release) (*thread, error) {
	if rel != nil && rel.Number != "" {
		return s.open(ctx, rel.Number, thread{})
	}
	for _, to := range slices.Concat(h.To, read.To) {
		r, ok := s.n.Notify.ReadReply(to)
		if !ok {
			continue
		}
		th, err := s.open(ctx, r.Number, thread{signed: !r.Staff, staff: r.Staff, reply: r})
		if th != nil || err != nil {
			return th, err
		}
	}
	for _, id := range read.Refs {
		sent, ok, err := s.n.Notify.ByMessageID(ctx, system, id)
		if err != nil {
			return nil, err
		}
		if ok && sent.Ref != "" {
			th, err := s.open(ctx, sent.Ref, thread{sentTo: strings.HasPrefix(sent.Template, "ticket.") && s.n.Notify.To(sent, read.From)})
			if th != nil || err != nil {
				return th, err
			}
		}
	}
	if number, err := s.followed(ctx, read.Refs); number != "" || err != nil {
		if err != nil {
			return nil, err
		}
		th, err := s.open(ctx, number, thread{})
		if th != nil || err != nil {
			return th, err
		}
	}
	if n := inSubject.FindString(read.Subject); n != "" {
		return s.open(ctx, strings.ToUpper(n), thread{})
	}
	return nil, nil
}

// open reads the ticket of a thread; nil when it is gone. Of one that was merged
// away it is the ticket that goes on; whom the first one's notices went to may
// still answer them.
func (s *Service) open(ctx context.Context, number string, th thread) (*thread, error) {
	var err error
	th.t, th.contact, err = s.n.Tickets.Correspondents(ctx, system, number)
	if errors.Is(err, fault.NoTicket) {
		return nil, nil
	}
	if err != nil {
		return &th, err
	}
	on, err := s.n.Tickets.WentOn(ctx, system, th.t)
	if on == "" || err != nil {
		return &th, err
	}
	of := th.contact
	th.t, th.contact, err = s.n.Tickets.Correspondents(ctx, system, on)
	if errors.Is(err, fault.NoTicket) {
		return nil, nil
	}
	th.contact.Copies = append(slices.Clone(th.contact.Copies), of.Copies...)
	if of.Mail != "" {
		th.contact.Copies = append(th.contact.Copies, of.Mail)
	}
	return &th, err
}

// followed is the number of the ticket that an earlier mail of the thread
// belongs to, the nearest first.
func (s *Service) followed(ctx context.Context, refs []string) (number string, err error) {
	if len(refs) == 0 {
		return "", nil
	}
	var args []any
	rank := map[string]int{}
	for i, id := range refs {
		hash := s.messageHash(id)
		if _, twice := rank[hash]; !twice {
			rank[hash] = i
			args = append(args, hash)
		}
	}
	best := len(refs)
	err = s.db.View(ctx, func(tx *db.Tx) error {
		best, number = len(refs), ""
		return tx.List(func(r db.Row) error {
			var hash, n string
			err := r.Scan(&hash, &n)
			if rank[hash] < best {
				best, number = rank[hash], n
			}
			return err
		}, "SELECT id_hash, number FROM mail_threads /* all domains: an answer names the mail only */ WHERE id_hash IN (?"+strings.Repeat(", ?", len(args)-1)+") ORDER BY created_at", args...)
	})
	return number, err
}

// flood tells whether too many mails of the sender were taken lately
// (notify.Looping): about this ticket, or, t = nil, into new tickets.
func (s *Service) flood(ctx context.Context, m row, read *mail, t *ticket.Ticket) (too bool, err error) {
	within, most := notify.LoopSight()
	cond, args := "outcome = 'ticket'", []any{}
	if t != nil {
		cond, args = "domain_id = ? AND ticket_id = ?", []any{t.Domain, t.ID}
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var at []int64
		args := slices.Concat([]any{s.senderHash(read.From), tx.Now - within.Milliseconds()}, args, []any{m.id, most})
		err := tx.List(func(r db.Row) error {
			var n int64
			err := r.Scan(&n)
			at = append(at, n)
			return err
		}, "SELECT received_at FROM mails WHERE sender_hash = ? AND received_at > ? AND "+cond+" AND state = 'done' AND id <> ? ORDER BY received_at DESC LIMIT ?", args...)
		too = notify.Looping(at, tx.Now)
		return err
	})
	return too, err
}

// noteMark, as the first line of an engineer's mail, makes it a note.
var noteMark = regexp.MustCompile(`(?i)^\s*#\s*(note|internal|备注|内部)\s*$`)

// judgeStaff decides about an answer to an engineer's notice: the address must
// have been given to him. What only his absence assistant may have written is a
// note: it is not for customers.
func (s *Service) judgeStaff(read *mail, th *thread, staff []identity.Holder, by writer) verdict {
	for i, p := range staff {
		if th.reply.By(p.User.ID) {
			return verdict{as: &staff[i], outcome: OutcomeMessage, domain: th.t.Domain, ticket: th.t.ID, number: th.t.Number, told: th.reply.Revision, quiet: by != byPerson,
				internal: isNote(read) || !th.t.Status.Open() || by == byDoubtful}
		}
	}
	v := quarantine(CauseForeign)
	v.domain, v.ticket, v.number = th.t.Domain, th.t.ID, th.t.Number
	return v
}

func isNote(read *mail) bool {
	first, _, _ := strings.Cut(strings.TrimSpace(read.Text), "\n")
	return noteMark.MatchString(first)
}

// judgeThread decides in whose name a mail goes to a ticket: a user of the
// customer who sees the ticket in his own; the ticket's contact, a copy address
// and one our notice went to in the creator's, marked with who wrote. Not
// known: the sender has nothing to do with the ticket.
func (s *Service) judgeThread(ctx context.Context, read *mail, th *thread, customers []identity.Holder) (v verdict, known bool, err error) {
	for i, p := range customers {
		ok, err := s.n.Tickets.InReach(ctx, p.Who, th.t)
		if err != nil {
			return v, false, err
		}
		if ok {
			return onTicket(th, &customers[i], ""), true, nil
		}
	}
	if read.From == "" || read.From != th.contact.Mail && !slices.Contains(th.contact.Copies, read.From) && !th.sentTo {
		return v, false, nil
	}
	v, err = s.asCreator(ctx, read, th)
	return v, err == nil, err
}

// asCreator is a message in the name of the ticket's creator that says who
// wrote it.
func (s *Service) asCreator(ctx context.Context, read *mail, th *thread) (verdict, error) {
	creator, err := s.n.Identity.HolderOf(ctx, system, th.t.Domain, th.t.Creator)
	if errors.Is(err, identity.ErrNoUser) {
		v := quarantine(CauseStranger)
		v.domain, v.ticket, v.number = th.t.Domain, th.t.ID, th.t.Number
		return v, nil
	}
	return onTicket(th, &creator, written(read)), err
}

// written is the line that says who wrote.
func written(read *mail) string {
	who := read.From
	if who == "" {
		who = "?"
	}
	if read.Name != "" && !strings.Contains(read.Name, "@") {
		who = read.Name + " <" + who + ">"
	}
	return fmt.Sprintf("[邮件 / mail: %s]", who)
}

// onTicket is a message, or, when the ticket has ended, a new ticket that goes
// on with it.
func onTicket(th *thread, as *identity.Holder, prefix string) verdict {
	v := verdict{outcome: OutcomeMessage, as: as, prefix: prefix, domain: th.t.Domain, ticket: th.t.ID, number: th.t.Number}
	if !th.t.Status.Open() {
		return verdict{outcome: OutcomeTicket, as: as, prefix: prefix, domain: th.t.Domain, closed: th.t.Number}
	}
	return v
}

// judgeNew decides about a mail that belongs to no ticket.
func (s *Service) judgeNew(ctx context.Context, box config.Mailbox, read *mail, customers, staff []identity.Holder, by writer) (verdict, error) {
	if box.Domain != "" {
		customers = slices.DeleteFunc(customers, func(p identity.Holder) bool { return p.Who.DomainName != box.Domain })
	}
	switch {
	case len(customers) == 1:
		return verdict{outcome: OutcomeTicket, as: &customers[0], domain: customers[0].Who.Domain}, nil
	case len(customers) > 1:
		return quarantine(CauseAmbiguous), nil
	case len(staff) > 0:
		return quarantine(CauseStaff), nil
	case by != byPerson && (by != byDoubtful || box.Unknown != config.UnknownCreate):
		return quarantine(CauseUnknown), nil // it could answer a refusal
	}
	switch box.Unknown {
	case config.UnknownRefuse:
		v := ignore(CauseUnknown)
		v.answer = true
		return v, nil
	case config.UnknownCreate:
		return s.asGuest(ctx, box, read)
	}
	return quarantine(CauseUnknown), nil
}

// asGuest is a ticket in the name of the mailbox's guest.
func (s *Service) asGuest(ctx context.Context, box config.Mailbox, read *mail) (verdict, error) {
	guest, err := s.n.Identity.HolderByName(ctx, system, box.Guest.Domain, box.Guest.User)
	if errors.Is(err, identity.ErrNoUser) {
		s.o.Log.WarnContext(ctx, "the guest of a mailbox does not exist or may not log in", "mailbox", box.Name)
		return quarantine(CauseUnknown), nil
	}
	return verdict{outcome: OutcomeTicket, as: &guest, domain: guest.Who.Domain, prefix: written(read)}, err
}

// judgeReleased decides about a mail that a person of the house let through.
func (s *Service) judgeReleased(ctx context.Context, box config.Mailbox, read *mail, th *thread, rel *release) (verdict, error) {
	var as *identity.Holder
	if rel.User != "" {
		p, err := s.n.Identity.HolderOf(ctx, system, rel.Domain, rel.User)
		if errors.Is(err, identity.ErrNoUser) {
			return quarantine(CauseUnknown), nil
		}
		if err != nil {
			return verdict{}, err
		}
		as = &p
	}
	people, err := []identity.Holder(nil), error(nil)
	if as == nil && read.From != "" {
		if people, err = s.n.Identity.UsersByMail(ctx, system, read.From); err != nil {
			return verdict{}, err
		}
		people = slices.DeleteFunc(people, func(p identity.Holder) bool { return p.Who.Kind != principal.Customer })
	}
	if as != nil {
		people = []identity.Holder{*as}
	}
	if th != nil {
		v, known, err := s.judgeThread(ctx, read, th, people)
		if !known && err == nil {
			v, err = s.asCreator(ctx, read, th)
		}
		v.quiet = true
		return v, err
	}
	var v verdict
	switch {
	case as != nil:
		v = verdict{outcome: OutcomeTicket, as: as, domain: as.Who.Domain}
		if read.From != as.User.Mail {
			v.prefix = written(read)
		}
	case len(people) == 1:
		v = verdict{outcome: OutcomeTicket, as: &people[0], domain: people[0].Who.Domain}
	case len(people) > 1:
		v = quarantine(CauseAmbiguous)
	case box.Guest.User != "":
		v, err = s.asGuest(ctx, box, read)
	default:
		v = quarantine(CauseUnknown)
	}
	v.quiet = true
	return v, err
}
