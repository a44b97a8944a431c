package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// keyCmd administers access keys of customers' users, and the master key.
type keyCmd struct {
	Create  keyCreateCmd  `cmd:"" help:"Create an access key, at most two a user; its secret is printed once."`
	List    keyListCmd    `cmd:"" help:"List a user's access keys."`
	Disable keyDisableCmd `cmd:"" help:"Refuse requests signed with a key from now on."`
	Enable  keyEnableCmd  `cmd:"" help:"Let a disabled key sign again."`
	Delete  keyDeleteCmd  `cmd:"" help:"Delete a key."`

	RotateMaster rotateCmd `cmd:"" help:"Make a new master key and wrap all keys anew under it; stop the server before."`
}

// keyClient asks a running server; the rotation of the master key does not.
type keyClient struct {
	clientFlags
	jsonFlag
}

type keyOwner struct {
	keyClient
	Domain string `help:"The customer's domain, by name or id." required:"" placeholder:"DOMAIN"`
	User   string `arg:"" help:"Log-in name or user id."`
}

type keyCreateCmd struct{ keyOwner }

type keyListCmd struct{ keyOwner }

type keyDisableCmd struct {
	keyClient
	Key string `arg:"" name:"ak" help:"Access key id."`
}

type keyEnableCmd struct {
	keyClient
	Key string `arg:"" name:"ak" help:"Access key id."`
}

type keyDeleteCmd struct {
	keyClient
	Key string `arg:"" name:"ak" help:"Access key id."`
}

// path finds the owner and is the path of his keys.
func (k keyOwner) path(ctx context.Context, c *client) (string, error) {
	domain, err := findDomain(ctx, c, k.Domain)
	if err != nil {
		return "", err
	}
	u, err := findUser(ctx, c, domain, k.User)
	return userPath(domain, u.ID) + "/keys", err
}

// Run creates a key.
func (c *keyCreateCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	path, err := c.path(ctx, cl)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodPost, path, nil, nil, &raw); err != nil || c.JSON {
		return orJSON(o, err, raw)
	}
	var k struct {
		ID     string `json:"id"`
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal(raw, &k); err != nil {
		return err
	}
	o.printf("AK\t%s\nSK\t%s\t%s\n", k.ID, k.Secret, o.say("（仅显示一次）", "(shown once)"))
	return nil
}

// Run lists keys.
func (c *keyListCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	path, err := c.path(ctx, cl)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.get(ctx, path, nil, &raw); err != nil || c.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []struct {
			ID       string    `json:"id"`
			Disabled bool      `json:"disabled"`
			Created  time.Time `json:"created_at"`
			Used     time.Time `json:"last_used_at"`
		} `json:"items"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	for _, k := range list.Items {
		state, used := o.say("启用", "enabled"), o.say("从未使用", "never used")
		if k.Disabled {
			state = o.say("已停用", "disabled")
		}
		if !k.Used.IsZero() {
			used = o.when(k.Used)
		}
		o.printf("%s\t%s\t%s\t%s\n", k.ID, state, o.when(k.Created), used)
	}
	return nil
}

// Run disables the key.
func (c *keyDisableCmd) Run(ctx context.Context, o *output) error {
	return c.change(ctx, o, http.MethodPost, c.Key, "/disable", o.say("已停用", "disabled"))
}

// Run enables the key.
func (c *keyEnableCmd) Run(ctx context.Context, o *output) error {
	return c.change(ctx, o, http.MethodPost, c.Key, "/enable", o.say("启用", "enabled"))
}

// Run deletes the key.
func (c *keyDeleteCmd) Run(ctx context.Context, o *output) error {
	return c.change(ctx, o, http.MethodDelete, c.Key, "", o.say("已删除", "deleted"))
}

func (p *keyClient) change(ctx context.Context, o *output, method, key, verb, done string) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	if err := cl.call(ctx, method, "/desk/v1/keys/"+url.PathEscape(key)+verb, nil, nil, nil); err != nil {
		return err
	}
	if p.JSON {
		text, err := json.Marshal(map[string]string{"id": key})
		return orJSON(o, err, text)
	}
	o.printf("%s\t%s\n", key, done)
	return nil
}
