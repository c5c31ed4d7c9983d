#!/usr/bin/env bash
# All tests, on real servers. A server that is not there fails the tests that need it.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/services.sh up

# Instance 1 is for tests that kill and restart servers; they start what they need themselves.
stop_faults() { SLUICE_SERVICES_INSTANCE=1 scripts/services.sh down >/dev/null 2>&1 || true; }
trap stop_faults EXIT

# The programs first: end-to-end tests run them.
cargo build --locked --workspace --bins
cargo test --locked --workspace --no-fail-fast "$@"
