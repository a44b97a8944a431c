package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"debug/buildinfo"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"
)

// What the image says of itself. The user is a number, so that Kubernetes can
// tell that it is not root.
const (
	user     = 65532
	home     = "/var/lib/casemate"
	program  = "/casemate"
	roots    = "/etc/ssl/certs/ca-certificates.crt"
	port     = "8080/tcp"
	timeZero = "1970-01-01T00:00:00Z" // of everything: the time of a build is no part of it

	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type input struct{ binary, roots, version, name string }

// descriptor, manifest and config are those of the OCI image specification 1.1.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Platform    *platform         `json:"platform,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	Config        descriptor        `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

type index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Manifests     []descriptor `json:"manifests"`
}

type config struct {
	Created string `json:"created"`
	platform
	Config struct {
		User         string              `json:"User"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Env          []string            `json:"Env"`
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		Volumes      map[string]struct{} `json:"Volumes"`
		WorkingDir   string              `json:"WorkingDir"`
		Labels       map[string]string   `json:"Labels"`
		StopSignal   string              `json:"StopSignal"`
		Healthcheck  healthcheck         `json:"Healthcheck"` // an addition of Docker's, which others ignore
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	History []history `json:"history"`
}

type history struct {
	Created   string `json:"created"`
	CreatedBy string `json:"created_by"`
}

type healthcheck struct {
	Test        []string
	Interval    time.Duration
	Timeout     time.Duration
	StartPeriod time.Duration
	Retries     int
}

// blob is a file of the layout, named by its digest.
type blob struct {
	descriptor
	diff string // digest before compression, of layers
	body []byte
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// entry is a file or folder of a layer.
type entry struct {
	name  string
	mode  int64
	owner int
	body  []byte // nil = a folder
}

// layer packs entries in their order, without times and names of owners.
func layer(entries []entry) (blob, error) {
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed) // the digest is the same, a build some seconds faster
	if err != nil {
		return blob{}, err
	}
	plain := sha256.New()
	t := tar.NewWriter(io.MultiWriter(z, plain))
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name[1:], Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.body)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if e.body == nil {
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		}
		if err := t.WriteHeader(h); err != nil {
			return blob{}, err
		}
		if _, err := t.Write(e.body); err != nil {
			return blob{}, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return blob{}, err
	}
	b := asBlob(typeLayer, zipped.Bytes())
	b.diff = "sha256:" + hex.EncodeToString(plain.Sum(nil))
	return b, nil
}

func asBlob(kind string, body []byte) blob {
	return blob{descriptor: descriptor{MediaType: kind, Digest: digestOf(body), Size: int64(len(body))}, body: body}
}

func asJSON(kind string, v any) (blob, error) {
	body, err := json.Marshal(v)
	return asBlob(kind, body), err
}

// build writes the layout and returns the digest of the manifest, which is
// what `image@sha256:...` names.
func build(in input, out io.Writer) (string, error) {
	arch, err := static(in.binary)
	if err != nil {
		return "", err
	}
	binary, err := os.ReadFile(in.binary)
	if err != nil {
		return "", err
	}
	authorities, err := os.ReadFile(in.roots)
	if err != nil {
		return "", err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(authorities) {
		return "", fmt.Errorf("%s holds no certificate", in.roots)
	}
	// What changes seldom comes first, so that nodes keep it over upgrades.
	base, err := layer([]entry{
		{"/etc", 0o755, 0, nil},
		{"/etc/group", 0o644, 0, []byte(fmt.Sprintf("root:x:0:\ncasemate:x:%d:\n", user))},
		{"/etc/passwd", 0o644, 0, []byte(fmt.Sprintf("root:x:0:0:root:/:/sbin/nologin\ncasemate:x:%d:%d:casemate:%s:/sbin/nologin\n", user, user, home))},
		{"/etc/ssl", 0o755, 0, nil},
		{"/etc/ssl/certs", 0o755, 0, nil},
		{roots, 0o644, 0, authorities},
		{"/tmp", 0o1777, 0, nil},
		{"/var", 0o755, 0, nil},
		{"/var/lib", 0o755, 0, nil},
		{home, 0o755, 0, nil},
		{home + "/data", 0o700, user, nil},
		{home + "/keys", 0o700, user, nil},
	})
	if err != nil {
		return "", err
	}
	app, err := layer([]entry{{program, 0o755, 0, binary}})
	if err != nil {
		return "", err
	}

	var c config
	c.Created, c.platform = timeZero, platform{Architecture: arch, OS: "linux"}
	c.Config.User = fmt.Sprintf("%d:%d", user, user)
	c.Config.ExposedPorts = map[string]struct{}{port: {}}
	c.Config.Env = []string{"CASEMATE_DATA=" + home + "/data", "CASEMATE_KEYS=" + home + "/keys", "CASEMATE_LISTEN=0.0.0.0:8080", "PATH=/"}
	c.Config.Entrypoint, c.Config.Cmd = []string{program}, []string{"serve"}
	c.Config.Volumes = map[string]struct{}{home + "/data": {}, home + "/keys": {}}
	c.Config.WorkingDir, c.Config.StopSignal = "/", "SIGTERM"
	c.Config.Labels = map[string]string{"org.opencontainers.image.title": "Casemate", "org.opencontainers.image.version": in.version}
	c.Config.Healthcheck = healthcheck{Test: []string{"CMD", program, "health"}, Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: time.Minute, Retries: 3}
	c.RootFS.Type, c.RootFS.DiffIDs = "layers", []string{base.diff, app.diff}
	c.History = []history{{timeZero, "certificate authorities, user, folders"}, {timeZero, program + " " + in.version}}
	conf, err := asJSON(typeConfig, c)
	if err != nil {
		return "", err
	}
	m, err := asJSON(typeManifest, manifest{SchemaVersion: 2, MediaType: typeManifest, Config: conf.descriptor, Layers: []descriptor{base.descriptor, app.descriptor},
		Annotations: map[string]string{"org.opencontainers.image.version": in.version}})
	if err != nil {
		return "", err
	}
	entryOf := m.descriptor
	entryOf.Platform = &platform{Architecture: arch, OS: "linux"}
	entryOf.Annotations = map[string]string{"org.opencontainers.image.ref.name": in.version, "io.containerd.image.name": in.name + ":" + in.version}
	top, err := asJSON(typeIndex, index{SchemaVersion: 2, MediaType: typeIndex, Manifests: []descriptor{entryOf}})
	if err != nil {
		return "", err
	}
	// What Docker before 25 reads instead of the index.
	old, err := asJSON("", []map[string]any{{"Config": conf.path(), "RepoTags": []string{in.name + ":" + in.version}, "Layers": []string{base.path(), app.path()}}})
	if err != nil {
		return "", err
	}

	t := tar.NewWriter(out)
	put := func(name string, body []byte) {
		if err == nil {
			err = t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(body)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR})
		}
		if err == nil {
			_, err = t.Write(body)
		}
	}
	put("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	put("index.json", top.body)
	put("manifest.json", old.body)
	for _, b := range []blob{m, conf, base, app} {
		put(b.path(), b.body)
	}
	return m.Digest, errors.Join(err, t.Close())
}

func (b blob) path() string { return path.Join("blobs", "sha256", b.Digest[len("sha256:"):]) }

// static refuses what would not run in an image that holds nothing else, and
// tells for which processor the binary is.
func static(binary string) (arch string, err error) {
	f, err := elf.Open(binary)
	if err != nil {
		return "", fmt.Errorf("%s is no program for Linux: %w", binary, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s needs shared libraries: build it with CGO_ENABLED=0", binary)
		}
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", err
	}
	for _, s := range info.Settings {
		if s.Key == "GOARCH" {
			return s.Value, nil
		}
	}
	return "", fmt.Errorf("%s does not say for which processor it is", binary)
}
