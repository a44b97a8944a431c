package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"casemate/internal/server"
)

type backupCmd struct {
	storeFlags
	To       string `help:"File to write; must not exist." required:"" type:"path" placeholder:"FILE"`
	KeysOnly bool   `help:"Back up the keys instead: without them a backup opens nothing sealed, so keep the two apart." name:"keys-only"`
}

// Run writes a backup; the server may be running.
func (c backupCmd) Run(ctx context.Context, o *output) error {
	run := server.Backup
	if c.KeysOnly {
		run = server.BackupKeys
	}
	if err := run(ctx, c.options(logger(o.err, "warn", false)), c.To); err != nil {
		return err
	}
	fmt.Fprintln(o.out, o.say("已备份到 ", "backed up to ")+c.To)
	return nil
}

type restoreCmd struct {
	storeFlags
	From     string `help:"Backup of the data." required:"" type:"existingfile" placeholder:"FILE"`
	KeysFrom string `help:"Backup of the keys." required:"" type:"existingfile" placeholder:"FILE" name:"keys-from"`
	Verify   bool   `help:"Restore into a scratch folder, check everything, remove it again."`
}

// Run restores into folders that must not exist, or verifies.
func (c restoreCmd) Run(ctx context.Context, o *output) error {
	opts := c.options(logger(o.err, "warn", false))
	if c.Verify {
		dir, err := os.MkdirTemp("", "casemate-restore")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		opts.Data, opts.Keys, opts.Blobs = filepath.Join(dir, "data"), filepath.Join(dir, "keys"), ""
	}
	report, err := server.Restore(ctx, opts, c.From, c.KeysFrom)
	if err != nil && len(report.Broken) > 0 {
		says := chainSays(report)
		return problem{says.zh + "；恢复的数据留在 " + opts.Data, err.Error()}
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(o.out, o.say("可以恢复：", "restored and checked: ")+describe(chainSays(report), o.lang))
	return nil
}
