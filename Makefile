# Everything a person types here. `make demo` and `make test` work on a fresh clone with nothing else typed.

INPUT ?=
TO ?= es
FROM ?=
BENCH ?=
SERVE ?=
CLUSTER ?=

.PHONY: help setup demo serve cluster test check deploy-check bench bench-speed lock clean

help: ## what there is to type
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing (idempotent; the second run does nothing)
	@scripts/setup

demo: setup ## dub a one-minute clip into Spanish; INPUT=my.mp4 TO=fr [FROM=en] for your own
	@INPUT='$(subst ','\'',$(INPUT))' TO='$(TO)' FROM='$(FROM)' scripts/demo

serve: setup ## the server at http://127.0.0.1:5000; SERVE='--port 8080 --slots 4' for options of your own
	@.venv/bin/autodub serve $(SERVE)

cluster: setup ## many machines on this one: servers, nginx, workers, Redis, PostgreSQL, S3; CLUSTER='--workers 5'
	@scripts/cluster $(CLUSTER)

test: setup ## format, lint, types, import layers, tests
	@scripts/check

check: setup ## the same without the tests
	@scripts/check --no-tests

deploy-check: setup ## hold the files of deploy/ against Helm, Docker Compose, Kubernetes, systemd and nginx
	@scripts/deploy-check

bench: setup ## measure synchrony, cost and crash safety; BENCH=--quick for the short form
	@scripts/bench $(BENCH)

bench-speed: setup ## time a link dubbed in cloned voices, against stand-ins of the clouds; BENCH=--quick
	@.venv/bin/python -m benchmarks.speed $(BENCH)

lock: setup ## resolve the locked requirements again (needs uv)
	@scripts/lock

clean: ## remove what was built here; the data directory of your own dubs is not touched
	@rm -rf .venv build dist demo bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@rm -rf web/node_modules web/src/api/schema.d.ts src/autodub/web/assets
