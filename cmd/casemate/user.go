package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"casemate/internal/locale"
)

// house is the domain of engineers and administrators.
const house = "house"

// userCmd administers users of the house and of customers.
type userCmd struct {
	clientFlags
	jsonFlag
	Domain string `help:"The customer's domain, by name or id; house is ours." default:"house" placeholder:"DOMAIN"`

	Create        userCreateCmd   `cmd:"" help:"Create a user."`
	List          userListCmd     `cmd:"" help:"List the users of a domain, or with --all every domain."`
	Disable       userDisableCmd  `cmd:"" help:"Keep a user out; tokens end at once."`
	Enable        userEnableCmd   `cmd:"" help:"Let a disabled user in again."`
	ResetPassword userPasswordCmd `cmd:"" help:"Set a new password; tokens end at once."`
	Totp          userTotpCmd     `cmd:"" help:"A user's second factor: reset."`
	Sessions      userSessionsCmd `cmd:"" help:"Where a user is logged in: browsers' sessions and tokens; --end ends them."`
	Role          userRoleCmd     `cmd:"" help:"Roles of a person of the house: show, grant, revoke. They hold at once."`
	Change        userChangeCmd   `cmd:"" help:"Change a user's log-in name, contacts, language, time zone, alias."`
}

type userCreateCmd struct {
	Name         string `arg:"" help:"Log-in name."`
	Role         string `help:"For people of the house: administrator, supervisor, engineer, auditor; casemate user role grant adds more." enum:",administrator,supervisor,engineer,auditor" default:""`
	Main         bool   `help:"The main account of a customer's domain."`
	NewDomain    bool   `help:"Create the domain as well; the user becomes its main account."`
	Plan         string `help:"Support plan of the new domain." placeholder:"PLAN"`
	Sandbox      bool   `help:"The new domain is a sandbox."`
	Alias        string `help:"For people of the house: the name customers see."`
	AreaCode     string `help:"Calling code of the phone number, for example 86."`
	Mobile       string `help:"Phone number."`
	Mail         string `help:"Mail address."`
	Speaks       string `help:"Language of mails to the user: zh-cn or en-us." enum:",zh-cn,en-us" default:""`
	TimeZone     string `help:"Time zone, for example GMT+8."`
	PasswordFile string `help:"File with the password; else one is made and printed once." type:"existingfile" placeholder:"FILE"`
}

type userListCmd struct {
	All bool `help:"Every domain, the house included."`
}

type userDisableCmd struct {
	Name string `arg:"" help:"Log-in name or user id."`
}

type userEnableCmd struct {
	Name string `arg:"" help:"Log-in name or user id."`
}

type userPasswordCmd struct {
	Name         string `arg:"" help:"Log-in name or user id."`
	PasswordFile string `help:"File with the password; else one is made and printed once." type:"existingfile" placeholder:"FILE"`
}

// userView is what the commands show of a user.
type userView struct {
	ID       string `json:"id"`
	DomainID string `json:"domain_id"`
	Name     string `json:"name"`
	Main     bool   `json:"main"`
	Role     string `json:"role"`
	Disabled bool   `json:"disabled"`

	Roles []string `json:"roles,omitempty"`
}

type domainView struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Sandbox  bool   `json:"sandbox"`
	Disabled bool   `json:"disabled"`
}

func usersPath(domain string) string { return "/desk/v1/domains/" + url.PathEscape(domain) + "/users" }

func userPath(domain, user string) string { return usersPath(domain) + "/" + url.PathEscape(user) }

// listDomains are the customers' accounts that a filter of ListDomains matches.
func listDomains(ctx context.Context, c *client, filter url.Values) ([]domainView, error) {
	raw, err := rawDomains(ctx, c, filter)
	if err != nil {
		return nil, err
	}
	all := make([]domainView, len(raw))
	for i, r := range raw {
		if err := json.Unmarshal(r, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// rawDomains are they as they are answered, page by page.
func rawDomains(ctx context.Context, c *client, filter url.Values) (all []json.RawMessage, err error) {
	query := url.Values{"limit": {"100"}}
	maps.Copy(query, filter)
	for {
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next_cursor"`
		}
		if err := c.get(ctx, "/desk/v1/domains", query, &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Items...); page.Next == "" {
			return all, nil
		}
		query.Set("cursor", page.Next)
	}
}

// findDomain is the id of a domain given by name or id.
func findDomain(ctx context.Context, c *client, name string) (string, error) {
	if name == house {
		return house, nil
	}
	var all []domainView
	if len([]rune(name)) <= 64 { // no name and no id is longer
		var err error
		if all, err = listDomains(ctx, c, url.Values{"q": {name}}); err != nil {
			return "", err
		}
	}
	for _, d := range all {
		if d.ID == name || d.Name == name {
			return d.ID, nil
		}
	}
	return "", problem{"账号不存在：" + name, "there is no account " + name}
}

// findUser finds a user of a domain by log-in name or id.
func findUser(ctx context.Context, c *client, domain, name string) (userView, error) {
	var list struct {
		Items []userView `json:"items"`
	}
	if err := c.get(ctx, usersPath(domain), nil, &list); err != nil {
		return userView{}, err
	}
	for _, u := range list.Items {
		if u.ID == name || strings.EqualFold(u.Name, name) {
			return u, nil
		}
	}
	return userView{}, problem{"用户不存在：" + name, "there is no user " + name}
}

// Run creates the user.
func (c *userCreateCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	if c.NewDomain && p.Domain == house {
		return problem{"--new-domain 需要 --domain 指定新账号名称", "--new-domain needs the new name in --domain"}
	}
	// Before the domain is made, which would be in the way of the next try.
	if _, err := locale.ParseZone(c.TimeZone); c.TimeZone != "" && err != nil {
		return problem{"--time-zone 无效：" + c.TimeZone + "；例如 GMT+8、UTC 或 Asia/Shanghai", "--time-zone " + c.TimeZone + " is no time zone; write GMT+8, UTC or Asia/Shanghai, for example"}
	}
	password, made, err := newPassword(c.PasswordFile)
	if err != nil {
		return err
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var domain string
	if c.NewDomain {
		var d domainView
		err = cl.post(ctx, "/desk/v1/domains", map[string]any{"name": p.Domain, "plan": c.Plan, "sandbox": c.Sandbox}, &d)
		domain = d.ID
	} else {
		domain, err = findDomain(ctx, cl, p.Domain)
	}
	if err != nil {
		return err
	}
	body := map[string]any{"name": c.Name, "password": password, "main": c.Main || c.NewDomain}
	for name, v := range map[string]string{"role": c.Role, "alias": c.Alias, "area_code": c.AreaCode, "mobile": c.Mobile,
		"email": c.Mail, "language": c.Speaks, "time_zone": c.TimeZone} {
		if v != "" {
			body[name] = v
		}
	}
	var raw json.RawMessage
	if err := cl.post(ctx, usersPath(domain), body, &raw); err != nil {
		return err
	}
	return p.created(o, raw, password, made)
}

// created prints a user and, when it was made here, the password.
func (p *userCmd) created(o *output, raw json.RawMessage, password string, made bool) error {
	if p.JSON {
		var u map[string]any
		if err := json.Unmarshal(raw, &u); err != nil {
			return err
		}
		if made {
			u["password"] = password
		}
		text, err := json.Marshal(u)
		return orJSON(o, err, text)
	}
	var u userView
	if err := json.Unmarshal(raw, &u); err != nil {
		return err
	}
	u.print(o)
	if made {
		o.printf("%s%s\n", o.say("密码（仅显示一次）：", "password, shown once: "), password)
	}
	return nil
}

func (u userView) print(o *output) {
	role := u.Role
	if len(u.Roles) > 1 {
		role = strings.Join(u.Roles, ",")
	}
	if u.Main {
		role = "main"
	}
	state := ""
	if u.Disabled {
		state = o.say("已停用", "disabled")
	}
	if u.Name == "" {
		u.Name = o.say("（已清除）", "(erased)")
	}
	o.printf("%s\t%s\t%s\t%s\n", u.Name, u.ID, role, state)
}

// Run lists users.
func (c *userListCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	domains := []domainView{{ID: house, Name: house}}
	if c.All {
		customers, err := listDomains(ctx, cl, nil)
		if err != nil {
			return err
		}
		domains = append(domains, customers...)
	} else if domains[0].ID, err = findDomain(ctx, cl, p.Domain); err != nil {
		return err
	}
	var all []json.RawMessage
	for _, d := range domains {
		var list struct {
			Items []json.RawMessage `json:"items"`
		}
		if err := cl.get(ctx, usersPath(d.ID), nil, &list); err != nil {
			return err
		}
		all = append(all, list.Items...)
		if p.JSON {
			continue
		}
		if c.All {
			o.printf("%s\t%s\n", d.Name, d.ID)
		}
		for _, raw := range list.Items {
			var u userView
			if err := json.Unmarshal(raw, &u); err != nil {
				return err
			}
			if c.All {
				o.printf("  ")
			}
			u.print(o)
		}
	}
	if !p.JSON {
		return nil
	}
	text, err := json.Marshal(map[string]any{"items": all})
	return orJSON(o, err, text)
}

// Run disables the user.
func (c *userDisableCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	return p.change(ctx, o, c.Name, "/disable")
}

// Run enables the user.
func (c *userEnableCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	return p.change(ctx, o, c.Name, "/enable")
}

func (p *userCmd) change(ctx context.Context, o *output, name, verb string) error {
	cl, domain, user, err := p.open(ctx, o, name)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodPost, userPath(domain, user.ID)+verb, nil, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	if err := json.Unmarshal(raw, &user); err != nil {
		return err
	}
	user.print(o)
	return nil
}

// open opens a client and finds the user a command is about.
func (p *userCmd) open(ctx context.Context, o *output, name string) (cl *client, domain string, u userView, err error) {
	if cl, err = p.operator(ctx, o); err != nil {
		return nil, "", u, err
	}
	if domain, err = findDomain(ctx, cl, p.Domain); err == nil {
		u, err = findUser(ctx, cl, domain, name)
	}
	if err != nil {
		cl.end()
	}
	return cl, domain, u, err
}

// Run sets the password.
func (c *userPasswordCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	password, made, err := newPassword(c.PasswordFile)
	if err != nil {
		return err
	}
	cl, domain, user, err := p.open(ctx, o, c.Name)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := cl.post(ctx, userPath(domain, user.ID)+"/password", map[string]string{"password": password}, nil); err != nil {
		return err
	}
	raw, err := json.Marshal(user)
	if err != nil {
		return err
	}
	return p.created(o, raw, password, made)
}
