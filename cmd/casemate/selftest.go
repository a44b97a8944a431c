package main

import (
	"context"
	"encoding/json"
	"fmt"

	"casemate/internal/locale"
	"casemate/internal/selftest"
)

// selftestCmd drives every operation of a running installation.
type selftestCmd struct {
	clientFlags
	jsonFlag
	As   string `help:"The engineer whose steps they are (log-in name). Default: the first by name." placeholder:"NAME"`
	Keep bool   `help:"Leave the sandbox as it is afterwards; else it is reset and disabled."`

	AllowOff bool   `help:"Exit with 0 also when operations are off here: switched off by the configuration, as documented."`
	Probe    string `help:"Address of this machine at which the server can reach it, for the host that the self-test runs itself (checks of host logins, diagnoses)." default:"127.0.0.1" placeholder:"IP"`
}

// Help explains the outcome.
func (selftestCmd) Help() string {
	return "An operation passes only when another one shows its effect; a refusal or an empty list does not count. " +
		"Off here are operations that the configuration has switched off, which is the default outside a demo for checks of host logins " +
		"(authorization.check_hosts) and for diagnoses of addresses that are not public (diagnose.allow): they count as failed unless --allow-off is given. " +
		"The self-test runs a small SSH server of its own, at 127.0.0.1 or --probe, for as long as it lasts. " +
		"Exit code 0: all passed; 1: not all, or the sandbox could not be made. The language is that of the shell (CASEMATE_LANGUAGE=zh or en)."
}

// Run prints the matrix; it fails unless every operation passed, or is off and
// may be.
func (c *selftestCmd) Run(ctx context.Context, o *output) error {
	admin, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer admin.end()
	engineer, as, err := c.engineer(ctx, o, admin)
	if err != nil {
		return err
	}
	if engineer != admin {
		defer engineer.end()
	}
	report, err := selftest.Run(ctx, selftest.Options{URL: admin.base, Admin: admin.call, Engineer: engineer.call, As: as, Keep: c.Keep, Probe: c.Probe, Chinese: o.lang == locale.ZH, Progress: o.err})
	if report == nil {
		return err
	}
	if c.JSON {
		text, err := json.Marshal(report)
		if err := orJSON(o, err, text); err != nil {
			return err
		}
	} else {
		report.Text(o.out, o.lang == locale.ZH)
	}
	if err != nil { // interrupted: not a success, whatever has passed until then
		return problem{"自检被中断", "the self-test was interrupted"}
	}
	if !report.OK(c.AllowOff) {
		return problem{fmt.Sprintf("自检未通过：%d 个接口中 %d 个通过", report.Total, report.Passed), fmt.Sprintf("self-test: %d of %d operations passed", report.Passed, report.Total)}
	}
	return nil
}

// engineer opens a client for the steps and, when it is the operator's, names
// the engineer for whom he acts.
func (c *selftestCmd) engineer(ctx context.Context, o *output, admin *client) (*client, string, error) {
	if c.Credentials == "" {
		if c.As != "" {
			return admin, c.As, nil
		}
		name, err := firstEngineer(ctx, admin, "")
		return admin, name, err
	}
	d := deskCmd{clientFlags: c.clientFlags}
	file, err := readCredentials(c.Credentials)
	if err != nil {
		return nil, "", err
	}
	if len(file.Engineers) == 0 {
		return nil, "", problem{c.Credentials + "：没有工程师（engineers）", c.Credentials + ": holds no engineers"}
	}
	who := file.Engineers[0]
	if c.As != "" {
		var ok bool
		if who, ok = find(file.Engineers, c.As); !ok {
			return nil, "", problem{c.Credentials + "：没有工程师 " + c.As, c.Credentials + ": holds no engineer " + c.As}
		}
	}
	cl, err := d.login(ctx, o, file, who)
	return cl, "", err
}
