package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"casemate/internal/attachment"
	"casemate/internal/config"
	"casemate/internal/event"
	"casemate/internal/fault"
	"casemate/internal/job"
	"casemate/internal/locale"
	"casemate/internal/notify"
	"casemate/internal/principal"
	"casemate/internal/seal"
)

// Anchor files are where the heads of the event chain are kept away from the
// database (threats.md D14): beside the keys, a file for each machine.
const anchorPrefix, anchorSuffix = "anchors-", ".log"

// anchor lets the sealer leave anchors. Where the keys folder
// cannot be written to there are none, and the log says so.
func (s *Server) anchor() {
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	path := filepath.Join(s.o.keysDir(), anchorPrefix+host+anchorSuffix)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.o.Log.Warn("no anchors of the event chain: a tail that is cut off will not show", "error", err)
		return
	}
	_ = f.Close() // nothing was written
	s.sealer.AnchorTo(path, 0)
	s.runner.Every(job.Periodic{Name: "event checkpoints", Every: time.Minute, Run: s.checkpointer(checkpointFile(s.o.keysDir())).Due})
}

// CheckConfig refuses settings that the nouns would refuse, beyond what
// config.Load knows: providers of mails and text messages, types of files. It
// reads no secrets, and no store is needed.
func CheckConfig(c config.Config) error {
	c.Notify.Mail, c.Notify.SMS = slices.Clone(c.Notify.Mail), slices.Clone(c.Notify.SMS)
	c.Notify.SMPP = slices.Clone(c.Notify.SMPP)
	for i := range c.Notify.Mail {
		c.Notify.Mail[i].Password, c.Notify.Mail[i].DKIM = config.Secret{}, config.DKIM{}
	}
	for i := range c.Notify.SMS {
		c.Notify.SMS[i].Secret, c.Notify.SMS[i].Receipt = config.Secret{}, config.Receipt{}
	}
	for i := range c.Notify.SMPP {
		c.Notify.SMPP[i].Password = config.Secret{}
	}
	c.Notify.Returns.Password = config.Secret{}
	_, err := notify.New(nil, nil, notify.Options{Config: c.Notify})
	return errors.Join(err, attachment.CheckTypes(c.Attachment.Types), attachment.CheckTypes(c.MailIn.WithDefaults().Types))
}

// VerifyEvents recomputes the event chain of a store, which may be in use.
func VerifyEvents(ctx context.Context, o Options) (event.Report, error) {
	s, err := openStore(ctx, o)
	if err != nil {
		return event.Report{}, err
	}
	files, err := os.ReadDir(o.keysDir())
	if err != nil {
		return event.Report{}, errors.Join(err, s.Close())
	}
	var anchors, checkpoints []string
	for _, f := range files {
		switch path := filepath.Join(o.keysDir(), f.Name()); {
		case !strings.HasSuffix(f.Name(), anchorSuffix):
		case strings.HasPrefix(f.Name(), anchorPrefix):
			anchors = append(anchors, path)
		case strings.HasPrefix(f.Name(), checkpointPrefix):
			checkpoints = append(checkpoints, path)
		}
	}
	report, err := event.VerifySigned(ctx, s.db, s.keys.Derive("event-chain"), s.signer().Public(), checkpoints, anchors...)
	return report, errors.Join(err, s.Close())
}

// RotateMaster makes a new master key; everything sealed stays readable. It is
// refused while a server has the store open: that one would go on wrapping keys
// with the old master key, and nothing could open them again.
func RotateMaster(ctx context.Context, o Options) error {
	if err := o.exists(); err != nil {
		return err
	}
	hold, err := seal.Claim(ctx, o.keysDir(), o.Database, true)
	if err != nil {
		return o.claimed(err)
	}
	s, err := openStore(ctx, o)
	if err != nil {
		return errors.Join(err, hold.Release())
	}
	return errors.Join(s.keys.Rotate(ctx), s.Close(), hold.Release())
}

// Faults of stores, as the operator reads them.
var (
	errInUse = fault.New(fault.Conflict, fault.CodeInvalid, "{folder} 正被另一个 casemate 进程使用，请先停止它",
		"{folder} is in use by another casemate process: stop it first")
	errNoStore = fault.New(fault.NotFound, fault.CodeInvalid, "{folder} 中没有 Casemate 的数据，请检查路径（数据在 PostgreSQL 时请给出 --database）",
		"{folder} holds no store of Casemate: look at the path (on PostgreSQL give --database)")
)

// place names the store for the operator; a database's address may hold a password.
func (o Options) place() string {
	if o.Database != "" {
		return "PostgreSQL (" + o.keysDir() + ")"
	}
	return o.Data
}

func (o Options) claimed(err error) error {
	if errors.Is(err, seal.ErrInUse) {
		return errInUse.With("folder", o.place())
	}
	return err
}

// exists refuses a place that holds no store.
func (o Options) exists() error {
	if o.Database == "" {
		if _, err := os.Stat(filepath.Join(o.Data, "casemate.db")); errors.Is(err, os.ErrNotExist) {
			return errNoStore.With("folder", o.Data)
		} else if err != nil {
			return err
		}
	}
	if !seal.Exists(o.keysDir()) {
		return errNoStore.With("folder", o.keysDir())
	}
	return nil
}

// openStore opens a store for a tool. It makes none.
func openStore(ctx context.Context, o Options) (*Server, error) {
	if err := o.exists(); err != nil {
		return nil, err
	}
	o.Listen = "127.0.0.1:0"
	o.Demo = false
	o.tool = true
	return Open(ctx, o)
}

var roleNames = map[string]locale.Texts{
	principal.RoleEngineer:      {ZH: "工程师", EN: "engineer"},
	principal.RoleSupervisor:    {ZH: "主管，审批授权申请", EN: "supervisor, approves requests for access"},
	principal.RoleAdministrator: {ZH: "管理员", EN: "administrator"},
}

// shellWord quotes a word for the shell where that is needed.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:@,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Welcome is what a newcomer needs to know of the node that serves at base. In
// the demo world it holds the demo's credentials: it is for the operator's
// terminal, never for the log. setup is the one-time secret for the first
// administrator, "" when there is one.
func (s *Server) Welcome(base, setup string, lang locale.Language) string {
	var b strings.Builder
	line := func(zh, en string, args ...any) {
		text := en
		if lang == locale.ZH {
			text = zh
		}
		fmt.Fprintf(&b, text+"\n", args...)
	}
	if s.outside == "" {
		line("Casemate %s 已启动：%s", "Casemate %s serves at %s", s.o.Version, base)
	} else {
		line("Casemate %s 已启动：%s（本机：%s）", "Casemate %s serves at %s (on this machine: %s)", s.o.Version, s.outside, base)
	}
	line("客户接口 %s/v2  身份 %s/v3  工程师 %s/desk/v1  健康检查 %s/readyz", "customer API %s/v2  identity %s/v3  desk %s/desk/v1  health %s/readyz", base, base, base, base)
	if setup != "" {
		line("尚无管理员。24 小时内执行一次：", "There is no administrator yet. Within 24 hours, once:")
		fmt.Fprintf(&b, "\n    curl -s %s/desk/v1/setup -H 'Content-Type: application/json' \\\n      -d '{\"token\":\"%s\",\"name\":\"admin\",\"password\":\"********\"}'\n", base, setup)
	}
	if !s.o.Demo {
		return b.String()
	}
	c, err := s.readCredentials()
	if err != nil || len(c.Domains) == 0 {
		return b.String()
	}
	line("\n演示账号（同时保存在 %s）：", "\nThe demo's accounts (also in %s):", s.credentialsPath())
	for _, d := range c.Domains {
		line("  %s（%s）", "  %s (%s)", d.Name, d.ID)
		for _, u := range d.Users {
			fmt.Fprintf(&b, "    %-8s %-5s %s  AK %s  SK %s\n", u.Name, u.Role, u.Password, u.AK, u.SK)
		}
	}
	line("  工程师与管理员", "  engineers and administrator")
	for _, e := range append(c.Engineers, c.Admin) {
		role := roleNames[e.Role].In(lang) // of a file that an earlier version wrote: none
		fmt.Fprintf(&b, "    %-8s       %s  %s\n", e.Name, e.Password, role)
	}
	u := c.Domains[0].Users[0]
	line("\nGo SDK（github.com/huaweicloud/huaweicloud-sdk-go-v3）：", "\nGo SDK (github.com/huaweicloud/huaweicloud-sdk-go-v3):")
	fmt.Fprintf(&b, welcomeGo, base, u.AK, u.SK)
	line("\nPython SDK（pip install huaweicloudsdkosm）：", "\nPython SDK (pip install huaweicloudsdkosm):")
	fmt.Fprintf(&b, welcomePython, base, u.AK, u.SK)
	line("\n签名的 curl（需要 openssl）：", "\ncurl, signed (a shell with openssl):")
	fmt.Fprintf(&b, welcomeCurl, u.AK, u.SK, strings.TrimPrefix(base, "http://"))
	program := s.o.Program
	if program == "" {
		program = "casemate"
	}
	local := func(args string) string { return shellWord(program) + " " + args + " --data " + shellWord(s.o.Data) }
	line("\n在另一个终端：", "\nIn a second shell:")
	fmt.Fprintln(&b)
	line("    %s   # 捕获的验证码与邮件", "    %s   # codes and mails that were caught", local("outbox"))
	line("    %s   # 工程师：所有客户的工单，--help 查看其余操作", "    %s   # an engineer: tickets of all customers; --help tells the rest", local("desk list"))
	line("    %s   # 自检：在沙箱中逐一验证所有接口", "    %s   # every operation in a sandbox, each proved by another", local("selftest"))
	return b.String()
}

func (s *Server) readCredentials() (c Credentials, err error) {
	text, err := os.ReadFile(s.credentialsPath())
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

// The lines to paste. Each lists the main account's tickets.
const (
	welcomeGo = `
    hc, _ := osm.OsmClientBuilder().WithEndpoint(%q).WithCredential(
        global.NewCredentialsBuilder().WithAk(%q).WithSk(%q).Build()).SafeBuild()
    fmt.Println(osm.NewOsmClient(hc).ListCases(&model.ListCasesRequest{}))
`
	welcomePython = `
    from huaweicloudsdkcore.auth.credentials import GlobalCredentials
    from huaweicloudsdkosm.v2 import OsmClient, ListCasesRequest
    client = OsmClient.new_builder().with_endpoint(%q).with_credentials(
        GlobalCredentials(%q, %q)).build()
    print(client.list_cases(ListCasesRequest()))
`
	welcomeCurl = `
    AK=%s; SK=%s; H=%s
    P=/v2/servicerequest/cases; T=$(date -u +%%Y%%m%%dT%%H%%M%%SZ); sha() { openssl dgst -sha256 "$@" | sed 's/.* //'; }
    C=$(printf 'GET\n%%s/\n\nhost:%%s\nx-sdk-date:%%s\n\nhost;x-sdk-date\n%%s' $P $H $T $(printf '' | sha) | sha)
    S=$(printf 'SDK-HMAC-SHA256\n%%s\n%%s' $T $C | sha -hmac $SK)
    curl -s http://$H$P -H "X-Sdk-Date: $T" \
      -H "Authorization: SDK-HMAC-SHA256 Access=$AK, SignedHeaders=host;x-sdk-date, Signature=$S"
`
)
