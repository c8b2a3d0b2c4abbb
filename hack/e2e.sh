#!/usr/bin/env bash
# e2e.sh: test/cluster on a cluster that it starts and ends, or on E2E_KUBECONFIG's.
# CONTRIBUTING.md describes what can be set.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$PWD/dist/e2e
mkdir -p "$out"
rm -rf "$out"/Test* "$out"/node # what an earlier run kept
export E2E_OUT=$out E2E_HELM=${E2E_HELM:-$PWD/bin/chart/helm3} E2E_HELM4=${E2E_HELM4:-$PWD/bin/chart/helm4}
fail() { echo "make e2e: $*" >&2; exit 1; }
# With RERUN=1 a scenario that fails is run once more: gotestsum adds a -test.run for it.
run() {
  local again=() only=()
  [ -z "${RERUN:-}" ] || again=(--rerun-fails=1 --rerun-fails-max-failures=2 --rerun-fails-run-root-test --rerun-fails-report="$out/../reruns/e2e.txt")
  [ -z "${E2E_RUN:-}" ] || only=(-test.run "$E2E_RUN")
  mkdir -p "$out/../reruns"
  go tool -modfile=hack/tools/test/go.mod gotestsum --format standard-verbose "${again[@]}" --packages ./test/cluster --raw-command -- \
    env -C test/cluster "$@" go tool test2json -t -p test/cluster "$out/cluster.test" -test.v=test2json -test.timeout 20m "${only[@]}" | tee "$out/log.txt"
}

# What would end in a long wait, or in nothing at all, is found out first.
if [ -n "${E2E_KUBECONFIG:-}" ]; then
  E2E_KUBECONFIG=$(realpath "$E2E_KUBECONFIG")
  [ -n "${E2E_HOST:-}" ] || fail "set E2E_HOST to the address of this machine, as Pods of that cluster reach it"
  allowed=$("${E2E_KUBECTL:-kubectl}" --kubeconfig "$E2E_KUBECONFIG" --request-timeout 20s auth can-i create namespaces -A) ||
    fail "may the user of $E2E_KUBECONFIG make namespaces? ${allowed:-no answer}"
elif [ "$(id -u)" != 0 ]; then
  fail "a cluster needs root: run it with sudo, or set E2E_KUBECONFIG to use one that you have"
fi
go test -c -tags e2e -o "$out/cluster.test" ./test/cluster
[ -n "$("$out/cluster.test" -test.list "${E2E_RUN:-.}")" ] || fail "no scenario matches E2E_RUN=$E2E_RUN"

if [ -n "${E2E_KUBECONFIG:-}" ]; then
  run
  exit
fi
if [ -z "${E2E_RUN:-}" ]; then
  make --no-print-directory test-apiserver
  go test -tags e2e -count=1 -v -run '^TestMemoryLimits$' ./test/chart
fi
CGO_ENABLED=0 go build -trimpath -o "$out/cluster" ./hack/cluster
test/cluster/images.sh "$out/images"
keep_logs() {
  cp -r /run/reims-health-cluster/log "$out/node" && echo "The node's logs are in $out/node"
}
"$out/cluster" up --owner=$$ || { keep_logs; exit 1; }
trap '[ $? = 0 ] || keep_logs; "$out/cluster" down' EXIT
"$out/cluster" import "$out"/images/*.tar
run "$out/cluster" exec --
