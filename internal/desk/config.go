package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/setup"
)

type configuration struct{ setup *setup.Service }

// ExportConfiguration is all configuration as files.
func (h configuration) ExportConfiguration(ctx context.Context, params oas.ExportConfigurationParams) (*oas.ConfigTree, error) {
	t, err := h.setup.Export(ctx, principal.From(ctx), params.Version.Or(0), setup.With{Accounts: params.Accounts.Value, People: params.People.Value, Plain: params.Plain.Value})
	if err != nil {
		return nil, err
	}
	return &oas.ConfigTree{Version: t.Version, Hash: t.Hash, Files: t.Files}, nil
}

// EditConfiguration makes edits to files and reads them.
func (h configuration) EditConfiguration(ctx context.Context, req *oas.EditConfigurationReq) (*oas.ConfigValues, error) {
	edits := make([]setup.Edit, 0, len(req.Edits))
	for _, e := range req.Edits {
		edits = append(edits, setup.Edit{File: e.File, Under: e.Under, Name: e.Name.Value, Index: int(e.Index.Or(-1)), To: int(e.To.Or(-1)), Value: e.Value})
	}
	texts, values, err := h.setup.Values(ctx, principal.From(ctx), bytesOf(req.Files), edits)
	if err != nil {
		return nil, err
	}
	out := &oas.ConfigValues{Files: texts, Values: oas.ConfigValuesValues{}}
	for name, v := range values {
		out.Values[name] = v
	}
	return out, nil
}

func configPlan(ctx context.Context, p setup.Plan) *oas.ConfigPlan {
	lang := locale.From(ctx).Language
	out := &oas.ConfigPlan{Version: p.Version, Hash: p.Hash, Base: p.Base, Layout: p.Layout, Changes: []oas.ConfigChange{}, Tickets: []oas.ConfigTicket{}, Totals: []oas.ConfigTotal{}, Notices: []string{}, Names: oas.ConfigNameMap{}}
	for id, n := range p.Names {
		out.Names[id] = n.In(lang)
	}
	for _, n := range p.Notices {
		out.Notices = append(out.Notices, n.In(lang))
	}
	for _, k := range p.Keys {
		out.Keys = append(out.Keys, oas.ConfigNewKey{ID: k.ID, DomainID: k.Domain, UserID: k.User, Secret: k.Secret})
	}
	for _, c := range p.Changes {
		change := oas.ConfigChange{Action: oas.ConfigChangeAction(c.What), Section: c.Section, ID: c.ID, Name: text(c.Name.In(lang)), Fields: []oas.ConfigField{}}
		for _, f := range c.Fields {
			change.Fields = append(change.Fields, oas.ConfigField{Field: f.Field, Before: text(f.Before), After: text(f.After)})
		}
		out.Changes = append(out.Changes, change)
	}
	for _, t := range p.Tickets.Listed {
		out.Tickets = append(out.Tickets, oas.ConfigTicket{Number: t.Number, Effect: oas.ConfigEffect(t.What), Section: text(t.Section), ID: text(t.ID), Clocks: t.Clocks,
			DueBefore: maybeAt(t.Before), DueAfter: maybeAt(t.After)})
	}
	for _, e := range oas.ConfigEffect("").AllValues() {
		if n := p.Tickets.Totals[string(e)]; n > 0 {
			out.Totals = append(out.Totals, oas.ConfigTotal{Effect: e, Count: int32(n)})
		}
	}
	return out
}

// PlanConfiguration tells what files would change.
func (h configuration) PlanConfiguration(ctx context.Context, req *oas.PlanConfigurationReq) (*oas.ConfigPlan, error) {
	p, err := h.setup.Knowing(req.Secrets.Value).Plan(ctx, principal.From(ctx), bytesOf(req.Files), setup.Clocks(req.Clocks.Value))
	if err != nil {
		return nil, err
	}
	return configPlan(ctx, p), nil
}

// ApplyConfiguration puts files in force.
func (h configuration) ApplyConfiguration(ctx context.Context, req *oas.ApplyConfigurationReq) (*oas.ConfigPlan, error) {
	p, err := h.setup.Knowing(req.Secrets.Value).Apply(ctx, principal.From(ctx), bytesOf(req.Files), setup.How{Base: req.Base.Value, Clocks: setup.Clocks(req.Clocks.Value), Accounts: req.Accounts.Value})
	if err != nil {
		return nil, err
	}
	return configPlan(ctx, p), nil
}

// RollbackConfiguration puts an earlier version in force, or tells what that
// would change.
func (h configuration) RollbackConfiguration(ctx context.Context, req *oas.RollbackConfigurationReq) (*oas.ConfigPlan, error) {
	p, err := h.setup.Rollback(ctx, principal.From(ctx), req.Version, setup.How{Base: req.Base.Value, Clocks: setup.Clocks(req.Clocks.Value), Accounts: req.Accounts.Value}, req.DryRun.Value)
	if err != nil {
		return nil, err
	}
	return configPlan(ctx, p), nil
}

// ListConfigurationVersions lists the recorded versions.
func (h configuration) ListConfigurationVersions(ctx context.Context, params oas.ListConfigurationVersionsParams) (*oas.ConfigVersionList, error) {
	all, err := h.setup.Versions(ctx, principal.From(ctx), params.Before.Or(0), int(params.Limit.Or(20)))
	if err != nil {
		return nil, err
	}
	out := &oas.ConfigVersionList{Items: []oas.ConfigVersion{}}
	for _, v := range all {
		item := oas.ConfigVersion{Version: v.Version, At: at(v.At), Kind: oas.ConfigVersionKind(v.Kind), ActorKind: v.ActorKind, Actor: text(v.Actor), Hash: v.Hash, Changes: int32(v.Changes)}
		if v.From > 0 {
			item.From = oas.NewOptInt64(v.From)
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}
