package live

import (
	"context"

	"casemate/internal/ticket"
)

// look reads who is at which ticket, and tells of those where that changed: who
// came, who left or gave no sign for long, who began to write. Names and what
// they do are read by the page. While there is no client nothing is read.
func (h *Hub) look(ctx context.Context) error {
	if h.o.Presence == nil {
		return nil
	}
	h.mu.Lock()
	begun := h.begun
	h.mu.Unlock()
	if !begun {
		return nil
	}
	all, err := h.o.Presence(ctx)
	if err != nil {
		return err
	}
	now := make(map[ticket.Someone]bool, len(all))
	for _, p := range all {
		now[p] = true
	}
	var keys [][2]string
	changed := map[[2]string]bool{}
	for _, of := range []struct{ these, those map[ticket.Someone]bool }{{now, h.present}, {h.present, now}} {
		for p := range of.these {
			if k := [2]string{p.Domain, p.TicketID}; !of.those[p] && !changed[k] {
				changed[k], keys = true, append(keys, k)
			}
		}
	}
	marks := map[[2]string]ticket.Mark{}
	for at := 0; at < len(keys); at += readBatch {
		some, err := h.tickets.Marks(ctx, keys[at:min(at+readBatch, len(keys))])
		if err != nil {
			return err
		}
		for k, m := range some {
			marks[k] = m
		}
	}
	h.present = now
	var items []Item
	for _, k := range keys {
		if m, ok := marks[k]; ok {
			items = append(items, Item{Kind: Presence, Domain: k[0], Ticket: m.Number, partner: m.Partner, house: true, passing: true})
		}
	}
	h.add(items)
	return nil
}

// add puts items into the ring that are of the moment and have no number: they
// are told once, to who is there.
func (h *Hub) add(items []Item) {
	if len(items) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.db.Now().UnixMilli()
	for i := range items {
		items[i].Seq, items[i].At = h.last, now
	}
	h.ring = append(h.ring, items...)
	h.trim()
	close(h.news)
	h.news = make(chan struct{})
}
