package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"casemate/internal/archive"
	"casemate/internal/config"
	"casemate/internal/server"
)

// storeFlags say where data and keys lie.
type storeFlags struct {
	Data     string `help:"Data folder." default:"data" type:"path" placeholder:"DIR"`
	Keys     string `help:"Folder of the keys; it must not lie in the data folder. Default: DIR.keys beside the data folder." type:"path" placeholder:"DIR"`
	Database string `help:"Database: empty for SQLite in the data folder, or postgres://..." placeholder:"URL"`
	Blobs    string `help:"Where attachments lie: empty for files in the data folder, or s3://BUCKET[/PREFIX][?endpoint=URL], credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY." placeholder:"URL"`
}

func (f storeFlags) options(log *slog.Logger) server.Options {
	return server.Options{Data: f.Data, Keys: f.Keys, Database: f.Database, Blobs: f.Blobs, Version: version, Log: log}
}

type serveCmd struct {
	storeFlags
	Listen           string   `help:"Address to serve on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Backups          string   `help:"Where backups made from the desk go: a folder, or s3://BUCKET/PREFIX/[?endpoint=URL]. Default: backups in the data folder." placeholder:"DIR|URL"`
	BackupRecipients []string `help:"Encrypt backups made from the desk for all public keys in this file, one a line; repeatable." name:"backup-recipients" type:"path" placeholder:"FILE"`
	Demo             bool     `help:"Fill an empty store with the demo world. Loopback only."`
	DemoPublic       bool     `help:"Allow --demo on an address that others can reach." name:"demo-public"`
	Credentials      string   `help:"Write the demo world's credentials to this file (0600)." type:"path" placeholder:"FILE"`
	ConfigFile       string   `help:"Configuration file." name:"config" type:"path" placeholder:"FILE"`
	LogLevel         string   `help:"What to log: debug, info, warn, error." default:"info" enum:"debug,info,warn,error"`
	LogJSON          bool     `help:"Log as JSON lines."`
}

// Run serves until the process is asked to stop.
func (c serveCmd) Run(ctx context.Context, o *output) error {
	cfg, err := readConfig(c.ConfigFile)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		// The live heap is small, some 30 MB: collecting half as often
		// costs some 50 MB and gives a twentieth of the processor back.
		debug.SetGCPercent(200)
	}
	if _, err := archive.Recipients(nil, c.BackupRecipients); err != nil {
		return err // now, and not when somebody needs a backup
	}
	if err := checkListen(ctx, c.Listen); err != nil {
		return err
	}
	log := logger(o.err, c.LogLevel, c.LogJSON)
	opts := c.options(log)
	opts.Program = os.Args[0]
	opts.Config = cfg
	opts.Listen = c.Listen
	opts.Backups, opts.BackupRecipients = c.Backups, c.BackupRecipients
	opts.Demo, opts.DemoPublic = c.Demo, c.DemoPublic
	opts.Credentials = c.Credentials
	opts.ConfigFile, opts.LogLevel, opts.LogJSON = c.ConfigFile, c.LogLevel, c.LogJSON
	s, err := server.Open(ctx, opts)
	if err != nil {
		return err
	}
	defer s.Close()
	told := context.AfterFunc(ctx, func() {
		wait := cfg.WithDefaults().Drain
		if c.LogJSON {
			log.Info("draining", "for", wait.String())
			return
		}
		fmt.Fprintln(o.err, o.say(fmt.Sprintf("正在停止：继续服务 %s；再次发送信号则立即退出", o.span(wait)), fmt.Sprintf("stopping: draining for %s; a second signal ends it at once", o.span(wait))))
	})
	defer told()
	return s.Serve(ctx, func(base, setup string) {
		fmt.Fprintln(o.out, s.Welcome(base, setup, o.lang))
	})
}

// readConfig reads the configuration with every check there is, so that what
// config takes serve takes too.
func readConfig(path string) (config.Config, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return cfg, err
	}
	if err := server.CheckConfig(cfg); err != nil {
		return cfg, fmt.Errorf("%s: %w", path, err)
	}
	return cfg, nil
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
	PasswordFile string `help:"File with the password; else one is made and printed once." type:"existingfile" placeholder:"FILE"`
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
		fmt.Fprintf(o.out, "%s%s\n", o.say("初始密码（仅显示一次）：", "password, shown once: "), password)
	}
	return nil
}

type configCmd struct {
	ConfigFile string `help:"Configuration file." name:"config" type:"path" placeholder:"FILE"`
}

// Run prints the settings in force.
func (c configCmd) Run(o *output) error {
	cfg, err := readConfig(c.ConfigFile)
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
	Verify     auditVerifyCmd     `cmd:"" help:"Recompute the chain over all sealed events and compare it with anchors and signed checkpoints."`
	Checkpoint auditCheckpointCmd `cmd:"" help:"Sign a checkpoint of all that is sealed now; a running server does it each hour and every 1,000 events."`
	Key        auditKeyCmd        `cmd:"" help:"Print the public key that checks the checkpoints."`
	Export     auditExportCmd     `cmd:"" help:"Write all sealed events, one line of JSON each."`
	List       auditListCmd       `cmd:"" help:"What happened, newest first, from a running server: by person, action, account, ticket, time; as CSV."`
	Status     auditStatusCmd     `cmd:"" help:"How far a running server has sealed the history."`
	Check      auditCheckCmd      `cmd:"" help:"Check an export against checkpoints with the public key alone, away from the installation."`
}

type auditVerifyCmd struct{ storeFlags }

// Run verifies the event chain; a broken place is a failure.
func (c auditVerifyCmd) Run(ctx context.Context, o *output) error {
	report, err := server.VerifyEvents(ctx, c.options(logger(o.err, "warn", false)))
	if err != nil {
		return err
	}
	if !report.OK() {
		return chainSays(report)
	}
	fmt.Fprintln(o.out, describe(chainSays(report), o.lang))
	return nil
}

type rotateCmd struct{ storeFlags }

// Run rotates the master key. It works on the folders, not through a server,
// and is refused while one has them open.
func (c rotateCmd) Run(ctx context.Context, o *output) error {
	if err := server.RotateMaster(ctx, c.options(logger(o.err, "warn", false))); err != nil {
		return err
	}
	fmt.Fprintln(o.out, o.say("主密钥已更换，请备份密钥目录", "the master key was changed: back up the keys folder"))
	return nil
}
