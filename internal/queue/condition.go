package queue

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Condition is what must hold for a rule to act: one comparison, or all, any or
// none of others. Exactly one of All, Any, Not and Field is given.
type Condition struct {
	All    []Condition `json:"all,omitempty" yaml:"all,omitempty"`
	Any    []Condition `json:"any,omitempty" yaml:"any,omitempty"`
	Not    *Condition  `json:"not,omitempty" yaml:"not,omitempty"`
	Field  string      `json:"field,omitempty" yaml:"field,omitempty"`
	Op     string      `json:"op,omitempty" yaml:"op,omitempty"`
	Value  string      `json:"value,omitempty" yaml:"value,omitempty"`
	Values []string    `json:"values,omitempty" yaml:"values,omitempty"` // of op in
}

// Limits of conditions.
const (
	maxCondDepth  = 5
	maxConditions = 50
	maxCondValues = 50
	maxCondValue  = 200 // characters
)

// fieldSort is the sort of a field: which operators it takes.
type fieldSort int

const (
	sortWord   fieldSort = iota // eq, ne, in
	sortNumber                  // eq, ne, in, at_least
	sortMarks                   // contains
	sortText                    // contains
	sortAge                     // older_than
	sortDue                     // within
)

var condOperators = map[fieldSort][]string{sortWord: {"eq", "ne", "in"}, sortNumber: {"eq", "ne", "in", "at_least"}, sortMarks: {"contains"}, sortText: {"contains"}, sortAge: {"older_than"}, sortDue: {"within"}}

// condFields of the desk's row of a ticket, of its texts and of the event.
var condFields = map[string]fieldSort{
	"status": sortNumber, "urges": sortNumber,
	"severity": sortWord, "product": sortWord, "sub_type": sortWord, "problem_type": sortWord, "region": sortWord, "plan": sortWord, "language": sortWord, "assignee": sortWord, "owner": sortWord,
	"domain": sortWord, "creator": sortWord, "event": sortWord, "by": sortWord, "team": sortWord, "due": sortDue,
	"tags": sortMarks, "text": sortText, "message": sortText, "description": sortText,
	"created": sortAge, "changed": sortAge, "in_state": sortAge,
}

// ConditionFields are the names of what conditions compare, in order.
func ConditionFields() (names []string) {
	for name := range condFields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var (
	errOneOf    = fault.New(fault.Invalid, fault.CodeInvalid, "{field} 须且只能给出 all、any、not 或 field 之一", "{field} has exactly one of all, any, not and field")
	errDepth    = fault.New(fault.Invalid, fault.CodeInvalid, "条件 {field} 嵌套过深，最多 {max} 层", "{field} lies too deep: conditions go {max} levels down").With("max", maxCondDepth)
	errOperator = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 的值无效，{of} 可用：{known}", "the value of {field} is not known; {of} takes {known}")
	errAge      = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 须为 1m 到 365d 的时长，如 30m、48h、3d", "{field} is a time from 1m to 365d such as 30m, 48h or 3d")

	ageForm = regexp.MustCompile(`^([1-9][0-9]{0,5})([mhd])$`)
)

// parseAge reads 30m, 48h or 3d.
func parseAge(s string) (time.Duration, bool) {
	m := ageForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, _ := strconv.Atoi(m[1])
	d := time.Duration(n) * map[string]time.Duration{"m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[m[2]]
	return d, d <= 365*24*time.Hour
}

// checkCondition holds a condition against the rules and puts ids for engineers'
// names. Failures: OSM.01010001 naming the place, such as if.all[1].not.value.
func (s *Service) checkCondition(ctx context.Context, path string, c *Condition, depth int, count *int) error {
	if depth > maxCondDepth {
		return errDepth.In(path)
	}
	if *count++; *count > maxConditions {
		return fault.TooManyItems.In("if").With("max", maxConditions)
	}
	given := 0
	for _, is := range []bool{len(c.All) > 0, len(c.Any) > 0, c.Not != nil, c.Field != ""} {
		if is {
			given++
		}
	}
	if given != 1 || c.Field == "" && (c.Op != "" || c.Value != "" || len(c.Values) > 0) {
		return errOneOf.In(path)
	}
	for name, list := range map[string][]Condition{"all": c.All, "any": c.Any} {
		for i := range list {
			if err := s.checkCondition(ctx, fmt.Sprintf("%s.%s[%d]", path, name, i), &list[i], depth+1, count); err != nil {
				return err
			}
		}
	}
	if c.Not != nil {
		return s.checkCondition(ctx, path+".not", c.Not, depth+1, count)
	}
	if c.Field == "" {
		return nil
	}
	of, ok := condFields[c.Field]
	if !ok {
		return errOperator.In(path+".field").With("of", "field").With("known", fault.List(ConditionFields()))
	}
	if !slices.Contains(condOperators[of], c.Op) {
		return errOperator.In(path+".op").With("of", c.Field).With("known", fault.List(condOperators[of]))
	}
	switch {
	case c.Op == "in" && c.Value != "":
		return errNotHere.In(path+".value").With("do", c.Op)
	case c.Op != "in" && len(c.Values) > 0:
		return errNotHere.In(path+".values").With("do", c.Op)
	case c.Op == "in" && len(c.Values) == 0:
		return fault.Missing.In(path + ".values")
	case c.Op == "in" && len(c.Values) > maxCondValues:
		return fault.TooManyItems.In(path+".values").With("max", maxCondValues)
	case c.Op == "in":
		for i := range c.Values {
			if err := s.checkValue(ctx, fmt.Sprintf("%s.values[%d]", path, i), c.Field, of, &c.Values[i]); err != nil {
				return err
			}
		}
		return nil
	}
	return s.checkValue(ctx, path+".value", c.Field, of, &c.Value)
}

// condEnums are the fields whose values are few.
var condEnums = map[string][]string{"by": {"customer", "engineer", "system"}, "owner": {"house", "partner", "isv"}, "language": {"zh-cn", "en-us"}}

func (s *Service) checkValue(ctx context.Context, path, field string, of fieldSort, v *string) error {
	if utf8.RuneCountInString(*v) > maxCondValue {
		return fault.TooLong.In(path).With("max", maxCondValue)
	}
	switch of {
	case sortNumber:
		n, err := strconv.Atoi(*v)
		if err != nil || n < 0 || field == "status" && !ticket.Status(n).Known() {
			return fault.Unknown.In(path)
		}
	case sortText, sortMarks:
		if strings.TrimSpace(*v) == "" {
			return errAutoBlank.In(path)
		}
	case sortAge, sortDue:
		if _, ok := parseAge(*v); !ok {
			return errAge.In(path)
		}
	case sortWord:
		if known, ok := condEnums[field]; ok && !slices.Contains(known, *v) {
			return errOperator.In(path).With("of", field).With("known", fault.List(known))
		}
		if field == "event" && !slices.Contains(Triggers, *v) && *v != timeKind {
			return fault.Unknown.In(path)
		}
		if field == "assignee" && *v != ticket.Nobody {
			id, err := s.engineerID(ctx, path, *v)
			if err != nil {
				return err
			}
			*v = id
		}
	}
	return nil
}

// facts are what conditions are about.
type facts struct {
	t       ticket.Ticket
	tags    []string
	kind    string // of the event
	by      principal.Kind
	from    ticket.Status // before and behind the event
	to      ticket.Status
	message string // that came with the event
	team    string // id, "" = none
	now     int64
}

func factsOf(t ticket.Ticket, tags []string, e event.Row, now int64) facts {
	f := facts{t: t, tags: tags, kind: e.Kind, by: e.ActorKind, now: now}
	var ok bool
	if f.from, f.to, ok = eventMove(e); !ok {
		f.from, f.to = t.Status, t.Status
	}
	return f
}

func (f facts) side() string {
	switch f.by {
	case principal.Customer:
		return "customer"
	case principal.Engineer, principal.Local:
		return "engineer"
	}
	return "system"
}

// word is the value of a field that is a word or a number.
func (f facts) word(field string) string {
	switch field {
	case "status":
		return strconv.Itoa(int(f.t.Status))
	case "urges":
		return strconv.Itoa(f.t.Urges)
	case "severity":
		return f.t.Severity
	case "product":
		return f.t.Product
	case "sub_type":
		return f.t.SubType
	case "problem_type":
		return f.t.ProblemType
	case "region":
		if strings.HasPrefix(f.t.Region, "~") {
			return "" // a sensitive one answers no filter
		}
		return f.t.Region
	case "plan":
		return f.t.Plan
	case "language":
		return string(f.t.Language)
	case "assignee":
		if f.t.Assignee == "" {
			return ticket.Nobody
		}
		return f.t.Assignee
	case "owner":
		for name, o := range autoOwners {
			if o == f.t.Ownership {
				return name
			}
		}
	case "team":
		if f.team == "" {
			return ticket.Nobody
		}
		return f.team
	case "domain":
		return f.t.Domain
	case "creator":
		return f.t.Creator
	case "event":
		return f.kind
	case "by":
		return f.side()
	}
	return ""
}

// holds tells whether a condition holds; nil holds always.
func (f facts) holds(c *Condition) bool {
	switch {
	case c == nil:
		return true
	case c.Not != nil:
		return !f.holds(c.Not)
	case len(c.All) > 0:
		for i := range c.All {
			if !f.holds(&c.All[i]) {
				return false
			}
		}
		return true
	case len(c.Any) > 0:
		for i := range c.Any {
			if f.holds(&c.Any[i]) {
				return true
			}
		}
		return false
	}
	switch c.Op {
	case "eq":
		return f.word(c.Field) == c.Value
	case "ne":
		return f.word(c.Field) != c.Value
	case "in":
		return slices.Contains(c.Values, f.word(c.Field))
	case "at_least":
		has, _ := strconv.Atoi(f.word(c.Field))
		want, _ := strconv.Atoi(c.Value)
		return has >= want
	case "older_than":
		d, ok := parseAge(c.Value)
		at := map[string]int64{"created": f.t.Created, "changed": f.t.Changed, "in_state": f.t.StatusAt}[c.Field]
		return ok && f.now-at >= d.Milliseconds()
	case "within": // due so soon, or missed already
		d, ok := parseAge(c.Value)
		return ok && f.t.Due > 0 && f.t.Due <= f.now+d.Milliseconds()
	case "contains":
		want := foldText(c.Value)
		switch c.Field {
		case "tags":
			return slices.ContainsFunc(f.tags, func(t string) bool { return ticket.FoldTag(t) == ticket.FoldTag(c.Value) })
		case "message":
			return strings.Contains(foldText(f.message), want)
		case "description":
			return strings.Contains(foldText(f.t.Description), want)
		case "text":
			return strings.Contains(foldText(f.message), want) || strings.Contains(foldText(f.t.Description), want)
		}
	}
	return false
}
