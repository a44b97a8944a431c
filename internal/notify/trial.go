package notify

import (
	"context"
	"errors"
	"slices"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/guard"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// Tried is what came of a test.
type Tried struct {
	OK         bool
	ProviderID string
	Detail     string // what the provider said, scrubbed
	Took       time.Duration
	Transcript []Line // all that was said, without secrets
}

// LimitTests sets who admits test messages, in a transaction of its own, before
// one leaves (verify.AdmitTest). It is set once, before the service is used.
func (s *Service) LimitTests(admit func(tx *db.Tx, who principal.Principal, way Way, to string) error) {
	s.admitTest = admit
}

// Try sends a test message to a contact through one provider now, past the
// queue and the catcher, also when it is switched off or drained, and tells all
// that was said. It stands in the ledger, and counts against the limits of tests
// (LimitTests) also when nobody took it. Administrators only. It fails with
// ErrNoProvider, for a contact that is none or of the other kind, and where a limit
// is reached.
func (s *Service) Try(ctx context.Context, who principal.Principal, name, to string, language locale.Language) (Tried, error) {
	if err := s.mayOperate(who); err != nil {
		return Tried{}, err
	}
	p, err := s.find(ctx, name)
	if err != nil {
		return Tried{}, err
	}
	way, normal, err := contact(to)
	if err != nil {
		return Tried{}, err
	}
	if way != p.way { // one of each kind may have the name
		all := s.lines.now.Load().all
		i := slices.IndexFunc(all, func(p *provider) bool { return p.way == way && p.Name() == name })
		if i < 0 {
			return Tried{}, identity.ErrWay.In("to")
		}
		p = all[i]
	}
	if s.admitTest != nil {
		if err := s.db.Update(db.WithoutRequestKey(ctx), func(tx *db.Tx) error { return s.admitTest(tx, who, way, normal) }); err != nil {
			return Tried{}, err
		}
	}
	id := s.db.NewID()
	m := Message{Domain: principal.House, Way: way, To: normal, Template: TemplateTest, Language: language, Values: map[string]string{"provider": name}}
	text, err := s.render(ctx, m)
	if err != nil {
		return Tried{}, err
	}
	recipient, err := s.keys.Seal(s.place("recipient", id), []byte(normal))
	if err != nil {
		return Tried{}, err
	}
	t := newTape(p.secrets()...)
	began := s.db.Now()
	took, err := p.attempt(context.WithValue(ctx, tapeKey{}, t), Outgoing{ID: id, MessageID: id + "@" + s.lines.now.Load().host, Domain: principal.House, Way: way, To: normal, Template: TemplateTest, Language: language,
		Subject: text.Subject, Text: text.Text, HTML: text.HTML, At: began.UnixMilli()}, false)
	out := Tried{OK: err == nil, ProviderID: took.first(), Took: s.db.Now().Sub(began)}
	outcome, state, cause := "ok", "sent", ""
	if err != nil {
		if errors.Is(err, guard.ErrAddress) {
			t.note("addresses that are not public are reached only when notify.allow of the server's file lists them")
		}
		f := failure(err)
		out.Detail = scrub(f.Error(), normal)
		p.refused(s.db.Now(), f, out.Detail)
		outcome, state, cause = f.outcome(), "failed", "refused"
	} else {
		p.took(s.db.Now())
	}
	out.Transcript = t.all()
	if c, ok := p.Channel.(*smpp); ok && (p.spec.Off || s.o.Catch) {
		c.unbind() // nobody keeps it
	}
	ctx, cancel := settled(ctx)
	defer cancel()
	return out, s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(1, `INSERT INTO notify_messages (domain_id, id, channel, person, recipient, recipient_hash, template, language, payload, ref, urgent, caught, state, cause, tries, created_at, changed_at, expires_at, next_at, not_before, passed_at)
			VALUES (?, ?, ?, '', ?, ?, ?, ?, '', '', 1, 0, ?, ?, 1, ?, ?, ?, 0, 0, 0)`,
			principal.House, id, string(way), recipient, s.hash(way, normal), TemplateTest, string(language), state, cause, began.UnixMilli(), tx.Now, tx.Now)
		tx.Write(1, "INSERT INTO notify_attempts (domain_id, id, message_id, provider, began_at, ended_at, outcome, provider_id, detail, parts, cost) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			principal.House, tx.NewID(), id, name, began.UnixMilli(), tx.Now, outcome, took.first(), out.Detail, took.parts, took.cost)
		event.Record(tx, who, event.Event{Kind: "provider.test", Subject: "provider", SubjectID: name, LogCode: event.NoLog, Data: map[string]any{"ok": out.OK}})
		return nil
	})
}

// secrets are what a transcript must not hold.
func (p *provider) secrets() []string {
	switch c := p.Channel.(type) {
	case *smtpChannel:
		return []string{c.password}
	case *smpp:
		return []string{c.password}
	case *gateway:
		return []string{c.secret, c.receiptKey}
	}
	return nil
}
