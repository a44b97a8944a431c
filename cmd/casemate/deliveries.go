package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// delivery is a line of the ledger as the desk's API tells it.
type delivery struct {
	ID        string     `json:"id"`
	Channel   string     `json:"channel"`
	To        string     `json:"to"`
	Kind      string     `json:"kind"`
	Reference string     `json:"reference"`
	State     string     `json:"state"`
	Detail    string     `json:"detail"`
	Cost      int64      `json:"cost"`
	Next      *time.Time `json:"next_try_at"`
	Created   time.Time  `json:"created_at"`
	Attempts  []struct {
		Provider   string     `json:"provider"`
		ProviderID string     `json:"provider_id"`
		Outcome    string     `json:"outcome"`
		Detail     string     `json:"detail"`
		Parts      int        `json:"parts"`
		Cost       int64      `json:"cost"`
		Began      time.Time  `json:"began_at"`
		Receipt    string     `json:"receipt"`
		ReceiptAt  *time.Time `json:"receipt_at"`
	} `json:"attempts"`
}

// deliveries shows the ledger: of all, of one contact, of tickets, or of one
// contact within tickets.
func (c *outboxCmd) deliveries(ctx context.Context, cl *client, o *output) error {
	tickets := c.Ticket
	if len(tickets) == 0 {
		tickets = []string{""}
	}
	list := []json.RawMessage{}
	for _, ticket := range slices.Compact(slices.Sorted(slices.Values(tickets))) {
		q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
		for name, v := range map[string]string{"to": c.To, "reference": ticket, "state": c.State} {
			if v != "" {
				q.Set(name, v)
			}
		}
		var page struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := cl.get(ctx, "/desk/v1/deliveries", q, &page); err != nil {
			return err
		}
		list = append(list, page.Items...)
	}
	if c.JSON {
		text, err := json.Marshal(map[string]any{"items": list})
		return orJSON(o, err, text)
	}
	if len(list) == 0 {
		o.printf("%s\n", o.say("没有投递记录", "no deliveries"))
	}
	for _, raw := range list {
		var d delivery
		if err := json.Unmarshal(raw, &d); err != nil {
			return err
		}
		d.print(o)
	}
	return nil
}

// stateNames are the states of a delivery in Chinese.
var stateNames = map[string]string{
	"queued": "排队中", "sending": "发送中", "sent": "已发出", "delivered": "已送达", "bounced": "被退回", "failed": "失败", "dropped": "已放弃",
	"running": "进行中", "ok": "已接受", "temporary": "暂时失败", "permanent": "被拒绝", "unknown": "结果未知", "delayed": "延迟中",
}

// named is a state or outcome in the user's language.
func named(o *output, state string) string {
	if zh := stateNames[state]; zh != "" {
		return o.say(zh, state)
	}
	return state
}

func (d delivery) print(o *output) {
	line := []string{o.when(d.Created), named(o, d.State), d.Channel, d.To, d.Kind, d.Reference}
	if d.Detail != "" {
		line = append(line, d.Detail)
	}
	if d.Cost != 0 {
		line = append(line, o.say("费用 ", "cost ")+thousandths(d.Cost))
	}
	if d.Next != nil {
		line = append(line, o.say("下次尝试 ", "next try ")+o.when(*d.Next))
	}
	o.printf("%s\n", strings.Join(line, "  "))
	for _, a := range d.Attempts {
		line := []string{o.when(a.Began), a.Provider, named(o, a.Outcome)}
		if a.ProviderID != "" {
			line = append(line, a.ProviderID)
		}
		if a.Parts > 1 {
			line = append(line, fmt.Sprintf(o.say("%d 段", "%d parts"), a.Parts))
		}
		if a.Detail != "" {
			line = append(line, a.Detail)
		}
		if a.ReceiptAt != nil {
			line = append(line, o.say("回执 ", "receipt ")+o.when(*a.ReceiptAt)+" "+named(o, a.Receipt))
		}
		o.printf("    %s\n", strings.Join(line, "  "))
	}
}

// thousandths writes a cost: 45 is 0.045.
func thousandths(n int64) string { return fmt.Sprintf("%d.%03d", n/1000, n%1000) }
