//go:build long

package nodes

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// predecessor is the version that TestMixedVersions runs beside this one, a tag
// or a commit of this repository: the oldest state whose numbers of migrations
// have no gap, 33 of them. All of them stand unchanged in this version. From the
// second release on it is the tag of the release before.
const predecessor = "10ad8a8873405cdcc527589faa860d01a1e39946"

// predecessorBinary builds the predecessor from the repository's history, with
// what go.sum of that time asks for. CASEMATE_PREDECESSOR names another tag or
// commit, or the path of a binary, for those who have the sources without their
// history: without either a source archive skips, which CI=true makes a failure;
// a clone that lacks the commit fails.
func predecessorBinary(t *testing.T) (binary, version string) {
	t.Helper()
	version = predecessor
	if named := os.Getenv("CASEMATE_PREDECESSOR"); strings.ContainsRune(named, filepath.Separator) {
		return named, named
	} else if named != "" {
		version = named
	}
	git := func(args ...string) (string, error) {
		cmd := exec.Command("git", args...)
		var out, said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &said
		if err := cmd.Run(); err != nil {
			return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(said.Bytes()))
		}
		return strings.TrimSpace(out.String()), nil
	}
	const instead = "or name the predecessor's binary: CASEMATE_PREDECESSOR=/path/to/casemate"
	root, err := git("rev-parse", "--show-toplevel")
	if err != nil {
		t.Skipf("the predecessor %s is built from the repository's history, which is not here (%v): run this in a clone, %s", version, err, instead)
	}
	if _, err := git("cat-file", "-e", version+"^{commit}"); err != nil {
		shallow, _ := git("rev-parse", "--is-shallow-repository")
		t.Fatalf("the predecessor %s is not in this clone (shallow: %s): git fetch --unshallow --tags, %s", version, shallow, instead)
	}
	dir := t.TempDir()
	sources := filepath.Join(dir, "sources")
	if err := os.Mkdir(sources, 0o700); err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "sources.tar")
	if _, err := git("-C", root, "archive", "-o", archive, version); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-x", "-f", archive, "-C", sources).CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	binary = filepath.Join(dir, "casemate-before")
	cmd := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/casemate")
	cmd.Dir = sources
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the predecessor %s (its modules: go mod download at that commit): %v\n%s", version, err, out)
	}
	files, _ := fs.Glob(os.DirFS(sources), "internal/db/migrations/*.sql")
	return binary, fmt.Sprintf("%.12s with %d migrations", version, len(files))
}
