#!/usr/bin/env bash
# e2e.sh: test/cluster on a cluster that it starts and ends, or on E2E_KUBECONFIG's.
# CONTRIBUTING.md describes what can be set.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/dist/e2e
mkdir -p "$out"
export E2E_OUT=$out E2E_HELM=${E2E_HELM:-$PWD/bin/chart/helm3} E2E_HELM4=${E2E_HELM4:-$PWD/bin/chart/helm4}
go test -c -tags e2e -o "$out/cluster.test" ./test/cluster
run() { (cd test/cluster && "$@" "$out/cluster.test" -test.v -test.timeout 20m ${E2E_RUN:+-test.run "$E2E_RUN"}) | tee "$out/log.txt"; }

if [ -n "${E2E_KUBECONFIG:-}" ]; then
  E2E_KUBECONFIG=$(realpath "$E2E_KUBECONFIG")
  : "${E2E_HOST:?the address of this machine, as Pods of that cluster reach it}"
  run
  exit
fi
go build -o "$out/cluster" ./hack/cluster
test/cluster/images.sh "$out/images"
"$out/cluster" up
trap '"$out/cluster" down' EXIT
"$out/cluster" import "$out"/images/*.tar
run "$out/cluster" exec --
