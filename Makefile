# make run     set up, then the main job on embedded data: two models, samples, a report
# make test    set up, then the default tests (no network, under 10 minutes)
# make check   format, lint, types, tests, docs
# make slow    the tests that take minutes
# make clients the environments of other people's clients, in which tests/clients asks the server (their pins do not go with ours)
# make offline the default tests where no network exists at all, not even 127.0.0.1
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Where to look for PyTorch wheels before the usual place: the address of an index, for example of the wheels without CUDA, which are a
# tenth of the size. Empty takes what is usual for this machine: make install TORCH_INDEX=https://...
TORCH_INDEX ?=
# Real data for benchmarks and the tests that use it; absent from a user's clone, and then those tests skip.
ifneq ($(wildcard ../shared/data),)
export MAKAR_DATA ?= $(abspath ../shared/data)
endif

.PHONY: install run test offline check format lint types docs slow clients snapshot wheel clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON)"; echo "do: apt-get install python3 python3-venv (or make PYTHON=/path/to/python3.11 ...)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("error: this is Python " + sys.version.split()[0] + "\nexpected: Python 3.11 or newer\ndo: make PYTHON=/path/to/python3.11 ...") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "error: this Python cannot make virtual environments (Debian and Ubuntu ship that part by itself)"; echo "do: sudo apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/pip || { rm -rf $(VENV); $(PYTHON) -m venv $(VENV); } || { rm -rf $(VENV); echo "error: $(PYTHON) -m venv failed"; echo "do: sudo apt-get install python3-venv"; exit 1; }
	@echo "installing into $(VENV) (a few minutes the first time) ..."
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch==2.13.0
	$(BIN)/pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

run: install
	$(BIN)/makar demo

# One process a core, each file of tests in one of them: what a file shares is made once. The files that take longest come first, so
# that no process waits at the end for another.
FIRST := tests/cli tests/test_examples.py tests/serving tests

test: install
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(FIRST)

# A user of its own with a network of its own, in which there is nothing.
offline: install
	@if unshare -rn true 2>/dev/null; then unshare -rn $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(FIRST); \
	else echo "skipped: this machine does not let a user make a network of their own (unshare -rn)"; fi

slow: install
	$(BIN)/python -m pytest -m slow

# The second one sees our environment and adds lm-eval to it, so that it measures the same model over HTTP and in its own process.
clients: install
	test -x .venv-clients/bin/pip || $(PYTHON) -m venv .venv-clients
	.venv-clients/bin/pip install --disable-pip-version-check --quiet --requirement tests/clients/requirements.txt
	test -x .venv-lm-eval/bin/pip || $(PYTHON) -m venv .venv-lm-eval
	{ $(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])'; echo "$(CURDIR)/src"; } > "$$(.venv-lm-eval/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/makar.pth"
	.venv-lm-eval/bin/pip install --disable-pip-version-check --quiet --constraint constraints.txt --requirement tests/clients/requirements-lm-eval.txt
	$(BIN)/python -m pytest tests/clients -m 'slow or not slow'

check: format lint types test docs

format: install
	$(BIN)/ruff format --check src tests benchmarks examples

lint: install
	$(BIN)/ruff check src tests benchmarks examples

types: install
	$(BIN)/mypy

docs: install
	$(BIN)/python -m pytest tests/structure/test_docs.py

# Freeze the command line's verbs and options after a deliberate change.
snapshot: install
	$(BIN)/python -m tests.structure.cli_snapshot

wheel: install
	$(BIN)/python -m build --no-isolation

clean:
	rm -rf $(VENV) .venv-clients .venv-lm-eval dist build
