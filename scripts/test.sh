#!/usr/bin/env bash
# All tests: packages under the race detector on both databases, then the
# black-box tests against the shipped binary in bin/.
set -uo pipefail
cd "$(dirname "$0")/.."
export CASEMATE_BIN="$PWD/bin/casemate"
# One cluster and one migrated database of each kind are made, the rest are
# copies (internal/db/dbtest).
CASEMATE_TEST_TEMPLATES=$(mktemp -d)
export CASEMATE_TEST_TEMPLATES
trap 'rm -rf "$CASEMATE_TEST_TEMPLATES"' EXIT

options=(-json -vet=off -count=1) # make lint vets, tests' own code too
tags=() most=20m
[ -z "${CASEMATE_LONG:-}" ] || { tags=(-tags long); most=90m; } # tests that take a minute and more

# SQLite is C made into Go: its memory is none that the race detector watches,
# and asking it at each access was a third of all the work here. The driver
# above it is watched.
race=(-race
  -gcflags='modernc.org/...=-d=checkptr=0'
  -gcflags='modernc.org/libc/...=-race=false -d=checkptr=0'
  -gcflags='modernc.org/sqlite/lib=-race=false -d=checkptr=0')

# Those that kill processes or measure how fast they are run one at a time; the
# others two at a time, since they wait a lot.
alone=()
together=()
for p in $(go list ./test/... ./deploy/...); do
  case "$p" in
  */test/crash | */test/delivery | */test/door | */test/files | */test/mailin | */test/nodes | */test/shift) alone+=("$p") ;;
  *) together+=("$p") ;;
  esac
done

{
  CGO_ENABLED=1 go test "${options[@]}" "${tags[@]}" "${race[@]}" -shuffle=on -timeout 30m ./api/... ./cmd/... ./internal/...
  export CGO_ENABLED=0
  go test "${options[@]}" "${tags[@]}" -run 'TestPumpingBreaker' ./internal/verify # at full size
  go test "${options[@]}" "${tags[@]}" -p 2 -timeout $most "${together[@]}"
  go test "${options[@]}" "${tags[@]}" -p 1 -timeout $most "${alone[@]}"
  go -C deploy/helm/test test -json -count=1 ./... # a module of its own, with Helm's library
} 2>&1 | CGO_ENABLED=0 go run ./test/report
