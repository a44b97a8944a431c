package ticket

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// MaxUndo is how many changes one call undoes.
const MaxUndo = 100

const kindUndo = "ticket.undo"

// Faults of undoing.
var (
	errRevision = fault.New(fault.NotFound, fault.CodeInvalid, "工单没有第 {n} 次变更", "the ticket has no revision {n}").In("revision")
	errFixed    = fault.New(fault.Conflict, fault.CodeNoPermission, "第 {n} 次变更（{kind.zh}）不能撤销：只有合并、拆分、移动消息、受理、转派、退回、转移、暂停、恢复、判为无效、修改级别和内部标签可以撤销",
		"revision {n} ({kind.en}) cannot be undone: only merging, splitting, moving messages, accepting, assigning, giving back, transferring, pausing, resuming, judging invalid, severities and tags can").In("revision")
	// ErrUndone is an undo of what is undone.
	ErrUndone  = fault.New(fault.Conflict, fault.CodeNoPermission, "第 {n} 次变更已被第 {by} 次变更撤销", "revision {n} was undone already, by revision {by}").In("revision")
	errDepends = fault.New(fault.Conflict, fault.CodeNoPermission, "第 {n} 次变更不能撤销：之后工单 {number} 的第 {by} 次变更（{kind.zh}）依赖于它",
		"revision {n} cannot be undone: revision {by} of ticket {number} ({kind.en}) stands in the way").In("revision")
	errWentOn = fault.New(fault.Conflict, fault.CodeNoPermission, "第 {n} 次变更不能撤销：其中的消息之后又被移动",
		"revision {n} cannot be undone: messages of it have been moved on").In("revision")
	errContactSince = fault.New(fault.Conflict, fault.CodeNoPermission, "第 {n} 次变更不能撤销：工单 {number} 的联系方式之后被修改",
		"revision {n} cannot be undone: the contact of ticket {number} was changed since").In("revision")
	errTagsSince = fault.New(fault.Conflict, fault.CodeNoPermission, "第 {n} 次变更不能撤销：工单 {number} 已没有内部标签的余量",
		"revision {n} cannot be undone: ticket {number} has no room for its tags any more").In("revision")
	errHandlerGone = fault.New(fault.Conflict, fault.CodeNoPermission, "第 {n} 次变更不能撤销：工单 {number} 之前的处理人已停用",
		"revision {n} cannot be undone: who handled ticket {number} before is shut out now").In("revision")
	errClocks = fault.New(fault.Conflict, fault.CodeInvalid, "沙箱的工单不能与其他客户的工单一起撤销", "changes in a sandbox are not undone together with others'").In("items")
)

// was is what an undo puts back, and what must still stand for it: pairs are
// before and after. It holds nothing that is not sealed in its own place.
type was struct {
	Status   *[2]Status    `json:"status,omitempty"`
	StatusAt int64         `json:"status_at,omitempty"` // before, with Status
	Closed   int64         `json:"closed,omitempty"`    // before, with Status
	Assignee *[2]string    `json:"assignee,omitempty"`
	Owner    *[2]Ownership `json:"owner,omitempty"`
	Contact  *[2]string    `json:"contact,omitempty"` // sealed
	Labels   []int64       `json:"labels,omitempty"`  // that were put on
	Notices  []string      `json:"notices,omitempty"` // ids of messages that tell of the operation
	Related  bool          `json:"related,omitempty"` // a relation with the other ticket was made
	Made     bool          `json:"made,omitempty"`    // the ticket itself was
	Severity *[2]string    `json:"severity,omitempty"`
	Rule     *[2]string    `json:"rule,omitempty"` // of its clocks, with Severity
	Team     *[2]string    `json:"team,omitempty"`
	Tagged   []string      `json:"tagged,omitempty"`   // tags that were put on
	Untagged []tagged      `json:"untagged,omitempty"` // tags that were taken off

	Brought    []tagged `json:"brought,omitempty"`   // tags that a merge put on
	Followers  []string `json:"followers,omitempty"` // that it added
	FollowedAt int64    `json:"followed_at,omitempty"`
}

// remember notes a step of one ticket that can be undone.
func remember(tx *db.Tx, before, t Ticket, kind string) {
	switch kind {
	case StepAccept, StepAssign, StepRelease, StepPause, StepResume, StepInvalid:
		keep(tx, before, t, tx.NewID(), "ticket."+kind, "", was{})
	}
}

// keep notes one ticket's part of an operation that can be undone.
func keep(tx *db.Tx, before, t Ticket, op, kind, other string, w was) {
	if before.Status != t.Status {
		w.Status, w.StatusAt, w.Closed = &[2]Status{before.Status, t.Status}, before.StatusAt, before.Closed
	}
	if before.Assignee != t.Assignee {
		w.Assignee = &[2]string{before.Assignee, t.Assignee}
	}
	if before.Ownership != t.Ownership {
		w.Owner = &[2]Ownership{before.Ownership, t.Ownership}
	}
	if before.Severity != t.Severity {
		w.Severity, w.Rule = &[2]string{before.Severity, t.Severity}, &[2]string{before.pace.Rule, t.pace.Rule}
	}
	data, err := json.Marshal(w)
	if err != nil {
		panic(fmt.Errorf("ticket: %s: %w", kind, err)) // a programmer's mistake
	}
	tx.Write(1, "INSERT INTO ticket_changes (domain_id, ticket_id, revision, op, kind, other_id, data, made_at, undone) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)",
		t.Domain, t.ID, t.Revision, op, kind, other, string(data), t.Changed)
}

// changed is a row of ticket_changes.
type changed struct {
	domain, ticket, op, kind, other string
	revision, undone                int64
	was
}

func changesBy(tx *db.Tx, domain, cond string, args ...any) (all []changed, err error) {
	err = tx.List(func(r db.Row) error {
		c := changed{domain: domain}
		var data string
		if err := r.Scan(&c.ticket, &c.revision, &c.op, &c.kind, &c.other, &data, &c.undone); err != nil {
			return err
		}
		err := json.Unmarshal([]byte(data), &c.was)
		all = append(all, c)
		return err
	}, "SELECT ticket_id, revision, op, kind, other_id, data, undone FROM ticket_changes WHERE domain_id = ? AND "+cond+" ORDER BY ticket_id, revision", append([]any{domain}, args...)...)
	return all, err
}

// step is what an event tells of state, handler and side.
type step struct {
	From, To               *Status
	Assignee, AssigneeFrom *string
	OwnerFrom, OwnerTo     *Ownership
	PartnerFrom, Partner   string // whose business it was and is, where that is a partner
	Other                  string
	Undone                 int64
	Labels, LabelsOff      []int64
	SeverityFrom, Severity *string
	TeamFrom, Team         *string
	Tags                   []string // of ticket.tag and ticket.untag
	TagsOn, TagsOff        []string // of an undo
}

func stepOf(r event.Row) (s step) {
	var in struct {
		From         *Status    `json:"from"`
		To           *Status    `json:"to"`
		Assignee     *string    `json:"assignee"`
		AssigneeFrom *string    `json:"assignee_from"`
		OwnerFrom    *Ownership `json:"owner_from"`
		OwnerTo      *Ownership `json:"owner_to"`
		PartnerFrom  string     `json:"partner_from"`
		Partner      string     `json:"partner"`
		Other        string     `json:"other"`
		Undone       int64      `json:"undone"`
		Labels       []int64    `json:"labels"`
		LabelsOff    []int64    `json:"labels_off"`
		SeverityFrom *string    `json:"severity_from"`
		Severity     *string    `json:"severity_to"`
		TeamFrom     *string    `json:"team_from"`
		Team         *string    `json:"team"`
		Tags         []string   `json:"tags"`
		TagsOn       []string   `json:"tags_on"`
		TagsOff      []string   `json:"tags_off"`
	}
	if json.Unmarshal(r.Data, &in) != nil {
		return s // of another noun, with other words
	}
	return step(in)
}

// touches tells whether an event changed what a change had changed.
func (s step) touches(w was) bool {
	switch {
	case w.Status != nil && s.From != nil && s.To != nil && *s.From != *s.To:
		return true
	case w.Assignee != nil && s.Assignee != nil && s.AssigneeFrom != nil && *s.Assignee != *s.AssigneeFrom:
		return true
	case w.Owner != nil && s.OwnerFrom != nil && s.OwnerTo != nil && *s.OwnerFrom != *s.OwnerTo:
		return true
	case w.Severity != nil && s.Severity != nil:
		return true
	case w.Team != nil && s.Team != nil && s.TeamFrom != nil && *s.Team != *s.TeamFrom:
		return true
	}
	return slices.ContainsFunc(s.Tags, w.tags)
}

// tags tells whether a tag was put on or taken off.
func (w was) tags(tag string) bool {
	same := func(other string) bool { return foldLabel(other) == foldLabel(tag) }
	return slices.ContainsFunc(w.Tagged, same) || slices.ContainsFunc(w.Untagged, func(t tagged) bool { return same(t.Tag) })
}

// past is a ticket with what happened to it.
type past struct {
	t      Ticket
	events []event.Row    // oldest first
	undone map[int64]bool // revisions
	rows   []changed
}

// judge finds what stands in the way of an undo. It reads each ticket once.
type judge struct {
	tx   *db.Tx
	seen map[string]*past
}

func (j *judge) of(domain, id string) (*past, error) {
	if p := j.seen[id]; p != nil {
		return p, nil
	}
	t, err := ticketIn(j.tx, domain, id)
	if err != nil {
		return nil, err
	}
	p := &past{t: t, undone: map[int64]bool{}}
	if p.events, err = courseOf(j.tx, domain, id); err != nil {
		return nil, err
	}
	if p.rows, err = changesBy(j.tx, domain, "ticket_id = ?", id); err != nil {
		return nil, err
	}
	for _, c := range p.rows {
		if c.undone > 0 {
			p.undone[c.revision] = true
		}
	}
	if j.seen == nil {
		j.seen = map[string]*past{}
	}
	j.seen[id] = p
	return p, nil
}

// rows are all parts of the operation of which a change is one.
func (j *judge) rows(c changed) ([]changed, error) {
	if c.other == "" {
		return []changed{c}, nil
	}
	return changesBy(j.tx, c.domain, "op = ?", c.op)
}

// against is what forbids undoing a change, nil when nothing does.
func (j *judge) against(c changed) error {
	n := c.revision
	if c.undone > 0 {
		return ErrUndone.With("n", n).With("by", c.undone)
	}
	parts, err := j.rows(c)
	if err != nil {
		return err
	}
	var notices []any
	for _, c := range parts {
		p, err := j.of(c.domain, c.ticket)
		if err != nil {
			return err
		}
		for _, e := range p.events {
			if e.Revision <= c.revision || p.undone[e.Revision] || e.Kind == kindUndo || e.Kind == "ticket.read" {
				continue
			}
			if c.Made || e.Kind == "ticket.delete" || stepOf(e).touches(c.was) {
				return naming(errDepends.With("n", n).With("number", p.t.Number).With("by", e.Revision), e.Kind)
			}
		}
		if c.Contact != nil && p.t.contact != c.Contact[1] {
			return errContactSince.With("n", n).With("number", p.t.Number)
		}
		// What the events say is what the row says; anything else is damage.
		if c.Status != nil && p.t.Status != c.Status[1] || c.Assignee != nil && p.t.Assignee != c.Assignee[1] || c.Owner != nil && p.t.Ownership != c.Owner[1] ||
			c.Severity != nil && p.t.Severity != c.Severity[1] {
			return naming(errDepends.With("n", n).With("number", p.t.Number).With("by", p.t.Revision), "")
		}
		if len(c.Untagged) > 0 {
			has, err := TagsIn(j.tx, c.domain, c.ticket)
			if err != nil {
				return err
			}
			if len(has[c.ticket])+len(c.Untagged) > MaxTags {
				return errTagsSince.With("n", n).With("number", p.t.Number)
			}
		}
		if c.Assignee != nil && c.Assignee[0] != "" {
			var out int
			err := j.tx.Get("SELECT count(*) FROM users WHERE domain_id = ? AND id = ? AND disabled = 1", principal.House, c.Assignee[0]).Scan(&out)
			if err != nil {
				return err
			}
			if out > 0 {
				return errHandlerGone.With("n", n).With("number", p.t.Number)
			}
		}
		for _, id := range c.Notices {
			notices = append(notices, id)
		}
	}
	if c.other == "" {
		return nil
	}
	var away int
	err = j.tx.Get(`SELECT count(*) FROM message_moves AS v JOIN messages AS m ON m.domain_id = v.domain_id AND m.id = v.message_id
		WHERE v.domain_id = ? AND v.op = ? AND (m.ticket_id <> v.to_ticket OR m.revision <> v.to_revision)`, c.domain, c.op).Scan(&away)
	if err != nil {
		return err
	}
	var there int
	err = j.tx.Get("SELECT count(*) FROM messages WHERE domain_id = ? AND ticket_id IN (?, ?) AND id IN ("+questions(len(notices))+")",
		append([]any{c.domain, c.ticket, c.other}, notices...)...).Scan(&there)
	if err == nil && (away > 0 || there != len(notices)) {
		err = errWentOn.With("n", n)
	}
	return err
}

// Undone is what became of one change that was to be undone.
type Undone struct {
	Number   string
	Revision int64
	Ticket   Ticket       // after the undo
	Refusal  *fault.Error `json:",omitempty"` // why it was not undone
}

// UndoItem is a change to be undone.
type UndoItem struct {
	Number   string
	Revision int64 // the one the change made
}

// Undo takes back the change that made a revision of a ticket and answers the
// ticket after it: merging, splitting, moving messages (from either ticket),
// accepting, assigning (by hand, by a claim or by a queue), giving back,
// transferring (the team too), pausing, resuming, judging invalid, another
// severity (its clocks go by the rule from before), tags put on or taken off. The
// rows are then what they were, but for revision, time of change and the
// history, which tells of both; a ticket that a split made is Deleted. There is
// no time limit: a change can be undone as long as nothing that depends on it
// has happened since, and what has is named in the refusal (409). Replies, notes
// and labels since depend on nothing. Notes that were written with a step stay,
// notices that were sent are not called back, and authorizations that ended
// with a merged ticket stay ended. An undo cannot itself be undone: repeat the
// step. Failures: OSM.01010015 (no such ticket), .48 (of two submitters, unless
// a supervisor does it), .02 (role; what stands in the way), .01 (no such
// revision).
func (s *Service) Undo(ctx context.Context, who principal.Principal, number string, revision int64) (Ticket, error) {
	out, err := s.UndoMany(ctx, who, []UndoItem{{number, revision}})
	if err != nil {
		return Ticket{}, err
	}
	if out[0].Refusal != nil {
		return Ticket{}, out[0].Refusal
	}
	return out[0].Ticket, nil
}

// UndoMany undoes changes one after the other, 1..100, and tells of each what
// became of it: those that can be undone are, in one transaction. A change that
// depends on another one comes before it. It fails as a whole only for a role or
// a number of items that is not allowed.
func (s *Service) UndoMany(ctx context.Context, who principal.Principal, items []UndoItem) ([]Undone, error) {
	if err := mayWork(who); err != nil {
		return nil, err
	}
	switch {
	case len(items) == 0:
		return nil, fault.Missing.In("items")
	case len(items) > MaxUndo:
		return nil, fault.TooManyItems.In("items").With("max", MaxUndo)
	}
	found := make([]Ticket, len(items))
	refused := make([]*fault.Error, len(items))
	clocks := map[int64]bool{}
	for i, item := range items { // 100 at most
		t, err := s.deskTicketOf(ctx, who, item.Number)
		if f, ok := fault.As(err); ok {
			refused[i] = f
			continue
		}
		if err != nil {
			return nil, err
		}
		clock, err := s.ident.Clock(ctx, t.Domain)
		if err != nil {
			return nil, err
		}
		found[i], clocks[clock] = t, true
		if len(clocks) > 1 {
			return nil, errClocks
		}
	}
	for clock := range clocks {
		ctx = db.WithClock(ctx, clock)
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) ([]Undone, error) {
		out := make([]Undone, len(items))
		for i, item := range items {
			out[i] = Undone{Number: item.Number, Revision: item.Revision, Refusal: refused[i]}
			if refused[i] != nil {
				continue
			}
			t, err := s.undo(tx, who, found[i], item.Revision)
			if f, ok := fault.As(err); ok {
				out[i].Refusal = f
			} else if err != nil {
				return nil, err
			} else {
				out[i].Ticket = t
			}
		}
		return out, nil
	})
}

// undo judges first and writes then, so that a refusal leaves nothing.
func (s *Service) undo(tx *db.Tx, who principal.Principal, seen Ticket, revision int64) (Ticket, error) {
	j := judge{tx: tx}
	p, err := j.of(seen.Domain, seen.ID)
	if err != nil {
		return seen, err
	}
	if p.t.Status == Deleted {
		return seen, fault.NoTicket
	}
	at := slices.IndexFunc(p.rows, func(c changed) bool { return c.revision == revision })
	if at < 0 {
		of := slices.IndexFunc(p.events, func(e event.Row) bool { return e.Revision == revision && revision > 0 })
		if of < 0 {
			return seen, errRevision.With("n", revision)
		}
		return seen, naming(errFixed.With("n", revision), p.events[of].Kind)
	}
	c := p.rows[at]
	parts, err := j.rows(c)
	if err != nil {
		return seen, err
	}
	teams, err := teamsStanding(tx, parts)
	if err != nil {
		return seen, err
	}
	creators := map[string]bool{}
	for _, part := range parts {
		p, err := j.of(part.domain, part.ticket)
		if err != nil {
			return seen, err
		}
		if err := sees(tx, who, p.t); err != nil {
			return seen, err
		}
		creators[p.t.Creator] = true
	}
	if len(creators) > 1 && !leads(who) {
		return seen, ErrPerson
	}
	if who.Partner != "" && len(c.Tagged)+len(c.Untagged) > 0 {
		return seen, fault.NoPermission // tags are the house's own
	}
	if err := j.against(c); err != nil {
		return seen, err
	}
	var moved []Message
	waits := map[string]waiting{}
	if c.other != "" {
		if moved, err = movedBy(tx, c.domain, c.op); err != nil {
			return seen, err
		}
		for _, part := range parts { // two
			if waits[part.ticket], err = waitingIn(tx, j.seen[part.ticket].t, c.op); err != nil {
				return seen, err
			}
		}
	}
	answer, now := seen, tx.Now
	for _, part := range parts { // by ticket id, the order every caller changes tickets in
		p := j.seen[part.ticket]
		t, err := s.restore(tx, who, p, part, teams, waits[part.ticket])
		if err != nil {
			return seen, err
		}
		if now = max(now, t.Changed); part.ticket == seen.ID {
			answer = t
		}
	}
	if c.other != "" {
		return answer, back(tx, parts, moved, now, j.seen)
	}
	return answer, nil
}
