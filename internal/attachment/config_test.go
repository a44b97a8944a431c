package attachment_test

import (
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/blob"
	"casemate/internal/config"
	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/seal/sealtest"
)

// TestConfig: each setting at its ends, and what is refused at the start.
func TestConfig(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, db.Options{URL: dbtest.SQLiteURL(t)})
	blobs, err := blob.OpenLocal(filepath.Join(t.TempDir(), "blobs"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blobs.Close() })
	keys := sealtest.Keyring(t)
	for _, tt := range []struct {
		name string
		c    config.Attachment
		ok   bool
	}{
		{"defaults", config.Attachment{}, true},
		{"max_mb 99", config.Attachment{MaxMB: 99}, true},
		{"max_mb 100", config.Attachment{MaxMB: 100}, false},
		{"max_mb -1", config.Attachment{MaxMB: -1}, false},
		{"no daily limit", config.Attachment{DayMB: -1, DomainMB: -1}, true},
		{"day_mb -2", config.Attachment{DayMB: -2}, false},
		{"per_ticket 10", config.Attachment{PerTicket: 10, PerMessage: 10}, true},
		{"per_ticket 11", config.Attachment{PerTicket: 11}, false},
		{"per_message 11", config.Attachment{PerMessage: 11}, false},
		{"other types", config.Attachment{Types: []string{"doc", "rar", "webp"}}, true},
		{"a type no content tells", config.Attachment{Types: []string{"txt", "exe"}}, false},
		{"what browsers run", config.Attachment{Types: []string{"svg"}}, false},
		{"unclaimed 1h", config.Attachment{Unclaimed: time.Hour}, true},
		{"unclaimed 59m", config.Attachment{Unclaimed: 59 * time.Minute}, false},
		{"two scanners", config.Attachment{Scan: config.Scan{Clamd: "127.0.0.1:3310", Command: []string{"clamdscan", "-"}}}, false},
	} {
		_, err := attachment.New(d, keys, blobs, attachment.Options{Config: tt.c, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
