package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// StopPath is where links of List-Unsubscribe lead; it stands outside the
// contracts and asks for no credentials: the link is signed.
const StopPath = "/notify/v1/unsubscribe"

// ErrStopLink: the link was changed or is none of ours.
var ErrStopLink = fault.New(fault.NotFound, fault.CodeInvalid, "退订链接无效", "this link is not valid")

// Stop says what a recipient ends who wants no more of a mail: a person of the
// house one kind of notice (KindDigest: all of them), others the mails about
// the message's ticket.
type Stop struct {
	Kind   string // of Message.Person's notices
	Ticket bool   // Message.Ref's mails to this address
	// Surveys ends all requests of the domain to this address to rate a ticket.
	Surveys bool
}

// stopped is a link's content: one kind of one person, or one ticket and the
// keyed hash of an address.
type stopped struct {
	User   string `json:"u,omitempty"`
	Kind   string `json:"k,omitempty"`
	Domain string `json:"d,omitempty"`
	Ref    string `json:"r,omitempty"`
	Hash   string `json:"h,omitempty"`
}

// surveys stands in the place of a ticket's number.
const surveys = "surveys"

// signStop is a link's signature. Links do not expire: a mail may be read late.
func (s *Service) signStop(body string) string {
	m := hmac.New(sha256.New, s.keys.Derive("notify-unsubscribe"))
	m.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// stopLink is the link for a message, "" where none is offered.
func (s *Service) stopLink(m Message, hash string) string {
	var c stopped
	switch {
	case s.o.Config.URL == "" || !ofTicket(m.Template):
		return ""
	case m.Stop.Kind != "":
		c = stopped{User: m.Person, Kind: m.Stop.Kind}
	case m.Stop.Surveys:
		c = stopped{Domain: m.Domain, Ref: surveys, Hash: hash}
	case m.Stop.Ticket && m.Ref != "":
		c = stopped{Domain: m.Domain, Ref: m.Ref, Hash: hash}
	default:
		return ""
	}
	text, err := json.Marshal(c)
	if err != nil {
		return "" // strings only: not reached
	}
	body := base64.RawURLEncoding.EncodeToString(text)
	return s.Link(StopPath + "?" + url.Values{"token": {body + "." + s.signStop(body)}}.Encode())
}

// Link is a path of this installation as others reach it, "" where the
// configuration does not say how (notify.url).
func (s *Service) Link(path string) string {
	if s.o.Config.URL == "" {
		return ""
	}
	return strings.TrimRight(s.o.Config.URL, "/") + path
}

func (s *Service) readStop(token string) (c stopped, err error) {
	body, signature, ok := strings.Cut(token, ".")
	if !ok || len(token) > 2000 || !hmac.Equal([]byte(signature), []byte(s.signStop(body))) {
		return c, ErrStopLink
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil || json.Unmarshal(text, &c) != nil {
		return c, ErrStopLink
	}
	return c, nil
}

// StopSubject is what a link would end, for people: the kind of notice, or the
// ticket's number.
func (s *Service) StopSubject(token string) (string, error) {
	c, err := s.readStop(token)
	if c.Ref != "" {
		return c.Ref, err
	}
	return c.Kind, err
}

// Unsubscribe ends what the link is for; a second time it changes nothing. It
// needs no caller: who has the link may do it. ErrStopLink for a wrong one.
func (s *Service) Unsubscribe(ctx context.Context, who principal.Principal, token string) error {
	c, err := s.readStop(token)
	if err != nil {
		return err
	}
	if c.User != "" {
		who := principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: c.User, Address: who.Address, RequestID: who.RequestID}
		return s.switchOff(ctx, who, c.Kind)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.Get("SELECT count(*) FROM notify_optouts WHERE domain_id = ? AND ref = ? AND recipient_hash = ?", c.Domain, c.Ref, c.Hash).Scan(&n); err != nil || n > 0 {
			return err
		}
		tx.Write(db.Any, "INSERT INTO notify_optouts (domain_id, ref, recipient_hash, since) VALUES (?, ?, ?, ?) ON CONFLICT (domain_id, ref, recipient_hash) DO NOTHING",
			c.Domain, c.Ref, c.Hash, tx.Now)
		event.Record(tx, who, event.Event{Domain: c.Domain, Kind: "notify.unsubscribe", Subject: "notices", SubjectID: c.Ref, LogCode: event.NoLog})
		return nil
	})
}

// StopName is StopSubject in words.
func StopName(subject string, lang locale.Language) string {
	if subject == KindDigest {
		return locale.Texts{ZH: "每日汇总及全部通知", EN: "daily mails and all notices"}.In(lang)
	}
	if k, ok := kinds[subject]; ok {
		return k.name.In(lang)
	}
	if subject == surveys {
		return locale.Texts{ZH: "服务评价邀请", EN: "requests to rate our service"}.In(lang)
	}
	return subject
}
