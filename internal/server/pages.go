package server

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// policy is the content security policy of all pages: nothing from elsewhere,
// no inline script or style, no frame around them (threats.md C11).
const policy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; " +
	"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// page is one built file in all its encodings.
type page struct {
	kind   string // Content-Type
	plain  []byte
	br, gz []byte // nil = there is none
	etag   string
	frozen bool // its name holds a hash of its content: never asked for again
}

// pages serve the browser's files from memory. Programs ask for none of them.
type pages struct {
	files  map[string]*page
	absent *page // what stands for them when they were not built
}

// Sections that are single pages: every path below answers their HTML and the
// script shows what belongs there.
var sections = map[string]string{"login": "login.html", "console": "console.html", "desk": "desk.html", "docs": "docs.html"}

const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Casemate</title>
<h1>The pages were not built into this program</h1>
<p>Its APIs work. To have the pages, build with Node 20 or later: <code>make build</code>.</p>
<h1 lang="zh-CN">此程序未包含网页</h1>
<p lang="zh-CN">接口可正常使用。如需网页，请安装 Node 20 或更高版本后执行 <code>make build</code>。</p>
</html>
`

// newPages reads the built files.
func newPages(built fs.FS) (*pages, error) {
	p := &pages{files: map[string]*page{}, absent: newPage("absent.html", []byte(notBuilt))}
	err := fs.WalkDir(built, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		text, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		switch ext := path.Ext(name); ext {
		case ".br", ".gz":
			of := p.files[strings.TrimSuffix(name, ext)] // sorts before
			if of != nil && ext == ".br" {
				of.br = text
			} else if of != nil {
				of.gz = text
			}
		default:
			p.files[name] = newPage(name, text)
		}
		return nil
	})
	return p, err
}

func newPage(name string, text []byte) *page {
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // what the machine's tables say must not matter
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".html":
		kind = "text/html; charset=utf-8"
	case ".svg":
		kind = "image/svg+xml"
	case ".txt":
		kind = "text/plain; charset=utf-8"
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	sum := sha256.Sum256(text)
	return &page{kind: kind, plain: text, etag: hex.EncodeToString(sum[:12]), frozen: strings.HasPrefix(name, "assets/")}
}

// find is the file for a path, nil when no page is there.
func (p *pages) find(url string) *page {
	name := strings.Trim(url, "/")
	first, rest, _ := strings.Cut(name, "/")
	if section, ok := sections[first]; ok && (first != "login" || rest == "") {
		if f := p.files[section]; f != nil {
			return f
		}
		if p.files["login.html"] == nil {
			return p.absent
		}
		return nil
	}
	if path.Ext(name) == ".html" {
		return nil // a page has one address
	}
	return p.files[name]
}

// mount serves the pages beside the APIs; whatever is no page goes to next.
func (p *pages) mount(mux *http.ServeMux, next http.Handler) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := p.find(r.URL.Path)
		if f == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		f.serve(w, r)
	})
	for name := range sections {
		mux.Handle("/"+name, h)
		mux.Handle("/"+name+"/", h)
	}
	mux.Handle("/assets/", h)
	for name := range p.files {
		if !strings.Contains(name, "/") && path.Ext(name) != ".html" {
			mux.Handle("/"+name, h)
		}
	}
}

func (f *page) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Content-Type", f.kind)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if f.frozen {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body, tag := f.plain, f.etag
	switch offered := r.Header.Get("Accept-Encoding"); {
	case f.br != nil && accepts(offered, "br"):
		body, tag = f.br, f.etag+"-br"
		h.Set("Content-Encoding", "br")
	case f.gz != nil && accepts(offered, "gzip"):
		body, tag = f.gz, f.etag+"-gz"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	if matches(r.Header.Get("If-None-Match"), tag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// accepts tells whether a coding is named in Accept-Encoding and not refused.
func accepts(offered, coding string) bool {
	for part := range strings.SplitSeq(offered, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		q, weighed := strings.CutPrefix(strings.TrimSpace(params), "q=")
		if !weighed {
			return true
		}
		v, err := strconv.ParseFloat(q, 64)
		return err == nil && v > 0
	}
	return false
}

func matches(asked, tag string) bool {
	for part := range strings.SplitSeq(asked, ",") {
		part = strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if part == "*" || part == `"`+tag+`"` {
			return true
		}
	}
	return false
}

// front sends a browser that opens the bare address to the console; clients of
// the identity API get its list of versions, as before.
func front(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _, _ := strings.Cut(r.Header.Get("Accept"), ","); strings.TrimSpace(kind) == "text/html" {
			w.Header().Set("Vary", "Accept")
			http.Redirect(w, r, "/console", http.StatusFound)
			return
		}
		next.ServeHTTP(w, r)
	})
}
