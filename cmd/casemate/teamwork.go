package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// whenFlags name an instant.
type whenFlags struct {
	At string `help:"When: a date, \"YYYY-MM-DD HH:MM\", both in this shell's zone (UTC with --utc), or as 2026-03-01T09:00:00+08:00." placeholder:"TIME" xor:"when"`
	In string `help:"After how long, for example 90m, 48h or 3d." placeholder:"DURATION" xor:"when"`
}

// instant is the moment named, without a zone in the one given; zero when none is.
func (f whenFlags) instant(zone *time.Location) (time.Time, error) {
	switch {
	case f.In != "":
		span := f.In
		days, isDays := strings.CutSuffix(span, "d")
		if n, err := strconv.Atoi(days); isDays && err == nil && n < 10000 {
			span = strconv.Itoa(24*n) + "h"
		}
		if d, err := time.ParseDuration(span); err == nil && d > 0 {
			return time.Now().Add(d), nil
		}
		return time.Time{}, problem{"--in 应为时长，例如 90m、48h 或 3d：" + f.In, "--in is a duration, for example 90m, 48h or 3d, not " + f.In}
	case f.At != "":
		return readInstant(f.At, zone)
	}
	return time.Time{}, nil
}

// readInstant reads an instant as people write it; without a zone it is in the one
// given, which is the one that times are printed in.
func readInstant(s string, zone *time.Location) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(form, strings.TrimSpace(s), zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, problem{"时间无效：" + s + "。应为 2026-03-01、“2026-03-01 09:00”（本机时区，带 --utc 时为 UTC）或 2026-03-01T09:00:00+08:00",
		"not a time: " + s + "; give 2026-03-01 or \"2026-03-01 09:00\" (in this shell's zone, or UTC with --utc), or 2026-03-01T09:00:00+08:00"}
}

func stampOf(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// sendCmd is a message to the customer: with files, at once or later.
type sendCmd struct {
	sayCmd
	whenFlags
	UndoWithin *int   `help:"Wait so many seconds, up to 60, for casemate desk later recall; 0 sends at once. Default: the engineer's preference." placeholder:"SECONDS" xor:"when"`
	Anyway     bool   `help:"With --at or --in: send also when somebody writes until then."`
	Seen       string `help:"Id of the newest message you saw: a newer one of somebody else refuses the step." placeholder:"ID"`
	Force      bool   `help:"With --seen: send although there are newer messages."`
	Draft      string `help:"The draft that is sent; it ends." placeholder:"ID"`
}

// Run takes the step.
func (c *sendCmd) Run(ctx context.Context, k *kong.Context, d *deskCmd, o *output) error {
	s := step{Action: k.Selected().Name, Text: c.Text, files: c.attachFlags, UndoWithin: c.UndoWithin, Anyway: c.Anyway, Seen: c.Seen, Force: c.Force, Draft: c.Draft}
	at, err := c.instant(o.where())
	if err != nil {
		return err
	}
	if !at.IsZero() {
		s.SendAt = stampOf(at)
	}
	return d.step(ctx, o, c.Case, s)
}

// laterView is a message that waits.
type laterView struct {
	ID      string    `json:"id"`
	Number  string    `json:"number"`
	Name    string    `json:"name"`
	Action  string    `json:"action"`
	Text    string    `json:"text"`
	SendAt  time.Time `json:"send_at"`
	Undo    bool      `json:"undo"`
	Anyway  bool      `json:"anyway"`
	Version int64     `json:"version"`
}

func (l laterView) print(o *output) {
	o.printf("%s\t%s\t%s\t%s\t%s\t%s\n", l.ID, l.Number, o.when(l.SendAt), l.Action, clean(l.Name), clean(oneLine(l.Text, 60)))
}

// draftView is a text that is not sent.
type draftView struct {
	ID      string    `json:"id"`
	Number  string    `json:"number"`
	Action  string    `json:"action"`
	Text    string    `json:"text"`
	Origin  string    `json:"origin"`
	Changed time.Time `json:"changed_at"`
}

func (v draftView) print(o *output) {
	o.printf("%s\t%s\t%s\t%s\t%s\t%s\n", v.Number, v.ID, v.Action, v.Origin, o.when(v.Changed), clean(oneLine(v.Text, 60)))
}

// mine opens a client for what is an engineer's own, and the query that names
// him where the operator acts.
func (d *deskCmd) mine(ctx context.Context, o *output, number string) (*client, url.Values, error) {
	var cl *client
	var name string
	var err error
	if number == "" {
		cl, name, err = d.someone(ctx, o)
	} else {
		cl, name, err = d.engineer(ctx, o, number)
	}
	q := url.Values{}
	if err == nil && !cl.session {
		q.Set("as", name)
	}
	return cl, q, err
}

// onTicket calls an operation of a ticket's and prints the ticket it answers.
func (d *deskCmd) onTicket(ctx context.Context, o *output, method, number, path string, body any) error {
	cl, q, err := d.mine(ctx, o, number)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, method, ticketPath(number)+path, q, body, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var t ticketView
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	o.printf("%s\t%d\t%s\t%s\n", t.Number, t.Status, t.StatusName, t.AssigneeName)
	return nil
}

type snoozeCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
	whenFlags
}

// Run snoozes a ticket.
func (c *snoozeCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	body := map[string]any{"until_customer": true}
	at, err := c.instant(o.where())
	if err != nil {
		return err
	}
	if !at.IsZero() {
		body = map[string]any{"until": stampOf(at)}
	}
	return d.onTicket(ctx, o, http.MethodPut, c.Case, "/snooze", body)
}

type unsnoozeCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
}

// Run wakes a ticket.
func (c *unsnoozeCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	return d.onTicket(ctx, o, http.MethodDelete, c.Case, "/snooze", nil)
}

type followCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
}

// Run follows a ticket, or ends it.
func (c *followCmd) Run(ctx context.Context, k *kong.Context, d *deskCmd, o *output) error {
	cl, q, err := d.mine(ctx, o, c.Case)
	if err != nil {
		return err
	}
	defer cl.end()
	method := http.MethodPut
	if k.Selected().Name == "unfollow" {
		method = http.MethodDelete
	}
	return cl.call(ctx, method, ticketPath(c.Case)+"/follow", q, nil, nil)
}

// atTicketView is who works on a ticket.
type atTicketView struct {
	Presence []struct {
		Name  string    `json:"name"`
		Doing string    `json:"doing"`
		Seen  time.Time `json:"seen_at"`
	} `json:"presence"`
	Followers []struct {
		Name string `json:"name"`
	} `json:"followers"`
	Drafts []struct {
		Name    string    `json:"name"`
		Kind    string    `json:"kind"`
		Changed time.Time `json:"changed_at"`
	} `json:"drafts"`
	Later  []laterView `json:"later"`
	Snooze *struct {
		Until  *time.Time `json:"until"`
		ByName string     `json:"by_name"`
	} `json:"snooze"`
}

// printWaiting shows what waits, and until when the ticket is snoozed.
func (v atTicketView) printWaiting(o *output) {
	for _, l := range v.Later {
		o.printf("%s\t", o.say("待发", "waits"))
		l.print(o)
	}
	if v.Snooze != nil {
		until := o.say("直到客户回应", "until the customer stirs")
		if v.Snooze.Until != nil {
			until = o.when(*v.Snooze.Until)
		}
		o.printf("%s\t%s\t%s\n", o.say("延后", "snoozed"), until, clean(v.Snooze.ByName))
	}
}

type atTicketCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
}

// Run shows who works on a ticket.
func (c *atTicketCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, q, err := d.mine(ctx, o, c.Case)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, ticketPath(c.Case)+"/team", q, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var v atTicketView
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	doing := map[string]string{"viewing": o.say("正在查看", "viewing"), "replying": o.say("正在回复", "replying"), "noting": o.say("正在写备注", "noting")}
	for _, p := range v.Presence {
		o.printf("%s\t%s\t%s\n", doing[p.Doing], clean(p.Name), o.when(p.Seen))
	}
	for _, f := range v.Followers {
		o.printf("%s\t%s\n", o.say("关注者", "follower"), clean(f.Name))
	}
	for _, f := range v.Drafts {
		o.printf("%s\t%s\t%s\t%s\n", o.say("草稿", "draft"), clean(f.Name), f.Kind, o.when(f.Changed))
	}
	v.printWaiting(o)
	return nil
}

type draftsCmd struct {
	Case    string `arg:"" optional:"" name:"case-id" help:"Only of this ticket."`
	Discard string `help:"Discard this draft of the ticket: reply, note or the id of one that came back." placeholder:"ID"`
}

// Run lists the engineer's drafts, or discards one.
func (c *draftsCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	if c.Discard != "" && c.Case == "" {
		return problem{"--discard 需要工单号", "--discard needs the ticket's number"}
	}
	cl, q, err := d.mine(ctx, o, c.Case)
	if err != nil {
		return err
	}
	defer cl.end()
	if c.Discard != "" {
		return cl.call(ctx, http.MethodDelete, ticketPath(c.Case)+"/drafts/"+url.PathEscape(c.Discard), q, nil, nil)
	}
	path := "/desk/v1/drafts"
	if c.Case != "" {
		path = ticketPath(c.Case) + "/drafts"
	}
	var raw json.RawMessage
	if err := cl.get(ctx, path, q, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []draftView `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list.Items) == 0 {
		o.beside("没有草稿", "no drafts")
		return nil
	}
	o.heading("工单号\t草稿\t操作\t来源\t时间\t内容", "NUMBER\tDRAFT\tSTEP\tORIGIN\tCHANGED\tTEXT")
	for _, v := range list.Items {
		v.print(o)
	}
	return nil
}

// laterCmd is what waits to be sent.
type laterCmd struct {
	List   laterListCmd   `cmd:"" default:"withargs" help:"List the engineer's messages that wait, the first to go first."`
	Change laterChangeCmd `cmd:"" help:"Change a message that waits."`
	Recall laterRecallCmd `cmd:"" help:"Take a message back: to undo a sending, or to cancel one for later. Its text is a draft again."`
}

// waiting opens a client and lists the messages that wait: of the engineer, or,
// where the operator names nobody, of all engineers.
func (d *deskCmd) waiting(ctx context.Context, o *output) (cl *client, all []laterView, raw json.RawMessage, err error) {
	var names []string
	if d.Credentials != "" || d.As != "" {
		var name string
		if cl, name, err = d.someone(ctx, o); err != nil {
			return nil, nil, nil, err
		}
		names = []string{name}
	} else {
		if cl, err = d.local(o); err != nil {
			return nil, nil, nil, err
		}
		if names, err = everyEngineer(ctx, cl); err != nil {
			return nil, nil, nil, err
		}
	}
	rows := []json.RawMessage{}
	for _, name := range names {
		q := url.Values{}
		if !cl.session {
			q.Set("as", name)
		}
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err = cl.get(ctx, "/desk/v1/later", q, &list); err != nil {
			if r := (refusal{}); len(names) > 1 && errors.As(err, &r) && r.status < 500 { // one who may not write
				continue
			}
			cl.end()
			return nil, nil, nil, err
		}
		rows = append(rows, list.Items...)
	}
	raw, err = json.Marshal(map[string]any{"items": rows})
	for i := 0; i < len(rows) && err == nil; i++ {
		var l laterView
		err = json.Unmarshal(rows[i], &l)
		all = append(all, l)
	}
	if err != nil {
		cl.end()
		return nil, nil, nil, err
	}
	slices.SortStableFunc(all, func(a, b laterView) int { return a.SendAt.Compare(b.SendAt) })
	return cl, all, raw, nil
}

// everyEngineer lists the log-in names of the house's people and the partners'.
func everyEngineer(ctx context.Context, cl *client) (names []string, err error) {
	_, partners, err := listPartners(ctx, cl)
	if err != nil {
		return nil, err
	}
	ids := []string{""}
	for _, p := range partners {
		ids = append(ids, p.ID)
	}
	for _, id := range ids {
		people, err := listEngineers(ctx, cl, id)
		if err != nil {
			return nil, err
		}
		for _, e := range people {
			names = append(names, e.Name)
		}
	}
	return names, nil
}

// writer opens a client as the writer of a message that waits: the engineer of
// --as, else the one whose message it is.
func (d *deskCmd) writer(ctx context.Context, o *output, id string) (*client, url.Values, error) {
	if d.Credentials != "" || d.As != "" {
		return d.mine(ctx, o, "")
	}
	cl, all, _, err := d.waiting(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	for _, l := range all {
		if l.ID == id {
			return cl, url.Values{"as": {l.Name}}, nil
		}
	}
	cl.end()
	return nil, nil, problem{"没有待发消息 " + id, "no message waits with the id " + id}
}

type laterListCmd struct{}

// Run lists messages that wait.
func (c *laterListCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, all, raw, err := d.waiting(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if d.JSON {
		return o.json(raw)
	}
	if len(all) == 0 {
		o.beside("没有待发消息", "no messages wait")
		return nil
	}
	o.heading("编号\t工单号\t发送时间\t操作\t发送人\t内容", "ID\tNUMBER\tSENT AT\tSTEP\tWRITER\tTEXT")
	for _, l := range all {
		l.print(o)
	}
	return nil
}

type laterChangeCmd struct {
	ID string `arg:"" help:"Id of the message, as casemate desk later prints it."`
	whenFlags
	Text   *string `help:"The text in place of the old one." placeholder:"TEXT"`
	Anyway *bool   `help:"Send also when somebody writes until then." negatable:""`
}

// Run changes a message that waits.
func (c *laterChangeCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	body := map[string]any{}
	at, err := c.instant(o.where())
	if err != nil {
		return err
	}
	if !at.IsZero() {
		body["send_at"] = stampOf(at)
	}
	if c.Text != nil {
		body["text"] = *c.Text
	}
	if c.Anyway != nil {
		body["anyway"] = *c.Anyway
	}
	if len(body) == 0 {
		return problem{"没有要修改的内容：--at、--in、--text 或 --anyway", "nothing to change: give --at, --in, --text or --anyway"}
	}
	cl, q, err := d.writer(ctx, o, c.ID)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodPut, "/desk/v1/later/"+url.PathEscape(c.ID), q, body, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var l laterView
	if err := json.Unmarshal(raw, &l); err != nil {
		return err
	}
	l.print(o)
	return nil
}

type laterRecallCmd struct {
	ID string `arg:"" help:"Id of the message, as casemate desk later prints it."`
}

// Run takes a message back.
func (c *laterRecallCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, q, err := d.writer(ctx, o, c.ID)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodDelete, "/desk/v1/later/"+url.PathEscape(c.ID), q, nil, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var v draftView
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	v.print(o)
	return nil
}

// undoSeconds reads a number of seconds as the preferences have it; off = the
// installation's default, which is nil.
func undoSeconds(s string) (any, error) {
	if s == "off" {
		return nil, nil
	}
	n, err := strconv.Atoi(strings.TrimSuffix(s, "s"))
	if err != nil {
		return nil, problem{"--undo 应为秒数：" + s, "--undo is a number of seconds, not " + s}
	}
	return n, nil
}
