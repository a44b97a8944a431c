package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// deskCmd is an engineer's work from the shell.
type deskCmd struct {
	clientFlags
	jsonFlag
	As string `help:"The engineer whose step it is (log-in name). Default: the one who handles the ticket, else the first by name." placeholder:"NAME"`

	List   deskListCmd   `cmd:"" help:"List tickets, newest first."`
	Search deskSearchCmd `cmd:"" help:"Find tickets of all customers by words and operators; --help tells them."`

	Show deskShowCmd `cmd:"" help:"Show a ticket with all that is known of it, its messages, notes and files."`

	Accept   stepCmd     `cmd:"" help:"Take a new ticket: to be processed becomes processing."`
	Reply    sendCmd     `cmd:"" help:"Write to the customer; the first reply takes a new ticket."`
	Ask      sendCmd     `cmd:"" help:"Ask the customer and wait: processing becomes pending feedback."`
	Resolve  sendCmd     `cmd:"" help:"Submit the solution: the customer is asked to confirm it."`
	Pause    stepCmd     `cmd:"" help:"Pause work, for example until a change window."`
	Resume   stepCmd     `cmd:"" help:"Go on with a paused ticket."`
	Invalid  textCmd     `cmd:"" help:"Judge that it is no ticket (spam, duplicate), with the reason."`
	Note     sayCmd      `cmd:"" help:"Leave a note to colleagues; the customer never sees it."`
	Attach   attachCmd   `cmd:"" help:"Upload a file for a ticket and print its id; reply --attachment ID sends it."`
	Download downloadCmd `cmd:"" help:"Save a file of a ticket; show prints the ids."`
	Assign   assignCmd   `cmd:"" help:"Give the ticket to an engineer."`
	Release  stepCmd     `cmd:"" help:"Give the ticket back: nobody handles it then."`

	Snooze   snoozeCmd   `cmd:"" help:"Take a ticket out of the lists until --at or after --in; without them until the customer stirs."`
	Unsnooze unsnoozeCmd `cmd:"" help:"Wake a snoozed ticket."`
	Follow   followCmd   `cmd:"" help:"Be told of replies and changes of a ticket somebody else handles."`
	Unfollow followCmd   `cmd:"" help:"Follow a ticket no more."`
	Team     atTicketCmd `cmd:"" help:"Show who is at a ticket, who follows it, who has a draft, and what waits to be sent."`
	Drafts   draftsCmd   `cmd:"" help:"List the engineer's drafts, those that came back included."`
	Later    laterCmd    `cmd:"" help:"Messages that wait: sent with --at or --in, or held to be undone."`

	Merge   mergeCmd   `cmd:"" help:"Merge a ticket into another one of the same customer."`
	Split   splitCmd   `cmd:"" help:"Make a new ticket out of chosen messages."`
	Move    moveCmd    `cmd:"" help:"Move chosen messages to another ticket of the same customer."`
	Undo    undoCmd    `cmd:"" help:"Take a change back: merge, split, move, accept, assign, transfer, pause, resume, invalid."`
	History historyCmd `cmd:"" help:"All that happened to a ticket, newest first, and what can be undone."`
	AsOf    asOfCmd    `cmd:"" help:"Show a ticket as it was at an instant."`

	Preferences preferencesCmd `cmd:"" help:"Show or change what the engineer is told by mail, and when."`

	Authorize      authorizeCmd      `cmd:"" help:"Ask the customer for an authorization; prints its id."`
	Authorizations authorizationsCmd `cmd:"" help:"List authorizations, newest first."`
	Approve        answerCmd         `cmd:"" help:"Approve an engineer's request: the customer is asked."`
	Refuse         answerCmd         `cmd:"" help:"Refuse an engineer's request, with the reason."`
	Recall         answerCmd         `cmd:"" help:"Take a request back that the customer has not answered."`
	Transfer       transferCmd       `cmd:"" help:"Make the ticket the business of the house, the customer's partner or the product's ISV."`
}

type stepCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
	Text string `arg:"" optional:"" help:"Text that goes with the step; - reads it from standard input."`
}

type textCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
	Text string `arg:"" help:"The text; - reads it from standard input."`
}

// sayCmd is a text that files may go with.
type sayCmd struct {
	textCmd
	attachFlags
}

type assignCmd struct {
	Case     string `arg:"" name:"case-id" help:"Ticket number."`
	Engineer string `arg:"" optional:"" help:"Log-in name of the engineer; default: the one whose step it is."`
}

// step is what a step sends.
type step struct {
	Action   string `json:"action"`
	Text     string `json:"text,omitempty"`
	Assignee string `json:"assignee,omitempty"`
	To       string `json:"to,omitempty"`
	Team     string `json:"team_id,omitempty"`
	Queue    string `json:"queue_id,omitempty"`
	As       string `json:"as,omitempty"`

	Attachments []string `json:"attachment_ids,omitempty"`
	files       attachFlags

	SendAt     string `json:"send_at,omitempty"`
	UndoWithin *int   `json:"undo_within,omitempty"`
	Anyway     bool   `json:"anyway,omitempty"`
	Seen       string `json:"last_message_id,omitempty"`
	Force      bool   `json:"force,omitempty"`
	Draft      string `json:"draft_id,omitempty"`
}

// ticketView is what the commands show of a ticket.
type ticketView struct {
	Number       string    `json:"number"`
	Version      int64     `json:"version"`
	Status       int       `json:"status"`
	StatusName   string    `json:"status_name"`
	DomainName   string    `json:"domain_name"`
	CreatorName  string    `json:"creator_name"`
	Description  string    `json:"description"`
	SeverityName string    `json:"severity_name"`
	ProductName  string    `json:"product_category_name"`
	TypeName     string    `json:"business_type_name"`
	RegionName   string    `json:"region_name"`
	AssigneeID   string    `json:"assignee_id"`
	AssigneeName string    `json:"assignee_name"`
	Owner        string    `json:"owner"`
	Urges        int       `json:"urges"`
	Team         string    `json:"team_name"`
	Why          string    `json:"waiting"`
	Created      time.Time `json:"created_at"`
	Due          time.Time `json:"due_at"`

	Tags   []string `json:"tags"`
	Labels []struct {
		Name string `json:"name"`
	} `json:"labels"`
	Later *laterView `json:"later"`

	Related []struct {
		Number      string `json:"number"`
		StatusName  string `json:"status_name"`
		Description string `json:"description"`
	} `json:"related"`
}

// Run takes the step.
func (c *stepCmd) Run(ctx context.Context, k *kong.Context, d *deskCmd, o *output) error {
	return d.step(ctx, o, c.Case, step{Action: k.Selected().Name, Text: c.Text})
}

// Run takes the step.
func (c *textCmd) Run(ctx context.Context, k *kong.Context, d *deskCmd, o *output) error {
	return d.step(ctx, o, c.Case, step{Action: k.Selected().Name, Text: c.Text})
}

// Run takes the step.
func (c *sayCmd) Run(ctx context.Context, k *kong.Context, d *deskCmd, o *output) error {
	return d.step(ctx, o, c.Case, step{Action: k.Selected().Name, Text: c.Text, files: c.attachFlags})
}

// Run takes the step.
func (c *assignCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	return d.step(ctx, o, c.Case, step{Action: "assign", Assignee: c.Engineer})
}

func ticketPath(number string) string { return "/desk/v1/tickets/" + url.PathEscape(number) }

func (d *deskCmd) step(ctx context.Context, o *output, number string, s step) error {
	if s.Text == "-" {
		text, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
		if err != nil {
			return err
		}
		s.Text = strings.TrimRight(string(text), "\r\n")
	}
	c, name, err := d.engineer(ctx, o, number)
	if err != nil {
		return err
	}
	defer c.end()
	if !c.session {
		s.As = name
	}
	if s.Action == "assign" && s.Assignee == "" {
		s.Assignee = name
	}
	if s.Attachments, err = s.files.upload(ctx, c, number, name); err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.post(ctx, ticketPath(number)+"/steps", s, &raw); err != nil {
		return err
	}
	if d.JSON {
		return o.json(raw)
	}
	var t ticketView
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	o.printf("%s\t%d\t%s\t%s\n", t.Number, t.Status, t.StatusName, t.AssigneeName)
	if t.Later != nil {
		t.Later.print(o)
		o.printf("%s\tcasemate desk later recall %s --as %s%s\n", o.say("撤回命令", "take back"), t.Later.ID, name, d.where())
	}
	return nil
}

// where are the flags, with a blank in front, that reach the same server.
func (d *deskCmd) where() string {
	quote := func(flag, value string) string {
		return " --" + flag + " '" + strings.ReplaceAll(value, "'", `'\''`) + "'"
	}
	usual, err := filepath.Abs("data")
	s := ""
	switch {
	case d.Credentials != "":
		s = quote("credentials", d.Credentials)
	case (err != nil || d.Data != usual && d.Data != "data") && os.Getenv("CASEMATE_DATA") == "":
		s = quote("data", d.Data)
	}
	if d.URL != "" {
		s += quote("url", d.URL)
	}
	return s
}

// engineer opens a client for a step on the ticket and tells whose step it is:
// the one named by --as, the ticket's handler, or the first engineer.
func (d *deskCmd) engineer(ctx context.Context, o *output, number string) (*client, string, error) {
	if d.Credentials == "" {
		c, err := d.local(o)
		if err != nil {
			return nil, "", err
		}
		name := d.As
		if name == "" {
			name, err = defaultEngineer(ctx, c, number)
		}
		return c, name, err
	}
	file, err := readCredentials(d.Credentials)
	if err != nil {
		return nil, "", err
	}
	if len(file.Engineers) == 0 {
		return nil, "", problem{d.Credentials + "：没有工程师（engineers）", d.Credentials + ": holds no engineers"}
	}
	who := file.Engineers[0]
	if d.As != "" {
		var ok bool
		if who, ok = find(file.Engineers, d.As); !ok {
			return nil, "", problem{d.Credentials + "：没有工程师 " + d.As, d.Credentials + ": holds no engineer " + d.As}
		}
	}
	c, err := d.login(ctx, o, file, who)
	if err != nil || d.As != "" {
		return c, who.Name, err
	}
	// Without --as the handler goes on with his ticket, if he is in the file.
	var t ticketView
	if err := c.get(ctx, ticketPath(number), nil, &t); err != nil {
		c.end()
		return nil, "", err
	}
	handler, ok := find(file.Engineers, t.AssigneeName)
	if !ok || handler.Name == who.Name {
		return c, who.Name, nil
	}
	c.end()
	c, err = d.login(ctx, o, file, handler)
	return c, handler.Name, err
}

func find(engineers []login, name string) (login, bool) {
	for _, e := range engineers {
		if name != "" && strings.EqualFold(e.Name, name) {
			return e, true
		}
	}
	return login{}, false
}

func defaultEngineer(ctx context.Context, c *client, number string) (string, error) {
	var t ticketView
	if err := c.get(ctx, ticketPath(number), nil, &t); err != nil {
		return "", err
	}
	return firstEngineer(ctx, c, t.AssigneeID)
}

// firstEngineer is the engineer with the id, else the first by name.
func firstEngineer(ctx context.Context, c *client, id string) (string, error) {
	all, err := listEngineers(ctx, c, "")
	if err != nil {
		return "", err
	}
	first := ""
	for _, e := range all {
		if e.ID == id {
			return e.Name, nil
		}
		if e.Role == "engineer" && (first == "" || e.Name < first) {
			first = e.Name
		}
	}
	if first == "" {
		return "", problem{"没有工程师：请先运行 casemate user create NAME --role engineer", "there is no engineer: casemate user create NAME --role engineer makes one"}
	}
	return first, nil
}

// errWhoIsMe refuses me where nobody is named.
var errWhoIsMe = problem{"请用 --as NAME 指明工程师", "name the engineer with --as NAME"}

type deskListCmd struct {
	Status   []string `help:"Only these states, by number or name in either language; open and closed are several: 0 to be processed, 1 processing, 2 to be confirmed, 3 completed, 4 canceled, 5 paused, 12 invalid, 13 deleted (supervisors and administrators), 17 pending feedback." placeholder:"STATE"`
	Assignee string   `help:"Only of this engineer, by log-in name or user id; me is the one of --as, none is nobody's." placeholder:"NAME"`
	Domain   string   `help:"Only of this customer, by name or id; the only way to see a sandbox's tickets." placeholder:"NAME"`
	Tag      string   `help:"Only with this tag of engineers'." placeholder:"TAG"`
	Query    string   `help:"Beginning of a ticket number; with --domain also words that must occur in the description." short:"q" placeholder:"TEXT"`
	Snoozed  string   `help:"Snoozed tickets: no leaves them out, only lists no others, all makes no difference. Default: no, with --query all." placeholder:"no|only|all"`
	Limit    int      `help:"How many at most, up to 100." default:"50"`
	Sort     string   `help:"newest first, or by what is due next." enum:"newest,due" default:"newest"`
}

// Run lists tickets.
func (c *deskListCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	q := url.Values{"limit": {strconv.Itoa(c.Limit)}}
	for _, s := range c.Status {
		all, err := states(s)
		if err != nil {
			return err
		}
		q["status"] = append(q["status"], all...)
	}
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	switch c.Assignee {
	case "":
	case "none":
		q.Set("assignee", c.Assignee)
	default:
		name := c.Assignee
		if name == "me" {
			if name = d.As; name == "" {
				return errWhoIsMe
			}
		}
		e, err := findEngineer(ctx, cl, name)
		if err != nil {
			return err
		}
		q.Set("assignee", e.ID)
	}
	if c.Query != "" {
		q.Set("q", c.Query)
	}
	if c.Sort == "due" {
		q.Set("sort", c.Sort)
	}
	if c.Snoozed != "" {
		q.Set("snoozed", c.Snoozed)
	}
	if c.Tag != "" {
		q.Set("tag", c.Tag)
	}
	if c.Domain != "" {
		id, err := findDomain(ctx, cl, c.Domain)
		if err != nil {
			return err
		}
		q.Set("domain", id)
	}
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/tickets", q, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var page struct {
		Items []ticketView `json:"items"`
		Total int          `json:"total_count"`
	}
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	if len(page.Items) == 0 {
		o.beside("没有工单", "no tickets")
		return nil
	}
	more := [2]string{}
	if c.Sort == "due" {
		more = [2]string{"\t到期时间", "\tDUE"}
	}
	o.heading("工单号\t状态\t状态名称\t处理人\t客户\t提交人\t描述"+more[0], "NUMBER\tSTATE\tSTATE NAME\tASSIGNEE\tCUSTOMER\tSUBMITTER\tDESCRIPTION"+more[1])
	for _, t := range page.Items {
		assignee := t.AssigneeName
		if assignee == "" {
			assignee = "-"
		}
		due := ""
		if c.Sort == "due" {
			if due = "\t-"; !t.Due.IsZero() {
				due = "\t" + o.when(t.Due)
			}
		}
		o.printf("%s\t%d\t%s\t%s\t%s\t%s\t%s%s\n", t.Number, t.Status, t.StatusName, assignee, clean(t.DomainName), clean(t.CreatorName), clean(oneLine(t.Description, 60)), due)
	}
	if page.Total > len(page.Items) {
		o.beside(fmt.Sprintf("共 %d 条，显示 %d 条", page.Total, len(page.Items)), fmt.Sprintf("%d tickets, %d shown", page.Total, len(page.Items)))
	}
	return nil
}

// orJSON ends a command that prints the raw answer.
func orJSON(o *output, err error, raw json.RawMessage) error {
	if err != nil {
		return err
	}
	return o.json(raw)
}

// oneLine is a text cut to so many characters on one line.
func oneLine(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
