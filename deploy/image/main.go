// Command image makes a container image of the static binary without any
// container engine: an OCI layout in a tar file, which `docker load`, `podman
// load`, `skopeo copy oci-archive:...` and `crane push` read. The same input
// gives the same digest.
//
// The image holds the binary, the certificate authorities to trust, a user
// without rights and empty folders for data and keys: no shell, no package
// manager, nothing else that could be run.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	var in input
	var to string
	flag.StringVar(&in.binary, "binary", "bin/casemate", "the static `file` to pack")
	flag.StringVar(&in.roots, "roots", "/etc/ssl/certs/ca-certificates.crt", "`file` with the certificate authorities to trust, PEM")
	flag.StringVar(&in.version, "version", "dev", "version of the image")
	flag.StringVar(&in.name, "name", "casemate", "name of the image")
	flag.StringVar(&to, "to", "dist/casemate-image.tar", "`file` to write")
	flag.Parse()
	digest, err := write(in, to)
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Printf("%s  %s:%s  %s\n", to, in.name, in.version, digest)
}

// write makes the image and puts it in place at once, so that a run that was
// cut off leaves no half of one.
func write(in input, to string) (digest string, err error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(to), ".image-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name()) // gone already when all went well
	if digest, err = build(in, f); err != nil {
		f.Close()
		return "", err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return digest, os.Rename(f.Name(), to)
}
