package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// listenCmd follows the change feed from the shell: each event is printed, or
// given to a program or an address on this machine. It goes on where it was
// when a state file is given.
type listenCmd struct {
	clientFlags
	After   int64         `help:"Begin behind this number; -1 = from now on, or where the state file says." default:"-1"`
	Domain  string        `help:"Only events of this customer, by name or id; numbers are then the domain's own." placeholder:"DOMAIN"`
	Kind    []string      `help:"Only kinds that are or begin with this, e.g. ticket." placeholder:"KIND"`
	Forward string        `help:"POST each event as JSON to this address; it must answer 2xx, else the event is tried again." placeholder:"URL"`
	Exec    string        `help:"Run this command for each event, the event as JSON on its standard input; status 0 means taken." placeholder:"COMMAND"`
	State   string        `help:"File that remembers the last number taken." type:"path" placeholder:"FILE"`
	Every   time.Duration `help:"How often to ask for news." default:"500ms"`
	Once    bool          `help:"End when nothing is new."`
}

// Validate is called by the parser.
func (c *listenCmd) Validate() error {
	if c.Forward != "" && c.Exec != "" {
		return errors.New("give --forward or --exec, not both")
	}
	if c.Forward != "" {
		if u, err := url.Parse(c.Forward); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("--forward %q is no address", c.Forward)
		}
	}
	if c.Every < 10*time.Millisecond {
		return errors.New("--every is at least 10ms")
	}
	return nil
}

// maxPause is the longest pause between tries of one event, or of a server that
// does not answer.
const maxPause = 30 * time.Second

// Run follows the feed until it is interrupted.
func (c *listenCmd) Run(ctx context.Context, o *output) error {
	cl, err := c.operator(ctx, o)
	if err != nil {
		return err
	}
	defer cl.end()
	q := url.Values{"limit": {"200"}}
	if c.Domain != "" {
		domain, err := findDomain(ctx, cl, c.Domain)
		if err != nil {
			return err
		}
		q.Set("domain", domain)
	}
	after, err := c.start(ctx, cl, q)
	if err != nil {
		return err
	}
	wait := c.Every
	for {
		q.Set("after", strconv.FormatInt(after, 10))
		var list struct {
			Items []json.RawMessage `json:"items"`
			Last  int64             `json:"last"`
		}
		err := cl.get(ctx, "/desk/v1/events", q, &list)
		if stopped(ctx) {
			return nil
		}
		if refused := (refusal{}); errors.As(err, &refused) && refused.status < 500 && refused.status != http.StatusTooManyRequests {
			return err
		}
		if err != nil {
			fmt.Fprintln(o.err, "casemate:", describe(err, o.lang))
			if wait = min(2*wait, maxPause); pause(ctx, wait) != nil {
				return nil
			}
			continue
		}
		wait = c.Every
		for _, e := range list.Items {
			n, err := c.take(ctx, o, q.Has("domain"), e)
			if stopped(ctx) {
				return nil
			}
			if err != nil {
				return err
			}
			after = n
			if err := c.remember(after); err != nil {
				return err
			}
		}
		switch {
		case len(list.Items) > 0:
		case c.Once:
			return nil
		case pause(ctx, c.Every) != nil:
			return nil
		}
	}
}

func stopped(ctx context.Context) bool { return ctx.Err() != nil }

// start is the number to begin behind.
func (c *listenCmd) start(ctx context.Context, cl *client, q url.Values) (int64, error) {
	if c.State != "" {
		text, err := os.ReadFile(c.State)
		if err == nil {
			n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
			if err != nil || n < 0 {
				return 0, problem{c.State + "：不是有效的状态文件", c.State + ": not a state file"}
			}
			return n, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
	}
	if c.After >= 0 {
		return c.After, nil
	}
	if !q.Has("domain") {
		var system struct {
			Last int64 `json:"last_event"`
		}
		err := cl.get(ctx, "/desk/v1/system", nil, &system)
		return system.Last, err
	}
	// A domain's own numbers are not on the system page: read to the end.
	for after := int64(0); ; {
		q := url.Values{"limit": {"500"}, "domain": q["domain"], "after": {strconv.FormatInt(after, 10)}}
		var list struct {
			Items []struct{} `json:"items"`
			Last  int64      `json:"last"`
		}
		if err := cl.get(ctx, "/desk/v1/events", q, &list); err != nil || len(list.Items) == 0 {
			return after, err
		}
		after = list.Last
	}
}

// remember writes the state file so that a crash leaves the old or the new one.
func (c *listenCmd) remember(n int64) error {
	if c.State == "" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(c.State), ".listen-*")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, n)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.State)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// take gives one event away, again and again until it is taken, and answers its
// number.
func (c *listenCmd) take(ctx context.Context, o *output, ofDomain bool, raw json.RawMessage) (int64, error) {
	var e struct {
		Seq       int64  `json:"seq"`
		DomainSeq int64  `json:"domain_seq"`
		ID        string `json:"id"`
		Kind      string `json:"kind"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return 0, err
	}
	n := e.Seq
	if ofDomain {
		n = e.DomainSeq
	}
	if !c.wants(e.Kind) {
		return n, nil
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return 0, err
	}
	line.WriteByte('\n')
	for wait := time.Second; ; wait = min(2*wait, maxPause) {
		err := c.give(ctx, o, e.ID, line.Bytes())
		if err == nil || stopped(ctx) {
			return n, nil
		}
		fmt.Fprintf(o.err, "casemate: %s %d: %v\n", o.say("事件未被接收，将重试", "an event was not taken, trying again"), n, err)
		if pause(ctx, wait) != nil {
			return n, nil
		}
	}
}

func (c *listenCmd) wants(kind string) bool {
	for _, k := range c.Kind {
		if strings.HasPrefix(kind, strings.TrimSuffix(k, "*")) {
			return true
		}
	}
	return len(c.Kind) == 0
}

func (c *listenCmd) give(ctx context.Context, o *output, id string, line []byte) error {
	switch {
	case c.Exec != "":
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.Exec)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(line), o.out, o.err
		return cmd.Run()
	case c.Forward != "":
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Forward, bytes.NewReader(line))
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("webhook-id", "evt_"+id)
		res, err := (&http.Client{Timeout: callTimeout}).Do(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)); err != nil {
			return err
		}
		if res.StatusCode/100 != 2 {
			return errors.New(res.Status)
		}
		return nil
	}
	_, err := o.out.Write(line)
	return err
}
