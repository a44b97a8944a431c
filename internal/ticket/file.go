package ticket

import (
	"context"
	"slices"
	"strings"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/principal"
)

// filesOf gives each message of a ticket its files, without their names.
func filesOf(tx *db.Tx, t Ticket, page []Message, customers bool) error {
	if len(page) == 0 {
		return nil
	}
	files, err := attachment.OfTicket(tx, t.Domain, t.ID, customers)
	give(files, page)
	return err
}

// newFiles gives the new messages of a poll their files, without their names.
func newFiles(tx *db.Tx, domain string, all []Polled) error {
	var ids []string
	for _, p := range all {
		for _, m := range p.New { // most are of the ticket itself
			if !slices.Contains(ids, m.on) {
				ids = append(ids, m.on)
			}
		}
	}
	files, err := attachment.OfTickets(tx, domain, ids, true)
	for _, p := range all {
		give(files, p.New)
	}
	return err
}

func give(files map[string][]attachment.File, to []Message) {
	for i := range to {
		to[i].Files = files[to[i].ID]
	}
}

// nameFiles opens the names of the messages' files.
func (s *Service) nameFiles(ctx context.Context, page []Message) error {
	for _, m := range page {
		if len(m.Files) == 0 {
			continue
		}
		if err := s.files.Named(ctx, m.Files); err != nil {
			return err
		}
	}
	return nil
}

// Attach takes an engineer's file for a ticket and answers its id; a step sends
// it. Failures: OSM.01010015 (no such ticket), .02 (role), and those of
// attachment.UploadFor.
func (s *Service) Attach(ctx context.Context, who principal.Principal, number string, u attachment.Upload) (attachment.File, error) {
	if err := mayWork(who); err != nil {
		return attachment.File{}, err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return attachment.File{}, err
	}
	if ctx, err = s.ident.OnClock(ctx, t.Domain); err != nil {
		return attachment.File{}, err
	}
	id, err := s.files.UploadFor(ctx, who, t.Domain, t.ID, u)
	if err != nil {
		return attachment.File{}, err
	}
	all, err := s.DeskFiles(ctx, who, number)
	if i := slices.IndexFunc(all, func(f attachment.File) bool { return f.ID == id }); err == nil && i >= 0 {
		return all[i], nil
	}
	return attachment.File{ID: id}, err
}

// DeskFiles lists a ticket's files for the desk, oldest first: the customer's,
// the engineers', those of notes and those not sent yet; for a partner's people
// those of the messages they see.
func (s *Service) DeskFiles(ctx context.Context, who principal.Principal, number string) (all []attachment.File, err error) {
	if err := maySee(who); err != nil {
		return nil, err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return nil, err
	}
	if who.Partner != "" { // the files of what he may read
		said, err := s.DeskMessages(ctx, who, number)
		for _, m := range said {
			all = append(all, m.Files...)
		}
		return all, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		all = nil
		byMessage, err := attachment.OfTicket(tx, t.Domain, t.ID, false)
		for _, files := range byMessage {
			all = append(all, files...)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b attachment.File) int { return strings.Compare(a.ID, b.ID) })
	return all, s.files.Named(ctx, all)
}

// DeskFile opens a file of a ticket for the desk. Failures: OSM.01010015 (no
// such ticket), and those of attachment.OpenFor.
func (s *Service) DeskFile(ctx context.Context, who principal.Principal, number, id string) (attachment.Content, error) {
	if err := maySeeMore(who); err != nil {
		return attachment.Content{}, err
	}
	t, err := s.deskTicketOf(ctx, who, number)
	if err != nil {
		return attachment.Content{}, err
	}
	if who.Partner != "" {
		all, err := s.DeskFiles(ctx, who, number)
		if err != nil {
			return attachment.Content{}, err
		}
		if !slices.ContainsFunc(all, func(f attachment.File) bool { return f.ID == id }) {
			return attachment.Content{}, attachment.ErrNone
		}
	}
	return s.files.OpenFor(ctx, who, t.Domain, t.ID, id)
}
