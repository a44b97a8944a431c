package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shipped is the binary that make build made, or one made now.
func shipped(t *testing.T) string {
	t.Helper()
	if bin := os.Getenv("CASEMATE_BIN"); bin != "" {
		return bin
	}
	bin := filepath.Join(t.TempDir(), "casemate")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=v0-test", "-o", bin, "casemate/cmd/casemate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}

// authority is a file with a certificate, so that the test does not hang on
// those of the machine.
func authority(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read opens an image as a container engine does: from the index over digests
// that are recomputed to what the layers hold.
func read(t *testing.T, file string) (config, string, map[string]*tar.Header, map[string][]byte) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	layout := map[string][]byte{}
	unpack(t, f, nil, layout)
	get := func(d descriptor, kind string) []byte {
		t.Helper()
		body := layout["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")]
		if d.MediaType != kind || digestOf(body) != d.Digest || int64(len(body)) != d.Size {
			t.Fatalf("%+v, want a %s; there are %d bytes with %s", d, kind, len(body), digestOf(body))
		}
		return body
	}
	into := func(body []byte, v any) {
		t.Helper()
		if err := json.Unmarshal(body, v); err != nil {
			t.Fatal(err)
		}
	}
	var version struct{ ImageLayoutVersion string }
	into(layout["oci-layout"], &version)
	if version.ImageLayoutVersion != "1.0.0" {
		t.Errorf("layout %v", version)
	}
	var top index
	into(layout["index.json"], &top)
	if len(top.Manifests) != 1 || top.Manifests[0].Platform.OS != "linux" {
		t.Fatalf("index %+v", top)
	}
	var m manifest
	into(get(top.Manifests[0], typeManifest), &m)
	var c config
	into(get(m.Config, typeConfig), &c)
	heads, files := map[string]*tar.Header{}, map[string][]byte{}
	for i, l := range m.Layers {
		z, err := gzip.NewReader(bytes.NewReader(get(l, typeLayer)))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		if digestOf(plain) != c.RootFS.DiffIDs[i] {
			t.Errorf("layer %d is %s, the config says %s", i, digestOf(plain), c.RootFS.DiffIDs[i])
		}
		unpack(t, bytes.NewReader(plain), heads, files)
	}
	var old []struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	into(layout["manifest.json"], &old)
	if len(old) != 1 || digestOf(layout[old[0].Config]) != m.Config.Digest || len(old[0].Layers) != len(m.Layers) || digestOf(layout[old[0].Layers[1]]) != m.Layers[1].Digest {
		t.Errorf("what older Docker reads is another image: %+v", old)
	}
	return c, top.Manifests[0].Digest, heads, files
}

func unpack(t *testing.T, r io.Reader, heads map[string]*tar.Header, files map[string][]byte) {
	t.Helper()
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(tr)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = body
		if heads != nil {
			heads[h.Name] = h
		}
	}
}

// TestImage: the image holds what it should and nothing to run but the binary,
// which runs from it as a user without rights; a second build is the same.
func TestImage(t *testing.T) {
	bin, roots := shipped(t), authority(t)
	dir := t.TempDir()
	in := input{binary: bin, roots: roots, version: "v1.2.3", name: "casemate"}
	first, second := filepath.Join(dir, "a", "image.tar"), filepath.Join(dir, "b", "image.tar")
	digest, err := write(in, first)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := write(in, second); err != nil || again != digest {
		t.Errorf("second build: %s %v, the first %s", again, err, digest)
	}
	one, err1 := os.ReadFile(first)
	two, err2 := os.ReadFile(second)
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(one, two) {
		t.Errorf("two builds differ: %v", err)
	}

	c, named, heads, files := read(t, first)
	if named != digest {
		t.Errorf("named %s, told %s", named, digest)
	}
	if c.OS != "linux" || c.Architecture != runtime.GOARCH || c.Config.User != "65532:65532" || c.Config.StopSignal != "SIGTERM" ||
		!slices.Equal(c.Config.Entrypoint, []string{"/casemate"}) || !slices.Equal(c.Config.Cmd, []string{"serve"}) ||
		!slices.Equal(c.Config.Healthcheck.Test, []string{"CMD", "/casemate", "health"}) || c.Config.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("config %+v", c)
	}
	var programs []string
	for name, h := range heads {
		if !h.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("%s has a time: %v", name, h.ModTime)
		}
		if h.Typeflag == tar.TypeReg && h.Mode&0o111 != 0 {
			programs = append(programs, name)
		}
		if h.Mode&0o6000 != 0 || h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
			t.Errorf("%s: mode %o, type %c", name, h.Mode, h.Typeflag)
		}
		if owned := h.Uid != 0; owned != (name == "var/lib/casemate/data/" || name == "var/lib/casemate/keys/") {
			t.Errorf("%s belongs to %d", name, h.Uid)
		}
	}
	if !slices.Equal(programs, []string{"casemate"}) {
		t.Errorf("can be run: %v", programs)
	}
	if want, err := os.ReadFile(roots); err != nil || !bytes.Equal(files["etc/ssl/certs/ca-certificates.crt"], want) {
		t.Errorf("certificate authorities are not those given: %v", err)
	}

	// Unpacked, and with nothing else in sight where this process may do that.
	root := filepath.Join(dir, "root")
	for _, name := range slices.Sorted(maps.Keys(heads)) {
		path := filepath.Join(root, name)
		if heads[name].Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, files[name], fs.FileMode(heads[name].Mode).Perm()))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(filepath.Join(root, "casemate"), "version")
	if os.Getuid() == 0 {
		cmd = &exec.Cmd{Path: "/casemate", Args: []string{"casemate", "version"}, Dir: "/",
			SysProcAttr: &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}}
	}
	cmd.Env = c.Config.Env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := exec.Command(bin, "version").Output()
	if err != nil || !bytes.Equal(out, want) || len(out) == 0 {
		t.Errorf("from the image %q, from the file %q (%v)", out, want, err)
	}
	t.Logf("REPORT image: %d MB, reproducible, runs alone as user %d\n", len(one)>>20, user)
}

// TestImageRefuses: what would not run, and no trust at all, are refused, and
// nothing is left behind.
func TestImageRefuses(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	sh, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ binary, roots, why string }{
		{text, authority(t), "no program"},
		{sh, authority(t), "shared libraries"},
		{filepath.Join(dir, "none"), authority(t), "no such file"},
		{goTool(t, self), text, "no certificate"},
	} {
		to := filepath.Join(dir, "out", "image.tar")
		if _, err := write(input{binary: tt.binary, roots: tt.roots}, to); err == nil || !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: %v, want %q", tt.binary, err, tt.why)
		}
		if left, err := os.ReadDir(filepath.Dir(to)); err != nil || len(left) > 0 {
			t.Errorf("%s: left %v %v", tt.binary, left, err)
		}
	}
}

// goTool is a static program of Go's.
func goTool(t *testing.T, self string) string {
	t.Helper()
	if _, err := static(self); err == nil {
		return self
	}
	src := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(src, []byte("package main\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(t.TempDir(), "static")
	cmd := exec.Command("go", "build", "-o", bin, src)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return bin
}
