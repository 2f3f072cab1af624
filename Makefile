# `make help` lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# lld, because it folds equal functions and packs relative relocations: 0.9 MB less resident. The C++ library
# that the Swift runtime needs is linked statically, as the Swift library is: 0.9 MB less again, and a quicker
# start. `make idle` shows the memory.
STATIC_LIBS := .build/static
LINK_FLAGS := -Xswiftc -use-ld=lld -Xlinker -L$(CURDIR)/$(STATIC_LIBS) -Xlinker --gc-sections -Xlinker --icf=safe \
	-Xlinker -z -Xlinker pack-relative-relocs
SWIFT_RELEASE := swift build -c release --static-swift-stdlib $(LINK_FLAGS)
# What /version and *_build_info say of the build.
GIT_COMMIT = $(shell git describe --always --dirty --exclude '*' 2>/dev/null || echo unknown)
GIT_DATE = $(shell git show -s --format=%cI HEAD 2>/dev/null || echo unknown)
BIN := .build/release
# What the checks run against: the release build, or the binaries in the directory that SVC_DHT_BIN names.
BUILT := $(if $(SVC_DHT_BIN),,build)
PREFIX ?= /usr/local
SECONDS_PER_FUZZ_TARGET ?= 60
SIM_ARGUMENTS ?= --short --strict

.PHONY: help setup static-libs build run demo test roundtrip surface original replicas recursion outage fastopen echo \
	client flood badinput idle startup alloc bench bench-compare soak perf http callgrind valgrind prometheus \
	readiness lifecycle openapi deploy-check systemd page pagetest docs man fuzz dht-sim sim sim-hashes lint fmt \
	vectors install clean

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build dht-sim: export SVC_BUILD_GIT = $(GIT_COMMIT)
build dht-sim: export SVC_BUILD_DATE = $(GIT_DATE)
build: static-libs ## Release binaries in .build/release, the Swift library linked statically
	@$(SWIFT_RELEASE) --product svc-dht
	@$(SWIFT_RELEASE) --product svc-overlay

run: build ## One node in the foreground with an embedded switch; admin on 127.0.0.1:5301
	@exec $(BIN)/svc-dht run --embed-overlay 127.0.0.1:9700

demo: $(BUILT) ## A small cluster: put on one node, get on another
	@scripts/live/demo.sh

test: setup ## Unit tests
	@swift test

example: setup ## Two nodes in one process, wired by hand: Examples/embed
	@swift run embed | tee /dev/stderr | grep -q '^found' || { echo "the second node did not find the value" >&2; exit 1; }

roundtrip: $(BUILT) ## Clusters of 2, 8 and 5 nodes: what is put on one node is got from the others
	@scripts/live/roundtrip.sh

surface: $(BUILT) ## Deletes, conditional writes, providers, explain and ping against four nodes
	@scripts/live/surface.sh

original: $(BUILT) ## The curl lines of the original's scripts against two nodes
	@scripts/live/original.sh

recursion: $(BUILT) ## Lookups are passed on over sessions that are open, and their answers handed back
	@scripts/live/recursion.sh

replicas: $(BUILT) ## Records outlive their holders: two stopped, two killed, and two give every value
	@scripts/live/replicas.sh

outage: $(BUILT) ## A hub is killed and comes back; the nodes must find back by themselves
	@scripts/live/outage.sh

fastopen: $(BUILT) ## A first request over a link with delay, with and without TCP fast open
	@scripts/live/fastopen.sh

echo: $(BUILT) ## A node on a hub that only echoes: it stays up and not ready
	@scripts/live/echo.sh

client: $(BUILT) ## A client of 20 lines of Python talks to a node through the switch
	@scripts/live/client.sh

flood: $(BUILT) ## One session floods a node; another one does not notice
	@scripts/live/flood.sh

badinput: $(BUILT) ## What no peer and no HTTP client should send
	@scripts/live/badinput.sh

idle: $(BUILT) ## Memory, CPU time and wake-ups of a node that has nothing to do
	@scripts/bench/idle.sh

startup: $(BUILT) ## Time from start to listening
	@scripts/bench/startup.sh

alloc: $(BUILT) ## Counts allocations on the hot path: there must be none
	@scripts/bench/alloc.sh

bench: $(BUILT) ## The figures of docs/PERFORMANCE.md beside their targets, in one table
	@scripts/bench/targets.sh

bench-compare: ## Micro-benchmarks against the committed baseline
	@scripts/bench/baseline.sh

soak: $(BUILT) ## Load on a cluster of its own for a minute: latency, memory, descriptors, CPU time
	@scripts/bench/soak.sh

perf: $(BUILT) ## Flame graphs of a node and a switch under load, in out/
	@scripts/bench/perf.sh

http: $(BUILT) ## CPU per HTTP request, beside libmicrohttpd, nginx and redis
	@scripts/bench/http.sh

callgrind: $(BUILT) ## Instructions per request
	@scripts/bench/callgrind.sh

valgrind: $(BUILT) ## A round trip under memcheck
	@scripts/live/valgrind.sh

prometheus: $(BUILT) ## Debian's Prometheus scrapes two nodes; promtool checks pages and alert rules
	@scripts/live/prometheus.sh

readiness: $(BUILT) ## Nodes that lose their last peer, killed or frozen, stop being ready within 30 s
	@scripts/live/readiness.sh

lifecycle: $(BUILT) ## Reload, graceful stop, token: a node as its supervisor sees it
	@scripts/live/lifecycle.sh

openapi: $(BUILT) ## schemathesis holds a live node against docs/openapi.yaml
	@scripts/live/openapi.sh

deploy-check: build ## make install, manual, completions; deploy/ against the binaries and a live node
	@scripts/live/deploy.sh

systemd: ## The units as systemd judges them
	@scripts/check/systemd.sh

page: ## Embeds web/page.html anew
	@scripts/gen/page.py

pagetest: $(BUILT) ## The page in headless Chromium; its screenshots go to docs/img
	@scripts/live/page.sh

docs: build man ## Documents against what they speak of: links, targets, scripts, settings, tests; manual pages
	@scripts/gen/settings.py $(BIN) --check
	@scripts/check/docs.py $(BIN)

sim: dht-sim ## A short form of every table of the simulator, held against its aims; SIM_ARGUMENTS= for the whole
	@scripts/sim/report.py $(SIM_ARGUMENTS)

sim-hashes: dht-sim ## A hundred runs of the simulator give the very output that they gave before
	@scripts/sim/hashes.py

fuzz: ## Bytes from strangers, SECONDS_PER_FUZZ_TARGET (60) seconds for each target
	@scripts/live/fuzz.sh $(SECONDS_PER_FUZZ_TARGET)

lint: ## Format, order of the rooms, heads of the sources, shell scripts, golden vectors, grammar
	@scripts/check/lint.sh

fmt: ## Formats the Swift sources in place
	@swift format -i -r Sources Tests Examples Fuzz/Sources Benchmarks/Benchmarks Package.swift Fuzz/Package.swift \
		Benchmarks/Package.swift

vectors: ## Writes the golden vectors anew
	@"$$(scripts/venv.sh)/python" scripts/gen/vectors.py

man: build ## Manual pages in out/man, out of the commands' own help
	@mkdir -p out/man
	@swift build --product generate-manual >out/man.log 2>&1 || { tail -n 20 out/man.log >&2; exit 1; }
	@for program in svc-dht svc-overlay; do \
		.build/debug/generate-manual $(BIN)/$$program --multi-page --output-directory out/man; \
	done

SHARE = $(DESTDIR)$(PREFIX)/share
install: build man ## Binaries, manual pages and completions under $(PREFIX)
	@install -D -t $(DESTDIR)$(PREFIX)/bin $(BIN)/svc-dht $(BIN)/svc-overlay
	@install -D -m 644 -t $(SHARE)/man/man1 out/man/*.1
	@install -d $(SHARE)/bash-completion/completions $(SHARE)/zsh/site-functions $(SHARE)/fish/vendor_completions.d
	@for program in svc-dht svc-overlay; do \
		$(BIN)/$$program --generate-completion-script bash >$(SHARE)/bash-completion/completions/$$program; \
		$(BIN)/$$program --generate-completion-script zsh >$(SHARE)/zsh/site-functions/_$$program; \
		$(BIN)/$$program --generate-completion-script fish >$(SHARE)/fish/vendor_completions.d/$$program.fish; \
	done

clean: ## Removes everything that was built
	@rm -rf .build Fuzz/.build .venv-tools out

setup:
	@scripts/setup.sh build

# Where no C++ compiler says where that library is, it is linked dynamically.
static-libs: setup
	@mkdir -p $(STATIC_LIBS)
	@if command -v c++ >/dev/null; then ln -sf "$$(c++ -print-file-name=libstdc++.a)" $(STATIC_LIBS)/; fi

# With the flags of the daemons, so that neither build makes the other compile the library anew.
dht-sim: static-libs
	@$(SWIFT_RELEASE) --product dht-sim
