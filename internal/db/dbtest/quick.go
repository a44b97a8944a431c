package dbtest

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

// memory is Linux's folder of files in memory.
const memory = "/dev/shm"

// enough is what must be free in memory before files are kept there.
const enough = 2 << 30

// quick is the folder for databases that need not outlive the machine: the one in
// memory where it has room and the machine has twice as much left, or "", the usual
// one. A database of PostgreSQL is a thousand files, and on a disk making them costs
// more than what most tests do with them.
func quick() string {
	var at syscall.Statfs_t
	if syscall.Statfs(memory, &at) != nil || at.Bavail*uint64(at.Bsize) < enough || syscall.Access(memory, 7) != nil || left() < 2*enough {
		return ""
	}
	return memory
}

var available = regexp.MustCompile(`(?m)^MemAvailable:\s+(\d+) kB$`)

// left is the memory that may still be used, in bytes: the machine's, or what the
// container is allowed.
func left() uint64 {
	info, _ := os.ReadFile("/proc/meminfo")
	m := available.FindSubmatch(info)
	if m == nil {
		return 0
	}
	free, _ := strconv.ParseUint(string(m[1]), 10, 64)
	free <<= 10
	number := func(file string) (uint64, bool) {
		text, err := os.ReadFile("/sys/fs/cgroup/" + file)
		n, bad := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64) // "max": no limit
		return n, err == nil && bad == nil
	}
	if limit, ok := number("memory.max"); ok {
		used, _ := number("memory.current")
		free = min(free, max(limit, used)-used)
	}
	return free
}
