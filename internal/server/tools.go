package server

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"casemate/internal/event"
	"casemate/internal/locale"
)

// VerifyEvents recomputes the event chain of a store, which may be in use.
func VerifyEvents(ctx context.Context, o Options) (event.Report, error) {
	s, err := openStore(ctx, o)
	if err != nil {
		return event.Report{}, err
	}
	report, err := event.Verify(ctx, s.db, s.keys.Derive("event-chain"))
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

// Welcome is what a newcomer needs to know of the node that serves at base.
func (s *Server) Welcome(base string, lang locale.Language) string {
	var b strings.Builder
	line := func(zh, en string, args ...any) {
		text := en
		if lang == locale.ZH {
			text = zh
		}
		fmt.Fprintf(&b, text+"\n", args...)
	}
	line("Casemate %s 已启动：%s", "Casemate %s serves at %s", s.o.Version, base)
	if s.o.Demo {
		line("演示账号与密钥：%s", "demo accounts and keys: %s", s.credentialsPath())
		line("Go SDK：global.NewCredentialsBuilder().WithAk(ak).WithSk(sk)，osm.OsmClientBuilder().WithEndpoint(%q)",
			"Go SDK: global.NewCredentialsBuilder().WithAk(ak).WithSk(sk), osm.OsmClientBuilder().WithEndpoint(%q)", base)
		line("尚未完成的接口返回 501（OSM.0004）", "operations that are not built yet answer 501 (OSM.0004)")
	}
	return b.String()
}
