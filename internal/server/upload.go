package server

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/wire"
)

// Bodies that are larger than others: form uploads stream past the chain, the
// Base64 upload is read whole like every JSON body (threats.md E8).

// restTime is how long the rest of an upload may take that nobody needs.
const restTime = 3 * time.Second

// overhead is what a form has around its file, in bytes.
const overhead = 64 << 10

// bulkyAtOnce is how many JSON bodies over the ordinary limit are held in memory
// at a time; others wait bulkyWait and are told to come again.
const (
	bulkyAtOnce = 4
	bulkyWait   = 10 * time.Second
)

var (
	deskUpload = regexp.MustCompile(`^/desk/v1/tickets/[^/]+/attachments/?$`)
	formPath   = regexp.MustCompile(`^/v2/servicerequest/accessorys/?$`)
	base64Path = regexp.MustCompile(`^/v2/servicerequest/accessorys/json-format-content/?$`)
)

func multipart(r *http.Request) bool {
	return strings.HasPrefix(strings.ToLower(r.Header.Get("Content-Type")), "multipart/")
}

// streamed tells the form uploads from other requests.
func streamed(r *http.Request) bool {
	return r.Method == http.MethodPost && multipart(r) && (formPath.MatchString(r.URL.Path) || deskUpload.MatchString(r.URL.Path))
}

// maxBody is the largest body of a request that is read whole, in bytes.
func (c *chain) maxBody(r *http.Request) int64 {
	if r.Method == http.MethodPost && base64Path.MatchString(r.URL.Path) {
		// Four characters for three bytes, and line breaks in between.
		return max(maxJSON, c.largest/3*4+c.largest/16+overhead)
	}
	return maxJSON
}

// hold takes a place among the bulky bodies, for those that need one.
func (c *chain) hold(r *http.Request) (release func(), f *fault.Error) {
	if c.maxBody(r) == maxJSON || r.ContentLength >= 0 && r.ContentLength <= maxJSON {
		return func() {}, nil
	}
	t := time.NewTimer(bulkyWait)
	defer t.Stop()
	select {
	case c.bulky <- struct{}{}:
		return func() { <-c.bulky }, nil
	case <-r.Context().Done():
	case <-t.C:
	}
	return func() {}, fault.Busy.After(time.Second)
}

// stream lets a body pass within its limit and at its pace, unread.
func stream(w http.ResponseWriter, r *http.Request, most int64) (end func(), f *fault.Error) {
	if r.ContentLength > most {
		return func() {}, wire.ErrTooLarge.With("max", most)
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return func() {}, wire.ErrContentType.With("type", "?")
	}
	rc := http.NewResponseController(w)
	r.Body = &passing{end: []byte("--" + params["boundary"] + "--"), pacedReader: &pacedReader{body: http.MaxBytesReader(w, r.Body, most), deadline: func() { _ = rc.SetReadDeadline(time.Now().Add(10 * time.Second)) }}, Closer: r.Body,
		whole: func() { _ = rc.SetReadDeadline(time.Time{}) }}
	// The server reads on to the body's end before it answers: not for ever. It
	// sets the deadline anew for the next request.
	return func() { _ = rc.SetReadDeadline(time.Now().Add(restTime)) }, nil
}

// passing is a form that streams by. The standard parser takes some bodies
// without a closing boundary for whole; this one ends them with an error.
type passing struct {
	*pacedReader
	io.Closer
	end   []byte // the closing boundary
	tail  []byte // the last bytes that went by
	whole func() // called at the end
}

var errUnclosed = wire.ErrUnreadable.With("why", "multipart boundary")

func (p *passing) Read(b []byte) (int, error) {
	n, err := p.pacedReader.Read(b)
	p.tail = append(p.tail, b[max(0, n-overhead/16):n]...)
	p.tail = p.tail[max(0, len(p.tail)-overhead/16):]
	if err == io.EOF {
		if p.whole(); !bytes.Contains(p.tail, p.end) {
			err = errUnclosed
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errSlow.Because(err)
	}
	return n, err
}

// uploadFolder makes the folder that uploads are put aside in, empty, and makes
// it the process's place for temporary files: the system's own may be in memory.
func uploadFolder(data string) error {
	dir := filepath.Join(data, "tmp")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return os.Setenv("TMPDIR", dir)
}

// linked answers the links to attachments: no log-in, the signature is the
// right (semantics.md D8).
func (s *Server) linked(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if r.Header.Get("X-Language") == "" { // a browser, which says it otherwise
		first, _, _ := strings.Cut(r.Header.Get("Accept-Language"), ",")
		first, _, _ = strings.Cut(first, ";")
		if lang, ok := locale.ParseLanguage(first); ok {
			l := locale.From(ctx)
			l.Language = lang
			ctx = locale.With(ctx, l)
		}
	}
	q := r.URL.Query()
	c, err := s.files.Follow(ctx, q.Get("domain"), r.PathValue("id"), q.Get("expires"), q.Get("signature"))
	if err != nil {
		wire.Write(ctx, w, wire.Fault(ctx, s.o.Log, err), false)
		return
	}
	if c.Elsewhere != "" {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if r.Method == http.MethodHead { // the store's address is signed for GET
			w.Header().Set("Content-Length", strconv.FormatInt(c.Size, 10))
			w.Header().Set("Content-Disposition", wire.Disposition("attachment", c.Name))
			w.Header().Set("Content-Type", "application/octet-stream")
			return
		}
		http.Redirect(w, r, c.Elsewhere, http.StatusTemporaryRedirect)
		return
	}
	wire.Serve(w, r, wire.Download{Name: c.Name, Media: c.Media, SHA256: c.SHA256, Modified: c.Modified(), Content: c}, s.o.Log)
}

var _ io.ReadSeekCloser = attachment.Content{}
