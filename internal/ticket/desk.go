package ticket

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// DeskTicket is a ticket as engineers see it.
type DeskTicket struct {
	Ticket
	DomainName, CreatorName, AssigneeName string
	Team                                  string       // of the house, "" = none
	TeamName                              locale.Texts // of a team that is there
	Snooze                                Snooze
	DueFrom                               int64 // from when the whole target of the due clock is counted up to Due, pauses left out; 0 = none is due

	// Of DeskShow only.
	Labels     []Label           // of all the customer's users
	OwnerNames map[string]string // whose they are, by user id
	Related    []Related
	Tags       []string // engineers' own; not for partners' people
	Scores     []Score  // what the customer gave when he rated it
	Unread     int      // the customer's messages behind the caller's mark; -1 = the caller has no marks
}

// DeskFilter of the engineers' list. Zero values do not filter.
type DeskFilter struct {
	Statuses []Status // Deleted is for supervisors and administrators of the house
	Severity string
	Assignee string // user id; "none" = nobody's
	Team     string // team id; "none" = no team's
	Domain   string // also the only way to list a sandbox's tickets
	Text     string // beginning of a number; with Domain also words of the description
	Tag      string // an engineers' tag
	Sort     string // "" = newest first, SortDue = by the time left
	After    string // cursor of the page before, "" = from the beginning
	Snoozed  string // SnoozedNot (also "", but with Text), SnoozedOnly, SnoozedAll
	Limit    int    // 1..100, 0 = 20
	AsOf     int64  // states and handlers as of this instant, milliseconds UTC; 0 = now
}

// numberStart is how a ticket number can begin.
var numberStart = regexp.MustCompile(`^(T|TS\d{0,5}|TS\d{6}[` + crockford + `]{0,13})$`)

// errWords: every index of words is one domain's, so words need one.
var errWords = fault.New(fault.Invalid, fault.CodeInvalid, "{field} 不是工单号的开头；按内容查找时请同时指定客户（domain）",
	"{field} is no beginning of a ticket number; to search for words name the customer in domain as well").In("q")

// SortDue puts the tickets whose nearest running target is due first at the
// beginning, overdue ones before all; those without one come last.
const SortDue = "due"

// byDue is the order of SortDue, as the index has it.
const byDue = "(CASE WHEN due_at = 0 THEN 9223372036854775807 ELSE due_at END)"

var (
	errSort   = fault.Unknown.In("sort")
	errBehind = fault.Unknown.In("cursor")
)

// errNowOnly: the history does not keep what these were.
var errNowOnly = fault.New(fault.Invalid, fault.CodeInvalid, "{field} 不能与 team、tag、snoozed、sort 同时使用", "{field} does not go with team, tag, snoozed or sort").In("as_of")

// Nobody is the filter for tickets without a handler.
const Nobody = "none"

// maySee is for who works on tickets and for auditors, who read.
func maySee(who principal.Principal) error {
	if who.Audits() {
		return nil
	}
	return maySeeMore(who)
}

// maySeeMore is maySee without auditors: for sealed personal fields, files'
// contents, and a search that looks into such fields.
func maySeeMore(who principal.Principal) error {
	if who.Kind == principal.Local || who.Kind == principal.System || mayWork(who) == nil {
		return nil
	}
	return fault.NoPermission
}

// Desk is a page of the tickets of all domains, in the filter's order, how many match,
// and the cursor of the next page ("" at the end). A sandbox's tickets are
// among them only when its domain is asked for: they never reach a queue.
// Deleted ones are among them only when their state is asked for. Failures:
// OSM.01010001 for words without a domain, .02 for callers who may not see what
// they ask for.
func (s *Service) Desk(ctx context.Context, who principal.Principal, f DeskFilter) (page []DeskTicket, total int, cursor string, err error) {
	if err := maySee(who); err != nil {
		return nil, 0, "", err
	}
	if f.Limit == 0 {
		f.Limit = 20
	}
	order := "ticket_id DESC"
	switch f.Sort {
	case "":
	case SortDue:
		order = byDue + ", ticket_id"
	default:
		return nil, 0, "", errSort
	}
	var w where
	lead := who.Partner == "" && (who.Admin() || who.Is(principal.RoleSupervisor))
	if slices.Contains(f.Statuses, Deleted) && !lead {
		return nil, 0, "", fault.NoPermission
	}
	w.onlyTheirs(who)
	if f.Severity != "" {
		w.and("severity = ?", f.Severity)
	}
	if f.Domain != "" {
		w.and("domain_id = ?", f.Domain)
	} else {
		w.and("sandbox = 0")
	}
	if text := strings.TrimSpace(f.Text); text != "" {
		number := strings.ToUpper(text)
		if f.Domain == "" && !numberStart.MatchString(number) {
			return nil, 0, "", errWords
		}
		cond, args := "number BETWEEN ? AND ?", []any{number, number + strings.Repeat("Z", numberLength)}
		if in, more, ok := search.Where(s.db.Dialect(), f.Domain, "ticket", strings.Fields(text)); ok && f.Domain != "" {
			cond, args = "("+cond+" OR ticket_id "+in+")", append(args, more...)
		}
		w.and(cond, args...)
	}
	if f.Tag != "" && who.Partner != "" {
		return nil, 0, "", fault.NoPermission
	}
	if f.AsOf > 0 {
		if f.Team != "" || f.Tag != "" || f.Snoozed != "" || f.Sort != "" {
			return nil, 0, "", errNowOnly
		}
		if !lead {
			w.and("status <> ?", int(Deleted))
		}
		return s.deskAt(ctx, who, f, w)
	}
	w.state(f)
	switch f.Team {
	case "":
	case Nobody:
		w.and("team = ''")
	default:
		w.and("team = ?", f.Team)
	}
	w.snoozed(f)
	if f.Tag != "" {
		w.tagged(f.Tag)
	}
	err = s.db.Survey(ctx, func(tx *db.Tx) error {
		page, cursor = nil, ""
		if err := tx.Get("SELECT count(*) FROM desk_tickets WHERE "+strings.Join(w.cond, " AND "), w.args...).Scan(&total); err != nil {
			return err
		}
		here := w
		if f.After != "" && f.Sort == SortDue {
			due, id, ok := strings.Cut(f.After, ".")
			at, err := strconv.ParseInt(due, 10, 64)
			if err != nil || !ok {
				return errBehind
			}
			here.and("("+byDue+", ticket_id) > (?, ?)", at, id)
		} else if f.After != "" {
			here.and("ticket_id < ?", f.After)
		}
		var keys [][2]string
		var dues []int64
		err := tx.List(func(r db.Row) error {
			var k [2]string
			var due int64
			err := r.Scan(&k[0], &k[1], &due)
			keys, dues = append(keys, k), append(dues, due)
			return err
		}, "SELECT domain_id, ticket_id, "+byDue+" FROM desk_tickets WHERE "+strings.Join(here.cond, " AND ")+" ORDER BY "+order+" LIMIT ?", append(here.args, f.Limit+1)...)
		if err != nil {
			return err
		}
		if len(keys) > f.Limit {
			keys = keys[:f.Limit]
			if cursor = keys[f.Limit-1][1]; f.Sort == SortDue {
				cursor = fmt.Sprint(dues[f.Limit-1], ".", cursor)
			}
		}
		if page, err = s.deskIn(tx, keys...); err != nil {
			return err
		}
		return snoozesOf(tx, page)
	})
	if err != nil {
		return nil, 0, "", err
	}
	return page, total, cursor, s.deskNames(ctx, page)
}

// deskTicket finds a ticket of any domain by its number, a sandbox's as well:
// who has the number is testing. Deleted ones are not there.
func (s *Service) deskTicket(ctx context.Context, number string) (t Ticket, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var domain, id string
		err := tx.Get("SELECT domain_id, ticket_id FROM desk_tickets WHERE number = ?", number).Scan(&domain, &id)
		if errors.Is(err, db.ErrNone) {
			return fault.NoTicket
		}
		if err != nil {
			return err
		}
		if t, err = ticketIn(tx, domain, id); err == nil && t.Status == Deleted {
			return fault.NoTicket
		}
		return err
	})
	return t, err
}

// DeskShow reads a ticket of any domain for the desk.
func (s *Service) DeskShow(ctx context.Context, who principal.Principal, number string) (out DeskTicket, err error) {
	if err := maySee(who); err != nil {
		return out, err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return out, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page, err := s.deskIn(tx, [2]string{t.Domain, t.ID})
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return fault.NoTicket
		}
		if err := snoozesOf(tx, page); err != nil {
			return err
		}
		out = page[0]
		on, err := labelRows(tx, t.Domain, "", nil, []string{t.ID})
		if err != nil {
			return err
		}
		out.Labels = on[t.ID]
		if out.Related, _, err = relatedOf(tx, t.Domain, t.ID); err != nil {
			return err
		}
		if out.Scores, err = scoresOf(tx, out.Ticket); err != nil {
			return err
		}
		if who.Partner == "" {
			tags, err := TagsIn(tx, t.Domain, t.ID)
			if err != nil {
				return err
			}
			out.Tags = tags[t.ID]
		}
		if out.Unread = -1; mayWork(who) == nil && writer(who) != "" {
			reader, p := who, []Polled{{id: t.ID}}
			reader.Domain = t.Domain
			err = unread(tx, reader, p)
			out.Unread = p[0].Unread
		}
		return err
	})
	if err != nil {
		return out, err
	}
	var owners []string
	for _, l := range out.Labels {
		owners = append(owners, l.Owner)
	}
	if out.OwnerNames, err = s.ident.Names(ctx, t.Domain, owners); err != nil {
		return out, err
	}
	if err := s.nameRelated(ctx, t.Domain, out.Related); err != nil {
		return out, err
	}
	page := []DeskTicket{out}
	err = s.deskNames(ctx, page)
	return page[0], err
}

// DeskRead notes that an engineer has read a ticket up to now. It fails with
// OSM.01010002 for callers who are no engineers, supervisors or administrators
// by name, OSM.01010015 for a ticket that is not there.
func (s *Service) DeskRead(ctx context.Context, who principal.Principal, number string) error {
	if err := mayWork(who); err != nil {
		return err
	}
	if writer(who) == "" {
		return fault.NoPermission
	}
	found, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := ticketIn(tx, found.Domain, found.ID)
		if err != nil {
			return err
		}
		return markRead(tx, who, t)
	})
}

// DeskMessages is all that was said and noted in a ticket, oldest first, with
// the writers' log-in names. A partner's people do not see the house's notes,
// and its people by alias only.
func (s *Service) DeskMessages(ctx context.Context, who principal.Principal, number string) (all []Message, err error) {
	if err := maySee(who); err != nil {
		return nil, err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return nil, err
	}
	const most = 10000
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if who.Partner == "" {
			all, err = messagesOf(tx, t, "1 = 1", 0, most)
		} else {
			// Of notes a partner sees his own people's; the house's people go by alias.
			all, err = messagesOf(tx, t, "(internal = 0 OR author IN (SELECT id FROM users WHERE domain_id = '"+principal.House+"' AND partner_id = ?))", 0, most, who.Partner)
			if err == nil {
				err = publicAuthors(tx, all)
			}
		}
		if err != nil {
			return err
		}
		if err := nameOrigins(tx, t.Domain, all); err != nil {
			return err
		}
		return filesOf(tx, t, all, false)
	})
	if err == nil {
		err = s.nameFiles(ctx, all)
	}
	if err != nil {
		return nil, err
	}
	if who.Partner != "" {
		return all, s.nameCustomers(ctx, t.Domain, all)
	}
	return all, s.nameWriters(ctx, t.Domain, all)
}
