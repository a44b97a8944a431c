package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"casemate/internal/api"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
	"casemate/internal/wire"
)

// TestDecode: what the generated decoders refuse, through the real router; the
// limits are those of the contract (api/v2.yaml).
func TestDecode(t *testing.T) {
	h, err := api.New(api.Nouns{}, api.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	cases := "/v2/servicerequest/cases"
	good := `"business_type_id":"b","source_id":"83aeb0f2834c4df49826c781d32a963e"`
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		code, field              string
	}{
		// The decoder lets it pass; the noun's first rule is the source.
		{"at the maximum", "POST", cases, `{"business_type_id":"b","source_id":"other","simple_description":"` + strings.Repeat("云", 1200) + `"}`, 400, "OSM.01010001", "source_id"},
		{"one over", "POST", cases, `{` + good + `,"simple_description":"` + strings.Repeat("云", 1201) + `"}`, 400, "OSM.01010001", "simple_description"},
		{"missing", "POST", cases, `{` + good + `}`, 400, "OSM.01010001", "simple_description"},
		{"wrong type", "POST", cases, `{` + good + `,"simple_description":7}`, 400, "OSM.0001", "simple_description"},
		{"null", "POST", cases, `{` + good + `,"simple_description":null}`, 400, "OSM.0001", "simple_description"},
		{"not JSON", "POST", cases, `{`, 400, "OSM.0001", ""},
		{"no object", "POST", cases, `[]`, 400, "OSM.0001", "body"},
		{"no body", "POST", cases, ``, 400, "OSM.01010001", "body"},
		{"number over", "GET", cases + "?limit=101", "", 400, "OSM.01010001", "limit"},
		{"no number", "GET", cases + "?limit=x", "", 400, "OSM.0001", "limit"},
		{"too many items", "GET", cases + "?search_key=a&search_key=b&search_key=c&search_key=d", "", 400, "OSM.01010001", "search_key"},
		{"unknown path", "GET", "/v2/servicerequest/nothing", "", 404, "APIGW.0101", ""},
		{"unknown method", "PATCH", cases, "", 404, "APIGW.0101", ""},
	} {
		r := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Auth-Token", "verified before")
		ctx := principal.With(r.Context(), principal.Principal{Kind: principal.Customer, Domain: "d", User: "u"})
		ctx = locale.With(ctx, locale.Locale{Language: locale.EN, Zone: time.UTC})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.WithContext(ctx))
		body := w.Body.String()
		if w.Code != tt.status || !strings.Contains(body, `"error_code":"`+tt.code+`"`) || !strings.Contains(body, tt.field) || strings.Contains(body, `"error_msg":""`) {
			t.Errorf("%s: %d %s", tt.name, w.Code, body)
		}
	}
}

// TestStatus holds the table of semantics.md D1 in both modes.
func TestStatus(t *testing.T) {
	table := map[int][]int{
		400: {1, 3, 6, 8, 10, 12, 13, 16, 30, 31, 47}, 403: {2, 7, 9, 11}, 404: {15, 32, 57, 62},
		409: {48, 49, 50, 51, 55, 56, 58, 59, 61}, 429: {4, 5, 23, 24}, 500: {14, 26, 29, 60},
	}
	for status, codes := range table {
		for _, c := range codes {
			f := fault.New(fault.Invalid, "OSM.010100"+string(rune('0'+c/10))+string(rune('0'+c%10)), "文", "text")
			if got := wire.Status(f, false); got != status {
				t.Errorf("%s: %d, want %d", f.Code, got, status)
			}
			if got := wire.Status(f, true); got != http.StatusOK {
				t.Errorf("%s documented: %d", f.Code, got)
			}
		}
	}
	if got := wire.RetryAfter(fault.Busy, 503); got != "1" {
		t.Errorf("Retry-After %q", got)
	}
	if got := wire.RetryAfter(wire.ErrThrottled.After(1500*time.Millisecond), 429); got != "2" {
		t.Errorf("Retry-After %q", got)
	}
}

// TestGone: what fails because the caller went away is no fault of the server's,
// in the answer or the log; a real one stays one.
func TestGone(t *testing.T) {
	left, leave := context.WithCancel(t.Context())
	leave()
	for _, tt := range []struct {
		ctx    context.Context
		err    error
		status int
		logged bool
	}{
		{left, fmt.Errorf("read: %w", context.Canceled), 499, false},
		{left, fault.Broken.Because(context.Canceled), 499, false},
		{left, fault.NoPermission, 403, false},
		{t.Context(), errors.New("broken"), 500, true},
	} {
		var log strings.Builder
		f := wire.Fault(tt.ctx, slog.New(slog.NewTextHandler(&log, nil)), tt.err)
		if n := wire.Status(f, false); n != tt.status || (log.Len() > 0) != tt.logged {
			t.Errorf("%v: %d, log %q", tt.err, n, log.String())
		}
	}
}
