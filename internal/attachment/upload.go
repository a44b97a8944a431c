package attachment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"time"

	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/principal"
	"casemate/internal/search"
)

// Faults of uploads.
var (
	// ErrDay: the user's bytes of today are used up (OSM.01010005).
	ErrDay = fault.New(fault.TooMany, "OSM.01010005", "今日上传的附件总大小已超过上限 {max} MB", "Uploaded accessory size exceeded limit today. At most {max} MB.")
	// ErrDomain: what may be kept of the domain is used up.
	ErrDomain = fault.New(fault.Conflict, fault.CodeNoPermission, "账号的附件存储空间（{max} MB）已用完", "the account's space for attachments ({max} MB) is used up")
	errSize   = fault.New(fault.Invalid, fault.CodeInvalid, "文件大小超过上限 {max} MB", "the file is larger than {max} MB")
	errCut    = fault.New(fault.Invalid, fault.CodeInvalid, "文件内容不完整或编码不正确", "the content of the file is cut off or badly encoded")
	errOrigin = fault.Unknown
)

// Fields are the wire's names of an upload's parts, for faults.
type Fields struct{ Name, Origin, Body string }

// Upload is a file to be taken.
type Upload struct {
	Name    string // as its uploader calls it
	Origin  string // ForTicket or ForMessage
	Picture bool   // for showing inside a text
	// Also are extensions taken beside the installation's list: what comes by
	// mail, such as signatures and invitations. The content must agree.
	Also   []string
	Body   io.Reader
	Fields Fields
}

// stored is what the transaction of an upload leaves, kept for a repeat.
type stored struct{ ID, Blob string }

// Upload takes a customer's file and answers its id. The bytes are durable
// before the row exists, and nothing is there of a file that is refused or cut
// off (threats.md E12). Failures: OSM.01010001 naming the field (name, type,
// size, content), .05 (today's bytes), .02 (the domain's space).
func (s *Service) Upload(ctx context.Context, who principal.Principal, u Upload) (string, error) {
	if who.Kind != principal.Customer {
		return "", fault.NoPermission
	}
	return s.upload(ctx, who, who.Domain, "", u)
}

// UploadFor takes an engineer's file for a ticket of a domain; it is seen by
// nobody else until a step sends it. Engineers have no daily limit.
func (s *Service) UploadFor(ctx context.Context, who principal.Principal, domain, ticket string, u Upload) (string, error) {
	if who.Kind != principal.Engineer {
		return "", fault.NoPermission
	}
	return s.upload(ctx, who, domain, ticket, u)
}

func (s *Service) upload(ctx context.Context, who principal.Principal, domain, ticket string, u Upload) (string, error) {
	if u.Origin != ForTicket && u.Origin != ForMessage {
		return "", errOrigin.In(u.Fields.Origin)
	}
	name, err := cleanName(u.Fields.Name, u.Name)
	if err != nil {
		return "", err
	}
	if err := s.room(ctx, who, domain); err != nil {
		return "", err
	}
	head := make([]byte, headSize)
	n, err := io.ReadFull(u.Body, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", refusal(bodyError{err}, u.Fields.Body)
	}
	head = head[:n]
	f := File{Domain: domain, ID: s.db.NewID(), Uploader: who.User, Engineers: who.Kind == principal.Engineer, Name: name, ext: extension(name),
		Ticket: ticket, blob: hex.EncodeToString(s.db.Random(16)), Scan: scanOff}
	if f.Media, err = s.agree(u.Fields.Name, u.Fields.Body, f.ext, u.Also, head); err != nil {
		return "", err
	}
	if s.scanner != nil {
		f.Scan = scanWaiting
	}
	m := &meter{r: io.MultiReader(bytes.NewReader(head), u.Body), left: int64(s.o.Config.MaxMB) * config.MB, sum: sha256.New()}
	if err := s.blobs.Put(ctx, f.blob, m); err != nil {
		if errors.Is(err, errOver) {
			return "", errSize.In(u.Fields.Body).With("max", s.o.Config.MaxMB)
		}
		return "", refusal(err, u.Fields.Body)
	}
	f.Size, f.SHA256 = m.size, hex.EncodeToString(m.sum.Sum(nil))
	id, err := s.insert(ctx, who, f, u)
	if err != nil {
		// Only a refusal says for sure that no row was committed; a blob left by
		// any other error is an orphan at worst.
		if k := fault.KindOf(err); k != fault.Internal && k != fault.Unavailable {
			err = errors.Join(err, s.blobs.Delete(context.WithoutCancel(ctx), f.blob))
		}
		return "", err
	}
	if id.Blob != f.blob { // a repeat of a request that was answered before
		return id.ID, s.blobs.Delete(context.WithoutCancel(ctx), f.blob)
	}
	return id.ID, nil
}

// refusal is an error of reading the body as its sender sees it; errors of the
// store stay what they are.
func refusal(err error, field string) error {
	if _, ok := fault.As(err); ok {
		return err
	}
	if b := (bodyError{}); errors.As(err, &b) {
		return errCut.In(field).Because(err)
	}
	return err
}

// bodyError is an error of the sender's side.
type bodyError struct{ error }

func (b bodyError) Unwrap() error { return b.error }

var errOver = errors.New("attachment: too large")

// meter counts and hashes what is read, up to a limit.
type meter struct {
	r          io.Reader
	left, size int64
	sum        hash.Hash
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.left -= int64(n); m.left < 0 {
		return 0, bodyError{errOver}
	}
	m.size += int64(n)
	m.sum.Write(p[:n])
	if err != nil && err != io.EOF {
		err = bodyError{err}
	}
	return n, err
}

func limit(mb int) int64 {
	if mb < 0 {
		return math.MaxInt64
	}
	return int64(mb) * config.MB
}

var home = time.FixedZone("GMT+8", 8*3600)

// dayOf numbers the days of the product's home clock.
func dayOf(ms int64) int64 {
	t := time.UnixMilli(ms).In(home)
	_, shift := t.Zone()
	return (t.Unix() + int64(shift)) / 86400
}

func (s *Service) errDay(now int64) error {
	y, m, d := time.UnixMilli(now).In(home).Date()
	tomorrow := time.Date(y, m, d+1, 0, 0, 0, 0, home)
	return ErrDay.With("max", s.o.Config.DayMB).After(tomorrow.Sub(time.UnixMilli(now)))
}

// room refuses early what would be refused after the bytes were stored.
func (s *Service) room(ctx context.Context, who principal.Principal, domain string) error {
	if who.Kind != principal.Customer {
		return nil
	}
	return s.db.View(ctx, func(tx *db.Tx) error {
		var today, kept int64
		err := tx.Get(`SELECT coalesce(sum(CASE WHEN user_id = ? AND day = ? THEN bytes ELSE 0 END), 0), coalesce(sum(CASE WHEN user_id = '' AND day = 0 THEN bytes ELSE 0 END), 0)
			FROM attachment_usage WHERE domain_id = ? AND user_id IN (?, '')`, who.User, dayOf(tx.Now), domain, who.User).Scan(&today, &kept)
		switch {
		case err != nil:
			return err
		case today >= limit(s.o.Config.DayMB):
			return s.errDay(tx.Now)
		case kept >= limit(s.o.Config.DomainMB):
			return ErrDomain.With("max", s.o.Config.DomainMB)
		}
		return nil
	})
}

// insert writes the row and takes its bytes from the quotas, exactly also when
// many ask at once (threats.md D5).
func (s *Service) insert(ctx context.Context, who principal.Principal, f File, u Upload) (stored, error) {
	key, err := s.keys.Person(ctx, f.Uploader)
	if err != nil {
		return stored{}, fmt.Errorf("attachment: %w", err)
	}
	if f.sealed, err = key.Seal(namePlace(f.ID), f.Name); err != nil {
		return stored{}, err
	}
	digest := sha256.Sum256([]byte(f.SHA256 + u.Origin + fmt.Sprint(u.Picture) + f.Ticket + "/" + f.Name))
	ctx = db.WithContent(ctx, hex.EncodeToString(digest[:]))
	found := s.doc(f)
	return db.Do(ctx, s.db, func(tx *db.Tx) (stored, error) {
		if !f.Engineers {
			if ok, err := use(tx, f.Domain, who.User, dayOf(tx.Now), f.Size, limit(s.o.Config.DayMB)); err != nil || !ok {
				return stored{}, errors.Join(err, unless(ok, s.errDay(tx.Now)))
			}
		}
		most := limit(s.o.Config.DomainMB)
		if f.Engineers {
			most = math.MaxInt64
		}
		if ok, err := use(tx, f.Domain, "", 0, f.Size, most); err != nil || !ok {
			return stored{}, errors.Join(err, unless(ok, ErrDomain.With("max", s.o.Config.DomainMB)))
		}
		tx.Write(1, "INSERT INTO attachments (domain_id, id, uploader, side, origin, picture, name, ext, media, size, sha256, blob, scan, drawable, ticket_id, message_id, owner, internal, hidden, created_at, expires_at) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, '', '', 0, 0, ?, ?)",
			f.Domain, f.ID, f.Uploader, side(f), u.Origin, number01(u.Picture), f.sealed, f.ext, f.Media, f.Size, f.SHA256, f.blob, f.Scan, f.Ticket,
			tx.Now, tx.Now+s.o.Config.Unclaimed.Milliseconds())
		search.Put(tx, true, found)
		event.Record(tx, who, event.Event{Domain: f.Domain, Kind: "attachment.upload", Subject: "attachment", SubjectID: f.ID, LogCode: event.NoLog,
			Data: map[string]any{"size": f.Size, "media": f.Media, "sha256": f.SHA256}, Name: f.Name})
		if f.Scan == scanWaiting {
			job.Enqueue(tx, job.Job{Kind: scanJob, Domain: f.Domain, Args: scanArgs{f.Domain, f.ID}})
		}
		return stored{ID: f.ID, Blob: f.blob}, nil
	})
}

func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

func side(f File) int {
	if f.Engineers {
		return engineerSide
	}
	return customerSide
}

func number01(b bool) int {
	if b {
		return 1
	}
	return 0
}

// use adds bytes to a count unless it would pass the limit then.
func use(tx *db.Tx, domain, user string, day, bytes, most int64) (bool, error) {
	if bytes > most {
		return false, nil
	}
	var now int64
	err := tx.Get(`INSERT INTO attachment_usage (domain_id, user_id, day, bytes) VALUES (?, ?, ?, ?)
		ON CONFLICT (domain_id, user_id, day) DO UPDATE SET bytes = attachment_usage.bytes + excluded.bytes
		WHERE attachment_usage.bytes + excluded.bytes <= ? RETURNING bytes`, domain, user, day, bytes, most).Scan(&now)
	if errors.Is(err, db.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// Delete removes a file that no ticket has yet; only its uploader may. It fails
// with ErrNone for others' and unknown ones, with ErrClaimed when it is too
// late. Today's bytes are not given back.
func (s *Service) Delete(ctx context.Context, who principal.Principal, id string) error {
	names, err := s.NamesFor(ctx, who, []string{id}) // a file keeps the name it has
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		files, err := visible(tx, who, sight{any: true}, []string{id})
		if err != nil {
			return err
		}
		f := files[0]
		switch {
		case f.Uploader != who.User || f.Engineers:
			return ErrNone
		case f.Message != "":
			return ErrClaimed
		}
		tx.Write(1, "DELETE FROM attachments WHERE domain_id = ? AND id = ? AND message_id = ''", f.Domain, f.ID)
		bury(tx, f)
		search.Remove(tx, f.Domain, f.ID)
		event.Record(tx, who, event.Event{Domain: f.Domain, Kind: "attachment.delete", Subject: "attachment", SubjectID: f.ID, LogCode: event.NoLog, Name: names[f.ID]})
		return nil
	})
}

// bury gives the domain its space back and plans the end of the blob.
func bury(tx *db.Tx, f File) {
	tx.Write(1, "UPDATE attachment_usage SET bytes = bytes - ? WHERE domain_id = ? AND user_id = '' AND day = 0", f.Size, f.Domain)
	tx.Write(db.Any, "INSERT INTO blob_graves (blob, deleted_at) VALUES (?, ?) ON CONFLICT DO NOTHING", f.blob, tx.Now)
}
