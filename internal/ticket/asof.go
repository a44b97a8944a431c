package ticket

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// The past is worked out backwards: from what stands in the tables now, each
// event behind the instant is taken back. So it reaches to the first event of a
// ticket, whatever version recorded it, and what was never changed needs none.

// Faults of looking back.
var (
	errNotYet  = fault.New(fault.NotFound, fault.CodeInvalid, "该时刻工单尚不存在", "there was no such ticket then").In("as_of")
	errFuture  = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能是将来的时刻", "{field} must not be in the future").In("as_of")
	errTooMany = fault.New(fault.Conflict, fault.CodeInvalid, "该时刻之后变更过的工单超过 {max} 个，请指定客户（domain）或更近的时刻",
		"more than {max} tickets have changed since: name a customer in domain, or a later instant").In("as_of")
)

// maxBehind is how many tickets that changed since a list as of an instant
// works out.
const maxBehind = 20000

// TicketAt is a ticket as it was.
type TicketAt struct {
	DeskTicket // Labels and Revision as they were; Related and Unread are not told
	At         int64
	Messages   []Message // that were in it then, with their files
	Files      []attachment.File
}

// AsOf is a ticket as it was at an instant (milliseconds UTC, on the ticket's
// clock): state, handler, side, labels, the messages that were in it and their
// files. Texts withdrawn and files removed since are gone and not told; a label
// that was deleted since has its number only, another has its name of today; what
// parameters and contact were is not kept. A partner's people see what they see
// today. Failures: OSM.01010015 (no such ticket), .01 (it was not there yet; an
// instant to come).
func (s *Service) AsOf(ctx context.Context, who principal.Principal, number string, at int64) (out TicketAt, err error) {
	if err := maySee(who); err != nil {
		return out, err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return out, err
	}
	if ctx, err = s.ident.OnClock(ctx, t.Domain); err != nil {
		return out, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		switch {
		case at > tx.Now:
			return errFuture
		case at < t.Created:
			return errNotYet
		}
		page, err := s.deskIn(tx, [2]string{t.Domain, t.ID})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return fault.NoTicket
		}
		events, err := courseOf(tx, t.Domain, t.ID)
		if err != nil {
			return err
		}
		out = TicketAt{DeskTicket: page[0], At: at}
		rewind(&out.Ticket, events, at)
		if out.Tags = nil; who.Partner == "" {
			on, err := TagsIn(tx, t.Domain, t.ID)
			if err != nil {
				return err
			}
			out.Tags = tagsAt(on[t.ID], events, at)
		}
		if err := out.teamAt(tx, events, at); err != nil {
			return err
		}
		if out.Labels, err = labelsAt(tx, t, events, at); err != nil {
			return err
		}
		if out.Messages, err = messagesAt(tx, who, t, at); err != nil {
			return err
		}
		if err := nameOrigins(tx, t.Domain, out.Messages); err != nil {
			return err
		}
		out.Files, err = filesAt(tx, who, t, out.Messages, at)
		return err
	})
	if err != nil {
		return out, err
	}
	if err := s.files.Named(ctx, out.Files); err != nil {
		return out, err
	}
	give(byMessage(out.Files), out.Messages)
	one := []DeskTicket{out.DeskTicket}
	if err := s.deskNames(ctx, one); err != nil {
		return out, err
	}
	out.DeskTicket = one[0]
	if who.Partner != "" {
		return out, s.nameCustomers(ctx, t.Domain, out.Messages)
	}
	return out, s.nameWriters(ctx, t.Domain, out.Messages)
}

func byMessage(files []attachment.File) map[string][]attachment.File {
	out := map[string][]attachment.File{}
	for _, f := range files {
		out[f.Message] = append(out[f.Message], f)
	}
	return out
}

// rewind takes back, from a ticket as it is, what events behind an instant did
// to state, handler and side, and counts revision and urges anew.
func rewind(t *Ticket, events []event.Row, at int64) {
	handler := func(before int) string { // of histories that do not tell who it was
		for _, e := range slices.Backward(events[:before]) {
			if a := stepOf(e).Assignee; a != nil {
				return *a
			}
		}
		return ""
	}
	t.Revision, t.Urges, t.Changed = 1, 0, t.Created
	for i, e := range slices.Backward(events) {
		if e.At <= at {
			if t.Revision = max(t.Revision, e.Revision); e.Revision > 0 {
				t.Changed = max(t.Changed, e.At)
			}
			if e.Kind == "ticket.urge" {
				t.Urges++
			}
			continue
		}
		st := stepOf(e)
		if st.From != nil {
			t.Status = *st.From
		}
		if st.OwnerFrom != nil {
			t.Ownership = *st.OwnerFrom
		}
		if st.SeverityFrom != nil {
			t.Severity = *st.SeverityFrom
		}
		switch {
		case st.AssigneeFrom != nil:
			t.Assignee = *st.AssigneeFrom
		case st.Assignee != nil:
			t.Assignee = handler(i)
		}
	}
}

// tagsAt takes back, from the tags that are on a ticket, what was put on and
// taken off behind an instant.
func tagsAt(tags []string, events []event.Row, at int64) []string {
	off := func(gone []string) {
		tags = slices.DeleteFunc(slices.Clone(tags), func(t string) bool {
			return slices.ContainsFunc(gone, func(g string) bool { return foldLabel(g) == foldLabel(t) })
		})
	}
	for _, e := range slices.Backward(events) {
		if e.At <= at {
			break
		}
		switch st := stepOf(e); e.Kind {
		case "ticket." + StepTag:
			off(st.Tags)
		case "ticket." + StepUntag:
			tags = append(tags, st.Tags...)
		case kindUndo, kindAbsorb:
			off(st.TagsOn)
			tags = append(tags, st.TagsOff...)
		}
	}
	return tags
}

// teamAt sets the team whose a ticket was at an instant; one that was removed
// since has no name.
func (t *TicketAt) teamAt(tx *db.Tx, events []event.Row, at int64) error {
	team := t.Team
	for _, e := range slices.Backward(events) {
		if e.At <= at {
			break
		}
		if st := stepOf(e); st.TeamFrom != nil {
			team = *st.TeamFrom
		}
	}
	if team == t.Team {
		return nil
	}
	t.Team, t.TeamName = team, locale.Texts{}
	err := tx.Get("SELECT name_zh, name_en FROM desk_teams WHERE id = ?", team).Scan(&t.TeamName.ZH, &t.TeamName.EN)
	if errors.Is(err, db.ErrNone) {
		err = nil
	}
	return err
}

// labelsAt are the labels on a ticket then, by their numbers.
func labelsAt(tx *db.Tx, t Ticket, events []event.Row, at int64) (all []Label, err error) {
	gone, err := event.OfKind(tx, t.Domain, "label", kindLabelDelete, at)
	if err != nil {
		return nil, err
	}
	type turn struct {
		at  int64
		id  string
		on  bool
		ids []int64
	}
	var turns []turn
	for _, e := range events {
		switch st := stepOf(e); {
		case e.At > at:
		case e.Kind == "ticket.label" || e.Kind == kindAbsorb:
			turns = append(turns, turn{e.At, e.ID, true, st.Labels})
		case e.Kind == "ticket.unlabel":
			turns = append(turns, turn{e.At, e.ID, false, st.Labels})
		case e.Kind == kindUndo:
			turns = append(turns, turn{e.At, e.ID, false, st.LabelsOff})
		}
	}
	for _, e := range gone {
		turns = append(turns, turn{e.At, e.ID, false, []int64{labelNumber(e.SubjectID)}})
	}
	slices.SortFunc(turns, func(a, b turn) int { return cmp.Or(cmp.Compare(a.at, b.at), strings.Compare(a.id, b.id)) })
	on := map[int64]bool{}
	for _, u := range turns {
		for _, id := range u.ids {
			if on[id] = true; !u.on {
				delete(on, id)
			}
		}
	}
	if len(on) == 0 {
		return nil, nil
	}
	args := []any{t.Domain}
	for id := range on {
		args = append(args, id)
	}
	known := map[int64]Label{}
	err = tx.List(func(r db.Row) error {
		var l Label
		err := r.Scan(&l.ID, &l.Name, &l.Color, &l.Owner)
		known[l.ID] = l
		return err
	}, "SELECT id, name, color, owner FROM labels WHERE domain_id = ? AND id IN ("+questions(len(on))+")", args...)
	for id := range on {
		l := known[id]
		l.ID = id
		all = append(all, l)
	}
	slices.SortFunc(all, func(a, b Label) int { return cmp.Compare(a.ID, b.ID) })
	return all, err
}

func labelNumber(text string) (n int64) {
	for _, r := range text {
		n = n*10 + int64(r-'0')
	}
	return n
}

// stay is one move of a message.
type stay struct {
	message, from, to string
	opening           bool
	origin            string
	before, after     int64
	moved, undone     int64
}

// messagesAt are the messages that were in a ticket then, oldest first.
func messagesAt(tx *db.Tx, who principal.Principal, t Ticket, at int64) (all []Message, err error) {
	cond, args := "", []any{t.Domain, at, t.ID, t.Domain, t.ID, t.ID}
	if who.Partner != "" {
		cond = " AND (internal = 0 OR author IN (SELECT id FROM users WHERE domain_id = '" + principal.House + "' AND partner_id = ?))"
		args = append(args, who.Partner)
	}
	var said []Message
	err = tx.List(func(r db.Row) error {
		m, err := scanMessage(r)
		said = append(said, m)
		return err
	}, "SELECT "+messageColumns+` FROM messages WHERE domain_id = ? AND created_at <= ? AND (ticket_id = ? OR id IN
		(SELECT v.message_id FROM message_moves AS v WHERE v.domain_id = ? AND (v.from_ticket = ? OR v.to_ticket = ?)))`+cond, args...)
	if err != nil {
		return nil, err
	}
	moves := map[string][]stay{}
	err = tx.List(func(r db.Row) error {
		var v stay
		var opening int64
		err := r.Scan(&v.message, &v.from, &v.to, &opening, &v.origin, &v.before, &v.after, &v.moved, &v.undone)
		v.opening = opening == 1
		moves[v.message] = append(moves[v.message], v)
		return err
	}, `SELECT m.message_id, m.from_ticket, m.to_ticket, m.opening, m.origin, m.created_before, m.created_after, m.moved_at, m.undone_at FROM message_moves AS m
		WHERE m.domain_id = ? AND m.message_id IN (SELECT v.message_id FROM message_moves AS v WHERE v.domain_id = ? AND (v.from_ticket = ? OR v.to_ticket = ?))
		ORDER BY m.moved_at, m.op`, t.Domain, t.Domain, t.ID, t.ID)
	if err != nil {
		return nil, err
	}
	for _, m := range said {
		if v := moves[m.ID]; len(v) > 0 {
			m.on, m.Opening, m.Origin, m.Created = v[0].from, v[0].opening, v[0].origin, v[0].before
			for _, v := range v {
				if v.moved > at || v.undone > 0 && v.undone <= at {
					continue
				}
				if m.on, m.Opening, m.Created = v.to, false, v.after; m.Origin == "" {
					m.Origin = v.from
				}
			}
		}
		if m.on != t.ID || m.Created > at {
			continue
		}
		if m.Withdrawn > at {
			m.Withdrawn = 0 // it had not been, though its text is gone
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Message) int { return cmp.Or(cmp.Compare(a.Created, b.Created), strings.Compare(a.ID, b.ID)) })
	if who.Partner != "" {
		err = publicAuthors(tx, all)
	}
	return all, err
}

// filesAt are the files of those messages, and what engineers had uploaded and
// not sent yet.
func filesAt(tx *db.Tx, who principal.Principal, t Ticket, said []Message, at int64) (all []attachment.File, err error) {
	in := map[string]bool{}
	ids := []string{t.ID}
	for _, m := range said {
		in[m.ID] = true
	}
	if len(said) > 0 {
		err := tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		}, `SELECT DISTINCT m.ticket_id FROM message_moves AS v JOIN messages AS m ON m.domain_id = v.domain_id AND m.id = v.message_id
			WHERE v.domain_id = ? AND (v.from_ticket = ? OR v.to_ticket = ?)`, t.Domain, t.ID, t.ID)
		if err != nil {
			return nil, err
		}
	}
	later := map[string]bool{"": true} // what was sent since
	err = tx.List(func(r db.Row) error {
		var id string
		err := r.Scan(&id)
		later[id] = true
		return err
	}, "SELECT id FROM messages WHERE domain_id = ? AND ticket_id = ? AND created_at > ?", t.Domain, t.ID, at)
	if err != nil {
		return nil, err
	}
	found, err := attachment.OfTickets(tx, t.Domain, distinct(ids), false)
	for message, files := range found {
		for _, f := range files {
			switch waited := f.Engineers && f.Ticket == t.ID && f.Created <= at && later[message] && who.Partner == ""; {
			case in[message]:
				all = append(all, f)
			case waited:
				f.Message = ""
				all = append(all, f)
			}
		}
	}
	slices.SortFunc(all, func(a, b attachment.File) int { return strings.Compare(a.ID, b.ID) })
	return all, err
}

// nameWriters gives messages their writers' log-in names.
func (s *Service) nameWriters(ctx context.Context, domain string, all []Message) error {
	home := func(m Message) string {
		if m.Side == EngineerSide || m.Side == PartnerSide {
			return principal.House
		}
		return domain
	}
	writers := map[string][]string{}
	for _, m := range all {
		writers[home(m)] = append(writers[home(m)], m.Author)
	}
	names, err := s.namesOf(ctx, writers)
	for i, m := range all {
		all[i].AuthorName = names[home(m)][m.Author]
	}
	return err
}

// deskAt is Desk as of an instant: which tickets there were in which state and
// with whom. Tickets that were deleted since are among them for supervisors and
// administrators of the house only.
func (s *Service) deskAt(ctx context.Context, who principal.Principal, f DeskFilter, w where) (page []DeskTicket, total int, cursor string, err error) {
	if who.Partner != "" {
		return nil, 0, "", fault.NoPermission // whose they were is not kept in a form that a list could ask
	}
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		page, total, cursor = nil, 0, ""
		if f.AsOf > tx.Now {
			return errFuture
		}
		old, was := w.clone(), w.clone() // those that stand as they stood, and those that changed since
		old.and("created_at <= ? AND changed_at <= ?", f.AsOf, f.AsOf)
		old.state(f)
		was.and("created_at <= ? AND changed_at > ?", f.AsOf, f.AsOf)
		if err := tx.Get("SELECT count(*) FROM desk_tickets WHERE "+strings.Join(old.cond, " AND "), old.args...).Scan(&total); err != nil {
			return err
		}
		var since [][2]string
		err := tx.List(keysInto(&since), "SELECT domain_id, ticket_id FROM desk_tickets WHERE "+strings.Join(was.cond, " AND ")+" ORDER BY ticket_id DESC LIMIT ?", append(was.args, maxBehind+1)...)
		if err != nil {
			return err
		}
		if len(since) > maxBehind {
			return errTooMany.With("max", maxBehind)
		}
		then := map[string]Ticket{}
		var keys [][2]string
		for some := range slices.Chunk(since, 500) {
			all, err := ticketsAt(tx, some, f.AsOf)
			if err != nil {
				return err
			}
			for _, t := range all {
				if f.matches(t) {
					total++
					then[t.ID] = t
					keys = append(keys, [2]string{t.Domain, t.ID})
				}
			}
		}
		if f.After != "" {
			old.and("ticket_id < ?", f.After)
			keys = slices.DeleteFunc(keys, func(k [2]string) bool { return k[1] >= f.After })
		}
		err = tx.List(keysInto(&keys), "SELECT domain_id, ticket_id FROM desk_tickets WHERE "+strings.Join(old.cond, " AND ")+" ORDER BY ticket_id DESC LIMIT ?", append(old.args, f.Limit+1)...)
		if err != nil {
			return err
		}
		slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(b[1], a[1]) })
		if len(keys) > f.Limit {
			keys = keys[:f.Limit]
			cursor = keys[f.Limit-1][1]
		}
		if page, err = s.deskIn(tx, keys...); err != nil {
			return err
		}
		for i := range page {
			if t, ok := then[page[i].ID]; ok {
				p := &page[i].Ticket
				p.Status, p.Assignee, p.Ownership, p.Revision, p.Urges, p.Changed = t.Status, t.Assignee, t.Ownership, t.Revision, t.Urges, t.Changed
			}
		}
		return nil
	})
	if err != nil {
		return nil, 0, "", err
	}
	return page, total, cursor, s.deskNames(ctx, page)
}

func keysInto(keys *[][2]string) func(r db.Row) error {
	return func(r db.Row) error {
		var k [2]string
		err := r.Scan(&k[0], &k[1])
		*keys = append(*keys, k)
		return err
	}
}

func (w where) clone() where { return where{slices.Clone(w.cond), slices.Clone(w.args)} }

// state adds the conditions on what changes in a ticket's life.
func (w *where) state(f DeskFilter) {
	if !slices.Contains(f.Statuses, Deleted) {
		w.and("status <> ?", int(Deleted))
	}
	if len(f.Statuses) > 0 {
		w.anyOf("status", f.Statuses)
	}
	switch f.Assignee {
	case "":
	case Nobody:
		w.and("assignee = ''")
	default:
		w.and("assignee = ?", f.Assignee)
	}
}

// matches is state for a ticket that was worked out.
func (f DeskFilter) matches(t Ticket) bool {
	switch {
	case t.Status == Deleted && !slices.Contains(f.Statuses, Deleted), len(f.Statuses) > 0 && !slices.Contains(f.Statuses, t.Status):
		return false
	case f.Assignee == Nobody:
		return t.Assignee == ""
	}
	return f.Assignee == "" || f.Assignee == t.Assignee
}

// ticketsAt works out tickets as of an instant.
func ticketsAt(tx *db.Tx, keys [][2]string, at int64) (all []Ticket, err error) {
	var args []any
	for _, k := range keys {
		args = append(args, k[0], k[1])
	}
	wanted := "WITH wanted(in_domain, ticket) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))" + strings.Repeat(", (?, ?)", len(keys)-1) + ") "
	err = tx.List(func(r db.Row) error {
		t, err := scan(r)
		all = append(all, t)
		return err
	}, wanted+"SELECT "+columns+" FROM wanted JOIN tickets ON domain_id = in_domain AND id = ticket", args...)
	if err != nil {
		return nil, err
	}
	events, err := event.OfMany(tx, "ticket", keys)
	if err != nil {
		return nil, err
	}
	for i := range all {
		rewind(&all[i], events[[2]string{all[i].Domain, all[i].ID}], at)
	}
	return all, nil
}
