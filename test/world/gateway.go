package world

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"casemate/internal/db/dbtest"
)

// Gateway is a real object store, versitygw over a folder, which checks every
// signature itself.
type Gateway struct {
	Address string // host:port
	Folder  string // one folder a bucket
	Env     []string
}

// Store starts a gateway with buckets, until the test ends. Its sources are a
// module of their own, which is built here: for the long tests.
func Store(t testing.TB, buckets ...string) Gateway {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "versitygw")
	build := exec.Command("go", "-C", filepath.Join("..", "files", "versitygw"), "build", "-o", binary, "github.com/versity/versitygw/cmd/versitygw")
	build.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	address, err := dbtest.Free()
	if err != nil {
		t.Fatal(err)
	}
	const key, secret = "gateway", "a-secret-of-the-gateway"
	g := Gateway{Address: address, Folder: filepath.Join(dir, "store"), Env: []string{"AWS_ACCESS_KEY_ID=" + key, "AWS_SECRET_ACCESS_KEY=" + secret}}
	for _, folder := range append([]string{"../sidecar"}, buckets...) {
		if err := os.MkdirAll(filepath.Join(g.Folder, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	gateway := exec.Command(binary, "--port", g.Address, "--access", key, "--secret", secret, "--quiet", "posix", "--sidecar", filepath.Join(dir, "sidecar"), g.Folder)
	var said bytes.Buffer
	gateway.Stdout, gateway.Stderr = &said, &said
	gateway.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := gateway.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = gateway.Process.Kill()
		_ = gateway.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c, err := net.Dial("tcp", g.Address); err == nil {
			c.Close()
			return g
		} else if time.Now().After(until) {
			t.Fatal(err, said.String())
		}
	}
}
