package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"casemate/internal/fault"
	"casemate/internal/server"
)

type migrateCmd struct {
	storeFlags
	To      string `help:"Where the data goes: postgres://..., or a folder for SQLite. Without it only attachments move." placeholder:"URL|DIR"`
	ToBlobs string `help:"Where attachments go: s3://BUCKET[/PREFIX][?endpoint=URL], or files for the data folder. Without it they stay, or follow the data into a folder." name:"to-blobs" placeholder:"URL"`
	ToKeys  string `help:"Folder of the keys, where the data goes to another folder. Default: DIR.keys beside it." name:"to-keys" type:"path" placeholder:"DIR"`
	Finish  bool   `help:"The last pass: no server uses the source any more; what was copied is checked whole."`
}

// Help is what kong shows below the usage.
func (migrateCmd) Help() string {
	return `Passes without --finish copy while the server runs, each what changed since the one before; a pass that was cut off is run again.
Then stop the server, run with --finish (only the rest is copied, and everything is checked), and start it on the target.

  casemate migrate --data DIR --to postgres://... --to-blobs s3://BUCKET
  casemate migrate --data DIR --to postgres://... --to-blobs s3://BUCKET --finish
  casemate serve   --data DIR --database postgres://... --blobs s3://BUCKET

Back again: casemate migrate --data DIR --database postgres://... --blobs s3://BUCKET --to NEWDIR --to-blobs files [--finish]`
}

var (
	errNoTarget = fault.New(fault.Invalid, fault.CodeInvalid, "请给出目标：--to、--to-blobs 或两者",
		"name a target: --to, --to-blobs or both")
	errTarget = fault.New(fault.Invalid, fault.CodeInvalid, "--to 须为 postgres://...，或 SQLite 的文件夹：{to}",
		"--to is postgres://..., or a folder for SQLite: {to}")
	errToKeys = fault.New(fault.Invalid, fault.CodeInvalid, "--to-keys 仅用于 --to 目录：目标为 PostgreSQL 时密钥目录不变，密钥库移入数据库",
		"--to-keys goes with --to DIR: on PostgreSQL the keys folder stays, and the key store moves into the database")
)

// scheme is the begin of an address.
var scheme = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]+:`)

// move is what the flags mean.
func (c migrateCmd) move(o *output) (server.Move, error) {
	from := c.options(logger(o.err, "warn", false))
	to := from
	postgres := strings.HasPrefix(c.To, "postgres://") || strings.HasPrefix(c.To, "postgresql://")
	switch {
	case c.To == "" && c.ToBlobs == "":
		return server.Move{}, errNoTarget
	case !postgres && scheme.MatchString(c.To): // and not a folder of that name; an address may hold a password
		return server.Move{}, errTarget.With("to", scheme.FindString(c.To)+"...")
	case c.ToKeys != "" && (c.To == "" || postgres):
		return server.Move{}, errToKeys
	case postgres:
		to.Database = c.To
	case c.To != "":
		dir, err := filepath.Abs(c.To)
		if err != nil {
			return server.Move{}, err
		}
		to.Database = ""
		if dir != from.Data {
			to.Data, to.Keys = dir, c.ToKeys
		}
	}
	switch c.ToBlobs {
	case "":
	case "files":
		to.Blobs = ""
	default:
		to.Blobs = c.ToBlobs
	}
	return server.Move{From: from, To: to, Finish: c.Finish}, nil
}

// Run does a pass.
func (c migrateCmd) Run(ctx context.Context, o *output) error {
	m, err := c.move(o)
	if err != nil {
		return err
	}
	bar := newProgress(o)
	m.Each = bar.show
	out, err := m.Run(ctx)
	bar.end()
	if err != nil {
		return err
	}
	for _, t := range out.Tables {
		if t.Rows > 0 || !t.Equal() {
			fmt.Fprintf(o.out, "%-28s %9d  %s %d  %s %d  sha256 %.16s\n", t.Table, t.Rows, o.say("写入", "written"), t.Written, o.say("移除", "removed"), t.Removed, t.SHA256)
		}
	}
	fmt.Fprintln(o.out, o.say(
		fmt.Sprintf("共 %d 行，其中 %d 行有变动；密钥 %d 个；附件 %d 个，复制 %d 个", out.Rows, out.Changed, out.Keys, out.Files, out.FilesCopied),
		fmt.Sprintf("%d rows, %d of them changed; %d keys; %d attachments, %d of them copied", out.Rows, out.Changed, out.Keys, out.Files, out.FilesCopied)))
	if !out.Checked {
		fmt.Fprintln(o.out, o.say("在线复制完成。停止服务后加 --finish 再执行一次。", "copied. Stop the server, then run this again with --finish."))
		return nil
	}
	fmt.Fprintln(o.out, o.say("校验通过：", "checked: ")+describe(chainSays(out.Events), o.lang))
	args := []string{"casemate serve --data " + m.To.Data}
	if m.To.Keys != "" {
		args = append(args, "--keys "+m.To.Keys)
	}
	if m.To.Database != "" {
		args = append(args, "--database postgres://...")
	}
	if m.To.Blobs != "" {
		args = append(args, "--blobs '"+m.To.Blobs+"'")
	}
	fmt.Fprintln(o.out, o.say("现在可启动：", "now start: ")+strings.Join(args, " "))
	return nil
}

// progress is one line, written over each second; lines where nobody watches.
type progress struct {
	w     io.Writer
	o     *output
	live  bool // the line is written over
	shown time.Time
	what  string // rows or attachments
	since time.Time
	from  int64
	open  bool
}

func newProgress(o *output) *progress {
	return &progress{w: o.err, o: o, shown: time.Now(), live: terminal(o.err)}
}

func (p *progress) show(m server.MoveProgress) {
	now, what, every := time.Now(), p.o.say("行", "rows"), 10*time.Second
	switch m.What {
	case server.MovingFiles:
		what = p.o.say("附件", "attachments")
	case server.BuildingIndex:
		what = p.o.say("条索引", "documents of the index")
	case server.Bytes:
		what = "MiB"
	}
	if what != p.what {
		p.what, p.since, p.from = what, now, m.Done
		p.shown = time.Time{} // each part is told at its begin
	}
	if p.live {
		every = time.Second
	}
	if now.Sub(p.shown) < every || m.Total == 0 {
		return
	}
	p.shown = now
	left := ""
	if done := m.Done - p.from; done > 0 {
		d := time.Duration(float64(now.Sub(p.since)) / float64(done) * float64(m.Total-m.Done)).Round(time.Second)
		left = p.o.say("，剩余约 ", ", left about ") + p.o.span(d)
	}
	line := fmt.Sprintf("%3d %%  %d/%d %s%s", 100*m.Done/m.Total, m.Done, m.Total, what, left)
	if p.live {
		fmt.Fprint(p.w, "\r\033[K"+line)
		p.open = true
		return
	}
	fmt.Fprintln(p.w, line)
}

func (p *progress) end() {
	if p.open {
		fmt.Fprintln(p.w)
	}
}
