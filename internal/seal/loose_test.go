package seal

import "testing"

// TestLoose: a master key is its owner's alone; only root may give it to the
// group of a process without rights, to be read.
func TestLoose(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode        uint32
		owner       uint32
		user, group int
		taken       bool
	}{
		{0o600, 1000, 1000, 1000, true},
		{0o400, 1000, 1000, 1000, true},
		{0o640, 1000, 1000, 1000, false},
		{0o440, 0, 65532, 65532, true},
		{0o640, 0, 65532, 65532, true},
		{0o660, 0, 65532, 65532, false},
		{0o444, 0, 65532, 65532, false},
		{0o440, 0, 0, 0, false},
		{0o440, 0, 65532, 0, false}, // root's group is many
		{0o440, 1, 65532, 65532, false},
	} {
		if taken := tt.mode&uint32(loose(tt.owner, tt.user, tt.group)) == 0; taken != tt.taken {
			t.Errorf("%o of %d for %d:%d: taken %v", tt.mode, tt.owner, tt.user, tt.group, taken)
		}
	}
}
