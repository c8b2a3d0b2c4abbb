#!/usr/bin/env bash
# publish.sh VERSION DIST pushes what `make image` and `make chart` have left in DIST: each of the
# two images, for all processors under one tag, and the two charts. It writes their digests to
# DIST/*.digest, for sign.sh. IMAGE and CHARTS are where to. The login is docker's.
# PLAIN_HTTP=1 is for a registry on this machine, as in the test.
set -euo pipefail
version=$1 dist=$2
cd "$(dirname "$0")/.."

for image in "$IMAGE" "$IMAGE-fleet"; do
  name=${image##*/}
  skopeo copy --all ${PLAIN_HTTP:+--dest-tls-verify=false} --digestfile "$dist/$name.image.digest" \
    "oci-archive:$dist/$name.oci.tar" "docker://$image:$version"
done

for chart in reims-health reims-health-fleet; do
  HELM_REGISTRY_CONFIG=${DOCKER_CONFIG:-$HOME/.docker}/config.json \
    bin/chart/helm4 push ${PLAIN_HTTP:+--plain-http} "$dist/$chart-$version.tgz" "oci://$CHARTS" 2>&1 | tee "$dist/$chart.chart.log"
  sed -n 's/^Digest: //p' "$dist/$chart.chart.log" > "$dist/$chart.chart.digest"
  grep -qx 'sha256:[0-9a-f]\{64\}' "$dist/$chart.chart.digest"
done
