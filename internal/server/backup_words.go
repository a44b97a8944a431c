package server

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"casemate/internal/db"
	"casemate/internal/fault"
)

// What the store and the file system say to a backup or restore, in words for who
// runs it.
var (
	errSchemas   = fault.New(fault.Conflict, fault.CodeInvalid, "数据库的结构与本版本不同：请先用本版本启动一次服务", "the database is of another version: start the server of this version on it once")
	errUnequal   = fault.New(fault.Invalid, fault.CodeInvalid, "数据库的副本与读到的内容不一致，请重新备份；若反复出现，请检查磁盘", "the copy of the database is not what was read: make the backup again; if it happens again, look at the disk")
	errRefused   = fault.New(fault.Invalid, fault.CodeInvalid, "没有权限：{path}", "permission denied: {path}")
	errNotThere  = fault.New(fault.Invalid, fault.CodeInvalid, "文件或目录不存在：{path}", "no such file or folder: {path}")
	errNoScratch = fault.New(fault.Unavailable, fault.CodeInternal, "无法在 {dir} 中创建临时目录", "no folder can be made in {dir}")
	errEnds      = fault.New(fault.Invalid, fault.CodeInvalid, "{file} 不完整：在 {part} 处中断", "{file} is cut off in {part}")
	errNotMade   = fault.New(fault.Unavailable, fault.CodeInternal, "备份未完成，原因见服务器日志", "the backup was not made; the server's log says why")
	errStopped   = fault.New(fault.Unavailable, fault.CodeInternal, "备份被中止：服务器已停止", "the backup was stopped: the server ended")
)

// inWords is an error that a backup or restore ends with: as a fault where it is
// known, with its cause for the log.
func inWords(err error) error {
	if err == nil || errors.As(err, &brokenChain{}) {
		return err
	}
	if _, ok := fault.As(err); ok {
		return err
	}
	path := (*fs.PathError)(nil)
	switch {
	case errors.Is(err, db.ErrDamaged):
		return errDatabase.With("why", strings.TrimPrefix(err.Error(), db.ErrDamaged.Error()+": ")).Because(err) // as SQLite says it
	case errors.Is(err, db.ErrSchemas):
		return errSchemas.Because(err)
	case errors.Is(err, db.ErrUnequal):
		return errUnequal.Because(err)
	case errors.As(err, &path) && errors.Is(err, fs.ErrPermission):
		return errRefused.With("path", filepath.Clean(path.Path)).Because(err)
	case errors.As(err, &path) && errors.Is(err, fs.ErrNotExist):
		return errNotThere.With("path", filepath.Clean(path.Path)).Because(err)
	}
	return err
}
