#!/usr/bin/env bash
# The main job end to end; `make demo` builds it first. KEEP=1 leaves everything running.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}/release"
services=(mariadb postgres kafka)

# Only what this run starts is stopped at its end.
started=()
for service in "${services[@]}"; do
  if ! scripts/services.sh status "$service" >/dev/null 2>&1; then
    started+=("$service")
  fi
done
scripts/services.sh up "${services[@]}"

stop_started() {
  if [[ -z "${KEEP:-}" ]] && ((${#started[@]})); then
    scripts/services.sh down "${started[@]}"
  fi
}
trap stop_started EXIT

SLUICE_HOME="$PWD/.demo" "$target/sluice-demo"
