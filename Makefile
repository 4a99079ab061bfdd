# `make help` lists the targets. Everything installs into .venv from the lock file; no root, no Docker, no servers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SEED ?= 1
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint storm bench gallery pictures format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv and install the locked dependencies

$(STAMP): requirements-dev.lock pyproject.toml
ifeq ($(UV),)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
else
	$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-dev.lock
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --no-build-isolation --editable .
endif
	@touch $(STAMP)

demo: $(STAMP) ## Watch 45 days of reminders for a sample card book go out to the sandbox
	@$(BIN)/vigencia demo

test: $(STAMP) ## Run the tests on real Valkey, SQLite and PostgreSQL
	$(BIN)/python -m pytest -n 4 --maxschedchunk 4

lint: $(STAMP) ## Check style, types, the compose file and the Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/vigencia lint
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile

storm: $(STAMP) ## Prove the promise: kill, freeze, cut and refuse everything, some 3 minutes on each database (SEED=1)
	$(BIN)/vigencia storm --seed $(SEED)

bench: $(VENV)/.bench ## Measure beside other designs; takes some minutes
	$(BIN)/vigencia bench

$(VENV)/.bench: $(STAMP) requirements-bench.lock
ifeq ($(UV),)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
else
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements-bench.lock
endif
	@touch $@

gallery: $(STAMP) ## Write docs/texts: every text in every language, to be read through
	$(BIN)/vigencia preview --gallery docs/texts

pictures: $(STAMP) ## Write docs/pictures: emails and pages as a phone and a desktop show them (needs Chromium)
	$(BIN)/python -m benchmarks.pictures

format: $(STAMP) ## Rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(STAMP) ## Renew the lock files from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml $(LOCK) --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml $(LOCK) --constraint requirements.lock --extra embedded --extra dev --output-file requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml $(LOCK) --constraint requirements-dev.lock --extra embedded --extra dev --extra bench --output-file requirements-bench.lock

LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --upgrade --quiet

clean: ## Remove .venv, caches and the embedded data in var/
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis var
