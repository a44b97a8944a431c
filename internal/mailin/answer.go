package mailin

import (
	"context"
	"errors"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// answer is the one mail back to a sender whose mail made nothing.
type answer struct {
	ready notify.Prepared
	hash  string
	known bool // a person of the house, who was given the address he wrote to
}

// prepareAnswer renders it, in the person's language; it says why, and nothing
// of what any mail or ticket holds. nil: nobody can be answered.
func (s *Service) prepareAnswer(ctx context.Context, m row, h head, v verdict) (*answer, error) {
	lang := s.languageOf(m, v)
	words := causes[v.cause]
	if v.zh != "" || v.en != "" {
		words = locale.Texts{ZH: v.zh, EN: v.en}
	}
	msg := notify.Message{Domain: principal.House, Way: notify.Mail, To: h.From, Template: notify.TemplateRefused, Language: lang,
		Values: map[string]string{"cause": strings.NewReplacer("{", "(", "}", ")").Replace(words.In(lang))}, Ref: "mail " + m.mailbox, Lives: 24 * time.Hour}
	if v.as != nil {
		msg.Domain, msg.Person = v.as.Who.Domain, v.as.Who.User
	}
	ready, err := s.n.Notify.Prepare(ctx, msg)
	if errors.Is(err, notify.ErrNoChannel) {
		return nil, nil
	}
	return &answer{ready, s.senderHash(h.From), v.cause == CauseAnswered}, err
}

// queueAnswer queues it unless the address had one lately, or too many went out
// in this hour: our refusals must not become a nuisance to people in whose name
// others write.
func (s *Service) queueAnswer(tx *db.Tx, a *answer) error {
	if a.known {
		s.n.Notify.Queue(tx, a.ready)
		return nil
	}
	tx.Lock(principal.House, "mailin.answers")
	var lately, hour int
	err := tx.Get("SELECT (SELECT count(*) FROM mail_answers AS a WHERE a.address_hash = ? AND a.sent_at > ?), (SELECT count(*) FROM mail_answers AS b WHERE b.sent_at > ?)",
		a.hash, tx.Now-s.o.Config.RefuseEvery.Milliseconds(), tx.Now-time.Hour.Milliseconds()).Scan(&lately, &hour)
	if err != nil || lately > 0 || hour >= s.o.Config.RefuseHour {
		return err
	}
	tx.Write(1, "INSERT INTO mail_answers (address_hash, id, sent_at) VALUES (?, ?, ?)", a.hash, tx.NewID(), tx.Now)
	s.n.Notify.Queue(tx, a.ready)
	return nil
}
