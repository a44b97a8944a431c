#!/usr/bin/env bash
# All tests: packages under the race detector on both databases, then the
# black-box tests against the shipped binary in bin/.
set -uo pipefail
cd "$(dirname "$0")/.."
export CGO_ENABLED=1
export CASEMATE_BIN="$PWD/bin/casemate"
tags=() most=20m
[ -z "${CASEMATE_LONG:-}" ] || { tags=(-tags long); most=90m; } # tests that take a minute and more

# The black-box tests kill and time processes, so they run after the packages
# and one package at a time.
{
  go test -json "${tags[@]}" -race -gcflags='modernc.org/...=-d=checkptr=0' -shuffle=on -count=1 -timeout 30m ./api/... ./cmd/... ./internal/...
  CGO_ENABLED=0 go test -json "${tags[@]}" -count=1 -run 'TestPumpingBreaker' ./internal/verify # at full size
  CGO_ENABLED=0 go test -json "${tags[@]}" -count=1 -p 1 -timeout $most ./test/... ./deploy/...
  CGO_ENABLED=0 go -C deploy/helm/test test -json -count=1 ./... # a module of its own, with Helm's library
} 2>&1 | go run ./test/report
