package diagnose

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"time"
	"unicode"

	"casemate/internal/guard"
	"casemate/internal/locale"
)

const (
	commandTimeout = 10 * time.Second // where the catalogue does not say
	maxOutput      = 2000             // characters that are shown
)

var (
	commandsOff  = locale.Texts{ZH: "管理员未启用命令检查，跳过此项", EN: "skipped: command checks are switched off here"}
	cannotRun    = locale.Texts{ZH: "检查程序无法运行，请联系管理员", EN: "the program of this check cannot be run, please tell the administrator"}
	commandLong  = locale.Texts{ZH: "检查程序在 {seconds} 秒内没有结束", EN: "the program of this check did not end within {seconds} s"}
	commandQuiet = locale.Texts{ZH: "检查程序没有输出（退出码 {code}）", EN: "the program of this check printed nothing (exit code {code})"}
)

// command runs a program of the operator's: its arguments as they are, no shell,
// no environment of ours, a process group of its own that is killed when its
// time is up. Hosts are handed over as addresses that may be reached, so that the
// program cannot be led elsewhere by a name that changes its mind.
func (s *Service) command(ctx context.Context, d definition) (verdict, error) {
	if !s.o.Config.Commands {
		return verdict{Skipped, commandsOff}, nil
	}
	argv := slices.Clone(d.Command.Argv)
	for _, i := range d.HostArgs {
		lookup, cancel := context.WithTimeout(ctx, s.o.Timeout)
		a, err := s.address(lookup, argv[i])
		cancel()
		if err != nil {
			return verdict{Bad, s.explain(err)}, nil
		}
		argv[i] = a.String()
	}
	limit := commandTimeout
	if n := d.Command.Seconds; n > 0 {
		limit = time.Duration(n) * time.Second
	}
	if s.o.Timeout < guard.Timeout { // a test's
		limit = min(limit, s.o.Timeout)
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(within, argv[0], argv[1:]...)
	cmd.Env, cmd.Dir = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}, "/"
	out := &head{}
	cmd.Stdout, cmd.Stderr = out, out
	asGroup(cmd)
	cmd.WaitDelay = time.Second // for pipes that a grandchild holds
	err := cmd.Run()
	if within.Err() != nil {
		if ctx.Err() != nil {
			return verdict{}, ctx.Err()
		}
		return verdict{Bad, say(commandLong, "seconds", limit.Seconds())}, nil
	}
	var exit *exec.ExitError
	code := 0
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
	case errors.As(err, &exit):
		code = exit.ExitCode()
	default:
		s.o.Log.WarnContext(ctx, "a check's program cannot be run", "check", d.ID, "error", err)
		return verdict{Bad, cannotRun}, nil
	}
	outcome := Bad
	switch code {
	case 0:
		outcome = Passed
	case 1:
		outcome = Warning
	}
	text := clean(string(out.b), maxOutput)
	if text == "" {
		return verdict{outcome, say(commandQuiet, "code", code)}, nil
	}
	return verdict{outcome, locale.Texts{ZH: text, EN: text}}, nil
}

// address finds an address of a host; all of its addresses must be allowed.
func (s *Service) address(ctx context.Context, host string) (netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a, s.guard.Check(a)
	}
	r := s.guard.Resolver
	if r == nil {
		r = net.DefaultResolver
	}
	found, err := r.LookupNetIP(ctx, "ip", absolute(host))
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range found {
		if err := s.guard.Check(a); err != nil {
			return netip.Addr{}, err
		}
	}
	return found[0].Unmap(), nil
}

// head keeps the first of what is written and swallows the rest.
type head struct{ b []byte }

func (h *head) Write(p []byte) (int, error) {
	h.b = append(h.b, p[:min(len(p), guard.Most-len(h.b))]...)
	return len(p), nil
}

// clean makes a text from outside safe to store and show: valid UTF-8 without
// control characters but line breaks and tabs, and not too long.
func clean(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if r := []rune(strings.TrimSpace(s)); len(r) > most {
		return string(r[:most]) + "…"
	}
	return strings.TrimSpace(s)
}
