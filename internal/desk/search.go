package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// searches find tickets of all customers by what people type.
type searches struct{ of tickets }

// SearchTickets finds tickets, the best first.
func (h searches) SearchTickets(ctx context.Context, params oas.SearchTicketsParams) (*oas.SearchPage, error) {
	found, err := h.of.tickets.Search(ctx, principal.From(ctx), ticket.Search{Text: params.Q, After: params.Cursor.Or(""), Limit: int(params.Limit.Or(0)), Zone: locale.From(ctx).Zone})
	if err != nil {
		return nil, err
	}
	page := &oas.SearchPage{Items: []oas.SearchHit{}, TotalCount: int32(found.Total), More: found.More, NextCursor: text(found.Cursor)}
	if found.ToIndex > 0 {
		page.Indexing.SetTo(oas.SearchIndexing{Done: found.Indexed, Total: found.ToIndex})
	}
	for _, f := range found.Found {
		hit := oas.SearchHit{Ticket: h.of.ticket(ctx, f.DeskTicket), Score: int32(f.Score), Found: []oas.SearchSpot{}}
		for _, s := range f.Where {
			spot := oas.SearchSpot{Place: oas.SearchSpotPlace(s.Place), ID: text(s.ID), Pieces: []oas.SearchPiece{}}
			for _, p := range s.Pieces {
				spot.Pieces = append(spot.Pieces, oas.SearchPiece{Text: p.Text, Hit: p.Hit})
			}
			hit.Found = append(hit.Found, spot)
		}
		page.Items = append(page.Items, hit)
	}
	return page, nil
}

// SuggestSearch completes the last word of a query.
func (h searches) SuggestSearch(ctx context.Context, params oas.SuggestSearchParams) (*oas.SearchSuggestions, error) {
	all, err := h.of.tickets.Suggest(ctx, principal.From(ctx), params.Q.Or(""), locale.From(ctx).Language)
	if err != nil {
		return nil, err
	}
	list := &oas.SearchSuggestions{Items: []oas.SearchSuggestion{}}
	for _, s := range all {
		list.Items = append(list.Items, oas.SearchSuggestion{Insert: s.Insert, Complete: s.Value})
	}
	return list, nil
}
