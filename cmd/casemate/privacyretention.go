package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// privacyRetentionCmd are the rules by age.
type privacyRetentionCmd struct {
	List    retentionListCmd    `cmd:"" help:"List the rules and what they have removed."`
	Preview retentionPreviewCmd `cmd:"" help:"What a rule would remove now; changes nothing."`
	Set     retentionSetCmd     `cmd:"" help:"Set a rule: what is older goes, from the next hour on."`
	Remove  retentionRemoveCmd  `cmd:"" help:"Remove a rule."`
}

type retentionFlags struct {
	Kind   string `arg:"" help:"attachments, texts, mails, deliveries, verifications, logins, authorizations or exports." enum:"attachments,texts,mails,deliveries,verifications,logins,authorizations,exports"`
	Domain string `help:"For one domain, by name or id; without it for all that have no rule of their own." placeholder:"DOMAIN"`
}

func (f retentionFlags) body(ctx context.Context, c *client, days int) (map[string]any, error) {
	body := map[string]any{"kind": f.Kind, "days": days}
	if f.Domain == "" {
		return body, nil
	}
	domain, err := findDomain(ctx, c, f.Domain)
	body["domain_id"] = domain
	return body, err
}

type retentionListCmd struct{}

// Run lists rules.
func (c *retentionListCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/privacy/retention", nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			Kind    string `json:"kind"`
			Domain  string `json:"domain_id"`
			Days    int    `json:"days"`
			Removed int64  `json:"removed"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, r := range list.Items {
		on := r.Domain
		if on == "" {
			on = o.say("全部", "all")
		}
		o.printf("%s\t%s\t%d %s\t%s %d\n", r.Kind, on, r.Days, o.say("天", "days"), o.say("已删除", "removed"), r.Removed)
	}
	return nil
}

type retentionPreviewCmd struct {
	retentionFlags
	Days int `help:"Older than so many days." required:"" placeholder:"N"`
}

// Run previews a rule.
func (c *retentionPreviewCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body, err := c.body(ctx, cl, c.Days)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/privacy/retention/preview", body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var v struct {
		Counts []kindCount `json:"counts"`
		Held   int64       `json:"held"`
		First  []struct {
			Table  string    `json:"table"`
			Number string    `json:"number"`
			At     time.Time `json:"at"`
		} `json:"first"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	for _, n := range v.Counts {
		o.printf("%s\t%d\n", n.Kind, n.Rows)
	}
	o.printf("%s\t%d\n", o.say("受保全而留下", "stay under a legal hold"), v.Held)
	for _, f := range v.First {
		o.printf("\t%s\t%s\t%s\n", f.Table, f.Number, o.when(f.At))
	}
	return nil
}

type retentionSetCmd struct {
	retentionFlags
	Days int `help:"Older than so many days." required:"" placeholder:"N"`
}

// Run sets a rule.
func (c *retentionSetCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body, err := c.body(ctx, cl, c.Days)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodPut, "/desk/v1/privacy/retention", nil, body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	o.printf("%s\t%d %s\n", c.Kind, c.Days, o.say("天", "days"))
	return nil
}

type retentionRemoveCmd struct{ retentionFlags }

// Run removes a rule.
func (c *retentionRemoveCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body, err := c.body(ctx, cl, 1)
	if err != nil {
		return err
	}
	query := url.Values{}
	if d, ok := body["domain_id"].(string); ok {
		query.Set("domain_id", d)
	}
	if err := cl.call(ctx, http.MethodDelete, "/desk/v1/privacy/retention/"+url.PathEscape(c.Kind), query, nil, nil); err != nil {
		return err
	}
	if p.JSON {
		text, err := json.Marshal(map[string]string{"kind": c.Kind})
		return orJSON(o, err, text)
	}
	o.printf("%s\t%s\n", c.Kind, o.say("已移除", "removed"))
	return nil
}
