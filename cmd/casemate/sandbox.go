package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"casemate/internal/locale"
	"casemate/internal/selftest"
)

// sandboxCmd makes domains to try things in.
type sandboxCmd struct {
	clientFlags
	Create sandboxCreateCmd `cmd:"" help:"Make a sandbox with a main account and two users in a group; prints their credentials, secret keys shown once."`
	List   sandboxListCmd   `cmd:"" help:"List the sandboxes."`
	Show   sandboxShowCmd   `cmd:"" help:"Show a sandbox: its clock and what it caught."`
}

type sandboxCreateCmd struct {
	Name string `arg:"" help:"Name of the new account."`
	Plan string `help:"Support plan; empty = none." placeholder:"NAME"`
}

// Run makes the sandbox and prints it as a credentials file holds it.
func (c *sandboxCreateCmd) Run(ctx context.Context, p *sandboxCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	box, err := selftest.NewSandbox(ctx, cl.call, c.Name, c.Plan, "main", "user1", "user2")
	if err != nil {
		return err
	}
	text, err := json.Marshal(struct {
		BaseURL string             `json:"base_url"`
		Domains []selftest.Sandbox `json:"domains"`
	}{cl.base, []selftest.Sandbox{box}})
	return orJSON(o, err, text)
}

type sandboxListCmd struct{}

// Run lists the sandboxes: id, name and whether they are disabled.
func (c *sandboxListCmd) Run(ctx context.Context, p *sandboxCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	all, err := listDomains(ctx, cl, url.Values{"sandbox": {"true"}})
	if err != nil {
		return err
	}
	found := false
	for _, d := range all {
		if d.Sandbox {
			found = true
			state := o.say("可用", "open")
			if d.Disabled {
				state = o.say("已停用", "disabled")
			}
			o.printf("%s\t%s\t%s\n", d.ID, d.Name, state)
		}
	}
	if !found {
		o.beside("没有沙箱", "no sandboxes")
	}
	return nil
}

// demoCmd acts on a sandbox's time and content.
type demoCmd struct {
	clientFlags
	jsonFlag
	Domain string `help:"The sandbox, by name or id. Default: the only one there is." placeholder:"NAME"`

	Clock  demoClockCmd  `cmd:"" help:"Move a sandbox's clock forward: +3d, +5m, +1d12h. What is due until then happens now."`
	Status demoStatusCmd `cmd:"" help:"What of the demo world is in this installation."`
	Remove demoRemoveCmd `cmd:"" help:"Remove the demo world, its accounts, people, tickets and files, to go on with real use. Needs --yes."`

	Reset demoResetCmd `cmd:"" help:"Empty a sandbox; accounts and access keys stay, its clock is the installation's again."`
}

type demoClockCmd struct {
	By string `arg:"" help:"By how much: +3d, +36h, +5m, +90s."`
}

// Run moves the clock and prints the time it shows.
func (c *demoClockCmd) Run(ctx context.Context, d *demoCmd, o *output) error {
	by, err := parseMove(c.By)
	if err != nil {
		return err
	}
	cl, id, err := d.open(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/domains/"+url.PathEscape(id)+"/clock", map[string]int64{"seconds": int64(by / time.Second)}, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var got struct {
		Ahead int64     `json:"ahead_seconds"`
		Now   time.Time `json:"now"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	o.printf(o.say("%s，快 %s\n", "%s, %s ahead\n"), o.when(got.Now), period(o.lang, got.Ahead))
	return nil
}

type demoResetCmd struct{}

// Run empties the sandbox.
func (c *demoResetCmd) Run(ctx context.Context, d *demoCmd, o *output) error {
	cl, id, err := d.open(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/domains/"+url.PathEscape(id)+"/reset", nil, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	o.printf("%s\n", o.say("已清空", "emptied"))
	return nil
}

// open opens a client and finds the sandbox.
func (d *demoCmd) open(ctx context.Context, o *output) (*client, string, error) {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return nil, "", err
	}
	id, err := d.sandbox(ctx, cl)
	if err != nil {
		cl.end()
	}
	return cl, id, err
}

func (d *demoCmd) sandbox(ctx context.Context, cl *client) (string, error) {
	if d.Domain != "" {
		return findDomain(ctx, cl, d.Domain)
	}
	all, err := listDomains(ctx, cl, url.Values{"sandbox": {"true"}})
	if err != nil {
		return "", err
	}
	found := ""
	for _, one := range all {
		if !one.Sandbox || one.Disabled {
			continue
		}
		if found != "" {
			return "", problem{"有多个沙箱，请用 --domain 指定", "there are several sandboxes: name one with --domain"}
		}
		found = one.ID
	}
	if found == "" {
		return "", problem{"没有沙箱：请先运行 casemate sandbox create NAME", "there is no sandbox: casemate sandbox create NAME makes one"}
	}
	return found, nil
}

var (
	movePart  = regexp.MustCompile(`(\d{1,9})([dhms])`)
	wholeMove = regexp.MustCompile(`^\+?(\d{1,9}[dhms])+$`)
	moveUnits = map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}
)

// maxMove is how far the server moves a clock in one go.
const (
	maxMoveDays = 366
	maxMove     = maxMoveDays * 24 * time.Hour
)

// What is wrong with a move.
var (
	errForward = problem{"时钟只能向前拨动，不能往回；demo reset 会清空沙箱并恢复时钟", "a sandbox's clock only moves forward; demo reset empties the sandbox and sets its clock back"}
	errTooFar  = problem{fmt.Sprintf("每次最多拨动 %d 天", maxMoveDays), fmt.Sprintf("a clock moves by at most %d days in one go", maxMoveDays)}
)

// parseMove reads +3d, +1d12h, 90s; a day has 24 hours. More than 366 days and
// nothing at all are refused.
func parseMove(s string) (time.Duration, error) {
	if strings.HasPrefix(s, "-") && wholeMove.MatchString(s[1:]) {
		return 0, errForward
	}
	if !wholeMove.MatchString(s) {
		return 0, problem{"时间格式为 +3d、+36h、+5m、+90s：" + s, "a move is written +3d, +36h, +5m or +90s: " + s}
	}
	var by time.Duration
	for _, part := range movePart.FindAllStringSubmatch(s, -1) {
		n, err := strconv.Atoi(part[1])
		if err != nil {
			return 0, err
		}
		unit := moveUnits[part[2]]
		if time.Duration(n) > maxMove/unit {
			return 0, errTooFar
		}
		if by += time.Duration(n) * unit; by > maxMove {
			return 0, errTooFar
		}
	}
	if by == 0 {
		return 0, errForward
	}
	return by, nil
}

// period is a number of seconds as people say it: 3 days 12 hours.
func period(lang locale.Language, seconds int64) string {
	var parts []string
	for _, u := range []struct {
		seconds int64
		zh, en  string
	}{{86400, "天", "day"}, {3600, "小时", "hour"}, {60, "分钟", "minute"}, {1, "秒", "second"}} {
		n := seconds / u.seconds
		seconds %= u.seconds
		if n == 0 {
			continue
		}
		if n > 1 {
			u.en += "s"
		}
		parts = append(parts, fmt.Sprintf("%d %s", n, locale.Texts{ZH: u.zh, EN: u.en}.In(lang)))
	}
	if len(parts) == 0 {
		return locale.Texts{ZH: "0 秒", EN: "0 seconds"}.In(lang)
	}
	return strings.Join(parts, " ")
}
