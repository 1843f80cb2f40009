# SPDX-License-Identifier: GPL-3.0-or-later
# Everything runs in .venv, which the first target that needs it makes.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-long test-oldest mutants coverage lint docs benchmarks screenshots clean

BIN := .venv/bin

# Three at least: many tests wait.
WORKERS := -n $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 3 ? 3 : n > 4 ? 4 : n)))
# A file's tests stay together: they share what is slow to make.
BESIDE := $(WORKERS) --dist loadfile
# The long ones share little; each goes to the worker that is free next.
ONE_BY_ONE := $(WORKERS) --dist load --maxschedchunk 1

help:
	@echo "make demo       the live 12-lead monitor on a bundled recording (headless where there is no display)"
	@echo "make test       all tests, style and types"
	@echo "make test-long  the tests that take minutes: twenty on two quiet cores"
	@echo "make test-oldest  all tests with the oldest versions that are allowed of what is installed"
	@echo "make mutants    plants 100 faults and says which of them the tests see (hours; once per release)"
	@echo "make coverage   which lines the tests run, and which they do not"
	@echo "make lint       style and types only"
	@echo "make docs       the documents as a site, out/site/index.html, and manual pages; no network is needed"
	@echo "make benchmarks measures every row of docs/performance.md again (6 minutes; leave the machine alone)"
	@echo "make screenshots makes the pictures of the README and docs/ from the real program on real recordings"
	@echo "make clean      remove .venv and what the tests and the demo left"

demo: .venv/.gui
	@$(BIN)/python -m mecg demo

test: .venv/.test
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -q -m "not long" $(BESIDE)

test-long: .venv/.test
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -q -m long $(ONE_BY_ONE) --timeout 900

test-oldest: .venv/pyvenv.cfg
	@test -x out/oldest/bin/python || $(BIN)/python -m venv out/oldest
	@out/oldest/bin/python -m pip install -q --disable-pip-version-check -c constraints-oldest.txt -e '.[gui,test]'
	@QT_QPA_PLATFORM=offscreen out/oldest/bin/python -m pytest -q -m "not long" --ignore=tests/test_architecture.py $(BESIDE)

mutants: .venv/.test
	@QT_QPA_PLATFORM=offscreen nice -n 10 $(BIN)/python -m tests.mutants

coverage: .venv/.test
	@$(BIN)/coverage erase
	@QT_QPA_PLATFORM=offscreen $(BIN)/coverage run -m pytest -q -m "not long"
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

lint: .venv/.test
	@$(BIN)/python -m pytest -q tests/test_architecture.py

docs: .venv/.docs
	@$(BIN)/python -m sphinx -q -W --keep-going -b html -c docs/site -d out/site-trees . out/site
	@$(BIN)/python docs/site/command_line.py out/man/man1
	@echo "out/site/index.html"

benchmarks: .venv/.bench
	@$(BIN)/python -m benchmarks

screenshots: .venv/.gui
	@$(BIN)/python -m benchmarks.pictures

clean:
	rm -rf .venv out .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.* *.egg-info

.venv/.gui .venv/.test .venv/.docs .venv/.bench: .venv/.%: pyproject.toml | .venv/pyvenv.cfg
	@echo "installing what '$*' needs into .venv (once; a minute or two, some 100 MB):"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -e '.[$(if $(filter test,$*),gui$(comma)docs$(comma)$*,$(if $(filter bench,$*),gui$(comma)$*,$*))]' \
	  | sed -u -n -e 's/^Collecting \([A-Za-z0-9_.-]*\).*/  \1/p' -e 's/^Installing collected.*/  installing .../p'
	@touch $@

comma := ,

# A .venv without its own pip is what an interrupted or ensurepip-less `python -m venv` leaves: start over.
.venv/pyvenv.cfg:
	@python=$$(command -v python3.11 || command -v python3 || true); \
	if [ -z "$$python" ] || ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	  echo "Python 3.11 or newer is needed and was not found: install it (Debian, Ubuntu: apt install python3.11 python3.11-venv)" >&2; \
	  exit 2; \
	fi; \
	rm -rf .venv; \
	if ! "$$python" -m venv .venv >/dev/null 2>&1; then \
	  rm -rf .venv; \
	  echo "Python's venv module is missing: install it (Debian, Ubuntu: apt install python3-venv) and try again" >&2; \
	  exit 2; \
	fi
