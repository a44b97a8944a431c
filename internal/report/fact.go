package report

import (
	"encoding/json"
	"slices"
	"strconv"

	"casemate/internal/event"
	"casemate/internal/principal"
	"casemate/internal/sla"
	"casemate/internal/ticket"
)

// The measures of facts. docs/REPORTS.md says of each what counts and when.
const (
	mCreated    = "created"
	mFinished   = "finished" // detail: state
	mReopened   = "reopened"
	mAnswer     = "answer"
	mFirst      = "first_answer"
	mNext       = "next_answer"
	mResolution = "resolution"
	mAlarm      = "alarm" // detail: mark.clock
	mState      = "state" // detail: state that was left
	mChange     = "change"
	mUrge       = "urge"
	mRated      = "rated"
	mComment    = "comment"
	mScore      = "score" // detail: dimension
	mMacro      = "macro" // detail: macro id
	mRule       = "rule"  // detail: rule id
	mCode       = "code"  // detail: channel
)

// factMeasures are all of them: a look at a time goes by measure and time.
var factMeasures = []string{mAlarm, mAnswer, mChange, mCode, mComment, mCreated, mFinished, mFirst, mMacro, mNext, mRated, mReopened, mResolution, mRule, mScore, mState, mUrge}

// Verdicts of promises.
const (
	met    = "met"
	missed = "missed"
)

// Channels tickets come by.
const (
	byAPI  = "api"
	byMail = "mail"
)

// key names a fact for ever.
type key struct {
	domain, source, measure, detail string
	n                               int64
}

// fact is something that is counted.
type fact struct {
	key
	at                         int64 // milliseconds UTC
	number                     string
	engineer, team, severity   string // then
	product, language, channel string
	amount                     int64
	verdict                    string
}

// facts collects those of one source.
type facts struct {
	base fact
	all  []fact
	nth  map[[2]string]int64
}

func collect(base fact) *facts { return &facts{base: base, nth: map[[2]string]int64{}} }

// hands are who had a ticket at an instant.
type hands struct{ engineer, team, severity string }

func (c *facts) add(measure, detail string, at int64, h hands, amount int64, verdict string) {
	f := c.base
	c.nth[[2]string{measure, detail}]++
	f.measure, f.detail, f.n = measure, detail, c.nth[[2]string{measure, detail}]
	f.at, f.engineer, f.team, f.severity, f.amount, f.verdict = at, h.engineer, h.team, h.severity, amount, verdict
	c.all = append(c.all, f)
}

// said is what the facts read of an event's data.
type said struct {
	From, To   *ticket.Status
	Assignee   *string
	Team       *string
	Severity   *string
	SeverityTo *string `json:"severity_to"`
	Scores     []struct{ Dimension, Points int }
	Comment    *bool
	Clock      string
}

// changes are events that are counted as what they are.
var changes = map[string]string{"ticket.merge": "merge", "ticket.split": "split", "ticket.move": "move", "ticket.undo": "undo", "ticket.transfer": "transfer"}

// factsOf works out the facts of a ticket from its past. The times of a ticket
// never go back.
func factsOf(p ticket.Course, channel string) []fact {
	t := p.Ticket
	c := collect(fact{key: key{domain: t.Domain, source: t.ID}, number: t.Number, product: t.Product, language: string(t.Language), channel: channel})
	var (
		state          = ticket.Submitted
		began, entered int64
		now            hands
		after          = make([]hands, len(p.Rows)) // who had it behind each event
		times          = make([]int64, len(p.Rows))
		last           int64
	)
	now.severity = t.Severity
	if i := slices.IndexFunc(p.Rows, func(r event.Row) bool { return r.Kind == "ticket.create" }); i >= 0 {
		if d := read(p.Rows[i]); d.Severity != nil {
			now.severity = *d.Severity
		}
	}
	for i, r := range p.Rows {
		last = max(last, r.At)
		times[i] = last
		if i == 0 {
			began, entered = last, last
		}
		d := read(r)
		before := now
		if d.Assignee != nil && r.Subject == "ticket" && !isAlarm(r.Kind) {
			now.engineer = *d.Assignee
		}
		if d.Team != nil && (r.Kind == "ticket.transfer" || r.Kind == "ticket.undo") {
			now.team = *d.Team
		}
		if d.SeverityTo != nil {
			now.severity = *d.SeverityTo
		}
		after[i] = now
		if d.From != nil && d.To != nil && *d.To != state {
			from := state
			state = *d.To
			if from.Open() {
				c.add(mState, strconv.Itoa(int(from)), last, before, last-entered, "")
			}
			switch {
			case from.Open() && !state.Open():
				c.add(mFinished, strconv.Itoa(int(state)), last, now, last-began, "")
			case !from.Open() && state.Open():
				c.add(mReopened, "", last, now, 0, "")
			}
			entered = last
		}
		switch {
		case r.Kind == "ticket.create":
			c.add(mCreated, "", last, now, 0, "")
		case r.Kind == "ticket.urge":
			c.add(mUrge, "", last, now, 0, "")
		case r.Kind == "ticket.score":
			c.add(mRated, "", last, now, 0, "")
			if d.Comment != nil && *d.Comment || d.Comment == nil && t.Judgement != "" {
				c.add(mComment, "", last, now, 0, "")
			}
			for _, s := range d.Scores {
				c.add(mScore, strconv.Itoa(s.Dimension), last, now, int64(s.Points), "")
			}
		case isAlarm(r.Kind):
			c.add(mAlarm, r.Kind[len("sla."):]+"."+d.Clock, last, now, 0, "")
		case changes[r.Kind] == "transfer":
			c.add(mChange, "transfer", last, before, 0, "")
		case changes[r.Kind] != "":
			c.add(mChange, changes[r.Kind], last, now, 0, "")
		}
		if p.Moments[i].Answer {
			c.add(mAnswer, "", last, who(r, now), 0, "")
		}
	}
	c.promises(p, times, after)
	return c.all
}

// who is the hands an answer came from: its writer's.
func who(r event.Row, h hands) hands {
	if r.Actor != "" {
		h.engineer = r.Actor
	}
	return h
}

func isAlarm(kind string) bool {
	return kind == "sla.warned" || kind == "sla.breached" || kind == "sla.escalated"
}

func read(r event.Row) (d said) {
	if json.Unmarshal(r.Data, &d) != nil {
		return said{} // of another form: nothing that is counted
	}
	return d
}

// promises are the answers and the solution, each with how long it took on the
// wall and whether the clock that was promised was kept.
func (c *facts) promises(p ticket.Course, times []int64, after []hands) {
	verdicts := map[string]string{}
	for _, k := range p.Clocks {
		switch {
		case k.End > 0 && k.State == sla.Met:
			verdicts[k.Name()] = met
		case k.End > 0 && k.State == sla.Breached:
			verdicts[k.Name()] = missed
		}
	}
	verdict := func(k sla.Kind, n int) string { return verdicts[sla.Clock{Kind: k, N: n}.Name()] }
	m := p.Moments
	first := slices.IndexFunc(m, func(m sla.Moment) bool { return m.Answer })
	if first >= 0 {
		c.add(mFirst, "", times[first], who(p.Rows[first], after[first]), times[first]-times[0], verdict(sla.FirstAnswer, 1))
	}
	for i, n := first+1, 1; first >= 0 && i < len(m); i++ {
		if !m[i].Customer {
			continue
		}
		j := slices.IndexFunc(m[i+1:], func(m sla.Moment) bool { return m.Answer || m.Quiet })
		if j < 0 {
			break
		}
		if j += i + 1; m[j].Answer {
			c.add(mNext, "", times[j], who(p.Rows[j], after[j]), times[j]-times[i], verdict(sla.NextAnswer, n))
		}
		i = j
		n++
	}
	solved := func(s int) bool {
		return ticket.Status(s) == ticket.ToConfirm || !ticket.Status(s).Open()
	}
	over := len(m) - 1
	if !solved(m[over].State) {
		return
	}
	for over > 0 && solved(m[over-1].State) {
		over--
	}
	if s := ticket.Status(m[over].State); s == ticket.ToConfirm || s == ticket.Completed {
		c.add(mResolution, "", times[over], after[over], times[over]-times[0], verdict(sla.Resolution, 1))
	}
}

// otherFacts are those of events that are no ticket's own.
func otherFacts(r event.Row, of map[string]named) []fact {
	var d struct {
		Ticket, State, Channel string
	}
	if json.Unmarshal(r.Data, &d) != nil {
		return nil
	}
	c := collect(fact{key: key{domain: r.Domain, source: r.ID}})
	t, ok := of[d.Ticket]
	switch {
	case r.Kind == "code.send":
		c.add(mCode, d.Channel, r.At, hands{}, 0, "")
		return c.all
	case !ok || t.domain != r.Domain:
		return nil
	}
	c.base.number, c.base.product, c.base.language = t.number, t.product, t.language
	var h hands // team and severity change: what they were then is not known here
	if r.ActorKind == principal.Engineer {
		h.engineer = r.Actor
	}
	switch {
	case r.Kind == "macro.run":
		c.add(mMacro, r.SubjectID, r.At, h, 0, "")
	case r.Kind == "rule.run" && d.State == "failed":
		c.add(mRule, r.SubjectID, r.At, h, 0, missed)
	case r.Kind == "rule.run":
		c.add(mRule, r.SubjectID, r.At, h, 0, met)
	}
	return c.all
}
