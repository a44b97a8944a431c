package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// outboxCmd shows what the catcher of a demo world or sandbox holds, or what
// became of all that left.
type outboxCmd struct {
	clientFlags
	jsonFlag
	To     string        `help:"Only messages to this mail address or phone number." placeholder:"CONTACT"`
	Domain string        `help:"Only messages of this account, by name or id, for example a sandbox." placeholder:"NAME"`
	Code   bool          `help:"Print only the last verification code sent to the contact (needs --to)."`
	Wait   time.Duration `help:"With --code: how long to wait for a code that is still on its way." default:"5s"`
	Limit  int           `help:"How many at most, up to 100." default:"20"`

	Deliveries bool     `help:"Show what became of messages instead: state, provider, cost, receipts, next try."`
	Ticket     []string `help:"With --deliveries: only those of this ticket. Repeatable." placeholder:"TS..."`
	State      string   `help:"With --deliveries: only those in this state." enum:",queued,sending,sent,delivered,bounced,failed,dropped" default:""`
}

// Validate is called by the parser.
func (c *outboxCmd) Validate() error {
	if c.Code && c.To == "" {
		return errors.New("--code needs --to CONTACT")
	}
	if !c.Deliveries && (len(c.Ticket) > 0 || c.State != "") {
		return errors.New("--ticket and --state go with --deliveries")
	}
	if c.Domain != "" && (c.Deliveries || c.Code) {
		return errors.New("--domain does not go with --code and --deliveries")
	}
	if c.Deliveries && c.Code {
		return errors.New("--code and --deliveries do not go together")
	}
	return nil
}

// Run prints messages or a code.
func (c *outboxCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if c.Code {
		return c.code(ctx, cl, o)
	}
	if c.Deliveries {
		return c.deliveries(ctx, cl, o)
	}
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	if c.To != "" {
		q.Set("to", c.To)
	}
	if c.Domain != "" {
		id, err := findDomain(ctx, cl, c.Domain)
		if err != nil {
			return err
		}
		q.Set("domain", id)
	}
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/outbox", q, &raw); err != nil || c.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			Channel string    `json:"channel"`
			To      string    `json:"to"`
			Subject string    `json:"subject"`
			Text    string    `json:"text"`
			Created time.Time `json:"created_at"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		o.printf("%s\n", o.say("没有消息", "no messages"))
	}
	for i, m := range list.Items {
		if i > 0 {
			o.printf("\n")
		}
		o.printf("%s  %s  %s  %s\n%s\n", o.when(m.Created), m.Channel, m.To, m.Subject, m.Text)
	}
	return nil
}

// code prints the last code. Delivery is queued, so a code asked for a moment
// ago may still be on its way: while one is, an older code would be the wrong
// answer.
func (c *outboxCmd) code(ctx context.Context, cl *client, o *output) error {
	ctx, cancel := context.WithTimeout(ctx, c.Wait+callTimeout)
	defer cancel()
	for began := time.Now(); ; {
		waiting, err := c.onItsWay(ctx, cl)
		if err != nil {
			return err
		}
		var raw json.RawMessage
		err = cl.get(ctx, "/desk/v1/outbox/code", url.Values{"to": {c.To}}, &raw)
		missing := refusal{}
		none := errors.As(err, &missing) && missing.status == http.StatusNotFound
		if !none && err != nil {
			return err
		}
		if none || waiting {
			if time.Since(began) < c.Wait {
				if err := pause(ctx, 100*time.Millisecond); err != nil {
					return err
				}
				continue
			}
			if none {
				return err
			}
		}
		if c.JSON {
			return o.json(raw)
		}
		var got struct {
			Code string `json:"code"`
		}
		if err := json.Unmarshal(raw, &got); err != nil {
			return err
		}
		o.printf("%s\n", got.Code)
		return nil
	}
}

// onItsWay tells whether a message to the contact is queued.
func (c *outboxCmd) onItsWay(ctx context.Context, cl *client) (bool, error) {
	var page struct {
		Items []struct{} `json:"items"`
	}
	err := cl.get(ctx, "/desk/v1/deliveries", url.Values{"to": {c.To}, "state": {"queued"}, "limit": {"1"}}, &page)
	return len(page.Items) > 0, err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
