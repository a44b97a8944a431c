package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

type mergeCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket that ends."`
	Into string `arg:"" name:"into" help:"Ticket that its messages go to."`
}

type splitCmd struct {
	Case        string   `arg:"" name:"case-id" help:"Ticket number."`
	Messages    []string `arg:"" name:"message-id" help:"Messages to take along; show --ids prints the ids."`
	Description string   `help:"Description of the new ticket; default: the customer's first text among the messages." placeholder:"TEXT"`
}

type moveCmd struct {
	Case     string   `arg:"" name:"case-id" help:"Ticket number."`
	To       string   `arg:"" name:"to" help:"Ticket that the messages go to."`
	Messages []string `arg:"" name:"message-id" help:"Messages to move; show --ids prints the ids."`
}

type undoCmd struct {
	Case     string `arg:"" name:"case-id" help:"Ticket number."`
	Revision int64  `arg:"" optional:"" help:"The change, by the number that history prints; default: the newest change, and nothing when that one cannot be undone."`
}

type historyCmd struct {
	Case  string `arg:"" name:"case-id" help:"Ticket number."`
	Limit int    `help:"How many at most, up to 500." default:"100"`
}

type asOfCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
	At   string `arg:"" name:"time" help:"The instant: a date, \"YYYY-MM-DD HH:MM\", both in this shell's zone (UTC with --utc), or as 2026-01-02T15:04:05Z."`
}

// act posts to a ticket as the engineer and prints the ticket that came back.
func (d *deskCmd) act(ctx context.Context, o *output, number, what string, body map[string]any) error {
	c, name, err := d.engineer(ctx, o, number)
	if err != nil {
		return err
	}
	defer c.end()
	if !c.session {
		body["as"] = name
	}
	var raw json.RawMessage
	if err := c.post(ctx, ticketPath(number)+"/"+what, body, &raw); err != nil || d.JSON {
		return orJSON(o, forSupervisors(err, name), raw)
	}
	var t ticketView
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	o.printf("%s\t%d\t%s\t%s\n", t.Number, t.Status, t.StatusName, t.AssigneeName)
	return nil
}

// Run merges a ticket into another and prints that one.
func (c *mergeCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	return d.act(ctx, o, c.Case, "merge", map[string]any{"into": c.Into})
}

// Run splits a ticket and prints the new one.
func (c *splitCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	body := map[string]any{"message_ids": c.Messages}
	if c.Description != "" {
		body["description"] = c.Description
	}
	return d.act(ctx, o, c.Case, "split", body)
}

// Run moves messages and prints the ticket they went to.
func (c *moveCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	return d.act(ctx, o, c.Case, "move-messages", map[string]any{"to": c.To, "message_ids": c.Messages})
}

// pastView is an entry of a ticket's history.
type pastView struct {
	Kind       string `json:"kind"`
	Revision   int64  `json:"revision"`
	AtMS       int64  `json:"at_ms"`
	Side       string `json:"side"`
	Actor      string `json:"actor_name"`
	FromName   string `json:"from_name"`
	ToName     string `json:"to_name"`
	Reassigned bool   `json:"assignee_changed"`
	Before     string `json:"assignee_from"`
	After      string `json:"assignee_to"`
	Other      string `json:"other"`
	Undoes     int64  `json:"undoes"`
	UndoneBy   int64  `json:"undone_by"`
	Undoable   bool   `json:"undoable"`
	Why        string `json:"why_not"`
}

func (d *deskCmd) history(ctx context.Context, c *client, number string, limit int) (raw json.RawMessage, all []pastView, total int, err error) {
	if err := c.get(ctx, ticketPath(number)+"/history", url.Values{"limit": {strconv.Itoa(limit)}}, &raw); err != nil {
		return nil, nil, 0, err
	}
	var page struct {
		Items []pastView `json:"items"`
		Total int        `json:"total_count"`
	}
	err = json.Unmarshal(raw, &page)
	return raw, page.Items, page.Total, err
}

// Run undoes a change and prints the ticket.
func (c *undoCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	_, all, _, err := d.history(ctx, cl, c.Case, 500)
	if err != nil {
		return err
	}
	p, known := change(all, c.Revision)
	if c.Revision == 0 {
		if !known {
			return problem{"没有可撤销的变更", "there is no change to undo"}
		}
		if !p.Undoable {
			why := p.Why
			switch {
			case why != "":
			case p.Kind == "ticket.undo":
				why = o.say("撤销本身不能再撤销，请重新执行该操作", "an undo cannot be undone, repeat the step")
			case p.UndoneBy != 0:
				why = p.undo(o)
			default:
				why = o.say("此类变更不能撤销", "this kind of change cannot be undone")
			}
			return problem{"最近的变更是" + p.named(o) + "：" + why + "。如需撤销更早的变更，请指定其编号（casemate desk history " + c.Case + "）",
				"the newest change is " + p.named(o) + ": " + why + "; to take back an older one give its number (casemate desk history " + c.Case + ")"}
		}
		c.Revision = p.Revision
	}
	if err := d.act(ctx, o, c.Case, "undo", map[string]any{"revision": c.Revision}); err != nil {
		return err
	}
	if !known {
		p = pastView{Revision: c.Revision}
	}
	to := o.out
	if d.JSON { // the answer stays JSON
		to = o.err
	}
	fmt.Fprintf(to, "%s%s\n", o.say("已撤销", "undid "), p.named(o))
	return nil
}

// aside are the changes that leave a ticket's state and its talk with the
// customer alone: an undo without a number looks past them.
var aside = map[string]bool{"ticket.note": true, "ticket.tag": true, "ticket.untag": true, "ticket.notify": true}

// change is the entry that made the revision, of a history newest first; 0 is
// the newest that is not aside. Of entries that share a revision it is the one
// that can be undone in general, else the first that happened.
func change(all []pastView, revision int64) (found pastView, ok bool) {
	for i := 0; i < len(all); {
		// What only happened beside the change has the change's revision.
		next := i + 1
		for next < len(all) && all[next].Revision == all[i].Revision {
			next++
		}
		found = all[next-1]
		for _, p := range all[i:next] {
			if p.Undoable || p.Why != "" || p.UndoneBy != 0 {
				found = p
				break
			}
		}
		if found.Revision != 0 && (found.Revision == revision || revision == 0 && !aside[found.Kind]) {
			return found, true
		}
		i = next
	}
	return pastView{}, false
}

// named tells a change in a line.
func (p pastView) named(o *output) string {
	s := fmt.Sprintf(o.say("变更 %d", "revision %d"), p.Revision)
	if p.Kind == "" {
		return s
	}
	return s + fmt.Sprintf(o.say("：%s，%s，%s", ": %s by %s at %s"), p.Kind, clean(p.by(o)), o.when(time.UnixMilli(p.AtMS)))
}

// forSupervisors says what helps where two submitters' tickets are joined or
// parted by somebody who may not.
func forSupervisors(err error, name string) error {
	var r refusal
	if !errors.As(err, &r) || r.code != "OSM.01010048" {
		return err
	}
	return problem{r.Error() + "。执行者为 " + name + "；不同提交人的工单须由主管或管理员操作：--as NAME",
		r.Error() + "; it was done as " + name + ": tickets of two submitters need a supervisor or administrator, --as NAME"}
}

// Run prints what happened to a ticket, newest first.
func (c *historyCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	raw, all, total, err := d.history(ctx, cl, c.Case, c.Limit)
	if err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	o.heading("变更\t时间\t事件\t执行人\t内容\t撤销", "REVISION\tTIME\tEVENT\tBY\tWHAT\tUNDO")
	for _, p := range all {
		o.printf("%s\t%s\t%s\t%s\t%s\t%s\n", orDash(p.Revision), time.UnixMilli(p.AtMS).In(o.where()).Format("2006-01-02T15:04:05.000Z07:00"), p.Kind, clean(p.by(o)), clean(p.what(o)), p.undo(o))
	}
	if total > len(all) {
		o.beside(fmt.Sprintf("共 %d 条，显示 %d 条", total, len(all)), fmt.Sprintf("%d entries, %d shown", total, len(all)))
	}
	return nil
}

func orDash(n int64) string {
	if n == 0 {
		return "-"
	}
	return strconv.FormatInt(n, 10)
}

func (p pastView) by(o *output) string {
	if p.Actor != "" {
		return p.Actor
	}
	return map[string]string{"customer": o.say("客户", "customer"), "engineer": o.say("工程师", "engineer"), "partner": o.say("伙伴", "partner"), "system": o.say("系统", "system")}[p.Side]
}

func (p pastView) what(o *output) string {
	text := ""
	add := func(s string) {
		if text != "" {
			text += ", "
		}
		text += s
	}
	if p.ToName != "" {
		add(p.FromName + " -> " + p.ToName)
	}
	if p.Reassigned {
		name := func(s string) string {
			if s == "" {
				return "-"
			}
			return s
		}
		add(o.say("处理人 ", "handler ") + name(p.Before) + " -> " + name(p.After))
	}
	if p.Other != "" {
		add(p.Other)
	}
	if p.Undoes != 0 {
		add(fmt.Sprintf(o.say("撤销变更 %d", "undoes %d"), p.Undoes))
	}
	if text == "" {
		return "-"
	}
	return text
}

func (p pastView) undo(o *output) string {
	switch {
	case p.Undoable:
		return o.say("可撤销", "possible")
	case p.UndoneBy != 0:
		return fmt.Sprintf(o.say("已被变更 %d 撤销", "undone by %d"), p.UndoneBy)
	case p.Why != "":
		return p.Why
	}
	return "-"
}

// Run prints a ticket as it was.
func (c *asOfCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	at, err := readInstant(c.At, o.where())
	if err != nil {
		return err
	}
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, ticketPath(c.Case)+"/as-of", url.Values{"as_of": {stampOf(at)}}, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var then struct {
		Ticket   ticketView    `json:"ticket"`
		Messages []messageView `json:"messages"`
	}
	if err := json.Unmarshal(raw, &then); err != nil {
		return err
	}
	then.Ticket.print(o, detailsView{})
	for _, m := range then.Messages {
		m.print(o)
	}
	return nil
}
