# The doors of the project; `make` alone lists them. Every one does the set-up that it needs.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# Debian's own interpreter, since the module that the vector check needs is installed for that one.
PYTHON := $(firstword $(wildcard /usr/bin/python3) python3)
# Of every product of a release alike, so that none is built anew for the sake of another. Swift's libraries
# go into the program: a machine that only runs it needs nothing but Debian's.
RELEASE := -c release --static-swift-stdlib
FUZZERS := $(sort $(notdir $(patsubst %/,%,$(wildcard Fuzz/Fuzz*/))))
DEMO_FLAGS := $(if $(SECONDS),--seconds '$(SECONDS)') $(if $(ORDERS),--orders '$(ORDERS)') \
	$(if $(MAPPING),--mapping '$(MAPPING)') $(if $(DIR),--dir '$(DIR)') $(if $(LISTEN),--listen '$(LISTEN)')

.PHONY: help setup build release lint test unit contract store alerts vectors javascript pages fuzz docs demo \
	cluster soak chaos sanitize load bench bench-growth bench-profiles counts counts-write counted clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what Debian has to bring along
	@scripts/setup

build: setup ## build everything for debugging, the tests too
	@swift build --quiet --build-tests

release: setup ## build the tool for use, into .build/release/lianfen
	@[[ -x .build/release/lianfen ]] || echo "Building for the first time; this takes a few minutes." >&2
	@# What the linker finds dangerous is in Foundation, and nothing that can be mended here.
	@swift build --quiet $(RELEASE) --product lianfen 2>&1 | { grep -v "the use of .mktemp' is dangerous" || true; } >&2

lint: ## check the layout of the sources
	@swift format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks $(wildcard Fuzz)

test: setup lint build unit contract store alerts vectors javascript pages ## run every check: what a change must pass
	@$(MAKE) fuzz SECONDS=20
	@$(MAKE) counts

unit: build ## run the tests, and check that those named in docs/features.md passed
	@scripts/setup postgresql-15
	@scripts/run-tests

contract: build ## hold the HTTP interface to its document: EXAMPLES=4 a route, SEED=
	@scripts/setup python3-venv
	@EXAMPLES='$(EXAMPLES)' SEED='$(SEED)' "$$(scripts/python-venv)" -B Tests/Contract/contract.py

store: build ## keep backups in a store that speaks the S3 protocol and checks every signature
	@scripts/setup python3-venv
	@"$$(scripts/python-venv)" -B Tests/Store/store.py --lianfen .build/debug/lianfen 2>.build/store.log || \
	    { cat .build/store.log >&2; exit 1; }

alerts: setup ## let Prometheus' own tool check the alert rules, and when each of them comes
	@tool=$$(scripts/promtool) && "$$tool" check rules --lint=all --lint-fatal examples/machines/alerts.yml >/dev/null && \
	    "$$tool" test rules Tests/Alerts/alerts.test.yml >/dev/null

vectors: setup ## let a second implementation check the golden vectors
	@if [[ -f Tests/vectors.py ]]; then $(PYTHON) Tests/vectors.py; fi

javascript: build ## run the tests of the module for pages: the golden vectors, and a real node
	@node --test Tests/JavaScript/*.test.mjs

pages: $(if $(BASE),,build) ## run the tests of the pages in a browser, with a node of their own or BASE=URL
	@scripts/setup chromium python3-venv fonts-noto-cjk
	@"$$(scripts/python-venv)" Tests/Pages/explorer.py $(if $(BASE),'$(BASE)')

fuzz: setup ## throw broken input at the decoders, SECONDS=240 shared among them
	@scripts/run-fuzzers $(or $(SECONDS),240) $(FUZZERS)

docs: setup ## write the documentation of the libraries into .build/docs
	@scripts/make-docs

demo: release ## run four organisations here: SECONDS=30, ORDERS=FILE MAPPING=FILE, DIR=DIR, LISTEN=HOST:PORT
	@exec .build/release/lianfen demo $(DEMO_FLAGS)

cluster: release ## run four organisations and three etcd members as processes: DIR=DIR, PORT=7900, RATE=40
	@DIR='$(or $(DIR),lianfen-cluster)' PORT='$(PORT)' RATE='$(RATE)' exec scripts/cluster run

soak: build release ## run the tests of the node at length, then a node under load for MINUTES=20: does it grow?
	@LIANFEN_SOAK=1 swift test --skip-build --disable-xctest --filter NodeTests
	@swift build --quiet $(RELEASE) --product Soak
	@.build/release/Soak --lianfen .build/release/lianfen --minutes '$(or $(MINUTES),20)' --dir '$(or $(DIR),.build/soak)'

chaos: build ## let real nodes meet one fault after the other under load: FAULTS=100, SEED=, ONLY=KIND, DIR=DIR
	@mkdir -p '$(or $(DIR),.build/chaos)'
	@LIANFEN_CHAOS_FAULTS='$(or $(FAULTS),100)' LIANFEN_CHAOS_SEED='$(or $(SEED),$(shell date +%s))' \
	    LIANFEN_CHAOS_ONLY='$(ONLY)' LIANFEN_CHAOS_DIR="$$(realpath '$(or $(DIR),.build/chaos)')" \
	    swift test --skip-build --disable-xctest --filter ChaosTests/manyFaultsHurtNobody

# The simulator has one thread, so there is nothing for the sanitizer to see in it. Of the server's tests only those of
# its threads' comings and goings: bytes by the million take longer here than the clients of the others wait.
sanitize: setup ## run the tests of what has threads under the thread sanitizer: node, HTTP server
	@export LIANFEN_ONLY='NodeTests HTTPServerTests ConcurrencyTests'; \
	run=(swift test --quiet --disable-xctest --sanitize=thread --scratch-path .build-thread); \
	"$${run[@]}" --filter '^HTTPServerTests\.(TLS|Stop)Tests/' --filter '^ConcurrencyTests\.'; \
	"$${run[@]}" --skip-build --filter '^NodeTests\.' --skip NodeTests.SimulatorTests

load: release ## lean a crowd on a node: event streams, dripping and wrong requests
	@scripts/setup wrk
	@$(PYTHON) Tests/Load/crowd.py --lianfen .build/release/lianfen

bench: release ## measure the ledger on this machine, and PostgreSQL beside it: ONLY=NAME, RUNS=5, DIR=DIR
	@scripts/setup postgresql-15
	@exec .build/release/lianfen bench --dir '$(or $(DIR),.build/bench)' $(if $(RUNS),--runs '$(RUNS)') \
	    $(foreach name,$(ONLY),--only '$(name)')

bench-growth: release ## measure how cost grows, and draw docs/performance.md: LARGEST=N, RUNS=5, NOTE=TEXT, DIR=DIR
	@scripts/setup python3-matplotlib
	@# What is measured is what is here now; half an hour later it may be something else.
	@commit=$$(git describe --always --dirty); tool=.build/release/lianfen; \
	$$tool bench --growth --json --dir '$(or $(DIR),.build/bench)' $(if $(RUNS),--runs '$(RUNS)') \
	    $(if $(LARGEST),--largest '$(LARGEST)') >.build/growth.jsonl; \
	$(PYTHON) scripts/draw-growth --measured .build/growth.jsonl --machine "$$($$tool bench --machine)" \
	    --commit "$$commit" $(if $(LARGEST),--largest '$(LARGEST)') $(if $(NOTE),--note '$(NOTE)')

bench-profiles: release ## profile the benchmarks, and write docs/performance/profiles.md: ONLY=NAME, DIR=DIR
	@scripts/setup linux-perf
	@scripts/keep-profiles --tool .build/release/lianfen --dir '$(or $(DIR),.build/bench)' \
	    --machine "$$(.build/release/lianfen bench --machine)" --commit "$$(git describe --always --dirty)" $(ONLY)

counts: ## count the instructions of the hot paths, and hold them to Benchmarks/counts.tsv
	@$(MAKE) counted ACTION=check

counts-write: ## count them and write that file anew
	@$(MAKE) counted ACTION=write

counted: release
	@scripts/setup valgrind
	@swift build --quiet $(RELEASE) --product Counts
	@.build/release/Counts $(ACTION) Benchmarks/counts.tsv

clean: ## remove everything that was built
	@rm -rf .build .build-fuzz .build-thread
