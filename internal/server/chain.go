package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"casemate/internal/db"
	"casemate/internal/fault"
	"casemate/internal/identity"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

// maxJSON is the largest body of an ordinary request, in bytes (semantics.md
// section 14: over 12 MB the gateway answers 413).
const maxJSON = 12 << 20

// chain is what every request passes before the generated routers see it:
// recover, request id, log, language and zone, strict input, body limit,
// authentication, idempotency (design.md section 4).
type chain struct {
	warm    func(ctx context.Context, user string) // has a caller's key at hand
	ident   *identity.Service
	proxies proxies
	log     *slog.Logger
	now     func() time.Time
	metrics *metrics
	random  func(n int) []byte
	local   *localToken
	drain   *drain
	docMode bool          // errors.business_status = documented
	largest int64         // attachment, in bytes
	bulky   chan struct{} // places of JSON bodies over the ordinary limit
}

// answer remembers what was sent, for the log and for panics.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// wrap puts the chain in front of the mounted surfaces.
func (c *chain) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := c.now()
		a := &answer{ResponseWriter: w}
		id := hex.EncodeToString(c.random(16))
		h := a.Header()
		h.Set("X-Request-Id", id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if c.drain.on() {
			h.Set("Connection", "close")
		}
		who := principal.Principal{RequestID: id, Address: c.proxies.client(r)}
		ctx := principal.With(r.Context(), who)
		ctx = locale.With(ctx, locale.Parse(r.Header.Get("X-Language"), r.Header.Get("X-Time-Zone"), r.Header.Get("X-Site")))
		ctx = wire.WithHeader(ctx, h)
		base := c.proxies.base(r)
		ctx = wire.WithBase(ctx, base)
		ctx = wire.WithBrowser(ctx, browser(r, who.Address, base))
		if surfaceOf(r.URL.Path) == "iam" {
			ctx = wire.WithOpenStack(ctx)
		}

		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				c.log.ErrorContext(ctx, "panic", "request", id, "panic", p, "stack", string(debug.Stack()))
				if a.status == 0 {
					wire.Write(ctx, a, fault.Broken, c.docMode)
				}
			}
			took := c.now().Sub(began)
			c.metrics.request(surfaceOf(r.URL.Path), a.status, took)
			c.log.LogAttrs(ctx, level(r.URL.Path, a.status), "request",
				slog.String("id", id), slog.String("method", r.Method), slog.String("path", r.URL.Path),
				slog.Int("status", a.status), slog.Int64("bytes", a.bytes), slog.Duration("took", took),
				slog.String("address", who.Address))
		}()
		c.serve(ctx, a, r, next)
	})
}

// level is that of a request's line in the log. Probes come every second or
// two: that a node drains or has lost its database is logged where it happens,
// not once for each of them.
func level(path string, status int) slog.Level {
	if path == "/healthz" || path == "/readyz" {
		return slog.LevelDebug
	}
	if status >= 500 && status != http.StatusNotImplemented {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

func surfaceOf(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "v2", "v2.0", "osm":
		return "v2"
	case "v3", "v3.0":
		return "iam"
	case "desk", "web", "files", "notify", "healthz", "readyz":
		return first
	}
	return "other"
}

func (c *chain) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f := strict(r); f != nil {
		wire.Write(ctx, w, f, c.docMode)
		return
	}
	release, f := c.hold(r)
	if f != nil {
		wire.Write(ctx, w, f, c.docMode)
		return
	}
	defer release()
	body, f := c.readBody(w, r)
	if f != nil {
		wire.Write(ctx, w, f, c.docMode)
		return
	}
	if surfaceOf(r.URL.Path) == "web" && r.Method != http.MethodGet && r.Method != http.MethodHead && foreign(r, wire.Base(ctx)) {
		wire.Write(ctx, w, errForeign, false)
		return
	}
	who, err := c.authenticate(ctx, r, body)
	if err != nil {
		wire.Write(ctx, w, wire.Fault(ctx, c.log, err), c.docMode)
		return
	}
	ctx = principal.With(ctx, who)
	if who.Kind == principal.Anonymous && !public(r) {
		wire.Write(ctx, w, wire.ErrNoToken, c.docMode)
		return
	}
	if untidy(r) {
		wire.Write(ctx, w, wire.ErrNoAPI.With("method", r.Method).With("path", r.URL.Path), c.docMode)
		return
	}
	if streamed(r) {
		end, f := stream(w, r, c.largest+overhead)
		if f != nil {
			wire.Write(ctx, w, f, c.docMode)
			return
		}
		defer end()
	}
	splitArrays(r)
	// From here on a sandbox's time is its own clock's, as it was a second ago at
	// most. All before (tokens, signatures, rates, request keys) and the identity
	// surface, which issues tokens, go by the installation's.
	if surfaceOf(r.URL.Path) != "iam" {
		ctx = db.WithClock(ctx, who.Clock)
	}
	ctx, done := c.requestKey(ctx, r, who, body)
	next.ServeHTTP(w, r.WithContext(ctx))
	done()
}

// public names the requests that need no credentials: log-in, discovery,
// first set-up, health.
func public(r *http.Request) bool {
	switch surfaceOf(r.URL.Path) {
	case "v2":
		return false
	case "iam":
		p := strings.TrimSuffix(r.URL.Path, "/")
		if p == "/v3" || p == "/v3.0" {
			return true
		}
		p = strings.Replace(p, "/v3.0/", "/v3/", 1)
		// The token that proves who asks for a temporary key stands in the body.
		return r.Method == http.MethodPost && (p == "/v3/auth/tokens" || p == "/v3/OS-AUTH/id-token/tokens" || p == "/v3/OS-CREDENTIAL/securitytokens")
	case "desk":
		return r.Method == http.MethodPost && (r.URL.Path == "/desk/v1/sessions" || r.URL.Path == "/desk/v1/setup") ||
			!strings.HasPrefix(r.URL.Path, "/desk/v1/")
	}
	return true
}

// authenticate verifies the one kind of credential the request carries. A
// request without any is Anonymous.
func (c *chain) authenticate(ctx context.Context, r *http.Request, body []byte) (principal.Principal, error) {
	who := principal.From(ctx)
	var (
		got principal.Principal
		err error
	)
	token := r.Header.Get("X-Auth-Token")
	switch {
	case surfaceOf(r.URL.Path) == "notify":
		return who, nil // receipts have signatures of their own
	case len(r.Header.Values("Authorization")) > 0:
		got, err = c.ident.BySignature(ctx, r, body)
	case token != "" && c.local.is(token):
		// The operator on this machine; the token lies in the data folder.
		if !loopback(who.Address) {
			return who, wire.ErrNoToken
		}
		got = principal.Principal{Kind: principal.Local, Domain: principal.House, User: "local", UserName: "local"}
	case token != "":
		if r.Method == http.MethodPost && surfaceOf(r.URL.Path) == "iam" && public(r) {
			// Log-in with a stale token in the header must still work.
			return who, nil
		}
		got, err = c.ident.ByToken(ctx, token)
	default:
		return c.bySession(ctx, r, who)
	}
	if err != nil {
		return who, err
	}
	if got.Kind != principal.Local && c.warm != nil {
		c.warm(ctx, got.User)
	}
	got.RequestID, got.Address = who.RequestID, who.Address
	return got, nil
}

// strict refuses what the two databases or the router would treat unlike: a
// query that does not parse (a broken escape would silently drop a filter),
// text that is not UTF-8 or holds NUL (design.md section 9 point 2).
func strict(r *http.Request) *fault.Error {
	if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
		return wire.ErrUnreadable.With("why", "query")
	}
	if q, err := url.QueryUnescape(r.URL.RawQuery); err != nil || !clean(q) {
		return wire.ErrUnreadable.With("why", "query")
	}
	if !clean(r.URL.Path) {
		return wire.ErrUnreadable.With("why", "path")
	}
	for name, values := range r.Header {
		for _, v := range values {
			if !clean(v) {
				return wire.ErrUnreadable.With("why", name)
			}
		}
	}
	return nil
}

func clean(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

var errSlow = fault.New(fault.Invalid, "APIGW.0201", "请求体传输过慢或不完整", "the request body came too slowly or was cut off")

// readBody reads an ordinary body whole, because the signature covers its raw
// bytes. Form uploads stream and are left alone; a form sent elsewhere is not
// read, its operation refuses the type. A body must keep coming: each 10 KiB
// have ten seconds.
func (c *chain) readBody(w http.ResponseWriter, r *http.Request) ([]byte, *fault.Error) {
	if r.Body == nil || r.Body == http.NoBody || streamed(r) {
		return nil, nil
	}
	most := c.maxBody(r)
	if multipart(r) {
		r.Body = http.MaxBytesReader(w, r.Body, most)
		return nil, nil
	}
	if r.ContentLength > most {
		return nil, wire.ErrTooLarge.With("max", most)
	}
	rc := http.NewResponseController(w)
	paced := &pacedReader{body: http.MaxBytesReader(w, r.Body, most), deadline: func() { _ = rc.SetReadDeadline(time.Now().Add(10 * time.Second)) }}
	body, err := io.ReadAll(paced)
	if err == nil {
		// The deadline of a body that is not whole stays: the server reads on to its
		// end before it answers.
		_ = rc.SetReadDeadline(time.Time{})
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, wire.ErrTooLarge.With("max", tooLarge.Limit)
	}
	if err != nil {
		return nil, errSlow
	}
	if len(body) > 0 && (!utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0) {
		return nil, wire.ErrMalformed
	}
	if bytes.Contains(body, []byte(`\u0000`)) && nulEscape(body) {
		return nil, wire.ErrMalformed
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// untidy tells paths with // or dot segments: the mux would answer them with a
// redirect, which no contract of ours knows and which clients repeat with
// another signature's path.
func untidy(r *http.Request) bool {
	if surfaceOf(r.URL.Path) == "other" {
		return false
	}
	escaped := r.URL.EscapedPath()
	return strings.TrimSuffix(escaped, "/") != strings.TrimSuffix(path.Clean(escaped), "/")
}

// nulEscape tells a real \u0000 escape from the text "\\u0000".
func nulEscape(body []byte) bool {
	for i := 0; i+5 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		if string(body[i+1:i+6]) == "u0000" {
			return true
		}
		i++ // skip the escaped character
	}
	return false
}

type pacedReader struct {
	body     io.Reader
	deadline func()
	read     int
	next     int
}

func (p *pacedReader) Read(b []byte) (int, error) {
	if p.read >= p.next { // a new deadline each 10 KiB: at least 1 KiB/s
		p.deadline()
		p.next = p.read + 10<<10
	}
	n, err := p.body.Read(b)
	p.read += n
	return n, err
}

// arrays are the query parameters that are lists; official clients send them
// as repeated keys, the documents joined by commas (contract README section 5).
var arrays = []string{"search_key", "label_id_list", "label_ids", "case_ids", "accessory_ids", "tenant_source_id_list", "searchKey", "labelIdList"}

// splitArrays turns comma-joined lists into repeated keys, after the signature
// was checked over the query as sent, so that the contract's item counts hold.
func splitArrays(r *http.Request) {
	if surfaceOf(r.URL.Path) != "v2" || r.URL.RawQuery == "" {
		return
	}
	q := r.URL.Query()
	changed := false
	for _, name := range arrays {
		if name == "search_key" && strings.HasSuffix(r.URL.Path, "/cases/export") {
			continue // one text there, commas and all
		}
		var items []string
		for _, v := range q[name] {
			items = append(items, strings.Split(v, ",")...)
		}
		if len(items) > len(q[name]) {
			q[name] = items
			changed = true
		}
	}
	if changed {
		r.URL.RawQuery = q.Encode()
	}
}

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}
