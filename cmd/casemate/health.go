package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"casemate/internal/fault"
)

type healthCmd struct {
	Listen string        `help:"Address of the server, as serve has it." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Alive  bool          `help:"Ask only whether the process serves, not whether it should get requests."`
	Wait   time.Duration `help:"How long an answer may take." default:"3s"`
}

// Run asks a server on this machine how it is; whatever keeps it from getting
// requests is a failure. It is the health check of containers, whose image has
// nothing but this program.
func (c healthCmd) Run(ctx context.Context, o *output) error {
	host, port, err := hostPort(c.Listen)
	if err != nil {
		return err
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n == 0 { // 0 is any that is free, which nobody can ask
		return problem{"--listen " + strconv.Quote(c.Listen) + "：端口须为 1 到 65535 的数字，即服务所监听的端口", "--listen " + strconv.Quote(c.Listen) + ": a port is a number from 1 to 65535, the one the server listens on"}
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	path := "/readyz"
	if c.Alive {
		path = "/healthz"
	}
	limited, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	at := net.JoinHostPort(host, port)
	req, err := http.NewRequestWithContext(limited, http.MethodGet, "http://"+at+path, nil)
	if err != nil {
		return err
	}
	// No proxy: the answer of another machine is not this one's.
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return c.silent(at, err)
	}
	defer res.Body.Close()
	var answer struct{ Why []string }
	wrong := json.NewDecoder(http.MaxBytesReader(nil, res.Body, 64<<10)).Decode(&answer)
	if wrong != nil || res.StatusCode != http.StatusOK && len(answer.Why) == 0 {
		return problem{fmt.Sprintf("%s 处的不是 Casemate：%s 返回状态 %d", at, path, res.StatusCode), fmt.Sprintf("what is at %s is not Casemate: %s has status %d", at, path, res.StatusCode)}
	}
	if res.StatusCode != http.StatusOK {
		return errors.New(o.say("未就绪：", "not ready: ") + strings.Join(answer.Why, ", "))
	}
	fmt.Fprintln(o.out, o.say("正常", "ok"))
	return nil
}

// silent is why there was no answer, and what to look at.
func (c healthCmd) silent(at string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return problem{fmt.Sprintf("%s 在 %s 内没有响应", at, c.Wait), fmt.Sprintf("%s did not answer within %s", at, c.Wait)}
	}
	if e := (*url.Error)(nil); errors.As(err, &e) {
		err = e.Err
	}
	if e := (*net.OpError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	why := fault.Reason(err)
	return problem{at + " 没有响应：" + why.ZH + "；服务未运行，或监听在其他地址（由 --listen 给出）", at + " does not answer: " + why.EN + "; the server does not run, or listens elsewhere (give --listen)"}
}
