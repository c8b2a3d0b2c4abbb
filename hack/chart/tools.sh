#!/usr/bin/env bash
# Builds what the charts and the examples are tested with into bin/chart: Helm 3 and 4,
# helm-unittest, kubeconform, kustomize, and compose, which reads a compose file as Docker
# Compose does. What is up to date takes a second.
set -euo pipefail
cd "$(dirname "$0")/../tools/helm"
out=../../../bin/chart
mkdir -p $out
go build -o $out/ github.com/helm-unittest/helm-unittest/cmd/helm-unittest github.com/yannh/kubeconform/cmd/kubeconform \
  sigs.k8s.io/kustomize/kustomize/v5
go build -o $out/compose github.com/compose-spec/compose-go/v2/cmd
go build -o $out/helm3 helm.sh/helm/v3/cmd/helm
go build -o $out/helm4 helm.sh/helm/v4/cmd/helm
