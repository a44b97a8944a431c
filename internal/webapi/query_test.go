package webapi_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"casemate/internal/principal"
	"casemate/internal/webapi"
)

// TestUnknownQuery: a parameter that there is not is refused by its name; an
// identity provider that sends the browser back adds its own (RFC 9207: iss;
// OpenID Connect Session Management: session_state), and they do no harm.
func TestUnknownQuery(t *testing.T) {
	h, err := webapi.New(webapi.Nouns{}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(who principal.Principal, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(principal.With(t.Context(), who), "GET", path, nil)
		r.Header.Set("X-Auth-Token", "verified before")
		h.ServeHTTP(w, r)
		return w
	}
	w := ask(principal.Principal{Kind: principal.Customer, Domain: "d", User: "u"}, "/web/v1/articles?q=a&product=b")
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "product") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = ask(principal.Principal{Kind: principal.Anonymous}, "/web/v1/sign-in/corp/callback?state=a&code=b&iss=https%3A%2F%2Fidp.example&session_state=c&authuser=0")
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/login?error=") {
		t.Errorf("%d %s %s", w.Code, w.Header().Get("Location"), w.Body)
	}
}
