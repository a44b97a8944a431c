package main

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
)

// macroCmd uses macros from the shell.
type macroCmd struct {
	clientFlags
	jsonFlag
	As string `help:"The engineer whose doing this is, by log-in name; default: the ticket's handler, else the first engineer." placeholder:"NAME"`

	List    macroListCmd    `cmd:"" help:"List the shared macros and what they do; with --credentials and --as also the engineer's own."`
	Preview macroPreviewCmd `cmd:"" help:"Show all that a macro would do to a ticket, and do nothing."`
	Run     macroRunCmd     `cmd:"" help:"Do a macro's actions to a ticket."`
}

type macroListCmd struct{}

type macroOnTicket struct {
	Macro string `arg:"" help:"Macro id, or its name in either language."`
	Case  string `arg:"" name:"case-id" help:"Ticket number."`
	Text  string `help:"Stands for the macro's own text to the customer." placeholder:"TEXT"`
}

type (
	macroPreviewCmd struct{ macroOnTicket }
	macroRunCmd     struct {
		macroOnTicket
		SeenVersion int64 `help:"The ticket's version as the preview told it; a ticket that changed since is left alone." placeholder:"N"`
	}
)

// nameView is a name in both languages.
type nameView struct {
	ZH string `json:"zh,omitempty"`
	EN string `json:"en,omitempty"`
}

func (n nameView) in(o *output) string {
	if n.ZH == "" || n.EN == "" {
		return clean(n.ZH + n.EN)
	}
	return clean(o.say(n.ZH, n.EN))
}

func (n nameView) is(name string) bool {
	return name != "" && (strings.EqualFold(n.ZH, name) || strings.EqualFold(n.EN, name))
}

// actionView is an action as the commands show it.
type actionView struct {
	Do       string   `json:"do"`
	To       string   `json:"to,omitempty"`
	Severity string   `json:"severity,omitempty"`
	Tags     []string `json:"tags,omitempty"`
}

func (a actionView) String() string {
	s := a.Do
	for _, more := range []string{a.To, a.Severity, strings.Join(a.Tags, "+")} {
		if more != "" {
			s += ":" + clean(more)
		}
	}
	return s
}

func actionLine(all []actionView) string {
	var parts []string
	for _, a := range all {
		parts = append(parts, a.String())
	}
	return strings.Join(parts, " ")
}

// outcomeView is what became of an action.
type outcomeView struct {
	Do      string `json:"do"`
	Version int64  `json:"version"`
	Same    bool   `json:"same"`
	Refusal *struct {
		Code string `json:"error_code"`
		Text string `json:"error_msg"`
	} `json:"refusal"`
}

func (v outcomeView) result(o *output) string {
	switch {
	case v.Refusal != nil:
		return o.say("被拒绝：", "refused: ") + clean(v.Refusal.Text) + " (" + v.Refusal.Code + ")"
	case v.Same:
		return o.say("无变化", "no change")
	}
	return o.say("完成", "done")
}

type macroView struct {
	ID      string       `json:"id"`
	Name    nameView     `json:"name"`
	Shared  bool         `json:"shared"`
	Version int64        `json:"version"`
	Actions []actionView `json:"actions"`
}

const macrosPath = "/desk/v1/macros"

// Run lists macros.
func (macroListCmd) Run(ctx context.Context, p *macroCmd, o *output) error {
	var cl *client
	var err error
	if p.Credentials != "" && p.As != "" { // his own as well
		d := &deskCmd{clientFlags: p.clientFlags, As: p.As}
		cl, _, err = d.someone(ctx, o)
	} else {
		cl, err = p.operator(ctx, o)
	}
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, macrosPath, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []macroView `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		o.beside("没有宏", "no macros")
		return nil
	}
	o.heading("ID\t名称\t范围\t操作", "ID\tNAME\tWHOSE\tACTIONS")
	for _, m := range list.Items {
		whose := o.say("共享", "shared")
		if !m.Shared {
			whose = o.say("私有", "private")
		}
		o.printf("%s\t%s\t%s\t%s\n", m.ID, m.Name.in(o), whose, actionLine(m.Actions))
	}
	return nil
}

// on opens a client and finds the macro; it answers the body to send.
func (m macroOnTicket) on(ctx context.Context, p *macroCmd, o *output) (cl *client, path string, body map[string]any, err error) {
	d := &deskCmd{clientFlags: p.clientFlags, jsonFlag: p.jsonFlag, As: p.As}
	cl, name, err := d.engineer(ctx, o, m.Case)
	if err != nil {
		return nil, "", nil, err
	}
	var list struct {
		Items []macroView `json:"items"`
	}
	if err = cl.get(ctx, macrosPath, nil, &list); err != nil {
		cl.end()
		return nil, "", nil, err
	}
	id := m.Macro
	for _, v := range list.Items {
		if v.Name.is(m.Macro) {
			id = v.ID
		}
	}
	body = map[string]any{"number": m.Case}
	if m.Text != "" {
		body["text"] = m.Text
	}
	if !cl.session {
		body["as"] = name
	}
	return cl, macrosPath + "/" + url.PathEscape(id), body, nil
}

// Run shows what the macro would do.
func (c *macroPreviewCmd) Run(ctx context.Context, p *macroCmd, o *output) error {
	cl, path, body, err := c.on(ctx, p, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, path+"/preview", body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var preview struct {
		Number  string `json:"number"`
		Version int64  `json:"version"`
		Effects []struct {
			outcomeView
			Text         string   `json:"text"`
			Missing      []string `json:"missing"`
			StatusName   string   `json:"status_name"`
			AssigneeName string   `json:"assignee_name"`
			Tags         []string `json:"tags"`
			Engineers    []string `json:"engineers"`
			Customer     []struct {
				Channel string `json:"channel"`
				To      string `json:"to"`
			} `json:"customer"`
		} `json:"effects"`
	}
	if err := json.Unmarshal(raw, &preview); err != nil {
		return err
	}
	o.printf("%s\t%s %d\n", preview.Number, o.say("版本", "version"), preview.Version)
	for _, e := range preview.Effects {
		if e.Refusal != nil || e.Same {
			o.printf("%s\t%s\n", e.Do, e.result(o))
			continue
		}
		var told []string
		for _, c := range e.Customer {
			told = append(told, c.Channel+" "+c.To)
		}
		o.printf("%s\t%s\t%s\t%s\t%s\n", e.Do, clean(e.StatusName), clean(e.AssigneeName), clean(strings.Join(e.Tags, ",")), clean(strings.Join(append(told, e.Engineers...), ", ")))
		if e.Text != "" {
			o.printf("\t%s\n", strings.ReplaceAll(clean(e.Text), "\n", "\n\t"))
		}
		if len(e.Missing) > 0 {
			o.printf("\t%s %s\n", o.say("没有值：", "without a value:"), strings.Join(e.Missing, ", "))
		}
	}
	return nil
}

// Run does it; a run that ended early is a failure.
func (c *macroRunCmd) Run(ctx context.Context, p *macroCmd, o *output) error {
	cl, path, body, err := c.on(ctx, p, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if c.SeenVersion > 0 {
		body["version"] = c.SeenVersion
	}
	var raw json.RawMessage
	if err := cl.post(ctx, path+"/run", body, &raw); err != nil {
		return err
	}
	var ran struct {
		Number   string        `json:"number"`
		Version  int64         `json:"version"`
		Done     bool          `json:"done"`
		Outcomes []outcomeView `json:"outcomes"`
	}
	if err := json.Unmarshal(raw, &ran); err != nil {
		return err
	}
	if p.JSON {
		if err := o.json(raw); err != nil {
			return err
		}
	} else {
		for _, v := range ran.Outcomes {
			o.printf("%s\t%s\n", v.Do, v.result(o))
		}
		o.printf("%s\t%s %d\n", ran.Number, o.say("版本", "version"), ran.Version)
	}
	if !ran.Done {
		return problem{"宏没有执行完", "the macro did not come to its end"}
	}
	return nil
}
