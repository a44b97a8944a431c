package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// The line above which an answer to a notice is read, where notices can be
// answered by mail.
const (
	ReplyMarkZH = "请在此行上方回复"
	ReplyMarkEN = "Please write your reply above this line"
)

func replyMark(lang locale.Language) string {
	if lang == locale.EN {
		return "—— " + ReplyMarkEN + " ——"
	}
	return "—— " + ReplyMarkZH + " ——"
}

// ReplyTo is what a signed reply address says.
type ReplyTo struct {
	Number string // of the ticket, upper case
	// Staff: the address was given to a person of the house; it is good only from
	// the one whom By accepts.
	Staff bool
	// Revision of the ticket that the answered notice to a person of the house
	// told of, 0 = the address does not say. Nothing is proved either (By).
	Revision int64

	key []byte
	mac string
}

const macLength = 10 // of 32 values each: 50 bits

// crockford is an alphabet without letters that are read as digits.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

func replyMAC(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(strings.Join(append([]string{"casemate reply 1"}, parts...), "\x00")))
	var out strings.Builder
	for _, b := range h.Sum(nil)[:macLength] {
		out.WriteByte(crockford[b%32])
	}
	return out.String()
}

// By tells whether the address was given to this person of the house.
func (r ReplyTo) By(user string) bool {
	return r.Staff && user != "" && hmac.Equal([]byte(r.mac), []byte(staffMAC(r.key, r.Number, user, r.Revision)))
}

func staffMAC(key []byte, number, user string, revision int64) string {
	if revision == 0 {
		return replyMAC(key, "staff", number, user)
	}
	return replyMAC(key, "staff", number, user, strconv.FormatInt(revision, 10))
}

var ticketNumber = regexp.MustCompile(`^TS[0-9]{6}[0-9A-HJKMNP-TV-Z]{13}$`)

// replyAddress is the address an answer to the message goes to, "" = answers
// are not taken. It names the ticket and holds a code that only we can make, in
// one case, so that it survives address books and mail servers that fold cases.
func (s *Service) replyAddress(m Message) string {
	local, host, ok := strings.Cut(s.o.ReplyTo, "@")
	if !ok || s.replyKey == nil || m.Way != Mail || !ticketNumber.MatchString(m.Ref) {
		return ""
	}
	kind, mac := "c", ""
	switch {
	case strings.HasPrefix(m.Template, "desk.") && m.Person != "":
		kind, mac = "e", staffMAC(s.replyKey, m.Ref, m.Person, m.Revision)
		if m.Revision > 0 {
			mac += strconv.FormatInt(m.Revision, 10)
		}
	case strings.HasPrefix(m.Template, "ticket."):
		mac = replyMAC(s.replyKey, "customer", m.Ref)
	default:
		return ""
	}
	address := local + "+" + strings.ToLower(m.Ref) + "-" + kind + mac + "@" + host
	if len(address)-len(host)-1 > 64 { // RFC 5321 section 4.5.3.1.1
		return ""
	}
	return address
}

var replyForm = regexp.MustCompile(`(?i)^([^@+]+)(?:\+|=2b|%2b)(ts[0-9a-z]{19})-([ce])([0-9a-z]{10})([0-9oil]{0,12})@(.+)$`)

// lookalikes are letters people type for digits.
var lookalikes = strings.NewReplacer("o", "0", "i", "1", "l", "1")

// ReadReply reads a signed reply address, in whatever case it comes back. Not
// ok: it is none of ours. Of one for a person of the house nothing is proved yet
// (ReplyTo.By).
func (s *Service) ReadReply(address string) (ReplyTo, bool) {
	local, host, ok := strings.Cut(s.o.ReplyTo, "@")
	m := replyForm.FindStringSubmatch(strings.TrimSpace(address))
	if !ok || s.replyKey == nil || m == nil || !strings.EqualFold(m[1], local) || !strings.EqualFold(strings.TrimSuffix(m[6], "."), host) {
		return ReplyTo{}, false
	}
	number := "TS" + strings.ToUpper(lookalikes.Replace(strings.ToLower(m[2][2:])))
	r := ReplyTo{Number: number, Staff: strings.EqualFold(m[3], "e"), key: s.replyKey, mac: lookalikes.Replace(strings.ToLower(m[4]))}
	if !ticketNumber.MatchString(number) || m[5] != "" && !r.Staff {
		return ReplyTo{}, false
	}
	if m[5] != "" {
		digits := lookalikes.Replace(strings.ToLower(m[5]))
		r.Revision, _ = strconv.ParseInt(digits, 10, 64) // twelve digits at most
		if strconv.FormatInt(r.Revision, 10) != digits || r.Revision == 0 {
			return ReplyTo{}, false
		}
	}
	return r, r.Staff || hmac.Equal([]byte(r.mac), []byte(replyMAC(s.replyKey, "customer", number)))
}

// Own tells whether an address is one we send from or are answered at.
func (s *Service) Own(address string) bool {
	for _, a := range s.lines.now.Load().own {
		if strings.EqualFold(a, address) {
			return true
		}
	}
	if local, host, ok := strings.Cut(s.o.ReplyTo, "@"); ok {
		if m := replyForm.FindStringSubmatch(address); m != nil && strings.EqualFold(m[1], local) && strings.EqualFold(m[6], host) {
			return true
		}
	}
	return strings.EqualFold(address, s.o.ReplyTo)
}

// OwnID tells whether a Message-ID, without brackets, is of a mail of ours.
func (s *Service) OwnID(id string) bool {
	return slices.ContainsFunc(s.lines.now.Load().bounces, func(b bounceReader) bool {
		m := b.ours.FindString(id)
		return m != "" && len(m) == len(id)
	})
}

// Sent is a message of ours that somebody answers.
type Sent struct {
	Domain, Ref, Template, Person string

	hash string
}

// To tells whether the mail went to this address.
func (s *Service) To(m Sent, address string) bool { return m.hash == s.hash(Mail, address) }

// ByMessageID finds a mail of ours by its Message-ID, without brackets; not ok
// when it is none or the ledger has forgotten it. Only Casemate itself asks.
func (s *Service) ByMessageID(ctx context.Context, who principal.Principal, id string) (m Sent, ok bool, err error) {
	if who.Kind != principal.System {
		return m, false, fault.NoPermission
	}
	if !s.OwnID(id) {
		return m, false, nil
	}
	id, _, _ = strings.Cut(strings.ToLower(id), "@")
	err = s.db.View(ctx, func(tx *db.Tx) error {
		return tx.Get("SELECT domain_id, ref, template, person, recipient_hash FROM notify_messages /* all domains: an answer knows the message only */ WHERE id = ? AND channel = 'mail'", id).
			Scan(&m.Domain, &m.Ref, &m.Template, &m.Person, &m.hash)
	})
	if errors.Is(err, db.ErrNone) {
		return m, false, nil
	}
	return m, err == nil, err
}
