package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// mailCmd is mail that came in.
type mailCmd struct {
	clientFlags
	jsonFlag
	List    mailListCmd    `cmd:"" help:"Mails in quarantine, newest first; with --state others."`
	Show    mailShowCmd    `cmd:"" help:"One mail: why it waits, its text, its files; --original prints it as it came."`
	Release mailReleaseCmd `cmd:"" help:"Let a mail out of quarantine: it becomes a message or a ticket as if its sender were proved."`
	Retry   mailRetryCmd   `cmd:"" help:"Handle a quarantined mail anew, by the rules in force now."`
	Discard mailDiscardCmd `cmd:"" help:"Throw a quarantined mail away for good."`

	Mailboxes mailboxesCmd   `cmd:"" help:"Mailboxes that mails are fetched from, the receiver, and how they do."`
	Test      mailboxTestCmd `cmd:"" help:"Log in to a mailbox and count its mails, changing nothing."`
}

type mailListCmd struct {
	State   string `help:"waiting, done, quarantined or discarded." enum:"waiting,done,quarantined,discarded" default:"quarantined"`
	Mailbox string `help:"Only this mailbox, by its name." placeholder:"NAME"`
	Limit   int    `help:"Most lines." default:"50"`
}

type mailShowCmd struct {
	ID       string `arg:"" name:"mail-id" help:"Mail id, as list shows it."`
	Original bool   `help:"Print the mail as it came, and nothing else."`
}

type mailReleaseCmd struct {
	ID     string `arg:"" name:"mail-id" help:"Mail id."`
	Domain string `help:"Customer in whose user's name, by name or id; with --user." placeholder:"NAME"`
	User   string `help:"User in whose name, by log-in name or id, with --domain; without one whom the mail says it is from." placeholder:"NAME"`
	Number string `name:"case" help:"Ticket it belongs to; without one what the mail says." placeholder:"NUMBER"`
}

type mailRetryCmd struct {
	ID string `arg:"" name:"mail-id" help:"Mail id."`
}

type mailDiscardCmd struct {
	ID string `arg:"" name:"mail-id" help:"Mail id."`
}

// mailView is a mail as the desk API shows it.
type mailView struct {
	ID        string
	Mailbox   string
	State     string
	Outcome   string
	Cause     string
	CauseName string `json:"cause_name"`
	Envelope  string `json:"envelope_from"`
	From      string
	FromName  string `json:"from_name"`
	Subject   string
	Number    string
	Size      int64
	Received  string `json:"received_at"`
	To        []string
	Text      string
	Files     []struct {
		Name string
		Size int64
	}
}

func mailPath(id string) string { return "/desk/v1/mail/quarantine/" + url.PathEscape(id) }

// became says what a mail is now.
func (m mailView) became(o *output) string {
	switch {
	case m.State == "done" && m.Number != "":
		return m.Outcome + " " + m.Number
	case m.State == "done" && m.Cause == "":
		return m.Outcome
	case m.Cause != "":
		return m.State + ": " + oneLine(m.CauseName, 120)
	}
	return m.State
}

// Run lists.
func (c *mailListCmd) Run(ctx context.Context, p *mailCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	query, left := url.Values{"state": {c.State}}, max(c.Limit, 1)
	if c.Mailbox != "" {
		query.Set("mailbox", c.Mailbox)
	}
	for {
		query.Set("limit", fmt.Sprint(min(left, 100)))
		var raw json.RawMessage
		if err := cl.get(ctx, "/desk/v1/mail/quarantine", query, &raw); err != nil {
			return err
		}
		var page struct {
			Items []mailView
			Next  string `json:"next_cursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return err
		}
		if p.JSON {
			if err := o.json(raw); err != nil {
				return err
			}
		} else {
			if len(page.Items) == 0 && query.Get("cursor") == "" {
				o.beside("没有邮件", "no mails")
			}
			for _, m := range page.Items {
				o.printf("%s  %s  %-12s %-30s %-40s %s\n", m.ID, m.Received, m.Mailbox, m.From, oneLine(m.Subject, 60), m.became(o))
			}
		}
		if left -= len(page.Items); page.Next == "" || left <= 0 {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}

// Run shows.
func (c *mailShowCmd) Run(ctx context.Context, p *mailCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if c.Original {
		var got struct{ Original []byte }
		if err := cl.get(ctx, mailPath(c.ID)+"/original", nil, &got); err != nil {
			return err
		}
		_, err := o.out.Write(got.Original)
		return err
	}
	var raw json.RawMessage
	if err := cl.get(ctx, mailPath(c.ID), nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var m mailView
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	for _, l := range [][3]string{{"状态", "state", m.became(o)}, {"邮箱", "mailbox", m.Mailbox}, {"收到", "received", m.Received}, {"信封发件人", "envelope", m.Envelope},
		{"发件人", "from", oneLine(m.FromName+" <"+m.From+">", 400)}, {"收件人", "to", strings.Join(m.To, ", ")}, {"主题", "subject", oneLine(m.Subject, 300)}} {
		if l[2] != "" && l[2] != "<>" {
			o.printf("%-10s %s\n", o.say(l[0], l[1]), l[2])
		}
	}
	for _, f := range m.Files {
		o.printf("%-10s %s (%d)\n", o.say("附件", "file"), f.Name, f.Size)
	}
	if m.Text != "" {
		o.printf("\n%s\n", m.Text)
	}
	return nil
}

// Run releases.
func (c *mailReleaseCmd) Run(ctx context.Context, p *mailCmd, o *output) error {
	if (c.Domain == "") != (c.User == "") {
		return problem{"--domain 与 --user 须同时给出", "--domain and --user go together"}
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body := map[string]string{}
	if c.Domain != "" {
		domain, err := findDomain(ctx, cl, c.Domain)
		if err != nil {
			return err
		}
		user, err := findUser(ctx, cl, domain, c.User)
		if err != nil {
			return err
		}
		body["domain_id"], body["user_id"] = domain, user.ID
	}
	if c.Number != "" {
		body["number"] = c.Number
	}
	m, err := p.after(ctx, cl, o, mailPath(c.ID)+"/release", body)
	if err == nil && m.State == "quarantined" {
		if c.Domain != "" {
			return problem{"邮件仍在隔离区：" + m.CauseName, "the mail is still in quarantine: " + m.CauseName}
		}
		return problem{"邮件仍在隔离区：" + m.CauseName + "。请指明以谁的名义处理：--domain NAME --user NAME", "the mail is still in quarantine: " + m.CauseName + "; say in whose name it is: --domain NAME --user NAME"}
	}
	return err
}

// Run handles anew.
func (c *mailRetryCmd) Run(ctx context.Context, p *mailCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	_, err = p.after(ctx, cl, o, mailPath(c.ID)+"/retry", nil)
	return err
}

// after posts and says what the mail is then.
func (c *mailCmd) after(ctx context.Context, cl *client, o *output, path string, body any) (m mailView, err error) {
	var raw json.RawMessage
	if err := cl.post(ctx, path, body, &raw); err != nil {
		return m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil || c.JSON {
		return m, orJSON(o, err, raw)
	}
	o.printf("%s  %s\n", m.ID, m.became(o))
	return m, nil
}

// Run throws away.
func (c *mailDiscardCmd) Run(ctx context.Context, p *mailCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := cl.post(ctx, mailPath(c.ID)+"/discard", nil, nil); err != nil {
		return err
	}
	o.printf(o.say("已丢弃 %s\n", "discarded %s\n"), c.ID)
	return nil
}
