# make run | make test | make check | make install
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Real data for benchmarks and the tests that use it; absent from a user's clone, and then those tests skip.
ifneq ($(wildcard ../shared/data),)
export MAKAR_DATA ?= $(abspath ../shared/data)
endif

.PHONY: install run test check format lint types docs slow clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Makar needs Python 3.11 or newer; this is " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: on Debian and Ubuntu run: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

run: install
	$(BIN)/makar demo

test: install
	$(BIN)/python -m pytest

slow: install
	$(BIN)/python -m pytest -m slow

check: format lint types test docs

format: install
	$(BIN)/ruff format --check src tests benchmarks examples

lint: install
	$(BIN)/ruff check src tests benchmarks examples

types: install
	$(BIN)/mypy

docs: install
	$(BIN)/python -m pytest tests/structure -q

clean:
	rm -rf $(VENV) dist build
