package ticket

import (
	"errors"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// StepRelease gives a ticket back: it has no handler any more.
const StepRelease = "release"

var (
	errFree    = fault.New(fault.Conflict, fault.CodeNoPermission, "工单没有处理人", "nobody handles this ticket")
	actRelease = locale.Texts{ZH: "退回队列", EN: "given back"}
)

// released is the ticket without its handler: his own, or a supervisor's word.
func released(t Ticket, who principal.Principal) (Ticket, error) {
	switch {
	case !t.Status.Open():
		return t, errState(actRelease, t.Status)
	case t.Assignee == "":
		return t, errFree
	case t.Assignee != writer(who) && !who.Admin() && !who.Is(principal.RoleSupervisor):
		return t, fault.NoPermission
	}
	t.Assignee = ""
	return t, nil
}

// Given is what a noun above decides in a step's transaction.
type Given struct {
	Domain, Ticket string // the ticket, "" = the step's
	Assignee       string // user id, "" = the step's
}

// begin reads the ticket of a step, after the noun above had its say.
func (p Step) begin(tx *db.Tx, seen Ticket, assignee *string) (Ticket, error) {
	if p.Begin != nil {
		given, err := p.Begin(tx)
		if err != nil {
			return seen, err
		}
		if given.Ticket != "" {
			seen.Domain, seen.ID = given.Domain, given.Ticket
		}
		if given.Assignee != "" {
			*assignee = given.Assignee
		}
	}
	return ticketIn(tx, seen.Domain, seen.ID)
}

// ReleaseIn gives tickets back that an engineer handles, in the caller's
// transaction; those that are over or another's are left alone. The caller has
// checked who may do it. It answers the numbers of those given back.
func ReleaseIn(tx *db.Tx, who principal.Principal, engineer, why string, keys [][2]string) (numbers []string, err error) {
	byDomain := map[string][]any{}
	for _, k := range keys {
		byDomain[k[0]] = append(byDomain[k[0]], k[1])
	}
	for domain, ids := range byDomain {
		var mine []Ticket
		err := tx.List(func(r db.Row) error {
			t, err := scan(r)
			if t.Assignee == engineer && t.Status.Open() {
				mine = append(mine, t)
			}
			return err
		}, "SELECT "+columns+" FROM tickets WHERE domain_id = ? AND id IN ("+questions(len(ids))+") ORDER BY id", append([]any{domain}, ids...)...)
		if err != nil {
			return nil, err
		}
		for _, before := range mine {
			t := before
			t.Assignee = ""
			t = change(tx, before, t)
			event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.release", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog,
				Data: map[string]any{"from": before.Status, "to": t.Status, "assignee": "", "assignee_from": engineer, "released": engineer, "why": why}})
			remember(tx, before, t, StepRelease)
			numbers = append(numbers, t.Number)
		}
	}
	return numbers, nil
}

// setTeam writes which team of the house a ticket belongs to, "" = none.
func setTeam(tx *db.Tx, t Ticket, team string) {
	tx.Write(db.Any, "UPDATE desk_tickets SET team = ? WHERE ticket_id = ?", team, t.ID)
}

// teamsStanding are those of the teams to which tickets shall go back that are
// there.
func teamsStanding(tx *db.Tx, parts []changed) (map[string]bool, error) {
	there := map[string]bool{}
	for _, c := range parts { // two at most
		if c.Team == nil || c.Team[0] == "" {
			continue
		}
		var n int
		if err := tx.Get("SELECT count(*) FROM desk_teams WHERE id = ?", c.Team[0]).Scan(&n); err != nil {
			return nil, err
		}
		there[c.Team[0]] = n > 0
	}
	return there, nil
}

// teamsOf reads the teams of tickets for the desk, with their names.
func teamsOf(tx *db.Tx, page []DeskTicket) error {
	if len(page) == 0 {
		return nil
	}
	place, args := map[string]int{}, make([]any, len(page))
	for i, t := range page {
		place[t.ID], args[i] = i, t.ID
	}
	return tx.List(func(r db.Row) error {
		var id, team, zh, en string
		if err := r.Scan(&id, &team, &zh, &en); err != nil {
			return err
		}
		page[place[id]].Team, page[place[id]].TeamName = team, locale.Texts{ZH: zh, EN: en}
		return nil
	}, "SELECT d.ticket_id, d.team, g.name_zh, g.name_en FROM desk_tickets AS d JOIN desk_teams AS g ON g.id = d.team WHERE d.team <> '' AND d.ticket_id IN ("+questions(len(args))+")", args...)
}

// loadRows reads the desk's rows of tickets that are transferred.
func (m *move) loadRows(tx *db.Tx, found map[string]Ticket) error {
	m.rows = map[string]Row{}
	if len(found) == 0 {
		return nil
	}
	var ids []any
	for _, t := range found {
		ids = append(ids, t.ID)
	}
	return tx.List(func(r db.Row) error {
		row, err := scanRow(r)
		m.rows[row.ID] = row
		return err
	}, "SELECT "+rowColumns+" FROM desk_tickets WHERE ticket_id IN ("+questions(len(ids))+")", ids...)
}

// mayTeam judges a ticket that a team shall get.
func (m move) mayTeam(t Ticket) error {
	row := m.rows[t.ID]
	if row.Team == m.Team && t.Assignee == "" && t.Ownership == HouseBusiness {
		return errTeamHas
	}
	if m.Takes == nil {
		return nil
	}
	row.Team, row.Assignee, row.Ownership, row.Snoozed = m.Team, "", HouseBusiness, false // a queue takes what rests, too
	return m.Takes(row)
}

// ForgetTeam takes a team off all tickets in the caller's transaction: it is
// gone.
func ForgetTeam(tx *db.Tx, team string) {
	tx.Write(db.Any, "UPDATE desk_tickets SET team = '' WHERE team = ?", team)
}

// RowByNumber reads the desk's row of a ticket the caller may see;
// fault.NoTicket.
func RowByNumber(tx *db.Tx, who principal.Principal, number string) (Row, error) {
	var w where
	w.and("number = ? AND status <> 13", number)
	w.onlyTheirs(who)
	r, err := scanRow(tx.Get("SELECT "+rowColumns+" FROM desk_tickets WHERE "+strings.Join(w.cond, " AND "), w.args...))
	if errors.Is(err, db.ErrNone) {
		err = fault.NoTicket
	}
	return r, err
}
