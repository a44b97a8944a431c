package queue

import (
	"context"
	"errors"
	"slices"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// BulkUndo is what became of the undo of a bulk run.
type BulkUndo struct {
	ID              string
	Undone, Refused int // tickets of which everything is undone; of which something stays
	Items           []BulkUndone
}

// BulkUndone is what became of one ticket's changes, the last one first.
type BulkUndone struct {
	Number   string
	Outcomes []UndoneAction
}

// UndoneAction is what became of one change of the run.
type UndoneAction struct {
	Do       string
	Revision int64        // the change, as Outcome.Version
	Version  int64        // the ticket's behind the undo, 0 = nothing was written now
	Refusal  *fault.Error // why it stays; nil = it is undone, now or before
}

// OK tells whether everything is undone.
func (i BulkUndone) OK() bool {
	return !slices.ContainsFunc(i.Outcomes, func(o UndoneAction) bool { return o.Refusal != nil })
}

// UndoBulk takes back what a run did, by the rules of ticket.Undo: ticket by
// ticket, each in a transaction of its own, of each ticket the last change
// first. A change that cannot be undone (a text to the customer, a note, one
// that something depends on) stays and is told; those before it are tried
// still. What was undone before counts as undone, so an undo that was cut off is
// gone on with by a repeat. Who may see the run may undo it, and sees as much of
// each ticket as he may. Failures: ErrNoBulk, OSM.01010002.
func (s *Service) UndoBulk(ctx context.Context, who principal.Principal, id string) (BulkUndo, error) {
	b, err := s.ShowBulk(ctx, who, id)
	if err != nil {
		return BulkUndo{}, err
	}
	ctx = db.WithoutRequestKey(ctx) // a repeat is judged by what stands
	out, as := BulkUndo{ID: b.ID}, who
	as.Via = via("bulk", b.ID, "", locale.Texts{})
	for _, item := range b.Items { // 100 at most
		one, err := s.undoItem(ctx, as, item)
		if err != nil {
			return out, err
		}
		switch {
		case !one.OK():
			out.Refused++
		case len(one.Outcomes) > 0:
			out.Undone++
		}
		out.Items = append(out.Items, one)
	}
	return out, s.db.Update(ctx, func(tx *db.Tx) error {
		event.Record(tx, who, event.Event{Kind: "bulk.undo", Subject: "bulk", SubjectID: b.ID, LogCode: event.NoLog, Data: map[string]any{"tickets": b.Total, "undone": out.Undone, "refused": out.Refused}})
		return nil
	})
}

func (s *Service) undoItem(ctx context.Context, who principal.Principal, item BulkItem) (BulkUndone, error) {
	out := BulkUndone{Number: item.Number}
	var changes []ticket.UndoItem
	for _, o := range slices.Backward(item.Outcomes) {
		if o.Version > 0 {
			changes = append(changes, ticket.UndoItem{Number: item.Number, Revision: o.Version})
			out.Outcomes = append(out.Outcomes, UndoneAction{Do: o.Do, Revision: o.Version})
		}
	}
	if len(changes) == 0 {
		return out, nil
	}
	all, err := s.tickets.UndoMany(ctx, who, changes)
	if err != nil {
		return out, err
	}
	for i, r := range all {
		switch {
		case r.Refusal == nil:
			out.Outcomes[i].Version = r.Ticket.Revision
		case !errors.Is(r.Refusal, ticket.ErrUndone):
			out.Outcomes[i].Refusal = r.Refusal
		}
	}
	return out, nil
}
