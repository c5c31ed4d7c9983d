# Two commands do everything, set-up included, on a fresh Debian 12 with Rust, Java 17 and Maven:
#   make demo     the main job: MySQL to Kafka and to a warehouse, under load, compared row by row
#   make test     all tests, on real servers
# The rest is for people who work on Sluice.

SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-16s %s\n", $$1, $$2 }'

.PHONY: setup
setup: ## Install what is missing to build and to run the servers
	@scripts/setup.sh

.PHONY: services-up services-down services-status
services-up: ## Start MariaDB, MySQL, PostgreSQL, Kafka and S3 for tests and the demo
	@scripts/services.sh up
services-down: ## Stop them
	@scripts/services.sh down
services-status: ## Show whether they run
	@scripts/services.sh status

.PHONY: build
build: setup ## Build the programs (target/release/sql-client, target/release/sluice)
	cargo build --locked --release -p sluice-sql-client -p sluice-demo

.PHONY: demo
demo: build ## Run the main job end to end (KEEP=1 leaves it running)
	@scripts/demo.sh

.PHONY: test
test: setup ## Run all tests, on real servers
	@scripts/test.sh

.PHONY: bench
bench: setup ## Measure, with peers and limits in the same run
	@scripts/bench.sh

.PHONY: bench-nexmark
bench-nexmark: setup ## Run the Nexmark queries beside Apache Flink (ARGS="--queries q0,q4 --events 1000000")
	cargo build --locked --release -p sluice-benches --bin nexmark
	"$${CARGO_TARGET_DIR:-target}/release/nexmark" --against flink $(ARGS)

.PHONY: corpus-on-flink
corpus-on-flink: ## Run tests/slt on Apache Flink, and print what differs (FILES="tests/slt/json.slt")
	@benches/flink/corpus.sh $(abspath $(FILES))

.PHONY: lint
lint: ## Check format and lints
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
