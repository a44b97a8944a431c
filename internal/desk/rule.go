package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/principal"
	"casemate/internal/queue"
)

// definitionIn reads the parts of a rule.
func definitionIn(when oas.RuleWhen, cond oas.OptCondition, then []oas.Action) (d queue.Definition, err error) {
	if err = recast(&when, &d.When); err != nil {
		return d, err
	}
	if c, ok := cond.Get(); ok {
		d.If = new(queue.Condition)
		if err = recast(&c, d.If); err != nil {
			return d, err
		}
	}
	d.Then, err = actionsIn(then)
	return d, err
}

func ruleOut(r queue.Rule) (*oas.Rule, error) {
	out := &oas.Rule{ID: r.ID, Name: bilingual(r.Name), Mode: oas.RuleMode(r.Mode), Place: r.Place, Version: r.Version, Since: maybeAt(r.Since), Cause: text(r.Cause),
		CreatedAt: at(r.Created), ChangedAt: at(r.Changed), ActorID: text(r.Actor)}
	if err := recast(r.When, &out.When); err != nil {
		return nil, err
	}
	if r.If != nil {
		var c oas.Condition
		if err := recast(r.If, &c); err != nil {
			return nil, err
		}
		out.If = oas.NewOptCondition(c)
	}
	if r.Runs != nil {
		runs := oas.RuleRuns{}
		for state, n := range r.Runs {
			runs[state] = int32(n)
		}
		out.Runs = oas.NewOptRuleRuns(runs)
	}
	var err error
	out.Then, err = actionsOut(r.Then)
	return out, err
}

func rulesOut(all []queue.Rule) ([]oas.Rule, error) {
	out := []oas.Rule{}
	for _, r := range all {
		o, err := ruleOut(r)
		if err != nil {
			return nil, err
		}
		out = append(out, *o)
	}
	return out, nil
}

func ruleIn(req *oas.RuleReq) (queue.NewRule, error) {
	d, err := definitionIn(req.When, req.If, req.Then)
	return queue.NewRule{Name: textsIn(req.Name), Mode: string(req.Mode.Or("")), Place: req.Place.Or(0), Definition: d}, err
}

// ListRules lists all.
func (h automation) ListRules(ctx context.Context) (*oas.RuleList, error) {
	all, err := h.queue.Rules(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	items, err := rulesOut(all)
	return &oas.RuleList{Items: items, Events: queue.Triggers, Fields: queue.ConditionFields()}, err
}

// CreateRule makes one.
func (h automation) CreateRule(ctx context.Context, req *oas.RuleReq) (*oas.Rule, error) {
	in, err := ruleIn(req)
	if err != nil {
		return nil, err
	}
	r, err := h.queue.CreateRule(ctx, principal.From(ctx), in)
	if err != nil {
		return nil, err
	}
	return ruleOut(r)
}

// ShowRule shows one.
func (h automation) ShowRule(ctx context.Context, params oas.ShowRuleParams) (*oas.Rule, error) {
	r, err := h.queue.Rule(ctx, principal.From(ctx), params.RuleID)
	if err != nil {
		return nil, err
	}
	return ruleOut(r)
}

// ChangeRule replaces one.
func (h automation) ChangeRule(ctx context.Context, req *oas.RuleReq, params oas.ChangeRuleParams) (*oas.Rule, error) {
	in, err := ruleIn(req)
	if err != nil {
		return nil, err
	}
	r, err := h.queue.ChangeRule(ctx, principal.From(ctx), params.RuleID, in, req.Version.Or(0))
	if err != nil {
		return nil, err
	}
	return ruleOut(r)
}

// DeleteRule removes one.
func (h automation) DeleteRule(ctx context.Context, params oas.DeleteRuleParams) error {
	return h.queue.DeleteRule(ctx, principal.From(ctx), params.RuleID, params.Version.Or(0))
}

// ListRuleVersions lists what a rule was.
func (h automation) ListRuleVersions(ctx context.Context, params oas.ListRuleVersionsParams) (*oas.RuleVersionList, error) {
	all, err := h.queue.RuleVersions(ctx, principal.From(ctx), params.RuleID)
	if err != nil {
		return nil, err
	}
	items, err := rulesOut(all)
	return &oas.RuleVersionList{Items: items}, err
}

// ListRuleRuns lists what rules did.
func (h automation) ListRuleRuns(ctx context.Context, params oas.ListRuleRunsParams) (*oas.RuleRunPage, error) {
	all, next, err := h.queue.RuleRuns(ctx, principal.From(ctx), queue.RunFilter{Rule: params.Rule.Or(""), State: string(params.State.Or("")), Number: params.Number.Or(""),
		Before: params.Cursor.Or(""), Limit: int(params.Limit.Or(0))})
	if err != nil {
		return nil, err
	}
	page := &oas.RuleRunPage{Items: []oas.RuleRun{}, NextCursor: text(next)}
	for _, r := range all {
		out := oas.RuleRun{ID: r.ID, RuleID: r.Rule, RuleName: bilingual(r.RuleName), RuleVersion: r.RuleVersion, Mode: oas.RuleMode(r.Mode), State: oas.RuleRunState(r.State), Number: r.Number,
			Event: r.Event, Depth: int32(r.Depth), Chain: r.Chain, Outcomes: outcomesOut(ctx, r.Outcomes), Texts: append([]string{}, r.Texts...), At: at(r.At)}
		if r.Skipped != "" {
			out.Skipped = oas.NewOptRuleRunSkipped(oas.RuleRunSkipped(r.Skipped))
		}
		page.Items = append(page.Items, out)
	}
	return page, nil
}

// DryRunRule tries one on past tickets.
func (h automation) DryRunRule(ctx context.Context, req *oas.DryRunReq) (*oas.DryRunResult, error) {
	d, err := definitionIn(req.When, req.If, req.Then)
	if err != nil {
		return nil, err
	}
	r, err := h.queue.DryRunRule(ctx, principal.From(ctx), queue.DryRun{Definition: d, Tickets: int(req.Tickets.Or(0)), Days: int(req.Days.Or(0))})
	if err != nil {
		return nil, err
	}
	out := &oas.DryRunResult{Tickets: int32(r.Tickets), Events: int32(r.Events), Matched: int32(r.Matched), Refused: int32(r.Refused), Cut: r.Cut, Items: []oas.DryRunMatch{}}
	for _, m := range r.Matches {
		out.Items = append(out.Items, oas.DryRunMatch{Number: m.Number, Event: m.Event, At: at(m.At), Outcomes: outcomesOut(ctx, m.Outcomes), Texts: append([]string{}, m.Texts...)})
	}
	return out, nil
}
