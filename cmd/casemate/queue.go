package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// queueCmd is the desk's queues from the shell.
type queueCmd struct {
	clientFlags
	jsonFlag
	As string `help:"The engineer meant (log-in name): whose \"mine\" it is, who claims. Default of claim: the first by name." placeholder:"NAME"`

	List   queueListCmd   `cmd:"" help:"List the queues with how many tickets are in each."`
	Show   queueShowCmd   `cmd:"" help:"Show the tickets of a queue, and why those wait that the queue gives by itself."`
	Claim  queueClaimCmd  `cmd:"" help:"Give the engineer the queue's next ticket that he has the skills for; prints it."`
	Add    queueAddCmd    `cmd:"" help:"Add a queue."`
	Change queueChangeCmd `cmd:"" help:"Change a queue; what is not given stays."`
	Remove queueRemoveCmd `cmd:"" help:"Delete a queue; its tickets stay as they are."`
}

type queueListCmd struct{}

type queueShowCmd struct {
	Queue string `arg:"" help:"Name or id of the queue."`
	Sort  string `help:"newest, oldest, severity or changed; default: the queue's own." enum:",newest,oldest,severity,changed" default:""`
	Limit int    `help:"How many at most, up to 100." default:"50"`
}

type queueClaimCmd struct {
	Queue string `arg:"" help:"Name or id of the queue."`
}

// queueFields are what add and change set.
type queueFields struct {
	NameZH     string `help:"Name in Chinese." name:"name-zh" placeholder:"NAME"`
	NameEN     string `help:"Name in English." name:"name-en" placeholder:"NAME"`
	Place      *int   `help:"Order in the list."`
	Filter     string `help:"Which tickets, as JSON (docs/DESK.md, Queues); @FILE reads a file." placeholder:"JSON"`
	Sort       string `help:"newest, oldest, severity or changed." enum:",newest,oldest,severity,changed" default:""`
	Team       string `help:"The team that serves it, by name or id; none takes it away." placeholder:"TEAM"`
	Assignment string `help:"manual, round_robin or least_loaded." enum:",manual,round_robin,least_loaded" default:""`
	Hard       string `help:"Whether nobody takes more than his capacity out of it: yes or no." enum:",yes,no" default:""`
}

type queueAddCmd struct{ queueFields }

type queueChangeCmd struct {
	Queue string `arg:"" help:"Name or id of the queue."`
	queueFields
}

type queueRemoveCmd struct {
	Queue string `arg:"" help:"Name or id of the queue."`
}

// queueView is a queue as the desk API has it.
type queueView struct {
	ID         string          `json:"id,omitempty"`
	Version    int64           `json:"version"`
	Name       string          `json:"name,omitempty"`
	NameZH     string          `json:"name_zh,omitempty"`
	NameEN     string          `json:"name_en,omitempty"`
	Place      int             `json:"place"`
	Filter     json.RawMessage `json:"filter"`
	Sort       string          `json:"sort,omitempty"`
	Team       string          `json:"team_id,omitempty"`
	TeamName   string          `json:"team_name,omitempty"`
	Assignment string          `json:"assignment,omitempty"`
	Hard       bool            `json:"hard_capacity"`
	Count      *int            `json:"count,omitempty"` // nil = the list did not count so far
	Capped     bool            `json:"count_capped,omitempty"`
}

func (q queueView) print(o *output) {
	way := map[string]string{"manual": o.say("领取", "claimed"), "round_robin": o.say("轮流分派", "round-robin"), "least_loaded": o.say("按负载分派", "least loaded")}[q.Assignment]
	team := q.TeamName
	if team == "" {
		team = "-"
	}
	count := "-"
	if q.Count != nil {
		count = strconv.Itoa(*q.Count)
	}
	if q.Capped {
		count += "+"
	}
	o.printf("%s\t%s\t%s\t%s\t%s\n", q.ID, clean(q.Name), count, way, clean(team))
}

// asked is the query with the engineer meant, which only the operator names.
func (q *queueCmd) asked(c *client) url.Values {
	v := url.Values{}
	if q.As != "" && !c.session {
		v.Set("as", q.As)
	}
	return v
}

// open opens a client as the engineer of --as where a credentials file holds
// him, else as the operator.
func (q *queueCmd) open(ctx context.Context, o *output) (*client, error) {
	return openAs(ctx, o, q.clientFlags, q.As)
}

func openAs(ctx context.Context, o *output, f clientFlags, name string) (*client, error) {
	if f.Credentials == "" || name == "" {
		return f.operator(ctx, o)
	}
	file, err := readCredentials(f.Credentials)
	if err != nil {
		return nil, err
	}
	who, ok := find(append(file.Engineers, file.Admin), name)
	if !ok {
		return nil, problem{f.Credentials + "：没有工程师 " + name, f.Credentials + ": holds no engineer " + name}
	}
	return f.login(ctx, o, file, who)
}

func listQueues(ctx context.Context, c *client, q url.Values) (raw json.RawMessage, all []queueView, err error) {
	if err := c.get(ctx, "/desk/v1/queues", q, &raw); err != nil {
		return nil, nil, err
	}
	var list struct {
		Items []queueView `json:"items"`
	}
	err = json.Unmarshal(raw, &list)
	return raw, list.Items, err
}

// findQueue finds a queue by name, in either language, or id.
func findQueue(ctx context.Context, c *client, name string) (queueView, error) {
	_, all, err := listQueues(ctx, c, nil)
	if err != nil {
		return queueView{}, err
	}
	var found []queueView
	for _, q := range all {
		if q.ID == name {
			return q, nil
		}
		if strings.EqualFold(q.NameZH, name) || strings.EqualFold(q.NameEN, name) {
			found = append(found, q)
		}
	}
	switch len(found) {
	case 0:
		return queueView{}, problem{"没有队列 " + name, "there is no queue " + name}
	case 1:
		return found[0], nil
	}
	return queueView{}, problem{"有多个名为 " + name + " 的队列，请用 ID", "several queues are called " + name + ": give the id"}
}

// Run lists the queues.
func (*queueListCmd) Run(ctx context.Context, q *queueCmd, o *output) error {
	c, err := q.open(ctx, o)
	if err != nil {
		return err
	}
	defer c.end()
	raw, all, err := listQueues(ctx, c, q.asked(c))
	if err != nil || q.JSON {
		return orJSON(o, err, raw)
	}
	if len(all) == 0 {
		o.beside("没有队列", "no queues")
		return nil
	}
	o.heading("ID\t名称\t工单数\t分派方式\t团队", "ID\tNAME\tTICKETS\tASSIGNMENT\tTEAM")
	for _, v := range all {
		v.print(o)
	}
	return nil
}

// waitingView is a ticket with why nobody has it.
type waitingView struct {
	ticketView
	Warning string `json:"warning"`
}

func (t waitingView) print(o *output) {
	assignee := t.AssigneeName
	if assignee == "" {
		assignee = "-"
	}
	o.printf("%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", t.Number, t.Status, t.StatusName, t.SeverityName, assignee, clean(t.DomainName), clean(oneLine(t.Description, 40)), t.Why)
}

// Run shows the tickets of a queue.
func (c *queueShowCmd) Run(ctx context.Context, q *queueCmd, o *output) error {
	cl, err := q.open(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findQueue(ctx, cl, c.Queue)
	if err != nil {
		return err
	}
	query := q.asked(cl)
	query.Set("limit", strconv.Itoa(c.Limit))
	if c.Sort != "" {
		query.Set("sort", c.Sort)
	}
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/queues/"+url.PathEscape(v.ID)+"/tickets", query, &raw); err != nil || q.JSON {
		return orJSON(o, err, raw)
	}
	var page struct {
		Items []waitingView `json:"items"`
		Total int           `json:"total_count"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	if len(page.Items) == 0 {
		o.beside("队列中没有工单", "no tickets in the queue")
		return nil
	}
	o.heading("工单号\t状态\t状态名称\t严重程度\t处理人\t客户\t描述\t等待原因", "NUMBER\tSTATE\tSTATE NAME\tSEVERITY\tASSIGNEE\tCUSTOMER\tDESCRIPTION\tWHY IT WAITS")
	for _, t := range page.Items {
		t.print(o)
	}
	if page.Total > len(page.Items) {
		o.beside(fmt.Sprintf("共 %d 条，显示 %d 条", page.Total, len(page.Items)), fmt.Sprintf("%d tickets, %d shown", page.Total, len(page.Items)))
	}
	return nil
}

// Run claims the next ticket.
func (c *queueClaimCmd) Run(ctx context.Context, q *queueCmd, o *output) error {
	cl, err := q.open(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findQueue(ctx, cl, c.Queue)
	if err != nil {
		return err
	}
	path := "/desk/v1/queues/" + url.PathEscape(v.ID) + "/claim"
	if !cl.session {
		name := q.As
		if name == "" {
			if name, err = firstEngineer(ctx, cl, ""); err != nil {
				return err
			}
		}
		path += "?" + url.Values{"as": {name}}.Encode()
	}
	var raw json.RawMessage
	if err := cl.post(ctx, path, nil, &raw); err != nil || q.JSON {
		return orJSON(o, err, raw)
	}
	var t waitingView
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	o.printf("%s\t%d\t%s\t%s\n", t.Number, t.Status, t.StatusName, t.AssigneeName)
	if t.Warning != "" {
		o.printf("%s\n", t.Warning)
	}
	return nil
}

// set takes over what was given.
func (f queueFields) set(ctx context.Context, c *client, q *queueView) error {
	if f.NameZH != "" {
		q.NameZH = f.NameZH
	}
	if f.NameEN != "" {
		q.NameEN = f.NameEN
	}
	if f.Place != nil {
		q.Place = *f.Place
	}
	if f.Sort != "" {
		q.Sort = f.Sort
	}
	if f.Assignment != "" {
		q.Assignment = f.Assignment
	}
	if f.Hard != "" {
		q.Hard = f.Hard == "yes"
	}
	if f.Filter != "" {
		text := []byte(f.Filter)
		if path, ok := strings.CutPrefix(f.Filter, "@"); ok {
			var err error
			if text, err = os.ReadFile(path); err != nil {
				return err
			}
		}
		if !json.Valid(text) {
			return problem{"--filter 不是有效的 JSON", "--filter is no valid JSON"}
		}
		q.Filter = text
	}
	switch f.Team {
	case "":
	case "none":
		q.Team = ""
	default:
		t, err := findTeam(ctx, c, f.Team)
		if err != nil {
			return err
		}
		q.Team = t.ID
	}
	return nil
}

// put sends a queue and prints what was stored.
func (q *queueCmd) put(ctx context.Context, o *output, c *client, method, path string, v queueView) error {
	v.ID, v.Name, v.TeamName, v.Count, v.Capped = "", "", "", nil, false
	var raw json.RawMessage
	if err := c.call(ctx, method, path, nil, v, &raw); err != nil || q.JSON {
		return orJSON(o, err, raw)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	v.print(o)
	return nil
}

// Run adds a queue.
func (c *queueAddCmd) Run(ctx context.Context, q *queueCmd, o *output) error {
	cl, err := q.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v := queueView{Filter: json.RawMessage(`{"statuses":[0,1,2,5,17]}`)}
	if err := c.set(ctx, cl, &v); err != nil {
		return err
	}
	return q.put(ctx, o, cl, http.MethodPost, "/desk/v1/queues", v)
}

// Run changes a queue.
func (c *queueChangeCmd) Run(ctx context.Context, q *queueCmd, o *output) error {
	cl, err := q.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findQueue(ctx, cl, c.Queue)
	if err != nil {
		return err
	}
	path := "/desk/v1/queues/" + url.PathEscape(v.ID)
	if err := c.set(ctx, cl, &v); err != nil {
		return err
	}
	return q.put(ctx, o, cl, http.MethodPut, path, v)
}

// Run deletes a queue.
func (c *queueRemoveCmd) Run(ctx context.Context, q *queueCmd, o *output) error {
	cl, err := q.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findQueue(ctx, cl, c.Queue)
	if err != nil {
		return err
	}
	return cl.call(ctx, http.MethodDelete, "/desk/v1/queues/"+url.PathEscape(v.ID), nil, nil, nil)
}
