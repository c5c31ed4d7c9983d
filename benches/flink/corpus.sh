#!/usr/bin/env bash
# Runs the corpus of SQL on Apache Flink, and prints where Flink gives something else: all of tests/slt, or the
# files that are named.
set -euo pipefail
cd "$(dirname "$0")"

./build.sh
files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  files=(../../tests/slt/*.slt)
fi
exec java -Xmx2g -cp 'target/nexmark-flink-1.jar:target/lib/*' corpus.Corpus "${files[@]}"
