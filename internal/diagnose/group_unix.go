//go:build unix

package diagnose

import (
	"os/exec"
	"syscall"
)

// asGroup gives a command a process group of its own, which is killed with it:
// what it started must not outlive its time.
func asGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
