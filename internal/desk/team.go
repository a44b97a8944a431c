package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
)

type teams struct {
	queue *queue.Service
	steps tickets
}

func texts(zh, en oas.OptString) locale.Texts { return locale.Texts{ZH: zh.Or(""), EN: en.Or("")} }

func team(ctx context.Context, t queue.Team) *oas.Team {
	out := &oas.Team{ID: t.ID, Version: t.Version, Name: t.Name.In(locale.From(ctx).Language), NameZh: text(t.Name.ZH), NameEn: text(t.Name.EN), Lead: text(t.Lead),
		Members: []oas.TeamMember{}, CreatedAt: at(t.Created), UpdatedAt: at(t.Changed)}
	for _, m := range t.Members {
		out.Members = append(out.Members, oas.TeamMember{UserID: m, Name: text(t.Names[m])})
	}
	return out
}

func readTeam(id string, req *oas.TeamReq) queue.Team {
	return queue.Team{ID: id, Name: texts(req.NameZh, req.NameEn), Lead: req.Lead.Or(""), Members: req.Members, Version: req.Version.Or(0)}
}

// ListTeams lists the teams.
func (h teams) ListTeams(ctx context.Context) (*oas.TeamList, error) {
	all, err := h.queue.Teams(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.TeamList{Items: []oas.Team{}}
	for _, t := range all {
		list.Items = append(list.Items, *team(ctx, t))
	}
	return list, nil
}

// ShowTeam shows a team.
func (h teams) ShowTeam(ctx context.Context, params oas.ShowTeamParams) (*oas.Team, error) {
	t, err := h.queue.Team(ctx, principal.From(ctx), params.TeamID)
	if err != nil {
		return nil, err
	}
	return team(ctx, t), nil
}

// CreateTeam adds a team.
func (h teams) CreateTeam(ctx context.Context, req *oas.TeamReq) (*oas.Team, error) {
	t, err := h.queue.CreateTeam(ctx, principal.From(ctx), readTeam("", req))
	if err != nil {
		return nil, err
	}
	return team(ctx, t), nil
}

// ChangeTeam replaces a team.
func (h teams) ChangeTeam(ctx context.Context, req *oas.TeamReq, params oas.ChangeTeamParams) (*oas.Team, error) {
	t, err := h.queue.ChangeTeam(ctx, principal.From(ctx), readTeam(params.TeamID, req))
	if err != nil {
		return nil, err
	}
	return team(ctx, t), nil
}

// DeleteTeam removes a team.
func (h teams) DeleteTeam(ctx context.Context, params oas.DeleteTeamParams) error {
	return h.queue.DeleteTeam(ctx, principal.From(ctx), params.TeamID, params.Version.Or(0))
}

func engineer(e queue.Engineer) *oas.EngineerProfile {
	out := &oas.EngineerProfile{UserID: e.ID, Name: e.Name, Alias: text(e.Alias), Role: oas.Role(e.Role), Version: e.Version, Capacity: int32(e.Capacity), Limit: int32(e.Limit), Load: int32(e.Load),
		Skills:        oas.Skills{ProductCategoryIds: e.Skills.Products, BusinessTypeCategories: e.Skills.SubTypes, Languages: e.Skills.Languages, RegionIds: e.Skills.Regions},
		Plan:          oas.ShiftPlan{Zone: text(e.Plan.Zone)},
		PresenceSince: maybeAt(e.Since), OnShift: e.OnShift, Available: e.Available, ShiftChangesAt: maybeAt(e.Changes)}
	if e.Presence != queue.Unsaid {
		out.Presence.SetTo(oas.Presence(e.Presence))
	}
	for _, s := range e.Plan.Week {
		out.Plan.Week = append(out.Plan.Week, oas.WeeklyShift{Day: int32(s.Day), Hours: s.Hours})
	}
	for _, x := range e.Plan.Exceptions {
		out.Plan.Exceptions = append(out.Plan.Exceptions, oas.ShiftException{Date: x.Date, Hours: text(x.Hours)})
	}
	return out
}

func readPlan(p oas.OptShiftPlan) *queue.Plan {
	if !p.Set {
		return nil
	}
	out := &queue.Plan{Zone: p.Value.Zone.Or("")}
	for _, s := range p.Value.Week {
		out.Week = append(out.Week, queue.Shift{Day: int(s.Day), Hours: s.Hours})
	}
	for _, x := range p.Value.Exceptions {
		out.Exceptions = append(out.Exceptions, queue.Exception{Date: x.Date, Hours: x.Hours.Or("")})
	}
	return out
}

// ListEngineerProfiles lists engineers with skills and load.
func (h teams) ListEngineerProfiles(ctx context.Context) (*oas.EngineerProfileList, error) {
	all, err := h.queue.Engineers(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.EngineerProfileList{Items: []oas.EngineerProfile{}}
	for _, e := range all {
		list.Items = append(list.Items, *engineer(e))
	}
	return list, nil
}

// ShowEngineerProfile shows an engineer.
func (h teams) ShowEngineerProfile(ctx context.Context, params oas.ShowEngineerProfileParams) (*oas.EngineerProfile, error) {
	e, err := h.queue.Engineer(ctx, principal.From(ctx), params.UserID)
	if err != nil {
		return nil, err
	}
	return engineer(e), nil
}

// ChangeEngineerProfile sets skills, capacity and shifts.
func (h teams) ChangeEngineerProfile(ctx context.Context, req *oas.EngineerProfileReq, params oas.ChangeEngineerProfileParams) (*oas.EngineerProfile, error) {
	c := queue.EngineerChange{Plan: readPlan(req.Plan), Version: req.Version.Or(0)}
	if v, ok := req.Capacity.Get(); ok {
		n := int(v)
		c.Capacity = &n
	}
	if v, ok := req.Skills.Get(); ok {
		c.Skills = &queue.Skills{Products: v.ProductCategoryIds, SubTypes: v.BusinessTypeCategories, Languages: v.Languages, Regions: v.RegionIds}
	}
	e, err := h.queue.SetEngineer(ctx, principal.From(ctx), params.UserID, c)
	if err != nil {
		return nil, err
	}
	return engineer(e), nil
}

// ShowMyShift shows the caller as the queues see him.
func (h teams) ShowMyShift(ctx context.Context, params oas.ShowMyShiftParams) (*oas.EngineerProfile, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	e, err := h.queue.Engineer(ctx, who, who.User)
	if err != nil {
		return nil, err
	}
	return engineer(e), nil
}

// PutMyShift is the caller's word about his work.
func (h teams) PutMyShift(ctx context.Context, req *oas.MyShiftReq, params oas.PutMyShiftParams) (*oas.MyShift, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	m := queue.MyShift{Plan: readPlan(req.Plan), Version: req.Version.Or(0)}
	if v, ok := req.Presence.Get(); ok {
		p := queue.Presence(v)
		m.Presence = &p
	}
	e, back, err := h.queue.SetMyShift(ctx, who, m)
	if err != nil {
		return nil, err
	}
	return &oas.MyShift{Engineer: *engineer(e), GivenBack: append([]string{}, back...)}, nil
}
