package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/fault"
)

// Download is a file as an answer. One of Content and Stream is set.
type Download struct {
	Name     string // as it is offered to be saved
	Media    string
	Inline   bool // shown in the page, else saved
	SHA256   string
	Modified time.Time
	Content  io.ReadSeekCloser       // answered with its length, and in parts when asked for
	Stream   func(w io.Writer) error // answered as it comes
}

// Disposition is the Content-Disposition header (RFC 6266): the name in ASCII
// for old clients, and whole (RFC 8187).
func (d Download) Disposition() string {
	kind := "attachment"
	if d.Inline {
		kind = "inline"
	}
	return Disposition(kind, d.Name)
}

// Disposition is a Content-Disposition header (RFC 6266).
func Disposition(kind, name string) string {
	var plain, coded strings.Builder
	ascii := true
	for _, r := range name {
		switch {
		case r == '"' || r == '\\' || r == '%' || r < ' ' || r == 0x7f:
			plain.WriteByte('_')
			ascii = false
		case r >= utf8.RuneSelf:
			plain.WriteByte('_')
			ascii = false
		default:
			plain.WriteRune(r)
		}
	}
	if ascii {
		return kind + `; filename="` + name + `"`
	}
	for _, b := range []byte(name) {
		// attr-char of RFC 8187
		if b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || strings.IndexByte("!#$&+-.^_`|~", b) >= 0 {
			coded.WriteByte(b)
		} else {
			fmt.Fprintf(&coded, "%%%02X", b)
		}
	}
	return kind + `; filename="` + plain.String() + `"; filename*=UTF-8''` + coded.String()
}

// serve answers with the file. A file never runs in the page it is shown in
// (threats.md D4).
func (d Download) serve(w http.ResponseWriter, r *http.Request, log *slog.Logger) {
	h := w.Header()
	h.Set("Content-Type", d.Media)
	h.Set("Content-Disposition", d.Disposition())
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-site")
	h.Set("Cache-Control", "private, no-store")
	if d.Stream != nil {
		if err := d.Stream(w); err != nil {
			if r.Context().Err() == nil {
				log.WarnContext(r.Context(), "a download was cut off", "error", err)
			}
			// The status is out: only a broken connection says that it is not whole.
			panic(http.ErrAbortHandler)
		}
		return
	}
	if d.SHA256 != "" {
		h.Set("ETag", `"`+d.SHA256+`"`)
	}
	if r.Header.Get("Range") == "" {
		http.ServeContent(w, r, "", d.Modified, d.Content)
		return
	}
	part := &part{ResponseWriter: w}
	http.ServeContent(part, r, "", d.Modified, d.Content)
	if part.refused {
		h.Del("Content-Disposition")
		Write(r.Context(), unfit{w}, errRange, false)
	}
}

var errRange = fault.New(fault.Invalid, fault.CodeInvalid, "请求头 {field} 超出文件范围", "{field} lies outside of the file").In("Range")

// part holds back the plain text with which http.ServeContent refuses a range
// (RFC 9110 section 15.5.17): clients read errors as JSON.
type part struct {
	http.ResponseWriter
	refused bool
}

func (p *part) WriteHeader(status int) {
	if p.refused = status == http.StatusRequestedRangeNotSatisfiable; !p.refused {
		p.ResponseWriter.WriteHeader(status)
	}
}

func (p *part) Write(b []byte) (int, error) {
	if p.refused {
		return len(b), nil
	}
	return p.ResponseWriter.Write(b)
}

// unfit answers a fault with the status of a range that is refused.
type unfit struct{ http.ResponseWriter }

func (u unfit) WriteHeader(int) {
	u.ResponseWriter.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
}

type fileKey struct{}

// holder is where a handler leaves the file that its generated answer cannot
// carry.
type holder struct{ file *Download }

var errNoHolder = errors.New("wire: no Downloads in front of this handler")

// Hand leaves a file to be answered instead of the generated answer's body, by
// the Downloads in front of the router: with its length, in parts, with headers
// that no contract names. The file is closed there.
func Hand(ctx context.Context, d Download) error {
	h, ok := ctx.Value(fileKey{}).(*holder)
	if !ok {
		return errNoHolder
	}
	h.file = &d
	return nil
}

// late swallows the generated answer once there is a file.
type late struct {
	http.ResponseWriter
	holder *holder
}

func (l late) WriteHeader(status int) {
	if l.holder.file == nil {
		l.ResponseWriter.WriteHeader(status)
	}
}

func (l late) Write(p []byte) (int, error) {
	if l.holder.file == nil {
		return l.ResponseWriter.Write(p)
	}
	return len(p), nil
}

func (l late) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// Downloads answers with the file that a handler behind it handed over.
func Downloads(next http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := new(holder)
		defer func() {
			if h.file != nil && h.file.Content != nil {
				_ = h.file.Content.Close() // read only
			}
		}()
		next.ServeHTTP(late{w, h}, r.WithContext(context.WithValue(r.Context(), fileKey{}, h)))
		if h.file != nil {
			h.file.serve(w, r, log)
		}
	})
}

// Serve answers with a file at once and closes it.
func Serve(w http.ResponseWriter, r *http.Request, d Download, log *slog.Logger) {
	if d.Content != nil {
		defer d.Content.Close()
	}
	d.serve(w, r, log)
}

type realKey struct{}

// WithRealStatus makes errors of the request have a status of 400 or above in
// both modes of semantics.md D1: a client saves the body of a 200 as the file.
func WithRealStatus(ctx context.Context) context.Context {
	return context.WithValue(ctx, realKey{}, true)
}

// RealStatus tells whether WithRealStatus was called.
func RealStatus(ctx context.Context) bool {
	on, _ := ctx.Value(realKey{}).(bool)
	return on
}
