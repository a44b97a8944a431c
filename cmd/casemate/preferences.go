package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// preferencesCmd shows or changes what an engineer wants to be told by mail.
type preferencesCmd struct {
	Notice map[string]string `help:"How a kind of notice comes: assigned, replied, urged, created, authorized, warned, escalated, breached, mentioned, followed, woken, withheld, asked or rule = mail or off; repeatable." placeholder:"KIND=HOW"`
	Quiet  *string           `help:"Range without notices, HH:mm-HH:mm; off = none." placeholder:"RANGE"`
	Digest *string           `help:"Time of one mail a day for all notices, HH:mm; off = each its own." placeholder:"TIME"`
	Undo   *string           `help:"For how many seconds, up to 60, messages wait and can be taken back; 0 = they go at once, off = the installation's default." placeholder:"SECONDS"`
	Zone   *string           `help:"Zone of the times; off = the person's own." placeholder:"ZONE"`
}

// noticeKinds in the order they are shown.
var noticeKinds = []string{"assigned", "replied", "urged", "created", "authorized", "warned", "escalated", "breached", "mentioned", "followed", "woken", "withheld", "asked", "rule"}

// check refuses kinds and ways that there are not, naming those that there are.
func (c *preferencesCmd) check() error {
	all := strings.Join(noticeKinds, ", ")
	for kind, how := range c.Notice {
		if !slices.Contains(noticeKinds, kind) {
			return problem{"没有通知类型 " + kind + "，可用的有：" + all, "there is no kind of notice " + kind + "; the kinds are " + all}
		}
		if how != "mail" && how != "off" {
			return problem{kind + " 只能是 mail 或 off：" + how, kind + " is mail or off, not " + how}
		}
	}
	return nil
}

// Run shows the preferences, changed before when there is something to change.
func (c *preferencesCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	if err := c.check(); err != nil {
		return err
	}
	cl, name, err := d.someone(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	q := url.Values{}
	if !cl.session {
		q.Set("as", name)
	}
	const path = "/desk/v1/preferences"
	var raw json.RawMessage
	if err := cl.get(ctx, path, q, &raw); err != nil {
		return err
	}
	var p map[string]any
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	changed := len(c.Notice) > 0
	for kind, how := range c.Notice {
		p[kind] = how
	}
	for field, v := range map[string]*string{"quiet_hours": c.Quiet, "digest": c.Digest, "zone": c.Zone} {
		if v == nil {
			continue
		}
		if changed, p[field] = true, *v; *v == "off" {
			p[field] = ""
		}
	}
	if c.Undo != nil {
		n, err := undoSeconds(*c.Undo)
		if err != nil {
			return err
		}
		if changed, p["undo_within"] = true, n; n == nil {
			delete(p, "undo_within")
		}
	}
	if changed {
		if err := cl.call(ctx, http.MethodPut, path, q, p, &raw); err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &p); err != nil {
			return err
		}
	}
	if d.JSON {
		return o.json(raw)
	}
	for _, kind := range noticeKinds {
		o.printf("%s\t%v\n", kind, p[kind])
	}
	for _, field := range []string{"quiet_hours", "digest", "zone", "undo_within"} {
		v := p[field]
		if v == "" || v == nil {
			v = "-"
		}
		o.printf("%s\t%v\n", field, v)
	}
	return nil
}

// someone opens a client for what is an engineer's but no ticket's: the
// operator must name him.
func (d *deskCmd) someone(ctx context.Context, o *output) (*client, string, error) {
	if d.Credentials == "" {
		if d.As == "" {
			return nil, "", errWhoIsMe
		}
		c, err := d.local(o)
		return c, d.As, err
	}
	file, err := readCredentials(d.Credentials)
	if err != nil {
		return nil, "", err
	}
	name := d.As
	if name == "" && len(file.Engineers) > 0 {
		name = file.Engineers[0].Name
	}
	who, ok := find(file.Engineers, name)
	if !ok {
		return nil, "", problem{d.Credentials + "：没有工程师 " + name, d.Credentials + ": holds no engineer " + name}
	}
	c, err := d.login(ctx, o, file, who)
	return c, who.Name, err
}
