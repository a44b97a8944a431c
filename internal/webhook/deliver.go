package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/guard"
	"casemate/internal/job"
	"casemate/internal/principal"
)

// Signature is the webhook-signature header's value for one secret: "v1," and
// the base64 of an HMAC-SHA256 over id, time and body (Standard Webhooks 1.0,
// "Signature scheme").
func Signature(secret, id string, seconds int64, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil {
		return "", errors.New("the secret is not base64")
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%d.", id, seconds)
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

const (
	kindDeliver = "webhook.deliver"

	readBatch  = 200
	perJob     = 1000            // events looked at before another job goes on
	longestJob = 3 * time.Minute // likewise
	maxLogged  = 16 << 10        // bytes of a request in the log
	maxAnswer  = 2 << 10         // of an answer
)

// pauses are those between the tries of one event; the last one repeats until
// GiveUp.
var pauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}

func pause(tries int) time.Duration { return pauses[min(max(tries-1, 0), len(pauses)-1)] }

type ask struct {
	Hook string `json:"hook"`
}

// Kinds are the jobs of the package, for the runner. There is one job for each
// webhook at a time, so that its events go out in order.
func (s *Service) Kinds() []job.Kind {
	return []job.Kind{{Name: kindDeliver, Timeout: longestJob + time.Minute, MaxTries: 3, Run: func(ctx context.Context, r job.Running) error {
		var a ask
		if err := json.Unmarshal(r.Args, &a); err != nil {
			return fmt.Errorf("%w: %w", job.ErrDrop, err)
		}
		return s.Deliver(ctx, a.Hook)
	}}}
}

// Periodic is the regular work, for the runner.
func (s *Service) Periodic() []job.Periodic {
	return []job.Periodic{
		{Name: "webhooks", Every: time.Second, Run: s.Due},
		{Name: "webhook log", Every: time.Hour, Run: s.purge},
	}
}

// Due enqueues a job for every webhook that has events to send and may try now.
func (s *Service) Due(ctx context.Context) error {
	var due []string
	err := s.db.View(ctx, func(tx *db.Tx) error {
		due = nil
		return tx.List(func(r db.Row) error {
			var id string
			err := r.Scan(&id)
			due = append(due, id)
			return err
		}, `SELECT w.id FROM webhooks AS w JOIN event_heads AS h ON h.domain_id = w.only_domain /* the head of '' is the chain over all domains */
			WHERE w.state = 'on' AND w.next_at <= ? AND w.passed < h.seq`, tx.Now)
	})
	if err != nil || len(due) == 0 {
		return err
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		for _, id := range due {
			job.Enqueue(tx, job.Job{Kind: kindDeliver, Args: ask{id}, Unique: id, Urgent: true})
		}
		return nil
	})
}

// Deliver sends what is new to one webhook, in order, until nothing is left or
// a try fails. An event is passed in the transaction that logs its delivery: a
// node that dies in between sends it again under the same id.
func (s *Service) Deliver(ctx context.Context, id string) error {
	end := s.db.Now().Add(longestJob)
	for seen := 0; seen < perJob && s.db.Now().Before(end); {
		var h Hook
		var rows []event.Row
		err := s.db.View(ctx, func(tx *db.Tx) (err error) {
			if h, err = hookIn(tx, id); err != nil {
				return err
			}
			rows, err = event.After(tx, h.Domain, h.Passed, readBatch)
			return err
		})
		if fault.KindOf(err) == fault.NotFound {
			return nil // deleted meanwhile
		}
		if err != nil {
			return err
		}
		if h.Off || h.NextAt > s.db.Now().UnixMilli() || len(rows) == 0 {
			return nil
		}
		seen += len(rows)
		skipped := h.Passed
		for _, r := range rows {
			n := number(h, r)
			if !wants(h.Kinds, r.Kind) {
				skipped = n
				continue
			}
			ok, err := s.tell(ctx, h, skipped, r)
			if err != nil || !ok {
				return err
			}
			h.Passed, skipped = n, n
			h.Tries, h.FailingSince = 0, 0
		}
		if skipped > h.Passed {
			if ok, err := s.pass(ctx, h, skipped); err != nil || !ok {
				return err
			}
		}
	}
	return nil
}

// number is the event's in the webhook's counting.
func number(h Hook, r event.Row) int64 {
	if h.Domain != "" {
		return r.DomainSeq
	}
	return r.Seq
}

// pass moves on over events nobody asked for; false when somebody else moved
// the webhook meanwhile (a replay).
func (s *Service) pass(ctx context.Context, h Hook, to int64) (ok bool, err error) {
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		ok, err = moved(tx.Get("UPDATE webhooks SET passed = ? WHERE id = ? AND passed = ? AND state = 'on' RETURNING id", to, h.ID, h.Passed))
		return err
	})
	return ok, err
}

func moved(r db.Row) (bool, error) {
	var id string
	err := r.Scan(&id)
	if errors.Is(err, db.ErrNone) {
		return false, nil
	}
	return err == nil, err
}

// body is what a receiver gets (Standard Webhooks: type, timestamp, data).
type body struct {
	Type      string  `json:"type"`
	Timestamp string  `json:"timestamp"`
	Data      content `json:"data"`
}

// content is the event as the change feed shows it to an auditor, without the
// address and the hash: names and addresses are a person's and do not go out.
type content struct {
	Seq       int64           `json:"seq"`
	DomainSeq int64           `json:"domain_seq"`
	ID        string          `json:"id"`
	Domain    string          `json:"domain_id"`
	Subject   string          `json:"subject"`
	SubjectID string          `json:"subject_id"`
	Revision  int64           `json:"revision,omitempty"`
	ActorKind string          `json:"actor_kind"`
	Actor     string          `json:"actor_id,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
}

func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// tell sends one event and records the outcome; false when the webhook must
// not go on now. skipped is the number of the last event before it that nobody
// asked for, or the one passed already.
func (s *Service) tell(ctx context.Context, h Hook, skipped int64, r event.Row) (bool, error) {
	data, err := r.Nameless()
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(body{Type: r.Kind, Timestamp: stamp(r.At), Data: content{Seq: r.Seq, DomainSeq: r.DomainSeq, ID: r.ID, Domain: r.Domain,
		Subject: r.Subject, SubjectID: r.SubjectID, Revision: r.Revision, ActorKind: r.ActorKind.String(), Actor: r.Actor, Data: data}})
	if err != nil {
		return false, err
	}
	d := s.send(ctx, h, Delivery{Delivery: "evt_" + r.ID, Seq: r.Seq, Kind: r.Kind, Request: string(text)})
	if ctx.Err() != nil {
		return false, ctx.Err() // this node stops: the try does not count
	}
	going := false
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		if d.OK {
			going, err = moved(tx.Get("UPDATE webhooks SET passed = ?, tries = 0, failing_since = 0, next_at = 0 WHERE id = ? AND passed = ? AND state = 'on' RETURNING id", number(h, r), h.ID, h.Passed))
			if err != nil {
				return err
			}
			s.write(tx, h.ID, d)
			return nil
		}
		going = false
		tries, since := h.Tries+1, h.FailingSince
		if since == 0 {
			since = tx.Now
		}
		state, cause := "on", ""
		switch {
		case d.Status == http.StatusGone:
			state, cause = "off", "410"
		case tx.Now-since >= GiveUp.Milliseconds():
			state, cause = "off", "24h"
		}
		ok, err := moved(tx.Get("UPDATE webhooks SET passed = ?, tries = ?, failing_since = ?, next_at = ?, state = ?, cause = ? WHERE id = ? AND passed = ? AND state = 'on' RETURNING id",
			skipped, tries, since, tx.Now+pause(tries).Milliseconds(), state, cause, h.ID, h.Passed))
		if err != nil {
			return err
		}
		s.write(tx, h.ID, d)
		if ok && state == "off" {
			record(tx, principal.AsSystem(principal.House), "webhook.off", h.ID, map[string]any{"cause": cause, "at": number(h, r)})
			s.log.WarnContext(ctx, "a webhook was switched off", "webhook", h.ID, "cause", cause)
		}
		return nil
	})
	return going, err
}

// Delivery is one try, as the log keeps it for a month.
type Delivery struct {
	ID       string
	Delivery string // the webhook-id header: the same at every try of one event
	Seq      int64  // the event's number over all domains, 0 = a test
	Kind     string
	OK       bool
	Status   int // HTTP, 0 = no answer
	Took     int64
	Request  string // body as sent
	Answer   string // beginning of the answer's body, or why there was none
	At       int64
}

// send makes one HTTP request through the guard.
func (s *Service) send(ctx context.Context, h Hook, d Delivery) Delivery {
	began := s.db.Now()
	d.At = began.UnixMilli()
	d.Status, d.Answer = s.post(ctx, h, d, began.Unix())
	d.OK = d.Status >= 200 && d.Status < 300
	d.Took = s.db.Now().Sub(began).Milliseconds()
	return d
}

func (s *Service) post(ctx context.Context, h Hook, d Delivery, seconds int64) (int, string) {
	now, before, err := s.secrets(ctx, h.ID)
	if err != nil {
		return 0, "the secret does not open"
	}
	signature, err := Signature(now, d.Delivery, seconds, []byte(d.Request))
	if err != nil {
		return 0, err.Error()
	}
	if before != "" {
		other, err := Signature(before, d.Delivery, seconds, []byte(d.Request))
		if err != nil {
			return 0, err.Error()
		}
		signature += " " + other
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader([]byte(d.Request)))
	if err != nil {
		return 0, "the address is not usable"
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Casemate-Webhook/1")
	req.Header.Set("webhook-id", d.Delivery)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(seconds, 10))
	req.Header.Set("webhook-signature", signature)
	res, err := s.client.Do(req)
	if err != nil {
		return 0, because(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, guard.Most))
	if err != nil {
		return 0, because(err)
	}
	return res.StatusCode, clean(string(text), maxAnswer)
}

// because is why there was no answer, without addresses of the inner network.
func because(err error) string {
	if errors.Is(err, guard.ErrAddress) {
		return "the address may not be reached: it is not public and not in webhooks.allow"
	}
	if timeout := (interface{ Timeout() bool })(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer in time"
	}
	return clean(err.Error(), 300)
}

// clean makes a text fit for both databases and a terminal.
func clean(s string, most int) string {
	s = strings.ToValidUTF8(s, "?")
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	return s
}

func (s *Service) write(tx *db.Tx, hook string, d Delivery) {
	outcome := "failed"
	if d.OK {
		outcome = "ok"
	}
	tx.Write(1, "INSERT INTO webhook_deliveries (webhook_id, id, delivery, event_seq, kind, outcome, status, took, request, answer, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		hook, tx.NewID(), d.Delivery, d.Seq, d.Kind, outcome, d.Status, d.Took, clean(d.Request, maxLogged), d.Answer, d.At)
}

// Test sends a made-up event now and answers what came back; neither success
// nor failure changes the webhook.
func (s *Service) Test(ctx context.Context, who principal.Principal, id string) (Delivery, error) {
	if err := mayAdminister(who); err != nil {
		return Delivery{}, err
	}
	h, err := s.Show(ctx, who, id)
	if err != nil {
		return Delivery{}, err
	}
	now := s.db.Now().UnixMilli()
	text, err := json.Marshal(body{Type: "webhook.test", Timestamp: stamp(now), Data: content{Subject: "webhook", SubjectID: h.ID, ActorKind: who.Kind.String()}})
	if err != nil {
		return Delivery{}, err
	}
	d := s.send(ctx, h, Delivery{Delivery: "test_" + s.db.NewID(), Kind: "webhook.test", Request: string(text)})
	return d, s.db.Update(ctx, func(tx *db.Tx) error { s.write(tx, h.ID, d); return nil })
}

// Deliveries is a page of a webhook's log, newest first; before is the id to go
// on behind, "" = from the newest; limit 1..100, 0 = 20.
func (s *Service) Deliveries(ctx context.Context, who principal.Principal, id, before string, limit int) (page []Delivery, err error) {
	if err := mayInspect(who); err != nil {
		return nil, err
	}
	if limit <= 0 {
		limit = 20
	}
	if before == "" {
		before = strings.Repeat("z", 26) // behind every id
	}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		page = nil
		if _, err := hookIn(tx, id); err != nil {
			return err
		}
		return tx.List(func(r db.Row) error {
			var d Delivery
			var outcome string
			err := r.Scan(&d.ID, &d.Delivery, &d.Seq, &d.Kind, &outcome, &d.Status, &d.Took, &d.Request, &d.Answer, &d.At)
			d.OK = outcome == "ok"
			page = append(page, d)
			return err
		}, "SELECT id, delivery, event_seq, kind, outcome, status, took, request, answer, at FROM webhook_deliveries WHERE webhook_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
			id, before, min(limit, 100))
	})
	return page, err
}

// purge removes what the log has kept long enough, and secrets that live no
// more.
func (s *Service) purge(ctx context.Context) error {
	for n := 1000; n == 1000; {
		err := s.db.Update(ctx, func(tx *db.Tx) error {
			n = 0
			return tx.List(func(r db.Row) error {
				var id string
				n++
				return r.Scan(&id)
			}, "DELETE FROM webhook_deliveries WHERE (webhook_id, id) IN (SELECT d.webhook_id, d.id FROM webhook_deliveries AS d WHERE d.at <= ? ORDER BY d.at LIMIT 1000) RETURNING id",
				tx.Now-logAge.Milliseconds())
		})
		if err != nil {
			return err
		}
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		tx.Write(db.Any, "UPDATE webhooks SET old_secret = '', old_until = 0 WHERE old_secret <> '' AND old_until <= ?", tx.Now)
		return nil
	})
}
