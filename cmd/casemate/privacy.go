package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// privacyCmd does what people may ask of the data held about them.
type privacyCmd struct {
	clientFlags
	jsonFlag
	Plan      privacyPlanCmd      `cmd:"" help:"What erasing a person would destroy, and what stands in the way; changes nothing."`
	Erase     privacyEraseCmd     `cmd:"" help:"Erase a person: a user, a person of the house, or a contact that is no user's. It cannot be undone."`
	Show      privacyShowCmd      `cmd:"" help:"How far an erasure is; without its id all of them."`
	Bundle    privacyBundleCmd    `cmd:"" help:"Write all that is held about a person into a zip file."`
	Hold      privacyHoldCmd      `cmd:"" help:"Legal holds: put, list, release."`
	Retention privacyRetentionCmd `cmd:"" help:"What goes by its age: list, preview, set, remove."`
}

// personFlags say whose data are meant.
type personFlags struct {
	Domain  string `help:"The user's domain, by name or id; house for people of the house." placeholder:"DOMAIN"`
	User    string `help:"Log-in name or user id." placeholder:"USER"`
	Contact string `help:"Instead of a user: mail address or phone number of somebody who is none." placeholder:"CONTACT"`
}

// body finds the person and is what requests name him by.
func (f personFlags) body(ctx context.Context, c *client) (map[string]any, error) {
	switch {
	case f.Contact != "" && f.User == "" && f.Domain == "":
		return map[string]any{"contact": f.Contact}, nil
	case f.Contact != "" || f.User == "" || f.Domain == "":
		return nil, problem{"请给出 --domain 和 --user，或 --contact", "give --domain and --user, or --contact"}
	}
	domain, err := findDomain(ctx, c, f.Domain)
	if err != nil {
		return nil, err
	}
	u, err := findUser(ctx, c, domain, f.User)
	return map[string]any{"domain_id": domain, "user_id": u.ID}, err
}

type kindCount struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

type privacyPlanCmd struct{ personFlags }

// Run shows the plan.
func (c *privacyPlanCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body, err := c.body(ctx, cl)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := cl.post(ctx, "/desk/v1/privacy/plan", body, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	return printPlan(o, raw)
}

func printPlan(o *output, raw []byte) error {
	var v struct {
		Name    string      `json:"name"`
		Erased  bool        `json:"erased"`
		Running string      `json:"running_id"`
		Counts  []kindCount `json:"counts"`
		Tickets []string    `json:"tickets"`
		InAll   int64       `json:"tickets_total"`
		Holds   []holdView  `json:"holds"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	if v.Name != "" {
		o.printf("%s\t%s\n", o.say("用户", "user"), v.Name)
	}
	switch {
	case v.Running != "":
		o.printf("%s\t%s\n", o.say("正在清除", "being erased"), v.Running)
	case v.Erased:
		o.printf("%s\n", o.say("没有可清除的内容", "there is nothing to erase"))
	}
	for _, n := range v.Counts {
		o.printf("%s\t%d\n", n.Name, n.Rows)
	}
	if v.InAll > 0 {
		o.printf("%s\t%d\n", o.say("涉及工单", "tickets concerned"), v.InAll)
	}
	for _, n := range v.Tickets {
		o.printf("\t%s\n", n)
	}
	if len(v.Holds) > 0 {
		o.printf("%s\n", o.say("以下保全使其不能清除：", "legal holds stand in the way:"))
	}
	for _, h := range v.Holds {
		h.print(o)
	}
	return nil
}

type privacyEraseCmd struct {
	personFlags
	Reason string `help:"Why, for the record." required:"" placeholder:"TEXT"`
	Yes    bool   `help:"Really do it; without it the plan is shown and nothing is done."`
	NoWait bool   `help:"Do not wait for its end."`
}

type erasureView struct {
	ID     string      `json:"id"`
	Domain string      `json:"domain_id"`
	User   string      `json:"user_id"`
	State  string      `json:"state"`
	Step   string      `json:"step"`
	Reason string      `json:"reason"`
	Found  []kindCount `json:"found"`
	Erased []kindCount `json:"erased"`
	Began  time.Time   `json:"created_at"`
}

func (e erasureView) print(o *output) {
	var found, erased int64
	for _, n := range e.Found {
		found += n.Rows
	}
	for _, n := range e.Erased {
		erased += n.Rows
	}
	o.printf("%s\t%s\t%s\t%d/%d\t%s\t%s\n", e.ID, e.State, e.Step, erased, found, o.when(e.Began), e.Domain+"/"+e.User)
}

var errHeldMeanwhile = problem{"其间设置了保全，已停止", "a legal hold was put meanwhile: it stopped"}

var errLastMeanwhile = problem{"此人已成为最后一个管理员，未清除；请先指定另一位", "the person has become the last administrator and was not erased: make another one first"}

// Run erases the person.
func (c *privacyEraseCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body, err := c.body(ctx, cl)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if !c.Yes {
		if err := cl.post(ctx, "/desk/v1/privacy/plan", body, &raw); err != nil || p.JSON {
			return orJSON(o, err, raw)
		}
		if err := printPlan(o, raw); err != nil {
			return err
		}
		o.printf("%s\n", o.say("尚未执行任何操作；确认后加 --yes 再运行（不可撤销）。", "nothing was done; run it again with --yes to do it (it cannot be undone)."))
		return nil
	}
	body["reason"] = c.Reason
	if err := cl.post(ctx, "/desk/v1/privacy/erasures", body, &raw); err != nil {
		return err
	}
	for {
		var e erasureView
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		if c.NoWait || e.State != "running" {
			switch {
			case p.JSON:
				return orJSON(o, nil, raw)
			case e.State == "held" && e.Step == "last_administrator":
				return errLastMeanwhile
			case e.State == "held":
				return errHeldMeanwhile
			}
			e.print(o)
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
		if err := cl.get(ctx, "/desk/v1/privacy/erasures/"+url.PathEscape(e.ID), nil, &raw); err != nil {
			return err
		}
	}
}

type privacyShowCmd struct {
	ID string `arg:"" optional:"" name:"erasure-id" help:"Id of the erasure."`
}

// Run shows erasures.
func (c *privacyShowCmd) Run(ctx context.Context, p *privacyCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	path := "/desk/v1/privacy/erasures"
	if c.ID != "" {
		path += "/" + url.PathEscape(c.ID)
	}
	var raw json.RawMessage
	if err := cl.get(ctx, path, nil, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	var list struct {
		Items []erasureView `json:"items"`
	}
	if c.ID == "" {
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
	} else {
		list.Items = make([]erasureView, 1)
		if err := json.Unmarshal(raw, &list.Items[0]); err != nil {
			return err
		}
	}
	for _, e := range list.Items {
		e.print(o)
	}
	if c.ID != "" {
		for _, n := range list.Items[0].Erased {
			o.printf("\t%s\t%d\n", n.Name, n.Rows)
		}
	}
	return nil
}

type privacyBundleCmd struct {
	personFlags
	To string `help:"The file to write; it must not exist." required:"" type:"path" placeholder:"FILE"`
}

// bundleTimeout bounds a download, which may hold many files.
const bundleTimeout = 6 * time.Hour

// Run writes the bundle.
func (c *privacyBundleCmd) Run(ctx context.Context, p *privacyCmd, o *output) (err error) {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	body, err := c.body(ctx, cl)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, out.Close()); err != nil {
			err = errors.Join(err, os.Remove(c.To))
		}
	}()
	var link struct {
		Path string `json:"path"`
	}
	if err := cl.post(ctx, "/desk/v1/privacy/bundles", body, &link); err != nil {
		return err
	}
	n, err := cl.download(ctx, link.Path, out)
	if err != nil {
		return err
	}
	if p.JSON {
		text, err := json.Marshal(map[string]any{"file": filepath.Base(c.To), "bytes": n})
		return orJSON(o, err, text)
	}
	o.printf("%s\t%d\n", c.To, n)
	return nil
}

// download writes an answer that may be large.
func (c *client) download(ctx context.Context, path string, to io.Writer) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, bundleTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("X-Language", string(c.lang))
	r.Header.Set("X-Auth-Token", c.token)
	patient := *c.http
	patient.Timeout = 0
	answer, err := patient.Do(r)
	if err != nil {
		return 0, c.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		return 0, errors.Join(err, refused(answer, text))
	}
	n, err := io.Copy(to, answer.Body)
	if err != nil {
		return n, fmt.Errorf("the download broke off: %w", err)
	}
	return n, nil
}
