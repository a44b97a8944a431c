package ticket

import (
	"context"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/identity"
	"casemate/internal/principal"
	"casemate/internal/privilege"
)

// logExport is the code of an export (operate_type.csv).
const logExport = 84

// exportPage is how many tickets one read of an export takes. Each page is a
// view of its own: one long read would keep the store from folding its log.
const exportPage = 500

// Export is a running export: pages of tickets, newest first. It is not safe
// for concurrent use and holds nothing open between pages.
type Export struct {
	s     *Service
	who   principal.Principal
	f     Filter
	named []string
	after string // id of the last ticket handed out
	skip  int    // before the first page
	left  int    // how many to hand out yet, negative = all
	done  bool
}

// ExportFilter is what to export: as the list, where Limit 0 is 10; All is
// everything that matches from Offset on.
type ExportFilter struct {
	Filter
	All     bool
	Nothing bool   // a filter that matches no ticket was given
	Format  string // for the history: xlsx, csv
}

// Export begins an export of the caller's tickets (semantics.md D19) and
// records it, as operation 84 of the domain and, where exactly one ticket is
// named and there, of that ticket. It fails with OSM.01010002 for who may not
// export (privilege.MayExport), and like List.
func (s *Service) Export(ctx context.Context, who principal.Principal, f ExportFilter) (*Export, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	e := &Export{s: s, who: who, f: f.Filter, skip: f.Offset, left: f.Limit, done: f.Nothing}
	if f.All {
		e.left = -1
	}
	if f.CreatorName != "" && who.Kind == principal.Customer {
		var err error
		if e.named, err = s.ident.FindByName(ctx, who.Domain, f.CreatorName); err != nil {
			return nil, err
		}
	}
	return e, s.db.Update(ctx, func(tx *db.Tx) error {
		scope, err := e.scope(tx)
		if err != nil {
			return err
		}
		var one []Ticket
		if len(f.Numbers) == 1 {
			if one, err = e.read(tx, scope, 1, 0); err != nil {
				return err
			}
		}
		event.Record(tx, who, event.Event{Domain: who.Domain, Kind: "ticket.export", Subject: "domain", SubjectID: who.Domain, LogCode: logExport,
			Data: map[string]any{"format": f.Format, "from": f.From, "to": f.To, "statuses": f.Statuses, "creator": f.Creator, "named": len(f.Numbers), "all": f.All}})
		for _, t := range one {
			event.Record(tx, who, event.Event{Domain: t.Domain, Kind: "ticket.export", Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: logExport,
				Data: map[string]any{"format": f.Format}})
		}
		return nil
	})
}

// scope is whose tickets the export holds now: a right that was taken away ends
// a running export, too.
func (e *Export) scope(tx *db.Tx) (privilege.Scope, error) {
	scope, err := privilege.ScopeOf(tx, e.who, "")
	if err != nil {
		return scope, err
	}
	d, err := identity.DomainIn(tx, e.who.Domain)
	if err != nil {
		return scope, err
	}
	if err := privilege.MayExport(tx, e.who, d); err != nil {
		return scope, err
	}
	if e.f.Creator != "" {
		scope = scope.Narrow(e.f.Creator)
	}
	if e.f.CreatorName != "" {
		scope = scope.Narrow(e.named...)
	}
	return scope, nil
}

func (e *Export) read(tx *db.Tx, scope privilege.Scope, limit, offset int) (page []Ticket, err error) {
	w, some := e.s.where(scope, e.f)
	if !some {
		return nil, nil
	}
	if e.after != "" {
		w.and("id < ?", e.after)
	}
	err = tx.List(func(r db.Row) error {
		t, err := scan(r)
		page = append(page, t)
		return err
	}, "SELECT "+columns+" FROM tickets WHERE domain_id = ? AND "+strings.Join(w.cond, " AND ")+" ORDER BY id DESC LIMIT ? OFFSET ?",
		append(append([]any{scope.Domain}, w.args...), limit, offset)...)
	return page, err
}

// Next is the next page, empty at the end. Tickets made since the export began
// are not in it; one changed meanwhile is as it is when its page is read.
func (e *Export) Next(ctx context.Context) (page []Ticket, err error) {
	limit := exportPage
	if e.left >= 0 {
		limit = min(limit, e.left)
	}
	if e.done || limit == 0 {
		return nil, nil
	}
	err = e.s.db.Survey(ctx, func(tx *db.Tx) error {
		scope, err := e.scope(tx)
		if err != nil {
			return err
		}
		page, err = e.read(tx, scope, limit, e.skip)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.skip = 0
	if e.done = len(page) < limit; len(page) > 0 {
		e.after = page[len(page)-1].ID
	}
	if e.left > 0 {
		e.left -= len(page)
	}
	return page, e.s.openPage(page)
}

// Now is the store's time, in milliseconds UTC.
func (s *Service) Now() int64 { return s.db.Now().UnixMilli() }
