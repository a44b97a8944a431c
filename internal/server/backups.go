package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"casemate/internal/db"
	"casemate/internal/desk"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/principal"
)

// maxBackups is how many backups of the desk's button the folder may hold (our own
// choice): who presses it daily shall not fill the disk unseen. Nothing is removed by
// itself, for the oldest may be the one that is needed.
const maxBackups = 20

// Names of backups made from the desk, and what a name ends with while one is written.
const (
	backupName   = "casemate-20060102T150405.000Z"
	backupSuffix = ".tar"
	backupPart   = ".part"
)

var (
	errBackupRuns  = fault.New(fault.Conflict, fault.CodeNoPermission, "正在备份，请等待完成", "a backup is being made: please wait until it is there")
	errBackupsFull = fault.New(fault.Conflict, fault.CodeNoPermission, "备份文件夹 {dir} 中已有 {n} 个备份，请先在服务器上移走旧的备份", "the folder {dir} holds {n} backups: please move old ones away on the server first")
)

// backups are those made from the desk: files in one folder of the server, which
// never leave through a browser. They are what Backup writes; without the backup of
// the keys they open nothing sealed.
type backups struct {
	mu      sync.Mutex
	running string // name of the one that is made, "" = none
	began   time.Time
	failed  map[string]string // why, by name; until the next begins
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

func (o Options) backupsDir() string {
	if o.Backups != "" {
		return o.Backups
	}
	return filepath.Join(o.Data, "backups")
}

// startBackup begins an online backup of the embedded store and answers before it is
// made: one at a time. Administrators only. It fails with errForeignStore on
// PostgreSQL, errBackupRuns, and errBackupsFull.
func (s *Server) startBackup(ctx context.Context, who principal.Principal) (desk.Backup, error) {
	switch {
	case !who.Admin():
		return desk.Backup{}, fault.NoPermission
	case s.o.Database != "":
		return desk.Backup{}, errForeignStore
	}
	b, dir := &s.backups, s.o.backupsDir()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running != "" {
		return desk.Backup{}, errBackupRuns
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return desk.Backup{}, fmt.Errorf("the folder of backups: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return desk.Backup{}, err
	}
	whole := 0
	for _, f := range files {
		switch name := f.Name(); {
		case strings.HasPrefix(name, ".backup-") || strings.HasSuffix(name, backupSuffix+backupPart): // of one that was cut off
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return desk.Backup{}, err
			}
		case strings.HasSuffix(name, backupSuffix):
			whole++
		}
	}
	if whole >= maxBackups {
		return desk.Backup{}, errBackupsFull.With("dir", dir).With("n", whole)
	}
	began := s.o.now()
	name := began.Format(backupName) + backupSuffix
	if err := s.tellBackup(ctx, who, name, "begin", 0); err != nil {
		return desk.Backup{}, err
	}
	b.running, b.began, b.failed = name, began, map[string]string{}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	b.ended.Go(func() {
		defer stop()
		s.makeBackup(work, who, filepath.Join(dir, name))
	})
	return desk.Backup{Name: name, State: desk.BackupRunning, Began: began.UnixMilli()}, nil
}

func (s *Server) makeBackup(ctx context.Context, who principal.Principal, path string) {
	name := filepath.Base(path)
	err := Backup(ctx, s.o, path+backupPart)
	if err == nil {
		err = os.Rename(path+backupPart, path)
	}
	step, size := "done", int64(0)
	if info, e := os.Stat(path); err == nil && e == nil {
		size = info.Size()
	}
	if err != nil {
		step = "failed"
		s.o.Log.ErrorContext(ctx, "the backup was not made", "name", name, "error", err)
	}
	settled, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if e := s.tellBackup(settled, who, name, step, size); e != nil {
		s.o.Log.ErrorContext(ctx, "recording a backup", "name", name, "error", e)
	}
	b := &s.backups
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running = ""; err != nil {
		b.failed[name] = err.Error()
	}
}

func (s *Server) tellBackup(ctx context.Context, who principal.Principal, name, step string, size int64) error {
	return s.db.Update(db.WithoutRequestKey(ctx), func(tx *db.Tx) error {
		event.Record(tx, who, event.Event{Kind: "backup.make", Subject: "backup", SubjectID: name, LogCode: event.NoLog, Data: map[string]any{"name": name, "step": step, "bytes": size}})
		return nil
	})
}

// stopBackup ends a backup under way; its unfinished file goes.
func (s *Server) stopBackup() {
	s.backups.mu.Lock()
	if s.backups.stop != nil {
		s.backups.stop()
	}
	s.backups.mu.Unlock()
	s.backups.ended.Wait()
}

// listBackups lists the backups in the folder, newest first: those that are there,
// the one that is made with what is written of it, those that failed or were cut off.
func (s *Server) listBackups(who principal.Principal) (all desk.Backups, err error) {
	if !who.Admin() && !who.Audits() {
		return all, fault.NoPermission
	}
	all.Dir, all.Possible = s.o.backupsDir(), s.o.Database == ""
	if !all.Possible {
		all.Dir = ""
		return all, nil
	}
	b := &s.backups
	b.mu.Lock()
	defer b.mu.Unlock()
	files, err := os.ReadDir(all.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return all, err
	}
	var copied int64
	seen := map[string]bool{}
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just got its name
		}
		if err != nil {
			return all, err
		}
		name, cut := strings.CutSuffix(f.Name(), backupPart)
		began, err := time.Parse(backupName+backupSuffix, name)
		switch {
		case f.IsDir() && strings.HasPrefix(name, ".backup-"):
			if db, err := os.Stat(filepath.Join(all.Dir, name, "casemate.db")); err == nil {
				copied = db.Size()
			}
			continue
		case err != nil || f.IsDir():
			continue // of somebody else
		}
		one := desk.Backup{Name: name, State: desk.BackupDone, Began: began.UnixMilli(), Ended: info.ModTime().UnixMilli(), Bytes: info.Size()}
		if cut {
			one.State, one.Ended = desk.BackupFailed, 0
			if name == b.running {
				one.State = desk.BackupRunning
			}
		}
		seen[name] = true
		all.Items = append(all.Items, one)
	}
	if b.running != "" && !seen[b.running] { // the database is being copied
		all.Items = append(all.Items, desk.Backup{Name: b.running, State: desk.BackupRunning, Began: b.began.UnixMilli(), Bytes: copied})
	}
	for name, why := range b.failed {
		at := slices.IndexFunc(all.Items, func(x desk.Backup) bool { return x.Name == name })
		if at < 0 {
			all.Items, at = append(all.Items, desk.Backup{Name: name, Began: b.began.UnixMilli()}), len(all.Items)
		}
		all.Items[at].State, all.Items[at].Failure = desk.BackupFailed, why
	}
	slices.SortFunc(all.Items, func(a, c desk.Backup) int { return strings.Compare(c.Name, a.Name) })
	return all, nil
}
