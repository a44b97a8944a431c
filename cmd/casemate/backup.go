package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"casemate/internal/archive"
	"casemate/internal/event"
	"casemate/internal/server"
)

type backupCmd struct {
	storeFlags
	To             string   `help:"File to write, or s3://BUCKET/PREFIX/NAME[?endpoint=URL]; it must not exist. A folder, or s3://BUCKET/PREFIX/ with / at the end: the name is made from the time." required:"" placeholder:"FILE"`
	KeysOnly       bool     `help:"Back up the keys instead: without them a backup opens nothing sealed, so keep the two apart. Make it after that of the data." name:"keys-only"`
	Recipient      []string `help:"Encrypt for this public key (age1..., casemate backup-key makes one); repeatable: each can open it." placeholder:"AGE1"`
	RecipientsFile []string `help:"Encrypt for all public keys in this file, one a line; repeatable." name:"recipients-file" placeholder:"FILE"`
	Keep           int      `help:"Afterwards remove all but the newest so many of those named from the time and of the same kind (data or keys, encrypted or not), and what killed backups left; 0 = none."`
	Apart          bool     `help:"Leave attachments out: they stay in the object store that --blobs names." name:"without-attachments"`
	Scratch        string   `help:"Folder for the copy of the database on the way. Default: the data folder." type:"path" placeholder:"DIR"`
}

// Help is what kong shows below the usage.
func (backupCmd) Help() string {
	return `Of both databases, while servers run. Without a recipient the archive is not encrypted: passwords, keys and contacts are sealed in it as in the
database, texts of tickets, names of files and attachments are not. Names carry no installation: one folder or prefix for each. Back up the keys after the data: keys that are older do not open what a person had
sealed who came in between.

  casemate backup-key --to backup.identity > recipients.txt      # once, on another machine; only recipients.txt goes to the server
  casemate backup --data DIR --recipients-file recipients.txt --to /backup/data/ --keep 7
  casemate backup --data DIR --recipients-file recipients.txt --to /backup/keys/ --keep 7 --keys-only
  casemate backup --data DIR --recipients-file recipients.txt --to 's3://backups/casemate/?endpoint=https://s3.example.com'`
}

// Run makes a backup; servers may be running.
func (c backupCmd) Run(ctx context.Context, o *output) error {
	recipients, err := archive.Recipients(c.Recipient, c.RecipientsFile)
	if err != nil {
		return err
	}
	bar := newProgress(o)
	out, err := server.Backup{From: c.options(logger(o.err, "warn", false)), To: c.To, Keys: c.KeysOnly, Recipients: recipients, Apart: c.Apart,
		Scratch: c.Scratch, Keep: c.Keep, Each: bar.show}.Run(ctx)
	bar.end()
	if out.Place == "" {
		return err
	}
	defer o.warn(out.Pruned)
	sealed := o.say("未加密", "not encrypted")
	if n := len(recipients); n > 0 {
		sealed = o.say(fmt.Sprintf("已加密，接收方 %d 个", n), fmt.Sprintf("encrypted for %d", n))
	}
	fmt.Fprintf(o.out, "%s%s (%s, %s)\n", o.say("已备份到 ", "backed up to "), out.Place, size(out.Size), sealed)
	for _, r := range out.Removed {
		fmt.Fprintln(o.out, o.say("已删除 ", "removed ")+r)
	}
	return err
}

// warn tells of backups whose names are of a time yet to come, and of what could
// not be removed that killed ones left.
func (o *output) warn(p server.Pruned) {
	if p.Unswept != nil {
		fmt.Fprintln(o.err, o.say("警告：未能清除被中断的备份的残留：", "warning: what killed backups left could not be removed: ")+describe(p.Unswept, o.lang))
	}
	for _, p := range p.Ahead {
		fmt.Fprintln(o.err, o.say("警告：名称中的时间晚于现在，不作为最新的一份，也不删除，请核对时钟：", "warning: named by a time yet to come, so not counted as the newest and not removed; look at the clocks: ")+p)
	}
}

type backupKeyCmd struct {
	To string `help:"File for the private key (0600); it must not exist. Who has it reads the backups, without it nobody does." required:"" type:"path" placeholder:"FILE"`
}

// Help is what kong shows below the usage.
func (backupKeyCmd) Help() string {
	return `The public key is printed: give it to casemate backup by --recipient, or in a file by --recipients-file. Make the pair where the server is not, and keep two
copies of FILE apart from the backups. It is a key of age (age-encryption.org): age and age-keygen read and make them, too.`
}

// Run makes a key pair and prints the public key alone.
func (c backupKeyCmd) Run(o *output) error {
	recipient, err := archive.NewKey(c.To, time.Now())
	if err != nil {
		return err
	}
	fmt.Fprintln(o.out, recipient)
	return nil
}

type backupsCmd struct {
	At   string `help:"Folder, or s3://BUCKET/PREFIX/[?endpoint=URL]." required:"" placeholder:"DIR|URL"`
	Keep int    `help:"Remove all but the newest so many of each kind (data or keys, encrypted or not), and what killed backups left; 0 = none."`
}

// Run lists the backups named from the time.
func (c backupsCmd) Run(ctx context.Context, o *output) error {
	if c.Keep < 0 {
		return server.ErrKeep
	}
	kept, pruned, err := server.Backups(ctx, c.At, c.Keep, time.Now())
	for _, r := range pruned.Removed {
		fmt.Fprintln(o.out, o.say("已删除 ", "removed ")+r)
	}
	defer o.warn(pruned)
	if err != nil {
		return err
	}
	if len(kept) == 0 {
		o.beside(c.At+" 中没有备份；casemate backup --data DIR --to "+c.place()+" 制作一份", "there is no backup in "+c.At+"; casemate backup --data DIR --to "+c.place()+" makes one")
	}
	for _, k := range kept {
		kind, sealed := o.say("数据", "data"), o.say("未加密", "not encrypted")
		if k.Keys {
			kind = o.say("密钥", "keys")
		}
		if k.Sealed {
			sealed = o.say("已加密", "encrypted")
		}
		fmt.Fprintf(o.out, "%s  %-4s  %9s  %s  %s\n", o.when(k.Made), kind, size(k.Size), sealed, k.Place)
	}
	return nil
}

// place is where to back up to, as --to takes a folder: by a / at the end.
func (c backupsCmd) place() string {
	path, rest, asked := strings.Cut(c.At, "?")
	if path = strings.TrimRight(path, "/") + "/"; asked {
		path += "?" + rest
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

type restoreCmd struct {
	storeFlags
	From     string   `help:"Backup of the data: a file, or s3://BUCKET/PREFIX/NAME[?endpoint=URL]. A folder, or s3://BUCKET/PREFIX/: the newest in it." required:"" placeholder:"FILE"`
	KeysFrom string   `help:"Backup of the keys, named likewise. With --verify it may be missing: then what needs keys is not checked." placeholder:"FILE" name:"keys-from"`
	Identity []string `help:"File with the private key that opens encrypted backups; repeatable." placeholder:"FILE"`
	Verify   bool     `help:"Restore into a scratch folder, check everything, remove it again."`
	Scratch  string   `help:"With --verify: where the scratch folder is made, which holds everything in clear. Default: the system's folder for temporary files." type:"path" placeholder:"DIR"`
}

// Help is what kong shows below the usage.
func (restoreCmd) Help() string {
	return `Any backup goes into either database, whichever it was made of. Folders must not exist, a PostgreSQL database must be empty. Everything is unpacked
and checked beside its place first: what is cut off, changed or for another key puts nothing in place.

  casemate restore --verify --from /backup/data/ --keys-from /backup/keys/ --identity backup.identity
  casemate restore --from data.tar.age --keys-from keys.tar.age --identity backup.identity --data NEWDIR [--database postgres://...] [--blobs s3://BUCKET]`
}

// Run restores into folders that must not exist, or verifies.
func (c restoreCmd) Run(ctx context.Context, o *output) error {
	opts := c.options(logger(o.err, "warn", false))
	ids, err := archive.Identities(c.Identity)
	if err != nil {
		return err
	}
	bar := newProgress(o)
	out, err := server.Restore{To: opts, From: c.From, KeysFrom: c.KeysFrom, Identities: ids, Verify: c.Verify, Scratch: c.Scratch, Each: bar.show}.Run(ctx)
	bar.end()
	o.warn(server.Pruned{Ahead: out.Ahead})
	if err != nil && len(out.Events.Broken) > 0 {
		says := chainSays(out.Events)
		if c.Verify {
			return says
		}
		return problem{says.zh + "；恢复的数据留在 " + opts.Data, err.Error()}
	}
	if err != nil {
		return err
	}
	if c.Verify {
		fmt.Fprintln(o.out, o.say("可以恢复：", "restored and checked: ")+describe(o.restoredSays(out), o.lang))
		return nil
	}
	fmt.Fprintln(o.out, o.say("已恢复到 "+opts.Data+"，核对无误：", "restored to "+opts.Data+" and checked: ")+describe(o.restoredSays(out), o.lang))
	args := []string{"casemate serve --data " + opts.Data}
	if opts.Keys != "" {
		args = append(args, "--keys "+opts.Keys)
	}
	if opts.Database != "" {
		args = append(args, "--database postgres://...") // the address may hold a password
	}
	if opts.Blobs != "" {
		args = append(args, "--blobs '"+opts.Blobs+"'")
	}
	fmt.Fprintln(o.out, o.say("现在可启动：", "now start: ")+strings.Join(args, " "))
	return nil
}

// restoredSays tells what was found in a backup.
func (o *output) restoredSays(r server.Restored) problem {
	zh := fmt.Sprintf("%s（%s）：%d 张表 %d 行，附件 %d 个", filepath.Base(r.Data), o.when(r.Made), r.Tables, r.Rows, r.Blobs)
	en := fmt.Sprintf("%s of %s: %d rows in %d tables, %d attachments", filepath.Base(r.Data), o.when(r.Made), r.Rows, r.Tables, r.Blobs)
	if r.Apart {
		zh, en = zh+"（不在备份中）", en+" (not in the backup)"
	}
	if r.Keys == "" {
		return problem{zh + "；未给出密钥，未核对密封内容与事件链", en + "; without keys, so what is sealed and the event chain were not checked"}
	}
	chain := unanchored(r.Events)
	return problem{zh + "；" + chain.zh, en + "; " + chain.en}
}

// unanchored is what a check of the chain found of what came out of a backup, which
// has neither anchors nor checkpoints: those made after the copy of the data would
// show its end as cut off.
func unanchored(r event.Report) problem {
	if !r.OK() {
		return chainSays(r)
	}
	return problem{fmt.Sprintf("共 %d 条事件，链完整，至第 %d 条（%d 条尚未封存；锚点与检查点不在备份中，未比对）", r.Events, r.Last, r.Unsealed),
		fmt.Sprintf("%d events, the chain holds up to number %d (%d events not sealed yet; anchors and checkpoints are not in backups and were not compared)", r.Events, r.Last, r.Unsealed)}
}
