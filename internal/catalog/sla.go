package catalog

import (
	"context"
	"fmt"
	"sync"

	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/sla"
)

// Calendar is when time counts.
type Calendar struct {
	sla.Calendar `yaml:",inline"`
	at           origin
}

func (e Calendar) key() (string, locale.Texts) { return e.ID, e.Name }

// SLA is what is promised beside the support plans.
type SLA struct {
	WarnPercent     int        `yaml:"warn_percent" json:"warn_percent"`         // 1..99 of a target
	EscalatePercent int        `yaml:"escalate_percent" json:"escalate_percent"` // 1..1000
	House           HouseRules `yaml:"house" json:"house"`
	at              origin
}

func (e SLA) key() (string, locale.Texts) { return "sla", locale.Texts{} }

// HouseRules are the targets of tickets to which no support plan applies; times
// as in Target, "" = none.
type HouseRules struct {
	Clock         string `yaml:"clock" json:"clock"` // id of a calendar
	FirstResponse string `yaml:"first_response" json:"first_response,omitempty"`
	NextResponse  string `yaml:"next_response" json:"next_response,omitempty"`
	Resolution    string `yaml:"resolution" json:"resolution,omitempty"`
}

// takeSLA appends a file's calendars and its sla section.
func (c *content) takeSLA(f fileShape, src *source) {
	c.calendars = appendAt(c.calendars, f.Calendars, "calendars", src, func(e *Calendar, o origin) { e.at = o })
	if f.SLA != nil {
		s := *f.SLA
		s.at = origin{File: src, Path: []any{"sla"}}
		c.sla = append(c.sla, s)
	}
}

// shippedSLA is what a catalogue without calendars or sla has: files that were
// applied before there were any stay valid.
var shippedSLA = sync.OnceValue(func() *content {
	c, wrong := parse(map[string][]byte{"sla.yaml": Default()["sla.yaml"]})
	if len(wrong) > 0 || len(c.sla) != 1 { // embedded
		panic(fmt.Sprint("catalog: the shipped sla.yaml: ", wrong))
	}
	return c
})

func (c *content) calendarsOrShipped() []Calendar {
	if len(c.calendars) == 0 {
		return shippedSLA().calendars
	}
	return c.calendars
}

func (c *content) slaOrShipped() SLA {
	if len(c.sla) == 0 {
		return shippedSLA().sla[0]
	}
	return c.sla[0]
}

func (c *content) calendarIDs() map[string]bool {
	ids := map[string]bool{}
	for _, e := range c.calendarsOrShipped() {
		ids[e.ID] = true
	}
	return ids
}

// Limits of calendars.
const (
	maxCalendars = 50
	maxDates     = 400 // holidays and workdays, each
)

func (c *content) checkSLA(k *checker) {
	distinct(k, c.calendars, "id", func(e Calendar) origin { return e.at })
	if n := len(c.calendars); n > maxCalendars {
		k.say(c.calendars[maxCalendars].at, "最多 %[1]d 个日历", "at most %[1]d calendars", maxCalendars)
	}
	for _, e := range c.calendars {
		k.form(e.at.In("id"), e.ID, planForm)
		k.name(e.at.In("name"), e.Name, maxName)
		for i, h := range e.Holidays {
			k.maybe(e.at.In("holidays", i, "name"), h.Name, maxName)
		}
		if len(e.Holidays) > maxDates || len(e.Workdays) > maxDates {
			k.say(e.at, "holidays 和 workdays 各最多 %[1]d 项", "holidays and workdays have at most %[1]d entries each", maxDates)
			continue
		}
		_, wrong := e.Times()
		for _, w := range wrong {
			k.say(e.at.In(w.Path...), "%[1]s%.0[2]s", "%.0[1]s%[2]s", w.ZH, w.EN)
		}
	}
	for i, s := range c.sla {
		if i > 0 {
			k.say(s.at, "sla 只能出现一次", "sla may stand only once")
		}
		k.between(s.at.In("warn_percent"), s.WarnPercent, 1, 99)
		k.between(s.at.In("escalate_percent"), s.EscalatePercent, 1, 1000)
	}
	// Even where it is the shipped one, which needs the shipped calendars.
	house := c.slaOrShipped()
	at := house.at
	if len(c.sla) == 0 {
		at = origin{}
		if len(c.calendars) > 0 {
			at = c.calendars[0].at
		}
	}
	k.known(at.In("house", "clock"), "calendar", house.House.Clock, c.calendarIDs())
	k.maybeAmount(at.In("house", "first_response"), house.House.FirstResponse)
	k.maybeAmount(at.In("house", "next_response"), house.House.NextResponse)
	k.maybeAmount(at.In("house", "resolution"), house.House.Resolution)
}

// maybeAmount demands a time or nothing.
func (k *checker) maybeAmount(at origin, s string) {
	if s != "" {
		k.form(at, s, targetForm)
	}
}

// promises are the rules of a catalogue, ready for use.
type promises struct {
	house  *sla.Policy
	rules  map[[2]string]*sla.Policy // by plan and severity
	lowest map[string]*sla.Policy    // by plan: of its lowest severity
}

func promisesOf(c content) (promises, error) {
	p := promises{rules: map[[2]string]*sla.Policy{}, lowest: map[string]*sla.Policy{}}
	calendars := map[string]sla.Calendar{}
	for _, e := range c.calendarsOrShipped() {
		calendars[e.ID] = e.Calendar
	}
	common := c.slaOrShipped()
	rule := func(plan, severity, clock, first, next, resolution string) (*sla.Policy, error) {
		r := sla.Rule{Plan: plan, Severity: severity, Calendar: calendars[clock], Warn: common.WarnPercent, Escalate: common.EscalatePercent}
		times, wrong := r.Calendar.Times()
		if len(wrong) > 0 {
			return nil, fmt.Errorf("calendar %q: %w", clock, wrong[0])
		}
		for text, into := range map[*int64]string{&r.First: first, &r.Next: next, &r.Resolution: resolution} {
			ms, ok := times.Amount(into)
			if !ok {
				return nil, fmt.Errorf("plan %q, severity %q: not a time: %q", plan, severity, into)
			}
			*text = ms
		}
		return sla.Compile(r)
	}
	var err error
	h := common.House
	if p.house, err = rule("", "", h.Clock, h.FirstResponse, h.NextResponse, h.Resolution); err != nil {
		return p, err
	}
	rank := map[string]int{}
	for i, s := range c.severities {
		rank[s.ID] = i
	}
	for _, plan := range c.plans {
		low := -1
		for _, t := range plan.Targets {
			r, err := rule(plan.ID, t.Severity, plan.Clock, t.FirstResponse, t.NextResponse, t.Resolution)
			if err != nil {
				return p, err
			}
			p.rules[[2]string{plan.ID, t.Severity}] = r
			if rank[t.Severity] > low {
				low, p.lowest[plan.ID] = rank[t.Severity], r
			}
		}
	}
	return p, nil
}

// Promise is the rule of a ticket: of its plan and severity; without a severity,
// or with one that the plan does not have, of the plan's lowest; and the house's
// default without a plan, or where plans do not apply to the problem type.
func (c *Catalog) Promise(plan, severity, problemType string) *sla.Policy {
	if r, ok := c.promises.rules[[2]string{plan, severity}]; ok {
		return r
	}
	kind := c.problemTypes[problemType]
	if r, ok := c.promises.lowest[plan]; ok && (severity != "" || c.planApplies(kind)) {
		return r
	}
	if c.promises.house == nil { // nothing was ever applied
		p, err := promisesOf(content{})
		if err != nil { // embedded
			panic(err)
		}
		return p.house
	}
	return c.promises.house
}

var errNoPolicy = fault.New(fault.Invalid, fault.CodeInvalid, "文件中没有 calendars、sla、support_plans 或 severities", "the files hold none of calendars, sla, support_plans and severities").In("files")

// Imagine is the catalogue in force with the calendars, the sla section, the
// support plans and the severities of some files, each as a whole in the place
// of what is in force; what the files do not have stays. Nothing is stored. For
// supervisors. It fails like Plan.
func (s *Service) Imagine(_ context.Context, who principal.Principal, files map[string][]byte) (*Catalog, error) {
	if !who.Admin() && !who.Is(principal.RoleSupervisor) || who.Partner != "" {
		return nil, fault.NoPermission
	}
	given, wrong := parse(files)
	if len(wrong) > 0 {
		return nil, (&Broken{wrong}).asFault()
	}
	if len(given.calendars)+len(given.sla)+len(given.plans)+len(given.severities) == 0 {
		return nil, errNoPolicy
	}
	now := s.Now()
	c := now.live
	if len(given.calendars) > 0 {
		c.calendars = given.calendars
	}
	if len(given.sla) > 0 {
		c.sla = given.sla
	}
	if len(given.plans) > 0 {
		c.plans = given.plans
	}
	if len(given.severities) > 0 {
		c.severities = given.severities
	}
	k := &checker{}
	severities := distinct(k, c.severities, "id", func(e Severity) origin { return e.at })
	distinct(k, c.plans, "id", func(e Plan) origin { return e.at })
	c.checkSeverities(k, severities)
	c.checkSLA(k)
	if len(k.wrong) > 0 {
		return nil, (&Broken{k.wrong}).asFault()
	}
	return build(now.Version, c.entries(), s.o.UnlimitedQuota)
}
