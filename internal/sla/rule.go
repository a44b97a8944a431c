package sla

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
)

// Kind of a target.
type Kind string

// The targets of a rule.
const (
	FirstAnswer Kind = "first_answer" // from creation to the first answer
	NextAnswer  Kind = "next_answer"  // from the customer's word to the next answer, behind the first
	Resolution  Kind = "resolution"   // from creation until the ticket is solved
)

// Rule is what is promised for one ticket: the targets of its plan and severity
// on a calendar. It is data, kept with the ticket for its life.
type Rule struct {
	Plan       string   `json:"plan,omitempty"`     // "" = the house's default
	Severity   string   `json:"severity,omitempty"` // of the plan, "" = the house's default
	Calendar   Calendar `json:"calendar"`
	First      int64    `json:"first_answer,omitempty"` // milliseconds on the calendar, 0 = nothing is promised
	Next       int64    `json:"next_answer,omitempty"`
	Resolution int64    `json:"resolution,omitempty"`
	Warn       int      `json:"warn_percent"`     // of a target: then its handler is warned
	Escalate   int      `json:"escalate_percent"` // of a target: then supervisors are told
}

// Policy is a rule ready for use. It never changes and is safe for concurrent
// use.
type Policy struct {
	Rule
	times *Times
	id    string
	data  string
}

// Compile makes a rule ready for use.
func Compile(r Rule) (*Policy, error) {
	times, wrong := r.Calendar.Times()
	if len(wrong) > 0 {
		return nil, wrong[0]
	}
	if r.First < 0 || r.Next < 0 || r.Resolution < 0 || r.Warn < 1 || r.Escalate < 1 {
		return nil, errors.New("sla: not a rule")
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return &Policy{Rule: r, times: times, id: hex.EncodeToString(sum[:10]), data: string(data)}, nil
}

// Parse reads a rule as Data has written it.
func Parse(data string) (*Policy, error) {
	var r Rule
	if err := json.Unmarshal([]byte(data), &r); err != nil {
		return nil, err
	}
	return Compile(r)
}

// ID names the rule by its content: 20 hexadecimal digits.
func (p *Policy) ID() string { return p.id }

// Data is the rule as JSON.
func (p *Policy) Data() string { return p.data }

// Target is what is promised, 0 = nothing.
func (p *Policy) Target(k Kind) int64 {
	switch k {
	case FirstAnswer:
		return p.First
	case NextAnswer:
		return p.Next
	case Resolution:
		return p.Resolution
	}
	return 0
}

var amountForm = regexp.MustCompile(`^([1-9][0-9]{0,4})([mhd])$`)

// Amount reads a number with its unit on the calendar: m minutes, h hours, d
// working days (Times.Day each; 24 hours around the clock). "" is 0: nothing is
// promised.
func (t *Times) Amount(text string) (ms int64, ok bool) {
	if text == "" {
		return 0, true
	}
	m := amountForm.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // at most five digits
	return n * map[string]int64{"m": 60_000, "h": 3_600_000, "d": t.day}[m[2]], true
}
