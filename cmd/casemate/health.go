package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
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
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	path := "/readyz"
	if c.Alive {
		path = "/healthz"
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return err
	}
	// No proxy: the answer of another machine is not this one's.
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct{ Why []string }
	if err := json.NewDecoder(http.MaxBytesReader(nil, res.Body, 64<<10)).Decode(&answer); err != nil {
		return fmt.Errorf("%s: status %d: %w", path, res.StatusCode, err)
	}
	if res.StatusCode != http.StatusOK {
		if len(answer.Why) == 0 {
			return fmt.Errorf("%s: status %d", path, res.StatusCode)
		}
		return errors.New(o.say("未就绪：", "not ready: ") + strings.Join(answer.Why, ", "))
	}
	fmt.Fprintln(o.out, o.say("正常", "ok"))
	return nil
}
