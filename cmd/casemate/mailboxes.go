package main

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

type (
	mailboxesCmd   struct{}
	mailboxTestCmd struct {
		Name string `arg:"" help:"Name of the mailbox."`
	}
)

const mailboxesPath = "/desk/v1/mail/mailboxes"

// Run lists the mailboxes.
func (c *mailboxesCmd) Run(ctx context.Context, p *mailCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, mailboxesPath, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			Name, Address, Server, User, Folder, Node, Error string
			Fetched                                          bool
			OK                                               time.Time `json:"succeeded_at"`
			Lag                                              int64     `json:"lag_ms"`
			Taken, Waiting, Left, Failures                   int64
			Next                                             time.Time `json:"next_try_at"`
		}
		Receiver *struct {
			Address, Protocol      string
			Connections            int
			Taken, Refused, Failed int64
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		o.beside("尚未配置邮箱", "no mailboxes are set up")
		return nil
	}
	for _, b := range list.Items {
		if !b.Fetched {
			o.printf("%s\t%s\t%s\n", b.Name, b.Address, o.say("由邮件服务器投递", "brought by mail servers"))
			continue
		}
		state := o.say("尚未读取", "not read yet")
		switch {
		case b.Error != "":
			state = b.Error
			if !b.Next.IsZero() {
				state += o.say("；下次尝试 ", "; tried again at ") + o.when(b.Next)
			}
		case !b.OK.IsZero():
			state = o.say("正常", "well")
		}
		lag := "-"
		if !b.OK.IsZero() {
			lag = o.span((time.Duration(b.Lag) * time.Millisecond).Round(time.Second))
		}
		o.printf("%s\t%s\t%s\t%s %s\t%s %d\t%s %d\t%s %d\t%s\n", b.Name, b.Address, b.Server, o.say("滞后", "lag"), lag, o.say("已收", "taken"), b.Taken,
			o.say("待收", "waiting"), b.Waiting, o.say("留存", "left"), b.Left, state)
	}
	if r := list.Receiver; r != nil {
		o.printf("%s\t%s\t%s %d\t%s %d\t%s %d\n", r.Protocol, r.Address, o.say("已收", "taken"), r.Taken, o.say("拒收", "refused"), r.Refused, o.say("失败", "failed"), r.Failed)
	}
	return nil
}

// Run logs in to a mailbox; one that does not open is a failure.
func (c *mailboxTestCmd) Run(ctx context.Context, p *mailCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, mailboxesPath+"/"+url.PathEscape(c.Name)+"/test", nil, &raw); err != nil {
		return err
	}
	var t struct {
		OK               bool
		Messages, Unread int64
		Idle             bool
		Detail           string
		Took             int64 `json:"took_ms"`
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	switch {
	case p.JSON:
		if err := o.json(raw); err != nil {
			return err
		}
	case t.OK:
		idle := o.say("服务器不推送，按间隔轮询", "no IDLE: it is polled")
		if t.Idle {
			idle = o.say("服务器推送新邮件（IDLE）", "the server tells of new mails (IDLE)")
		}
		o.printf("%s\t%s %d\t%s %d\t%d ms\t%s\n", o.say("可用", "well"), o.say("邮件", "mails"), t.Messages, o.say("未读", "unread"), t.Unread, t.Took, idle)
	}
	if !t.OK {
		return problem{"邮箱不可用：" + t.Detail, "the mailbox does not work: " + t.Detail}
	}
	return nil
}
