package desk

import (
	"context"
	"encoding/json"
	"fmt"

	"casemate/internal/desk/oas"
	"casemate/internal/event"
)

type system struct{ host Host }

// ListEvents reads the sealed feed.
func (h system) ListEvents(ctx context.Context, params oas.ListEventsParams) (*oas.EventList, error) {
	domain, after := params.Domain.Or(""), params.After.Or(0)
	rows, err := h.host.Events(ctx, domain, after, int(params.Limit.Or(100)))
	if err != nil {
		return nil, err
	}
	list := &oas.EventList{Items: []oas.Event{}, Last: after}
	for _, r := range rows {
		e, err := change(r)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, e)
		list.Last = r.Seq
		if domain != "" {
			list.Last = r.DomainSeq
		}
	}
	return list, nil
}

func change(r event.Row) (oas.Event, error) {
	e := oas.Event{Seq: r.Seq, DomainSeq: r.DomainSeq, ID: r.ID, DomainID: r.Domain, Kind: r.Kind, Subject: r.Subject, SubjectID: r.SubjectID,
		At: at(r.At), AtMs: r.At, ActorKind: r.ActorKind.String(), ActorID: text(r.Actor), Address: text(r.Address), Hash: r.Hash}
	if r.Revision > 0 {
		e.Revision = oas.NewOptInt64(r.Revision)
	}
	if len(r.Data) > 0 && string(r.Data) != "null" {
		var data oas.EventData
		if err := json.Unmarshal(r.Data, &data); err != nil {
			return e, fmt.Errorf("event %d: %w", r.Seq, err)
		}
		e.Data = oas.NewOptEventData(data)
	}
	return e, nil
}

// ShowSystem shows the installation.
func (h system) ShowSystem(ctx context.Context) (*oas.System, error) {
	n, err := h.host.Counts(ctx)
	if err != nil {
		return nil, err
	}
	return &oas.System{Version: h.host.Version, Database: h.host.Database, Demo: h.host.Demo, Time: at(h.host.Now().UnixMilli()),
		Domains: n.Domains, Users: n.Users, Tickets: n.Tickets, JobsWaiting: n.JobsWaiting, DeliveriesWaiting: n.DeliveriesWaiting, LastEvent: n.LastEvent}, nil
}
