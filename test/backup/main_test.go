package backup

import (
	"testing"

	"casemate/test/world"
)

func TestMain(m *testing.M) { world.Main(m) }
