// Command casemate is the service-ticket system: the server and its tools in
// one binary. It parses, calls and exits; everything else is in internal.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"casemate/internal/locale"
)

// version is set at build time.
var version = "dev"

// command is the whole command line.
type command struct {
	Serve    serveCmd    `cmd:"" help:"Run the server."`
	Health   healthCmd   `cmd:"" help:"Ask the server on this machine whether it is ready; the health check of containers."`
	Init     initCmd     `cmd:"" help:"Prepare a data folder: master key, database, first administrator."`
	Desk     deskCmd     `cmd:"" help:"An engineer's work from the shell: list, show, accept, reply, resolve ..."`
	Outbox   outboxCmd   `cmd:"" help:"What the catcher of a demo world holds: mails, text messages, codes."`
	Catalog  catalogCmd  `cmd:"" help:"The catalogue as a folder of files: export, plan, apply."`
	User     userCmd     `cmd:"" help:"Users of customers and of the house: create, list, disable, reset a password or a second factor, sessions."`
	Key      keyCmd      `cmd:"" help:"Access keys of customers' users; rotation of the master key."`
	Mail     mailCmd     `cmd:"" help:"Mail that comes in: mailboxes and their test; the quarantine: list, show, release, retry, discard."`
	Provider providerCmd `cmd:"" help:"Mail servers and text message providers: list, test, drain."`
	Template templateCmd `cmd:"" help:"Texts of mails and text messages: list, show, set, preview, reset."`
	Codes    codesCmd    `cmd:"" help:"Text messages with verification codes: traffic, breakers, reopen."`
	Webhook  webhookCmd  `cmd:"" help:"Receivers of events: add, list, test, replay, log."`
	Macro    macroCmd    `cmd:"" help:"Macros: list, preview on a ticket, run."`
	Article  articleCmd  `cmd:"" help:"Articles of the knowledge base: list, show, put, publish, import and export as Markdown files."`
	Rule     ruleCmd     `cmd:"" help:"Rules: list, show, apply a file, try it on past tickets, what they did."`
	Listen   listenCmd   `cmd:"" help:"Follow the change feed and forward each event to a local program or address."`
	Sandbox  sandboxCmd  `cmd:"" help:"Sandboxes, accounts to try things in: create, list, show, what they sent."`
	Demo     demoCmd     `cmd:"" help:"A sandbox's clock and reset; the demo world: status, remove."`
	Selftest selftestCmd `cmd:"" help:"Drive every operation of a running server in a sandbox and print what became of it."`
	Audit    auditCmd    `cmd:"" help:"What happened, and the event chain: verify that nothing was changed, removed or inserted."`
	Backup   backupCmd   `cmd:"" help:"Back up an installation while it runs: to a file or an object store, encrypted."`
	Restore  restoreCmd  `cmd:"" help:"Restore a backup, or verify that it can be restored."`
	Migrate  migrateCmd  `cmd:"" help:"Move an installation to another store: SQLite and PostgreSQL, files and an object store, there and back."`
	Config   configGroup `cmd:"" help:"All configuration as a folder of files: export, plan, apply, history, rollback; without a word, the settings of the configuration file in force."`
	Version  versionCmd  `cmd:"" help:"Print the version."`

	ShowVersion versionFlag `name:"version" env:"-" help:"Print the version."`
	UTC         utcFlag     `name:"utc" help:"Print times in UTC, and read typed ones as UTC. Without it they are in the zone of TZ or of this machine, and in GMT+8 where the machine has none."`

	Backups   backupsCmd   `cmd:"" help:"List the backups in a folder or an object store; keep the newest."`
	BackupKey backupKeyCmd `cmd:"" name:"backup-key" help:"Make the key pair that backups are encrypted with."`
	Agreement agreementCmd `cmd:"" help:"Agreements: list, publish a new version, who signed."`
	SLA       slaCmd       `cmd:"" name:"sla" help:"Promised times: a ticket's clocks with their arithmetic, and what another policy would have made of past tickets."`
	Report    reportCmd    `cmd:"" help:"Figures over many tickets: how many, how fast, what was kept, as a table or a file."`
	Queue     queueCmd     `cmd:"" help:"The desk's queues: list, show, claim the next ticket, add, change, remove."`
	Team      teamCmd      `cmd:"" help:"Teams, and what their members can do and when: list, add, change, engineers, shift."`
	Doctor    doctorCmd    `cmd:"" help:"Prove that counters and the search index are equal to the tables, and mend them."`
	Privacy   privacyCmd   `cmd:"" help:"Personal data: erase a person, bundle what is held about him, legal holds, what goes by its age."`
	Login     loginCmd     `cmd:"" help:"Ways to sign in: try the identity providers and directories of a configuration file."`
	Account   accountCmd   `cmd:"" help:"Customers' accounts: list, show, change plan, quota and switches, disable, close; their access keys and groups."`
	Blocked   blockedCmd   `cmd:"" help:"Contacts nothing is sent to because they do not exist: list, unblock."`
	Partner   partnerCmd   `cmd:"" help:"Partners who serve customers: add, list, change, remove, their engineers, whom they serve."`
}

// Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	return runWith(ctx, args, &output{in: os.Stdin, out: out, err: errOut, lang: shellLanguage(), person: terminal(os.Stdin) && terminal(out)})
}

// runWith is run with somebody, or nobody, at the other end.
func runWith(ctx context.Context, args []string, o *output) int {
	out, errOut := o.out, o.err
	var c command
	code, lang := -1, o.lang
	parser, err := kong.New(&c,
		kong.Name("casemate"),
		kong.Description("Casemate, the self-hosted service-ticket system. Every flag can also be set as an environment variable CASEMATE_..."),
		kong.Help(help(lang)),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(out, errOut),
		kong.DefaultEnvars("CASEMATE"),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(o),
		kong.Exit(func(n int) {
			code = n
			if n != 0 {
				code = exitUsage
			}
			panic(exited{}) // kong expects Exit not to return
		}),
	)
	if err != nil {
		fmt.Fprintln(errOut, "casemate:", err)
		return exitUsage
	}
	if lang == locale.ZH {
		translate(parser.Model)
	}
	return func() (n int) {
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(exited); !ok {
					panic(p)
				}
				n = code
			}
		}()
		k, err := parser.Parse(helpArgs(args))
		if err != nil {
			misused(errOut, parser.Model, err, lang)
			return exitUsage
		}
		if err := k.Run(); err != nil {
			if errors.Is(err, context.Canceled) && ctx.Err() != nil {
				return 0
			}
			fmt.Fprintln(errOut, "casemate:", describe(err, lang))
			return exitFailed
		}
		return 0
	}()
}

type exited struct{}

// shellLanguage is the language the operator's shell speaks; Chinese unless it
// says otherwise.
func shellLanguage() locale.Language {
	for _, name := range []string{"CASEMATE_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"} {
		v, _, _ := strings.Cut(os.Getenv(name), ".")
		if v == "" {
			continue
		}
		if lang, ok := locale.ParseLanguage(v); ok {
			return lang
		}
		return locale.EN // C, POSIX and languages we do not speak
	}
	return locale.EN
}

// versionFlag is --version, which works like the command of that name.
type versionFlag bool

// BeforeReset is called by the parser as soon as it has read the flag.
func (versionFlag) BeforeReset(k *kong.Kong, o *output) error {
	if err := (versionCmd{}).Run(o); err != nil {
		return err
	}
	k.Exit(0)
	return nil
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(o *output) error {
	fmt.Fprintln(o.out, "casemate", version)
	return nil
}
