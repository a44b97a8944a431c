package ticket

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// Steps that put engineers' own marks on a ticket. Customers and partners'
// people never see them; customers' labels are another thing (label.go).
const (
	StepTag   = "tag"
	StepUntag = "untag"
)

// Limits of tags.
const (
	MaxTags = 20 // of a ticket
	maxTag  = 32 // characters
)

// Faults of tags.
var (
	ErrTags = fault.New(fault.Conflict, fault.CodeInvalid, "每个工单最多 {max} 个内部标签", "a ticket may have at most {max} tags").With("max", MaxTags).In("tags")
	errTag  = fault.New(fault.Invalid, fault.CodeInvalid, "内部标签不能含有逗号或控制字符", "a tag has no commas and no control characters").In("tags")
	// ErrUnchanged is a step that asks for what is there already: nothing is written.
	ErrUnchanged = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已是所要求的样子", "the ticket is already as it shall be")
)

// CheckTags holds tags of a step against their rules: 1 to MaxTags of them, of 1
// to 32 characters without commas. It answers them with blanks taken off, each
// once. Failures: OSM.01010001 naming tags.
func CheckTags(tags []string) (out []string, err error) {
	if len(tags) == 0 {
		return nil, fault.Missing.In("tags")
	}
	if len(tags) > MaxTags {
		return nil, fault.TooManyItems.In("tags").With("max", MaxTags)
	}
	var keys []string
	for _, t := range tags {
		t = strings.TrimSpace(t)
		switch {
		case t == "":
			return nil, errBlank.In("tags")
		case utf8.RuneCountInString(t) > maxTag:
			return nil, fault.TooLong.In("tags").With("max", maxTag)
		case strings.ContainsFunc(t, func(r rune) bool { return r == ',' || r == '，' || unicode.IsControl(r) }):
			return nil, errTag
		}
		if k := foldLabel(t); !slices.Contains(keys, k) {
			keys, out = append(keys, k), append(out, t)
		}
	}
	return out, nil
}

// FoldTag is how tags are compared: width and case do not matter.
func FoldTag(tag string) string { return foldLabel(tag) }

// tagsAfter are a ticket's tags after a step, and those it adds or takes away.
func tagsAfter(has []string, p Step) (after, changed []string, err error) {
	same := func(tag string) func(string) bool {
		return func(other string) bool { return foldLabel(other) == foldLabel(tag) }
	}
	after = slices.Clone(has)
	for _, t := range p.Tags {
		there := slices.ContainsFunc(after, same(t))
		switch {
		case p.Action == StepTag && !there:
			after, changed = append(after, t), append(changed, t)
		case p.Action == StepUntag && there:
			after, changed = slices.DeleteFunc(after, same(t)), append(changed, t)
		}
	}
	switch {
	case len(changed) == 0:
		return has, nil, ErrUnchanged
	case len(after) > MaxTags:
		return has, nil, ErrTags
	}
	return after, changed, nil
}

// TagsIn are engineers' tags of tickets of a domain, by ticket id, in the order
// in which they came. The caller has checked who may see them.
func TagsIn(tx *db.Tx, domain string, ids ...string) (map[string][]string, error) {
	all := map[string][]string{}
	if len(ids) == 0 {
		return all, nil
	}
	args := append([]any{domain}, anys(ids)...)
	err := tx.List(func(r db.Row) error {
		var id, tag string
		err := r.Scan(&id, &tag)
		all[id] = append(all[id], tag)
		return err
	}, "SELECT ticket_id, tag FROM ticket_tags WHERE domain_id = ? AND ticket_id IN (?"+strings.Repeat(", ?", len(ids)-1)+") ORDER BY added_at, tag_key", args...)
	return all, err
}

// tagged leaves the tickets of desk_tickets with a tag.
func (w *where) tagged(tag string) {
	w.and(`EXISTS (SELECT 1 FROM ticket_tags WHERE ticket_tags.domain_id = desk_tickets.domain_id AND ticket_tags.ticket_id = desk_tickets.ticket_id
		AND ticket_tags.tag_key = ?)`, foldLabel(tag))
}

// tagStep adds or takes away tags. The house's people only.
func (s *Service) tagStep(ctx context.Context, who principal.Principal, p Step) (Ticket, error) {
	if who.Partner != "" {
		return Ticket{}, fault.NoPermission
	}
	var err error
	if p.Tags, err = CheckTags(p.Tags); err != nil {
		return Ticket{}, err
	}
	return s.mark(ctx, who, p, func(tx *db.Tx, before Ticket) (t Ticket, w was, data map[string]any, err error) {
		has, err := taggedIn(tx, before)
		if err != nil {
			return before, w, nil, err
		}
		names := make([]string, len(has))
		for i, h := range has {
			names[i] = h.Tag
		}
		_, changed, err := tagsAfter(names, p)
		if err != nil {
			return before, w, nil, err
		}
		if p.Action == StepTag {
			var on []tagged
			for i, name := range changed {
				on = append(on, tagged{name, changedAt(tx, before) + int64(i)})
			}
			putTags(tx, before, on)
			w.Tagged = changed
			return before, w, map[string]any{"tags": changed}, nil
		}
		for i, name := range changed {
			at := slices.IndexFunc(has, func(h tagged) bool { return foldLabel(h.Tag) == foldLabel(name) })
			w.Untagged, changed[i] = append(w.Untagged, has[at]), has[at].Tag
		}
		takeTags(tx, before, changed)
		return before, w, map[string]any{"tags": changed}, nil
	})
}

// tagged is a tag of a ticket and when it came.
type tagged struct {
	Tag string `json:"tag"`
	At  int64  `json:"at"`
}

func taggedIn(tx *db.Tx, t Ticket) (all []tagged, err error) {
	err = tx.List(func(r db.Row) error {
		var one tagged
		err := r.Scan(&one.Tag, &one.At)
		all = append(all, one)
		return err
	}, "SELECT tag, added_at FROM ticket_tags WHERE domain_id = ? AND ticket_id = ? ORDER BY added_at, tag_key", t.Domain, t.ID)
	return all, err
}

// putTags puts tags on that are not there, at most MaxTags.
func putTags(tx *db.Tx, t Ticket, all []tagged) {
	for _, one := range all {
		tx.Write(1, "INSERT INTO ticket_tags (domain_id, ticket_id, tag_key, tag, added_at) VALUES (?, ?, ?, ?, ?)", t.Domain, t.ID, foldLabel(one.Tag), one.Tag, one.At)
	}
}

// takeTags takes tags off that are there.
func takeTags(tx *db.Tx, t Ticket, tags []string) {
	keys := make([]any, len(tags))
	for i, name := range tags {
		keys[i] = foldLabel(name)
	}
	tx.Write(len(tags), "DELETE FROM ticket_tags WHERE domain_id = ? AND ticket_id = ? AND tag_key IN ("+questions(len(tags))+")", append([]any{t.Domain, t.ID}, keys...)...)
}

// mark is a step that changes neither state nor handler: it writes what set
// writes, raises the revision and records and keeps for an undo what set answers.
func (s *Service) mark(ctx context.Context, who principal.Principal, p Step, set func(tx *db.Tx, before Ticket) (Ticket, was, map[string]any, error)) (t Ticket, err error) {
	seen, err := s.deskTicketOf(ctx, who, p.Number)
	if err != nil {
		return t, err
	}
	if ctx, err = s.ident.OnClock(ctx, seen.Domain); err != nil {
		return t, err
	}
	return db.Do(ctx, s.db, func(tx *db.Tx) (Ticket, error) {
		before, err := ticketIn(tx, seen.Domain, seen.ID)
		if err != nil {
			return before, err
		}
		if p.Version != 0 && p.Version != before.Revision {
			return before, ErrVersion
		}
		if err := sees(tx, who, before); err != nil {
			return before, err
		}
		after, w, data, err := set(tx, before)
		if err != nil {
			return before, err
		}
		after = change(tx, before, after)
		event.Record(tx, who, event.Event{Domain: after.Domain, Kind: "ticket." + p.Action, Subject: "ticket", SubjectID: after.ID, Revision: after.Revision,
			LogCode: event.NoLog, Data: data})
		keep(tx, before, after, tx.NewID(), "ticket."+p.Action, "", w)
		return after, nil
	})
}
