package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// teamCmd administers teams, and what their members can do and when.
type teamCmd struct {
	clientFlags
	jsonFlag

	List      teamListCmd     `cmd:"" help:"List the teams with their members."`
	Add       teamAddCmd      `cmd:"" help:"Add a team."`
	Change    teamChangeCmd   `cmd:"" help:"Change a team; what is not given stays."`
	Remove    teamRemoveCmd   `cmd:"" help:"Delete a team that serves no queue."`
	Engineers teamPeopleCmd   `cmd:"" help:"List the engineers with skills, load and whether they are at work."`
	Engineer  teamEngineerCmd `cmd:"" help:"Set what an engineer can do, how much and when; what is not given stays."`
	Shift     teamShiftCmd    `cmd:"" help:"Say that an engineer is online or away; away gives back what he has not touched."`
}

// teamFields are what add and change set.
type teamFields struct {
	NameZH string   `help:"Name in Chinese." name:"name-zh" placeholder:"NAME"`
	NameEN string   `help:"Name in English." name:"name-en" placeholder:"NAME"`
	Member []string `help:"A member, by log-in name; several by repeating. Replaces the members." placeholder:"NAME"`
	Lead   string   `help:"The lead, by log-in name, one of the members." placeholder:"NAME"`
}

type teamListCmd struct{}

type teamAddCmd struct{ teamFields }

type teamChangeCmd struct {
	Team string `arg:"" help:"Name or id of the team."`
	teamFields
}

type teamRemoveCmd struct {
	Team string `arg:"" help:"Name or id of the team."`
}

type teamPeopleCmd struct{}

type teamEngineerCmd struct {
	Name     string   `arg:"" help:"Log-in name."`
	Capacity *int     `help:"Open tickets at once, 0 = as configured."`
	Product  []string `help:"Does this product; several by repeating; any = every product." placeholder:"ID"`
	SubType  []string `help:"Does the products of this sub type; several by repeating; any = every one." placeholder:"ID"`
	Language []string `help:"Speaks it: zh-cn or en-us; any = both." placeholder:"LANGUAGE" env:"-"`
	Region   []string `help:"Does this region; several by repeating; any = every region." placeholder:"ID"`
	Zone     string   `help:"Zone of the shifts, for example Asia/Shanghai." placeholder:"ZONE"`
	Shift    []string `help:"A shift, for example 1-5@09:00-18:00 (1 is Monday) or 6@10:00-14:00; several by repeating; none = no plan." placeholder:"DAYS@HOURS"`
	Off      []string `help:"A day off, yyyy-MM-dd; several by repeating; none = no days off." placeholder:"DATE"`
}

type teamShiftCmd struct {
	Name     string `arg:"" help:"Log-in name."`
	Presence string `arg:"" help:"online or away." enum:"online,away"`
}

type memberView struct {
	ID   string `json:"user_id"`
	Name string `json:"name"`
}

// teamView is a team as the desk API has it.
type teamView struct {
	ID      string       `json:"id"`
	Version int64        `json:"version"`
	Name    string       `json:"name"`
	NameZH  string       `json:"name_zh"`
	NameEN  string       `json:"name_en"`
	Lead    string       `json:"lead"`
	Members []memberView `json:"members"`
}

func (t teamView) print(o *output) {
	var names []string
	for _, m := range t.Members {
		n := m.Name
		if m.ID == t.Lead {
			n += o.say("（负责人）", " (lead)")
		}
		names = append(names, n)
	}
	o.printf("%s\t%s\t%s\n", t.ID, clean(t.Name), clean(strings.Join(names, ", ")))
}

func listTeams(ctx context.Context, c *client) (raw json.RawMessage, all []teamView, err error) {
	if err := c.get(ctx, "/desk/v1/teams", nil, &raw); err != nil {
		return nil, nil, err
	}
	var list struct {
		Items []teamView `json:"items"`
	}
	err = json.Unmarshal(raw, &list)
	return raw, list.Items, err
}

// findTeam finds a team by name, in either language, or id.
func findTeam(ctx context.Context, c *client, name string) (teamView, error) {
	_, all, err := listTeams(ctx, c)
	if err != nil {
		return teamView{}, err
	}
	var found []teamView
	for _, t := range all {
		if t.ID == name {
			return t, nil
		}
		if strings.EqualFold(t.NameZH, name) || strings.EqualFold(t.NameEN, name) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return teamView{}, problem{"没有团队 " + name, "there is no team " + name}
	case 1:
		return found[0], nil
	}
	return teamView{}, problem{"有多个名为 " + name + " 的团队，请用 ID", "several teams are called " + name + ": give the id"}
}

// Run lists the teams.
func (*teamListCmd) Run(ctx context.Context, t *teamCmd, o *output) error {
	c, err := t.operator(ctx, o)
	if err != nil {
		return err
	}
	defer c.end()
	raw, all, err := listTeams(ctx, c)
	if err != nil || t.JSON {
		return orJSON(o, err, raw)
	}
	if len(all) == 0 {
		o.beside("没有团队", "no teams")
		return nil
	}
	o.heading("ID\t名称\t成员", "ID\tNAME\tMEMBERS")
	for _, v := range all {
		v.print(o)
	}
	return nil
}

// send sends a team and prints what was stored.
func (f teamFields) send(ctx context.Context, t *teamCmd, o *output, c *client, method, path string, v teamView) error {
	if f.NameZH != "" {
		v.NameZH = f.NameZH
	}
	if f.NameEN != "" {
		v.NameEN = f.NameEN
	}
	if len(f.Member) > 0 {
		v.Members = nil
		for _, name := range f.Member {
			e, err := findEngineer(ctx, c, name)
			if err != nil {
				return err
			}
			v.Members = append(v.Members, memberView{ID: e.ID})
		}
	}
	if f.Lead != "" {
		e, err := findEngineer(ctx, c, f.Lead)
		if err != nil {
			return err
		}
		v.Lead = e.ID
	}
	if !slices.ContainsFunc(v.Members, func(m memberView) bool { return m.ID == v.Lead }) && f.Lead == "" {
		v.Lead = "" // he is no member any more
	}
	ids := []string{}
	for _, m := range v.Members {
		ids = append(ids, m.ID)
	}
	body := map[string]any{"members": ids, "version": v.Version}
	for key, text := range map[string]string{"name_zh": v.NameZH, "name_en": v.NameEN, "lead": v.Lead} {
		if text != "" {
			body[key] = text
		}
	}
	var raw json.RawMessage
	if err := c.call(ctx, method, path, nil, body, &raw); err != nil || t.JSON {
		return orJSON(o, err, raw)
	}
	var out teamView
	if err := json.Unmarshal(raw, &out); err != nil {
		return err
	}
	out.print(o)
	return nil
}

// Run adds a team.
func (c *teamAddCmd) Run(ctx context.Context, t *teamCmd, o *output) error {
	cl, err := t.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	return c.send(ctx, t, o, cl, http.MethodPost, "/desk/v1/teams", teamView{})
}

// Run changes a team.
func (c *teamChangeCmd) Run(ctx context.Context, t *teamCmd, o *output) error {
	cl, err := t.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findTeam(ctx, cl, c.Team)
	if err != nil {
		return err
	}
	return c.send(ctx, t, o, cl, http.MethodPut, "/desk/v1/teams/"+url.PathEscape(v.ID), v)
}

// Run deletes a team.
func (c *teamRemoveCmd) Run(ctx context.Context, t *teamCmd, o *output) error {
	cl, err := t.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	v, err := findTeam(ctx, cl, c.Team)
	if err != nil {
		return err
	}
	return cl.call(ctx, http.MethodDelete, "/desk/v1/teams/"+url.PathEscape(v.ID), nil, nil, nil)
}

// profileView is an engineer as the queues see him.
type profileView struct {
	ID        string `json:"user_id"`
	Name      string `json:"name"`
	Role      string `json:"role"`
	Limit     int    `json:"limit"`
	Load      int    `json:"load"`
	Presence  string `json:"presence"`
	Available bool   `json:"available"`
	Version   int64  `json:"version"`
	Skills    struct {
		Products  []string `json:"product_category_ids,omitempty"`
		SubTypes  []string `json:"business_type_categories,omitempty"`
		Languages []string `json:"languages,omitempty"`
		Regions   []string `json:"region_ids,omitempty"`
	} `json:"skills"`
	Plan planView `json:"plan"`
}

type shiftView struct {
	Day   int    `json:"day"`
	Hours string `json:"hours"`
}

type exceptionView struct {
	Date  string `json:"date"`
	Hours string `json:"hours,omitempty"`
}

type planView struct {
	Zone       string          `json:"zone,omitempty"`
	Week       []shiftView     `json:"week,omitempty"`
	Exceptions []exceptionView `json:"exceptions,omitempty"`
}

func (p profileView) print(o *output) {
	work := o.say("不在岗", "not at work")
	if p.Available {
		work = o.say("在岗", "at work")
	}
	can := slices.Concat(p.Skills.Products, p.Skills.SubTypes, p.Skills.Languages, p.Skills.Regions)
	if len(can) == 0 {
		can = []string{o.say("全部", "everything")}
	}
	o.printf("%s\t%s\t%s\t%d/%d\t%s\n", p.Name, p.Role, work, p.Load, p.Limit, strings.Join(can, ", "))
}

func listProfiles(ctx context.Context, c *client) (raw json.RawMessage, all []profileView, err error) {
	if err := c.get(ctx, "/desk/v1/engineer-profiles", nil, &raw); err != nil {
		return nil, nil, err
	}
	var list struct {
		Items []profileView `json:"items"`
	}
	err = json.Unmarshal(raw, &list)
	return raw, list.Items, err
}

// Run lists the engineers.
func (*teamPeopleCmd) Run(ctx context.Context, t *teamCmd, o *output) error {
	c, err := t.operator(ctx, o)
	if err != nil {
		return err
	}
	defer c.end()
	raw, all, err := listProfiles(ctx, c)
	if err != nil || t.JSON {
		return orJSON(o, err, raw)
	}
	if len(all) == 0 {
		o.beside("没有工程师", "no engineers")
		return nil
	}
	o.heading("登录名\t角色\t在岗\t负载/容量\t技能", "NAME\tROLE\tAT WORK\tLOAD/CAPACITY\tSKILLS")
	for _, p := range all {
		p.print(o)
	}
	return nil
}

// parseShift reads DAYS@HOURS.
func parseShift(text string) (all []shiftView, err error) {
	wrong := problem{"班次应为 1-5@09:00-18:00 的形式：" + text, "a shift looks like 1-5@09:00-18:00, not " + text}
	days, hours, ok := strings.Cut(text, "@")
	if !ok || len(days) != 1 && (len(days) != 3 || days[1] != '-') {
		return nil, wrong
	}
	first, last := days[0], days[len(days)-1]
	if first < '1' || last > '7' || last < first {
		return nil, wrong
	}
	for d := first; d <= last; d++ {
		all = append(all, shiftView{Day: int(d - '0'), Hours: hours})
	}
	return all, nil
}

// Run sets what is given.
func (c *teamEngineerCmd) Run(ctx context.Context, t *teamCmd, o *output) error {
	cl, err := t.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	e, err := findEngineer(ctx, cl, c.Name)
	if err != nil {
		return err
	}
	path := "/desk/v1/engineer-profiles/" + url.PathEscape(e.ID)
	var p profileView
	if err := cl.get(ctx, path, nil, &p); err != nil {
		return err
	}
	for _, f := range []struct {
		given []string
		into  *[]string
	}{{c.Product, &p.Skills.Products}, {c.SubType, &p.Skills.SubTypes}, {c.Language, &p.Skills.Languages}, {c.Region, &p.Skills.Regions}} {
		if len(f.given) > 0 {
			if *f.into = f.given; slices.Contains(f.given, "any") {
				*f.into = nil
			}
		}
	}
	if c.Zone != "" {
		p.Plan.Zone = c.Zone
	}
	if len(c.Shift) > 0 {
		p.Plan.Week = nil
		for _, text := range c.Shift {
			if text == "none" {
				continue
			}
			some, err := parseShift(text)
			if err != nil {
				return err
			}
			p.Plan.Week = append(p.Plan.Week, some...)
		}
	}
	if len(c.Off) > 0 {
		p.Plan.Exceptions = nil
		for _, date := range c.Off {
			if date != "none" {
				p.Plan.Exceptions = append(p.Plan.Exceptions, exceptionView{Date: date})
			}
		}
	}
	body := map[string]any{"skills": p.Skills, "plan": p.Plan, "version": p.Version}
	if c.Capacity != nil {
		body["capacity"] = *c.Capacity
	}
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodPut, path, nil, body, &raw); err != nil || t.JSON {
		return orJSON(o, err, raw)
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	p.print(o)
	return nil
}

// Run says online or away.
func (c *teamShiftCmd) Run(ctx context.Context, t *teamCmd, o *output) error {
	cl, err := openAs(ctx, o, t.clientFlags, c.Name)
	if err != nil {
		return err
	}
	defer cl.end()
	query := url.Values{}
	if !cl.session {
		query.Set("as", c.Name)
	}
	var raw json.RawMessage
	if err := cl.call(ctx, http.MethodPut, "/desk/v1/me/shift", query, map[string]string{"presence": c.Presence}, &raw); err != nil || t.JSON {
		return orJSON(o, err, raw)
	}
	var out struct {
		Engineer profileView `json:"engineer"`
		Back     []string    `json:"given_back"`
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return err
	}
	out.Engineer.print(o)
	for _, number := range out.Back {
		o.printf("%s\t%s\n", o.say("已退回", "given back"), number)
	}
	return nil
}
