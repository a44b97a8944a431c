package sla

// Gauge is a ticket's clocks in short: just enough to tell, at each step of the
// ticket, which target is due next, without reading its history. It always
// agrees with Clocks.
type Gauge struct {
	At       int64 `json:"at"`    // of the last moment
	State    int   `json:"state"` // after it
	Answered bool  `json:"answered,omitempty"`
	First    Meter `json:"first,omitzero"`
	Next     Meter `json:"next,omitzero"`
	Res      Meter `json:"res,omitzero"`
}

// Meter is one clock of a gauge.
type Meter struct {
	Open bool  `json:"open,omitempty"`
	Used int64 `json:"used,omitempty"` // up to Gauge.At
	Late int64 `json:"late,omitempty"` // the due instant, once it has passed
}

// Begin is the gauge of a ticket that is made now.
func (p *Policy) Begin(at int64) Gauge {
	return Gauge{At: at, First: Meter{Open: p.First > 0}, Res: Meter{Open: p.Resolution > 0}}
}

// Gauge is the gauge behind a whole history, which begins with the creation.
func (p *Policy) Gauge(history []Moment) (g Gauge) {
	for i, m := range history {
		if i == 0 {
			g = p.Begin(m.At)
			continue
		}
		g = p.Step(g, m)
	}
	return g
}

// Step is the gauge behind a moment.
func (p *Policy) Step(g Gauge, m Moment) Gauge {
	to := max(m.At, g.At)
	g.First, g.Next, g.Res = p.run(g, g.First, p.First, to), p.run(g, g.Next, p.Next, to), p.run(g, g.Res, p.Resolution, to)
	switch {
	case m.Answer:
		g.Answered, g.First.Open, g.Next = true, false, Meter{}
	case m.Quiet:
		g.Next = Meter{}
	case m.Customer && g.Answered && p.Next > 0 && !g.Next.Open:
		g.Next = Meter{Open: true}
	}
	g.At, g.State = to, m.State
	return g
}

// run is a meter behind the time in which the ticket stayed in its state.
func (p *Policy) run(g Gauge, m Meter, target, to int64) Meter {
	if !m.Open || rests(g.State) != "" || to <= g.At {
		return m
	}
	before := m.Used
	if m.Used += p.times.Counted(g.At, to); m.Late == 0 && m.Used >= target {
		m.Late = p.times.Add(g.At, target-before)
	}
	return m
}

// meters calls each for every clock that has not stopped.
func (p *Policy) meters(g Gauge, each func(k Kind, m Meter, target int64)) {
	for _, c := range []struct {
		k Kind
		m Meter
	}{{FirstAnswer, g.First}, {Resolution, g.Res}, {NextAnswer, g.Next}} {
		if c.m.Open && !ends(c.k, g.State) {
			each(c.k, c.m, p.Target(c.k))
		}
	}
}

// Due is the nearest due instant of the clocks that run, overdue ones included,
// and whose it is; 0 when none runs.
func (p *Policy) Due(g Gauge) (at int64, kind Kind) {
	p.meters(g, func(k Kind, m Meter, target int64) {
		due := m.Late
		if due == 0 && rests(g.State) == "" {
			due = p.times.Add(g.At, target-m.Used)
		}
		if due > 0 && (at == 0 || due < at) {
			at, kind = due, k
		}
	})
	return at, kind
}

// From is the instant from which a clock counted without a pause would be due
// then: between the two exactly its target is counted. 0 for a clock without a
// target.
func (p *Policy) From(k Kind, due int64) int64 {
	target := p.Target(k)
	if target <= 0 || due <= 0 {
		return 0
	}
	return p.times.Back(due, target)
}

// Alarm is the next instant at which a clock that runs comes to the share that
// warns, or has gone past the share that supervisors are told of or past the
// whole; 0 = none will.
func (p *Policy) Alarm(g Gauge) (at int64) {
	if rests(g.State) != "" {
		return 0
	}
	p.meters(g, func(_ Kind, m Meter, target int64) {
		sooner := func(t int64) {
			if t > 0 && (at == 0 || t < at) {
				at = t
			}
		}
		if warn := target * int64(p.Warn) / 100; m.Used < warn {
			sooner(p.times.Add(g.At, warn-m.Used))
		}
		for _, top := range []int64{target * int64(p.Escalate) / 100, target} {
			if m.Used < top {
				sooner(p.times.Add(g.At, top-m.Used) + 1)
			}
		}
	})
	return at
}
