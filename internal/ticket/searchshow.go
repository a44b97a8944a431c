package ticket

import (
	"context"
	"slices"
	"strings"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/search"
)

// snippet is how many characters of a text are shown.
const snippetLength = 160

// texts are the query's texts that must occur.
func (q *searching) texts() (all []search.Atom) {
	for _, g := range q.query.Groups {
		for _, a := range g {
			if a.Op == "" && !a.Not {
				all = append(all, a)
			}
		}
	}
	return all
}

// show reads the tickets of a page and the texts in which they were found,
// names of files and people excepted.
func (q *searching) show(tx *db.Tx, hits []searchHit) ([]Found, error) {
	var keys, messages [][2]string
	for _, h := range hits {
		keys = append(keys, [2]string{h.domain, h.ticket})
		for _, b := range h.best {
			if code, doc := b[:2], b[2:]; code == "3m" || code == "2n" {
				messages = append(messages, [2]string{h.domain, doc})
			}
		}
	}
	page, err := q.s.deskIn(tx, keys...)
	if err != nil {
		return nil, err
	}
	texts, err := messageTexts(tx, messages)
	if err != nil {
		return nil, err
	}
	atoms := q.texts()
	found := make([]Found, 0, len(page))
	for _, t := range page {
		h := hits[slices.IndexFunc(hits, func(h searchHit) bool { return h.domain == t.Domain && h.ticket == t.ID })]
		f := Found{DeskTicket: t, Score: h.score}
		for _, b := range h.spots() {
			spot, text := Spot{Place: placeOf(b[:2])}, ""
			switch doc := b[2:]; b[:2] {
			case "9n":
				text = t.Number
			case "5d":
				text = t.Description
			case "3m", "2n":
				spot.ID, text = doc, texts[[2]string{t.Domain, doc}]
			case "3j":
				text = t.Judgement
			case "4f", "4g":
				spot.ID = doc
			case "1x":
				text = t.DomainName
			}
			if text != "" {
				spot.Pieces, _ = search.Snippet(text, snippetLength, atoms...)
			}
			f.Where = append(f.Where, spot)
		}
		found = append(found, f)
	}
	return found, nil
}

// spots are the documents of a hit, the best first, each once.
func (h searchHit) spots() []string {
	all := slices.Clone(h.best)
	slices.SortStableFunc(all, func(a, b string) int { return strings.Compare(b[:1], a[:1]) })
	var out []string
	for _, b := range all {
		if !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	return out
}

func placeOf(code string) string {
	for _, p := range places {
		if p.code == code {
			return p.place
		}
	}
	return ""
}

// messageTexts reads texts by domain and id.
func messageTexts(tx *db.Tx, keys [][2]string) (map[[2]string]string, error) {
	texts := map[[2]string]string{}
	if len(keys) == 0 {
		return texts, nil
	}
	var args []any
	for _, k := range keys {
		args = append(args, k[0], k[1])
	}
	err := tx.List(func(r db.Row) error {
		var k [2]string
		var text string
		err := r.Scan(&k[0], &k[1], &text)
		texts[k] = text
		return err
	}, "WITH wanted(in_domain, message) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?)", len(keys)-1)+
		") SELECT domain_id, id, text FROM wanted JOIN messages ON domain_id = in_domain AND id = message WHERE withdrawn_at = 0", args...)
	return texts, err
}

// name opens what is sealed: people and the files in which something was found.
func (q *searching) name(ctx context.Context, found []Found, hits []searchHit) error {
	page := make([]DeskTicket, len(found))
	for i, f := range found {
		page[i] = f.DeskTicket
	}
	if err := q.s.deskNames(ctx, page); err != nil {
		return err
	}
	names, err := q.fileNames(ctx, found)
	if err != nil {
		return err
	}
	atoms := q.texts()
	for i := range found {
		f := &found[i]
		f.DeskTicket = page[i]
		for j := range f.Where {
			s := &f.Where[j]
			text := ""
			switch {
			case s.Place == "file":
				text = names[[2]string{f.Domain, s.ID}]
			case s.Place == "customer" && s.Pieces == nil:
				text = f.CreatorName
			}
			if text != "" {
				s.Pieces, _ = search.Snippet(text, snippetLength, atoms...)
			}
		}
	}
	return nil
}

// fileNames are the names of the files of a page, by domain and id.
func (q *searching) fileNames(ctx context.Context, found []Found) (map[[2]string]string, error) {
	tickets := map[string][]string{} // by domain
	wanted := map[[2]string]bool{}
	for _, f := range found {
		for _, s := range f.Where {
			if s.Place == "file" {
				tickets[f.Domain] = append(tickets[f.Domain], f.ID)
				wanted[[2]string{f.Domain, s.ID}] = true
			}
		}
	}
	names := map[[2]string]string{}
	if len(wanted) == 0 {
		return names, nil
	}
	var files []attachment.File
	err := q.s.db.View(ctx, func(tx *db.Tx) error {
		files = nil
		for domain, ids := range tickets {
			byMessage, err := attachment.OfTickets(tx, domain, ids, false)
			if err != nil {
				return err
			}
			for _, some := range byMessage {
				for _, f := range some {
					if wanted[[2]string{domain, f.ID}] {
						files = append(files, f)
					}
				}
			}
		}
		return nil
	})
	if err == nil {
		err = q.s.files.Named(ctx, files)
	}
	for _, f := range files {
		names[[2]string{f.Domain, f.ID}] = f.Name
	}
	return names, err
}
