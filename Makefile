# Every target with a ## comment shows up in `make help`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  ?= $(shell git rev-parse --verify --quiet HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
LINT    := go tool -modfile=hack/tools/lint/go.mod golangci-lint
# What runs the tests. With RERUN=1, as in CI, a test that fails is run once more, alone; what
# failed only once is listed in dist/reruns. See docs/decisions/0027-one-more-try.md.
GOTEST  := go tool -modfile=hack/tools/test/go.mod gotestsum --hide-summary skipped
RERUNS   = $(if $(RERUN),--rerun-fails=1 --rerun-fails-max-failures=6 --rerun-fails-abort-on-data-race --rerun-fails-report=dist/reruns/$@.$(1).txt)
CHART   := charts/reims-health
CHARTS  := $(CHART) $(CHART)-fleet
DOCS    := go tool -modfile=hack/tools/helm/go.mod helm-docs --sort-values-order file --skip-version-footer --log-level warning --chart-search-root
CRD_TYPES  := pkg/fleet/v1alpha1
CRD_FOLDER := charts/reims-health-fleet/crds
CRD        := go tool -modfile=hack/tools/crd/go.mod controller-gen object crd
ACTIONS := go tool -modfile=hack/tools/actionlint/go.mod actionlint
BIN     := bin/reims-health

# All programs of this repository are compiled with the same flags, so that what they
# share is compiled once. `make test` compiles all of it again, for the race detector, and
# what starts servers to play with is compiled without optimization and debug data: a first make run waits
# for that alone, and it takes a third less time.
BUILD   := CGO_ENABLED=0 go build -trimpath
RUN     := CGO_ENABLED=0 go run -trimpath
# What PostgreSQL and Redis need is installed while these programs are compiled.
QUICK   := -gcflags='all=-N -l -dwarf=false'
COMPILE := $(RUN) $(QUICK) ./hack/install run -- go build -trimpath $(QUICK) -ldflags '$(LDFLAGS)' -o bin/ ./cmd/reims-health

# The images, of the sidecar and of the fleet program: their names, the processors they are for (such as
# "amd64 arm64", in one archive), and the time that all in them bears.
IMAGE        ?= ghcr.io/reims/reims-health
IMAGE_ARCHES ?= $(shell go env GOARCH)
ARCHIVE       = dist/$(1)-$(VERSION)$(if $(word 2,$(IMAGE_ARCHES)),,-linux-$(IMAGE_ARCHES)).oci.tar
IMAGE_FILE   ?= $(call ARCHIVE,reims-health)
FLEET_IMAGE  ?= $(IMAGE)-fleet
FLEET_IMAGE_FILE ?= $(call ARCHIVE,reims-health-fleet)
# Packs the program $(1).
PACK          = CGO_ENABLED=0 go -C hack/image run -trimpath . -dockerfile ../../Dockerfile -created $(CREATED) \
  -arg VERSION=$(VERSION) -arg COMMIT=$(COMMIT) -arg CREATED=$(CREATED) -sbom $(CURDIR)/dist \
  $(foreach arch,$(IMAGE_ARCHES),-binary $(CURDIR)/dist/linux-$(arch)/$(1))
CREATED      ?= $(shell TZ=UTC git log -1 --format=%cd --date=format-local:%Y-%m-%dT%H:%M:%SZ 2>/dev/null || echo 1970-01-01T00:00:00Z)

##@ Use

.PHONY: run
run: ## Start the servers and the sidecar; Ctrl-C stops them (HEALTH_SERVICES narrows it)
	@$(COMPILE) ./hack/run
	@exec bin/run $(BIN)

.PHONY: servers-up
servers-up: ## Start PostgreSQL, Redis, MinIO and Ollama on loopback; writes .run/servers.env
	@$(COMPILE) ./hack/servers
	@bin/servers up
	@. .run/servers.env && $(BIN) migrate up

.PHONY: servers-down
servers-down: ## Stop what servers-up started
	@$(RUN) ./hack/servers down

.PHONY: fleet-demo
fleet-demo: cluster-build ## The fleet program beside a farm of 200 sidecars, with a zone cut off: kubectl get dh as text, the page as pictures (as root)
	$(BUILD) -ldflags '$(LDFLAGS)' -o $(BIN)-fleet ./cmd/reims-health-fleet
	@CGO_ENABLED=0 go run -trimpath -tags e2e ./hack/fleet-demo -pods $(or $(PODS),200) -missing $(or $(MISSING),0) $(BIN)-fleet

.PHONY: peers-demo
peers-demo: build ## Six sidecars that ask each other: a server dies for all, a wire is cut for one
	@$(RUN) ./hack/peers-demo $(BIN)

.PHONY: cluster-up
cluster-up: ## Start a one-node Kubernetes in namespaces of its own (as root; see hack/cluster)
	@$(RUN) ./hack/cluster up

.PHONY: cluster-down
cluster-down: ## End it, and all that it left
	@$(RUN) ./hack/cluster down

.PHONY: observe
observe: ## Watch the alerts: servers, sidecars, Prometheus, Alertmanager; breaks and repairs in turn (FACTOR=10)
	@$(COMPILE) ./hack/observe
	@exec bin/observe -factor $(or $(FACTOR),10) $(BIN)

##@ Build

.PHONY: build
build: ## Build bin/reims-health: static, stripped, reproducible
	$(BUILD) -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/reims-health

.PHONY: docker
docker: ## Build the container images (needs a container engine)
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --build-arg CREATED=$(CREATED) -t $(IMAGE):$(VERSION) .
	docker build --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --build-arg CREATED=$(CREATED) -t $(FLEET_IMAGE):$(VERSION) --target fleet .

.PHONY: image
image: ## Make the same images with no engine: dist/*.oci.tar and their SBOMs (IMAGE_ARCHES="amd64 arm64" for both)
	@for arch in $(IMAGE_ARCHES); do \
	  mkdir -p dist/linux-$$arch; \
	  GOOS=linux GOARCH=$$arch $(BUILD) -buildvcs=false -ldflags '$(LDFLAGS)' -o dist/linux-$$arch/ ./cmd/reims-health ./cmd/reims-health-fleet; \
	done
	@$(call PACK,reims-health) -name $(IMAGE):$(VERSION) -out $(abspath $(IMAGE_FILE))
	@$(call PACK,reims-health-fleet) -stage fleet -name $(FLEET_IMAGE):$(VERSION) -out $(abspath $(FLEET_IMAGE_FILE))

.PHONY: chart
chart: chart-build ## Pack the Helm charts: dist/reims-health-VERSION.tgz and dist/reims-health-fleet-VERSION.tgz
	bin/chart/helm4 package $(CHARTS) --destination dist

.PHONY: clean
clean: ## Remove what was built here
	rm -rf bin dist

##@ Test

.PHONY: test
test: servers-build chart-build test-image test-bench ## The tests that need no Kubernetes, on all four real servers
	@mkdir -p dist/reruns
	$(GOTEST) $(call RERUNS,packages) --packages "$$(go list ./... | grep -v '/test/e2e$$' | tr '\n' ' ')" -- -race -shuffle=on -timeout 30m
	$(GOTEST) $(call RERUNS,e2e) --packages ./test/e2e -- -race -shuffle=on -timeout 30m # alone: it stops processes and measures time
	CGO_ENABLED=0 go test -trimpath -run 'Allocs|Thousand' ./pkg/...

.PHONY: observe-test
observe-test: servers-build ## The alerts on real outages, with a real Prometheus and Alertmanager (5 minutes)
	go test -tags observe -count=1 -timeout 20m -v -run TestAlerts ./test/observe

.PHONY: faults
faults: servers-build ## Every fault with every kind of service at the default pace: a table of what is detected, and when (as root; 4 minutes)
	go test -count=1 -timeout 30m -v -parallel 24 -run TestFaults ./test/faults -whole

.PHONY: detection
detection: servers-build ## Measure how long it takes to detect six kinds of outage of PostgreSQL at the default settings (TRIALS=50; 5 minutes)
	go test -tags observe -count=1 -timeout 30m -v -run TestDetection ./test/faults -trials $(or $(TRIALS),50)

.PHONY: soak
soak: servers-build build ## Load, scrapes, readers, peers and random faults together: fitted slopes of memory, goroutines, descriptors (DURATION=20m)
	@$(RUN) ./hack/strain soak -duration $(or $(DURATION),20m) $(BIN)

.PHONY: starve
starve: servers-build build ## 10m of processor time on a full machine, all servers well: false verdicts, restarts, ages (as root; MINUTES=60, CPU=10)
	@$(RUN) ./hack/strain starve -duration $(or $(MINUTES),60)m -cpu $(or $(CPU),10) $(BIN)

.PHONY: hostile
hostile: servers-build build ## Clients that mean harm, by HTTP and HTTPS, while the chart's limits hold the sidecar and the kubelet probes it (as root; 4 minutes)
	@$(RUN) ./hack/strain hostile -duration $(or $(DURATION),3s) $(BIN)

.PHONY: servers-build
servers-build: ## Install or build what the test servers need, MinIO and Ollama among it (once)
	@$(RUN) ./hack/install test

.PHONY: test-image
test-image: ## The tests of what packs the image, a module of its own
	go -C hack/image test -race -shuffle=on ./...

.PHONY: test-bench
test-bench: servers-build ## The tests of the benchmarks, a module of its own: what a check costs the wire and the server
	go -C bench test -race -shuffle=on ./...

.PHONY: test-cluster
test-cluster: cluster-build ## The life of the test cluster: up, crash, up, down (as root; half a minute)
	go test -tags e2e -count=1 -run Lifecycle ./hack/cluster

.PHONY: test-apiserver
test-apiserver: servers-build chart-build ## The tests that ask a real Kubernetes API server, which it builds (part of e2e)
	@$(RUN) ./hack/install apiserver
	@mkdir -p dist/reruns
	$(GOTEST) $(call RERUNS,packages) --packages "./pkg/kube ./pkg/fleet/controller ./test/chart ./test/e2e ./test/servers" -- -race -shuffle=on -tags e2e -count=1 -timeout 30m -run APIServer

.PHONY: cluster-build
cluster-build: ## Install or build what the test cluster needs, all of Kubernetes (once)
	@$(RUN) ./hack/cluster build

.PHONY: chart-build
chart-build: ## Build what the charts and examples are tested with: Helm 3 and 4, helm-unittest, kubeconform, kustomize, compose (once)
	@hack/chart/tools.sh

.PHONY: test-chart
test-chart: chart-build ## The charts as both Helms render them, for the oldest and newest Kubernetes (part of test)
	go test -timeout 30m ./test/chart

.PHONY: e2e
e2e: $(if $(E2E_KUBECONFIG),,cluster-build) servers-build chart-build ## Tests on a real API server, then the chart and the image on a node (as root; or E2E_KUBECONFIG=…)
	./hack/e2e.sh

.PHONY: bench
bench: ## The sidecar beside other health checks, exporters and a bare server: dist/bench.txt (9 minutes)
	cd bench && CGO_ENABLED=0 go run -trimpath . run -out ../dist/bench.txt
	go -C bench tool benchstat -col /of ../dist/bench.txt

.PHONY: bench-packages
bench-packages: ## The benchmarks of single packages, such as how long a result takes to publish
	go test -run "^$$" -bench . -benchmem ./pkg/... ./test/e2e

.PHONY: scale
scale: servers-build ## What N sidecars cost their servers: N probing loops, an outage, a restart (N=500, DURATION=45s, PGBOUNCER=1; PARTS=10,1000)
	@$(RUN) ./hack/scale $(if $(PARTS),-parts $(PARTS),-n $(or $(N),500) -duration $(or $(DURATION),45s) $(if $(PGBOUNCER),-pgbouncer))

.PHONY: migrate-bench
migrate-bench: ## How long migrations take, and lock the table, with a million properties
	go test -run '^$$' -bench Up -benchtime 1x -timeout 30m ./test/migrate

.PHONY: fuzz
fuzz: ## Fuzz every parser for FUZZTIME (default 10s) each
	@./hack/fuzz.sh $(or $(FUZZTIME),10s)

##@ Keep in order

.PHONY: verify
verify: verify-lint verify-mod verify-docs verify-benchmarks verify-chart verify-dashboards verify-crd verify-workflows ## Everything that can be checked without servers

.PHONY: verify-lint
verify-lint: ## Lint, formatting and layering
	$(LINT) run ./...
	cd hack/image && go tool -modfile=../tools/lint/go.mod golangci-lint run ./...
	cd bench && go tool -modfile=../hack/tools/lint/go.mod golangci-lint run ./...

.PHONY: verify-mod
verify-mod: ## go.mod and go.sum are tidy, those of hack/image and bench too
	go mod tidy -diff
	go mod verify
	go -C hack/image mod tidy -diff
	go -C bench mod tidy -diff

.PHONY: vulnerabilities
vulnerabilities: ## Known vulnerabilities in what the programs call (asks vuln.go.dev; each week on GitHub)
	go tool -modfile=hack/tools/vuln/go.mod govulncheck ./cmd/...

.PHONY: verify-workflows
verify-workflows: ## The workflows of .github are what GitHub understands
	$(ACTIONS) -shellcheck= -pyflakes=

.PHONY: verify-docs
verify-docs: ## The generated references match the code
	$(RUN) ./hack/docs -check

.PHONY: update-docs
update-docs: ## Write the generated references anew
	$(RUN) ./hack/docs

.PHONY: verify-benchmarks
verify-benchmarks: ## docs/benchmarks.md shows bench/results.txt
	CGO_ENABLED=0 go -C bench run -trimpath . report -check results.txt ../docs/benchmarks.md

.PHONY: update-benchmarks
update-benchmarks: ## Take over what make bench measured last, and write docs/benchmarks.md anew
	@! test -e dist/bench.txt || cp dist/bench.txt bench/results.txt
	CGO_ENABLED=0 go -C bench run -trimpath . report results.txt ../docs/benchmarks.md

.PHONY: verify-chart
verify-chart: ## The charts' values.schema.json and README.md match their values.yaml, their files those in config
	@for chart in $(CHARTS); do \
	  $(RUN) ./hack/chart/values -check $$chart; \
	  $(DOCS) $$chart --dry-run | diff $$chart/README.md - || { echo "$$chart/README.md is out of date: run make update-chart"; exit 1; }; \
	done
	@diff -r config/prometheus/rules $(CHART)/files/rules && diff config/prometheus/thresholds.yaml $(CHART)/files/thresholds.yaml && diff -r config/grafana/dashboards $(CHART)/files/dashboards || { echo "$(CHART)/files is out of date: run make update-chart"; exit 1; }
	@diff config/prometheus/rules/ReimsHealthFleetStale.yaml $(CHART)-fleet/files/rules || { echo "$(CHART)-fleet/files is out of date: run make update-chart"; exit 1; }

.PHONY: update-chart
update-chart: ## Make the charts' values.schema.json and README.md anew, and copy the rules and dashboards
	rm -rf $(CHART)/files
	mkdir $(CHART)/files
	cp -r config/prometheus/rules config/prometheus/thresholds.yaml config/grafana/dashboards $(CHART)/files
	cp config/prometheus/rules/ReimsHealthFleetStale.yaml $(CHART)-fleet/files/rules
	@for chart in $(CHARTS); do $(RUN) ./hack/chart/values $$chart; $(DOCS) $$chart; done

.PHONY: verify-crd
verify-crd: ## The custom resource's definition and copying code match its types
	$(CRD) paths=./$(CRD_TYPES) output:dir=dist/_crd
	@diff -r dist/_crd/zz_generated.deepcopy.go $(CRD_TYPES)/zz_generated.deepcopy.go && diff dist/_crd/health.reims.io_dependencyhealths.yaml $(CRD_FOLDER)/health.reims.io_dependencyhealths.yaml || { echo "$(CRD_FOLDER) or $(CRD_TYPES) is out of date: run make update-crd"; exit 1; }

.PHONY: update-crd
update-crd: ## Make the custom resource's definition and copying code anew, from its types
	$(CRD) paths=./$(CRD_TYPES) output:crd:dir=$(CRD_FOLDER)

.PHONY: verify-chart-schemas
verify-chart-schemas: ## The schemas that the charts are held against are those of the modules (downloads them)
	$(RUN) ./hack/chart/kubernetes -check

.PHONY: update-chart-schemas
update-chart-schemas: ## Make those schemas anew
	$(RUN) ./hack/chart/kubernetes

.PHONY: verify-schema
verify-schema: ## The snapshot of the schema matches the migrations (starts PostgreSQL; part of test)
	$(RUN) ./hack/schema -check

.PHONY: update-schema
update-schema: ## Make the snapshot of the schema anew, from the migrations (starts PostgreSQL)
	$(RUN) ./hack/schema

.PHONY: verify-dashboards
verify-dashboards: hack/dashboards/node_modules ## The dashboards and Grafana's alert rules match their sources (needs Node.js)
	cd hack/dashboards && node_modules/.bin/tsc && node --test && node main.js --check

.PHONY: update-dashboards
update-dashboards: hack/dashboards/node_modules ## Write the dashboards and Grafana's alert rules anew (needs Node.js)
	cd hack/dashboards && node_modules/.bin/tsc && node main.js

hack/dashboards/node_modules: hack/dashboards/package-lock.json
	npm ci --prefix hack/dashboards --no-audit --no-fund
	@touch $@

.PHONY: update-golden
update-golden: ## Write the golden files anew
	go test ./pkg/server ./pkg/statuspage ./pkg/fleet ./test/golden -update

.PHONY: screenshots
screenshots: ## Pictures of the status page into dist/screenshots, and those of the documents (4 minutes)
	$(RUN) ./hack/screenshots -docs

.PHONY: update-check
update-check: ## Write the output that the cases of check want anew
	go test ./test/check -update

.PHONY: format
format: ## Format the code
	$(LINT) fmt ./...

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "; print "Usage: make TARGET\n"} \
	  /^##@/ {printf "%s\n", substr($$0, 5)} \
	  /^[a-zA-Z0-9_-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
