package webapi

import (
	"context"
	"time"

	"casemate/internal/catalog"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/sla"
	"casemate/internal/ticket"
	"casemate/internal/webapi/oas"
)

// serviceLevels are the clocks of a customer's tickets.
type serviceLevels struct {
	tickets *ticket.Service
	catalog *catalog.Service
}

func at(ms int64) oas.Time { return oas.Time(time.UnixMilli(ms).UTC().Truncate(time.Second)) }

func maybeAt(ms int64) oas.OptTime {
	if ms == 0 {
		return oas.OptTime{}
	}
	return oas.NewOptTime(at(ms))
}

func maybeMs(ms int64) oas.OptInt64 {
	if ms == 0 {
		return oas.OptInt64{}
	}
	return oas.NewOptInt64(ms)
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

// ShowTicketClocks shows the clocks of a ticket the caller may see; shares at
// which the house warns itself are not among it.
func (h serviceLevels) ShowTicketClocks(ctx context.Context, params oas.ShowTicketClocksParams) (*oas.TicketClocks, error) {
	c, err := h.tickets.Clocks(ctx, principal.From(ctx), params.Number, params.GroupID.Or(""))
	if err != nil {
		return nil, err
	}
	lang, r := locale.From(ctx).Language, c.Rule
	out := &oas.TicketClocks{Number: c.Ticket.Number, Now: at(c.Now), NowMs: c.Now, Clocks: []oas.TicketClock{},
		Rule: oas.ClockRule{ID: c.RuleID, Plan: text(r.Plan), PlanName: text(h.catalog.Now().Name(catalog.KindPlan, r.Plan, lang)), SeverityID: text(r.Severity), SeverityName: text(h.catalog.Now().Name(catalog.KindSeverity, r.Severity, lang)),
			FirstAnswerMs: maybeMs(r.First), NextAnswerMs: maybeMs(r.Next), ResolutionMs: maybeMs(r.Resolution), Calendar: calendarOut(r.Calendar, lang)}}
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
