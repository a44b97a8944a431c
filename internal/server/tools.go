package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"casemate/internal/event"
	"casemate/internal/locale"
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
}

// VerifyEvents recomputes the event chain of a store, which may be in use, and
// holds it against the anchors beside its keys.
func VerifyEvents(ctx context.Context, o Options) (event.Report, error) {
	s, err := openStore(ctx, o)
	if err != nil {
		return event.Report{}, err
	}
	files, err := os.ReadDir(o.keysDir())
	if err != nil {
		return event.Report{}, errors.Join(err, s.Close())
	}
	var anchors []string
	for _, f := range files {
		if strings.HasPrefix(f.Name(), anchorPrefix) && strings.HasSuffix(f.Name(), anchorSuffix) {
			anchors = append(anchors, filepath.Join(o.keysDir(), f.Name()))
		}
	}
	report, err := event.Verify(ctx, s.db, s.keys.Derive("event-chain"), anchors...)
	return report, errors.Join(err, s.Close())
}

// RotateMaster makes a new master key; everything sealed stays readable.
func RotateMaster(ctx context.Context, o Options) error {
	s, err := openStore(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(s.keys.Rotate(ctx), s.Close())
}

func openStore(ctx context.Context, o Options) (*Server, error) {
	o.Listen = "127.0.0.1:0"
	o.Demo = false
	return Open(ctx, o)
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
	line("Casemate %s 已启动：%s", "Casemate %s serves at %s", s.o.Version, base)
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
		fmt.Fprintf(&b, "    %-8s       %s\n", e.Name, e.Password)
	}
	u := c.Domains[0].Users[0]
	fmt.Fprintf(&b, welcomeGo, base, u.AK, u.SK)
	fmt.Fprintf(&b, welcomePython, base, u.AK, u.SK)
	fmt.Fprintf(&b, welcomeCurl, u.AK, u.SK, strings.TrimPrefix(base, "http://"))
	line("\n验证码与邮件在 casemate outbox，工程师操作在 casemate desk。",
		"\nCodes and mails: casemate outbox. An engineer's work: casemate desk.")
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
Go SDK (github.com/huaweicloud/huaweicloud-sdk-go-v3):

    hc, _ := osm.OsmClientBuilder().WithEndpoint(%q).WithCredential(
        global.NewCredentialsBuilder().WithAk(%q).WithSk(%q).Build()).SafeBuild()
    fmt.Println(osm.NewOsmClient(hc).ListCases(&model.ListCasesRequest{}))
`
	welcomePython = `
Python SDK (pip install huaweicloudsdkosm):

    from huaweicloudsdkcore.auth.credentials import GlobalCredentials
    from huaweicloudsdkosm.v2 import OsmClient, ListCasesRequest
    client = OsmClient.new_builder().with_endpoint(%q).with_credentials(
        GlobalCredentials(%q, %q)).build()
    print(client.list_cases(ListCasesRequest()))
`
	welcomeCurl = `
curl, signed (a shell with openssl):

    AK=%s; SK=%s; H=%s
    P=/v2/servicerequest/cases; T=$(date -u +%%Y%%m%%dT%%H%%M%%SZ); sha() { openssl dgst -sha256 "$@" | sed 's/.* //'; }
    C=$(printf 'GET\n%%s/\n\nhost:%%s\nx-sdk-date:%%s\n\nhost;x-sdk-date\n%%s' $P $H $T $(printf '' | sha) | sha)
    S=$(printf 'SDK-HMAC-SHA256\n%%s\n%%s' $T $C | sha -hmac $SK)
    curl -s http://$H$P -H "X-Sdk-Date: $T" \
      -H "Authorization: SDK-HMAC-SHA256 Access=$AK, SignedHeaders=host;x-sdk-date, Signature=$S"
`
)
