package ticket

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// A cursor of a poll says up to which revision each ticket was read. A few
// tickets fit into the 64 characters the contract has for it; the positions of
// more are stored, and the cursor is their name. What is in a cursor is nobody's
// secret and opens nothing: the tickets are checked at each poll.
const (
	maxCursor     = 64
	cursorKept    = 30 * 24 * time.Hour // stored ones, since their last use but for half of it
	cursorTickets = 200                 // positions that are kept, polled ones first

	inline = "i" // positions follow
	stored = "s" // the name of stored positions follows
)

var errCursor = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 无效或已过期，请不带该参数重新查询", "{field} is not known or too old: poll again without it").In("last_message_time_id")

// positions are revisions by the tag of the ticket.
type positions map[uint64]int64

// tag is 40 bits of a hash of the ticket's id. Two tickets of one cursor share
// a tag with a chance below 1 in 10 million even at 200 tickets.
func tag(id string) uint64 {
	h := sha256.Sum256([]byte(id))
	return uint64(binary.BigEndian.Uint32(h[:]))<<8 | uint64(h[4])
}

const tagBytes = 5

func (p positions) encode() string {
	b := make([]byte, 0, maxCursor)
	for _, k := range slices.Sorted(maps.Keys(p)) {
		b = append(b, byte(k>>32), byte(k>>24), byte(k>>16), byte(k>>8), byte(k))
		b = binary.AppendUvarint(b, uint64(max(p[k], 0)))
	}
	return inline + base64.RawURLEncoding.EncodeToString(b)
}

func decodePositions(text string) (positions, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errCursor
	}
	p := positions{}
	for len(b) > 0 {
		if len(b) <= tagBytes {
			return nil, errCursor
		}
		k := uint64(b[0])<<32 | uint64(b[1])<<24 | uint64(b[2])<<16 | uint64(b[3])<<8 | uint64(b[4])
		v, n := binary.Uvarint(b[tagBytes:])
		if n <= 0 || v > 1<<62 {
			return nil, errCursor
		}
		p[k], b = int64(v), b[tagBytes+n:]
	}
	return p, nil
}

// readCursor answers the positions of a cursor, and whether they should be
// stored anew because their time is half over.
func (s *Service) readCursor(tx *db.Tx, who principal.Principal, cursor string) (p positions, renew bool, err error) {
	switch {
	case cursor == "":
		return positions{}, false, nil
	case utf8.RuneCountInString(cursor) > maxCursor:
		return nil, false, fault.TooLong.In("last_message_time_id").With("max", maxCursor)
	case cursor[:1] == inline:
		p, err = decodePositions(cursor[1:])
		return p, false, err
	case cursor[:1] != stored:
		return nil, false, errCursor
	}
	var text string
	var until int64
	err = tx.Get("SELECT positions, kept_until FROM poll_cursors WHERE domain_id = ? AND user_id = ? AND id = ?", who.Domain, who.User, cursor[1:]).Scan(&text, &until)
	if errors.Is(err, db.ErrNone) || err == nil && until <= tx.Now {
		return nil, false, errCursor
	}
	if err != nil {
		return nil, false, err
	}
	return p, until-tx.Now < ms(cursorKept)/2, json.Unmarshal([]byte(text), &p)
}

// writeCursor is the cursor for positions of which some have moved. Storing
// happens only when something moved, and the same positions are one row, so
// that polling for nothing writes nothing.
func (s *Service) writeCursor(ctx context.Context, who principal.Principal, at, moved positions) (string, error) {
	p := maps.Clone(moved)
	for _, k := range slices.Sorted(maps.Keys(at)) {
		if _, ok := p[k]; !ok && len(p) < cursorTickets {
			p[k] = at[k]
		}
	}
	if c := p.encode(); len(c) <= maxCursor {
		return c, nil
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(text)
	id := base64.RawURLEncoding.EncodeToString(h[:20])
	return stored + id, s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(1, `INSERT INTO poll_cursors (domain_id, user_id, id, positions, kept_until) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (domain_id, user_id, id) DO UPDATE SET kept_until = excluded.kept_until`, who.Domain, who.User, id, string(text), tx.Now+ms(cursorKept))
		return nil
	})
}

const purgeBatch = 1000

// PurgeCursors removes stored positions that are past their time.
func (s *Service) PurgeCursors(ctx context.Context) error {
	for n := purgeBatch; n == purgeBatch; {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			n = 0
			return tx.List(func(r db.Row) error {
				var id string
				n++
				return r.Scan(&id)
			}, `DELETE FROM poll_cursors /* all domains: housekeeping */ WHERE (domain_id, user_id, id) IN
				(SELECT c.domain_id, c.user_id, c.id FROM poll_cursors AS c WHERE c.kept_until <= ? ORDER BY c.kept_until LIMIT ?) RETURNING id`, tx.Now, purgeBatch)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
