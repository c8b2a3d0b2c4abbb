#!/usr/bin/env bash
# Runs every fuzz test for a time each: fuzz.sh [TIME]
set -euo pipefail
cd "$(dirname "$0")/.."
for file in $(grep -rl --include='*_test.go' '^func Fuzz' pkg); do
  for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
    echo "== $name in ./$(dirname "$file") for ${1:-10s}"
    # Minimising an input can take minutes, in which nothing is tried.
    go test "./$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "${1:-10s}" -fuzzminimizetime 1x
  done
done
