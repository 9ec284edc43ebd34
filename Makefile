# Everything a newcomer and a maintainer do, by name. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# Where `make run` keeps its data, and where it listens.
DATA ?= data
LISTEN ?= 127.0.0.1:8080
PROFILES ?= 1000
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help run web screenshots test check format bench prove train dist clean-data

help: ## List what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# The pages are built anew when something that they are made of has changed.
WEB_SOURCES := $(shell find web clients -type f -not -path '*/node_modules/*' -not -path 'web/e2e/*' -not -path '*/dist/*' -not -name generated.ts)

web: web/dist/app/index.html ## Build the pages of the browser app, which the next build puts into the program

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	npm ci --prefix $* --ignore-scripts --no-audit --no-fund --silent

web/dist/app/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	npm run build --prefix web --silent

screenshots: ## Take a picture of every page, in light and dark, wide and narrow, into docs/screenshots
	@scripts/setup test
	$(MAKE) web
	cargo build --locked -p pando
	npm run screenshots --prefix web --silent

run: ## Build, make sample data when there is none, and serve on LISTEN
	@scripts/setup run
	@if [ ! -e $(TARGET)/quick/pando ]; then \
	  echo 'Building Pando and the 300 crates below it: about five minutes on two cores, seconds the next time.'; fi
	@if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20)'; then $(MAKE) --no-print-directory web; \
	  else echo 'Node.js 20 and npm are missing: the program is built without its pages (https://nodejs.org).'; fi
	cargo build --profile quick --locked
	@# Sample data only for a new file of our own, never for a server that the environment names.
	@if [ -z "$${DATABASE_URL:-}$${DB_URI:-}$${DB_HOST:-}" ] && [ ! -e $(DATA)/pando.db ]; then \
	  $(TARGET)/quick/pando seed --data $(DATA) --profiles $(PROFILES); fi
	@# No load balancer waits here, so Ctrl-C need not either.
	PANDO_HTTP__DRAIN_DELAY_MS=0 $(TARGET)/quick/pando serve --data $(DATA) --listen $(LISTEN)

test: ## Set up what tests need, then run every test on every engine
	@scripts/setup test
	$(MAKE) web clients/typescript/node_modules/.package-lock.json
	npm test --prefix web --silent
	@# Most tests wait for something most of the time.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$(($$(nproc) + 1))} cargo test --workspace --locked
	npm run e2e --prefix web --silent
	npm test --prefix clients/typescript --silent

check: ## What must hold before a commit: format, lints, documentation, dependencies
	@scripts/setup run
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
	@if command -v cargo-deny >/dev/null; then cargo deny --offline check bans licenses sources; else echo 'cargo-deny is not installed: dependencies were not checked (cargo install cargo-deny)'; fi

format: ## Put every file into the house's format
	cargo fmt --all

bench: ## Measure against the limits in one interleaved run, and keep the result
	@scripts/setup bench
	cargo build --release --locked -p pando -p pando-lab
	target/release/pando-lab bench
	npm ci --prefix lab/peers/node --ignore-scripts --no-audit --no-fund --silent
	cargo build --release --locked --manifest-path lab/peers/Cargo.toml --target-dir target/peers
	target/peers/release/pando-peers

prove: ## The long proofs: kill -9 under load again and again, a million raced reads and writes, damaged requests
	@scripts/setup test
	PANDO_PROVE=1 cargo test --locked -p pando --test it -- prove
	PANDO_PROVE=1 cargo test --locked -p pando-http --test it -- prove
	PANDO_PROVE=1 cargo test --locked -p pando-cache --test it -- race
	PANDO_PROVE=1 cargo test --locked -p pando-risk --test it -- prove
	PANDO_PROVE=1 cargo test --locked -p pando-queue --test it -- --nocapture prove

train: ## Make the risk models and their cards again from made data, byte for byte (TRAIN=--check only compares)
	@if ! cmp -s services/risk/train/requirements.txt $(TARGET)/train/installed; then \
	  python3 -m venv $(TARGET)/train; \
	  $(TARGET)/train/bin/pip install --quiet --disable-pip-version-check -r services/risk/train/requirements.txt; \
	  cp services/risk/train/requirements.txt $(TARGET)/train/installed; fi
	PYTHONDONTWRITEBYTECODE=1 $(TARGET)/train/bin/python services/risk/train/train.py $(TRAIN)

dist: ## Build what a user downloads, a tarball and a Debian package, and try the package
	@scripts/setup dist
	$(MAKE) web
	@scripts/dist

clean-data: ## Throw the data of `make run` away
	rm -rf -- $(DATA)
