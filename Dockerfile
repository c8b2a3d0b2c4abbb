# syntax=docker/dockerfile:1
# One image, several subcommands; no shell in it, so no exec probes.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY cmd cmd
COPY migrations migrations
COPY pkg pkg
ARG TARGETOS TARGETARCH
ARG VERSION=unknown
ARG COMMIT=unknown
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath \
    -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" \
    -o /reims-health ./cmd/reims-health

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="reims-health" \
      org.opencontainers.image.description="Health of the REIMS API's dependencies, from a sidecar" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /reims-health /reims-health
USER 65532:65532
EXPOSE 8008 9008
ENTRYPOINT ["/reims-health"]
CMD ["serve"]
