// Package world starts the shipped binary for the black-box tests: a process
// of its own on a fresh data folder, SQLite or PostgreSQL, with the demo
// world's credentials. It knows the outside face of the product only.
package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
	"casemate/test/judge"
)

// Credentials is the file casemate serve --demo --credentials writes.
type Credentials struct {
	BaseURL string `json:"base_url"`
	Domains []struct {
		ID    string `json:"domain_id"`
		Name  string `json:"domain_name"`
		Users []User `json:"users"`
	} `json:"domains"`
	Engineers []struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	} `json:"engineers"`
	Admin struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	} `json:"admin"`
}

// User is one of a domain's users; the first is the main account.
type User struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	ID       string `json:"user_id"`
	AK       string `json:"ak"`
	SK       string `json:"sk"`
	Role     string `json:"role"`
	Email    string `json:"email"`
	Mobile   string `json:"mobile"`
}

// Options of a world.
type Options struct {
	Binary   string   // another version's; "" = the shipped one. It gets the database as it is
	Database string   // URL of a database; "" = SQLite in the data folder
	Config   string   // text of a configuration file, "" = none
	Args     []string // more arguments of casemate serve
	Wrap     []string // a command that runs the binary, e.g. strace and its options
	NoDemo   bool
	Fresh    bool     // the demo world is made here, not copied: its making is looked at, or it must be no other's
	Env      []string // more environment, NAME=value
	Direct   bool     // clients call the server itself, nothing is judged
	Strict   bool     // no client here sends a request that breaks the contract
}

// World is a running installation.
type World struct {
	Credentials
	Dir  string        // data folder
	URL  string        // what clients call: a tap that judges what passes (package judge)
	Log  *bytes.Buffer // what the server wrote to standard error: its log
	Said *bytes.Buffer // and to standard output: the welcome
	o    Options
	t    testing.TB
	cmd  *exec.Cmd
	done chan error
	mu   sync.Mutex

	address string // the server's own
	tap     *judge.Tap
	court   *judge.Court
}

var build struct {
	once sync.Once
	path string
	err  error
}

// Binary is the path of the shipped binary: CASEMATE_BIN, or built once.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("CASEMATE_BIN"); path != "" {
		return path
	}
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "casemate-bin")
		if err != nil {
			build.err = err
			return
		}
		if build.err = dbtest.RemoveAtEnd(dir, 0); build.err != nil {
			return
		}
		build.path = filepath.Join(dir, "casemate")
		cmd := exec.Command("go", "build", "-trimpath", "-o", build.path, "casemate/cmd/casemate")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("building the binary: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.path
}

// Start runs casemate serve on a fresh folder and waits until it is ready. The
// process is stopped when the test ends.
func Start(t testing.TB, o Options) *World {
	t.Helper()
	// A data folder that outlives the process, also when it is killed.
	w := &World{Dir: filepath.Join(t.TempDir(), "data"), o: o, t: t}
	if o.Config != "" {
		path := filepath.Join(t.TempDir(), "casemate.yaml")
		if err := os.WriteFile(path, []byte(o.Config), 0o600); err != nil {
			t.Fatal(err)
		}
		w.o.Args = append(append([]string(nil), o.Args...), "--config", path)
	}
	if o.Database != "" && o.Binary == "" {
		dbtest.Partition(t, o.Database)
	}
	var err error
	if w.address, err = dbtest.Free(); err != nil {
		t.Fatal(err)
	}
	w.URL = "http://" + w.address
	if !o.Direct {
		w.court = &judge.Court{Strict: o.Strict, Documented: documented.MatchString(o.Config)}
		if w.tap, err = judge.Listen(w.address, w.court); err != nil {
			t.Fatal(err)
		}
		w.URL = w.tap.URL
	}
	w.copyDemo()
	w.Run()
	t.Cleanup(func() {
		w.Kill()
		w.judged()
		if t.Failed() {
			t.Logf("log of the server:\n%s", tail(w.Log.String(), 8000))
		}
	})
	return w
}

func tail(s string, n int) string {
	if len(s) > n {
		return "..." + s[len(s)-n:]
	}
	return s
}

// Run starts the process on the world's data folder (again, after Kill or
// Stop, on the same address) and waits until it is ready.
func (w *World) Run() {
	w.t.Helper()
	w.launch()
	w.ready()
	if w.o.NoDemo {
		return
	}
	credentials := w.CredentialsFile()
	text, err := os.ReadFile(credentials)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &w.Credentials); err != nil {
		w.t.Fatal(err)
	}
	// Programs that read the file go through the tap as well.
	if err := os.WriteFile(credentials, bytes.ReplaceAll(text, []byte("http://"+w.address), []byte(w.URL)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.BaseURL = w.URL
}

// Refused starts the process as Run does, where it is to end by itself within a
// minute, and returns with what.
func (w *World) Refused() error {
	w.t.Helper()
	w.launch()
	select {
	case err := <-w.done:
		w.done <- err
		return err
	case <-time.After(time.Minute):
		w.Kill()
		w.t.Error("the server goes on")
		return nil
	}
}

func (w *World) launch() {
	w.t.Helper()
	args := append([]string(nil), w.o.Wrap...)
	args = append(args, w.binary(), "serve", "--data", w.Dir, "--listen", w.address, "--credentials", w.CredentialsFile())
	if !w.o.NoDemo {
		args = append(args, "--demo")
	}
	if w.o.Database != "" {
		args = append(args, "--database", w.o.Database)
	}
	args = append(args, w.o.Args...)
	w.cmd = exec.Command(args[0], args[1:]...)
	w.cmd.Env = append(os.Environ(), w.o.Env...)
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if w.Log == nil {
		w.Log, w.Said = new(bytes.Buffer), new(bytes.Buffer)
	}
	w.cmd.Stdout, w.cmd.Stderr = &lockedWriter{mu: &w.mu, w: w.Said}, &lockedWriter{mu: &w.mu, w: w.Log}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan error) { done <- cmd.Wait() }(w.cmd, w.done)
}

func (w *World) binary() string {
	if w.o.Binary != "" {
		return w.o.Binary
	}
	return Binary(w.t)
}

// Upgraded tells that the shipped binary is what runs from the next Run on.
func (w *World) Upgraded() { w.o.Binary = "" }

// Ended tells whether the process is no more.
func (w *World) Ended() bool {
	select {
	case err := <-w.done:
		w.done <- err
		return true
	default:
		return false
	}
}

// Moved tells where the installation lies from the next Run on: a data folder,
// a database and arguments that replace those it was started with.
func (w *World) Moved(dir, database string, args ...string) {
	w.Dir, w.o.Database, w.o.Args = dir, database, args
	credentials := w.CredentialsFile()
	text, err := json.Marshal(w.Credentials)
	if err == nil {
		err = os.WriteFile(credentials, text, 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

var documented = regexp.MustCompile(`business_status:\s*documented`)

// total is what was judged in this process.
var total struct {
	mu    sync.Mutex
	count judge.Count
}

// judged ends the tap and makes a violation of the contract a failure.
func (w *World) judged() {
	if w.tap == nil {
		return
	}
	w.tap.Close()
	for i, v := range w.court.Violations() {
		if i == 20 {
			w.t.Errorf("and %d more kinds of violations", len(w.court.Violations())-i)
			break
		}
		w.t.Errorf("api/v2.yaml: %s", v)
	}
	n := w.court.Count()
	w.t.Logf("judged against api/v2.yaml: %v", n)
	total.mu.Lock()
	defer total.mu.Unlock()
	total.count.Add(n)
}

// Judged is what the tap of this world has judged so far.
func (w *World) Judged() judge.Count { return w.court.Count() }

// Main runs a package's tests and prints what was judged of all its worlds:
// func TestMain(m *testing.M) { world.Main(m) }.
func Main(m *testing.M) {
	code := m.Run()
	total.mu.Lock()
	fmt.Printf("REPORT contract: %v\n", total.count)
	total.mu.Unlock()
	os.Exit(code)
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (w *World) ready() {
	w.t.Helper()
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.Now().Add(2 * time.Minute)
	for time.Now().Before(deadline) {
		select {
		case err := <-w.done:
			w.done <- err
			w.t.Fatalf("the server ended before it was ready: %v\n%s", err, tail(w.LogText(), 4000))
		default:
		}
		res, err := client.Get("http://" + w.address + "/readyz")
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("the server is not ready after 2 minutes\n%s", tail(w.LogText(), 4000))
}

// LogText is what the server has written so far.
func (w *World) LogText() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Log.String()
}

// Welcome is what the server told its operator so far.
func (w *World) Welcome() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Said.String()
}

// PID is the process group's leader.
func (w *World) PID() int { return w.cmd.Process.Pid }

// Kill ends the process and its children by SIGKILL.
func (w *World) Kill() { w.signal(syscall.SIGKILL) }

// Stop ends the process gracefully and waits for it.
func (w *World) Stop() { w.signal(syscall.SIGTERM) }

func (w *World) signal(s syscall.Signal) {
	if w.cmd == nil || w.cmd.Process == nil {
		return
	}
	if err := syscall.Kill(-w.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		w.t.Logf("signal %v: %v", s, err)
	}
	select {
	case err := <-w.done:
		w.done <- err
	case <-time.After(90 * time.Second):
		w.t.Errorf("the server does not end after %v", s)
		_ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// Local runs a command of the binary on this world's data folder and returns
// what it printed.
func (w *World) Local(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.binary(), append(args, "--data", w.Dir)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("casemate %s: %w: %s", strings.Join(args, " "), err, errOut.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// CredentialsFile is the path of the demo credentials.
func (w *World) CredentialsFile() string {
	return filepath.Join(filepath.Dir(w.Dir), "credentials.json")
}
