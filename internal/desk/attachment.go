package desk

import (
	"bytes"
	"context"

	"casemate/internal/attachment"
	"casemate/internal/desk/oas"
	"casemate/internal/principal"
	"casemate/internal/ticket"
	"casemate/internal/wire"
)

// attachments are the files of tickets, as engineers see them.
type attachments struct {
	tickets *ticket.Service
	steps   tickets // tells whose step it is
}

func file(f attachment.File) oas.Attachment {
	out := oas.Attachment{ID: f.ID, Name: f.Name, MediaType: f.Media, Size: f.Size, SHA256: f.SHA256, Side: oas.AttachmentSideCustomer,
		UploaderID: text(f.Uploader), MessageID: text(f.Message), Internal: f.Internal, Scan: oas.AttachmentScan(f.Scan), CreatedAt: at(f.Created)}
	if f.Engineers {
		out.Side = oas.AttachmentSideEngineer
	}
	return out
}

func fileList(all []attachment.File) (out []oas.Attachment) {
	for _, f := range all {
		out = append(out, file(f))
	}
	return out
}

// CreateTicketAttachment takes an engineer's file for a ticket.
func (h attachments) CreateTicketAttachment(ctx context.Context, req *oas.NewAttachmentMultipart, params oas.CreateTicketAttachmentParams) (*oas.Attachment, error) {
	who, err := h.steps.engineer(ctx, req.As.Or(""))
	if err != nil {
		return nil, err
	}
	f, err := h.tickets.Attach(ctx, who, params.Number, attachment.Upload{Name: req.File.Name, Origin: attachment.ForMessage, Body: req.File.File,
		Fields: attachment.Fields{Name: "file", Origin: "file", Body: "file"}})
	if err != nil {
		return nil, err
	}
	out := file(f)
	return &out, nil
}

// ListTicketAttachments lists a ticket's files, oldest first.
func (h attachments) ListTicketAttachments(ctx context.Context, params oas.ListTicketAttachmentsParams) (*oas.AttachmentList, error) {
	all, err := h.tickets.DeskFiles(ctx, principal.From(ctx), params.Number)
	if err != nil {
		return nil, err
	}
	return &oas.AttachmentList{Items: append([]oas.Attachment{}, fileList(all)...)}, nil
}

// DownloadTicketAttachment answers a file as it is.
func (h attachments) DownloadTicketAttachment(ctx context.Context, params oas.DownloadTicketAttachmentParams) (*oas.DownloadTicketAttachmentOKHeaders, error) {
	c, err := h.tickets.DeskFile(ctx, principal.From(ctx), params.Number, params.AttachmentID)
	if err != nil {
		return nil, err
	}
	d := wire.Download{Name: c.Name, Media: c.Media, SHA256: c.SHA256, Modified: c.Modified(), Content: c}
	return &oas.DownloadTicketAttachmentOKHeaders{ContentType: d.Media, ContentDisposition: oas.NewOptString(d.Disposition()),
		Response: oas.DownloadTicketAttachmentOK{Data: bytes.NewReader(nil)}}, wire.Hand(ctx, d)
}
