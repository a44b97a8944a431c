package desk

import (
	"context"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/sla"
	"casemate/internal/ticket"
)

// serviceLevels are the clocks of tickets.
type serviceLevels struct {
	tickets *ticket.Service
	catalog *catalog.Service
}

func maybeMs(ms int64) oas.OptInt64 {
	if ms == 0 {
		return oas.OptInt64{}
	}
	return oas.NewOptInt64(ms)
}

// maybeKind is absent when empty.
func maybeKind(k sla.Kind) oas.OptClockKind {
	if k == "" {
		return oas.OptClockKind{}
	}
	return oas.NewOptClockKind(oas.ClockKind(k))
}

func maybeState(s sla.State) oas.OptClockState {
	if s == "" {
		return oas.OptClockState{}
	}
	return oas.NewOptClockState(oas.ClockState(s))
}

func calendarOut(c sla.Calendar, lang locale.Language) oas.ClockCalendar {
	out := oas.ClockCalendar{ID: c.ID, Name: text(c.Name.In(lang)), Zone: c.Zone, Hours: oas.ClockCalendarHours(c.Hours),
		Holidays: []oas.ClockCalendarHolidaysItem{}, Workdays: []oas.ClockCalendarWorkdaysItem{}}
	for _, h := range c.Holidays {
		out.Holidays = append(out.Holidays, oas.ClockCalendarHolidaysItem{From: h.From, To: h.Last(), Name: text(h.Name.In(lang))})
	}
	for _, w := range c.Workdays {
		out.Workdays = append(out.Workdays, oas.ClockCalendarWorkdaysItem{Date: w.Date, Hours: append([]string{}, w.Hours...)})
	}
	return out
}

// ShowTicketClocks shows the clocks of a ticket of any domain.
func (h serviceLevels) ShowTicketClocks(ctx context.Context, params oas.ShowTicketClocksParams) (*oas.TicketClocks, error) {
	c, err := h.tickets.DeskClocks(ctx, principal.From(ctx), params.Number)
	if err != nil {
		return nil, err
	}
	lang, r := locale.From(ctx).Language, c.Rule
	out := &oas.TicketClocks{Number: c.Ticket.Number, Now: at(c.Now), NowMs: c.Now, Clocks: []oas.TicketClock{},
		Rule: oas.ClockRule{ID: c.RuleID, Plan: text(r.Plan), PlanName: text(h.catalog.Now().Name(catalog.KindPlan, r.Plan, lang)), SeverityID: text(r.Severity), SeverityName: text(h.catalog.Now().Name(catalog.KindSeverity, r.Severity, lang)),
			FirstAnswerMs: maybeMs(r.First), NextAnswerMs: maybeMs(r.Next), ResolutionMs: maybeMs(r.Resolution),
			WarnPercent: int32(r.Warn), EscalatePercent: int32(r.Escalate), Calendar: calendarOut(r.Calendar, lang)}}
	for _, k := range c.All {
		o := oas.TicketClock{Kind: oas.ClockKind(k.Kind), KindName: ticket.KindName(k.Kind, lang), N: int32(k.N), State: oas.ClockState(k.State),
			StateName: ticket.ClockStateName(k.State, lang), Summary: ticket.Summary(k, lang), TargetMs: k.Target, UsedMs: k.Used, LeftMs: k.Left,
			StartedAt: at(k.Start), StartedMs: k.Start, EndedAt: maybeAt(k.End), EndedMs: maybeMs(k.End), DueAt: maybeAt(k.Due), DueMs: maybeMs(k.Due),
			Intervals: []oas.ClockInterval{}, UrgesMs: append([]int64{}, k.Urges...)}
		for _, i := range k.Intervals {
			o.Intervals = append(o.Intervals, oas.ClockInterval{From: at(i.From), To: at(i.To), FromMs: i.From, ToMs: i.To, Counted: i.Counted,
				Reason: oas.ClockIntervalReason(i.Reason), ReasonName: ticket.ReasonName(r, i, lang)})
		}
		out.Clocks = append(out.Clocks, o)
	}
	return out, nil
}

func figures(f ticket.Figures) oas.ClockFigures {
	return oas.ClockFigures{Met: int32(f.Met), Breached: int32(f.Breached), Open: int32(f.Open), Stopped: int32(f.Stopped)}
}

// SimulateServiceLevels replays history under other files.
func (h serviceLevels) SimulateServiceLevels(ctx context.Context, req *oas.SimulateReq) (*oas.Simulation, error) {
	got, err := h.tickets.Simulate(ctx, principal.From(ctx), bytesOf(req.Files), time.Duration(req.LastHours.Or(2160))*time.Hour)
	if err != nil {
		return nil, err
	}
	lang := locale.From(ctx).Language
	out := &oas.Simulation{From: at(got.From), To: at(got.To), Tickets: int32(got.Tickets), More: int32(got.More),
		Groups: []oas.SimulationGroupsItem{}, Differ: []oas.SimulationDifferItem{}}
	for _, g := range got.Groups {
		out.Groups = append(out.Groups, oas.SimulationGroupsItem{Plan: g.Plan, SeverityID: g.Severity, SeverityName: text(h.catalog.Now().Name(catalog.KindSeverity, g.Severity, lang)),
			Kind: oas.ClockKind(g.Kind), KindName: ticket.KindName(g.Kind, lang), Tickets: int32(g.Tickets), Now: figures(g.Now), Then: figures(g.Then)})
	}
	for _, d := range got.Differ {
		out.Differ = append(out.Differ, oas.SimulationDifferItem{Number: d.Number, Kind: oas.ClockKind(d.Kind), N: int32(d.N), Now: maybeState(d.Now), Then: maybeState(d.Then),
			DueNow: maybeAt(d.DueNow), DueThen: maybeAt(d.DueThen)})
	}
	return out, nil
}
