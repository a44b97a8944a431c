package dbtest

import (
	"io"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

var ends struct {
	mu    sync.Mutex
	pipes []io.Closer // kept open until the process ends
}

// RemoveAtEnd removes a folder once this process has ended, however it ends:
// what several tests of a process share is too big to be left behind. With after
// it waits for the end of the process of that id first.
func RemoveAtEnd(dir string, after int) error {
	// The shell reads to the end of a pipe that nobody but this process holds.
	cmd := exec.Command("/bin/sh", "-c", `read -r end; while [ "$2" != 0 ] && kill -0 "$2" 2>/dev/null; do sleep 0.1; done; rm -rf -- "$1"`, "sh", dir, strconv.Itoa(after))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt from the keyboard is not meant for it
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	ends.mu.Lock()
	ends.pipes = append(ends.pipes, pipe)
	ends.mu.Unlock()
	return cmd.Start()
}
