package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
)

// authorizeCmd asks a ticket's customer for access to his console or hosts.
type authorizeCmd struct {
	Case string   `arg:"" name:"case-id" help:"Ticket number."`
	Text string   `arg:"" optional:"" help:"Why access is needed; the customer reads it. - reads it from standard input."`
	Host []string `help:"Name or address of a host to be entered; may be given up to five times. Without any, the console." placeholder:"ADDRESS"`
}

// defaultReason is what the customer reads when the engineer says nothing.
func defaultReason(o *output) string {
	return o.say("为定位和处理工单中的问题，申请访问授权。", "Access is needed to find and solve the problem of this ticket.")
}

// Run asks and prints the authorization's id.
func (c *authorizeCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	text := c.Text
	if text == "-" {
		raw, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		if err != nil {
			return err
		}
		text = strings.TrimRight(string(raw), "\r\n")
	}
	if strings.TrimSpace(text) == "" {
		text = defaultReason(o)
	}
	cl, name, err := d.engineer(ctx, o, c.Case)
	if err != nil {
		return err
	}
	defer cl.end()
	type detail struct {
		Type    string `json:"type"`
		Address string `json:"address"`
	}
	req := struct {
		Description string   `json:"description"`
		Details     []detail `json:"details,omitempty"`
		As          string   `json:"as,omitempty"`
	}{Description: text}
	for _, h := range c.Host {
		req.Details = append(req.Details, detail{"host", h})
	}
	if !cl.session {
		req.As = name
	}
	var raw json.RawMessage
	if err := cl.post(ctx, ticketPath(c.Case)+"/authorizations", req, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &made); err != nil {
		return err
	}
	o.printf("%s\n", made.ID)
	return nil
}
