package desk

import (
	"context"
	"encoding/json"
	"fmt"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/queue"
	"casemate/internal/ticket"
)

// automation is what is done to tickets by lists of actions: macros, bulk runs and
// rules, and the texts to write with.
type automation struct {
	queue *queue.Service
	steps tickets // whose doing it is
}

// recast turns data of the contract into a noun's and back: actions, conditions
// and names are the same JSON on both sides.
func recast(from, into any) error {
	text, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("between contract and noun: %w", err)
	}
	return nil
}

func actionsIn(all []oas.Action) (out []queue.Action, err error) {
	for i := range all {
		var a queue.Action
		if err := recast(&all[i], &a); err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

func actionsOut(all []queue.Action) ([]oas.Action, error) {
	out := make([]oas.Action, len(all))
	for i, a := range all {
		if err := recast(a, &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func bilingual(t locale.Texts) oas.Bilingual { return oas.Bilingual{Zh: text(t.ZH), En: text(t.EN)} }

func textsIn(b oas.Bilingual) locale.Texts { return locale.Texts{ZH: b.Zh.Or(""), EN: b.En.Or("")} }

func macroOut(m queue.Macro) (*oas.Macro, error) {
	acts, err := actionsOut(m.Actions)
	return &oas.Macro{ID: m.ID, Name: bilingual(m.Name), Shared: m.Owner == "", Actions: acts, Version: m.Version, CreatedAt: at(m.Created), ChangedAt: at(m.Changed), ActorID: text(m.Actor)}, err
}

func macroIn(req *oas.MacroReq) (queue.NewMacro, error) {
	acts, err := actionsIn(req.Actions)
	return queue.NewMacro{Name: textsIn(req.Name), Shared: req.Shared.Or(false), Actions: acts}, err
}

// ListMacros lists those the caller may use.
func (h automation) ListMacros(ctx context.Context) (*oas.MacroList, error) {
	all, err := h.queue.Macros(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.MacroList{Items: []oas.Macro{}, Placeholders: queue.Placeholders()}
	for _, m := range all {
		out, err := macroOut(m)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, *out)
	}
	return list, nil
}

// CreateMacro makes one.
func (h automation) CreateMacro(ctx context.Context, req *oas.MacroReq) (*oas.Macro, error) {
	in, err := macroIn(req)
	if err != nil {
		return nil, err
	}
	m, err := h.queue.CreateMacro(ctx, principal.From(ctx), in)
	if err != nil {
		return nil, err
	}
	return macroOut(m)
}

// ShowMacro shows one.
func (h automation) ShowMacro(ctx context.Context, params oas.ShowMacroParams) (*oas.Macro, error) {
	m, err := h.queue.Macro(ctx, principal.From(ctx), params.MacroID)
	if err != nil {
		return nil, err
	}
	return macroOut(m)
}

// ChangeMacro replaces one.
func (h automation) ChangeMacro(ctx context.Context, req *oas.MacroReq, params oas.ChangeMacroParams) (*oas.Macro, error) {
	in, err := macroIn(req)
	if err != nil {
		return nil, err
	}
	m, err := h.queue.ChangeMacro(ctx, principal.From(ctx), params.MacroID, in, req.Version.Or(0))
	if err != nil {
		return nil, err
	}
	return macroOut(m)
}

// DeleteMacro removes one.
func (h automation) DeleteMacro(ctx context.Context, params oas.DeleteMacroParams) error {
	return h.queue.DeleteMacro(ctx, principal.From(ctx), params.MacroID, params.Version.Or(0))
}

func refusalOut(ctx context.Context, code string, t locale.Texts) oas.OptActionRefusal {
	return oas.NewOptActionRefusal(oas.ActionRefusal{ErrorCode: code, ErrorMsg: t.In(locale.From(ctx).Language), Zh: t.ZH, En: t.EN})
}

func outcomesOut(ctx context.Context, all []queue.Outcome) []oas.ActionOutcome {
	out := []oas.ActionOutcome{}
	for _, o := range all {
		a := oas.ActionOutcome{Do: o.Do}
		if o.Version > 0 {
			a.Version = oas.NewOptInt64(o.Version)
		}
		if o.Same {
			a.Same = oas.NewOptBool(true)
		}
		if o.Code != "" {
			a.Refusal = refusalOut(ctx, o.Code, locale.Texts{ZH: o.ZH, EN: o.EN})
		}
		out = append(out, a)
	}
	return out
}

func previewOut(ctx context.Context, p queue.Preview) *oas.ActionPreview {
	out := &oas.ActionPreview{Number: p.Number, Version: p.Version, Effects: []oas.ActionEffect{}}
	for _, e := range p.Effects {
		a := oas.ActionEffect{Do: e.Do, Text: text(e.Text), Language: text(string(e.Lang)), Missing: e.Missing, Status: oas.TicketStatus(e.Status), StatusName: e.Status.Name(locale.From(ctx).Language),
			AssigneeID: text(e.Assignee), AssigneeName: text(e.AssigneeName), SeverityID: text(e.Severity), Owner: owners[e.Owner], Tags: append([]string{}, e.Tags...), Version: e.Version,
			Customer: []oas.ActionEffectCustomerItem{}, Engineers: append([]string{}, e.Engineers...), Same: e.Same}
		for _, c := range e.Customer {
			a.Customer = append(a.Customer, oas.ActionEffectCustomerItem{Channel: string(c.Way), To: c.To})
		}
		if f := e.Refusal; f != nil {
			a.Refusal = refusalOut(ctx, f.Code, locale.Texts{ZH: locale.Text(locale.ZH, f), EN: locale.Text(locale.EN, f)})
		}
		out.Effects = append(out.Effects, a)
	}
	return out
}

func runOut(ctx context.Context, u queue.Used) *oas.ActionRun {
	return &oas.ActionRun{ID: u.ID, Number: u.Number, Version: u.Version, Done: u.Done, Outcomes: outcomesOut(ctx, u.Outcomes)}
}

func (h automation) preview(ctx context.Context, as string, u queue.Use) (*oas.ActionPreview, error) {
	who, err := h.steps.engineer(ctx, as)
	if err != nil {
		return nil, err
	}
	p, err := h.queue.PreviewMacro(ctx, who, u)
	if err != nil {
		return nil, err
	}
	return previewOut(ctx, p), nil
}

func (h automation) run(ctx context.Context, as string, u queue.Use) (*oas.ActionRun, error) {
	who, err := h.steps.engineer(ctx, as)
	if err != nil {
		return nil, err
	}
	ran, err := h.queue.RunMacro(ctx, who, u)
	if err != nil {
		return nil, err
	}
	return runOut(ctx, ran), nil
}

// PreviewMacro tells what one would do.
func (h automation) PreviewMacro(ctx context.Context, req *oas.UseMacroReq, params oas.PreviewMacroParams) (*oas.ActionPreview, error) {
	return h.preview(ctx, req.As.Or(""), queue.Use{Macro: params.MacroID, Number: req.Number, Text: req.Text.Or("")})
}

// RunMacro does it.
func (h automation) RunMacro(ctx context.Context, req *oas.UseMacroReq, params oas.RunMacroParams) (*oas.ActionRun, error) {
	return h.run(ctx, req.As.Or(""), queue.Use{Macro: params.MacroID, Number: req.Number, Version: req.Version.Or(0), Text: req.Text.Or("")})
}

// PreviewTicketActions tells what actions would do.
func (h automation) PreviewTicketActions(ctx context.Context, req *oas.TicketActionsReq, params oas.PreviewTicketActionsParams) (*oas.ActionPreview, error) {
	acts, err := actionsIn(req.Actions)
	if err != nil {
		return nil, err
	}
	return h.preview(ctx, req.As.Or(""), queue.Use{Actions: acts, Number: params.Number, Text: req.Text.Or("")})
}

// CreateTicketActions does them.
func (h automation) CreateTicketActions(ctx context.Context, req *oas.TicketActionsReq, params oas.CreateTicketActionsParams) (*oas.ActionRun, error) {
	acts, err := actionsIn(req.Actions)
	if err != nil {
		return nil, err
	}
	return h.run(ctx, req.As.Or(""), queue.Use{Actions: acts, Number: params.Number, Version: req.Version.Or(0), Text: req.Text.Or("")})
}

// bulkIn reads a bulk run and whose doing it is.
func (h automation) bulkIn(ctx context.Context, req *oas.BulkRunReq) (who principal.Principal, in queue.NewBulk, err error) {
	if who, err = h.steps.engineer(ctx, req.As.Or("")); err != nil {
		return who, in, err
	}
	if in.Actions, err = actionsIn(req.Actions); err != nil {
		return who, in, err
	}
	in.Numbers = req.Numbers
	if f, ok := req.Filter.Get(); ok {
		in.Filter = &ticket.DeskFilter{Severity: f.Severity.Or(""), Assignee: f.Assignee.Or(""), Domain: f.Domain.Or(""), Tag: f.Tag.Or(""), Text: f.Q.Or("")}
		if in.Filter.Assignee == "me" {
			in.Filter.Assignee = who.User
		}
		for _, s := range f.Status {
			in.Filter.Statuses = append(in.Filter.Statuses, ticket.Status(s))
		}
	}
	return who, in, nil
}

func bulkItems(ctx context.Context, all []queue.BulkItem) []oas.BulkItem {
	out := []oas.BulkItem{}
	for _, i := range all {
		item := oas.BulkItem{Number: i.Number, Ok: i.OK(), Done: i.Done, Outcomes: outcomesOut(ctx, i.Outcomes)}
		if i.After > 0 {
			item.VersionBefore, item.VersionAfter = oas.NewOptInt64(i.Before), oas.NewOptInt64(i.After)
		}
		out = append(out, item)
	}
	return out
}

func bulkOut(ctx context.Context, b queue.Bulk) (*oas.BulkRun, error) {
	acts, err := actionsOut(b.Actions)
	out := &oas.BulkRun{ID: b.ID, ActorID: text(b.Actor), ActorName: text(b.ActorName), Actions: acts, Total: int32(b.Total), Done: int32(b.Done), Refused: int32(b.Refused),
		CreatedAt: at(b.Created), EndedAt: maybeAt(b.End)}
	if b.Items != nil {
		out.Items = bulkItems(ctx, b.Items)
	}
	return out, err
}

// PreviewBulkRun tells what a bulk run would do.
func (h automation) PreviewBulkRun(ctx context.Context, req *oas.BulkRunReq) (*oas.BulkPreview, error) {
	who, in, err := h.bulkIn(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &oas.BulkPreview{Total: int32(len(in.Numbers)), Items: []oas.BulkItem{}}
	if in.Filter != nil {
		n, err := h.queue.CountBulk(ctx, who, *in.Filter)
		if err != nil {
			return nil, err
		}
		if out.Total = int32(n); n == 0 || n > queue.MaxBulk {
			return out, nil
		}
	}
	items, err := h.queue.PreviewBulk(ctx, who, in)
	if err != nil {
		return nil, err
	}
	out.Items = bulkItems(ctx, items)
	return out, nil
}

// CreateBulkRun does actions to many tickets.
func (h automation) CreateBulkRun(ctx context.Context, req *oas.BulkRunReq) (*oas.BulkRun, error) {
	who, in, err := h.bulkIn(ctx, req)
	if err != nil {
		return nil, err
	}
	b, err := h.queue.RunBulk(ctx, who, in)
	if err != nil {
		return nil, err
	}
	return bulkOut(ctx, b)
}

// ShowBulkRun shows one.
func (h automation) ShowBulkRun(ctx context.Context, params oas.ShowBulkRunParams) (*oas.BulkRun, error) {
	b, err := h.queue.ShowBulk(ctx, principal.From(ctx), params.BulkID)
	if err != nil {
		return nil, err
	}
	return bulkOut(ctx, b)
}

// ListBulkRuns lists them.
func (h automation) ListBulkRuns(ctx context.Context, params oas.ListBulkRunsParams) (*oas.BulkRunPage, error) {
	all, next, err := h.queue.Bulks(ctx, principal.From(ctx), params.Cursor.Or(""), int(params.Limit.Or(0)))
	if err != nil {
		return nil, err
	}
	page := &oas.BulkRunPage{Items: []oas.BulkRun{}, NextCursor: text(next)}
	for _, b := range all {
		out, err := bulkOut(ctx, b)
		if err != nil {
			return nil, err
		}
		page.Items = append(page.Items, *out)
	}
	return page, nil
}
