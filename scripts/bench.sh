#!/usr/bin/env bash
# Measures: decoding, encoding, the main job on real servers, growing numbers of keys, and the Nexmark queries.
# Takes about 20 minutes once built. `make bench-nexmark` runs Nexmark alone, beside Apache Flink, which takes much longer.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}/release"
scripts/services.sh up mariadb postgres kafka
cargo build --locked --release -p sluice-sql-client -p sluice-benches

echo "== decode and encode, one core =="
cargo bench --locked -p sluice-benches --bench binlog_decode
cargo bench --locked -p sluice-benches --bench json_encode

echo "== job 01 on this machine =="
"$target/main-job"

echo "== More and more keys =="
"$target/scale"

echo "== Nexmark on this machine =="
"$target/nexmark" --events 1000000

echo "== Nexmark with a checkpoint every 200 ms =="
"$target/nexmark" --events 1000000 --checkpoints '200 ms'
