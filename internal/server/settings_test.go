package server

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"casemate/internal/config"
	"casemate/internal/db/dbtest"
)

// TestSettings: what a node works by, where it comes from, and no password of
// an address; the sizes of the store on both databases.
func TestSettings(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return dbtest.ServerDatabase(t) }} {
		t.Run(name, func(t *testing.T) {
			o := Options{BackupRecipients: []string{"/etc/a", "/etc/b"}, Data: filepath.Join(t.TempDir(), "d"), Database: database(), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler), Config: config.Config{Queue: config.Queue{Capacity: 7}}}
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			got, err := s.storage(t.Context())
			if err != nil || got.Database < 10_000 || got.Files != 0 || got.FileBytes != 0 {
				t.Errorf("storage: %+v, %v", got, err)
			}
			s.o.Database = "postgres://casemate:hunter2@db.example.com/casemate"
			all := map[string]string{}
			for _, v := range s.settings() {
				all[v.Key] = v.Source + " " + v.Value
			}
			for key, want := range map[string]string{
				"--database":          "command postgres://db.example.com/casemate",
				"--backup-recipients": "command /etc/a, /etc/b",
				"--log-level":         "default info",
				"--listen":            "command 127.0.0.1:0",
				"--keys":              "default " + o.Data + ".keys",
				"queue.capacity":      "file 7",
				"drain":               "default 5s",
			} {
				if all[key] != want {
					t.Errorf("%s: %q, want %q", key, all[key], want)
				}
			}
		})
	}
}

// TestShownDatabase: of an address only scheme, hosts, port and database are shown,
// also of those that stand in its parameters, wherever a secret is.
func TestShownDatabase(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"": "",
		"postgres://casemate:hunter2@db.example.com:5433/casemate?sslmode=verify-full":                                                                               "postgres://db.example.com:5433/casemate",
		"postgres://u@a:1,b:2/desk?password=hunter2&passfile=hunter2&sslpassword=hunter2&user=hunter2":                                                               "postgres://a:1,b:2/desk",
		"postgres://u:hunter2@pool:6432/desk?replica=postgres://u:hunter2@copy/desk%3Fpassword=hunter2&listen=postgresql%3A%2F%2Fu%3Ahunter2%40direct%3A5432%2Fdesk": "postgres://pool:6432/desk?listen=postgresql://direct:5432/desk&replica=postgres://copy/desk",
		"postgres://pool/desk?replica=host=copy%20password=hunter2":                                                                                                  "postgres://pool/desk?replica=-",
		"host=db password=hunter2":       "-",
		"postgres:hunter2":               "-",
		"postgres://u:hunter2@[::1/desk": "-",
		"postgres:///desk?host=/run/postgresql&password=hunter2#hunter2": "postgres:///desk",
	} {
		if got := shownDatabase(address); got != want {
			t.Errorf("%s is shown as %q, want %q", address, got, want)
		}
	}
}

// TestSettingsOfDemo: what the demo adds does not stand in the file.
func TestSettingsOfDemo(t *testing.T) {
	t.Parallel()
	o := Options{Demo: true, Config: config.Config{Ticket: config.Ticket{UrgeAfter: time.Hour}, Queue: config.Queue{Capacity: 7}}}
	o.tryable()
	all := map[string]string{}
	for _, v := range (&Server{o: o}).settings() {
		all[v.Key] = v.Source + " " + v.Value
	}
	for key, want := range map[string]string{
		"authorization.approval":            "demo none",
		"authorization.check_hosts.enabled": "demo true",
		"ticket.urge_after":                 "demo -1s",
		"verify.caps.user_hour":             "demo -1",
		"queue.capacity":                    "file 7",
		"drain":                             "default 5s",
	} {
		if all[key] != want {
			t.Errorf("%s: %q, want %q", key, all[key], want)
		}
	}
	for _, v := range o.Config.Settings(o.file) {
		if v.Key == "authorization.check_hosts.enabled" && (v.Value != "true" || v.Given) {
			t.Errorf("%+v", v)
		}
	}
}
