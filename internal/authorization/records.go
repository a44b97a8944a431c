package authorization

import (
	"context"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// What the desk lists at most.
const (
	maxDeskSessions = 200
	maxDeskRecords  = 1000 // commands, and as many transfers
)

// DeskSession is a session as the house sees it.
type DeskSession struct {
	Session
	EngineerName        string // log-in name
	Commands, Transfers int    // how many were recorded
}

// DeskSessions lists the sessions under an authorization of any domain, newest
// first, at most 200. Failures: OSM.01010001 (unknown id), .02 (role).
func (s *Service) DeskSessions(ctx context.Context, who principal.Principal, id string) (all []DeskSession, err error) {
	if err := maySee(who); err != nil {
		return nil, err
	}
	var people []string
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all, people = nil, nil
		a, err := deskIn(tx, id)
		if err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var x DeskSession
			err := r.Scan(&x.domain, &x.ID, &x.Authorization, &x.Detail, &x.Engineer, &x.Opened, &x.Closed, &x.Commands, &x.Transfers)
			all, people = append(all, x), append(people, x.Engineer)
			return err
		}, "SELECT "+sessionColumns+`, (SELECT count(*) FROM authorization_commands AS c WHERE c.domain_id = s.domain_id AND c.session_id = s.id),
				(SELECT count(*) FROM authorization_transfers AS t WHERE t.domain_id = s.domain_id AND t.session_id = s.id)
			FROM authorization_sessions AS s WHERE domain_id = ? AND authorization_id = ? ORDER BY opened_at DESC, id DESC LIMIT ?`, a.Domain, a.ID, maxDeskSessions)
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	names, err := s.ident.Names(ctx, principal.House, people)
	for i := range all {
		all[i].EngineerName = names[all[i].Engineer]
	}
	return all, err
}

var errReader = fault.New(fault.Forbidden, fault.CodeNoPermission, "仅工单当前处理人、授权申请人、主管和管理员可以查看会话记录",
	"only the ticket's handler, the engineer who asked, supervisors and administrators may read what a session recorded")

// mayRead tells whether he reads what a session recorded: the ticket's handler,
// who asked for the authorization, supervisors, administrators, and auditors who
// hold another role beside.
func mayRead(tx *db.Tx, who principal.Principal, a Authorization) error {
	if mayApprove(who) || who.Admin() || who.Audits() || a.Engineer == who.User {
		return nil
	}
	t, err := ticket.In(tx, a.Domain, a.Ticket)
	if err == nil && t.Assignee != who.User {
		err = errReader
	}
	return err
}

// DeskRecords are the first 1,000 commands and transfers each of a session of any
// domain, oldest first: for the ticket's handler, who asked for the authorization,
// supervisors and administrators. Commands may hold personal data, so they are not
// for auditors who do nothing else, and each look is an event
// (authorization.browse). Failures: OSM.01010001 (unknown ids), .02 (role,
// somebody else's ticket).
func (s *Service) DeskRecords(ctx context.Context, who principal.Principal, id string, session int64) (commands []Command, transfers []Transfer, err error) {
	if who.Blind() {
		return nil, nil, fault.NoPermission
	}
	if err := maySee(who); err != nil {
		return nil, nil, err
	}
	if ctx, err = s.onClock(ctx, id); err != nil {
		return nil, nil, err
	}
	var x Session
	var keys []string
	err = s.db.Update(ctx, func(tx *db.Tx) error { // no Do: what it answers is stored for repeats
		commands, transfers, keys = nil, nil, nil
		a, err := deskIn(tx, id)
		if err != nil {
			return err
		}
		if err := mayRead(tx, who, a); err != nil {
			return err
		}
		if x, err = sessionIn(tx, a, session); err != nil {
			return err
		}
		err = tx.List(func(r db.Row) error {
			var key string
			var c Command
			err := r.Scan(&key, &c.At, &c.Text)
			commands, keys = append(commands, c), append(keys, key)
			return err
		}, "SELECT id, at, text FROM authorization_commands WHERE domain_id = ? AND session_id = ? ORDER BY at, id LIMIT ?", x.domain, x.ID, maxDeskRecords)
		if err != nil {
			return err
		}
		err = tx.List(func(r db.Row) error {
			var t Transfer
			err := r.Scan(&t.At, &t.Duration, &t.Kind, &t.File, &t.From, &t.To, &t.Size, &t.Result)
			transfers = append(transfers, t)
			return err
		}, "SELECT at, duration, kind, file_name, from_path, to_path, size, result FROM authorization_transfers WHERE domain_id = ? AND session_id = ? ORDER BY at, id LIMIT ?",
			x.domain, x.ID, maxDeskRecords)
		if err != nil {
			return err
		}
		record(tx, who, a, "browse", map[string]any{"session": x.ID})
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for i := range commands {
		if commands[i].Text, err = s.open(commandPlace(x.domain, keys[i]), commands[i].Text); err != nil {
			return nil, nil, err
		}
	}
	return commands, transfers, nil
}
