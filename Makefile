# Two commands matter: `make run` and `make test`. Each installs what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
DATA_DIR ?= data
export PYTHONDONTWRITEBYTECODE := # where it is set, every worker and every process of the tests would compile all modules anew

.PHONY: help setup setup-elasticsearch setup-sigma setup-dev types unit servers run run-embedded run-elasticsearch test check bench dashboards dashboards-json docs lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 14

setup: .venv/.installed ## make .venv with `soc` in it (embedded default)

.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 setup"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "the venv module is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

setup-elasticsearch: setup ## and the client of Elasticsearch, for a store of that kind
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-elasticsearch.lock

setup-sigma: setup ## and pySigma's pipelines for Windows, Sysmon, Zeek, macOS and Kubernetes
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-sigma.lock

setup-dev: .venv/.installed-dev ## and what the tests need

.venv/.installed-dev: requirements-dev.lock requirements-sigma.lock .venv/.installed
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-sigma.lock
	@touch $@

run: run-$(or $(STORE),embedded) ## the product on a simulated province; open the URL it prints (STORE=elasticsearch: on a real server)

run-embedded: setup ## `make run`
	$(BIN)/soc run --demo --data-dir $(DATA_DIR)

run-elasticsearch: setup-elasticsearch ## `make run STORE=elasticsearch`
	deploy/elasticsearch/install
	deploy/elasticsearch/server.py --keep demo $(BIN)/soc run --demo --data-dir $(DATA_DIR)-elasticsearch

check: setup-dev ## format, lint, types, import contract, unit tests: under 3 minutes
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory --jobs 2 types unit # at once: the tests wait now and then

types: setup-dev ## of these only the types
	$(BIN)/mypy

unit: setup-dev ## of these only the tests
	$(BIN)/pytest -m "not server and not long" -n auto --dist loadgroup

servers: ## install the real servers that the tests start (Debian, root)
	deploy/install-test-servers

test: setup-dev servers check ## all of that, and the tests with real servers and a browser
	$(BIN)/pytest -m "(long or hypothesis) and not server" -n auto --dist loadgroup --hypothesis-profile thorough
	$(BIN)/pytest -m server -n 2 --dist loadfile --no-loadscope-reorder --timeout 900

bench: setup-dev ## the benchmarks, as a table
	$(BIN)/python -m bench

dashboards: ## Prometheus and Alertmanager from Debian on a govsoc that runs here (`make run` beside it)
	dashboards/serve $(DATA_DIR)/monitoring

dashboards-json: setup-dev ## write dashboards/grafana anew from dashboards/*.py
	$(BIN)/python -m dashboards.build

docs: setup ## write the tables in docs/ that are made from code
	$(BIN)/python deploy/write-docs

lock: setup-dev ## make the lock files again from pyproject.toml
	$(BIN)/pip-compile $(LOCK) --build-deps-for editable -o requirements.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --build-deps-for editable --extra elasticsearch -o requirements-elasticsearch.lock pyproject.toml
	$(BIN)/pip-compile $(LOCK) --build-deps-for editable --extra dev --extra elasticsearch -o requirements-dev.lock pyproject.toml
	rm -rf *.egg-info # pip-compile leaves one, and then the packages have two owners

LOCK := --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras --allow-unsafe

clean: ## forget the virtual environment and the caches, not the data
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
