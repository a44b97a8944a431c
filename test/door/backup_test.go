package door

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/osm/v2/model"

	"casemate/test/world"
)

// TestBackupRestore: a backup made while the server runs is verified with its
// keys and refused without them or damaged; the data alone holds no key.
func TestBackupRestore(t *testing.T) {
	w := world.Start(t, world.Options{})
	dir := t.TempDir()
	data, keys := filepath.Join(dir, "data.tar"), filepath.Join(dir, "keys.tar")
	for _, args := range [][]string{{"backup", "--to", data}, {"backup", "--keys-only", "--to", keys}} {
		if _, err := w.Local(args...); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := w.Local("restore", "--verify", "--from", data, "--keys-from", keys); err != nil || !strings.Contains(out, "restored and checked") {
		t.Errorf("verify: %q, %v", out, err)
	}
	if _, err := w.Local("backup", "--to", data); err == nil {
		t.Error("a backup overwrites a file")
	}
	other := world.Start(t, world.Options{})
	foreign := filepath.Join(dir, "foreign.tar")
	if _, err := other.Local("backup", "--keys-only", "--to", foreign); err != nil {
		t.Fatal(err)
	}
	if out, err := w.Local("restore", "--verify", "--from", data, "--keys-from", foreign); err == nil {
		t.Errorf("another installation's keys open it: %q", out)
	}
	text, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	broken := filepath.Join(dir, "broken.tar")
	if err := os.WriteFile(broken, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := w.Local("restore", "--verify", "--from", broken, "--keys-from", keys); err == nil {
		t.Errorf("a damaged backup is taken: %q", out)
	}
	// For real: into new folders, and served.
	w.Kill()
	if err := os.RemoveAll(w.Dir); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(w.Dir + ".keys"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Local("restore", "--from", data, "--keys-from", keys); err != nil {
		t.Fatal(err)
	}
	w.Run()
	if _, err := client(t, w, w.Domains[0].Users[0].SK).ListCases(&model.ListCasesRequest{}); err == nil {
		t.Error("no answer expected but 501")
	} else if c, _ := code(err); c != "OSM.0004" {
		t.Errorf("after the restore: %v", err)
	}
}
