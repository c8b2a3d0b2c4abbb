#!/usr/bin/env bash
# Builds what the charts are tested with into bin/chart: Helm 3 and 4, helm-unittest and
# kubeconform. What is up to date takes a second.
set -euo pipefail
cd "$(dirname "$0")/../tools/helm"
out=../../../bin/chart
mkdir -p $out
go build -o $out/ github.com/helm-unittest/helm-unittest/cmd/helm-unittest github.com/yannh/kubeconform/cmd/kubeconform
go build -o $out/helm3 helm.sh/helm/v3/cmd/helm
go build -o $out/helm4 helm.sh/helm/v4/cmd/helm
