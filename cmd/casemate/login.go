package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"casemate/internal/identity"
	"casemate/internal/locale"
)

// loginCmd looks after the ways people sign in.
type loginCmd struct {
	Check loginCheckCmd `cmd:"" help:"Try the identity providers and directories of a configuration file, step by step."`
}

type loginCheckCmd struct {
	ID           string `arg:"" optional:"" help:"One of identity.oidc or identity.ldap; else all."`
	ConfigFile   string `help:"Configuration file." name:"config" required:"" type:"path" placeholder:"FILE"`
	User         string `help:"Also tell what the directory says of this person, and which role or groups that gives." placeholder:"NAME"`
	PasswordFile string `help:"Also try the person's password, the first line of this file (- is standard input)." placeholder:"FILE"`
}

// Run checks the providers of the file. No server is needed.
func (c *loginCheckCmd) Run(ctx context.Context, o *output) error {
	cfg, err := readConfig(c.ConfigFile)
	if err != nil {
		return err
	}
	password := ""
	if c.PasswordFile != "" {
		if c.User == "" {
			return problem{"--password-file 需要 --user", "--password-file needs --user"}
		}
		if password, _, err = newPassword(c.PasswordFile); err != nil {
			return err
		}
	}
	failed, checked := identity.CheckProviders(ctx, cfg.Identity, c.ID, c.User, password, func(what locale.Texts, err error) {
		if err != nil {
			o.printf("%s  %s: %v\n", o.say("失败", "FAILED"), what.In(o.lang), err)
			return
		}
		o.printf("%s  %s\n", o.say("通过", "ok    "), what.In(o.lang))
	})
	switch {
	case checked == 0:
		return problem{"配置中没有这样的身份提供商或目录", "the file has no such identity provider or directory"}
	case failed > 0:
		return problem{"有步骤失败", "some steps failed"}
	}
	return nil
}

// userTotpCmd is a user's second factor.
type userTotpCmd struct {
	Reset userTotpResetCmd `cmd:"" help:"Take a user's second factor away; sessions and tokens end."`
}

type userTotpResetCmd struct {
	Name string `arg:"" help:"Log-in name or user id."`
}

// Run takes the second factor away.
func (c *userTotpResetCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	cl, u, err := p.one(ctx, o, c.Name)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := cl.call(ctx, http.MethodDelete, userPath(u.DomainID, u.ID)+"/second-factor", nil, nil, nil); err != nil {
		return err
	}
	o.printf("%s\n", o.say("已取消第二因素："+u.Name, "the second factor is gone: "+u.Name))
	return nil
}

// userSessionsCmd lists where a user is logged in.
type userSessionsCmd struct {
	Name string `arg:"" help:"Log-in name or user id."`
	End  bool   `help:"End them all: sessions, tokens, temporary access keys."`
}

// Run lists or ends sessions and tokens.
func (c *userSessionsCmd) Run(ctx context.Context, p *userCmd, o *output) error {
	cl, u, err := p.one(ctx, o, c.Name)
	if err != nil {
		return err
	}
	defer cl.end()
	path := userPath(u.DomainID, u.ID) + "/sessions"
	if c.End {
		if err := cl.call(ctx, http.MethodDelete, path, nil, nil, nil); err != nil {
			return err
		}
		o.printf("%s\n", o.say("已全部结束："+u.Name, "all ended: "+u.Name))
		return nil
	}
	var raw json.RawMessage
	if err := cl.get(ctx, path, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			ID, Kind, Method, Device, Address string
			Created                           time.Time `json:"created_at"`
			Used                              time.Time `json:"last_used_at"`
		}
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, s := range list.Items {
		last := s.Created
		if !s.Used.IsZero() {
			last = s.Used
		}
		o.printf("%s  %s  %s  %s  %s  %s\n", s.ID, s.Kind, s.Method, o.when(last), s.Address, s.Device)
	}
	return nil
}

// one finds the user that a command names.
func (c *userCmd) one(ctx context.Context, o *output, name string) (*client, userView, error) {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return nil, userView{}, err
	}
	domain, err := findDomain(ctx, cl, c.Domain)
	if err != nil {
		cl.end()
		return nil, userView{}, err
	}
	u, err := findUser(ctx, cl, domain, name)
	if err != nil {
		cl.end()
		return nil, u, err
	}
	u.DomainID = domain
	return cl, u, nil
}
