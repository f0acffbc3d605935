# Commands of this repository. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The harness and the demo are packages below tests/ and demo/.
export PYTHONPATH := tests

.PHONY: help setup demo demo-down test test-unit test-cluster test-node lint lock bench-check bench-smoke clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## make the virtual environment from the lock file

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@echo "setting up $(VENV)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# Commands start faster, also where the environment forbids Python to write what it compiled.
	@$(BIN)/python -m compileall -q operator/auditpipeline
	@touch $@

demo: setup ## show the gateway scenario on a real cluster, broken and mended
	@$(BIN)/python -m demo up

demo-down: setup ## remove the demo's cluster
	@$(BIN)/python -m demo down

test: setup ## run all tests that this machine can run
	@$(BIN)/pytest

test-unit: setup ## run the tests that need Python only
	@$(BIN)/pytest tests/unit

test-cluster: setup ## run the tests that need a control plane
	@$(BIN)/pytest -m cluster

test-node: setup ## run the tests that need a node with real pods
	@$(BIN)/pytest -m node

lint: setup ## check style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lock: setup ## write both lock files anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --upgrade pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" --upgrade pyproject.toml --group dev --output-file requirements-dev.lock

bench-check: setup ## measure `auditpipeline check` beside PyYAML alone and its peers
	@$(BIN)/python bench/check.py

bench-smoke: setup ## measure the time from a ConfigMap change to the status
	@$(BIN)/python bench/smoke.py

clean: ## remove what setup and tests left in the checkout
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist
