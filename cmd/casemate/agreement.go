package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
)

// agreementCmd publishes agreements and shows who signed them.
type agreementCmd struct {
	clientFlags
	jsonFlag
	List       agreementListCmd       `cmd:"" help:"All versions ever published."`
	Publish    agreementPublishCmd    `cmd:"" help:"Publish a new version; id and version are given by the server, and everybody is asked to sign again."`
	Signatures agreementSignaturesCmd `cmd:"" help:"Who accepted a version."`
}

type agreementListCmd struct{}

type agreementPublishCmd struct {
	Type   string `required:"" help:"Type of the catalogue: 0 ticket creation, 1 ticket creation by software vendors, 2 authorization."`
	ZH     string `required:"" name:"zh" help:"File with the Chinese text." type:"existingfile" placeholder:"FILE"`
	EN     string `required:"" name:"en" help:"File with the English text." type:"existingfile" placeholder:"FILE"`
	NameZH string `name:"name-zh" help:"Chinese title; without both titles that of the newest version."`
	NameEN string `name:"name-en" help:"English title."`
	Dir    string `help:"Your folder of the catalogue: the new file is written there too, so that the next apply does not withdraw it." type:"existingdir" placeholder:"DIR"`
}

type agreementSignaturesCmd struct {
	ID     int32  `arg:"" help:"Agreement id."`
	Domain string `help:"Only users of this domain." placeholder:"ID"`
	Limit  int    `help:"Most lines." default:"50"`
}

// agreement is one version as the desk API shows it.
type agreement struct {
	ID      int32 `json:"id"`
	Type    string
	Version int32
	Name    struct{ ZH, EN string }
	Content struct{ ZH, EN string }
	// One of these at most.
	Withdrawn, Latest bool
}

// Run lists.
func (c *agreementListCmd) Run(ctx context.Context, p *agreementCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, "/desk/v1/agreements", nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var got struct{ Items []agreement }
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if len(got.Items) == 0 {
		o.beside("没有协议", "no agreements")
	}
	for _, a := range got.Items {
		state := ""
		switch {
		case a.Latest:
			state = o.say("当前", "latest")
		case a.Withdrawn:
			state = o.say("已撤回", "withdrawn")
		}
		o.printf("%-6d %-4s v%-4d %-8s %s\n", a.ID, a.Type, a.Version, state, o.say(a.Name.ZH, a.Name.EN))
	}
	return nil
}

// Run publishes.
func (c *agreementPublishCmd) Run(ctx context.Context, p *agreementCmd, o *output) error {
	if (c.NameZH == "") != (c.NameEN == "") {
		return problem{"--name-zh 和 --name-en 须同时给出", "--name-zh and --name-en come together"}
	}
	texts := map[string]string{}
	for lang, file := range map[string]string{"zh": c.ZH, "en": c.EN} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		texts[lang] = strings.ReplaceAll(strings.TrimPrefix(string(text), "\ufeff"), "\r\n", "\n")
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body := map[string]any{"type": c.Type, "content": texts}
	if c.NameZH != "" {
		body["name"] = map[string]string{"zh": c.NameZH, "en": c.NameEN}
	}
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/agreements", body, &raw); err != nil {
		return err
	}
	var done struct {
		Agreement agreement
		File      string
		Text      string
	}
	if err := json.Unmarshal(raw, &done); err != nil {
		return err
	}
	if c.Dir != "" {
		if err := writeFolder(c.Dir, map[string]string{done.File: done.Text}, false); err != nil {
			return err
		}
	}
	if p.JSON {
		return o.json(raw)
	}
	o.printf(o.say("已发布：协议 %d，类型 %s，版本 %d。所有人将被要求重新签署。\n", "published: agreement %d, type %s, version %d. Everybody is asked to sign again.\n"),
		done.Agreement.ID, done.Agreement.Type, done.Agreement.Version)
	if c.Dir == "" {
		o.printf(o.say("目录中新增文件 %s；再次 apply 本地文件夹之前请先 casemate catalog export，否则新版本会被撤回。\n",
			"the catalogue has a new file %s; run casemate catalog export before you apply a folder of yours again, or the version is withdrawn.\n"), done.File)
	}
	return nil
}

// Run lists signatures, page by page.
func (c *agreementSignaturesCmd) Run(ctx context.Context, p *agreementCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	path := fmt.Sprintf("/desk/v1/agreements/%d/signatures", c.ID)
	query, left := url.Values{}, max(c.Limit, 1)
	if c.Domain != "" {
		query.Set("domain", c.Domain)
	}
	for {
		query.Set("limit", fmt.Sprint(min(left, 100)))
		var raw json.RawMessage
		if err := cl.get(ctx, path, query, &raw); err != nil {
			return err
		}
		var page struct {
			Items []struct {
				Record   int32  `json:"record_id"`
				Domain   string `json:"domain_id"`
				User     string `json:"user_id"`
				Name     string `json:"user_name"`
				Relation string `json:"relation_id"`
				Signed   string `json:"signed_at"`
			}
			Next string `json:"next_cursor"`
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
				o.beside("没有签署记录", "nobody has signed")
			}
			for _, s := range page.Items {
				o.printf("%s  %s  %s  %-20s %s\n", s.Signed, s.Domain, s.User, s.Name, s.Relation)
			}
		}
		if left -= len(page.Items); page.Next == "" || left <= 0 {
			return nil
		}
		query.Set("cursor", page.Next)
	}
}
