package attachment

import (
	"errors"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"casemate/internal/fault"
)

// Faults of types. The type in {types} is a list of extensions.
var (
	errExt     = fault.New(fault.Invalid, fault.CodeInvalid, "不支持的文件类型，仅支持：{types}", "this type of file is not allowed; allowed are: {types}")
	errContent = fault.New(fault.Invalid, fault.CodeInvalid, "文件内容与扩展名 {ext} 不符", "the content of the file is not what its extension {ext} says")
	errEmpty   = fault.New(fault.Invalid, fault.CodeInvalid, "文件内容为空", "the file is empty")
)

// octets is the type of what is not on the short list.
const octets = "application/octet-stream"

// kind is what an extension promises: one of the types by content, and the type
// it is given away with.
type kind struct {
	ext    string
	by     []string // types by content that agree
	text   bool     // any text agrees, except what browsers run
	served string
}

// kinds are the extensions an installation may allow. Each can be told by its
// content; what browsers run (html, svg, xml, scripts) is not among them.
var kinds = []kind{
	{ext: "jpg", by: []string{"image/jpeg"}, served: "image/jpeg"},
	{ext: "jpeg", by: []string{"image/jpeg"}, served: "image/jpeg"},
	{ext: "png", by: []string{"image/png", "image/apng"}, served: "image/png"},
	{ext: "gif", by: []string{"image/gif"}, served: "image/gif"},
	{ext: "bmp", by: []string{"image/bmp"}, served: "image/bmp"},
	{ext: "webp", by: []string{"image/webp"}, served: "image/webp"},
	{ext: "tif", by: []string{"image/tiff"}, served: octets},
	{ext: "tiff", by: []string{"image/tiff"}, served: octets},
	{ext: "txt", text: true, served: "text/plain; charset=utf-8"},
	{ext: "log", text: true, served: "text/plain; charset=utf-8"},
	{ext: "ini", text: true, served: "text/plain; charset=utf-8"},
	{ext: "csv", text: true, served: octets},
	{ext: "json", text: true, served: octets},
	{ext: "eml", by: []string{"message/rfc822"}, text: true, served: octets},
	{ext: "msg", by: []string{"application/vnd.ms-outlook", "application/x-ole-storage"}, served: octets},
	{ext: "pdf", by: []string{"application/pdf"}, served: "application/pdf"},
	{ext: "zip", by: []string{"application/zip"}, served: "application/zip"},
	{ext: "docx", by: []string{docx}, served: docx},
	{ext: "xlsx", by: []string{xlsx}, served: xlsx},
	{ext: "pptx", by: []string{pptx}, served: pptx},
	{ext: "doc", by: []string{"application/msword", "application/x-ole-storage"}, served: octets},
	{ext: "xls", by: []string{"application/vnd.ms-excel", "application/x-ole-storage"}, served: octets},
	{ext: "ppt", by: []string{"application/vnd.ms-powerpoint", "application/x-ole-storage"}, served: octets},
	{ext: "rar", by: []string{"application/vnd.rar", "application/x-rar-compressed"}, served: octets},
	{ext: "7z", by: []string{"application/x-7z-compressed"}, served: octets},
	{ext: "gz", by: []string{"application/gzip"}, served: octets},
	{ext: "tgz", by: []string{"application/gzip"}, served: octets},
	{ext: "tar", by: []string{"application/x-tar"}, served: octets},
	{ext: "mp4", by: []string{"video/mp4", "audio/mp4", "video/x-m4v"}, served: "video/mp4"},
	// Of mails: signed and encrypted ones (S/MIME, OpenPGP), invitations, Outlook's
	// own wrapping.
	{ext: "p7m", by: []string{octets, "application/pkcs7-mime", "application/pkcs7-signature"}, text: true, served: octets},
	{ext: "p7s", by: []string{octets, "application/pkcs7-signature", "application/pkcs7-mime"}, text: true, served: octets},
	{ext: "asc", by: []string{"application/pgp-signature", "application/pgp-encrypted"}, text: true, served: octets},
	{ext: "ics", by: []string{"text/calendar"}, text: true, served: octets},
	{ext: "dat", by: []string{octets, "application/vnd.ms-tnef"}, served: octets},
	{ext: "mov", by: []string{"video/quicktime"}, served: "video/quicktime"},
}

const (
	office = "application/vnd.openxmlformats-officedocument."
	docx   = office + "wordprocessingml.document"
	xlsx   = office + "spreadsheetml.sheet"
	pptx   = office + "presentationml.presentation"
)

// active are texts that browsers or shells run; no extension here promises them.
var active = []string{"text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "text/x-php", "text/x-shellscript",
	"text/x-python", "text/x-perl", "text/x-ruby", "text/x-lua", "text/x-tcl"}

// CheckTypes refuses an extension whose files cannot be told by their content.
func CheckTypes(extensions []string) error {
	_, err := kindsOf(extensions)
	return err
}

func kindsOf(extensions []string) (all []kind, err error) {
	for _, ext := range extensions {
		k, ok := kindOf(ext)
		if !ok {
			return nil, errors.New("attachment.types: " + ext + " is not a type that can be told by its content")
		}
		all = append(all, k)
	}
	return all, nil
}

func kindOf(ext string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.ext == ext })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// agree finds the type of a file whose extension is allowed and whose content
// is what the extension says. The content's beginning decides.
func (s *Service) agree(nameField, bodyField, ext string, also []string, head []byte) (media string, err error) {
	k, allowed := kindOf(ext)
	if !allowed || !slices.Contains(also, ext) && !slices.ContainsFunc(s.types, func(t kind) bool { return t.ext == ext }) {
		return "", errExt.In(nameField).With("types", strings.Join(s.o.Config.Types, ", "))
	}
	if len(head) == 0 {
		return "", errEmpty.In(bodyField)
	}
	found := mimetype.Detect(head)
	if slices.ContainsFunc(k.by, found.Is) {
		return k.served, nil
	}
	if k.text && isText(found) && !slices.ContainsFunc(active, found.Is) {
		if strings.HasPrefix(k.served, "text/") && !strings.Contains(found.String(), "charset=utf-8") {
			return octets, nil // another charset: nobody shall guess
		}
		return k.served, nil
	}
	return "", errContent.In(bodyField).With("ext", ext)
}

func isText(m *mimetype.MIME) bool {
	for ; m != nil; m = m.Parent() {
		if m.Is("text/plain") {
			return true
		}
	}
	return false
}
