package queue_test

import (
	"io"
	"log/slog"

	"casemate/internal/event"
)

// seal numbers all events that wait.
func (w *world) seal() {
	w.t.Helper()
	s := event.NewSealer(w.DB, make([]byte, 32), "test", slog.New(slog.NewTextHandler(io.Discard, nil)))
	for {
		n, err := s.SealOnce(w.t.Context())
		w.OK(err)
		if n == 0 {
			return
		}
	}
}
