# Penstock. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
# uv from PATH where there is one, else from PyPI into .venv.
UV := $(shell command -v uv 2>/dev/null || echo $(CURDIR)/$(BIN)/uv)
export UV_PYTHON_DOWNLOADS ?= never


.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1mmake %-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/.made: pyproject.toml uv.lock
	@if ! command -v uv >/dev/null 2>&1; then \
	  test -x $(BIN)/python || $(PYTHON) -m venv .venv; \
	  test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.8'; \
	fi
	@$(UV) sync --quiet --frozen --inexact
	@touch $@

.PHONY: setup
setup: .venv/.made ## Make the environment in .venv

.PHONY: run
run: setup ## Run a real task through all five layers and show the way it went (TASK="…" or FILE=path)
	@$(BIN)/python scripts/run.py

.PHONY: up
up: setup ## Serve on 127.0.0.1:50051 until Ctrl-C
	@exec $(BIN)/penstockd --config examples/penstock.toml

.PHONY: test
test: setup ## Run every test, in several processes, since tests wait more than they compute (WORKERS=3)
	$(BIN)/python -m pytest --numprocesses=$(or $(WORKERS),3) --dist=loadgroup \
	  -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true

.PHONY: chaos
chaos: setup ## Kill processes at random for some minutes (SEED=1 KILLS=20)
	$(BIN)/python -m pytest -s tests/chaos --chaos-seed=$(or $(SEED),1) --chaos-kills=$(or $(KILLS),20)
	$(BIN)/python -m pytest tests/linearizability tests/state/models --histories=$(or $(KILLS),20) --examples=200

.PHONY: soak
soak: setup ## Load the state layer for ten minutes over each store, and watch what grows (SEED=1 SECONDS_EACH=600)
	$(BIN)/python -m pytest -s tests/chaos/soak.py --chaos-seed=$(or $(SEED),1) --soak-seconds=$(or $(SECONDS_EACH),600)

.PHONY: check
check: lint types floors protos test wheel ## All that must hold before a change lands; this is what CI runs
	@echo "all checks passed"

.PHONY: lint
lint: setup ## Look for mistakes and for format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: setup ## Format the code and the protos
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/buf format -w

.PHONY: types
types: setup ## Check the types, strictly
	$(BIN)/mypy
	$(BIN)/mypy --strict examples scripts typing
	@$(UV) sync --quiet --frozen --inexact --group pyright
	$(BIN)/basedpyright --project typing

.PHONY: floors
floors: setup ## Check that imports point down only
	$(BIN)/lint-imports

.PHONY: protos
protos: setup ## Check the protos, what they break, and that the generated code is in step
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	BUF=$(BIN)/buf scripts/breaking.sh
	UV=$(UV) scripts/generate.sh --check

.PHONY: generate
generate: setup ## Generate generated/ from protos/
	UV=$(UV) scripts/generate.sh

.PHONY: wheel
wheel: setup ## Build the wheel and try it in a clean environment
	UV=$(UV) scripts/try_wheel.sh

.PHONY: bench
bench: setup ## Measure what it costs, beside bare gRPC and FastAPI, in under 5 minutes (BENCH=--quick: 1 minute)
	@$(UV) sync --quiet --frozen --inexact --group bench
	@$(BIN)/python -m benchmarks $(BENCH)

.PHONY: clean
clean: ## Remove what was made, but not your data
	rm -rf .venv .venv-* build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
