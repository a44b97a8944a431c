package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

type deskShowCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
	IDs  bool   `help:"Print the ids of messages, as split and move take them." name:"ids"`
}

// fileView is a file of a ticket.
type fileView struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// messageView is a message or note of a ticket.
type messageView struct {
	ID      string     `json:"id"`
	From    string     `json:"moved_from"`
	Kind    string     `json:"kind"`
	Side    string     `json:"side"`
	Author  string     `json:"author_name"`
	Text    string     `json:"text"`
	Gone    bool       `json:"withdrawn"`
	Files   []fileView `json:"attachments"`
	Created time.Time  `json:"created_at"`
}

// detailsView is what a ticket's details show, masked by the server.
type detailsView struct {
	Mobile string   `json:"mobile"`
	Mail   string   `json:"mail"`
	Copies []string `json:"copy_addresses"`
	Params []struct {
		Key   string `json:"key"`
		Name  string `json:"name"`
		Shown string `json:"shown"`
	} `json:"params"`
}

// Run shows a ticket.
func (c *deskShowCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var ticket, messages, details json.RawMessage
	for path, into := range map[string]*json.RawMessage{"": &ticket, "/messages": &messages, "/details": &details} {
		if err := cl.get(ctx, ticketPath(c.Case)+path, nil, into); err != nil {
			return err
		}
	}
	var list struct {
		Items json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(messages, &list); err != nil {
		return err
	}
	if d.JSON {
		all, err := json.Marshal(map[string]json.RawMessage{"ticket": ticket, "messages": list.Items, "details": details})
		return orJSON(o, err, all)
	}
	var (
		t   ticketView
		all []messageView
		m   detailsView
	)
	if err := errors.Join(json.Unmarshal(ticket, &t), json.Unmarshal(list.Items, &all), json.Unmarshal(details, &m)); err != nil {
		return err
	}
	t.print(o, m)
	// What colleagues do is the desk's: who may not read it sees the ticket still.
	var team atTicketView
	if err := cl.get(ctx, ticketPath(c.Case)+"/team", nil, &team); err == nil {
		team.printWaiting(o)
	} else if r := (refusal{}); !errors.As(err, &r) {
		return err
	}
	for _, m := range all {
		m.print(o)
		if c.IDs {
			o.printf("%s\t%s\n", o.say("消息", "message"), m.ID)
		}
	}
	return nil
}

// print shows everything of a ticket but its messages, one line each; what it
// does not have is left out.
func (t ticketView) print(o *output, d detailsView) {
	o.printf("%s\t%d\t%s\t%s\t%s\t%s\n", t.Number, t.Status, t.StatusName, t.AssigneeName, clean(t.DomainName), t.SeverityName)
	line := func(zh, en string, values ...string) {
		if v := strings.TrimSpace(strings.Join(values, " ")); v != "" {
			o.printf("%s\t%s\n", o.say(zh, en), clean(strings.Join(strings.Fields(v), " ")))
		}
	}
	owner := map[string]string{"house": o.say("本方", "house"), "partner": o.say("伙伴", "partner"), "isv": o.say("产品伙伴（ISV）", "ISV of the product")}[t.Owner]
	line("客户", "Customer", t.DomainName)
	line("提交人", "Submitter", t.CreatorName)
	line("处理人", "Assignee", t.AssigneeName)
	line("团队", "Team", t.Team)
	line("等待原因", "Why it waits", t.Why)
	line("归属", "Ownership", owner)
	line("产品", "Product", t.ProductName)
	line("问题类型", "Problem type", t.TypeName)
	line("严重程度", "Severity", t.SeverityName)
	line("区域", "Region", t.RegionName)
	line("创建时间", "Created", o.when(t.Created))
	if !t.Due.IsZero() {
		line("到期时间", "Due", o.when(t.Due))
	}
	if t.Urges > 0 {
		line("催单次数", "Urged", fmt.Sprint(t.Urges))
	}
	var labels []string
	for _, l := range t.Labels {
		labels = append(labels, l.Name)
	}
	line("标签", "Labels", strings.Join(labels, ", "))
	line("内部标签", "Tags", strings.Join(t.Tags, ", "))
	for _, r := range t.Related {
		line("关联工单", "Related ticket", r.Number, r.StatusName, oneLine(r.Description, 60))
	}
	line("联系电话", "Phone", d.Mobile)
	line("联系邮箱", "Mail", d.Mail)
	line("抄送", "Copies to", strings.Join(d.Copies, ", "))
	for _, p := range d.Params {
		if p.Name == "" {
			p.Name = p.Key
		}
		line("附加参数", "Parameter", p.Name+":", p.Shown)
	}
}

// print shows a message with its files.
func (m messageView) print(o *output) {
	if m.Gone {
		m.Text = o.say("（已撤回）", "(withdrawn)")
	}
	kind := map[string]string{"message": o.say("消息", "message"), "note": o.say("内部备注", "note")}[m.Kind]
	side := map[string]string{"customer": o.say("客户", "customer"), "engineer": o.say("工程师", "engineer"), "partner": o.say("伙伴", "partner"),
		"system": o.say("系统", "system")}[m.Side]
	o.printf("\n%s  %s  %s %s\n%s\n", o.when(m.Created), kind, side, clean(m.Author), clean(m.Text))
	if m.From != "" {
		o.printf("%s\t%s\n", o.say("来自工单", "moved from"), m.From)
	}
	for _, f := range m.Files {
		o.printf("%s\t%s\t%s\t%s\n", o.say("附件", "attachment"), f.ID, clean(f.Name), size(f.Size))
	}
}

// clean is a text without the characters that steer a terminal: customers write
// what engineers print.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
}

// size is a number of bytes as people read it.
func size(n int64) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// downloadCmd fetches a file of a ticket.
type downloadCmd struct {
	Case string `arg:"" name:"case-id" help:"Ticket number."`
	ID   string `arg:"" name:"attachment-id" help:"Id of the file, as casemate desk show prints it."`
	To   string `help:"File to write, which must not exist; - is standard output. Default: the file's own name, in this folder." placeholder:"FILE"`
}

// Run writes the file and prints where it is.
func (c *downloadCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, cl.base+ticketPath(c.Case)+"/attachments/"+url.PathEscape(c.ID), nil)
	if err != nil {
		return err
	}
	r.Header.Set("X-Language", string(cl.lang))
	r.Header.Set("X-Auth-Token", cl.token)
	slow := *cl.http
	slow.Timeout = 0 // a large file takes its time; ^C ends it
	answer, err := slow.Do(r)
	if err != nil {
		return cl.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err != nil {
			return err
		}
		return refused(answer, text)
	}
	if c.To == "-" {
		_, err := io.Copy(o.out, answer.Body)
		return err
	}
	name := c.To
	if name == "" {
		name = ownName(answer.Header.Get("Content-Disposition"), c.ID)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return problem{name + " 已存在，请用 --to 指定其他文件", name + " exists already: name another file with --to"}
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(file, answer.Body)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name())) // no half files
	}
	o.printf("%s\n", name)
	return nil
}

// ownName is the name a file is written under: the one its uploader gave it,
// without folders, leading dots or control characters.
func ownName(disposition, id string) string {
	_, params, _ := mime.ParseMediaType(disposition)
	name := strings.ReplaceAll(clean(params["filename"]), "\\", "/")
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, filepath.Base(name)), ". -")
	if name == "" || strings.ContainsRune(name, '/') {
		return "attachment-" + id
	}
	return name
}
