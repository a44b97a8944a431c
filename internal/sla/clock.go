package sla

import (
	"cmp"
	"slices"
	"strconv"
)

// Ticket states, with the numbers of the wire (case_status.csv).
const (
	stateConfirm  = 2
	stateDone     = 3
	stateCanceled = 4
	statePaused   = 5
	stateInvalid  = 12
	stateDeleted  = 13
	stateFeedback = 17
)

// Moment is something that happened to a ticket.
type Moment struct {
	At       int64
	State    int  // after it
	Answer   bool // an engineer or a partner said something to the customer
	Customer bool // the customer said something, or what he said and nobody answered came from another ticket
	Quiet    bool // what the customer waited for went to another ticket
	Urge     bool // the customer urged: a mark on the clocks, it shortens nothing
}

// Reason is why an interval counted, or did not.
type Reason string

// The reasons. The first two count.
const (
	InHours      Reason = "in_hours"
	ExtraDay     Reason = "extra_workday"
	OutsideHours Reason = "outside_hours"
	DayOff       Reason = "day_off"              // a weekday without hours
	OnHoliday    Reason = "holiday"              // Interval.Holiday tells which
	OnPause      Reason = "paused"               // state 5
	ForCustomer  Reason = "waiting_customer"     // state 17
	ForConfirm   Reason = "waiting_confirmation" // state 2: solved, unless the customer says no
	Ended        Reason = "ended"                // the ticket was over, and was opened again later
)

// Reasons are all of them.
var Reasons = []Reason{InHours, ExtraDay, OutsideHours, DayOff, OnHoliday, OnPause, ForCustomer, ForConfirm, Ended}

// Interval is a part of a clock's time that is alike.
type Interval struct {
	From, To int64
	Counted  bool
	Reason   Reason
	Holiday  int // place in the calendar's holidays from 1, for OnHoliday
}

// State of a clock.
type State string

// The states of clocks.
const (
	Running  State = "running"
	Paused   State = "paused"   // in time; nothing is counted in the ticket's present state
	Met      State = "met"      // what was promised came in time
	Breached State = "breached" // the due instant has passed, whether or not it came since
	Stopped  State = "stopped"  // in time when the ticket ended, or the question went to another one, without what was promised
)

// Clock is one promise and what became of it.
type Clock struct {
	Kind   Kind
	N      int   // which one of its kind, from 1
	Target int64 // milliseconds to count
	Start  int64
	End    int64 // when it stopped, 0 = it has not
	// Due is the earliest instant at which the whole target is counted: past, or
	// ahead if the ticket's state stays. 0 while the clock is paused, because
	// nobody knows, and beyond the calendar's horizon.
	Due       int64
	Warn      int64 // as Due, of the share that warns
	Escalate  int64 // as Due, of the share at which supervisors are told
	State     State
	Used      int64 // counted so far
	Left      int64 // Target - Used; below 0 when it took longer
	Intervals []Interval
	Urges     []int64
}

// Open tells whether the clock has not stopped.
func (c Clock) Open() bool { return c.End == 0 }

// piece is a part of a ticket's time in one state.
type piece struct {
	from, to int64
	state    int
}

// clean puts a history in order: times never go back, what lies behind now has
// not happened.
func clean(history []Moment, now int64) []Moment {
	var out []Moment
	last := int64(0)
	for _, m := range history {
		if m.At = max(m.At, last); m.At > now {
			break
		}
		last = m.At
		out = append(out, m)
	}
	return out
}

// Clocks computes the clocks of a ticket as of an instant from its history,
// which begins with its creation and is in the order in which it happened; what
// lies behind the instant is left out. They are in the order of their start; a
// target of 0 has none.
func (p *Policy) Clocks(history []Moment, now int64) []Clock {
	h := clean(history, now)
	if len(h) == 0 {
		return nil
	}
	var out []Clock
	add := func(k Kind, n, start, end int) {
		if p.Target(k) > 0 {
			out = append(out, p.clock(k, n, h, start, end, now))
		}
	}
	first := slices.IndexFunc(h, func(m Moment) bool { return m.Answer })
	add(FirstAnswer, 1, 0, first)
	add(Resolution, 1, 0, -1)
	for i, n := first+1, 1; first >= 0 && i < len(h); i++ {
		if !h[i].Customer {
			continue
		}
		answer := slices.IndexFunc(h[i+1:], func(m Moment) bool { return m.Answer || m.Quiet })
		if answer < 0 {
			add(NextAnswer, n, i, -1)
			break
		}
		add(NextAnswer, n, i, i+1+answer)
		i += 1 + answer
		n++
	}
	return out
}

// Reign is a rule and the instant up to which a ticket's clocks went by it; of
// the last of several Until does not matter.
type Reign struct {
	*Policy
	Until int64
}

// ClocksOf is Clocks for a ticket whose rule changed, the rules in the order in
// which they were in force. A clock goes by the rule that was in force when it
// stopped, as if that had always been its rule; one that is open goes by the
// last. When a clock stops does not depend on the rule.
func ClocksOf(rules []Reign, history []Moment, now int64) (out []Clock) {
	if len(rules) == 1 {
		return rules[0].Clocks(history, now)
	}
	for i, r := range rules {
		for _, c := range r.Clocks(history, now) {
			of := len(rules) - 1
			if !c.Open() {
				if j := slices.IndexFunc(rules[:of], func(r Reign) bool { return c.End <= r.Until }); j >= 0 {
					of = j
				}
			}
			if of == i {
				out = append(out, c)
			}
		}
	}
	place := map[Kind]int{FirstAnswer: 0, Resolution: 1, NextAnswer: 2}
	slices.SortFunc(out, func(a, b Clock) int { return cmp.Or(cmp.Compare(place[a.Kind], place[b.Kind]), cmp.Compare(a.N, b.N)) })
	return out
}

// ends tells whether a state stops a clock until the ticket is opened again.
func ends(k Kind, state int) bool {
	switch state {
	case stateDone, stateCanceled, stateInvalid, stateDeleted:
		return true
	case stateConfirm:
		return k == Resolution
	}
	return false
}

// rests is why a state does not count, "" when it does.
func rests(state int) Reason {
	switch state {
	case statePaused:
		return OnPause
	case stateFeedback:
		return ForCustomer
	case stateConfirm:
		return ForConfirm
	case stateDone, stateCanceled, stateInvalid, stateDeleted:
		return Ended
	}
	return ""
}

// clock computes one clock from the moment that starts it to the one that
// answers it, -1 = none has.
func (p *Policy) clock(k Kind, n int, h []Moment, start, answer int, now int64) Clock {
	c := Clock{Kind: k, N: n, Target: p.Target(k), Start: h[start].At}
	stop, met := now, false
	last := h[len(h)-1].State
	if answer >= 0 {
		stop, met = h[answer].At, h[answer].Answer
		c.End = stop
	} else if ends(k, last) {
		over := len(h) - 1 // the moment that began the present end
		for over > start && ends(k, h[over-1].State) {
			over--
		}
		stop = h[over].At
		c.End = stop
		met = k == Resolution && (h[over].State == stateConfirm || h[over].State == stateDone)
	}
	var pieces []piece
	for i := start; i < len(h) && h[i].At < stop; i++ {
		to := stop
		if i+1 < len(h) {
			to = min(h[i+1].At, stop)
		}
		pieces = append(pieces, piece{h[i].At, to, h[i].State})
	}
	for _, pc := range pieces {
		c.fill(p.times, pc)
	}
	for _, m := range h[start:] {
		if m.Urge && m.At <= stop && (answer < 0 || m.At < stop) {
			c.Urges = append(c.Urges, m.At)
		}
	}
	c.Left = c.Target - c.Used
	state := h[len(h)-1].State
	if c.End > 0 {
		state = 0 // had it gone on
	}
	c.Due = p.reach(c, c.Target, stop, state)
	c.Warn = p.reach(c, c.Target*int64(p.Rule.Warn)/100, stop, state)
	c.Escalate = p.reach(c, c.Target*int64(p.Rule.Escalate)/100, stop, state)
	switch {
	case c.Due > 0 && stop > c.Due:
		c.State = Breached
	case c.End > 0 && met:
		c.State = Met
	case c.End > 0:
		c.State = Stopped
	case rests(last) != "":
		c.State = Paused
	default:
		c.State = Running
	}
	return c
}

// fill appends the intervals of a piece.
func (c *Clock) fill(t *Times, pc piece) {
	if pc.to <= pc.from {
		return
	}
	if why := rests(pc.state); why != "" {
		c.put(Interval{From: pc.from, To: pc.to, Reason: why})
		return
	}
	t.walk(pc.from, func(s segment) bool {
		to := min(s.to, pc.to)
		if to > s.from {
			c.put(Interval{s.from, to, s.counted, s.reason, s.holiday})
		}
		if s.counted {
			c.Used += max(to-s.from, 0)
		}
		return s.to < pc.to
	})
}

// put appends an interval, or makes the last one longer when it is alike.
func (c *Clock) put(i Interval) {
	if n := len(c.Intervals); n > 0 {
		l := &c.Intervals[n-1]
		if l.To == i.From && l.Reason == i.Reason && l.Holiday == i.Holiday {
			l.To = i.To
			return
		}
	}
	c.Intervals = append(c.Intervals, i)
}

// reach is the earliest instant at which so much is counted: in the intervals,
// or ahead of them if the state stays.
func (p *Policy) reach(c Clock, amount, stop int64, state int) int64 {
	if c.Used < amount {
		if rests(state) != "" {
			return 0
		}
		return p.times.Add(stop, amount-c.Used)
	}
	for _, i := range c.Intervals {
		if !i.Counted {
			continue
		}
		if length := i.To - i.From; amount > length {
			amount -= length
			continue
		}
		return i.From + amount
	}
	return c.Start
}

// Nearest is the open clock whose due instant comes first, overdue ones
// included: what a queue sorts by. False when no clock is running.
func Nearest(all []Clock) (near Clock, ok bool) {
	for _, c := range all {
		if c.Open() && c.Due > 0 && (!ok || c.Due < near.Due) {
			near, ok = c, true
		}
	}
	return near, ok
}

// Name is what tells a clock from the others of its ticket, e.g. next_answer.2.
func (c Clock) Name() string { return string(c.Kind) + "." + strconv.Itoa(c.N) }
