package main

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
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

// authorizationView is what the commands show of an authorization.
type authorizationView struct {
	ID           string `json:"id"`
	Status       int    `json:"status"`
	StatusName   string `json:"status_name"`
	Number       string `json:"number"`
	EngineerName string `json:"engineer_name"`
	Description  string `json:"description"`
}

func (a authorizationView) print(o *output) {
	o.printf("%s\t%d\t%s\t%s\t%s\t%s\n", a.ID, a.Status, a.StatusName, a.Number, a.EngineerName, oneLine(a.Description, 60))
}

// authorizationsCmd lists authorizations.
type authorizationsCmd struct {
	Status []int  `help:"Only these states: 0 to be answered, 1 granted, 2 rejected, 3 expired, 4 recalled, 5 cancelled, 6 in approval, 7 approval refused." placeholder:"N"`
	Case   string `help:"Only of this ticket." placeholder:"CASE-ID"`
	Limit  int    `help:"How many at most, up to 100." default:"50"`
}

// Run lists authorizations.
func (c *authorizationsCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	path, q := "/desk/v1/authorizations", url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for _, s := range c.Status {
		q.Add("status", strconv.Itoa(s))
	}
	if c.Case != "" {
		if len(c.Status) > 0 {
			return problem{"--case 与 --status 不能同时使用", "--case and --status do not go together"}
		}
		path, q = ticketPath(c.Case)+"/authorizations", nil
	}
	var raw json.RawMessage
	if err := cl.get(ctx, path, q, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var page struct {
		Items []authorizationView `json:"items"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	if len(page.Items) == 0 {
		o.beside("没有授权申请", "no authorizations")
	}
	for _, a := range page.Items {
		a.print(o)
	}
	return nil
}

// answerCmd is a step with a request.
type answerCmd struct {
	ID     string `arg:"" name:"authorization-id" help:"Authorization id."`
	Reason string `arg:"" optional:"" help:"Why; mandatory for refuse. The customer does not see it."`
}

// Run takes the step.
func (c *answerCmd) Run(ctx context.Context, k *kong.Context, d *deskCmd, o *output) error {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	step := map[string]string{"action": k.Selected().Name}
	if c.Reason != "" {
		step["reason"] = c.Reason
	}
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/authorizations/"+url.PathEscape(c.ID)+"/steps", step, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var a authorizationView
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	a.print(o)
	return nil
}
