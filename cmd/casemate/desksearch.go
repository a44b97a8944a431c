package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

type deskSearchCmd struct {
	Query []string `arg:"" help:"Words that must all occur; \"...\" for what stands together, OR, and - in front to leave out (behind --)."`
	Limit int      `help:"How many at most, up to 100." default:"20"`
	Zone  string   `help:"Zone of dates in the query, for example GMT+8 or Europe/Berlin." placeholder:"ZONE"`
}

// Help is shown below the command's flags.
func (deskSearchCmd) Help() string {
	return `Words are looked for in description, messages, notes, names of files, the customer's comment, names of customers
and submitters, and numbers; a mail address or phone number is found when it is given in full.

Operators, several values by commas: status:open label:urgent assignee:me|none|NAME by:NAME customer:NAME
severity:NAME product:NAME plan:NAME lang:zh before:2026-11-25 after:7d created:2026-11 updated:today
has:attachment in:description|messages|notes|files|judgement|customer`
}

// searchView is what the commands show of a page that was found.
type searchView struct {
	Items []struct {
		Ticket ticketView `json:"ticket"`
		Found  []struct {
			Place  string `json:"place"`
			Pieces []struct {
				Text string `json:"text"`
				Hit  bool   `json:"hit"`
			} `json:"pieces"`
		} `json:"found"`
	} `json:"items"`
	Total    int  `json:"total_count"`
	More     bool `json:"more"`
	Indexing *struct {
		Done  int64 `json:"done"`
		Total int64 `json:"total"`
	} `json:"indexing"`
}

var placesZH = map[string]string{"number": "工单号", "description": "描述", "message": "留言", "note": "备注", "judgement": "评价", "file": "附件", "contact": "联系方式", "customer": "客户"}

// assigneeIs finds the operator for handlers and its values in a query.
var assigneeIs = regexp.MustCompile(`(?i)(^|[\s(（\-－])((?:assignee|处理人)[:：])([^\s"“”]+)`)

// whoIsMe puts the engineer of --as in the place of "me" as a handler: the
// query is the operator's, who handles no tickets.
func (d *deskCmd) whoIsMe(ctx context.Context, cl *client, query []string) error {
	id := ""
	for i := range query {
		var failed error
		query[i] = assigneeIs.ReplaceAllStringFunc(query[i], func(found string) string {
			part := assigneeIs.FindStringSubmatch(found)
			values := strings.Split(strings.ReplaceAll(part[3], "，", ","), ",")
			for j, v := range values {
				if v = strings.ToLower(v); v != "me" && v != "我" {
					continue
				}
				if d.As == "" {
					failed = errWhoIsMe
					return found
				}
				if id == "" {
					e, err := findEngineer(ctx, cl, d.As)
					if err != nil {
						failed = err
						return found
					}
					id = e.ID
				}
				values[j] = id
			}
			return part[1] + part[2] + strings.Join(values, ",")
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// Run finds tickets.
func (c *deskSearchCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	cl, err := d.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := d.whoIsMe(ctx, cl, c.Query); err != nil {
		return err
	}
	words := make([]string, len(c.Query))
	for i, w := range c.Query {
		// An argument the shell kept together stands together.
		if words[i] = w; len(c.Query) > 1 && strings.ContainsAny(w, " \t") && !strings.ContainsAny(w, `:："`) {
			words[i] = `"` + w + `"`
		}
	}
	q := url.Values{"q": {strings.Join(words, " ")}, "limit": {strconv.Itoa(c.Limit)}}
	var raw json.RawMessage
	if err := cl.getIn(ctx, "/desk/v1/search", q, c.Zone, &raw); err != nil || d.JSON {
		return orJSON(o, err, raw)
	}
	var page searchView
	if err := json.Unmarshal(raw, &page); err != nil {
		return err
	}
	if page.Indexing != nil {
		o.printf(o.say("索引正在建立：%d / %d，结果可能不全\n", "the index is being built: %d of %d, some texts are not found yet\n"), page.Indexing.Done, page.Indexing.Total)
	}
	if len(page.Items) == 0 {
		o.beside("没有找到工单", "no tickets found")
		return nil
	}
	o.heading("工单号\t状态\t处理人\t客户\t位置\t内容", "NUMBER\tSTATE\tASSIGNEE\tCUSTOMER\tWHERE\tTEXT")
	for _, i := range page.Items {
		t := i.Ticket
		assignee := t.AssigneeName
		if assignee == "" {
			assignee = "-"
		}
		place, text := "-", oneLine(t.Description, 60)
		if len(i.Found) > 0 {
			if place = i.Found[0].Place; o.say("zh", "en") == "zh" {
				place = placesZH[place]
			}
			var b strings.Builder
			for _, p := range i.Found[0].Pieces {
				if p.Hit {
					b.WriteString("[" + p.Text + "]")
				} else {
					b.WriteString(p.Text)
				}
			}
			if b.Len() > 0 {
				text = oneLine(b.String(), 120)
			}
		}
		o.printf("%s\t%s\t%s\t%s\t%s\t%s\n", t.Number, t.StatusName, assignee, clean(t.DomainName), place, clean(text))
	}
	switch {
	case page.More:
		o.printf(o.say("超过 %d 条，显示 %d 条\n", "more than %d tickets, %d shown\n"), page.Total, len(page.Items))
	case page.Total > len(page.Items):
		o.beside(fmt.Sprintf("共 %d 条，显示 %d 条", page.Total, len(page.Items)), fmt.Sprintf("%d tickets, %d shown", page.Total, len(page.Items)))
	}
	return nil
}
