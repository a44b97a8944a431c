package main

import (
	"strings"
	"testing"
)

// TestVersion: the flag says what the command says.
func TestVersion(t *testing.T) {
	t.Setenv("CASEMATE_VERSION", "v1") // somebody's own variable, for an image's tag: no flag
	for _, arg := range []string{"version", "--version"} {
		var out, problems strings.Builder
		if code := run(t.Context(), []string{arg}, &out, &problems); code != 0 || out.String() != "casemate "+version+"\n" || problems.Len() > 0 {
			t.Errorf("%s: exit %d, %q, %q", arg, code, out.String(), problems.String())
		}
	}
}
