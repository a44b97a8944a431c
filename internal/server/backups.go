package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"casemate/internal/archive"
	"casemate/internal/blob"
	"casemate/internal/db"
	"casemate/internal/desk"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/locale"
	"casemate/internal/principal"
)

// maxBackups is how many backups of the data the place of the desk's button may hold
// (our own choice): who presses it daily shall not fill the disk unseen. Nothing is
// removed by itself, for the oldest may be the one that is needed.
const maxBackups = 20

var (
	errForeignStore = fault.New(fault.Conflict, fault.CodeInvalid, "数据在 PostgreSQL 中：请用 casemate backup 或 PostgreSQL 自带的工具备份", "the data are in PostgreSQL: back them up by casemate backup or by PostgreSQL's own tools")
	errBackupRuns   = fault.New(fault.Conflict, fault.CodeNoPermission, "正在备份，请等待完成", "a backup is being made: please wait until it is there")
	errBackupsFull  = fault.New(fault.Conflict, fault.CodeNoPermission, "{dir} 中已有 {n} 个备份，请先移走旧的备份", "{dir} holds {n} backups: please move old ones away first")
)

// backups are those made from the desk. They are what Backup makes, at one place of
// the operator's, and never leave through a browser; without the backup of the keys
// they open nothing sealed.
type backups struct {
	mu      sync.Mutex
	running desk.Backup // Name "" = none
	failed  desk.Backup // the last one, where it failed; until the next begins
	failure error       // why
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

// backupsAt is where backups from the desk go: a folder, or s3://BUCKET/PREFIX/.
func (o Options) backupsAt() string {
	if o.Backups != "" {
		return o.Backups
	}
	return filepath.Join(o.Data, "backups")
}

// openBackups opens that place; a folder is made where it is missing.
func (o Options) openBackups(ctx context.Context) (blob.Shelf, error) {
	at := o.backupsAt()
	if !strings.HasPrefix(at, "s3://") {
		if err := os.MkdirAll(at, 0o700); err != nil {
			return nil, err
		}
	}
	shelf, name, err := blob.OpenShelf(ctx, at)
	if err == nil && name != "" {
		_ = shelf.Close()
		return nil, errNoFolder.With("place", at)
	}
	return shelf, err
}

// startBackup begins an online backup of the embedded store and answers before it is
// made: one at a time. Administrators only. It fails with errForeignStore on
// PostgreSQL, whose nodes do not know of each other's backups, errBackupRuns, and
// errBackupsFull.
func (s *Server) startBackup(ctx context.Context, who principal.Principal) (desk.Backup, error) {
	switch {
	case !who.Admin():
		return desk.Backup{}, fault.NoPermission
	case s.o.Database != "":
		return desk.Backup{}, errForeignStore
	}
	recipients, err := archive.Recipients(nil, s.o.BackupRecipients)
	if err != nil {
		return desk.Backup{}, err
	}
	shelf, err := s.o.openBackups(ctx)
	if err != nil {
		return desk.Backup{}, inWords(err)
	}
	defer shelf.Close()
	there, err := listBackups(ctx, shelf)
	if err != nil {
		return desk.Backup{}, err
	}
	if n := len(slices.DeleteFunc(there, func(k Kept) bool { return k.Keys })); n >= maxBackups {
		return desk.Backup{}, errBackupsFull.With("dir", shelf.Place("")).With("n", n)
	}
	b := &s.backups
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.running.Name != "" {
		return desk.Backup{}, errBackupRuns
	}
	began := s.o.now()
	name := backupName(false, len(recipients) > 0, began)
	for at := began; slices.ContainsFunc(there, func(k Kept) bool { return k.Name == name }); { // two within a second
		at = at.Add(time.Second)
		name = backupName(false, len(recipients) > 0, at)
	}
	if err := s.tellBackup(ctx, who, event.Event{Kind: "backup.begin", Subject: "backup", SubjectID: name}, 0); err != nil {
		return desk.Backup{}, err
	}
	b.running, b.failed = desk.Backup{Name: name, State: desk.BackupRunning, Began: began.UnixMilli()}, desk.Backup{}
	b.failure = nil
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	b.stop = stop
	to := s.o.backupsAt()
	if !strings.HasPrefix(to, "s3://") {
		to = strings.TrimSuffix(to, "/") + "/" // a folder that is gone must not become a file
	}
	making := Backup{From: s.o, To: to, Name: name, Recipients: recipients, Each: s.backs}
	b.ended.Go(func() {
		defer stop()
		s.makeBackup(work, who, name, making)
	})
	return b.running, nil
}

// backs notes how far the one under way is.
func (s *Server) backs(p MoveProgress) {
	if p.What != Bytes {
		return
	}
	s.backups.mu.Lock()
	defer s.backups.mu.Unlock()
	s.backups.running.Bytes = p.Done << 20
}

func (s *Server) makeBackup(ctx context.Context, who principal.Principal, name string, making Backup) {
	out, err := making.Run(ctx)
	if err != nil && ctx.Err() != nil { // whatever the store called it
		err = errors.Join(ctx.Err(), err)
	}
	ended := event.Event{Kind: "backup.make", Subject: "backup", SubjectID: name}
	if err != nil {
		ended = event.Event{Kind: "backup.fail", Subject: "backup", SubjectID: name}
		s.o.Log.ErrorContext(ctx, "the backup was not made", "name", name, "error", err)
	}
	settled, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if e := s.tellBackup(settled, who, ended, out.Size); e != nil {
		s.o.Log.ErrorContext(ctx, "recording a backup", "name", name, "error", e)
	}
	b := &s.backups
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.failed = b.running
		b.failed.State, b.failed.Ended, b.failure = desk.BackupFailed, s.o.now().UnixMilli(), err
	}
	b.running = desk.Backup{}
}

func (s *Server) tellBackup(ctx context.Context, who principal.Principal, e event.Event, size int64) error {
	e.LogCode, e.Data = event.NoLog, map[string]any{"name": e.SubjectID, "bytes": size}
	return s.db.Update(db.WithoutRequestKey(ctx), func(tx *db.Tx) error {
		event.Record(tx, who, e)
		return nil
	})
}

// failureSays is why a backup failed, in the caller's language; what no fault says is
// for the log alone.
func failureSays(ctx context.Context, err error) string {
	if err == nil {
		return ""
	}
	f, ok := fault.As(err)
	switch {
	case errors.Is(err, context.Canceled):
		f = errStopped
	case !ok:
		f = errNotMade
	}
	return locale.Text(locale.From(ctx).Language, f)
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

// madeBackups lists the backups of the data at that place, newest first: those that
// are there, the one that is made with what is written of it, and the last one where
// it failed.
func (s *Server) madeBackups(ctx context.Context, who principal.Principal) (all desk.Backups, err error) {
	if !who.Admin() && !who.Audits() {
		return all, fault.NoPermission
	}
	if all.Possible = s.o.Database == ""; !all.Possible {
		return all, nil
	}
	all.Encrypted = len(s.o.BackupRecipients) > 0
	shelf, err := s.o.openBackups(ctx)
	if err != nil {
		return all, err
	}
	defer shelf.Close()
	all.Place = shelf.Place("")
	b := &s.backups
	b.mu.Lock()
	running, failed, failure := b.running, b.failed, b.failure
	b.mu.Unlock()
	failed.Failure = failureSays(ctx, failure)
	there, err := listBackups(ctx, shelf)
	if err != nil {
		return all, err
	}
	for _, k := range there {
		if !k.Keys && k.Name != running.Name {
			all.Items = append(all.Items, desk.Backup{Name: k.Name, State: desk.BackupDone, Began: k.Made.UnixMilli(), Bytes: k.Size})
		}
	}
	for _, one := range []desk.Backup{running, failed} {
		if one.Name != "" {
			all.Items = append(all.Items, one)
		}
	}
	slices.SortFunc(all.Items, func(a, c desk.Backup) int { return int(min(max(c.Began-a.Began, -1), 1)) })
	return all, nil
}
