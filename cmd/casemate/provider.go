package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// providerCmd looks after mail servers and text message providers.
type providerCmd struct {
	clientFlags
	jsonFlag

	List    providerListCmd    `cmd:"" help:"List providers and how they do."`
	Test    providerTestCmd    `cmd:"" help:"Send a test message through one provider now."`
	Drain   providerDrainCmd   `cmd:"" help:"Give a provider no more messages, on any node."`
	Undrain providerUndrainCmd `cmd:"" help:"Give it messages again."`
	Enable  providerEnableCmd  `cmd:"" help:"Switch a provider on that was set up at the desk or by files."`
	Disable providerDisableCmd `cmd:"" help:"Switch it off, on all nodes; it can still be tested."`
}

const providersPath = "/desk/v1/providers"

type providerName struct {
	Name string `arg:"" help:"Name of the provider."`
}

func (p providerName) path() string { return providersPath + "/" + url.PathEscape(p.Name) }

type (
	providerListCmd    struct{}
	providerDrainCmd   struct{ providerName }
	providerUndrainCmd struct{ providerName }
	providerEnableCmd  struct{ providerName }
	providerDisableCmd struct{ providerName }
	providerTestCmd    struct {
		providerName
		To         string `arg:"" help:"Mail address or phone number."`
		Transcript bool   `help:"Print all that was said, without secrets."`
	}
)

// Run lists providers.
func (c *providerListCmd) Run(ctx context.Context, p *providerCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, providersPath, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			Name, Channel string
			Order, Weight int
			Drained       bool
			Enabled       bool
			Resting       time.Time `json:"resting_until"`
			LastError     string    `json:"last_error"`
			Took          time.Time `json:"took_at"`
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		o.printf("%s\n", o.say("尚未配置通道", "no providers are set up"))
	}
	for _, h := range list.Items {
		state, took := o.say("正常", "well"), o.say("尚未发送", "took nothing yet")
		switch {
		case !h.Enabled:
			state = o.say("已停用", "switched off")
		case h.Drained:
			state = o.say("已摘除", "taken out")
		case !h.Resting.IsZero():
			state = o.say("熔断至 ", "resting until ") + o.when(h.Resting)
		}
		if !h.Took.IsZero() {
			took = o.when(h.Took)
		}
		o.printf("%s\t%s\t%d/%d\t%s\t%s\t%s\n", h.Name, h.Channel, h.Order, h.Weight, state, took, h.LastError)
	}
	return nil
}

// Run sends a test; a provider that does not take it is a failure.
func (c *providerTestCmd) Run(ctx context.Context, p *providerCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, c.path()+"/test", map[string]string{"to": c.To}, &raw); err != nil {
		return err
	}
	var t struct {
		OK         bool
		ProviderID string `json:"provider_id"`
		Detail     string
		Took       int64 `json:"took_ms"`
		Transcript []struct {
			At         int64 `json:"at_ms"`
			From, Text string
		}
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	if c.Transcript && !p.JSON {
		marks := map[string]string{"client": ">", "server": "<", "note": "*"}
		for _, l := range t.Transcript {
			o.printf("%6d %s %s\n", l.At, marks[l.From], l.Text)
		}
	}
	switch {
	case p.JSON:
		if err := o.json(raw); err != nil {
			return err
		}
	case t.OK:
		o.printf("%s\t%d ms\t%s\n", o.say("已接受", "taken"), t.Took, t.ProviderID)
	}
	if !t.OK {
		return problem{"通道未接受测试消息：" + t.Detail, "the provider did not take the test: " + t.Detail}
	}
	return nil
}

// Run takes a provider out.
func (c *providerDrainCmd) Run(ctx context.Context, p *providerCmd, o *output) error {
	return p.change(ctx, o, http.MethodPost, c.providerName, "/drain", o.say("已摘除", "taken out"))
}

// Run takes it back.
func (c *providerUndrainCmd) Run(ctx context.Context, p *providerCmd, o *output) error {
	return p.change(ctx, o, http.MethodDelete, c.providerName, "/drain", o.say("已恢复", "back"))
}

// Run switches a provider on.
func (c *providerEnableCmd) Run(ctx context.Context, p *providerCmd, o *output) error {
	return p.change(ctx, o, http.MethodPost, c.providerName, "/enable", o.say("已启用", "switched on"))
}

// Run switches it off.
func (c *providerDisableCmd) Run(ctx context.Context, p *providerCmd, o *output) error {
	return p.change(ctx, o, http.MethodDelete, c.providerName, "/enable", o.say("已停用", "switched off"))
}

func (p *providerCmd) change(ctx context.Context, o *output, method string, n providerName, what, done string) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := cl.call(ctx, method, n.path()+what, nil, nil, nil); err != nil {
		return err
	}
	if p.JSON {
		text, err := json.Marshal(map[string]string{"name": n.Name})
		return orJSON(o, err, text)
	}
	o.printf("%s\t%s\n", n.Name, done)
	return nil
}
