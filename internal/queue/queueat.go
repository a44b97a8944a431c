package queue

import (
	"context"
	"encoding/json"
	"errors"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

var errNoQueueThen = fault.New(fault.NotFound, fault.CodeInvalid, "该时刻队列尚不存在或已删除", "there was no such queue then").In("as_of")

// maxQueueEvents bounds the history of one queue that is read.
const maxQueueEvents = 10000

// Then is a queue as of an instant.
type Then struct {
	Queue        // ID, Name, Place, Filter, Sort, Team, Way, Hard and Version; Version 0 = not told
	Present bool // nothing tells of a change, so it is the queue of today
}

// toldQueue is what an event tells of a queue.
type toldQueue struct {
	ZH     *string           `json:"name_zh"`
	EN     string            `json:"name_en"`
	Place  int               `json:"place"`
	Filter *ticket.RowFilter `json:"filter"`
	Sort   ticket.Sort       `json:"sort"`
	Team   string            `json:"team"`
	Way    Way               `json:"way"`
	Hard   bool              `json:"hard"`
}

// queueAt is a queue as the history tells it was at an instant, of one that was
// deleted since as well.
func queueAt(tx *db.Tx, id string, at int64) (out Then, err error) {
	events, _, err := event.OfSubject(tx, principal.House, "queue", id, false, false, 0, maxQueueEvents)
	if err != nil {
		return out, err
	}
	var told toldQueue
	for i, e := range events {
		var data struct {
			toldQueue
			From *toldQueue `json:"from"`
			To   *toldQueue `json:"to"`
		}
		if err := json.Unmarshal(e.Data, &data); err != nil {
			return out, err
		}
		behind := e.At <= at
		switch {
		case e.Kind == "queue.create" && behind:
			told, out.Version = data.toldQueue, e.Revision
		case e.Kind == "queue.create":
			return out, errNoQueueThen
		case e.Kind == "queue.update" && behind && data.To != nil:
			told, out.Version = *data.To, e.Revision
		case e.Kind == "queue.update" && i == 0 && data.From != nil:
			told, out.Version = *data.From, e.Revision-1
		case e.Kind == "queue.delete" && behind:
			return out, errNoQueueThen
		case e.Kind == "queue.delete" && i == 0:
			told, out.Version = data.toldQueue, e.Revision-1
		}
		if !behind {
			break
		}
	}
	if told.Filter == nil {
		out.Queue, err = queueIn(tx, id)
		out.Present = true
		return out, err
	}
	out.Name = locale.Texts{EN: told.EN}
	if told.ZH != nil {
		out.Name.ZH = *told.ZH
	}
	out.ID, out.Place, out.Filter, out.Sort, out.Team, out.Way, out.Hard = id, told.Place, *told.Filter, told.Sort, told.Team, told.Way, told.Hard
	return out, nil
}

// QueueTicketsAt is QueueTickets as of an instant (milliseconds UTC): the queue
// as it was then, and the tickets that matched it then (ticket.RowPageAt).
// Without the reasons why nobody had them. The house's people only. Failures:
// ErrNoQueue, OSM.01010001 (there was no such queue then; those of RowPageAt).
func (s *Service) QueueTicketsAt(ctx context.Context, who principal.Principal, id string, l Look, at int64) (p Page, then Then, err error) {
	if err := errors.Join(mayLook(who), l.check()); err != nil {
		return p, then, err
	}
	if who.Partner != "" {
		return p, then, fault.NoPermission
	}
	if err := s.db.View(ctx, func(tx *db.Tx) error { then, err = queueAt(tx, id, at); return err }); err != nil {
		return p, then, err
	}
	if l.Sort == "" {
		l.Sort = then.Sort
	}
	if l.Limit == 0 {
		l.Limit = 50
	}
	if p.Tickets, p.Total, p.Cursor, err = s.tickets.RowPageAt(ctx, who, then.Filter, l.Sort, l.After, l.Limit, at); err != nil {
		return Page{}, then, err
	}
	if p.Capped = p.Total > ticket.MaxCount; p.Capped {
		p.Total = ticket.MaxCount
	}
	return p, then, nil
}
