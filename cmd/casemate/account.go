package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// accountCmd administers customers' accounts.
type accountCmd struct {
	clientFlags
	jsonFlag
	List    accountListCmd    `cmd:"" help:"List the accounts."`
	Show    accountShowCmd    `cmd:"" help:"Show an account."`
	Change  accountChangeCmd  `cmd:"" help:"Change an account's name, support plan, quota or switches; what is not given stays."`
	Disable accountDisableCmd `cmd:"" help:"Keep all users of an account out, at once."`
	Enable  accountEnableCmd  `cmd:"" help:"Let them in again."`
	Close   accountCloseCmd   `cmd:"" help:"Close a disabled account for good: keys and tokens are gone, personal data can never be read again. Needs --yes."`
	Keys    accountKeysCmd    `cmd:"" help:"List the access keys of an account's users with their last use."`
	Groups  accountGroupsCmd  `cmd:"" help:"List the groups of an account, what they permit and who is in them."`
}

// accountView is an account as it is printed.
type accountView struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Plan     string     `json:"plan"`
	PlanName string     `json:"plan_name"`
	Sandbox  bool       `json:"sandbox"`
	Disabled bool       `json:"disabled"`
	Quota    int        `json:"quota"`
	ByGroup  bool       `json:"submit_by_permission"`
	Export   bool       `json:"export_by_users"`
	All      bool       `json:"assume_all"`
	Closed   *time.Time `json:"closed_at"`
}

func (a accountView) print(o *output) {
	var marks []string
	for _, m := range []struct {
		on     bool
		zh, en string
	}{{a.Closed != nil, "已注销", "closed"}, {a.Disabled && a.Closed == nil, "已停用", "disabled"}, {a.Sandbox, "沙箱", "sandbox"},
		{a.ByGroup, "按权限提单", "submits by permission"}, {a.Export, "子用户可导出", "users export"}, {a.All, "子用户可处理全部工单", "users handle all"}} {
		if m.on {
			marks = append(marks, o.say(m.zh, m.en))
		}
	}
	if a.Quota != 0 {
		marks = append(marks, o.say("配额 ", "quota ")+strconv.Itoa(a.Quota))
	}
	o.printf("%s\t%s\t%s\t%s\n", clean(a.Name), a.ID, clean(cmp.Or(a.PlanName, a.Plan)), strings.Join(marks, ", "))
}

func domainPath(id string) string { return "/desk/v1/domains/" + url.PathEscape(id) }

// do makes one call about an account and prints the account.
func (p *accountCmd) do(ctx context.Context, o *output, name, method, tail string, body any) error {
	cl, id, err := p.find(ctx, o, name)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, method, domainPath(id)+tail, nil, body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var a accountView
	if err := json.Unmarshal(raw, &a); err != nil {
		return err
	}
	a.print(o)
	return nil
}

func (p *accountCmd) find(ctx context.Context, o *output, name string) (*client, string, error) {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return nil, "", err
	}
	id, err := findDomain(ctx, cl, name)
	if err != nil {
		cl.end()
	}
	return cl, id, err
}

type accountListCmd struct{}

// Run lists the accounts.
func (c *accountListCmd) Run(ctx context.Context, p *accountCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	all, err := rawDomains(ctx, cl, nil)
	if err != nil {
		return err
	}
	if p.JSON {
		if all == nil {
			all = []json.RawMessage{}
		}
		raw, err := json.Marshal(map[string]any{"items": all, "total_count": len(all)})
		return orJSON(o, err, raw)
	}
	for _, r := range all {
		var a accountView
		if err := json.Unmarshal(r, &a); err != nil {
			return err
		}
		a.print(o)
	}
	if len(all) == 0 {
		o.beside("没有账号", "no accounts")
	}
	return nil
}

type accountShowCmd struct {
	Name string `arg:"" help:"Account, by name or id."`
}

// Run shows an account.
func (c *accountShowCmd) Run(ctx context.Context, p *accountCmd, o *output) error {
	return p.do(ctx, o, c.Name, http.MethodGet, "", nil)
}

type accountChangeCmd struct {
	Name               string  `arg:"" help:"Account, by name or id."`
	Rename             *string `help:"New name." placeholder:"NAME"`
	Plan               *string `help:"Support plan; empty = none." placeholder:"PLAN"`
	Quota              *int    `help:"Open tickets of each problem type: 0 = as the catalogue says, -1 = without end." placeholder:"N"`
	SubmitByPermission *bool   `help:"Sub-users submit tickets only when a group permits it." negatable:""`
	ExportByUsers      *bool   `help:"Sub-users may export tickets." negatable:""`
	AssumeAll          *bool   `help:"Sub-users act on every ticket of the account." negatable:""`
}

// Run changes an account.
func (c *accountChangeCmd) Run(ctx context.Context, p *accountCmd, o *output) error {
	body := map[string]any{}
	if c.Rename != nil {
		body["name"] = *c.Rename
	}
	if c.Plan != nil {
		body["plan"] = *c.Plan
	}
	if c.Quota != nil {
		body["quota"] = *c.Quota
	}
	for name, v := range map[string]*bool{"submit_by_permission": c.SubmitByPermission, "export_by_users": c.ExportByUsers, "assume_all": c.AssumeAll} {
		if v != nil {
			body[name] = *v
		}
	}
	if len(body) == 0 {
		return problem{"没有要修改的内容", "there is nothing to change"}
	}
	return p.do(ctx, o, c.Name, http.MethodPatch, "", body)
}

type accountDisableCmd struct {
	Name string `arg:"" help:"Account, by name or id."`
}

// Run disables an account.
func (c *accountDisableCmd) Run(ctx context.Context, p *accountCmd, o *output) error {
	return p.do(ctx, o, c.Name, http.MethodPost, "/disable", nil)
}

type accountEnableCmd struct {
	Name string `arg:"" help:"Account, by name or id."`
}

// Run enables an account.
func (c *accountEnableCmd) Run(ctx context.Context, p *accountCmd, o *output) error {
	return p.do(ctx, o, c.Name, http.MethodPost, "/enable", nil)
}

type accountCloseCmd struct {
	Name string `arg:"" help:"Account, by its full name."`
	Yes  bool   `help:"Close it; this cannot be undone."`
}

// Run closes an account.
func (c *accountCloseCmd) Run(ctx context.Context, p *accountCmd, o *output) error {
	if !c.Yes {
		return problem{"注销后不可恢复；确认请加 --yes", "a closed account does not come back; add --yes to close it"}
	}
	return p.do(ctx, o, c.Name, http.MethodPost, "/close", map[string]string{"name": c.Name})
}

type accountKeysCmd struct {
	Name string `arg:"" help:"Account, by name or id."`
}

// Run lists access keys.
func (c *accountKeysCmd) Run(ctx context.Context, p *accountCmd, o *output) error {
	cl, id, err := p.find(ctx, o, c.Name)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, domainPath(id)+"/keys", nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			ID       string     `json:"id"`
			User     string     `json:"user_name"`
			Disabled bool       `json:"disabled"`
			Created  time.Time  `json:"created_at"`
			Used     *time.Time `json:"last_used_at"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, k := range list.Items {
		state, used := "", o.say("从未使用", "never used")
		if k.Disabled {
			state = o.say("已停用", "disabled")
		}
		if k.Used != nil {
			used = o.when(*k.Used)
		}
		o.printf("%s\t%s\t%s\t%s\t%s\n", k.ID, clean(k.User), o.when(k.Created), used, state)
	}
	if len(list.Items) == 0 {
		o.beside("没有访问密钥", "no access keys")
	}
	return nil
}

type accountGroupsCmd struct {
	Name string `arg:"" help:"Account, by name or id."`
}

// Run lists groups.
func (c *accountGroupsCmd) Run(ctx context.Context, p *accountCmd, o *output) error {
	cl, id, err := p.find(ctx, o, c.Name)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, domainPath(id)+"/groups", nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			ID, Name       string
			Roles, Members []string
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, g := range list.Items {
		o.printf("%s\t%s\t%s\t%s\n", clean(g.Name), g.ID, strings.Join(g.Roles, ","), strings.Join(g.Members, ","))
	}
	if len(list.Items) == 0 {
		o.beside("没有用户组", "no groups")
	}
	return nil
}
