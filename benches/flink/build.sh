#!/usr/bin/env bash
# Fetches Apache Flink from Maven Central and compiles the generator, unless that is done already.
set -euo pipefail
cd "$(dirname "$0")"

if [ -d target/lib ] && [ -z "$(find pom.xml src -newer target/built 2>&1)" ]; then
  exit 0
fi
mvn -q -B package
touch target/built
