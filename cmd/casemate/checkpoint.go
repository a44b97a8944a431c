package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"casemate/internal/event"
	"casemate/internal/server"
)

type auditCheckpointCmd struct{ storeFlags }

// Run signs a checkpoint and prints it as the line of the file that it is.
func (c auditCheckpointCmd) Run(ctx context.Context, o *output) error {
	p, path, err := server.AuditCheckpoint(ctx, c.options(logger(o.err, "warn", false)))
	if err != nil {
		return err
	}
	if p.Seq == 0 {
		return problem{"尚无已封存的事件", "no event is sealed yet"}
	}
	o.printf("%s\n", p)
	fmt.Fprintln(o.err, o.say("已写入 ", "written to ")+path)
	return nil
}

type auditKeyCmd struct{ storeFlags }

// Run prints the public key.
func (c auditKeyCmd) Run(ctx context.Context, o *output) error {
	public, err := server.AuditKey(ctx, c.options(logger(o.err, "warn", false)))
	if err != nil {
		return err
	}
	fmt.Fprintln(o.err, o.say("密钥 ", "key ")+event.KeyID(public))
	o.printf("%s", event.PEM(public))
	return nil
}

type auditExportCmd struct {
	storeFlags
	To string `help:"File to write, which must not exist; - is standard output." required:"" placeholder:"FILE"`
}

// Run exports the sealed events.
func (c auditExportCmd) Run(ctx context.Context, o *output) error {
	w := o.out
	if c.To != "-" {
		f, err := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return problem{c.To + " 已存在，请用 --to 指定其他文件", c.To + " exists already: name another file with --to"}
		}
		if err != nil {
			return err
		}
		n, err := c.write(ctx, o, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return errors.Join(err, os.Remove(c.To)) // no half files
		}
		o.printf(o.say("已导出 %d 条事件\n", "%d events exported\n"), n)
		return nil
	}
	_, err := c.write(ctx, o, w)
	return err
}

func (c auditExportCmd) write(ctx context.Context, o *output, w io.Writer) (int64, error) {
	b := bufio.NewWriterSize(w, 1<<16)
	n, err := server.AuditExport(ctx, c.options(logger(o.err, "warn", false)), b)
	return n, errors.Join(err, b.Flush())
}

type auditCheckCmd struct {
	Export      string   `help:"What casemate audit export wrote." required:"" type:"existingfile" placeholder:"FILE"`
	Checkpoints []string `help:"Files of checkpoints (DIR.keys/checkpoints-HOST.log), as they were copied off." required:"" type:"existingfile" placeholder:"FILE"`
	Key         string   `help:"What casemate audit key printed." required:"" type:"existingfile" placeholder:"FILE"`
}

// Run checks an export; a broken place is a failure.
func (c auditCheckCmd) Run(o *output) (err error) {
	text, err := os.ReadFile(c.Key)
	if err != nil {
		return err
	}
	public, err := event.ParsePEM(text)
	if err != nil {
		return problem{c.Key + "：不是公钥文件", c.Key + ": not a public key"}
	}
	export, err := os.Open(c.Export)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, export.Close()) }()
	var checkpoints []io.Reader
	for _, path := range c.Checkpoints {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		checkpoints = append(checkpoints, f)
	}
	report, err := event.CheckExport(public, export, checkpoints...)
	if err != nil {
		return err
	}
	if !report.OK() {
		return chainSays(report)
	}
	o.printf(o.say("共 %d 条事件，与 %d 个已签名的检查点一致，至第 %d 条；其后 %d 条尚无检查点\n", "%d events agree with %d signed checkpoints up to number %d; %d behind it are not signed yet\n"),
		report.Events, report.Checkpoints, report.Last-report.Unsealed, report.Unsealed)
	return nil
}
