# Everything runs in .venv, which the first target that needs it builds once.
PYTHON ?= python3
VENV ?= .venv
# Tests run side by side, each process on one core.
PYTEST := OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n logical --maxprocesses 8 --dist loadfile
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export TOKENIZERS_PARALLELISM ?= true

.PHONY: help install browser test test-slow test-reliability test-reliability-long test-lowest test-matrix golden lint format types quickstart results results-small results-page docs bench build clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

install: $(INSTALLED)  ## build .venv with the pinned versions of constraints.txt

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "docre needs Python 3.11 or newer: make PYTHON=python3.11 install")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

test: $(INSTALLED) lint types  ## lint, types and the default test suite
	$(PYTEST)

test-slow: $(INSTALLED)  ## the slow tests too, and new examples for the property tests
	DOCRE_EXPLORE=1 $(BIN)/python -m pytest -m "not network and not gpu"

test-reliability: $(INSTALLED)  ## kills, two processes, bad and hostile input, long runs; a table
	$(PYTEST) -m "reliability and not gpu" tests/reliability

test-reliability-long: $(INSTALLED)  ## the same with more kills, 5,000 steps, 100,000 documents
	DOCRE_RELIABILITY=long $(PYTEST) --timeout 3600 -m "reliability and not gpu" tests/reliability

test-lowest:  ## the default suite with the lowest versions that pyproject.toml allows
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --upgrade pip
	.venv-lowest/bin/python -m pip install --quiet -c constraints-lowest.txt -e '.[dev]'
	.venv-lowest/bin/python -m pytest

test-matrix:  ## the tests with the lowest and newest versions (PYTHON="python3.11 python3.12")
	sh support/matrix.sh $(PYTHON)

browser:  ## chromium for the tests of the report page, where apt can install it
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
	  || { timeout 120 apt-get update -qq && DEBIAN_FRONTEND=noninteractive timeout 300 \
	       apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	  || echo "no chromium: the tests of the report page will be skipped"

golden: $(INSTALLED)  ## only the numbers of the published systems (DOCRE_GOLDEN=folder)
	$(BIN)/python -m pytest tests/golden -q

lint: $(INSTALLED)  ## ruff, as a check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(INSTALLED)  ## ruff, mending what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(INSTALLED)  ## mypy --strict on the package
	$(BIN)/mypy

quickstart: $(INSTALLED)  ## synthetic corpus, training, scores on held-out documents, predictions
	BIN=$(BIN) sh examples/quickstart.sh

results: $(INSTALLED)  ## a table of docs/results.md, TABLE=main, or a row, ROW=main/atlop_x2
	@test -n "$(ROW)$(TABLE)" || { echo "make results TABLE=NAME or ROW=NAME/ROW:"; $(BIN)/python -m study run --help; exit 2; }
	$(BIN)/python -m study run $(or $(ROW),$(TABLE)) --jobs $(or $(JOBS),2)

results-small: $(INSTALLED)  ## a row of each table in little (60 documents, 2 epochs): does it run?
	$(BIN)/python -m study small

results-page: $(INSTALLED)  ## the tables of docs/results.md from the runs that are kept
	$(BIN)/python -m study page

docs: $(INSTALLED)  ## the documentation as a site, into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(INSTALLED)  ## the performance figures of docs/performance.md
	$(BIN)/python benchmarks/data.py
	$(BIN)/python benchmarks/scoring.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/train_step.py
	$(BIN)/python benchmarks/memory_by_length.py
	$(BIN)/python benchmarks/fit_overhead.py
	$(BIN)/python benchmarks/span_pooling.py
	$(BIN)/python benchmarks/distillation.py
	$(BIN)/python benchmarks/joint.py

build: $(INSTALLED)  ## wheel and source archive into dist/
	$(BIN)/python -m build

clean:  ## remove what the targets made, the environment too
	rm -rf $(VENV) .venv-lowest dist build quickstart .pytest_cache .mypy_cache .ruff_cache .hypothesis
