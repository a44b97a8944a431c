package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/locale"
	"casemate/internal/mailin"
	"casemate/internal/principal"
)

// mailboxes are where mails come in.
type mailboxes struct{ gate *mailin.Gate }

// ListMailboxes tells how the mailboxes and the receiver do.
func (h mailboxes) ListMailboxes(ctx context.Context) (*oas.MailboxList, error) {
	all, err := h.gate.Mailboxes(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	lang := locale.From(ctx).Language
	list := &oas.MailboxList{Items: []oas.Mailbox{}}
	for _, b := range all {
		m := oas.Mailbox{Name: b.Name, Address: b.Address, Fetched: b.IMAP, Server: text(b.Server), User: text(b.User), Folder: text(b.Folder), Node: text(b.Node),
			SucceededAt: maybeAt(b.OK), TakenAt: maybeAt(b.TakenAt), FailedAt: maybeAt(b.Failed), NextTryAt: maybeAt(b.Next)}
		if b.IMAP {
			m.Taken, m.Waiting, m.Left, m.Failures = oas.NewOptInt64(b.Taken), oas.NewOptInt64(b.Waiting), oas.NewOptInt64(b.Left), oas.NewOptInt64(b.Failures)
		}
		if b.OK > 0 {
			m.LagMs = oas.NewOptInt64(b.Lag)
		}
		if b.Error != nil {
			m.Error = text(b.Error.In(lang))
		}
		list.Items = append(list.Items, m)
	}
	if r, ok := h.gate.Receiver(); ok {
		list.Receiver.SetTo(oas.MailReceiver{Address: r.Address, Protocol: oas.MailReceiverProtocol(r.Protocol), Connections: int32(r.Connections), Taken: r.Taken, Refused: r.Refused, Failed: r.Failed})
	}
	return list, nil
}

// TestMailbox logs in to a mailbox and counts its mails.
func (h mailboxes) TestMailbox(ctx context.Context, params oas.TestMailboxParams) (*oas.MailboxTest, error) {
	t, err := h.gate.Test(ctx, principal.From(ctx), params.Name)
	if err != nil {
		return nil, err
	}
	out := &oas.MailboxTest{Ok: t.OK, TookMs: t.Took.Milliseconds()}
	if t.OK {
		out.Messages, out.Unread, out.Idle = oas.NewOptInt64(t.Messages), oas.NewOptInt64(t.Unseen), oas.NewOptBool(t.Idle)
	} else {
		out.Detail = text(t.Trouble.In(locale.From(ctx).Language))
	}
	return out, nil
}
