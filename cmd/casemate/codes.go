package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// codesCmd looks after text messages with verification codes.
type codesCmd struct {
	clientFlags
	jsonFlag

	Traffic  codesTrafficCmd  `cmd:"" help:"What was sent, delivered, entered, refused and what it cost."`
	Breakers codesBreakersCmd `cmd:"" help:"Calling codes and customers whose text messages are or were stopped."`
	Reopen   codesReopenCmd   `cmd:"" help:"Let text messages through again."`
}

type codesTrafficCmd struct {
	By    string `help:"country, domain or hour." enum:"country,domain,hour" default:"country"`
	Hours int    `help:"How far back, up to 48." default:"24"`
}

type codesBreakersCmd struct{}

type codesReopenCmd struct {
	Subject string `arg:"" help:"As breakers lists it, e.g. country:86."`
}

// fetch reads a list; done tells that it was printed as JSON.
func (p *codesCmd) fetch(ctx context.Context, o *output, path string, q url.Values, into any) (done bool, err error) {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return false, err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, path, q, &raw); err != nil || p.JSON {
		return true, orJSON(o, err, raw)
	}
	return false, json.Unmarshal(raw, into)
}

// Run prints the traffic.
func (c *codesTrafficCmd) Run(ctx context.Context, p *codesCmd, o *output) error {
	var list struct {
		Items []struct {
			Key, Name                         string
			Sent, Delivered, Entered, Blocked int64
			Cost                              float64
			Reasons                           map[string]int64
		}
	}
	done, err := p.fetch(ctx, o, "/desk/v1/codes/traffic", url.Values{"by": {c.By}, "hours": {strconv.Itoa(c.Hours)}}, &list)
	if err != nil || done {
		return err
	}
	if len(list.Items) == 0 {
		o.printf("%s\n", o.say("没有验证码短信", "no text messages with codes"))
		return nil
	}
	o.printf("%s\n", o.say("对象\t已发送\t已送达\t已输入\t已拦截\t费用\t拦截原因", "subject\tsent\tdelivered\tentered\tblocked\tcost\treasons"))
	for _, l := range list.Items {
		key := l.Key
		if l.Name != "" {
			key = l.Name + " (" + l.Key + ")"
		}
		var reasons []string
		for _, r := range slices.Sorted(maps.Keys(l.Reasons)) {
			reasons = append(reasons, fmt.Sprint(r, " ", l.Reasons[r]))
		}
		o.printf("%s\t%d\t%d\t%d\t%d\t%.2f\t%s\n", key, l.Sent, l.Delivered, l.Entered, l.Blocked, l.Cost, strings.Join(reasons, ", "))
	}
	return nil
}

// Run lists breakers.
func (c *codesBreakersCmd) Run(ctx context.Context, p *codesCmd, o *output) error {
	var list struct {
		Items []struct {
			Subject, State, Reason string
			Trips                  int
			Since, Until           time.Time
		}
	}
	done, err := p.fetch(ctx, o, "/desk/v1/codes/breakers", nil, &list)
	if err != nil || done {
		return err
	}
	if len(list.Items) == 0 {
		o.printf("%s\n", o.say("从未熔断", "nothing has tripped"))
	}
	states := map[string]string{"open": o.say("已停发", "stopped"), "trial": o.say("试发", "trial"), "closed": o.say("正常", "open again")}
	for _, b := range list.Items {
		until := ""
		switch {
		case b.State == "open" && b.Until.IsZero():
			until = o.say("直到管理员恢复", "until an administrator reopens it")
		case b.State == "open":
			until = o.say("至 ", "until ") + o.when(b.Until)
		}
		o.printf("%s\t%s\t%s\t%d\t%s\t%s\n", b.Subject, states[b.State], b.Reason, b.Trips, o.when(b.Since), until)
	}
	return nil
}

// Run reopens.
func (c *codesReopenCmd) Run(ctx context.Context, p *codesCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := cl.post(ctx, "/desk/v1/codes/breakers/"+url.PathEscape(c.Subject)+"/reopen", nil, nil); err != nil {
		return err
	}
	if p.JSON {
		text, err := json.Marshal(map[string]string{"subject": c.Subject})
		return orJSON(o, err, text)
	}
	o.printf("%s\t%s\n", c.Subject, o.say("已恢复", "reopened"))
	return nil
}
