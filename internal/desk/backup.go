package desk

import (
	"context"

	"casemate/internal/desk/oas"
	"casemate/internal/principal"
)

// States of a backup.
const (
	BackupRunning = "running"
	BackupDone    = "done"
	BackupFailed  = "failed" // or cut off
)

// Backup is one made from the desk.
type Backup struct {
	Name, State  string
	Began, Ended int64 // milliseconds UTC; Ended 0 = not ended, or unknown
	Bytes        int64 // of the file; of one that is made, what is written so far
	Failure      string
}

// Backups are those at the server's place for them.
type Backups struct {
	Possible  bool   // the store is the embedded one
	Encrypted bool   // new ones are
	Place     string // a folder on the server, or s3://...; "" where none can be made
	Items     []Backup
}

// BackupHost makes backups; only the composition root knows where the store lies.
type BackupHost struct {
	StartBackup func(ctx context.Context, who principal.Principal) (Backup, error)
	ListBackups func(ctx context.Context, who principal.Principal) (Backups, error)
}

type backups struct{ host Host }

func wireBackup(b Backup) oas.Backup {
	out := oas.Backup{Name: b.Name, State: oas.BackupState(b.State), BeganAt: at(b.Began), EndedAt: maybeAt(b.Ended), Bytes: b.Bytes}
	out.Failure = text(b.Failure)
	return out
}

// CreateBackup begins a backup.
func (h backups) CreateBackup(ctx context.Context) (*oas.Backup, error) {
	b, err := h.host.StartBackup(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	out := wireBackup(b)
	return &out, nil
}

// ListBackups lists them.
func (h backups) ListBackups(ctx context.Context) (*oas.BackupList, error) {
	all, err := h.host.ListBackups(ctx, principal.From(ctx))
	if err != nil {
		return nil, err
	}
	out := &oas.BackupList{Possible: all.Possible, Encrypted: all.Encrypted, Folder: text(all.Place), Items: []oas.Backup{}}
	for _, b := range all.Items {
		out.Items = append(out.Items, wireBackup(b))
	}
	return out, nil
}
