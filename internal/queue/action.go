package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Action is one thing that macros, bulk runs and rules do to a ticket. The set
// is closed: what is in Actions and no more.
type Action struct {
	Do       string        `json:"do" yaml:"do"`
	Text     *locale.Texts `json:"text,omitempty" yaml:"text,omitempty"`         // of note, reply, ask, resolve, invalid; a note beside pause, resume, assign, transfer
	To       string        `json:"to,omitempty" yaml:"to,omitempty"`             // assign, notify: whom; transfer: house, partner or isv
	Handler  string        `json:"handler,omitempty" yaml:"handler,omitempty"`   // transfer: who handles it there
	Severity string        `json:"severity,omitempty" yaml:"severity,omitempty"` // severity: its id
	Tags     []string      `json:"tags,omitempty" yaml:"tags,omitempty"`         // tag, untag
}

// DoNotify tells somebody of the house by mail to look at the ticket.
const DoNotify = "notify"

// Whom actions may name beside an engineer's user id or log-in name.
const (
	ToMe             = "me"             // assign: who runs the macro; not for rules
	ToHandler        = "handler"        // notify: the ticket's handler
	ToSupervisors    = "supervisors"    // notify: all supervisors of the house
	ToAdministrators = "administrators" // notify: all its administrators
)

// Limits of actions.
const (
	MaxActions  = 10
	maxAutoText = 10000 // characters of a text in one language, before it is rendered
)

// Faults of actions, macros and rules.
var (
	errAutoBlank = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不能为空", "{field} must not be blank")
	errNotHere   = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不属于操作 {do}", "{field} does not belong to the action {do}")
	errNoMe      = fault.New(fault.Invalid, fault.CodeInvalid, "自动规则没有执行人，{field} 不能为 me", "a rule is run by nobody: {field} cannot be me")
	errTyped     = fault.New(fault.Invalid, fault.CodeInvalid, "该宏没有给客户的文本，{field} 无处可用，请单独发送", "this macro has no text to the customer that {field} could replace: send yours by itself").In("text")
)

// actionParts tells what an action is made of: t = text, T = a mandatory text.
var actionParts = map[string]string{
	ticket.StepNote: "T", ticket.StepReply: "T", ticket.StepAsk: "T", ticket.StepResolve: "T", ticket.StepInvalid: "T",
	ticket.StepPause: "t", ticket.StepResume: "t", ticket.StepAssign: "t to", ticket.StepTransfer: "t to handler",
	ticket.StepSeverity: "severity", ticket.StepTag: "tags", ticket.StepUntag: "tags", DoNotify: "to",
}

// ActionNames are what actions do, in alphabetical order.
func ActionNames() []string { return slices.Sorted(maps.Keys(actionParts)) }

// publicActions are the actions whose text the customer reads as an answer.
var publicActions = []string{ticket.StepReply, ticket.StepAsk, ticket.StepResolve}

var autoOwners = map[string]ticket.Ownership{"house": ticket.HouseBusiness, "partner": ticket.PartnerBusiness, "isv": ticket.ISVBusiness}

// fieldBelow names a fault's field below a path.
func fieldBelow(path string, err error) error {
	f, ok := fault.As(err)
	if !ok {
		return err
	}
	if f.Field == "" {
		return f.In(path)
	}
	return f.In(path + "." + f.Field)
}

// checkActions holds a list against the rules and answers it tidied. Failures:
// OSM.01010001 and .06 (severity) naming the field by its path, such as
// actions[2].text.zh.
func (s *Service) checkActions(ctx context.Context, path string, all []Action, byRule bool) ([]Action, error) {
	switch {
	case len(all) == 0:
		return nil, fault.Missing.In(path)
	case len(all) > MaxActions:
		return nil, fault.TooManyItems.In(path).With("max", MaxActions)
	}
	out := slices.Clone(all)
	for i := range out {
		if err := s.checkAction(ctx, fmt.Sprintf("%s[%d]", path, i), &out[i], byRule); err != nil {
			return nil, err
		}
	}
	return out, s.checkArticles(ctx, linkingOf(path, out)...)
}

func (s *Service) checkAction(ctx context.Context, path string, a *Action, byRule bool) error {
	parts, ok := actionParts[a.Do]
	if a.Do == "" {
		return fault.Missing.In(path + ".do")
	}
	if !ok {
		return fault.OneOf(path+".do", slices.Sorted(maps.Keys(actionParts))...)
	}
	has := func(part string) bool { return slices.Contains(strings.Fields(parts), part) }
	foreign := func(field string) error { return errNotHere.In(path+"."+field).With("do", a.Do) }
	if a.Text != nil {
		if !has("t") && !has("T") {
			return foreign("text")
		}
		if err := checkWords(path+".text", *a.Text); err != nil {
			return err
		}
	} else if has("T") {
		return fault.Missing.In(path + ".text")
	}
	switch {
	case a.To != "" && !has("to"):
		return foreign("to")
	case a.To == "" && has("to"):
		return fault.Missing.In(path + ".to")
	case a.Handler != "" && !has("handler"):
		return foreign("handler")
	case a.Severity != "" && !has("severity"):
		return foreign("severity")
	case a.Severity == "" && has("severity"):
		return fault.Missing.In(path + ".severity")
	case len(a.Tags) > 0 && !has("tags"):
		return foreign("tags")
	}
	var err error
	switch a.Do {
	case ticket.StepTag, ticket.StepUntag:
		if a.Tags, err = ticket.CheckTags(a.Tags); err != nil {
			return fieldBelow(path, err)
		}
	case ticket.StepSeverity:
		if _, ok := s.catalog.Now().Severity(a.Severity); !ok {
			return fault.Unknown.In(path + ".severity")
		}
	case ticket.StepTransfer:
		if _, ok := autoOwners[a.To]; !ok {
			return fault.OneOf(path+".to", slices.Sorted(maps.Keys(autoOwners))...)
		}
		if a.Handler != "" {
			_, err = s.engineerID(ctx, path+".handler", a.Handler)
		}
	case ticket.StepAssign:
		switch {
		case a.To == ToMe && byRule:
			return errNoMe.In(path + ".to")
		case a.To != ToMe:
			_, err = s.engineerID(ctx, path+".to", a.To)
		}
	case DoNotify:
		if a.To != ToHandler && a.To != ToSupervisors && a.To != ToAdministrators {
			_, err = s.engineerID(ctx, path+".to", a.To)
		}
	}
	return err
}

// checkWords holds a text in two languages against the rules: at least one of
// them, only placeholders there are.
func checkWords(path string, w locale.Texts) error {
	if strings.TrimSpace(w.ZH) == "" && strings.TrimSpace(w.EN) == "" {
		return errAutoBlank.In(path)
	}
	for _, l := range []struct{ name, text string }{{"zh", w.ZH}, {"en", w.EN}} {
		if utf8.RuneCountInString(l.text) > maxAutoText {
			return fault.TooLong.In(path+"."+l.name).With("max", maxAutoText)
		}
		if err := checkPlaceholders(path+"."+l.name, l.text); err != nil {
			return err
		}
	}
	return nil
}

// checkNames holds a name in two languages: at least one, at most so many
// characters each. It answers it with blanks taken off.
func checkNames(path string, n locale.Texts, most int) (locale.Texts, error) {
	n.ZH, n.EN = strings.TrimSpace(n.ZH), strings.TrimSpace(n.EN)
	switch {
	case n.ZH == "" && n.EN == "":
		return n, errAutoBlank.In(path)
	case utf8.RuneCountInString(n.ZH) > most:
		return n, fault.TooLong.In(path+".zh").With("max", most)
	case utf8.RuneCountInString(n.EN) > most:
		return n, fault.TooLong.In(path+".en").With("max", most)
	}
	return n, nil
}

// engineerID finds somebody who can work on tickets by user id or log-in name.
func (s *Service) engineerID(ctx context.Context, field, name string) (string, error) {
	house := principal.AsSystem(principal.House)
	u, err := s.ident.User(ctx, house, principal.House, name)
	if errors.Is(err, identity.ErrNoUser) {
		u, err = s.ident.UserByName(ctx, house, principal.House, name)
	}
	if errors.Is(err, identity.ErrNoUser) || err == nil && (u.Disabled || u.Role == principal.RoleAuditor) {
		return "", ticket.ErrAssignee.In(field).With("name", name)
	}
	return u.ID, err
}

// peopleOf are the house's own people of a role who are not shut out.
func (s *Service) peopleOf(ctx context.Context, role string) (ids []string, err error) {
	all, err := s.ident.PartnerEngineers(ctx, principal.AsSystem(principal.House), "")
	for _, u := range all {
		if u.Has(role) {
			ids = append(ids, u.ID)
		}
	}
	return ids, err
}

// mayAutomate tells who uses macros, snippets and bulk runs: those of the house
// who work on tickets. Partners' people do not: the texts are the house's.
func mayAutomate(who principal.Principal) error {
	if who.Kind == principal.Local || who.Kind == principal.System || who.Partner == "" && who.Works() {
		return nil
	}
	return fault.NoPermission
}

// mayReadAutomation is mayAutomate and auditors, who read.
func mayReadAutomation(who principal.Principal) error {
	if who.Audits() {
		return nil
	}
	return mayAutomate(who)
}

// leadsDesk tells who cares for what everybody uses: supervisors and administrators
// of the house, the operator on the machine, Casemate itself.
func leadsDesk(who principal.Principal) bool {
	return who.Partner == "" && (who.Admin() || who.Is(principal.RoleSupervisor))
}
