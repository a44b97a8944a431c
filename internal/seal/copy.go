package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// CopyKeys makes a key store hold the same keys as another, for an installation
// that moves: wrapped as they are, so that the master key opens both. It goes
// with the data where toDir is another folder. A key that was destroyed in the
// source is destroyed in the target. n is how many keys there are. Nothing else
// may use the target; the source must not be in use for the copy to be whole.
func CopyKeys(ctx context.Context, fromDir, fromDatabase, toDir, toDatabase string) (n int, err error) {
	if fromDir != toDir {
		if err := copyMaster(fromDir, toDir); err != nil {
			return 0, err
		}
	}
	if onPostgres(fromDatabase) == onPostgres(toDatabase) && fromDatabase == toDatabase && fromDir == toDir {
		return 0, errors.New("seal: the keys would be copied onto themselves")
	}
	from, err := openStore(ctx, fromDir, fromDatabase)
	if err != nil {
		return 0, fmt.Errorf("seal: the key store to copy from: %w", err)
	}
	defer from.Close()
	to, err := openStore(ctx, toDir, toDatabase)
	if err != nil {
		return 0, fmt.Errorf("seal: the key store to copy to: %w", err)
	}
	defer to.Close()
	names, err := from.Names(ctx, "")
	if err != nil {
		return 0, err
	}
	there, err := to.Names(ctx, "")
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	wanted := map[string][]byte{}
	for _, name := range names {
		known[name] = true
		if wanted[name], err = from.Load(ctx, name); err != nil {
			return 0, err
		}
	}
	for _, name := range there {
		if !known[name] {
			return 0, errors.New("seal: the key store to copy to holds keys of another installation")
		}
	}
	rewrite := false
	for _, name := range names {
		is, err := to.Add(ctx, name, wanted[name])
		switch {
		case err != nil:
			return 0, err
		case bytes.Equal(is, wanted[name]):
		case bytes.Equal(wanted[name], destroyed):
			if err := to.Destroy(ctx, name); err != nil {
				return 0, err
			}
		default:
			rewrite = true // wrapped anew since: the master key was rotated
		}
	}
	if rewrite {
		err = to.Replace(ctx, func(name string, _ []byte) ([]byte, error) { return wanted[name], nil })
	}
	return len(names), err
}

func copyMaster(fromDir, toDir string) error {
	master, err := readMaster(filepath.Join(fromDir, MasterFile))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(toDir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(toDir, MasterFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return writeMaster(path, master)
	}
	is, err := readMaster(path)
	if err == nil && !bytes.Equal(is, master) {
		err = fmt.Errorf("seal: %s holds another master key", toDir)
	}
	return err
}
