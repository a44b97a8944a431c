package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"casemate/internal/db"
	"casemate/internal/db/dbtest"
	"casemate/internal/desk"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// TestBackupsOfTheDesk: the button's backup is one that restores; one is made at a
// time; one that fails, or that the server's end stops, is shown as such in both
// languages and leaves no file; the folder has an end; each leaves events. On
// PostgreSQL it is refused in words.
func TestBackupsOfTheDesk(t *testing.T) {
	t.Parallel()
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			o := Options{Data: filepath.Join(dir, "d"), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)}
			if database == "postgres" {
				o.Database = dbtest.ServerDatabase(t)
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
			// held lets the next backup begin and stops it before it writes, until let is called.
			held := func() (begun <-chan struct{}, let func()) {
				var asked atomic.Int32
				hold, there := make(chan struct{}), make(chan struct{})
				s.o.Now = func() time.Time {
					if asked.Add(1) == 2 { // first for its name, then for its manifest
						close(there)
						<-hold
					}
					return time.Now()
				}
				return there, func() { close(hold) }
			}
			_, let := held()
			short, cancel := context.WithCancel(ctx)
			made, err := s.startBackup(short, admin)
			cancel() // the request is over; the backup is not
			if err != nil || made.State != desk.BackupRunning {
				t.Fatalf("%+v, %v", made, err)
			}
			if _, err := s.startBackup(ctx, admin); !errors.Is(err, errBackupRuns) {
				t.Errorf("a second one: %v", err)
			}
			if now := list(); len(now) != 1 || now[0].State != desk.BackupRunning {
				t.Errorf("while it is made: %+v", now)
			}
			let()
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
			broke := func(what, zh, en string) {
				t.Helper()
				for lang, want := range map[locale.Language]string{locale.ZH: zh, locale.EN: en} {
					all, err := s.madeBackups(locale.With(ctx, locale.Locale{Language: lang}), admin)
					if err != nil || len(all.Items) == 0 || all.Items[0].State != desk.BackupFailed || all.Items[0].Failure != want {
						t.Errorf("%s: %+v, %v", what, all.Items, err)
					}
				}
			}
			_, let = held()
			if _, err := s.startBackup(ctx, admin); err != nil {
				t.Fatal(err)
			}
			s.backups.mu.Lock()
			stop := s.backups.stop
			s.backups.stop = func() { stop(); let() }
			s.backups.mu.Unlock()
			s.stopBackup()
			broke("the server ends", "备份被中止：服务器已停止", "the backup was stopped: the server ended")
			if files, err := os.ReadDir(filepath.Join(o.Data, "backups")); err != nil || len(files) != 1 {
				t.Errorf("after one that was stopped: %v, %v", files, err)
			}
			begun, let := held()
			if _, err := s.startBackup(ctx, admin); err != nil {
				t.Fatal(err)
			}
			<-begun
			place := filepath.Join(o.Data, "backups")
			if err := os.Rename(place, place+".away"); err != nil { // a disk that is gone
				t.Fatal(err)
			}
			let()
			s.backups.ended.Wait()
			broke("the place is gone", "文件或目录不存在："+place, "no such file or folder: "+place)
			if err := errors.Join(os.RemoveAll(place), os.Rename(place+".away", place)); err != nil {
				t.Fatal(err)
			}
			steps := map[string]int{}
			if err := s.db.View(ctx, func(tx *db.Tx) error {
				return tx.List(func(r db.Row) error {
					var kind string
					err := r.Scan(&kind)
					steps[kind]++
					return err
				}, "SELECT kind FROM events WHERE domain_id = ? AND kind LIKE 'backup.%'", principal.House)
			}); err != nil || steps["backup.begin"] != 3 || steps["backup.make"] != 1 || steps["backup.fail"] != 2 {
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
