# syntax=docker/dockerfile:1
# Two images from one build: the sidecar's, which is the last stage, and with --target fleet
# that of reims-health-fleet. No shell is in them, so no exec probes. `make image` makes the
# same ones with no engine: it reads these two stages, so they can use only what hack/image
# understands.
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY hack/image hack/image
COPY cmd cmd
COPY migrations migrations
COPY pkg pkg
ARG TARGETOS TARGETARCH
ARG VERSION=unknown
ARG COMMIT=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" \
    -o /out/ ./cmd/reims-health ./cmd/reims-health-fleet && \
    go -C hack/image run ./stage /rootfs /out/reims-health && \
    go -C hack/image run ./stage /rootfs-fleet /out/reims-health-fleet

FROM scratch AS fleet
ARG VERSION=unknown
ARG COMMIT=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="reims-health-fleet" \
      org.opencontainers.image.description="One look at the reims-health sidecars of all workloads" \
      org.opencontainers.image.source="https://github.com/reims/reims-health" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /rootfs-fleet /
ENV PATH=/
USER 65532:65532
EXPOSE 8080 8081 9090
ENTRYPOINT ["/reims-health-fleet"]

FROM scratch
ARG VERSION=unknown
ARG COMMIT=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="reims-health" \
      org.opencontainers.image.description="Health of the REIMS API's dependencies, from a sidecar" \
      org.opencontainers.image.source="https://github.com/reims/reims-health" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /rootfs /
# So that kubectl exec POD -c reims-health -- reims-health check works.
ENV PATH=/
USER 65532:65532
EXPOSE 8008 9008
ENTRYPOINT ["/reims-health"]
CMD ["serve"]
