// Package attachment owns the files of tickets: what they are called and what
// they are, who may see them, their limits, the claim that binds them to a
// ticket's message, signed links, the scanner's verdicts, and their end. The
// bytes are in package blob; which tickets there are is package ticket's affair.
package attachment

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"casemate/internal/blob"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/privilege"
	"casemate/internal/seal"
	"casemate/internal/search"
)

// What an uploader says a file is for (contract: accessory_from).
const (
	ForTicket  = "incident"
	ForMessage = "message"
)

// Sides of an uploader, as in tickets.
const (
	customerSide = 0
	engineerSide = 1
)

// Faults of this package.
var (
	// ErrNone: unknown, foreign, deleted and expired files, and files of notes,
	// alike.
	ErrNone = fault.New(fault.NotFound, fault.CodeInvalid, "附件不存在", "this attachment does not exist").In("accessory_id")
	// ErrClaimed: a file that belongs to a ticket stays with it.
	ErrClaimed = fault.New(fault.Conflict, fault.CodeNoPermission, "附件已属于工单，不能删除", "the attachment belongs to a ticket and cannot be deleted")
	// ErrInfected: the scanner found something.
	ErrInfected = fault.New(fault.Conflict, fault.CodeNoPermission, "附件未通过病毒检查，不能下载", "the attachment did not pass the virus check and cannot be downloaded")
	// ErrUnscanned: the scanner has not looked into it, or could not.
	ErrUnscanned = fault.New(fault.Conflict, fault.CodeNoPermission, "附件尚未完成病毒检查，暂不能下载", "the virus check of the attachment has not ended: it cannot be downloaded yet")

	errMost = fault.TooManyItems
)

// Options of the service.
type Options struct {
	Config config.Attachment
	Log    *slog.Logger
}

// Service is the noun.
type Service struct {
	db       *db.DB
	keys     *seal.Keyring
	blobs    blob.Store
	o        Options
	types    []kind
	scanner  scanner // nil = none
	linkKey  []byte
	decoders chan struct{} // pictures being decoded
	terms    *search.Hasher
	cleaned  int // runs of Clean, which run one at a time
}

// headSize is how much of a file its type is told by.
const headSize = 64 << 10

// New makes the service. It fails on a configuration that means nothing.
func New(d *db.DB, keys *seal.Keyring, blobs blob.Store, o Options) (*Service, error) {
	if err := o.Config.Check(); err != nil {
		return nil, err
	}
	o.Config = o.Config.WithDefaults()
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Service{db: d, keys: keys, blobs: blobs, o: o, linkKey: keys.Derive("attachment links"), decoders: make(chan struct{}, decodersAtOnce), terms: search.NewHasher(keys)}
	var err error
	if s.types, err = kindsOf(o.Config.Types); err != nil {
		return nil, err
	}
	s.scanner = newScanner(o.Config.Scan)
	mimetype.SetLimit(headSize)
	return s, nil
}

// Limits are what a caller may upload.
type Limits struct {
	Count   int // files a ticket is created with
	Message int // files of one message
	SizeMB  int
	Types   []string // extensions
}

// Limits tells the limits in force (semantics.md section 7).
func (s *Service) Limits() Limits {
	return Limits{Count: s.o.Config.PerTicket, Message: s.o.Config.PerMessage, SizeMB: s.o.Config.MaxMB, Types: slices.Clone(s.o.Config.Types)}
}

// File is what is known of a file.
type File struct {
	Domain, ID      string
	Uploader        string // user id
	Engineers       bool   // an engineer uploaded it
	Name            string // as its uploader called it; "attachment.ext" when he was erased
	Media           string // type by its content
	Size            int64  // bytes
	SHA256          string // hex
	Scan            string // off, waiting, clean, infected, failed
	Ticket, Message string // ids, "" until claimed
	Internal        bool   // of a note
	Created         int64  // milliseconds UTC

	ext, sealed, blob, owner string
	hidden                   bool
	drawable                 int
	expires                  int64
}

const columns = `domain_id, id, uploader, side, name, ext, media, size, sha256, blob, scan, drawable, ticket_id, message_id, owner, internal, hidden, created_at, expires_at`

func scan(r db.Row) (f File, err error) {
	var side, internal, hidden int64
	err = r.Scan(&f.Domain, &f.ID, &f.Uploader, &side, &f.sealed, &f.ext, &f.Media, &f.Size, &f.SHA256, &f.blob, &f.Scan, &f.drawable,
		&f.Ticket, &f.Message, &f.owner, &internal, &hidden, &f.Created, &f.expires)
	f.Engineers, f.Internal, f.hidden = side == engineerSide, internal == 1, hidden == 1
	return f, err
}

// marks is "?, ?, ?" for an IN list, and the values.
func marks(ids []string) (string, []any) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	return "?" + strings.Repeat(", ?", len(ids)-1), args
}

// find reads files of a domain by their ids, in the ids' order; those that are
// not there are missing.
func find(tx *db.Tx, domain string, ids []string) ([]File, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	in, args := marks(ids)
	byID := map[string]File{}
	err := tx.List(func(r db.Row) error {
		f, err := scan(r)
		byID[f.ID] = f
		return err
	}, "SELECT "+columns+" FROM attachments WHERE domain_id = ? AND id IN ("+in+")", append([]any{domain}, args...)...)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, id := range ids {
		if f, ok := byID[id]; ok {
			files = append(files, f)
		}
	}
	return files, nil
}

// maxID bounds what is looked up as an id (contract).
const maxID = 64

// sight is by which way a customer looks for files: by a group he names, "" =
// as himself, or by any way he has, where the contract has no place for a group.
type sight struct {
	group string
	any   bool
}

func (v sight) scope(tx *db.Tx, who principal.Principal) (privilege.Scope, error) {
	if v.any {
		return privilege.Reach(tx, who)
	}
	return privilege.ScopeOf(tx, who, v.group)
}

// visible reads files the customer may see: his own until they are claimed,
// then those of tickets he may see. It fails with ErrNone when one is not among
// them.
func visible(tx *db.Tx, who principal.Principal, by sight, ids []string) ([]File, error) {
	scope, err := by.scope(tx, who)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id == "" || len(id) > maxID {
			return nil, ErrNone
		}
	}
	files, err := find(tx, who.Domain, ids)
	if err != nil {
		return nil, err
	}
	if len(files) != len(ids) {
		return nil, ErrNone
	}
	for _, f := range files {
		if !f.seenBy(who, scope, tx.Now) {
			return nil, ErrNone
		}
	}
	return files, nil
}

func (f File) seenBy(who principal.Principal, scope privilege.Scope, now int64) bool {
	if f.Message == "" {
		return !f.Engineers && f.Uploader == who.User && f.expires > now
	}
	return !f.Internal && !f.hidden && scope.Has(f.Domain, f.owner)
}

// mayOpen tells whether the bytes may be given away (threats.md D7).
func (s *Service) mayOpen(f File) error {
	switch {
	case f.Scan == scanInfected:
		return ErrInfected
	case (f.Scan == scanWaiting || f.Scan == scanFailed) && s.scanner != nil && !s.o.Config.Scan.AllowUnscanned:
		return ErrUnscanned
	}
	return nil
}

func namePlace(id string) seal.Place {
	return seal.Place{Table: "attachments", Column: "name", Row: id}
}

// names opens the files' names; an auditor (the context's caller) sees the
// kinds of files only.
func (s *Service) names(ctx context.Context, files []File) error {
	blind := principal.From(ctx).Blind()
	for i := range files {
		f := &files[i]
		if blind {
			f.Name = "attachment." + f.ext
			continue
		}
		p, err := s.keys.Person(ctx, f.Uploader)
		if errors.Is(err, seal.ErrErased) {
			f.Name = "attachment." + f.ext
			continue
		}
		if err != nil {
			return err
		}
		if f.Name, err = p.Open(namePlace(f.ID), f.sealed); err != nil {
			return err
		}
	}
	return nil
}
