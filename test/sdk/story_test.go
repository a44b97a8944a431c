// Package sdk drives the shipped binary with the vendor's own Go SDK.
package sdk

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"casemate/internal/db/dbtest"
	"casemate/test/world"
)

// TestStory tells examples/gosdk against a real process four ways (SQLite and
// PostgreSQL, signed requests and a token), twice each in the same world.
func TestStory(t *testing.T) {
	program := filepath.Join(t.TempDir(), "gosdk")
	if out, err := exec.Command("go", "build", "-o", program, "casemate/examples/gosdk").CombinedOutput(); err != nil {
		t.Fatalf("building the example: %v\n%s", err, out)
	}
	for _, database := range []string{"sqlite", "postgres"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			o := world.Options{Strict: true}
			if database == "postgres" {
				o.Database = dbtest.EmptyDatabase(t)
			}
			w := world.Start(t, o)
			for _, auth := range []string{"aksk", "token"} {
				for _, telling := range []string{"first", "second"} {
					t.Run(auth+" "+telling, func(t *testing.T) {
						cmd := exec.Command(program, "-credentials", w.CredentialsFile(), "-auth", auth, "-casemate", world.Binary(t), "-data", w.Dir)
						cmd.Env = os.Environ()
						out, err := cmd.CombinedOutput()
						if err != nil {
							t.Fatalf("%v\n%s", err, out)
						}
						t.Logf("%s", out)
					})
				}
			}
		})
	}
}
