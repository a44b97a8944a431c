//go:build !unix

package diagnose

import "os/exec"

// asGroup does nothing where there are no process groups: the command alone is
// killed when its time is up.
func asGroup(*exec.Cmd) {}
