package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// partnerCmd administers partners: organisations that serve customers with
// people of their own.
type partnerCmd struct {
	clientFlags
	jsonFlag

	Add      partnerAddCmd      `cmd:"" help:"Add a partner."`
	List     partnerListCmd     `cmd:"" help:"List the partners."`
	Change   partnerChangeCmd   `cmd:"" help:"Change a partner; what is not given stays."`
	Remove   partnerRemoveCmd   `cmd:"" help:"End the work with a partner; his engineers are shut out at once."`
	Engineer partnerEngineerCmd `cmd:"" help:"Add an engineer of a partner, who logs in at the desk."`
	Serve    partnerServeCmd    `cmd:"" help:"Say which partner serves a customer."`
}

// partnerFields are what add and change set.
type partnerFields struct {
	Account string   `help:"The partner's own customer domain, by name or id." placeholder:"DOMAIN"`
	Listed  string   `help:"Whether tickets may be transferred to the partner: yes or no." enum:",yes,no" default:""`
	Zone    string   `help:"Zone of the service hours, for example GMT+08:00." placeholder:"ZONE"`
	Days    int      `help:"Days of service a week."`
	Hours   int      `help:"Hours of service a day."`
	SubType []string `help:"Serves tickets of this sub type only; several by repeating." placeholder:"ID"`
	Product []string `help:"Is the ISV of this product; several by repeating." placeholder:"ID"`
}

type partnerAddCmd struct {
	Name string `arg:"" help:"Name of the partner."`
	partnerFields
}

type partnerListCmd struct{}

type partnerChangeCmd struct {
	Partner string `arg:"" help:"Name or id of the partner."`
	Name    string `help:"New name." placeholder:"NAME"`
	partnerFields
}

type partnerRemoveCmd struct {
	Partner string `arg:"" help:"Name or id of the partner."`
}

type partnerEngineerCmd struct {
	Partner      string `arg:"" help:"Name or id of the partner."`
	Name         string `arg:"" help:"Log-in name."`
	Alias        string `help:"The name customers see."`
	PasswordFile string `help:"File with the password; else one is made and printed once." type:"existingfile" placeholder:"FILE"`
}

type partnerServeCmd struct {
	Domain  string `arg:"" help:"The customer's domain, by name or id."`
	Partner string `arg:"" optional:"" help:"Name or id of the partner; without one nobody serves the customer."`
}

type hoursView struct {
	Zone  string `json:"zone"`
	Days  int    `json:"days"`
	Hours int    `json:"hours"`
}

type partnerService struct {
	Kind  string     `json:"kind"`
	ID    string     `json:"id"`
	Hours *hoursView `json:"hours,omitempty"`
}

// partnerView is a partner as the desk API has it.
type partnerView struct {
	ID          string           `json:"id,omitempty"`
	Name        string           `json:"name"`
	AccountID   string           `json:"account_id,omitempty"`
	Whitelisted bool             `json:"whitelisted"`
	Hours       hoursView        `json:"hours"`
	Services    []partnerService `json:"services"`
}

func (p partnerView) print(o *output) {
	var serves []string
	for _, s := range p.Services {
		serves = append(serves, s.Kind+" "+s.ID)
	}
	listed := o.say("可转单", "gets tickets")
	if !p.Whitelisted {
		listed = o.say("不可转单", "gets no tickets")
	}
	o.printf("%s\t%s\t%s\t%s %dx%d\t%s\n", p.Name, p.ID, listed, p.Hours.Zone, p.Hours.Days, p.Hours.Hours, strings.Join(serves, ", "))
}

// set takes over what was given.
func (f partnerFields) set(ctx context.Context, c *client, p *partnerView) (err error) {
	if f.Account != "" {
		if p.AccountID, err = findDomain(ctx, c, f.Account); err != nil {
			return err
		}
	}
	if f.Listed != "" {
		p.Whitelisted = f.Listed == "yes"
	}
	if f.Zone != "" {
		p.Hours.Zone = f.Zone
	}
	if f.Days != 0 {
		p.Hours.Days = f.Days
	}
	if f.Hours != 0 {
		p.Hours.Hours = f.Hours
	}
	replace := func(kind string, ids []string) {
		if len(ids) == 0 {
			return
		}
		kept := []partnerService{}
		for _, s := range p.Services {
			if s.Kind != kind {
				kept = append(kept, s)
			}
		}
		for _, id := range ids {
			kept = append(kept, partnerService{Kind: kind, ID: id})
		}
		p.Services = kept
	}
	replace("sub_type", f.SubType)
	replace("product", f.Product)
	return nil
}

func listPartners(ctx context.Context, c *client) (raw json.RawMessage, all []partnerView, err error) {
	if err := c.get(ctx, "/desk/v1/partners", nil, &raw); err != nil {
		return nil, nil, err
	}
	var list struct {
		Items []partnerView `json:"items"`
	}
	err = json.Unmarshal(raw, &list)
	return raw, list.Items, err
}

// findPartner finds a partner by name or id.
func findPartner(ctx context.Context, c *client, name string) (partnerView, error) {
	_, all, err := listPartners(ctx, c)
	if err != nil {
		return partnerView{}, err
	}
	for _, p := range all {
		if p.ID == name || p.Name == name {
			return p, nil
		}
	}
	return partnerView{}, problem{"伙伴不存在：" + name, "there is no partner " + name}
}

func partnerPath(id string) string { return "/desk/v1/partners/" + url.PathEscape(id) }

// put writes a partner and prints it.
func (p *partnerCmd) put(ctx context.Context, o *output, c *client, method, path string, v partnerView) error {
	var raw json.RawMessage
	v.ID = ""
	if err := c.call(ctx, method, path, nil, v, &raw); err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	v.print(o)
	return nil
}

// done says that something without an answer was done; a program that asked for
// JSON reads nothing but JSON.
func (p *partnerCmd) done(o *output, zh, en string) error {
	if !p.JSON {
		o.printf("%s\n", o.say(zh, en))
	}
	return nil
}

// Run adds the partner.
func (c *partnerAddCmd) Run(ctx context.Context, p *partnerCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v := partnerView{Name: c.Name, Whitelisted: true, Hours: hoursView{Zone: "GMT+08:00", Days: 5, Hours: 8}, Services: []partnerService{}}
	if err := c.set(ctx, cl, &v); err != nil {
		return err
	}
	return p.put(ctx, o, cl, http.MethodPost, "/desk/v1/partners", v)
}

// Run lists the partners.
func (*partnerListCmd) Run(ctx context.Context, p *partnerCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	raw, all, err := listPartners(ctx, cl)
	if err != nil || p.JSON {
		return orJSON(o, err, raw)
	}
	if len(all) == 0 {
		o.beside("没有伙伴", "no partners")
	}
	for _, v := range all {
		v.print(o)
	}
	return nil
}

// Run changes the partner.
func (c *partnerChangeCmd) Run(ctx context.Context, p *partnerCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findPartner(ctx, cl, c.Partner)
	if err != nil {
		return err
	}
	if c.Name != "" {
		v.Name = c.Name
	}
	id := v.ID
	if err := c.set(ctx, cl, &v); err != nil {
		return err
	}
	return p.put(ctx, o, cl, http.MethodPut, partnerPath(id), v)
}

// Run removes the partner.
func (c *partnerRemoveCmd) Run(ctx context.Context, p *partnerCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findPartner(ctx, cl, c.Partner)
	if err != nil {
		return err
	}
	if err := cl.call(ctx, http.MethodDelete, partnerPath(v.ID), nil, nil, nil); err != nil {
		return err
	}
	return p.done(o, "已移除伙伴 "+v.Name, "removed the partner "+v.Name)
}

// Run adds the engineer.
func (c *partnerEngineerCmd) Run(ctx context.Context, p *partnerCmd, o *output) error {
	password, made, err := newPassword(c.PasswordFile)
	if err != nil {
		return err
	}
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findPartner(ctx, cl, c.Partner)
	if err != nil {
		return err
	}
	body := map[string]any{"name": c.Name, "password": password}
	if c.Alias != "" {
		body["alias"] = c.Alias
	}
	var raw json.RawMessage
	if err := cl.post(ctx, partnerPath(v.ID)+"/engineers", body, &raw); err != nil {
		return err
	}
	users := userCmd{jsonFlag: p.jsonFlag}
	return users.created(o, raw, password, made)
}

// Run says who serves the customer.
func (c *partnerServeCmd) Run(ctx context.Context, p *partnerCmd, o *output) error {
	cl, err := p.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	domain, err := findDomain(ctx, cl, c.Domain)
	if err != nil {
		return err
	}
	id, zh, en := "", c.Domain+" 不再由伙伴服务", "no partner serves "+c.Domain+" any more"
	if c.Partner != "" {
		v, err := findPartner(ctx, cl, c.Partner)
		if err != nil {
			return err
		}
		id, zh, en = v.ID, c.Domain+" 由伙伴 "+v.Name+" 服务", v.Name+" serves "+c.Domain
	}
	if err := cl.call(ctx, http.MethodPut, fmt.Sprintf("/desk/v1/domains/%s/partner", url.PathEscape(domain)), nil, map[string]string{"partner_id": id}, nil); err != nil {
		return err
	}
	return p.done(o, zh, en)
}

// transferCmd gives a ticket to another side.
type transferCmd struct {
	Case     string `arg:"" name:"case-id" help:"Ticket number."`
	To       string `arg:"" help:"Whose business it shall be: house, partner or isv." enum:"house,partner,isv"`
	Engineer string `arg:"" optional:"" help:"Log-in name of the handler there; default: whoever takes it."`
	Text     string `help:"Internal note."`
	Team     string `help:"With house: the team that gets it, by name or id." placeholder:"TEAM"`
	Queue    string `help:"With house: the queue whose team gets it, by name or id." placeholder:"QUEUE"`
}

// Run takes the step.
func (c *transferCmd) Run(ctx context.Context, d *deskCmd, o *output) error {
	s := step{Action: "transfer", To: c.To, Assignee: c.Engineer, Text: c.Text}
	if c.Team != "" || c.Queue != "" {
		cl, err := d.operator(ctx, o)
		if err != nil {
			return err
		}
		defer cl.end()
		if c.Team != "" {
			t, err := findTeam(ctx, cl, c.Team)
			if err != nil {
				return err
			}
			s.Team = t.ID
		}
		if c.Queue != "" {
			q, err := findQueue(ctx, cl, c.Queue)
			if err != nil {
				return err
			}
			s.Queue = q.ID
		}
	}
	return d.step(ctx, o, c.Case, s)
}
