package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"casemate/internal/locale"
	"casemate/internal/sla"
	"casemate/internal/ticket"
)

// slaCmd shows what is promised for tickets and what became of it.
type slaCmd struct {
	clientFlags
	jsonFlag
	Show     slaShowCmd     `cmd:"" help:"Show a ticket's clocks with every interval that was counted or not, and why."`
	Simulate slaSimulateCmd `cmd:"" help:"Replay past tickets under another policy and show what would have been in time and overdue; changes nothing."`
}

type slaShowCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
}

type slaSimulateCmd struct {
	File string `arg:"" help:"Catalogue file with any of calendars, sla, support_plans and severities; each stands in the place of what is in force." type:"existingfile"`
	Last string `help:"Tickets created in so long a time until now, such as 90d or 36h." default:"90d" placeholder:"TIME"`
}

// clocksView is a ticket's clocks.
type clocksView struct {
	Number string    `json:"number"`
	Now    time.Time `json:"now"`
	Rule   struct {
		ID           string `json:"id"`
		Plan         string `json:"plan"`
		SeverityName string `json:"severity_name"`
		Calendar     struct {
			ID   string `json:"id"`
			Name string `json:"name"`
			Zone string `json:"zone"`
		} `json:"calendar"`
	} `json:"rule"`
	Clocks []struct {
		KindName  string     `json:"kind_name"`
		N         int        `json:"n"`
		StateName string     `json:"state_name"`
		Summary   string     `json:"summary"`
		Started   time.Time  `json:"started_at"`
		Ended     *time.Time `json:"ended_at"`
		Due       *time.Time `json:"due_at"`
		Urges     []int64    `json:"urges_ms"`
		Intervals []struct {
			FromMs     int64  `json:"from_ms"`
			ToMs       int64  `json:"to_ms"`
			Counted    bool   `json:"counted"`
			ReasonName string `json:"reason_name"`
		} `json:"intervals"`
	} `json:"clocks"`
}

// Run shows the clocks.
func (c *slaShowCmd) Run(ctx context.Context, p *slaCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, ticketPath(c.Case)+"/clocks", nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var v clocksView
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	v.print(o)
	return nil
}

// print shows the arithmetic, in times of the calendar's zone.
func (v clocksView) print(o *output) {
	zone, err := locale.ParseZone(v.Rule.Calendar.Zone)
	if err != nil {
		zone = time.UTC
	}
	stamp := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04:05 -07:00") }
	rule := v.Rule.Plan
	if rule == "" {
		rule = o.say("默认（该工单不适用支持计划）", "the house's default (no plan applies to this ticket)")
	} else if v.Rule.SeverityName != "" {
		rule += ", " + v.Rule.SeverityName
	}
	name := v.Rule.Calendar.Name
	if name == "" {
		name = v.Rule.Calendar.ID
	}
	o.printf("%s\t%s\t%s (%s)\t%s\n", v.Number, clean(rule), clean(name), v.Rule.Calendar.Zone, stamp(v.Now))
	if len(v.Clocks) == 0 {
		o.printf("%s\n", o.say("没有承诺时限", "nothing is promised"))
	}
	for _, c := range v.Clocks {
		o.printf("\n%s %d\t%s\n", c.KindName, c.N, c.Summary)
		line := stamp(c.Started)
		if c.Ended != nil {
			line += o.say("，结束于 ", ", ended ") + stamp(*c.Ended)
		}
		if c.Due != nil {
			line += o.say("，到期于 ", ", due ") + stamp(*c.Due)
		}
		o.printf("%s%s\n", o.say("开始于 ", "began "), line)
		for _, i := range c.Intervals {
			sign := "-"
			if i.Counted {
				sign = "+"
			}
			o.printf("%s %s\t%s\t%s\t%s\n", sign, stamp(time.UnixMilli(i.FromMs)), stamp(time.UnixMilli(i.ToMs)), span(i.ToMs/1000-i.FromMs/1000), clean(i.ReasonName))
		}
		for _, u := range c.Urges {
			o.printf("! %s\t%s\n", stamp(time.UnixMilli(u)), o.say("客户催单", "urged by the customer"))
		}
	}
}

// span is a duration in seconds as h:mm:ss.
func span(s int64) string {
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// simulationView is the answer of a simulation.
type simulationView struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Tickets int       `json:"tickets"`
	More    int       `json:"more"`
	Groups  []struct {
		Plan         string      `json:"plan"`
		Severity     string      `json:"severity_id"`
		SeverityName string      `json:"severity_name"`
		KindName     string      `json:"kind_name"`
		Tickets      int         `json:"tickets"`
		Now          figuresView `json:"now"`
		Then         figuresView `json:"then"`
	} `json:"groups"`
	Differ []struct {
		Number string     `json:"number"`
		Kind   string     `json:"kind"`
		N      int        `json:"n"`
		Now    string     `json:"now"`
		Then   string     `json:"then"`
		DueWas *time.Time `json:"due_now"`
		Due    *time.Time `json:"due_then"`
	} `json:"differ"`
}

type figuresView struct {
	Met      int `json:"met"`
	Breached int `json:"breached"`
	Open     int `json:"open"`
	Stopped  int `json:"stopped"`
}

// Run simulates.
func (c *slaSimulateCmd) Run(ctx context.Context, p *slaCmd, o *output) error {
	last, err := parseMove(c.Last)
	if err != nil || last < time.Hour {
		return problem{"--last 的格式为 90d 或 36h，至少一小时，最多 366 天：" + c.Last, "--last is written 90d or 36h, an hour at least and 366 days at most: " + c.Last}
	}
	text, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body := map[string]any{"files": map[string]string{filepath.Base(c.File): string(text)}, "last_hours": int(last / time.Hour)}
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/sla/simulate", body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var v simulationView
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	v.print(o)
	return nil
}

func (v simulationView) print(o *output) {
	o.printf(o.say("%s 至 %s 创建的工单：%d\n", "tickets created from %s to %s: %d\n"), o.when(v.From), o.when(v.To), v.Tickets)
	figures := func(f figuresView) string {
		return fmt.Sprintf(o.say("按时 %d，超时 %d，进行中 %d，停止 %d", "in time %d, overdue %d, open %d, stopped %d"), f.Met, f.Breached, f.Open, f.Stopped)
	}
	for _, g := range v.Groups {
		plan, severity := g.Plan, g.SeverityName
		if plan == "" {
			plan = o.say("无支持计划", "no support plan")
		}
		if severity == "" {
			if severity = g.Severity; severity == "" {
				severity = "-"
			}
		}
		o.printf("%s\t%s\t%s\t%d\t%s\t-> %s\n", clean(plan), clean(severity), g.KindName, g.Tickets, figures(g.Now), figures(g.Then))
	}
	state := func(s string) string {
		if s == "" {
			return "-"
		}
		if name := ticket.ClockStateName(sla.State(s), o.lang); name != "" {
			return name
		}
		return s // of a newer server
	}
	when := func(t *time.Time) string {
		if t == nil {
			return "-"
		}
		return o.when(*t)
	}
	for _, d := range v.Differ {
		o.printf("%s\n", strings.Join([]string{d.Number, fmt.Sprint(d.Kind, ".", d.N), state(d.Now), "-> " + state(d.Then), when(d.DueWas), "-> " + when(d.Due)}, "\t"))
	}
	switch {
	case v.More > 0:
		o.printf(o.say("还有 %d 处差异\n", "%d more differ\n"), v.More)
	case len(v.Differ) == 0:
		o.printf("%s\n", o.say("没有结果不同的工单", "no ticket would have come out otherwise"))
	}
}
