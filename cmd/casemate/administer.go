package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// auditListCmd shows what happened.
type auditListCmd struct {
	clientFlags
	jsonFlag
	Actor  string `help:"Only what this person did: a user id, or a log-in name of the house." placeholder:"USER"`
	Action string `help:"Only this kind of event, for example user.create, or user.* for all that begin so." placeholder:"KIND"`
	Domain string `help:"Only events of this account, by name or id; house is ours." placeholder:"NAME"`
	Ticket string `help:"Only events of this ticket." placeholder:"TS..."`
	From   string `help:"From this instant on, for example 2026-01-31T00:00:00Z." placeholder:"TIME"`
	To     string `help:"Before this instant." placeholder:"TIME"`
	Before int64  `help:"Only events with a smaller number, to page on." placeholder:"N"`
	Limit  int    `help:"How many at most, up to 500." default:"50"`
	CSV    string `name:"csv" help:"Write all of them, at most 100,000, into this CSV file, which must not exist; - is standard output." placeholder:"FILE"`
}

// Run prints or writes events.
func (c *auditListCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	q := url.Values{}
	if c.Actor != "" && !userID.MatchString(c.Actor) {
		u, err := findUser(ctx, cl, house, c.Actor)
		if err != nil {
			return err
		}
		c.Actor = u.ID
	}
	if c.Domain != "" {
		if c.Domain, err = findDomain(ctx, cl, c.Domain); err != nil {
			return err
		}
	}
	for name, v := range map[string]string{"actor": c.Actor, "action": c.Action, "domain": c.Domain, "ticket": c.Ticket, "from": c.From, "to": c.To} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if c.CSV != "" {
		return c.file(ctx, cl, o, q)
	}
	q.Set("limit", strconv.Itoa(c.Limit))
	if c.Before > 0 {
		q.Set("before", strconv.FormatInt(c.Before, 10))
	}
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/audit", q, &raw); err != nil || c.JSON {
		return orJSON(o, err, raw)
	}
	var page struct {
		Items []struct {
			Seq       int64           `json:"seq"`
			At        time.Time       `json:"at"`
			Domain    string          `json:"domain_id"`
			Kind      string          `json:"kind"`
			Subject   string          `json:"subject"`
			SubjectID string          `json:"subject_id"`
			ActorKind string          `json:"actor_kind"`
			Actor     string          `json:"actor_id"`
			Data      json.RawMessage `json:"data"`
			Ticket    string          `json:"ticket"`
			Name      string          `json:"subject_name"`
			About     string          `json:"about"`
			Via       struct{ Kind, ID, Name string }
		} `json:"items"`
		Next int64 `json:"next_before"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	o.heading("编号\t时间\t事件\t对象\t工单\t账号\t操作者\t内容\t经由\t数据", "number\ttime\tevent\tsubject\tticket\taccount\tactor\tabout\tby\tdata")
	for _, e := range page.Items {
		called := strings.TrimSpace(e.Subject + " " + e.SubjectID)
		switch {
		case e.Subject == "ticket" && e.Ticket != "":
			called = e.Subject + " " + e.Ticket
		case e.Name != "" && e.SubjectID != "":
			called = e.Subject + " " + e.Name + " (" + e.SubjectID + ")"
		case e.Name != "":
			called = e.Subject + " " + e.Name
		}
		by := strings.TrimSpace(e.Via.Kind + " " + cmp.Or(e.Via.Name, e.Via.ID))
		o.printf("%d\t%s\t%s\t%s\t%s\t%s\t%s %s\t%s\t%s\t%s\n", e.Seq, o.when(e.At), e.Kind, clean(called), e.Ticket, e.Domain, e.ActorKind, e.Actor, clean(e.About), clean(by), clean(string(e.Data)))
	}
	switch {
	case len(page.Items) == 0:
		o.beside("没有符合条件的事件", "no such events")
	case page.Next > 0:
		o.beside("更多：--before "+strconv.FormatInt(page.Next, 10), "more: --before "+strconv.FormatInt(page.Next, 10))
	}
	return nil
}

func (c *auditListCmd) file(ctx context.Context, cl *client, o *output, q url.Values) error {
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/audit/export", q, &raw); err != nil {
		return err
	}
	if c.CSV == "-" {
		_, err := o.out.Write(raw)
		return err
	}
	f, err := os.OpenFile(c.CSV, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(raw); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// auditStatusCmd shows how the chain stands.
type auditStatusCmd struct {
	clientFlags
	jsonFlag
}

// Run shows it.
func (c *auditStatusCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/audit/chain", nil, &raw); err != nil || c.JSON {
		return orJSON(o, err, raw)
	}
	var s struct {
		Sealed   int64 `json:"sealed"`
		Unsealed int64 `json:"unsealed"`
		Holds    bool  `json:"holds"`
		From     int64 `json:"checked_from"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return err
	}
	if !s.Holds {
		return problem{"事件链不完整：请运行 casemate audit verify", "the event chain does not hold: run casemate audit verify"}
	}
	o.printf(o.say("已封存至第 %d 条，%d 条尚未封存；自第 %d 条起的链完整\n", "sealed up to event %d, %d wait; the chain holds from event %d on\n"), s.Sealed, s.Unsealed, s.From)
	return nil
}

// blockedCmd lists and unblocks contacts.
type blockedCmd struct {
	clientFlags
	jsonFlag
	List    blockedListCmd    `cmd:"" default:"1" help:"List blocked contacts, masked, with what the provider said."`
	Unblock blockedUnblockCmd `cmd:"" help:"Send to a contact again."`
}

type blockedListCmd struct{}

// Run lists blocked contacts.
func (*blockedListCmd) Run(ctx context.Context, p *blockedCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/blocked-contacts", nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			ID, Channel, To, Detail string
			Until                   time.Time `json:"until"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, b := range list.Items {
		o.printf("%s\t%s\t%s\t%s\t%s\n", b.ID, b.Channel, clean(b.To), o.when(b.Until), clean(b.Detail))
	}
	if len(list.Items) == 0 {
		o.beside("没有被停发的联系方式", "no blocked contacts")
	}
	return nil
}

type blockedUnblockCmd struct {
	Contact string `arg:"" help:"Mail address, phone number, or the id of the list."`
}

// Run unblocks a contact.
func (c *blockedUnblockCmd) Run(ctx context.Context, p *blockedCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body := map[string]string{"to": c.Contact}
	if len(c.Contact) == 43 && !strings.Contains(c.Contact, "@") {
		body = map[string]string{"id": c.Contact}
	}
	if err := cl.post(ctx, "/desk/v1/blocked-contacts/unblock", body, nil); err != nil {
		return err
	}
	o.beside("已恢复发送", "it is sent to again")
	return nil
}

// sandboxShowCmd shows a sandbox.
type sandboxShowCmd struct {
	Name string `arg:"" help:"Sandbox, by name or id."`
}

// Run shows its clock and what it caught.
func (c *sandboxShowCmd) Run(ctx context.Context, p *sandboxCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	id, err := findDomain(ctx, cl, c.Name)
	if err != nil {
		return err
	}
	var clock struct {
		Ahead int64     `json:"ahead_seconds"`
		Now   time.Time `json:"now"`
	}
	if err := cl.get(ctx, domainPath(id)+"/clock", nil, &clock); err != nil {
		return err
	}
	o.printf(o.say("%s\t%s\t快 %s\n", "%s\t%s\t%s ahead\n"), id, o.when(clock.Now), period(o.lang, clock.Ahead))
	var caught struct {
		Items []struct {
			Channel string    `json:"channel"`
			To      string    `json:"to"`
			Kind    string    `json:"kind"`
			Subject string    `json:"subject"`
			At      time.Time `json:"created_at"`
		} `json:"items"`
	}
	err = cl.get(ctx, "/desk/v1/outbox", url.Values{"domain": {id}, "limit": {"20"}}, &caught)
	for _, m := range caught.Items {
		o.printf("%s\t%s\t%s\t%s\t%s\n", o.when(m.At), m.Channel, clean(m.To), m.Kind, clean(m.Subject))
	}
	return err
}

// demoWorldView is what of the demo world is there.
type demoWorldView struct {
	Present bool          `json:"present"`
	Domains []accountView `json:"domains"`
	People  []userView    `json:"people"`
	Desk    int           `json:"desk"`
	Tickets int           `json:"tickets"`
}

func (w demoWorldView) print(o *output) {
	if !w.Present {
		o.printf("%s\n", o.say("没有演示数据", "there is nothing of the demo world"))
		return
	}
	for _, d := range w.Domains {
		d.print(o)
	}
	for _, u := range w.People {
		u.print(o)
	}
	o.printf(o.say("演示账号的工单 %d 个，团队、队列、视图、宏、文本、规则与知识库文章 %d 个\n", "%d tickets of its accounts; %d teams, queues, views, macros, texts, rules and articles\n"), w.Tickets, w.Desk)
}

type demoStatusCmd struct{}

// Run shows the demo world.
func (*demoStatusCmd) Run(ctx context.Context, d *demoCmd, o *output) error {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/demo", nil, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var w demoWorldView
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	w.print(o)
	return nil
}

type demoRemoveCmd struct {
	Yes bool `help:"Remove it; this cannot be undone."`
}

// Run removes the demo world.
func (c *demoRemoveCmd) Run(ctx context.Context, d *demoCmd, o *output) error {
	if !c.Yes {
		return problem{"将删除全部演示账号、人员、工单和文件，不可恢复；确认请加 --yes（casemate demo status 查看内容）",
			"this removes the demo's accounts, people, tickets and files for good; add --yes to do so (casemate demo status shows them)"}
	}
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/demo/remove", map[string]bool{"confirm": true}, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var w demoWorldView
	if err := json.Unmarshal(raw, &w); err != nil {
		return err
	}
	if w.Present {
		o.beside("以下保留：曾为真实客户处理过工单的人员（已停用）；没有其他管理员时的演示管理员（请先 casemate user create NAME --role administrator，再执行一次）",
			"kept: people who have worked for real customers (now disabled); the demo's administrator while there is no other one (casemate user create NAME --role administrator, then once more)")
	}
	w.print(o)
	o.beside("请去掉 --demo 重新启动服务", "start the server without --demo from now on")
	return nil
}
