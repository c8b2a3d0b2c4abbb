#!/usr/bin/env bash
# publish.sh VERSION DIST pushes what `make image` and `make chart` have left in DIST: the images
# of all processors under one tag, and the chart. It writes their digests to DIST/image.digest
# and DIST/chart.digest, for sign.sh. IMAGE and CHARTS are where to. The login is docker's.
# PLAIN_HTTP=1 is for a registry on this machine, as in the test.
set -euo pipefail
version=$1 dist=$2
cd "$(dirname "$0")/.."

skopeo copy --all ${PLAIN_HTTP:+--dest-tls-verify=false} --digestfile "$dist/image.digest" \
  "oci-archive:$dist/image.oci.tar" "docker://$IMAGE:$version"

HELM_REGISTRY_CONFIG=${DOCKER_CONFIG:-$HOME/.docker}/config.json \
  bin/chart/helm4 push ${PLAIN_HTTP:+--plain-http} "$dist/reims-health-$version.tgz" "oci://$CHARTS" 2>&1 | tee "$dist/chart.log"
sed -n 's/^Digest: //p' "$dist/chart.log" > "$dist/chart.digest"
grep -qx 'sha256:[0-9a-f]\{64\}' "$dist/chart.digest"
