#!/usr/bin/env bash
# sign.sh VERSION DIST signs what publish.sh has pushed, by digest, and attests the bill of
# materials of each processor's image. With cosign's keyless signatures the identity is that of
# the workflow's run. PLAIN_HTTP=1 is for a registry on this machine, as in the test.
set -euo pipefail
version=$1 dist=$2

for chart in reims-health reims-health-fleet; do
  cosign sign --yes "$CHARTS/$chart@$(cat "$dist/$chart.chart.digest")"
done

for image in "$IMAGE" "$IMAGE-fleet"; do
  name=${image##*/}
  pushed=$image@$(cat "$dist/$name.image.digest")
  cosign sign --yes --recursive "$pushed"
  # One line per processor: its name and the digest of its image.
  skopeo inspect --raw ${PLAIN_HTTP:+--tls-verify=false} "docker://$pushed" |
    jq -r '.manifests[] | "\(.platform.architecture) \(.digest)"' |
    while read -r arch digest; do
      cosign attest --yes --type cyclonedx --predicate "$dist/$name-$version-linux-$arch.cdx.json" "$image@$digest"
    done
done
