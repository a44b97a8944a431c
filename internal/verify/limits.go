package verify

import (
	"errors"
	"net/netip"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

const addressSubject = "send.address:"

// limit is the most entries of a subject in a sliding hour and day; negative =
// no limit.
type limit struct {
	subject      string
	perHour, day int
}

// sandboxed are the marks of a sandbox's contacts in the tables over all tenants.
const sandboxed = "sandbox:"

// counted is under which name a contact's sends and wrong tries are counted:
// over all tenants. A sandbox has a name of its own: nothing of it leaves, so
// it neither uses up a contact's limits nor, its clock being ahead, stops codes
// to it for days; and its limits end when its clock is moved.
func counted(who principal.Principal, contact string) string {
	if who.Sandbox {
		return sandboxed + who.Domain + ":" + contact
	}
	return contact
}

// Forget removes what is counted of a sandbox.
func Forget(tx *db.Tx, domain string) error {
	tx.Write(db.Any, "DELETE FROM verify_contacts WHERE contact_hash LIKE ?", sandboxed+domain+":%")
	for _, subject := range []string{"send.contact:" + sandboxed + domain + ":%", "guess.contact:" + sandboxed + domain + ":%",
		"send.user:" + domain + "/%", "guess.user:" + domain + "/%", "send.domain:" + domain} {
		tx.Write(db.Any, "DELETE FROM verify_counts WHERE subject LIKE ?", subject)
	}
	return nil
}

// address is the subject of a client's address: an IPv6 user has a whole /64.
// Of a sandbox none is counted.
func (s *Service) address(who principal.Principal) string {
	if !s.o.AddressKnown || who.Sandbox {
		return ""
	}
	a, err := netip.ParseAddr(who.Address)
	if err != nil {
		return ""
	}
	a = a.Unmap().WithZone("")
	text := a.String()
	if a.Is6() {
		text = netip.PrefixFrom(a, 64).Masked().String()
	}
	return addressSubject + s.keys.Lookup("client address", text)
}

// admit counts a send and refuses it when the contact was sent a code within
// the last minute, over all tenants (threats.md A8), or a cap is reached (A9).
// The contact's row is taken by one conditional statement, then user, domain
// and address by locks, always in this order: the limits are exact on any number
// of nodes. A refused send counts nowhere: its transaction is rolled back.
func (s *Service) admit(tx *db.Tx, who principal.Principal, r resolved) error {
	caps, contact := s.o.Config.Caps, counted(who, r.hash)
	user := who.Domain + "/" + who.User
	limits := []limit{
		{"send.contact:" + contact, caps.ContactHour, caps.ContactDay},
		{"send.user:" + user, caps.UserHour, caps.UserDay},
		{"send.domain:" + who.Domain, caps.DomainHour, caps.DomainDay},
	}
	var sent int64
	err := tx.Get(`INSERT INTO verify_contacts (contact_hash, sent_at) VALUES (?, ?)
		ON CONFLICT (contact_hash) DO UPDATE SET sent_at = excluded.sent_at WHERE verify_contacts.sent_at <= ? RETURNING sent_at`,
		contact, tx.Now, tx.Now-interval.Milliseconds()).Scan(&sent)
	if errors.Is(err, db.ErrNone) {
		if err := tx.Get("SELECT sent_at FROM verify_contacts WHERE contact_hash = ?", contact).Scan(&sent); err != nil {
			return err
		}
		return ErrTooOften.After(interval - millis(tx.Now-sent))
	}
	if err != nil {
		return err
	}
	lockUser(tx, who)
	tx.Lock(who.Domain, "verify send")
	address := s.address(who)
	if address != "" {
		// One of 64 locks by the hash's first character: a lock for each address
		// there ever was would fill the table.
		tx.Lock("", "verify address "+strings.TrimPrefix(address, addressSubject)[:1])
		limits = append(limits, limit{address, caps.AddressHour, -1})
	}
	if r.channel() == notify.SMS && !who.Sandbox {
		limits = append(limits, s.byNumber(tx, r)...)
	}
	return s.within(tx, limits)
}

// byNumber are the limits of numbers that look alike and of the country, over all
// tenants, behind their lock: the country's serves its prefixes too.
func (s *Service) byNumber(tx *db.Tx, r resolved) []limit {
	prefix := s.keys.Lookup("number prefix", r.area+"/"+r.national[:max(len(r.national)-4, 0)])
	tx.Lock("", "verify country "+r.area)
	return []limit{{"send.prefix:" + prefix, s.o.Config.Caps.PrefixHour, -1}, {"send.country:" + r.area, s.o.Config.Caps.CountryHour, -1}}
}

// within counts an entry of each subject, and refuses it when one of them has as
// many as it may. Whoever calls it has taken locks that make the limits exact.
func (s *Service) within(tx *db.Tx, limits []limit) error {
	asked := []any{tx.Now - hour.Milliseconds(), tx.Now - day.Milliseconds()}
	for _, l := range limits {
		asked = append(asked, l.subject)
	}
	hourly, daily := map[string]int{}, map[string]int{}
	err := tx.List(func(r db.Row) error {
		var subject string
		var h, d int
		err := r.Scan(&subject, &h, &d)
		hourly[subject], daily[subject] = h, d
		return err
	}, "SELECT subject, count(*) FILTER (WHERE at > ?), count(*) FROM verify_counts WHERE at > ? AND subject IN (?"+strings.Repeat(", ?", len(limits)-1)+") GROUP BY subject", asked...)
	if err != nil {
		return err
	}
	for _, l := range limits {
		if l.perHour >= 0 && hourly[l.subject] >= l.perHour {
			return s.tooMany(tx, l.subject, hour, l.perHour)
		}
		if l.day >= 0 && daily[l.subject] >= l.day {
			return s.tooMany(tx, l.subject, day, l.day)
		}
	}
	for _, l := range limits {
		if l.perHour >= 0 || l.day >= 0 {
			count(tx, l.subject)
		}
	}
	return nil
}

// tooMany tells when the oldest of the entries that fill the window leaves it.
func (s *Service) tooMany(tx *db.Tx, subject string, window time.Duration, most int) error {
	var at int64
	err := tx.Get("SELECT at FROM verify_counts WHERE subject = ? AND at > ? ORDER BY at DESC LIMIT 1 OFFSET ?", subject, tx.Now-window.Milliseconds(), max(most-1, 0)).Scan(&at)
	if errors.Is(err, db.ErrNone) {
		at, err = tx.Now, nil // a cap of none at all
	}
	if err != nil {
		return err
	}
	return ErrTooOften.After(window - millis(tx.Now-at))
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

func count(tx *db.Tx, subject string) {
	tx.Write(1, "INSERT INTO verify_counts (subject, id, at) VALUES (?, ?, ?)", subject, tx.NewID(), tx.Now)
}

func lockUser(tx *db.Tx, who principal.Principal) { tx.Lock(who.Domain, "verify user "+who.User) }

func guessSubjects(who principal.Principal, contact string) (contactSubject, userSubject string) {
	return "guess.contact:" + contact, "guess.user:" + who.Domain + "/" + who.User
}

// guessesSpent tells whether the contact's or the caller's wrong tries of the
// last 24 hours are used up (threats.md A13).
func (s *Service) guessesSpent(tx *db.Tx, who principal.Principal, contact string) (bool, error) {
	contact = counted(who, contact)
	byContact, byUser := guessSubjects(who, contact)
	// A contact with a live code has a row: writing it makes other guessers wait.
	tx.Write(db.Any, "UPDATE verify_contacts SET sent_at = sent_at WHERE contact_hash = ?", contact)
	lockUser(tx, who)
	spent := false
	err := tx.List(func(r db.Row) error {
		var subject string
		var n int
		err := r.Scan(&subject, &n)
		spent = spent || subject == byContact && n >= s.o.Config.Guesses.ContactDay || subject == byUser && n >= s.o.Config.Guesses.UserDay
		return err
	}, "SELECT subject, count(*) FROM verify_counts WHERE subject IN (?, ?) AND at > ? GROUP BY subject", byContact, byUser, tx.Now-day.Milliseconds())
	return spent, err
}

func (s *Service) countGuess(tx *db.Tx, who principal.Principal, contact string) {
	byContact, byUser := guessSubjects(who, counted(who, contact))
	count(tx, byContact)
	count(tx, byUser)
}
