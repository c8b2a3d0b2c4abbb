#!/usr/bin/env bash
# Runs every fuzz test for a time each: fuzz.sh [TIME [DIR...]]
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}
shift || true
(($# > 0)) || set -- pkg cmd test hack
for file in $(grep -rl --include='*_test.go' --exclude-dir='.*' '^func Fuzz' "$@" | sort); do
  for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
    echo "== $name in ./$(dirname "$file") for $time"
    # Minimising an input can take minutes, in which nothing is tried.
    go test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1x
  done
done
