package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"casemate/internal/attachment"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/seal"
	"casemate/internal/ticket"
)

// The two drafts everybody has of a ticket; ids and kinds alike.
const (
	DraftReply = "reply"
	DraftNote  = "note"
)

// Why there is a draft.
const (
	OriginTyped    = "typed"
	OriginRefused  = "refused"  // its sending was refused
	OriginRecalled = "recalled" // taken back before it went out
	OriginWithheld = "withheld" // it should have gone out later, but the ticket had changed
)

// Limits of drafts.
const (
	MaxDraft       = 10000 // characters of the text, as of a message
	MaxDraftFiles  = 10
	MaxDrafts      = 500 // of one engineer
	maxBeside      = 50  // texts that came back beside the one being written, a ticket and engineer
	keepDraftFiles = 30 * day
	day            = int64(24 * 3600 * 1000)
)

// Faults of drafts.
var (
	ErrNoDraft    = fault.New(fault.NotFound, fault.CodeInvalid, "没有该草稿", "there is no such draft").In("draft_id")
	ErrDraftStale = fault.New(fault.Conflict, fault.CodeNoPermission, "草稿已在其他页面修改，请比较后再保存", "the draft was changed in another page meanwhile: compare the two texts and save again").In("version")
	errDraftGone  = fault.New(fault.Conflict, fault.CodeNoPermission, "草稿已在其他页面发送或丢弃", "the draft was sent or discarded in another page meanwhile").In("version")
	errDrafts     = fault.New(fault.Conflict, fault.CodeNoPermission, "您的草稿已达 {max} 份，请先发送或丢弃一些", "you have {max} drafts: send or discard some first").With("max", MaxDrafts)
	errDraftID    = fault.New(fault.Invalid, fault.CodeInvalid, "只能修改 reply 和 note 草稿", "only the drafts reply and note can be written").In("draft_id")
)

// Draft is a text that is not sent yet, of one engineer and ticket.
type Draft struct {
	Domain, Ticket, Number string
	User, ID               string
	Kind                   string // DraftReply, DraftNote
	Action                 string // the step it is meant for: reply, ask, resolve, note
	Text                   string
	Attachments            []string
	Seen                   string // id of the newest message its writer had seen, "" = unknown
	Origin, Cause          string // OriginTyped ...; the error code that refused it
	Version                int64  // rises with each change, also over a draft's end; 0 = there is none
	Changed                int64  // milliseconds UTC

	sealed string
}

func (d Draft) place() seal.Place {
	return seal.Place{Table: "ticket_drafts", Column: "text", Row: d.Domain + "/" + d.Ticket + "/" + d.User + "/" + d.ID}
}

const draftColumns = "domain_id, ticket_id, user_id, id, kind, action, text, attachments, seen, origin, cause, version, changed_at"

func scanDraft(r db.Row) (d Draft, err error) {
	var files string
	if err = r.Scan(&d.Domain, &d.Ticket, &d.User, &d.ID, &d.Kind, &d.Action, &d.sealed, &files, &d.Seen, &d.Origin, &d.Cause, &d.Version, &d.Changed); err != nil {
		return d, err
	}
	return d, json.Unmarshal([]byte(files), &d.Attachments)
}

func (s *Service) openDraft(d *Draft) error {
	plain, err := s.keys.Open(d.place(), d.sealed)
	d.Text = string(plain)
	return err
}

// draftIn reads one draft with its text; Version 0 when there is none. Opening
// takes microseconds, so it may stand in a transaction.
func (s *Service) draftIn(tx *db.Tx, domain, ticketID, user, id string) (Draft, error) {
	d, err := scanDraft(tx.Get("SELECT "+draftColumns+" FROM ticket_drafts WHERE domain_id = ? AND ticket_id = ? AND user_id = ? AND id = ?", domain, ticketID, user, id))
	if errors.Is(err, db.ErrNone) {
		return Draft{Domain: domain, Ticket: ticketID, User: user, ID: id}, nil
	}
	if err != nil {
		return d, err
	}
	return d, s.openDraft(&d)
}

// write stores a draft under a version behind the one before.
func (s *Service) write(tx *db.Tx, d Draft, before int64) (Draft, error) {
	sealed, err := s.keys.Seal(d.place(), []byte(d.Text))
	if err != nil {
		return d, err
	}
	files, err := json.Marshal(append([]string{}, d.Attachments...))
	if err != nil {
		return d, err
	}
	d.Version, d.Changed = max(before+1, tx.Real), tx.Real
	tx.Write(1, `INSERT INTO ticket_drafts (domain_id, ticket_id, user_id, id, kind, action, text, attachments, seen, origin, cause, version, changed_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (domain_id, ticket_id, user_id, id) DO UPDATE SET kind = excluded.kind, action = excluded.action,
		text = excluded.text, attachments = excluded.attachments, seen = excluded.seen, origin = excluded.origin, cause = excluded.cause, version = excluded.version,
		changed_at = excluded.changed_at WHERE ticket_drafts.version = ?`,
		d.Domain, d.Ticket, d.User, d.ID, d.Kind, d.Action, sealed, string(files), d.Seen, d.Origin, d.Cause, d.Version, d.Changed, before)
	return d, nil
}

func (d Draft) drop(tx *db.Tx) {
	tx.Write(db.Any, "DELETE FROM ticket_drafts WHERE domain_id = ? AND ticket_id = ? AND user_id = ? AND id = ?", d.Domain, d.Ticket, d.User, d.ID)
}

func (d Draft) check() error {
	actions := []string{ticket.StepReply, ticket.StepAsk, ticket.StepResolve}
	if d.ID == DraftNote {
		actions = []string{ticket.StepNote}
	}
	switch {
	case d.ID != DraftReply && d.ID != DraftNote:
		return errDraftID
	case !slices.Contains(actions, d.Action):
		return fault.Unknown.In("action")
	case utf8.RuneCountInString(d.Text) > MaxDraft:
		return fault.TooLong.In("text").With("max", MaxDraft)
	case len(d.Attachments) > MaxDraftFiles:
		return fault.TooManyItems.In("attachment_ids").With("max", MaxDraftFiles)
	case len(d.Seen) > 64:
		return fault.Unknown.In("last_message_id")
	}
	return nil
}

// SaveDraft saves what the caller writes at a ticket: ID, Action, Text,
// Attachments and Seen of d, where the stored draft is still of the version the
// caller knew (0 = there was none). Else it fails with ErrDraftStale as a
// *Conflict that holds the other text: neither page wins silently. A draft
// without text and files ends; its Version is 0 then. Saving what is stored
// already changes nothing. Files wait for a draft for 30 days after its last
// change. Failures: OSM.01010015 (no such ticket), .02 (role, stale, MaxDrafts),
// .01 (fields). Drafts are no history: they record no events.
func (s *Service) SaveDraft(ctx context.Context, who principal.Principal, number string, d Draft, version int64) (saved Draft, err error) {
	if err := ticket.MayWork(who); err != nil {
		return d, err
	}
	if d.Action == "" {
		d.Action = d.ID
	}
	if err := d.check(); err != nil {
		return d, err
	}
	t, ctx, err := s.tickets.DeskFind(ctx, who, number)
	if err != nil {
		return d, err
	}
	d.Domain, d.Ticket, d.Number, d.User, d.Kind, d.Origin, d.Cause = t.Domain, t.ID, t.Number, who.User, d.ID, OriginTyped, ""
	var stale *Conflict
	saved, err = db.Do(ctx, s.db, func(tx *db.Tx) (Draft, error) {
		stale = nil
		stored, err := s.draftIn(tx, t.Domain, t.ID, who.User, d.ID)
		if err != nil {
			return d, err
		}
		stored.Number = t.Number
		none := strings.TrimSpace(d.Text) == "" && len(d.Attachments) == 0
		ended := Draft{Domain: t.Domain, Ticket: t.ID, Number: t.Number, User: who.User, ID: d.ID, Kind: d.ID, Action: d.Action, Origin: OriginTyped, Changed: tx.Real}
		switch {
		case stored.Version == 0 && none:
			return ended, nil
		case stored.Version != 0 && stored.Text == d.Text && stored.Action == d.Action && stored.Seen == d.Seen && slices.Equal(stored.Attachments, d.Attachments):
			return stored, nil // a repeat, or the same in two pages
		case stored.Version != version && stored.Version == 0:
			stale = &Conflict{Reason: ReasonDraft, fault: errDraftGone}
			return d, errDraftGone
		case stored.Version != version:
			stale = &Conflict{Reason: ReasonDraft, Draft: &stored, fault: ErrDraftStale}
			return d, ErrDraftStale
		case none:
			stored.drop(tx)
			return ended, nil
		case stored.Version == 0:
			if err := roomForDraft(tx, who.User); err != nil {
				return d, err
			}
		}
		owned := attachment.For{Domain: t.Domain, Ticket: t.ID, Owner: t.Creator, Internal: d.ID == DraftNote, Field: "attachment_ids"}
		if err := attachment.Keep(tx, who, owned, d.Attachments, tx.Now+keepDraftFiles); err != nil {
			return d, err
		}
		return s.write(tx, d, stored.Version)
	})
	if stale != nil && err != nil {
		return saved, stale
	}
	return saved, err
}

func roomForDraft(tx *db.Tx, user string) error {
	var n int
	err := tx.Get("SELECT count(*) FROM ticket_drafts WHERE user_id = ? /* all domains: an engineer's own */", user).Scan(&n)
	if err == nil && n >= MaxDrafts {
		err = errDrafts
	}
	return err
}

// DiscardDraft ends a draft of the caller's. Version is the one the caller
// knows, 0 = whatever it is. It fails with ErrNoDraft or, stale, with a
// *Conflict as SaveDraft does.
func (s *Service) DiscardDraft(ctx context.Context, who principal.Principal, number, id string, version int64) error {
	if err := ticket.MayWork(who); err != nil {
		return err
	}
	t, ctx, err := s.tickets.DeskFind(ctx, who, number)
	if err != nil {
		return err
	}
	var stale *Conflict
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		stale = nil
		d, err := s.draftIn(tx, t.Domain, t.ID, who.User, id)
		switch {
		case err != nil:
			return err
		case d.Version == 0:
			return ErrNoDraft
		case version != 0 && version != d.Version:
			d.Number = t.Number
			stale = &Conflict{Reason: ReasonDraft, Draft: &d, fault: ErrDraftStale}
			return ErrDraftStale
		}
		d.drop(tx)
		return nil
	})
	if stale != nil && err != nil {
		return stale
	}
	return err
}

// Drafts are the caller's own of a ticket, the newest first.
func (s *Service) Drafts(ctx context.Context, who principal.Principal, number string) (all []Draft, err error) {
	if err := ticket.MayWork(who); err != nil {
		return nil, err
	}
	t, _, err := s.tickets.DeskFind(ctx, who, number)
	if err != nil {
		return nil, err
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		all, err = draftsIn(tx, "SELECT "+draftColumns+" FROM ticket_drafts WHERE domain_id = ? AND ticket_id = ? AND user_id = ? ORDER BY changed_at DESC, id", t.Domain, t.ID, who.User)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, s.openDrafts(all, map[string]string{t.ID: t.Number})
}

// AllDrafts is a page of the caller's drafts of all tickets, the newest first,
// and the cursor of the next ("" at the end); limit 0 = 50. Those of tickets
// that are not his business any more are left out, so that a page may be short.
func (s *Service) AllDrafts(ctx context.Context, who principal.Principal, after string, limit int) (all []Draft, cursor string, err error) {
	if err := ticket.MayWork(who); err != nil {
		return nil, "", err
	}
	if limit == 0 {
		limit = 50
	}
	before, place := int64(math.MaxInt64), ""
	if after != "" {
		if _, err := fmt.Sscanf(after, "%d.%s", &before, &place); err != nil {
			return nil, "", fault.Unknown.In("cursor")
		}
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		all, err = draftsIn(tx, "SELECT "+draftColumns+` FROM ticket_drafts WHERE user_id = ? AND (changed_at < ? OR changed_at = ? AND ticket_id || '.' || id > ?)
			ORDER BY changed_at DESC, ticket_id || '.' || id LIMIT ? /* all domains: an engineer's own */`, who.User, before, before, place, limit+1)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if len(all) > limit {
		all = all[:limit]
		last := all[limit-1]
		cursor = fmt.Sprintf("%d.%s.%s", last.Changed, last.Ticket, last.ID)
	}
	var ids []string
	for _, d := range all {
		ids = append(ids, d.Ticket)
	}
	numbers, err := s.tickets.DeskNumbers(ctx, who, ids)
	if err != nil {
		return nil, "", err
	}
	all = slices.DeleteFunc(all, func(d Draft) bool { return numbers[d.Ticket] == "" })
	return all, cursor, s.openDrafts(all, numbers)
}

func draftsIn(tx *db.Tx, sql string, args ...any) (all []Draft, err error) {
	err = tx.List(func(r db.Row) error {
		d, err := scanDraft(r)
		all = append(all, d)
		return err
	}, sql, args...)
	return all, err
}

// openDrafts opens the texts and fills in the tickets' numbers.
func (s *Service) openDrafts(all []Draft, numbers map[string]string) error {
	for i := range all {
		all[i].Number = numbers[all[i].Ticket]
		if err := s.openDraft(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

// sent ends the drafts a sent text makes needless: the one named, else the one
// being written when all of it stands in what is sent.
func (s *Service) sent(tx *db.Tx, t ticket.Ticket, user, kind, id, text string) error {
	named := id != ""
	if !named {
		id = kind
	}
	d, err := s.draftIn(tx, t.Domain, t.ID, user, id)
	switch {
	case err != nil:
		return err
	case d.Version == 0 && named && id != DraftReply && id != DraftNote:
		return ErrNoDraft
	case d.Version == 0:
		return nil
	case named || strings.Contains(text, strings.TrimSpace(d.Text)):
		d.drop(tx)
	}
	return nil
}

// giveBack makes a text that did not go out a draft again, in the caller's
// transaction: the one being written when there is none, else one beside it, so
// that neither is lost. It answers the draft. When too many came back the oldest
// of them makes room.
func (s *Service) giveBack(tx *db.Tx, d Draft) (Draft, error) {
	d.ID = d.Kind
	stored, err := s.draftIn(tx, d.Domain, d.Ticket, d.User, d.ID)
	if err != nil {
		return d, err
	}
	if stored.Version != 0 && stored.Text != d.Text && strings.TrimSpace(stored.Text) != "" {
		beside, err := draftsIn(tx, "SELECT "+draftColumns+" FROM ticket_drafts WHERE domain_id = ? AND ticket_id = ? AND user_id = ? AND id <> ? AND id <> ? ORDER BY changed_at, id",
			d.Domain, d.Ticket, d.User, DraftReply, DraftNote)
		if err != nil {
			return d, err
		}
		d.ID, stored = tx.NewID(), Draft{}
		for _, b := range beside {
			if err := s.openDraft(&b); err != nil {
				return d, err
			}
			if b.Text == d.Text && b.Kind == d.Kind { // it came back already
				d.ID, stored = b.ID, b
			}
		}
		if stored.Version == 0 && len(beside) >= maxBeside {
			beside[0].drop(tx)
		}
	}
	return s.write(tx, d, stored.Version)
}
