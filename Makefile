# What one does with Nebula. Everything else is a plain go command.
GOBIN := $(CURDIR)/bin
LINT_VERSION := v2.15.0

.PHONY: run test lint bench fuzz fault

run: ## start a server on http://localhost:8080
	go run ./cmd/nebula

test: lint ## vet, lint, race tests, then those that cannot run under race, then with checked buffers
	go vet ./...
	go test -race -shuffle=on ./...
	go test -count=1 -run 'Alloc' ./...
	go test -count=1 -tags nebuladebug ./frame ./shard ./cmd/nebula/gateway

lint: bin/golangci-lint
	bin/golangci-lint run ./...

bin/golangci-lint:
	GOBIN=$(GOBIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

bench: ## design's first table, Nebula beside the bare write floor (about 20 minutes)
	go run ./perf/rows

FUZZTIME := 30s
fuzz: ## every fuzz target for FUZZTIME
	@grep -rl '^func Fuzz' --include='*_test.go' . | while read -r f; do \
	  for t in $$(grep -o '^func Fuzz[A-Za-z0-9_]*' "$$f" | cut -c6-); do \
	    echo "$$t"; go test -run '^$$' -fuzz "^$$t\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$f")" || exit 1; \
	  done; done

fault: ## kills the server, and a cluster and its bus, under load; the checker says whether a promise was broken
	go run ./perf/fault -kills 50
	go run ./perf/fault -kills 50 -durability disk
	go run ./perf/fault -failpoints
	go run ./perf/fault -nodes 3 -kills 30 -rate 1000
