package server

import (
	"errors"
	"io"
	"net/http"
	"time"

	"casemate/internal/fault"
	"casemate/internal/notify"
	"casemate/internal/wire"
)

// receipts takes what text message gateways tell later. It belongs to no
// contract: each gateway has its own. 204 for all that is signed, known or not;
// 503 when it cannot be kept, so that it is sent again.
func (s *Server) receipts(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	documented := s.o.Config.Errors.Documented()
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Second))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, notify.MaxCallback))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		wire.Write(ctx, w, wire.ErrTooLarge.With("max", tooLarge.Limit), documented)
		return
	}
	if err != nil {
		wire.Write(ctx, w, errSlow, documented)
		return
	}
	err = s.notify.Callback(ctx, r.PathValue("provider"), notify.Callback{Header: r.Header, Query: r.URL.Query(), Body: body})
	switch f, ok := fault.As(err); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case ok:
		wire.Write(ctx, w, f, documented)
	default:
		s.o.Log.WarnContext(ctx, "a receipt could not be kept", "provider", r.PathValue("provider"), "error", err)
		wire.Write(ctx, w, fault.Busy, documented)
	}
}
