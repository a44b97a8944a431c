package server

import (
	"log/slog"
	"testing"
)

// TestLevel: what broke is a warning, but a probe of a node that drains is none:
// it comes every second.
func TestLevel(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path   string
		status int
		want   slog.Level
	}{
		{"/v2/servicerequest/cases", 500, slog.LevelWarn},
		{"/v2/servicerequest/cases", 503, slog.LevelWarn},
		{"/v2/servicerequest/cases", 501, slog.LevelDebug},
		{"/v2/servicerequest/cases", 404, slog.LevelDebug},
		{"/readyz", 503, slog.LevelDebug},
		{"/readyz", 200, slog.LevelDebug},
		{"/healthz", 500, slog.LevelDebug},
		{"/readyz/x", 503, slog.LevelWarn},
	} {
		if got := level(tt.path, tt.status); got != tt.want {
			t.Errorf("%s %d is logged at %v", tt.path, tt.status, got)
		}
	}
}
