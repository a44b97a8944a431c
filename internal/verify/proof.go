package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// sealedProof is a proof ready to be recorded.
type sealedProof struct {
	id, contact string // contact: sealed
	r           resolved
}

func proofPlace(id string) seal.Place {
	return seal.Place{Table: "verify_proofs", Column: "contact", Row: id}
}

func (s *Service) sealProof(ctx context.Context, who principal.Principal, r resolved) (sealedProof, error) {
	p := sealedProof{id: s.db.NewID(), r: r}
	key, err := s.keys.Person(ctx, who.User)
	if err != nil {
		return p, fmt.Errorf("proof: %w", err)
	}
	p.contact, err = key.Seal(proofPlace(p.id), r.normal)
	return p, err
}

// recordProof makes the contact proved for the configured days (semantics.md
// D5). A contact proved before keeps its id and gets the new date.
func (s *Service) recordProof(tx *db.Tx, who principal.Principal, p sealedProof) error {
	var id string
	err := tx.Get(`INSERT INTO verify_proofs (domain_id, id, user_id, way, area_code, contact, contact_hash, proved_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (domain_id, user_id, way, contact_hash) DO UPDATE SET proved_at = excluded.proved_at, expires_at = excluded.expires_at RETURNING id`,
		who.Domain, p.id, who.User, int(p.r.way), p.r.area, p.contact, p.r.hash, tx.Now, tx.Now+int64(s.o.Config.ProofDays)*day.Milliseconds()).Scan(&id)
	if err != nil {
		return err
	}
	event.Record(tx, who, event.Event{Domain: who.Domain, Kind: "contact.prove", Subject: "proof", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"channel": string(p.r.channel())}})
	return nil
}

// Need is the answer to whether a contact must be proved.
type Need struct {
	Needed bool
	Until  int64 // end of the proof that spares it, milliseconds UTC; 0 = none, or a registered contact
}

// Needed tells whether the caller must prove the contact before a ticket may
// use it: not when it is a registered one of his account, nor while an earlier
// proof of his holds (semantics.md section 5, D5).
func (s *Service) Needed(ctx context.Context, who principal.Principal, c Contact) (Need, error) {
	r, err := s.resolve(c)
	if err != nil {
		return Need{}, err
	}
	n := Need{Needed: true}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		own, err := identity.OwnContact(tx, who.Domain, who.User, r.hash)
		if err != nil {
			return err
		}
		if own {
			n = Need{}
			return nil
		}
		_, until, err := findProof(tx, who, r)
		if err == nil && until > 0 {
			n = Need{Until: until}
		}
		return err
	})
	return n, err
}

// findProof is the caller's proof of the contact that holds now, or "".
func findProof(tx *db.Tx, who principal.Principal, r resolved) (id string, until int64, err error) {
	err = tx.Get("SELECT id, expires_at FROM verify_proofs WHERE domain_id = ? AND user_id = ? AND way = ? AND contact_hash = ? AND expires_at > ?",
		who.Domain, who.User, int(r.way), r.hash, tx.Now).Scan(&id, &until)
	if errors.Is(err, db.ErrNone) {
		return "", 0, nil
	}
	return id, until, err
}

// Proof is a proved contact.
type Proof struct {
	ID      string
	Way     identity.Way
	Area    string // calling code, e.g. 86; "" for mail
	Value   string // national number or address; masked for anybody but its owner
	Proved  int64  // milliseconds UTC
	Expires int64
}

// ProofFilter narrows Proofs. Empty fields do not.
type ProofFilter struct {
	Way           *identity.Way
	Customer      string // domain of the wire: only the caller's own
	User          string // owner; a main account may name its sub-users
	ID            string
	Area, Value   string // contact in any spelling
	ExpiresFrom   int64  // only proofs that hold at this time, milliseconds UTC; 0 = now
	Offset, Limit int    // limit 1..100, 0 = 10
}

// Proofs lists proved contacts of one user, newest first, and how many there
// are. Owners see the values, the main account of the domain sees masked ones
// (semantics.md D25). It fails with NoPermission for other users and domains,
// alike whether they exist.
func (s *Service) Proofs(ctx context.Context, who principal.Principal, f ProofFilter) ([]Proof, int, error) {
	owner := who.User
	if f.User != "" {
		owner = f.User
	}
	if f.Customer != "" && f.Customer != who.Domain || owner != who.User && !who.Main {
		return nil, 0, fault.NoPermission
	}
	where, args, err := s.proofWhere(who.Domain, owner, f)
	if err != nil {
		return nil, 0, err
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 10 // semantics.md D21b
	}
	limit = min(limit, 100)
	var page []Proof
	total := 0
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page = nil
		args := args(tx.Now)
		if err := tx.Get("SELECT count(*) FROM verify_proofs WHERE domain_id = ?"+where, args...).Scan(&total); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var p Proof
			var way int
			err := r.Scan(&p.ID, &way, &p.Area, &p.Value, &p.Proved, &p.Expires)
			p.Way = identity.Way(way)
			page = append(page, p)
			return err
		}, "SELECT id, way, area_code, contact, proved_at, expires_at FROM verify_proofs WHERE domain_id = ?"+where+" ORDER BY proved_at DESC, id DESC LIMIT ? OFFSET ?",
			append(args, limit, f.Offset)...)
	})
	if err != nil {
		return nil, 0, err
	}
	return page, total, s.openProofs(ctx, owner, owner == who.User, page)
}

// proofWhere is the filter as SQL behind "domain_id = ?", and its arguments at
// a time.
func (s *Service) proofWhere(domain, owner string, f ProofFilter) (string, func(now int64) []any, error) {
	where := " AND user_id = ? AND expires_at > ?"
	var more []any
	and := func(cond string, v any) {
		where += cond
		more = append(more, v)
	}
	if f.Way != nil {
		if *f.Way != identity.SMS && *f.Way != identity.Mail {
			return "", nil, identity.ErrWay
		}
		and(" AND way = ?", int(*f.Way))
	}
	if f.ID != "" {
		and(" AND id = ?", f.ID)
	}
	switch {
	case f.Value != "":
		way := identity.SMS
		if f.Way != nil {
			way = *f.Way
		} else if strings.Contains(f.Value, "@") {
			way = identity.Mail
		}
		r, err := s.resolve(Contact{Way: way, Area: f.Area, Value: f.Value})
		if err != nil {
			return "", nil, err
		}
		and(" AND contact_hash = ?", r.hash)
	case f.Area != "":
		and(" AND area_code = ?", strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(f.Area), "+"), "00"))
	}
	return where, func(now int64) []any {
		from := now
		if f.ExpiresFrom > 0 {
			from = f.ExpiresFrom - 1 // a proof that ends at that very second still counts
		}
		return append([]any{domain, owner, from}, more...)
	}, nil
}

// openProofs replaces the sealed contacts by what the reader may see.
func (s *Service) openProofs(ctx context.Context, owner string, own bool, page []Proof) error {
	if len(page) == 0 {
		return nil
	}
	key, err := s.keys.Person(ctx, owner)
	if err != nil && !errors.Is(err, seal.ErrErased) {
		return err
	}
	for i := range page {
		p := &page[i]
		if key == nil {
			p.Value = "" // the person was erased
			continue
		}
		normal, err := key.Open(proofPlace(p.ID), p.Value)
		if err != nil {
			return fmt.Errorf("proof %s: %w", p.ID, err)
		}
		p.Value = normal
		if _, national, ok := notify.SplitNumber(normal); ok && p.Way == identity.SMS {
			p.Value = national
		}
		switch {
		case own:
		case p.Way == identity.SMS:
			p.Value = notify.MaskNumber(p.Value)
		default:
			p.Value = notify.Mask(p.Value)
		}
	}
	return nil
}
