package server

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"casemate/internal/blob"
)

// TestBackupKeep: the newest stay by their names; names of a time yet to come are
// neither counted nor removed nor taken for the newest, and the one just made
// always stays, whatever the clock says. With a name of its own it is refused.
func TestBackupKeep(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	day := func(n int) string { return backupName(false, false, now.AddDate(0, 0, n)) }
	sealed := backupName(false, true, now)
	shelfOf := func(names ...string) (string, blob.Shelf) {
		dir := t.TempDir()
		for _, n := range names {
			if err := os.WriteFile(filepath.Join(dir, n), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		shelf, _, err := blob.OpenShelf(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return dir, shelf
	}
	for _, tt := range []struct {
		name  string
		there []string
		made  string
		want  []string
		ahead int
	}{
		{"the newest two", []string{day(-3), day(-2), day(-1)}, "", []string{day(-2), day(-1)}, 0},
		{"a clock was ahead", []string{day(-2), day(-1), day(0), day(30), day(31)}, day(0), []string{day(-1), day(0), day(30), day(31)}, 2},
		{"encrypted ones and keys are counted by themselves", []string{day(-3), day(-2), day(-1), sealed, backupName(true, false, now)}, "", []string{day(-2), day(-1), sealed, backupName(true, false, now)}, 0},
		{"the clock went back", []string{day(-9), day(-2), day(-1)}, day(-9), []string{day(-9), day(-1)}, 0},
	} {
		dir, shelf := shelfOf(tt.there...)
		out, err := prune(t.Context(), shelf, 2, kind{}, tt.made, now)
		files, failed := os.ReadDir(dir)
		var left []string
		for _, f := range files {
			left = append(left, f.Name())
		}
		if err != nil || failed != nil || !slices.Equal(left, tt.want) || len(out.Ahead) != tt.ahead || len(out.Removed) != len(tt.there)-len(tt.want) {
			t.Errorf("%s: %v, %+v, %v", tt.name, left, out, err)
		}
	}
	o := Options{Data: t.TempDir()}
	if err := os.WriteFile(filepath.Join(o.Data, dataFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Backup{From: o, To: filepath.Join(t.TempDir(), "named.tar"), Keep: 1}).Run(t.Context()); !errors.Is(err, ErrKeep) {
		t.Errorf("Keep beside a name: %v", err)
	}
	_, shelf := shelfOf(day(-2), day(-1), day(30))
	if name, ahead, err := newest(t.Context(), shelf, false, now); err != nil || name != day(-1) || len(ahead) != 1 {
		t.Errorf("the newest: %s, %v, %v", name, ahead, err)
	}
	_, shelf = shelfOf(day(30), day(31))
	if name, ahead, err := newest(t.Context(), shelf, false, now); err != nil || name != day(31) || len(ahead) != 2 {
		t.Errorf("only such as are ahead: %s, %v, %v", name, ahead, err)
	}
}
