package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"casemate/internal/db"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/ticket"
)

// Why a call met a conflict.
const (
	ReasonVersion = "version"       // the ticket has another version than the caller saw
	ReasonAnswer  = "double_answer" // somebody wrote behind the message the caller saw
	ReasonState   = "state"         // the ticket's state does not allow it
	ReasonDraft   = "draft"         // the draft has another version
)

// maxChanges is how many changes a conflict lists, the newest; told in the
// sentence are the last few.
const (
	maxChanges = 50
	inSentence = 3
)

// Faults of conflicts.
var (
	errChanged  = fault.New(fault.Conflict, fault.CodeNoPermission, "工单已被他人更新，操作未执行：{changes.zh}。请查看后重试", "the ticket has changed meanwhile and was left as it is: {changes.en}. Look at it and repeat the step").In("version")
	errAnswered = fault.New(fault.Conflict, fault.CodeNoPermission, "您看到的内容之后又有 {n} 条新消息，为避免重复答复，消息未发送：{changes.zh}。请阅读后再发送，或强制发送（force）", "{n} newer messages than you saw are there, so yours was not sent, lest the customer be answered twice: {changes.en}. Read them and send again, or with force").In("last_message_id")
	errSeen     = fault.New(fault.Invalid, fault.CodeInvalid, "工单中没有 {field} 所指的消息", "the ticket has no message of the id in {field}").In("last_message_id")
)

// Change is something that happened to a ticket.
type Change struct {
	Kind         string // the event's without "ticket.": reply, assign, close ...
	Actor        string // name as the caller may know it, "" = Casemate
	Side         ticket.Side
	At           int64         // milliseconds UTC
	Revision     int64         // the ticket's after it
	From, To     ticket.Status // where Moved
	Moved        bool
	Assignee     string // name of the new handler, where it set one
	assignee, by string
}

// Conflict is an error that tells what happened meanwhile. Its fault is the
// sentence for people.
type Conflict struct {
	Reason      string
	Version     int64    // the ticket's now
	Changes     []Change // behind the version the caller saw, oldest first; the newest maxChanges
	NewMessages int      // messages, not notes, of others behind what the caller saw
	LastMessage string   // id of the newest message
	DraftID     string   // where the caller's text is kept, "" = there was none
	Draft       *Draft   // ReasonDraft: the other text

	fault *fault.Error
	cause error
}

func (c *Conflict) Error() string { return c.fault.Error() }

// Unwrap gives the fault first, then what it explains.
func (c *Conflict) Unwrap() []error {
	if c.cause == nil {
		return []error{c.fault}
	}
	return []error{c.fault, c.cause}
}

// aside are events beside a ticket or that change nothing others could overwrite.
var aside = []string{"ticket.reveal", "ticket.remind", "ticket.snooze", "ticket.unsnooze", "ticket.wake", "ticket.follow", "ticket.unfollow", "ticket.mention"}

func isAside(kind string) bool {
	return slices.Contains(aside, kind) || strings.HasPrefix(kind, "ticket.authorization.") || strings.HasPrefix(kind, "ticket.later")
}

// Explain makes an error of a step on a ticket into a *Conflict that tells what
// happened behind the version the caller saw, when it is one: a stale version
// (ticket.ErrVersion), or a state that another's step has brought about. Other
// errors, and those of callers who may not see the ticket, come back as they
// are. Version 0 explains no state.
func (s *Service) Explain(ctx context.Context, who principal.Principal, number string, version int64, err error) error {
	f, ok := fault.As(err)
	if !ok || f.Kind != fault.Conflict {
		return err
	}
	var known *Conflict
	if errors.As(err, &known) {
		return err
	}
	c, failed := s.conflict(ctx, who, number, version)
	if failed != nil {
		if _, hidden := fault.As(failed); hidden {
			return err // it is not there for the caller any more
		}
		return failed
	}
	c.cause, c.fault, c.Reason = err, f, ReasonState
	switch {
	case errors.Is(err, ticket.ErrVersion), errors.Is(err, errStaleShown):
		c.Reason = ReasonVersion
		if c.fault = c.sentence(ctx, errChanged); f.Field != "" {
			c.fault = c.fault.In(f.Field)
		}
	case version == 0:
		c.Changes, c.NewMessages = nil, 0
	}
	return c
}

// conflict reads what happened behind a version.
func (s *Service) conflict(ctx context.Context, who principal.Principal, number string, version int64) (*Conflict, error) {
	t, _, err := s.tickets.DeskFind(ctx, who, number)
	if err != nil {
		return nil, err
	}
	c := &Conflict{}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		now, err := ticket.In(tx, t.Domain, t.ID)
		if err != nil {
			return err
		}
		c.Version, c.Changes = now.Revision, nil
		said, err := ticket.SaidBehind(tx, t, version, who.User)
		if err != nil {
			return err
		}
		c.NewMessages, c.LastMessage = said.N, said.Last
		if version == 0 {
			return nil
		}
		rows, err := event.Since(tx, t.Domain, "ticket", t.ID, max(version, now.Revision-2*maxChanges), 10*maxChanges)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !isAside(r.Kind) {
				c.Changes = append(c.Changes, changeOf(r))
			}
		}
		c.Changes = c.Changes[max(len(c.Changes)-maxChanges, 0):]
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, s.nameChanges(ctx, who, t.Domain, c.Changes)
}

func changeOf(r event.Row) Change {
	c := Change{Kind: strings.TrimPrefix(r.Kind, "ticket."), At: r.At, Revision: r.Revision, by: r.Actor, Side: ticket.EngineerSide}
	switch r.ActorKind {
	case principal.Customer:
		c.Side = ticket.CustomerSide
	case principal.System:
		c.Side, c.by = ticket.SystemSide, ""
	}
	var data struct {
		From, To *ticket.Status
		Assignee string
	}
	if json.Unmarshal(r.Data, &data) != nil {
		return c // an event of another form
	}
	if data.From != nil && data.To != nil && *data.From != *data.To {
		c.From, c.To, c.Moved = *data.From, *data.To, true
	}
	if c.Kind == ticket.StepAssign || c.Kind == ticket.StepAccept || c.Kind == ticket.StepTransfer {
		c.assignee = data.Assignee
	}
	return c
}

func (s *Service) nameChanges(ctx context.Context, who principal.Principal, domain string, all []Change) error {
	var ours, theirs []string
	for _, c := range all {
		ours = append(ours, c.assignee)
		if c.Side == ticket.CustomerSide {
			theirs = append(theirs, c.by)
		} else {
			ours = append(ours, c.by)
		}
	}
	slices.Sort(ours)
	house, err := s.colleagues(ctx, who, slices.DeleteFunc(slices.Compact(ours), func(id string) bool { return id == "" }))
	if err != nil {
		return err
	}
	customers, err := s.tickets.Names(ctx, domain, theirs...)
	for i := range all {
		c := &all[i]
		if who.Partner != "" && c.Kind == ticket.StepNote {
			c.Kind = "change" // it may be a note of the house's
		}
		c.Assignee = house[c.assignee].name
		if c.Actor = house[c.by].name; c.Side == ticket.CustomerSide {
			c.Actor = customers[c.by]
		}
	}
	return err
}

// verbs say what a change was; {who} and {to} are filled in.
var verbs = map[string]locale.Texts{
	"accept": {ZH: "{who} 受理了工单", EN: "{who} accepted it"}, "ask": {ZH: "{who} 向客户提问", EN: "{who} asked the customer"},
	"assign": {ZH: "{who} 将工单转派给 {to}", EN: "{who} assigned it to {to}"}, "autoclose": {ZH: "系统自动关闭了工单", EN: "it was closed for want of an answer"},
	"autosolve": {ZH: "系统将工单转为待确认", EN: "it counts as solved for want of an answer"}, "cancel": {ZH: "客户 {who} 撤销了工单", EN: "the customer {who} cancelled it"},
	"close": {ZH: "客户 {who} 关闭了工单", EN: "the customer {who} closed it"}, "delete": {ZH: "客户 {who} 删除了工单", EN: "the customer {who} deleted it"},
	"invalid": {ZH: "{who} 将工单判为无效", EN: "{who} judged it invalid"}, "note": {ZH: "{who} 添加了备注", EN: "{who} left a note"},
	"pause": {ZH: "{who} 暂停了工单", EN: "{who} paused it"}, "reply": {ZH: "{who} 回复了", EN: "{who} replied"},
	"resolve": {ZH: "{who} 提交了解决方案", EN: "{who} submitted a solution"}, "resume": {ZH: "{who} 恢复了工单", EN: "{who} resumed it"},
	"merge": {ZH: "{who} 将工单并入其他工单", EN: "{who} merged it into another one"}, "absorb": {ZH: "{who} 将其他工单并入", EN: "{who} merged another one into it"},
	"split": {ZH: "{who} 拆分了工单", EN: "{who} split it"}, "undo": {ZH: "{who} 撤销了一次变更", EN: "{who} took a change back"},
	"release": {ZH: "{who} 退回了工单", EN: "{who} gave it back"}, "severity": {ZH: "{who} 修改了级别", EN: "{who} changed its severity"},
	"transfer": {ZH: "{who} 转移了工单归属", EN: "{who} transferred it"}, "urge": {ZH: "客户 {who} 催单", EN: "the customer {who} urged it"},
	"withdraw": {ZH: "客户 {who} 撤回了消息", EN: "the customer {who} withdrew a message"},
}

var (
	otherVerb = locale.Texts{ZH: "{who} 更新了工单", EN: "{who} changed it"}
	house     = locale.Texts{ZH: "系统", EN: "Casemate"}
	customer  = locale.Texts{ZH: "客户 ", EN: "the customer "}
	comma     = locale.Texts{ZH: "，", EN: ", "}
	more      = locale.Texts{ZH: "，此前还有 {n} 项", EN: ", and {n} before"}
	at        = locale.Texts{ZH: "（{t}）", EN: " ({t})"}
)

// sentence fills in what happened: the newest changes in words, with their time
// in the caller's zone.
func (c *Conflict) sentence(ctx context.Context, f *fault.Error) *fault.Error {
	zone := locale.From(ctx).Zone
	for lang, key := range map[locale.Language]string{locale.ZH: "changes.zh", locale.EN: "changes.en"} {
		var parts []string
		for _, ch := range c.Changes[max(len(c.Changes)-inSentence, 0):] {
			verb, ok := verbs[ch.Kind]
			if !ok {
				verb = otherVerb
			}
			name := ch.Actor
			switch {
			case ch.Side == ticket.SystemSide:
				name = house.In(lang)
			case ch.Kind == ticket.StepReply && ch.Side == ticket.CustomerSide:
				name = customer.In(lang) + name
			}
			when := time.UnixMilli(ch.At).In(zone).Format("01-02 15:04")
			parts = append(parts, fault.Fill(verb.In(lang)+at.In(lang), []fault.Arg{{Name: "who", Value: name}, {Name: "to", Value: ch.Assignee}, {Name: "t", Value: when}}))
		}
		text := strings.Join(parts, comma.In(lang))
		if n := len(c.Changes) - inSentence; n > 0 {
			text += fault.Fill(more.In(lang), []fault.Arg{{Name: "n", Value: n}})
		}
		if text == "" {
			text = fmt.Sprint(c.Version)
		}
		f = f.With(key, text)
	}
	return f
}
