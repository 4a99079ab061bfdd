# `make help` lists the targets. Everything installs into .venv from a lock file; no root, no Docker, no servers.
# PYTHON=python3.12 chooses the interpreter; without it the one of .venv is kept, or python3 is taken.
BIN := .venv/bin
SEED ?= 1
# What Python compiles is kept: each start of the program would compile all again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint storm bench gallery pictures format lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Create .venv and install the locked dependencies
	@MAKECMDGOALS='$(MAKECMDGOALS)' sh .ci/install dev

demo: ## Watch 45 days of reminders for a sample card book go out to the sandbox
	@MAKECMDGOALS='$(MAKECMDGOALS)' sh .ci/install demo
	@$(BIN)/vigencia demo

test: setup ## Run the tests on real Valkey, SQLite and PostgreSQL
	$(BIN)/python -m pytest -n 4 --maxschedchunk 4

lint: setup ## Check style, types, the compose file and the Dockerfile
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/vigencia lint
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint Dockerfile

storm: setup ## Prove the promise: kill, freeze, cut and refuse everything, some 3 minutes on each database (SEED=1)
	$(BIN)/vigencia storm --seed $(SEED)

bench: ## Measure beside other designs; takes some minutes
	@MAKECMDGOALS='$(MAKECMDGOALS)' sh .ci/install bench
	$(BIN)/vigencia bench

gallery: setup ## Write docs/texts: every text in every language, to be read through
	$(BIN)/vigencia preview --gallery docs/texts

pictures: setup ## Write docs/pictures: emails and pages as a phone and a desktop show them (needs Chromium)
	$(BIN)/python -m benchmarks.pictures

format: setup ## Rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup ## Renew the lock files from pyproject.toml
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) $(DEMO) --constraint requirements.lock --output-file requirements-demo.lock
	$(COMPILE) $(DEMO) --extra dev --constraint requirements-demo.lock --output-file requirements-dev.lock
	$(COMPILE) $(DEMO) --extra dev --extra bench --constraint requirements-dev.lock --output-file requirements-bench.lock

COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url --upgrade --quiet
DEMO := --extra embedded --extra editable

clean: ## Remove .venv, caches and the embedded data in var/
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis var
