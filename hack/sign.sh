#!/usr/bin/env bash
# sign.sh VERSION DIST signs what publish.sh has pushed, by digest, and attests the bill of
# materials of each processor's image. With cosign's keyless signatures the identity is that of
# the workflow's run. PLAIN_HTTP=1 is for a registry on this machine, as in the test.
set -euo pipefail
version=$1 dist=$2
image=$IMAGE@$(cat "$dist/image.digest")

cosign sign --yes --recursive "$image"
cosign sign --yes "$CHARTS/reims-health@$(cat "$dist/chart.digest")"

# One line per processor: its name and the digest of its image.
skopeo inspect --raw ${PLAIN_HTTP:+--tls-verify=false} "docker://$image" |
  jq -r '.manifests[] | "\(.platform.architecture) \(.digest)"' |
  while read -r arch digest; do
    cosign attest --yes --type cyclonedx --predicate "$dist/reims-health-$version-linux-$arch.cdx.json" "$IMAGE@$digest"
  done
