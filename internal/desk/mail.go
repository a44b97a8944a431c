package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/mailin"
	"casemate/internal/principal"
)

// mails are what came in by mail.
type mails struct{ mails *mailin.Service }

// ListMails lists received mails, newest first.
func (h mails) ListMails(ctx context.Context, params oas.ListMailsParams) (*oas.IncomingMailPage, error) {
	f := mailin.Filter{State: string(params.State.Or("")), Mailbox: params.Mailbox.Or(""), After: params.Cursor.Or(""), Limit: int(params.Limit.Or(50))}
	all, err := h.mails.List(ctx, principal.From(ctx), f)
	if err != nil {
		return nil, err
	}
	page := &oas.IncomingMailPage{Items: []oas.IncomingMail{}}
	for _, m := range all {
		page.Items = append(page.Items, mail(ctx, m))
	}
	if len(all) == f.Limit {
		page.NextCursor.SetTo(all[len(all)-1].ID)
	}
	return page, nil
}

// ShowMail shows one with its text.
func (h mails) ShowMail(ctx context.Context, params oas.ShowMailParams) (*oas.IncomingMail, error) {
	return shownMail(ctx)(h.mails.Show(ctx, principal.From(ctx), params.MailID))
}

// DownloadMail answers one as it came.
func (h mails) DownloadMail(ctx context.Context, params oas.DownloadMailParams) (*oas.OriginalMail, error) {
	raw, err := h.mails.Original(ctx, principal.From(ctx), params.MailID)
	if err != nil {
		return nil, err
	}
	return &oas.OriginalMail{Original: raw}, nil
}

// ReleaseMail lets one out of quarantine.
func (h mails) ReleaseMail(ctx context.Context, req *oas.ReleaseMailReq, params oas.ReleaseMailParams) (*oas.IncomingMail, error) {
	in := mailin.Release{ID: params.MailID, Domain: req.DomainID.Or(""), User: req.UserID.Or(""), Number: req.Number.Or("")}
	return shownMail(ctx)(h.mails.Release(ctx, principal.From(ctx), in))
}

// RetryMail handles one anew.
func (h mails) RetryMail(ctx context.Context, params oas.RetryMailParams) (*oas.IncomingMail, error) {
	return shownMail(ctx)(h.mails.Retry(ctx, principal.From(ctx), params.MailID))
}

// DiscardMail throws one away.
func (h mails) DiscardMail(ctx context.Context, params oas.DiscardMailParams) error {
	return h.mails.Discard(ctx, principal.From(ctx), params.MailID)
}

func shownMail(ctx context.Context) func(m mailin.Mail, err error) (*oas.IncomingMail, error) {
	return func(m mailin.Mail, err error) (*oas.IncomingMail, error) {
		if err != nil {
			return nil, err
		}
		out := mail(ctx, m)
		return &out, nil
	}
}

func mail(ctx context.Context, m mailin.Mail) oas.IncomingMail {
	out := oas.IncomingMail{ID: m.ID, Mailbox: m.Mailbox, State: oas.IncomingMailState(m.State), Cause: text(m.Cause), CauseName: text(m.Words.In(locale.From(ctx).Language)),
		EnvelopeFrom: text(m.Envelope), From: text(m.From), FromName: text(m.Name), Subject: text(m.Subject), DomainID: text(m.Domain), Number: text(m.Number),
		Size: m.Size, OriginalKept: m.Kept, ReceivedAt: at(m.Received), ChangedAt: at(m.Changed), To: m.To, Text: text(m.Text)}
	if m.Outcome != "" {
		out.Outcome.SetTo(oas.IncomingMailOutcome(m.Outcome))
	}
	for _, f := range m.Files {
		out.Files = append(out.Files, oas.IncomingMailFile{Name: f.Name, Size: f.Size})
	}
	return out
}
