# Two commands matter: make run (the demo world) and make test (what CI runs).
# Each does its own set-up.

GO      ?= go
BIN     := bin/casemate
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
LISTEN  ?= 127.0.0.1:8080
DATA    ?= data

# The same for all that is built here but the race detector's part, so that the
# generated code is compiled once for the program, the checks and the tests.
export GOFLAGS     ?= -mod=readonly -trimpath
export CGO_ENABLED ?= 0

# What the pages are made of; without Node the program is built without them
# and says so where they would be.
PAGES       := web/dist/console.html
PAGE_SOURCE := $(shell find web \( -name node_modules -o -name dist -o -name e2e -o -name screenshots -o -name test-results \) -prune -o -type f ! -name '*.go' ! -name '*.md' -print) $(wildcard docs/*.md docs/guide/*.md api/*.yaml)

.PHONY: help build image run test test-web test-compiled test-long bench generate check-generated fmt lint setup screenshots clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1|/' | column -t -s '|'

build: $(PAGES) ## bin/casemate, the shipped binary with its pages (no C compiler needed)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/casemate

web/node_modules/.package-lock.json: web/package-lock.json
	@if command -v npm >/dev/null; then cd web && npm ci --ignore-scripts --no-audit --no-fund; fi

$(PAGES): web/node_modules/.package-lock.json $(PAGE_SOURCE)
	@if command -v npm >/dev/null; then cd web && npm run --silent build; \
	else echo "npm (Node 20 or later) is not here: building without the pages" >&2; fi

image: build ## dist/casemate-image.tar, a container image of nothing but the binary (no container engine needed)
	$(GO) run ./deploy/image -binary $(BIN) -version $(VERSION) -to dist/casemate-image.tar

run: build ## the demo world on http://$(LISTEN), data in ./$(DATA)
	./$(BIN) serve --demo --data $(DATA) --listen $(LISTEN) --credentials $(DATA)/credentials.json

test: setup check-generated lint build ## everything CI runs
	@$(MAKE) --no-print-directory -j2 test-web test-compiled
	./scripts/test.sh

test-compiled: # what the race detector's part is made of, while the browser waits
	@nice -n 19 ./scripts/test.sh compile

test-web: build ## the pages: types, units, and the short set in a browser
	cd web && npm run --silent types && git diff --exit-code --stat -- kit/api
	cd web && npm run --silent check && npm run --silent unit && npm run --silent e2e

screenshots: setup build ## every screen in both languages and schemes, wide and narrow, into web/screenshots
	cd web && npm run --silent screenshots

test-long: export CASEMATE_LONG = 1
test-long: export CASEMATE_TEST_PARTITIONED = 1
test-long: setup build test-web ## the heavy tests: more kills, more data
	cd web && npm run --silent e2e-long
	./scripts/test.sh

bench: setup build ## creating tickets per second, with the bare limits beside (docs/BENCHMARKS.md)
	$(GO) run ./test/perf

# surfaces are contract:package pairs.
SURFACES := v2:api iam:iam desk:desk web:webapi

generate: ## generated code from api/*.yaml
	@$(GO) build -o .cache/ogen github.com/ogen-go/ogen/cmd/ogen
	@printf '%s\n' $(SURFACES) | tr ':' ' ' | xargs -P 2 -L 1 sh -c \
	  'exec .cache/ogen --clean --config api/ogen.yaml --package oas --target "internal/$$1/oas" "api/$$0.yaml"'

check-generated: generate ## fails when the committed generated code is not what the contracts give
	@git diff --exit-code --stat -- 'internal/*/oas' || \
	  { echo "generated code differs from api/*.yaml: run make generate and commit the result" >&2; exit 1; }
	@test -z "$$(git ls-files --others --exclude-standard -- 'internal/*/oas')" || \
	  { echo "generated files are not committed" >&2; exit 1; }

fmt: ## gofmt
	gofmt -w $$(git ls-files '*.go' | grep -v /oas/)

lint: ## format, vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go' | grep -v /oas/)); test -z "$$out" || { echo "not formatted: $$out" >&2; exit 1; }
	$(GO) mod verify >/dev/null
	$(GO) vet $$($(GO) list ./... | grep -v /oas$$)
	$(GO) tool staticcheck $$($(GO) list ./... | grep -v /oas$$)

setup: ## installs what tests need and the machine lacks (PostgreSQL, a C compiler, strace, Chromium)
	@./scripts/setup.sh

clean: ## removes what was built
	rm -rf bin dist .cache web/node_modules
	git clean -fdxq web/dist
