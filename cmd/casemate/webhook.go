package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// webhookCmd administers the receivers of events.
type webhookCmd struct {
	clientFlags
	jsonFlag

	Add     webhookAddCmd     `cmd:"" help:"Add a receiver; its secret is printed once."`
	List    webhookListCmd    `cmd:"" help:"List receivers, how far they are and whether they fail."`
	Enable  webhookEnableCmd  `cmd:"" help:"Send events again, from where it stopped."`
	Disable webhookDisableCmd `cmd:"" help:"Send no events until it is enabled again."`
	Delete  webhookDeleteCmd  `cmd:"" help:"Delete a receiver with its log."`
	Rotate  webhookRotateCmd  `cmd:"" help:"Make a new secret; the old one signs beside it for 24 hours."`
	Replay  webhookReplayCmd  `cmd:"" help:"Send again what happened after a number of the change feed."`
	Test    webhookTestCmd    `cmd:"" help:"Send a made-up event now and show what came back."`
	Log     webhookLogCmd     `cmd:"" help:"What was sent and answered, newest first."`
}

const webhooksPath = "/desk/v1/webhooks"

type webhookID struct {
	ID string `arg:"" help:"Webhook id."`
}

func (w webhookID) path() string { return webhooksPath + "/" + url.PathEscape(w.ID) }

type webhookAddCmd struct {
	Address string   `arg:"" name:"address" help:"Address that takes POST requests; https, unless the configuration lists its range."`
	Kind    []string `help:"Kinds of events, or beginnings such as ticket.*; none = all." placeholder:"KIND"`
	Domain  string   `help:"Only events of this customer, by name or id." placeholder:"DOMAIN"`
	About   string   `help:"A note."`
	After   int64    `help:"Begin behind this number of the change feed; -1 = from now on." default:"-1"`
}

type (
	webhookListCmd    struct{}
	webhookEnableCmd  struct{ webhookID }
	webhookDisableCmd struct{ webhookID }
	webhookDeleteCmd  struct{ webhookID }
	webhookRotateCmd  struct{ webhookID }
	webhookTestCmd    struct{ webhookID }
	webhookReplayCmd  struct {
		webhookID
		After int64 `help:"Number to go on behind; 0 sends the whole history." required:""`
	}
	webhookLogCmd struct {
		webhookID
		Limit int `help:"How many at most, up to 100." default:"20"`
	}
)

// receiver is a webhook as the desk API shows it.
type receiver struct {
	ID      string    `json:"id"`
	URL     string    `json:"url"`
	About   string    `json:"about"`
	Domain  string    `json:"domain_id"`
	Kinds   []string  `json:"kinds"`
	Enabled bool      `json:"enabled"`
	Cause   string    `json:"cause"`
	Passed  int64     `json:"passed"`
	Tries   int       `json:"tries"`
	Next    time.Time `json:"next_try_at"`
	Secret  string    `json:"secret"`
}

func (r receiver) print(o *output) {
	state := o.say("启用", "on")
	switch {
	case !r.Enabled && r.Cause != "":
		state = o.say("已停用：", "off: ") + r.Cause
	case !r.Enabled:
		state = o.say("已停用", "off")
	case r.Tries > 0:
		state = o.say("失败 ", "failing, tries ") + strconv.Itoa(r.Tries) + o.say("，下次 ", ", next ") + o.when(r.Next)
	}
	kinds := strings.Join(r.Kinds, ",")
	if kinds == "" {
		kinds = "*"
	}
	o.printf("%s\t%s\t%s\t%s\t%d\n", r.ID, r.URL, kinds, state, r.Passed)
	if r.Secret != "" {
		o.printf("%s\t%s\t%s\n", o.say("密钥", "secret"), r.Secret, o.say("（仅显示一次）", "(shown once)"))
	}
}

// do makes one call and prints the webhook it answers.
func (p *webhookCmd) do(ctx context.Context, o *output, method, path string, body any) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, method, path, nil, body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var r receiver
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	r.print(o)
	return nil
}

// Run adds a receiver.
func (c *webhookAddCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	body := map[string]any{"url": c.Address, "kinds": append([]string{}, c.Kind...)}
	if c.About != "" {
		body["about"] = c.About
	}
	if c.After >= 0 {
		body["after"] = c.After
	}
	if c.Domain != "" {
		cl, err := p.operator(ctx, o)
		if err != nil {
			return err
		}
		defer cl.end()
		if body["domain_id"], err = findDomain(ctx, cl, c.Domain); err != nil {
			return err
		}
	}
	return p.do(ctx, o, http.MethodPost, webhooksPath, body)
}

// Run lists receivers.
func (c *webhookListCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, webhooksPath, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []receiver `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		o.printf("%s\n", o.say("没有 Webhook", "no webhooks"))
	}
	for _, r := range list.Items {
		r.print(o)
	}
	return nil
}

// Run switches it on.
func (c *webhookEnableCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	return p.do(ctx, o, http.MethodPut, c.path(), map[string]bool{"enabled": true})
}

// Run switches it off.
func (c *webhookDisableCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	return p.do(ctx, o, http.MethodPut, c.path(), map[string]bool{"enabled": false})
}

// Run makes a new secret.
func (c *webhookRotateCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	return p.do(ctx, o, http.MethodPost, c.path()+"/secret", nil)
}

// Run sends again.
func (c *webhookReplayCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	return p.do(ctx, o, http.MethodPost, c.path()+"/replay", map[string]int64{"after": c.After})
}

// Run deletes it.
func (c *webhookDeleteCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := cl.call(ctx, http.MethodDelete, c.path(), nil, nil, nil); err != nil {
		return err
	}
	if p.JSON {
		text, err := json.Marshal(map[string]string{"id": c.ID})
		return orJSON(o, err, text)
	}
	o.printf("%s\t%s\n", c.ID, o.say("已删除", "deleted"))
	return nil
}

// sent is an entry of a webhook's log.
type sent struct {
	Delivery string    `json:"delivery_id"`
	Kind     string    `json:"kind"`
	OK       bool      `json:"ok"`
	Status   int       `json:"status"`
	Took     int64     `json:"took_ms"`
	Answer   string    `json:"answer"`
	At       time.Time `json:"at"`
}

func (s sent) print(o *output) {
	result := o.say("失败", "failed")
	if s.OK {
		result = o.say("成功", "ok")
	}
	answer, _, _ := strings.Cut(s.Answer, "\n")
	o.printf("%s\t%s\t%s\t%s\t%d\t%d ms\t%s\n", o.when(s.At), s.Kind, s.Delivery, result, s.Status, s.Took, answer)
}

// Run sends a test; a receiver that does not take it is a failure.
func (c *webhookTestCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, c.path()+"/test", nil, &raw); err != nil {
		return err
	}
	var s sent
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if p.JSON {
		if err := o.json(raw); err != nil {
			return err
		}
	} else {
		s.print(o)
	}
	if !s.OK {
		return problem{"接收方没有接受测试事件", "the receiver did not take the test"}
	}
	return nil
}

// Run prints the log.
func (c *webhookLogCmd) Run(ctx context.Context, p *webhookCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, c.path()+"/deliveries", url.Values{"limit": {strconv.Itoa(c.Limit)}}, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []sent `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		o.printf("%s\n", o.say("还没有发送记录", "nothing was sent yet"))
	}
	for _, s := range list.Items {
		s.print(o)
	}
	return nil
}
