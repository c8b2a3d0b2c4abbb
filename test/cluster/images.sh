#!/usr/bin/env bash
# images.sh FOLDER: the archives of images that `make e2e` runs, into FOLDER.
#   reims-health:e2e           this tree, by make image
#   reims-health-fleet:e2e     this tree, too
#   reims-health:e2e-next      one migration more, which it requires
#   reims-health:e2e-failing   and one after that, which fails
#   reims-api:e2e              the stand-in of the REIMS API, and its load
# E2E_IMAGE and E2E_API_IMAGE give them other names.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CGO_ENABLED=0
image=${E2E_IMAGE:-docker.io/library/reims-health}
api=${E2E_API_IMAGE:-docker.io/library/reims-api:e2e}
(cd hack/image && go build -trimpath -o "$work/image" .)

# product NAME TAG FLAG...: NAME.tar, nearly as make image makes it, built with these flags.
product() {
  go build -trimpath -ldflags "-s -w -X main.version=$2" "${@:3}" -o "$work/$1/reims-health" ./cmd/reims-health
  "$work/image" -dockerfile Dockerfile -arg "VERSION=$2" -arg COMMIT=e2e -arg CREATED=2000-01-01T00:00:00Z \
    -binary "$work/$1/reims-health" -name "$image:$2" -out "$out/$1.tar"
}

# overlay NAME SQL...: an overlay with the tree's migrations and these; the last
# one is required.
overlay() {
  local number file
  number=$(find migrations -name '*.sql' | wc -l)
  sed "s/^const Required = .*/const Required = $((number + $# - 1))/" migrations/embed.go >"$work/$1.go"
  printf '{"Replace":{"%s":"%s"' "$PWD/migrations/embed.go" "$work/$1.go"
  for file in "${@:2}"; do
    number=$((number + 1))
    printf ',"%s":"%s"' "$PWD/migrations/$(printf '%05d_e2e.sql' "$number")" "$PWD/$file"
  done
  printf '}}\n'
}

next=test/cluster/testdata/next.sql failing=test/cluster/testdata/failing.sql
overlay next "$next" >"$work/next.json"
overlay failing "$next" "$failing" >"$work/failing.json"
make --no-print-directory image IMAGE="$image" VERSION=e2e IMAGE_ARCHES="$(go env GOARCH)" IMAGE_FILE="$out/reims-health.tar" \
  FLEET_IMAGE_FILE="$out/reims-health-fleet.tar"
product reims-health-next e2e-next -overlay "$work/next.json"
product reims-health-failing e2e-failing -overlay "$work/failing.json"
go build -trimpath -ldflags '-s -w' -o "$work/api/reims-api" ./test/cluster/api
"$work/image" -binary "$work/api/reims-api" -name "$api" -out "$out/reims-api.tar"
