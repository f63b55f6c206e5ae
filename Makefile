# make run    the quick study from nothing: environment, zoo, autoencoder, generator, verdicts, report
# make test   environment, style, types, import contracts, tests
# make bench  the optional alternatives of the benchmark (JAX, gfnx), then BENCHMARK=configs/benchmarks/trainer.yaml
#
# Variables: CONFIG=configs/genflownet/paper.yaml, ARGS="zoo.runs=8", PYTHON=/path/to/python3.12,
#            PIP_ARGS="…" (options of pip, such as an index that holds torch without CUDA)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help env run test lint bench clean

CONFIG ?= configs/genflownet/quick.yaml
BENCHMARK ?= configs/benchmarks/trainer.yaml
ARGS ?=
PIP_ARGS ?=
PYTHON ?=
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet $(PIP_ARGS)
STAMP := .venv/.installed
BENCH_STAMP := .venv/.installed-bench
# Nothing calls home, and one thread per process: two on a busy machine can be many times slower.
export RAY_USAGE_STATS_ENABLED = 0
export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = true
export OMP_NUM_THREADS ?= 1

help:
	@sed -n 's/^# //p' Makefile | head -5

env: $(STAMP)

# A name on PATH can be a shim of a version that is not installed: take the first that really runs.
$(STAMP): pyproject.toml requirements/constraints.txt
	@if ! $(BIN)/python -c 'import pip, sys; assert (3, 11) <= sys.version_info < (3, 13)' 2>/dev/null; then \
	  found=; \
	  for candidate in $(PYTHON) $$(type -ap python3.11 python3.12 python3 python || true); do \
	    if "$$candidate" -c 'import ensurepip, sys, venv; assert (3, 11) <= sys.version_info < (3, 13)' 2>/dev/null; \
	    then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then echo "no Python 3.11 or 3.12 with venv found on PATH; install one or give PYTHON=/path/to/python3.11" >&2; exit 1; fi; \
	  echo "creating .venv with $$found"; rm -rf .venv; "$$found" -m venv .venv; \
	fi
	@echo "installing torch, then the pinned packages into .venv (some minutes, once)"
	@$(PIP) --constraint requirements/constraints.txt torch==2.13.0
	@$(PIP) --constraint requirements/constraints.txt --editable '.[test]'
	@touch $@

$(BENCH_STAMP): $(STAMP) requirements/bench.txt
	@$(PIP) --constraint requirements/constraints.txt --constraint requirements/bench.txt gfnx==0.0.1 jax==0.6.2
	@touch $@

run: $(STAMP)
	@$(BIN)/zoogen pipeline $(CONFIG) $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: lint
	$(BIN)/python -m pytest -q $(ARGS)

bench: $(BENCH_STAMP)
	$(BIN)/zoogen benchmark configs/benchmarks/trainer.yaml $(ARGS)

clean:
	rm -rf .venv build dist platform/*.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
