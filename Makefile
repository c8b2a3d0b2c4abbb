# Every target with a ## comment shows up in `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse --verify --quiet HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
LINT    := go tool -modfile=hack/tools/lint/go.mod golangci-lint
BIN     := bin/reims-health

##@ Use

.PHONY: run
run: build ## Start the servers and the sidecar; Ctrl-C stops them (HEALTH_SERVICES narrows it)
	@go build -o bin/run ./hack/run && exec bin/run $(BIN)

.PHONY: servers-up
servers-up: build ## Start PostgreSQL, Redis, MinIO and Ollama on loopback; writes .run/servers.env
	@go run ./hack/servers up
	@. .run/servers.env && $(BIN) migrate up

.PHONY: servers-down
servers-down: ## Stop what servers-up started
	@go run ./hack/servers down

.PHONY: migrate-demo
migrate-demo: build ## Migrate an empty database, verify it, break it, mend it
	@go run ./hack/migrate-demo $(BIN)

##@ Build

.PHONY: build
build: ## Build bin/reims-health: static, stripped, reproducible
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/reims-health

.PHONY: docker
docker: ## Build the container image (needs a container engine)
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t reims-health:$(VERSION) .

.PHONY: clean
clean: ## Remove what was built here
	rm -rf bin dist

##@ Test

.PHONY: test
test: servers-build ## All tests, on all four real servers
	go test -race -shuffle=on -timeout 10m ./...
	go test -run 'Allocs' ./pkg/...

.PHONY: servers-build
servers-build: ## Install or build what the test servers need (once)
	@go run ./hack/servers build

.PHONY: bench
bench: ## Benchmarks: the handlers beside controller-runtime's, start-up, memory, binary size
	go test -run "^$$" -bench . -benchmem ./pkg/... ./test/e2e

.PHONY: migrate-bench
migrate-bench: ## How long migrations take, and lock the table, with a million properties
	go test -run '^$$' -bench Up -benchtime 1x -timeout 30m ./test/migrate

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME (default 10s) each
	@./hack/fuzz.sh $(or $(FUZZTIME),10s)

##@ Keep in order

.PHONY: verify
verify: verify-lint verify-mod verify-docs ## Everything that can be checked without servers

.PHONY: verify-lint
verify-lint: ## Lint, formatting and layering
	$(LINT) run ./...

.PHONY: verify-mod
verify-mod: ## go.mod and go.sum are tidy
	go mod tidy -diff
	go mod verify

.PHONY: verify-docs
verify-docs: ## The generated references match the code
	go run ./hack/docs -check

.PHONY: update-docs
update-docs: ## Write the generated references anew
	go run ./hack/docs

.PHONY: verify-schema
verify-schema: ## The snapshot of the schema matches the migrations (starts PostgreSQL; part of test)
	go run ./hack/schema -check

.PHONY: update-schema
update-schema: ## Make the snapshot of the schema anew, from the migrations (starts PostgreSQL)
	go run ./hack/schema

.PHONY: update-golden
update-golden: ## Write the golden files anew
	go test ./pkg/server -update

.PHONY: format
format: ## Format the code
	$(LINT) fmt ./...

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "; print "Usage: make TARGET\n"} \
	  /^##@/ {printf "%s\n", substr($$0, 5)} \
	  /^[a-zA-Z_-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
