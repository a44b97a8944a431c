// Package sealtest gives tests a keyring of their own.
package sealtest

import (
	"context"
	"path/filepath"
	"testing"

	"casemate/internal/seal"
)

// Keyring is a fresh keyring in a folder of the test's.
func Keyring(t testing.TB) *seal.Keyring {
	t.Helper()
	k, err := seal.Create(context.Background(), filepath.Join(t.TempDir(), "keys"), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}
