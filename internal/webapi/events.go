package webapi

import (
	"context"
	"net/http"
	"strings"

	"casemate/internal/identity"
	"casemate/internal/live"
	"casemate/internal/principal"
	"casemate/internal/webapi/oas"
	"casemate/internal/wire"
)

type events struct {
	hub      *live.Hub
	identity *identity.Service
}

// StreamEvents streams what happens, until the client goes, the server stops or
// the session is over.
func (h events) StreamEvents(ctx context.Context, p oas.StreamEventsParams) (oas.StreamEventsOK, error) {
	secret := wire.BrowserOf(ctx).Secret
	s, err := h.hub.Open(ctx, principal.From(ctx), p.HeaderLastEventID.Or(p.QueryLastEventID.Or("")), func(ctx context.Context, fresh bool) (principal.Principal, error) {
		return h.identity.Holder(ctx, secret, fresh)
	})
	if err != nil {
		return oas.StreamEventsOK{}, err
	}
	return oas.StreamEventsOK{Data: s}, nil
}

// flushed sends each event at once; proxies are told not to gather them.
func flushed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/web/v1/events" {
			w.Header().Set("X-Accel-Buffering", "no")
			w = &flusher{ResponseWriter: w}
		}
		next.ServeHTTP(w, r)
	})
}

type flusher struct{ http.ResponseWriter }

func (f *flusher) Write(p []byte) (int, error) {
	n, err := f.ResponseWriter.Write(p)
	if err == nil && strings.HasPrefix(f.Header().Get("Content-Type"), "text/event-stream") {
		err = http.NewResponseController(f.ResponseWriter).Flush()
	}
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (f *flusher) Unwrap() http.ResponseWriter { return f.ResponseWriter }
