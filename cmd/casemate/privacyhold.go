package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"
	"time"
)

type holdView struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Domain   string    `json:"domain_id"`
	User     string    `json:"user_id"`
	Number   string    `json:"number"`
	Reason   string    `json:"reason"`
	InForce  bool      `json:"in_force"`
	Until    time.Time `json:"until"`
	Created  time.Time `json:"created_at"`
	Actor    string    `json:"actor_id"`
	Released string    `json:"release_reason"`
}

func (h holdView) print(o *output) {
	on := h.Domain
	switch {
	case h.Number != "":
		on = h.Number
	case h.User != "":
		on += "/" + h.User
	}
	until := o.say("直到解除", "until released")
	switch {
	case !h.InForce && h.Released != "":
		until = o.say("已解除：", "released: ") + h.Released
	case !h.Until.IsZero():
		until = o.say("至 ", "until ") + o.when(h.Until)
	}
	o.printf("%s\t%s\t%s\t%s\t%s\n", h.ID, h.Kind, on, oneLine(h.Reason, 60), until)
}

// privacyHoldCmd are legal holds.
type privacyHoldCmd struct {
	Put     holdPutCmd     `cmd:"" help:"Put a hold on a person, a ticket or a domain: nothing of it is erased or goes by its age."`
	List    holdListCmd    `cmd:"" help:"List holds in force."`
	Release holdReleaseCmd `cmd:"" help:"Release a hold."`
}

type holdPutCmd struct {
	personFlags
	Case   string    `help:"Instead of a person: a ticket's number." name:"case" placeholder:"NUMBER"`
	Reason string    `help:"Why." required:"" placeholder:"TEXT"`
	Until  time.Time `help:"Until when, such as 2027-01-31T00:00:00Z; without it until it is released." placeholder:"TIME"`
}

// Run puts the hold: on the ticket, the user or contact, or with --domain alone on
// the domain.
func (c *holdPutCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var body map[string]any
	switch {
	case c.Case != "":
		body = map[string]any{"kind": "ticket", "number": c.Case}
	case c.Domain != "" && c.User == "" && c.Contact == "":
		domain, err := findDomain(ctx, cl, c.Domain)
		if err != nil {
			return err
		}
		body = map[string]any{"kind": "domain", "domain_id": domain}
	default:
		if body, err = c.body(ctx, cl); err != nil {
			return err
		}
		body["kind"] = "person"
	}
	body["reason"] = c.Reason
	if !c.Until.IsZero() {
		body["until"] = c.Until.UTC().Format(time.RFC3339)
	}
	return p.showHold(ctx, o, cl, "/desk/v1/privacy/holds", body)
}

func (p *privacyCmd) showHold(ctx context.Context, o *output, cl *client, path string, body any) error {
	var raw json.RawMessage
	if err := cl.post(ctx, path, body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var h holdView
	if err := json.Unmarshal(raw, &h); err != nil {
		return err
	}
	h.print(o)
	return nil
}

type holdListCmd struct {
	All bool `help:"Also those that were released or are over."`
}

// Run lists holds.
func (c *holdListCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/privacy/holds", url.Values{"all": {strconv.FormatBool(c.All)}}, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []holdView `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, h := range list.Items {
		h.print(o)
	}
	return nil
}

type holdReleaseCmd struct {
	ID     string `arg:"" name:"hold-id" help:"Id of the hold."`
	Reason string `help:"Why." required:"" placeholder:"TEXT"`
}

// Run releases a hold.
func (c *holdReleaseCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	return p.showHold(ctx, o, cl, "/desk/v1/privacy/holds/"+url.PathEscape(c.ID)+"/release", map[string]string{"reason": c.Reason})
}
