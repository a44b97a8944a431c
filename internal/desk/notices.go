package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/queue"
)

// notices are the texts of messages and what people of the house want of them.
type notices struct {
	notify *notify.Service
	queue  *queue.Service
	steps  tickets // whose preferences they are
}

func templateOut(t notify.Template) oas.Template {
	return oas.Template{Name: t.Name, Language: string(t.Language), Subject: t.Subject, Text: t.Text, SMS: text(t.SMS), BuiltIn: t.Version == 0, Version: t.Version,
		ChangedAt: maybeAt(t.Changed), ActorID: text(t.Actor), Placeholders: append([]string{}, t.Placeholders...), Mandatory: append([]string{}, t.Mandatory...)}
}

// ListTemplates lists texts in force.
func (h notices) ListTemplates(ctx context.Context) (*oas.TemplateList, error) {
	all, err := h.notify.Templates(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	list := &oas.TemplateList{Items: []oas.Template{}}
	for _, t := range all {
		list.Items = append(list.Items, templateOut(t))
	}
	return list, nil
}

// ShowTemplate shows a text in force.
func (h notices) ShowTemplate(ctx context.Context, params oas.ShowTemplateParams) (*oas.Template, error) {
	t, err := h.notify.Template(ctx, principal.From(ctx), params.Name, locale.Language(params.Language))
	if err != nil {
		return nil, err
	}
	out := templateOut(t)
	return &out, nil
}

func wordsIn(req oas.TemplateReq) notify.Words {
	return notify.Words{Subject: req.Subject, Text: req.Text, SMS: req.SMS.Or("")}
}

// PutTemplate replaces a text.
func (h notices) PutTemplate(ctx context.Context, req *oas.TemplateReq, params oas.PutTemplateParams) (*oas.Template, error) {
	var seen *int64
	if v, ok := req.Version.Get(); ok {
		seen = &v
	}
	t, err := h.notify.SetTemplate(ctx, principal.From(ctx), params.Name, locale.Language(params.Language), wordsIn(*req), seen)
	if err != nil {
		return nil, err
	}
	out := templateOut(t)
	return &out, nil
}

// DeleteTemplate takes the built-in text back.
func (h notices) DeleteTemplate(ctx context.Context, params oas.DeleteTemplateParams) error {
	return h.notify.ResetTemplate(ctx, principal.From(ctx), params.Name, locale.Language(params.Language))
}

// PreviewTemplate renders a text with sample values.
func (h notices) PreviewTemplate(ctx context.Context, req oas.OptTemplateReq, params oas.PreviewTemplateParams) (*oas.TemplatePreview, error) {
	var w *notify.Words
	if v, ok := req.Get(); ok {
		given := wordsIn(v)
		w = &given
	}
	p, err := h.notify.PreviewTemplate(ctx, principal.From(ctx), params.Name, locale.Language(params.Language), w)
	if err != nil {
		return nil, err
	}
	return &oas.TemplatePreview{Subject: p.Subject, Text: p.Text, HTML: p.HTML, SMS: text(p.SMS)}, nil
}

func preferencesOut(p notify.Preferences, own queue.Settings) *oas.Preferences {
	var undo oas.OptInt32
	if own.UndoWithin != nil {
		undo.SetTo(int32(*own.UndoWithin))
	}
	choice := func(kind string) oas.OptNoticeChoice {
		if p.Kinds[kind] {
			return oas.NewOptNoticeChoice(oas.NoticeChoiceMail)
		}
		return oas.NewOptNoticeChoice(oas.NoticeChoiceOff)
	}
	return &oas.Preferences{Assigned: choice(notify.KindAssigned), Replied: choice(notify.KindReplied), Urged: choice(notify.KindUrged), Created: choice(notify.KindNew),
		Authorized: choice(notify.KindAuthorized), Warned: choice(notify.KindWarned), Escalated: choice(notify.KindEscalated), Breached: choice(notify.KindBreached),
		Mentioned: choice(notify.KindMentioned), Followed: choice(notify.KindFollowed), Woken: choice(notify.KindWoken),
		Withheld: choice(notify.KindWithheld), Asked: choice(notify.KindAsked), Rule: choice(notify.KindRule), UndoWithin: undo, QuietHours: oas.NewOptString(p.QuietHours), Digest: oas.NewOptString(p.Digest), Zone: oas.NewOptString(p.Zone)}
}

// ShowPreferences shows the caller's preferences.
func (h notices) ShowPreferences(ctx context.Context, params oas.ShowPreferencesParams) (*oas.Preferences, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	p, err := h.notify.Preferences(ctx, who)
	if err != nil {
		return nil, err
	}
	own, err := h.queue.Settings(ctx, who)
	if err != nil {
		return nil, err
	}
	return preferencesOut(p, own), nil
}

// PutPreferences replaces them.
func (h notices) PutPreferences(ctx context.Context, req *oas.Preferences, params oas.PutPreferencesParams) (*oas.Preferences, error) {
	who, err := h.steps.engineer(ctx, params.As.Or(""))
	if err != nil {
		return nil, err
	}
	p := notify.Preferences{Kinds: map[string]bool{}, QuietHours: req.QuietHours.Or(""), Digest: req.Digest.Or(""), Zone: req.Zone.Or("")}
	for kind, choice := range map[string]oas.OptNoticeChoice{notify.KindAssigned: req.Assigned, notify.KindReplied: req.Replied, notify.KindUrged: req.Urged,
		notify.KindNew: req.Created, notify.KindAuthorized: req.Authorized, notify.KindWarned: req.Warned, notify.KindEscalated: req.Escalated, notify.KindBreached: req.Breached,
		notify.KindMentioned: req.Mentioned, notify.KindFollowed: req.Followed, notify.KindWoken: req.Woken, notify.KindWithheld: req.Withheld,
		notify.KindAsked: req.Asked, notify.KindRule: req.Rule} {
		if v, ok := choice.Get(); ok {
			p.Kinds[kind] = v == oas.NoticeChoiceMail
		}
	}
	if p, err = h.notify.SetPreferences(ctx, who, p); err != nil {
		return nil, err
	}
	var own queue.Settings
	if v, ok := req.UndoWithin.Get(); ok {
		n := int(v)
		own.UndoWithin = &n
	}
	if err := h.queue.SetSettings(ctx, who, own); err != nil {
		return nil, err
	}
	if own, err = h.queue.Settings(ctx, who); err != nil {
		return nil, err
	}
	return preferencesOut(p, own), nil
}
