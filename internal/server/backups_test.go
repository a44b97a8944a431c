package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/desk"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// TestBackupsOfTheDesk: the button's backup is one that restores; one is made at a
// time; what was cut off is shown as such and goes with the next; the folder has an
// end; each leaves events. On PostgreSQL it is refused in words.
func TestBackupsOfTheDesk(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := Options{Data: filepath.Join(dir, "d"), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
			if database == "postgres" {
				o.Database = dbtest.EmptyDatabase(t)
			}
			s, err := Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			ctx := t.Context()
			role := func(r string) principal.Principal {
				return principal.Principal{Kind: principal.Engineer, Domain: principal.House, User: r, Role: r}
			}
			admin := role(principal.RoleAdministrator)
			for _, r := range []string{principal.RoleSupervisor, principal.RoleAuditor, principal.RoleEngineer} {
				if _, err := s.startBackup(ctx, role(r)); fault.KindOf(err) != fault.Forbidden {
					t.Errorf("%s begins one: %v", r, err)
				}
			}
			if database == "postgres" {
				if _, err := s.startBackup(ctx, admin); !errors.Is(err, errForeignStore) {
					t.Errorf("on PostgreSQL: %v", err)
				}
				if all, err := s.madeBackups(ctx, admin); err != nil || all.Possible || all.Place != "" || len(all.Items) > 0 {
					t.Errorf("on PostgreSQL: %+v, %v", all, err)
				}
				return
			}
			list := func() []desk.Backup {
				t.Helper()
				all, err := s.madeBackups(ctx, role(principal.RoleAuditor))
				if err != nil || !all.Possible || all.Place != filepath.Join(o.Data, "backups") {
					t.Fatalf("%+v, %v", all, err)
				}
				return all.Items
			}
			if len(list()) != 0 {
				t.Error("there are backups before the first")
			}
			short, cancel := context.WithCancel(ctx)
			made, err := s.startBackup(short, admin)
			cancel() // the request is over; the backup is not
			if err != nil || made.State != desk.BackupRunning {
				t.Fatalf("%+v, %v", made, err)
			}
			if _, err := s.startBackup(ctx, admin); err != nil && !errors.Is(err, errBackupRuns) {
				t.Errorf("a second one: %v", err)
			}
			s.backups.ended.Wait()
			got := list()
			if len(got) == 0 || got[len(got)-1].Name != made.Name || got[len(got)-1].State != desk.BackupDone || got[len(got)-1].Bytes < 1000 {
				t.Fatalf("%+v", got)
			}
			if info, err := os.Stat(filepath.Join(o.Data, "backups", made.Name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file: %v, %v", info, err)
			}
			keys := filepath.Join(dir, "keys.tar")
			if _, err := (Backup{From: o, To: keys, Keys: true}).Run(ctx); err != nil {
				t.Fatal(err)
			}
			back := Options{Data: filepath.Join(dir, "back"), Log: o.Log}
			if report, err := (Restore{To: back, From: filepath.Join(o.Data, "backups", made.Name), KeysFrom: keys}).Run(ctx); err != nil || !report.Events.OK() {
				t.Errorf("restored: %+v, %v", report, err)
			}
			steps := map[string]int{}
			if err := s.db.View(ctx, func(tx *db.Tx) error {
				return tx.List(func(r db.Row) error {
					var kind string
					err := r.Scan(&kind)
					steps[kind]++
					return err
				}, "SELECT kind FROM events WHERE domain_id = ? AND kind = 'backup.make'", principal.House)
			}); err != nil || steps["backup.make"] < 2 {
				t.Errorf("events: %v, %v", steps, err)
			}
			for i := range maxBackups {
				name := backupName(false, i%2 == 0, time.Unix(int64(i), 0))
				if err := os.WriteFile(filepath.Join(o.Data, "backups", name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err = s.startBackup(ctx, admin)
			if f, ok := fault.As(err); !ok || !errors.Is(err, errBackupsFull) || f.Kind != fault.Conflict {
				t.Errorf("a full folder: %v", fmt.Sprint(err))
			}
		})
	}
}
