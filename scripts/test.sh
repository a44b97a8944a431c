#!/usr/bin/env bash
# All tests: packages under the race detector on both databases, and the
# black-box tests against the shipped binary in bin/.
set -uo pipefail
cd "$(dirname "$0")/.."
export CASEMATE_BIN="$PWD/bin/casemate"
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

# Only compiling, for make test to do meanwhile.
[ "${1:-}" != compile ] || CGO_ENABLED=1 exec go build "${race[@]}" ./api/... ./internal/...

# One cluster, one migrated database of each kind and one demo world are made,
# the rest are copies (internal/db/dbtest, test/world).
CASEMATE_TEST_TEMPLATES=$(mktemp -d)
export CASEMATE_TEST_TEMPLATES
trap 'rm -rf "$CASEMATE_TEST_TEMPLATES"' EXIT

# What ./test/... needs of the machine: some wait most of their time (for what a
# killed process left to run out, for servers that restart) and run beside all
# others; two measure how fast and how large the program is and are alone on the
# machine; the rest is work.
waiting=() alone=() working=()
for p in $(go list ./test/... ./deploy/...); do
  case "$p" in
  */test/crash | */test/delivery | */test/mailin | */test/nodes) waiting+=("$p") ;;
  */test/door | */test/files) alone+=("$p") ;;
  *) working+=("$p") ;;
  esac
done
# The long ones of these measure too.
[ -z "${CASEMATE_LONG:-}" ] || { alone=("${waiting[@]}" "${alone[@]}") waiting=(); }

# try is go test in a module's folder; that it was not content goes to the report too.
try() { go -C "$1" test "${options[@]}" "${@:2}" || echo "{\"Action\":\"exit\",\"Output\":\"go test ${*:2}: status $?\"}"; }
beside=$CASEMATE_TEST_TEMPLATES/beside.json
trap 'trap "" TERM; kill 0; exit 1' INT TERM # what runs beside hears neither the keyboard nor who stops this script
export CGO_ENABLED=0
{
  { [ ${#waiting[@]} -eq 0 ] || try . "${tags[@]}" -p 1 -timeout $most "${waiting[@]}"; } >"$beside" 2>&1 &
  CGO_ENABLED=1 try . "${tags[@]}" "${race[@]}" -shuffle=on -timeout 30m ./api/... ./cmd/... ./internal/...
  # At full size, which the race detector makes too slow.
  try . "${tags[@]}" -run '^Test(PumpingBreaker|HonestCrowd|CodeSingleUse|SearchRelevance|UndoRandom)$' ./internal/verify ./internal/ticket
  try . "${tags[@]}" -p 2 -timeout $most "${working[@]}"
  wait
  cat "$beside"
  try . "${tags[@]}" -p 1 -timeout $most "${alone[@]}"
  try deploy/helm/test ./... # a module of its own, with Helm's library
} 2>&1 | go run ./test/report
