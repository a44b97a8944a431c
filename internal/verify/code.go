package verify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// newCode is six decimal digits without bias: a 24-bit number is taken only
// below the largest multiple of a million, so every code is equally likely.
func newCode(random func(n int) []byte) string {
	const million, most = 1_000_000, 16_000_000
	for {
		b := random(3)
		if n := uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]); n < most {
			return fmt.Sprintf("%0*d", digits, n%million)
		}
	}
}

// hashCode is what is stored of a code. It is bound to all that the code is
// for, each part with its length (threats.md A5, A6).
func (s *Service) hashCode(who principal.Principal, purpose string, r resolved, id, code string) string {
	h := hmac.New(sha256.New, s.codeKey)
	for _, part := range []string{purpose, who.Domain, who.User, strconv.Itoa(int(r.way)), r.hash, id, code} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write([]byte(part))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Send sends a code to the contact, in the given language, and makes an older
// one for the same caller and contact worthless. The code is queued, not sent,
// when this returns: the answer is the same whether or not the contact is
// known, proved, blocked or real (threats.md A12). It fails with ErrTooOften or
// ErrPaused (RetryAfter says when), ErrNoSMS, notify.ErrNoChannel, or for a
// contact that is none.
func (s *Service) Send(ctx context.Context, who principal.Principal, c Contact, language locale.Language) error {
	return s.send(ctx, who, purposeContact, c, language)
}

func (s *Service) send(ctx context.Context, who principal.Principal, purpose string, c Contact, language locale.Language) error {
	r, err := s.resolve(c)
	if err != nil {
		return err
	}
	if r.channel() == notify.SMS {
		if err := s.maySMS(r); err != nil {
			s.blocked(ctx, who, r, ReasonNumber)
			return err
		}
	}
	id, code := s.db.NewID(), newCode(s.db.Random)
	m, err := s.out.Prepare(ctx, notify.Message{Domain: who.Domain, Person: who.User, Way: r.channel(), To: r.normal, Template: notify.TemplateCode, Language: language,
		Values: map[string]string{"minutes": strconv.Itoa(int(lifetime.Minutes()))}, Code: code, Ref: id, Lives: lifetime, Urgent: true, Sandbox: who.Sandbox})
	if err != nil {
		return err
	}
	hash := s.hashCode(who, purpose, r, id, code)
	paid := r.channel() == notify.SMS && !m.Caught()
	out, err := db.Do(ctx, s.db, func(tx *db.Tx) (Outcome, error) {
		country := ""
		var pass verdict
		if paid {
			country = r.area
			var refusal *fault.Error
			var err error
			if pass, refusal, err = s.gate(tx, who, r); err != nil || refusal != nil {
				return Outcome{Refusal: refusal}, err
			}
		}
		if err := s.admit(tx, who, r); err != nil {
			return Outcome{}, err
		}
		if err := s.replace(tx, who, purpose, r); err != nil {
			return Outcome{}, err
		}
		tx.Write(1, `INSERT INTO verify_codes (domain_id, id, user_id, purpose, way, contact_hash, code_hash, state, tries, created_at, expires_at, ended_at, country)
			VALUES (?, ?, ?, ?, ?, ?, ?, 'live', 0, ?, ?, 0, ?)`,
			who.Domain, id, who.User, purpose, int(r.way), r.hash, hash, tx.Now, tx.Now+lifetime.Milliseconds(), country)
		s.out.Queue(tx, m)
		s.record(tx, who, "code.send", id, r)
		if paid {
			s.passed(tx, who, r, pass)
		}
		return Outcome{}, nil
	})
	if err == nil && out.OK() && !who.Sandbox { // a sandbox's clock is moved on purpose
		s.born.Store(id, s.elapsed())
	}
	if paid && errors.Is(err, ErrTooOften) {
		s.blocked(ctx, who, r, ReasonCap)
	}
	if err != nil {
		return err
	}
	return out.err()
}

// replace ends the live code of this caller and contact, and stops its message
// if that is still on its way (threats.md A7).
func (s *Service) replace(tx *db.Tx, who principal.Principal, purpose string, r resolved) error {
	var old string
	err := tx.Get(`UPDATE verify_codes SET state = 'replaced', code_hash = '', ended_at = ?
		WHERE domain_id = ? AND user_id = ? AND purpose = ? AND way = ? AND contact_hash = ? AND state = 'live' RETURNING id`,
		tx.Now, who.Domain, who.User, purpose, int(r.way), r.hash).Scan(&old)
	if errors.Is(err, db.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	s.out.Drop(tx, who.Domain, old, "replaced")
	return nil
}

// try holds a code against the live one of this caller and contact. The try is
// counted first, by an update that takes the row: of many at once each sees the
// others. A right code is used up by one conditional update; a transaction that
// does not commit has not happened (threats.md A3, A4). Beyond the day's guesses
// nothing is compared any more (A13).
func (s *Service) try(tx *db.Tx, who principal.Principal, purpose string, r resolved, code string) (right bool, err error) {
	// Without a live code there is nothing to guess: no lock, no write.
	var live int
	err = tx.Get("SELECT count(*) FROM verify_codes WHERE domain_id = ? AND user_id = ? AND purpose = ? AND way = ? AND contact_hash = ? AND state = 'live'",
		who.Domain, who.User, purpose, int(r.way), r.hash).Scan(&live)
	if err != nil || live == 0 {
		return false, err
	}
	spent, err := s.guessesSpent(tx, who, r.hash)
	if err != nil || spent {
		return false, err
	}
	var id, stored, country string
	var tries int
	var created int64
	err = tx.Get(`UPDATE verify_codes SET tries = tries + 1
		WHERE domain_id = ? AND user_id = ? AND purpose = ? AND way = ? AND contact_hash = ? AND state = 'live' AND tries < ? AND expires_at > ? AND created_at <= ?
		RETURNING id, code_hash, tries, country, created_at`,
		who.Domain, who.User, purpose, int(r.way), r.hash, maxTries, tx.Now, tx.Now+skew.Milliseconds()).Scan(&id, &stored, &tries, &country, &created)
	if errors.Is(err, db.ErrNone) || err == nil && s.aged(id) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if hmac.Equal([]byte(s.hashCode(who, purpose, r, id, code)), []byte(stored)) {
		tx.Write(1, "UPDATE verify_codes SET state = 'used', code_hash = '', ended_at = ? WHERE domain_id = ? AND id = ? AND state = 'live' AND code_hash <> ''", tx.Now, who.Domain, id)
		s.out.Drop(tx, who.Domain, id, "used")
		if country != "" {
			tally(tx, subjectsOf(who.Domain, country), created, amounts{entered: 1})
		}
		return true, nil
	}
	s.countGuess(tx, who, r.hash)
	s.record(tx, who, "code.wrong", id, r)
	if tries >= maxTries {
		tx.Write(1, "UPDATE verify_codes SET state = 'dead', code_hash = '', ended_at = ? WHERE domain_id = ? AND id = ? AND state = 'live'", tx.Now, who.Domain, id)
		s.out.Drop(tx, who.Domain, id, "tries")
	}
	return false, nil
}

// record writes the history: who, when and how, never to whom or what.
func (s *Service) record(tx *db.Tx, who principal.Principal, kind, id string, r resolved) {
	event.Record(tx, who, event.Event{Domain: who.Domain, Kind: kind, Subject: "code", SubjectID: id, LogCode: event.NoLog, Data: map[string]any{"channel": string(r.channel())}})
}
