package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"casemate/internal/api/oas"
	"casemate/internal/attachment"
	"casemate/internal/fault"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

// attachments are the two groups Attachment Management.
type attachments struct{ files *attachment.Service }

var errFormData = fault.New(fault.Invalid, fault.CodeInvalid, "参数 {field} 不是有效的 JSON 文本", "{field} is not valid JSON text").In("form_data")

// formData is the JSON text of the form upload, in camel case (contract README,
// section 5).
type formData struct {
	FileName      string `json:"fileName"`
	AccessoryFrom string `json:"accessoryFrom"`
	UploadType    *int   `json:"uploadType"`
}

// parseForm reads form_data; an empty name means that of the file part, and
// accessoryFrom is the ticket's unless it says otherwise.
func parseForm(text, partName string) (f formData, err error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return f, errFormData
	}
	d := json.NewDecoder(strings.NewReader(text))
	if err := d.Decode(&f); err != nil || d.More() {
		return f, errFormData
	}
	if f.FileName == "" {
		f.FileName = partName
	}
	if f.AccessoryFrom == "" {
		f.AccessoryFrom = attachment.ForTicket
	}
	if f.UploadType == nil {
		f.UploadType = new(int)
	}
	if *f.UploadType != 0 && *f.UploadType != 1 {
		return f, fault.OutOfRange.In("form_data.uploadType").With("min", 0).With("max", 1)
	}
	return f, nil
}

// UploadAccessory takes a file as a form. The parts may come in any order: the
// decoder has put the file aside.
func (h attachments) UploadAccessory(ctx context.Context, req *oas.UploadAccessoryRequestBodyMultipart, _ oas.UploadAccessoryParams) (*oas.UploadAccessoryResponse, error) {
	f, err := parseForm(req.FormData, req.File.Name)
	if err != nil {
		return nil, err
	}
	id, err := h.files.Upload(ctx, principal.From(ctx), attachment.Upload{Name: f.FileName, Origin: f.AccessoryFrom, Picture: *f.UploadType == 1, Body: req.File.File,
		Fields: attachment.Fields{Name: "form_data.fileName", Origin: "form_data.accessoryFrom", Body: "file"}})
	if err != nil {
		return nil, err
	}
	return &oas.UploadAccessoryResponse{AccessoryID: oas.NewOptString(id)}, nil
}

// UploadJsonAccessories takes a file as Base64 in JSON.
func (h attachments) UploadJsonAccessories(ctx context.Context, req *oas.AccessoryJsonFormatReq, _ oas.UploadJsonAccessoriesParams) (*oas.UploadJsonAccessoriesResponse, error) {
	id, err := h.files.Upload(ctx, principal.From(ctx), attachment.Upload{Name: req.AccessoryName, Origin: string(req.AccessoryFrom), Picture: req.UploadType.Or(0) == 1,
		Body:   base64.NewDecoder(base64.StdEncoding, strings.NewReader(req.AccessoryData)),
		Fields: attachment.Fields{Name: "accessory_name", Origin: "accessory_from", Body: "accessory_data"}})
	if err != nil {
		return nil, err
	}
	return &oas.UploadJsonAccessoriesResponse{AccessoryID: oas.NewOptString(id)}, nil
}

// DownloadAccessories answers one file as it is, several as a zip.
func (h attachments) DownloadAccessories(ctx context.Context, p oas.DownloadAccessoriesParams) (*oas.DownloadAccessoriesOKHeaders, error) {
	who, ids := principal.From(ctx), strings.Split(p.AccessoryID, ",")
	var d wire.Download
	if len(ids) == 1 {
		c, err := h.files.Open(ctx, who, p.GroupID.Or(""), ids[0])
		if err != nil {
			return nil, err
		}
		d = download(c)
	} else {
		stream, err := h.files.Zip(ctx, who, p.GroupID.Or(""), ids)
		if err != nil {
			return nil, err
		}
		d = wire.Download{Name: "attachments.zip", Media: "application/zip", Stream: stream}
	}
	return &oas.DownloadAccessoriesOKHeaders{ContentType: d.Media, ContentDisposition: oas.NewOptString(d.Disposition()),
		Response: oas.DownloadAccessoriesOK{Data: bytes.NewReader(nil)}}, wire.Hand(ctx, d)
}

func download(c attachment.Content) wire.Download {
	return wire.Download{Name: c.Name, Media: c.Media, SHA256: c.SHA256, Modified: c.Modified(), Content: c}
}

// DownloadImages answers a picture to be shown inside a text.
func (h attachments) DownloadImages(ctx context.Context, p oas.DownloadImagesParams) (*oas.DownloadImagesOKHeaders, error) {
	c, err := h.files.Picture(ctx, principal.From(ctx), p.GroupID.Or(""), p.AccessoryID)
	if err != nil {
		return nil, err
	}
	d := download(c)
	d.Inline = true
	return &oas.DownloadImagesOKHeaders{ContentType: d.Media, ContentDisposition: oas.NewOptString(d.Disposition()),
		Response: oas.DownloadImagesOK{Data: bytes.NewReader(nil)}}, wire.Hand(ctx, d)
}

// DeleteAccessories deletes a file that no ticket has yet.
func (h attachments) DeleteAccessories(ctx context.Context, p oas.DeleteAccessoriesParams) (*oas.Ack, error) {
	if err := h.files.Delete(ctx, principal.From(ctx), p.AccessoryID); err != nil {
		return nil, err
	}
	return &oas.Ack{}, nil
}

// ShowAccessoryLimits tells the limits of a new ticket's files.
func (h attachments) ShowAccessoryLimits(_ context.Context, _ oas.ShowAccessoryLimitsParams) (*oas.ShowAccessoryLimitsResponse, error) {
	l := h.files.Limits()
	return &oas.ShowAccessoryLimitsResponse{AccessoryLimit: oas.NewOptAccessoryLimitVo(oas.AccessoryLimitVo{
		LimitCount: oas.NewOptString(strconv.Itoa(l.Count)), LimitSize: oas.NewOptString(strconv.Itoa(l.SizeMB)),
		LimitFileType: oas.NewOptString(strings.Join(l.Types, ","))})}, nil
}

// ListAccessoryAccessUrls makes links that need no log-in, in bulk.
func (h attachments) ListAccessoryAccessUrls(ctx context.Context, p oas.ListAccessoryAccessUrlsParams) (*oas.ListAccessoryAccessUrlsResponse, error) {
	links, err := h.files.Links(ctx, principal.From(ctx), p.GroupID.Or(""), "accessory_ids", p.AccessoryIds)
	if err != nil {
		return nil, err
	}
	res := &oas.ListAccessoryAccessUrlsResponse{AccessoryUrls: make([]oas.AccessoryUrl, 0, len(links))}
	for _, l := range links {
		res.AccessoryUrls = append(res.AccessoryUrls, oas.AccessoryUrl{AccessoryID: oas.NewOptString(l.ID), AccessoryName: oas.NewOptString(l.Name),
			AccessoryURL: oas.NewOptString(wire.Base(ctx) + l.Path)})
	}
	return res, nil
}

// ShowDownloadAccessoryUrl makes one link. What the file is said to relate to
// is not needed: the id names it.
func (h attachments) ShowDownloadAccessoryUrl(ctx context.Context, p oas.ShowDownloadAccessoryUrlParams) (*oas.ShowDownloadAccessoryUrlResponse, error) {
	link, err := h.files.Link(ctx, principal.From(ctx), "accessory_id", p.AccessoryID)
	if err != nil {
		return nil, err
	}
	return &oas.ShowDownloadAccessoryUrlResponse{AccessoryURL: oas.NewOptString(wire.Base(ctx) + link.Path)}, nil
}

// accessories are a message's files on the wire.
func accessories(files []attachment.File) []oas.SimpleAccessoryV2 {
	out := make([]oas.SimpleAccessoryV2, 0, len(files))
	for _, f := range files {
		out = append(out, oas.SimpleAccessoryV2{AccessoryID: oas.NewOptString(f.ID), FileActualName: oas.NewOptString(f.Name)})
	}
	return out
}

// streams are the operations whose answer a client saves as it comes.
var streams = regexp.MustCompile(`^/v2/servicerequest/(?:accessorys/[^/]+(?:/image)?|cases/export)/?$`)

// realErrors gives errors of downloads a real status in both modes (contract
// README, section 5).
func realErrors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && streams.MatchString(r.URL.Path) && !strings.HasSuffix(r.URL.Path, "/limits") && !strings.HasSuffix(r.URL.Path, "/access-urls") {
			r = r.WithContext(wire.WithRealStatus(r.Context()))
		}
		next.ServeHTTP(w, r)
	})
}
