package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"casemate/internal/config"
	"casemate/internal/server"
)

// storeFlags say where data and keys lie.
type storeFlags struct {
	Data     string `help:"Data folder." default:"data" type:"path" placeholder:"DIR"`
	Keys     string `help:"Folder of the keys; it must not lie in the data folder. Default: DIR.keys beside the data folder." type:"path" placeholder:"DIR"`
	Database string `help:"Database: empty for SQLite in the data folder, or postgres://..." placeholder:"URL"`
}

func (f storeFlags) options(log *slog.Logger) server.Options {
	return server.Options{Data: f.Data, Keys: f.Keys, Database: f.Database, Version: version, Log: log}
}

type serveCmd struct {
	storeFlags
	Listen      string `help:"Address to serve on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Demo        bool   `help:"Fill an empty store with the demo world, catch mails and text messages. Loopback only."`
	DemoPublic  bool   `help:"Allow --demo on an address that others can reach." name:"demo-public"`
	Credentials string `help:"Write the demo world's credentials to this file (0600)." type:"path" placeholder:"FILE"`
	ConfigFile  string `help:"Configuration file." name:"config" type:"path" placeholder:"FILE"`
	LogLevel    string `help:"What to log: debug, info, warn, error." default:"info" enum:"debug,info,warn,error"`
	LogJSON     bool   `help:"Log as JSON lines."`
}

// Run serves until the process is asked to stop.
func (c serveCmd) Run(ctx context.Context, o *output) error {
	cfg, err := config.Load(c.ConfigFile)
	if err != nil {
		return err
	}
	log := logger(o.err, c.LogLevel, c.LogJSON)
	opts := c.options(log)
	opts.Config = cfg
	opts.Listen = c.Listen
	opts.Demo, opts.DemoPublic = c.Demo, c.DemoPublic
	opts.Credentials = c.Credentials
	s, err := server.Open(ctx, opts)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Serve(ctx, func(w server.Welcome) { w.Print(o.out, o.lang) })
}

func logger(w io.Writer, level string, asJSON bool) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // kong has checked it
	opts := &slog.HandlerOptions{Level: l}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

type initCmd struct {
	storeFlags
	Name         string `help:"Name of the first administrator." default:"admin"`
	PasswordFile string `help:"File with the password; else it is asked for, or made and printed once when there is no terminal." type:"existingfile" placeholder:"FILE"`
}

// Run prepares an empty store with its first administrator.
func (c initCmd) Run(ctx context.Context, o *output) error {
	password, made, err := newPassword(c.PasswordFile)
	if err != nil {
		return err
	}
	if err := server.Init(ctx, c.options(logger(o.err, "warn", false)), c.Name, password); err != nil {
		return err
	}
	fmt.Fprintf(o.out, "%s\n", o.say("已初始化，管理员："+c.Name, "prepared; administrator: "+c.Name))
	if made {
		fmt.Fprintf(o.out, "%s %s\n", o.say("初始密码（仅显示一次）：", "password, shown once:"), password)
	}
	return nil
}

type configCmd struct {
	ConfigFile string `help:"Configuration file." name:"config" type:"path" placeholder:"FILE"`
}

// Run prints the settings in force.
func (c configCmd) Run(o *output) error {
	cfg, err := config.Load(c.ConfigFile)
	if err != nil {
		return err
	}
	text, err := cfg.Show()
	if err != nil {
		return err
	}
	_, err = o.out.Write(text)
	return err
}

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Recompute the chain over all sealed events."`
}

type auditVerifyCmd struct{ storeFlags }

// Run verifies the event chain; a broken place is a failure.
func (c auditVerifyCmd) Run(ctx context.Context, o *output) error {
	report, err := server.VerifyEvents(ctx, c.options(logger(o.err, "warn", false)))
	if err != nil {
		return err
	}
	fmt.Fprintln(o.out, report)
	return nil
}

type backupCmd struct {
	storeFlags
	To       string `help:"File to write." required:"" type:"path" placeholder:"FILE"`
	KeysOnly bool   `help:"Back up the keys instead: without them a backup opens nothing sealed, so keep the two apart." name:"keys-only"`
}

// Run writes a backup while the server may be running.
func (c backupCmd) Run(ctx context.Context, o *output) error {
	opts := c.options(logger(o.err, "warn", false))
	var (
		report fmt.Stringer
		err    error
	)
	if c.KeysOnly {
		report, err = server.BackupKeys(ctx, opts, c.To)
	} else {
		report, err = server.Backup(ctx, opts, c.To)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(o.out, report)
	return nil
}

type restoreCmd struct {
	From     string `help:"Backup of the data." required:"" type:"existingfile" placeholder:"FILE"`
	KeysFrom string `help:"Backup of the keys." required:"" type:"existingfile" placeholder:"FILE"`
	Verify   bool   `help:"Restore into a scratch folder, check everything, remove it again."`
	Data     string `help:"Data folder to restore into; must not exist." default:"data" type:"path" placeholder:"DIR"`
	Keys     string `help:"Keys folder to restore into; must not exist. Default: DIR.keys." type:"path" placeholder:"DIR"`
}

// Run restores or verifies.
func (c restoreCmd) Run(ctx context.Context, o *output) error {
	opts := server.Options{Data: c.Data, Keys: c.Keys, Version: version, Log: logger(o.err, "warn", false)}
	if c.Verify {
		dir, err := os.MkdirTemp("", "casemate-restore")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		opts.Data, opts.Keys = dir+"/data", dir+"/keys"
	}
	report, err := server.Restore(ctx, opts, c.From, c.KeysFrom)
	if err != nil {
		return err
	}
	fmt.Fprintln(o.out, report)
	return nil
}
