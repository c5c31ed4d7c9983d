#!/usr/bin/env bash
# Installs what is missing to build Sluice and to run the servers of its tests and demo.
# Safe to call again: it does nothing when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

# What the build needs beside Rust: a C compiler and make for librdkafka, OpenSSL and zlib to link it.
packages=()
need() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'install ok installed' || packages+=("$1"); }

if ! command -v cargo >/dev/null; then
  echo "setup: cargo is not there; install Rust 1.95 or newer first (https://rustup.rs)" >&2
  exit 1
fi
if command -v dpkg-query >/dev/null; then
  for package in build-essential pkg-config libssl-dev zlib1g-dev; do need "$package"; done
  if ((${#packages[@]})); then
    echo "setup: installing ${packages[*]}"
    sudo=()
    ((EUID == 0)) || sudo=(sudo)
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
  fi
fi

scripts/services.sh install
