package dbtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// kept tells whether what this process makes is kept for others:
// scripts/test.sh names a folder, which lives as long as its run.
func kept() bool { return os.Getenv("CASEMATE_TEST_TEMPLATES") != "" }

// Once makes what shall be at path, or copies what another process of this run
// has made under the name.
func Once(name, path string, make func() error) error {
	if !kept() {
		return make()
	}
	own := filepath.Join(os.Getenv("CASEMATE_TEST_TEMPLATES"), name)
	lock, err := os.OpenFile(own+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	if _, err := os.Stat(own); err == nil {
		return Clone(own, path)
	}
	if err := make(); err != nil {
		return err
	}
	if err := Clone(path, own+".new"); err != nil {
		return err
	}
	return os.Rename(own+".new", own)
}

// Clone copies a file or a folder with its owner, rights and times.
func Clone(from, to string) error {
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("cp: %w: %s", err, out)
	}
	return nil
}
