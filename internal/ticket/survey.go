package ticket

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/notify"
	"casemate/internal/principal"
)

// A survey is the request to rate a ticket: one mail to its submitter some time
// after it was completed, with a signed link to a page that asks for no log-in.
// A ticket is asked for once, however often it is completed. A link rates once,
// because a ticket is rated once.
const (
	kindSurvey  = "ticket.survey"
	eventSurvey = "ticket.survey"
	surveyDays  = 30 // for which a link works
)

// SurveyPath is where links of surveys lead. It stands outside the contracts and
// asks for no credentials: the link is signed.
const SurveyPath = "/notify/v1/survey"

// ErrSurveyLink: the link was changed, is none of ours, is too old, or the ticket
// was opened again since.
var ErrSurveyLink = fault.New(fault.NotFound, fault.CodeInvalid, "评价链接无效或已过期", "this link is not valid any more")

// survey is a job's argument and a link's content.
type survey struct {
	Domain string `json:"d"`
	Ticket string `json:"t"`
	Closed int64  `json:"c"` // when it was completed; another instant = stale
}

// askLater enqueues the survey of a ticket that has just become Completed.
func (s *Service) askLater(tx *db.Tx, t Ticket) {
	after := s.o.Config.SurveyAfter
	if after <= 0 || t.Status != Completed || t.StatusAt != tx.Now || t.Scored > 0 {
		return
	}
	job.Enqueue(tx, job.Job{Kind: kindSurvey, Domain: t.Domain, Args: survey{t.Domain, t.ID, t.Closed}, At: t.Closed + ms(after), Unique: fmt.Sprint(t.ID, "/", t.Closed)})
}

// askable tells whether a survey still means something.
func (k survey) askable(t Ticket) bool {
	return t.Status == Completed && t.Closed == k.Closed && t.Scored == 0
}

// ask sends a survey. Notices the submitter gets on his registered mail only if
// the ticket has no mail; text messages and copies are left out.
func (s *Service) ask(ctx context.Context, r job.Running) error {
	var k survey
	if err := json.Unmarshal(r.Args, &k); err != nil {
		return fmt.Errorf("%w: %w", job.ErrDrop, err)
	}
	var seen Ticket
	err := s.db.View(ctx, func(tx *db.Tx) (err error) { seen, err = ticketIn(tx, k.Domain, k.Ticket); return err })
	if fault.KindOf(err) == fault.NotFound || errors.Is(err, db.ErrNone) || err == nil && !k.askable(seen) {
		return nil
	}
	if err != nil {
		return err
	}
	u, err := s.ident.User(ctx, principal.AsSystem(seen.Domain), seen.Domain, seen.Creator)
	if err != nil || u.Disabled {
		return nil //nolint:nilerr // the submitter is gone: nobody to ask
	}
	if wanted, err := s.ident.Wants(ctx, seen.Domain, seen.Creator, noticeKinds[notify.TemplateSurvey]); err != nil || !wanted {
		return err
	}
	c, err := s.Contact(ctx, seen)
	if err != nil {
		return err
	}
	if c.Mail == "" {
		c.Mail = u.Mail
	}
	link := s.notify.Link(SurveyPath + "?" + url.Values{"token": {s.signSurvey(k)}}.Encode())
	if c.Mail == "" || link == "" {
		return nil
	}
	p, err := s.notify.Prepare(ctx, notify.Message{Domain: seen.Domain, Person: seen.Creator, Way: notify.Mail, To: c.Mail, Template: notify.TemplateSurvey, Language: seen.Language,
		Values: map[string]string{"number": seen.Number, "link": link}, Ref: seen.Number, Stop: notify.Stop{Surveys: true}, NotBefore: opens(seen, s.db.NowIn(ctx))})
	if errors.Is(err, notify.ErrNoChannel) {
		s.o.Log.Warn("no provider for a ticket's survey", "ticket", seen.Number)
		return nil
	}
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		t, err := ticketIn(tx, k.Domain, k.Ticket)
		if err != nil || !k.askable(t) {
			return err
		}
		tx.Lock(t.Domain, eventSurvey+"."+t.ID)
		before, err := event.Find(tx, t.Domain, event.Query{Kinds: []string{eventSurvey}, To: tx.Now, Subject: "ticket", SubjectID: t.ID, Limit: 1})
		if err != nil || len(before) > 0 {
			return err
		}
		event.Record(tx, principal.AsSystem(t.Domain), event.Event{Domain: t.Domain, Kind: eventSurvey, Subject: "ticket", SubjectID: t.ID, Revision: t.Revision, LogCode: event.NoLog})
		s.notify.Queue(tx, p)
		return nil
	})
}

func (s *Service) surveyMAC(body string) string {
	m := hmac.New(sha256.New, s.keys.Derive("ticket-survey"))
	m.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func (s *Service) signSurvey(k survey) string {
	text, err := json.Marshal(k)
	if err != nil { // texts and a number always marshal
		panic(err)
	}
	body := base64.RawURLEncoding.EncodeToString(text)
	return body + "." + s.surveyMAC(body)
}

// Survey is the ticket a link is for, ready to be rated. Failures: ErrSurveyLink,
// ErrScored when it is rated already.
func (s *Service) Survey(ctx context.Context, token string) (t Ticket, err error) {
	body, mac, ok := strings.Cut(token, ".")
	if !ok || len(token) > 2000 || !hmac.Equal([]byte(mac), []byte(s.surveyMAC(body))) {
		return t, ErrSurveyLink
	}
	var k survey
	text, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil || json.Unmarshal(text, &k) != nil {
		return t, ErrSurveyLink
	}
	if ctx, err = s.ident.OnClock(ctx, k.Domain); err != nil {
		return t, ErrSurveyLink
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if t, err = ticketIn(tx, k.Domain, k.Ticket); errors.Is(err, db.ErrNone) || fault.KindOf(err) == fault.NotFound {
			return ErrSurveyLink
		}
		if err == nil && (t.Status != Completed || t.Closed != k.Closed || tx.Now > k.Closed+surveyDays*ms(24*time.Hour)) {
			return ErrSurveyLink
		}
		if err == nil && t.Scored > 0 {
			return ErrScored
		}
		return err
	})
	return t, err
}

// AnswerSurvey rates a ticket by a link, in its submitter's name: rules and
// failures are Rate's and Survey's. who tells where the answer came from.
func (s *Service) AnswerSurvey(ctx context.Context, who principal.Principal, token, judgement string, scores []Score) error {
	t, err := s.Survey(ctx, token)
	if err != nil {
		return err
	}
	if ctx, err = s.ident.OnClock(ctx, t.Domain); err != nil {
		return err
	}
	u, err := s.ident.User(ctx, principal.AsSystem(t.Domain), t.Domain, t.Creator)
	if err != nil || u.Disabled {
		return ErrSurveyLink
	}
	return s.Rate(ctx, principal.Principal{Kind: principal.Customer, Domain: t.Domain, User: t.Creator, Address: who.Address, RequestID: who.RequestID}, t.Number, "", judgement, scores)
}
