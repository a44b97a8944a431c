package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"casemate/web"
)

// served is a mux with pages and what stands behind them.
func served(t *testing.T, files fstest.MapFS) http.Handler {
	t.Helper()
	p, err := newPages(files)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	p.mount(mux, nothing)
	for _, api := range []string{"/v2/", "/v3/", "/web/v1/", "/desk/v1/", "/osm/"} {
		mux.HandleFunc(api, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}
	mux.Handle("/", nothing)
	return mux
}

func pageAsked(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var someBuild = fstest.MapFS{
	".gitkeep":             {},
	"console.html":         {Data: []byte("<p>console")},
	"docs.html":            {Data: []byte("<p>docs")},
	"login.html":           {Data: []byte("<p>login")},
	"favicon.svg":          {Data: []byte("<svg/>")},
	"assets/a-1234.js":     {Data: []byte("plain")},
	"assets/a-1234.js.br":  {Data: []byte("brotli")},
	"assets/a-1234.js.gz":  {Data: []byte("gzip")},
	"assets/b-5678.css":    {Data: []byte("b{}")},
	"assets/b-5678.css.gz": {Data: []byte("gzip")},
}

// TestPages: what is answered where, and how long it may be kept.
func TestPages(t *testing.T) {
	h := served(t, someBuild)
	for path, want := range map[string]struct {
		status           int
		body, kind, keep string
	}{
		"/console":                  {200, "<p>console", "text/html; charset=utf-8", "no-cache"},
		"/console/":                 {200, "<p>console", "text/html; charset=utf-8", "no-cache"},
		"/console/tickets/TS1?a=b":  {200, "<p>console", "text/html; charset=utf-8", "no-cache"},
		"/console/x.js":             {200, "<p>console", "text/html; charset=utf-8", "no-cache"},
		"/login":                    {200, "<p>login", "text/html; charset=utf-8", "no-cache"},
		"/login/x":                  {404, "", "", ""},
		"/desk/q/mine":              {404, "", "", ""}, // no such page in this build
		"/favicon.svg":              {200, "<svg/>", "image/svg+xml", "no-cache"},
		"/assets/a-1234.js":         {200, "plain", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		"/assets/b-5678.css":        {200, "b{}", "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		"/assets/a-9999.js":         {404, "", "", ""},
		"/assets/":                  {404, "", "", ""},
		"/console.html":             {404, "", "", ""},
		"/.gitkeep":                 {404, "", "", ""},
		"/assets/a-1234.js.br":      {404, "", "", ""},
		"/v2/servicerequest/cases":  {418, "", "", ""},
		"/web/v1/session":           {418, "", "", ""},
		"/desk/v1/tickets":          {418, "", "", ""},
		"/v3/auth/tokens":           {418, "", "", ""},
		"/osm/incidentservice/x":    {418, "", "", ""},
		"/docs":                     {200, "<p>docs", "text/html; charset=utf-8", "no-cache"},
		"/docs/api/v2/ListCases":    {200, "<p>docs", "text/html; charset=utf-8", "no-cache"},
		"/consoles":                 {404, "", "", ""},
		"/assets/../console.html/x": {404, "", "", ""},
	} {
		w := pageAsked(h, "GET", path)
		if w.Code == http.StatusMovedPermanently || w.Code == http.StatusTemporaryRedirect {
			w = pageAsked(h, "GET", w.Header().Get("Location"))
		}
		if w.Code != want.status || w.Code == 200 && (w.Body.String() != want.body || w.Header().Get("Content-Type") != want.kind || w.Header().Get("Cache-Control") != want.keep) {
			t.Errorf("%s: %d %q %q %q", path, w.Code, w.Body, w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"))
		}
		if w.Code == 200 && (!strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'self'") || strings.Contains(w.Header().Get("Content-Security-Policy"), "unsafe")) {
			t.Errorf("%s: policy %q", path, w.Header().Get("Content-Security-Policy"))
		}
	}
	if w := pageAsked(h, "POST", "/console"); w.Code != 404 {
		t.Errorf("POST: %d", w.Code)
	}
	if w := pageAsked(h, "HEAD", "/console"); w.Code != 200 || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "10" {
		t.Errorf("HEAD: %d %q %v", w.Code, w.Body, w.Header())
	}
}

// TestPageEncodings: the best coding the client takes, each with a tag of its own.
func TestPageEncodings(t *testing.T) {
	h := served(t, someBuild)
	for offered, want := range map[string]string{
		"": "", "identity": "", "gzip": "gzip", "gzip, deflate, br": "br", "br;q=0, gzip": "gzip", "BR": "br", "gzip;q=0.5": "gzip", "br;q=0, gzip;q=0": "", "brotli": "",
	} {
		w := pageAsked(h, "GET", "/assets/a-1234.js", "Accept-Encoding", offered)
		body := map[string]string{"": "plain", "gzip": "gzip", "br": "brotli"}[want]
		if w.Header().Get("Content-Encoding") != want || w.Body.String() != body || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: %q %q", offered, w.Header().Get("Content-Encoding"), w.Body)
		}
		tag := w.Header().Get("ETag")
		again := pageAsked(h, "GET", "/assets/a-1234.js", "Accept-Encoding", offered, "If-None-Match", `"x", W/`+tag)
		if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%q again: %d %q", offered, again.Code, again.Body)
		}
		if other := pageAsked(h, "GET", "/assets/a-1234.js", "Accept-Encoding", offered, "If-None-Match", `"x"`); other.Code != 200 {
			t.Errorf("%q with another tag: %d", offered, other.Code)
		}
	}
	if w := pageAsked(h, "GET", "/assets/b-5678.css", "Accept-Encoding", "br"); w.Body.String() != "b{}" {
		t.Errorf("a coding that was not made: %q", w.Body)
	}
}

// TestPagesNotBuilt: a program without pages says so, in both languages, with
// all its APIs as they are.
func TestPagesNotBuilt(t *testing.T) {
	h := served(t, fstest.MapFS{".gitkeep": {}})
	for _, path := range []string{"/console", "/console/tickets", "/login", "/desk"} {
		w := pageAsked(h, "GET", path)
		if w.Code != 200 || !strings.Contains(w.Body.String(), "make build") || !strings.Contains(w.Body.String(), "网页") {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	if w := pageAsked(h, "GET", "/desk/v1/tickets"); w.Code != 418 {
		t.Errorf("the API: %d", w.Code)
	}
	if _, err := newPages(web.Dist()); err != nil {
		t.Error(err)
	}
}

// TestFront: a browser at the bare address comes to the console, a client of
// the identity API to its versions.
func TestFront(t *testing.T) {
	h := front(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMultipleChoices) }))
	if w := pageAsked(h, "GET", "/", "Accept", "text/html,application/xhtml+xml;q=0.9"); w.Code != http.StatusFound || w.Header().Get("Location") != "/console" {
		t.Errorf("browser: %d %q", w.Code, w.Header().Get("Location"))
	}
	for _, accept := range []string{"", "*/*", "application/json"} {
		if w := pageAsked(h, "GET", "/", "Accept", accept); w.Code != http.StatusMultipleChoices {
			t.Errorf("%q: %d", accept, w.Code)
		}
	}
}
