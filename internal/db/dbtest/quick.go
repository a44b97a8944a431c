package dbtest

import "syscall"

// enough is what must be free in memory before files are kept there.
const enough = 2 << 30

// quick is the folder for databases that need not outlive the machine: Linux's
// own in memory where it has room, or "", the usual one. A database of
// PostgreSQL is a thousand files, and on a disk making them costs more than what
// most tests do with them.
func quick() string {
	const shm = "/dev/shm"
	var at syscall.Statfs_t
	if syscall.Statfs(shm, &at) != nil || at.Bavail*uint64(at.Bsize) < enough || syscall.Access(shm, 7) != nil {
		return ""
	}
	return shm
}
