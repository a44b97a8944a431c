package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// userRoleCmd grants and revokes roles of people of the house.
type userRoleCmd struct {
	Show   userRoleShowCmd   `cmd:"" help:"Show the roles of everybody of the house, or of one."`
	Grant  userRoleGrantCmd  `cmd:"" help:"Give a person one more role."`
	Revoke userRoleRevokeCmd `cmd:"" help:"Take a role from a person; the last administrator keeps his."`
}

type userRoleShowCmd struct {
	Name string `arg:"" optional:"" help:"Log-in name or user id; everybody when absent."`
}

type userRoleGrantCmd struct {
	Name string `arg:"" help:"Log-in name or user id."`
	Role string `arg:"" help:"administrator, supervisor, engineer or auditor." enum:"administrator,supervisor,engineer,auditor"`
}

type userRoleRevokeCmd struct {
	Name string `arg:"" help:"Log-in name or user id."`
	Role string `arg:"" help:"administrator, supervisor, engineer or auditor." enum:"administrator,supervisor,engineer,auditor"`
}

// Run shows roles.
func (c *userRoleShowCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.get(ctx, usersPath(house), nil, &raw); err != nil || p.JSON && c.Name == "" {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []userView `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	found := false
	for _, u := range list.Items {
		if c.Name != "" && u.ID != c.Name && !strings.EqualFold(u.Name, c.Name) {
			continue
		}
		found = true
		if p.JSON {
			text, err := json.Marshal(u)
			return orJSON(o, err, text)
		}
		u.print(o)
	}
	if !found {
		return problem{"用户不存在：" + c.Name, "there is no user " + c.Name}
	}
	return nil
}

// Run grants the role.
func (c *userRoleGrantCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	return p.role(ctx, o, http.MethodPut, c.Name, c.Role)
}

// Run revokes the role.
func (c *userRoleRevokeCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	return p.role(ctx, o, http.MethodDelete, c.Name, c.Role)
}

func (p *userCmd) role(ctx context.Context, o *output, method, name, role string) error {
	if p.Domain != house {
		return problem{"只有内部人员有角色", "only people of the house have roles"}
	}
	cl, _, u, err := p.open(ctx, o, name)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, method, "/desk/v1/engineers/"+url.PathEscape(u.ID)+"/roles/"+role, nil, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	return printUser(o, raw)
}

func printUser(o *output, raw json.RawMessage) error {
	var u userView
	if err := json.Unmarshal(raw, &u); err != nil {
		return err
	}
	u.print(o)
	return nil
}

// userChangeCmd changes what is known of a user.
type userChangeCmd struct {
	Name     string  `arg:"" help:"Log-in name or user id."`
	Rename   *string `help:"New log-in name; the user's tokens end." placeholder:"NAME"`
	Alias    *string `help:"For people of the house: the name customers see." placeholder:"NAME"`
	AreaCode *string `help:"Calling code of the phone number, for example 86; with --mobile." placeholder:"CODE"`
	Mobile   *string `help:"Phone number; empty removes it." placeholder:"NUMBER"`
	Mail     *string `help:"Mail address; empty removes it." placeholder:"ADDRESS"`
	Speaks   *string `help:"Language of mails to the user: zh-cn or en-us." placeholder:"LANGUAGE"`
	TimeZone *string `help:"Time zone, for example GMT+8." placeholder:"ZONE"`
}

// Run changes the user.
func (c *userChangeCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	body := map[string]string{}
	for name, v := range map[string]*string{"name": c.Rename, "alias": c.Alias, "area_code": c.AreaCode, "mobile": c.Mobile, "email": c.Mail, "language": c.Speaks, "time_zone": c.TimeZone} {
		if v != nil {
			body[name] = *v
		}
	}
	if len(body) == 0 {
		return problem{"没有要修改的内容", "there is nothing to change"}
	}
	cl, domain, u, err := p.open(ctx, o, c.Name)
	if err != nil {
		return err
	}
	defer cl.end()
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodPatch, userPath(domain, u.ID), nil, body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	return printUser(o, raw)
}
