# Two commands: `make run` runs the lab, `make test` tests it. Both make their own environment in .venv.
#
#   make run                 every notebook at smoke scale, then the report and the claims ledger
#   make run SCALE=laptop    the same at the scale of the stored outputs (SEED=3 for another seed)
#   make test                unit, parity and property tests, nbval over all notebooks, and whether outputs are stale
#   make lab                 opens JupyterLab
#   make report              writes the report anew from the runs there are
#   make clean               removes .venv, runs, report and caches; what the lab has cached elsewhere stays
#
# PYTHON=python3.12 chooses the interpreter. pip's own settings are honoured (PIP_INDEX_URL,
# PIP_EXTRA_INDEX_URL, PIP_FIND_LINKS, pip.conf): where plain `pip install torch` would bring the large CUDA
# build and you want the CPU build, point PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS at a source of it.

PYTHON ?= python3
SCALE ?= smoke
SEED ?= 0

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo -n)
WHEELS := $(CURDIR)/$(VENV)/wheels
# Side by side, one thread each: two threads a process on two busy cores are several times slower than one.
PYTEST := OMP_NUM_THREADS=1 NEMO_LAB_WHEELS=$(WHEELS) $(BIN)/python -m pytest -n 2 --dist loadscope

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: run test lab report clean system

# Status 1 is a notebook that failed: the others ran and the report shows it. Above that nothing ran.
run: $(VENV)/.lab system
	@status=0; \
	$(BIN)/nemo-lab run --scale $(SCALE) --seed $(SEED) || status=$$?; \
	[ $$status -le 1 ] || exit $$status; \
	$(BIN)/nemo-lab ledger || status=1; \
	echo "The report:"; \
	$(BIN)/nemo-lab report || status=1; \
	exit $$status

test: $(VENV)/.test $(VENV)/.kernels $(VENV)/.archives system
	@status=0; \
	$(PYTEST) tests || status=$$?; \
	$(PYTEST) --nbval-lax notebooks || status=$$?; \
	$(BIN)/nemo-lab verify || status=$$?; \
	exit $$status

lab: $(VENV)/.lab
	@$(BIN)/jupyter lab notebooks

report: $(VENV)/.lab
	@$(BIN)/nemo-lab report

clean:
	rm -rf $(VENV) runs report build *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache

# --- the environment; each step leaves a stamp, so that the second call costs nothing

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Nemo Lab needs Python 3.11 or newer; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
	  { echo "This Python cannot make environments; install them with: apt-get install python3-venv"; exit 1; }
	@echo "Making $(VENV) and installing (a minute or two) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# torch before the rest: packages that build against it (--no-build-isolation) must find it.
$(VENV)/.torch: constraints.txt | $(VENV)/.made
	@$(PIP) setuptools wheel torch
	@touch $@

$(VENV)/.lab: pyproject.toml $(VENV)/.torch
	@$(PIP) --no-build-isolation --editable '.[notebooks,peers]'
	@touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.lab
	@$(PIP) --no-build-isolation --editable '.[fused,notebooks,peers,test]'
	@touch $@

# mamba-ssm without its CUDA part, and Triton (1 GB unpacked), to run the real kernels in Triton's interpreter.
# Kernels that are there already, on a machine with a GPU say, are left alone.
$(VENV)/.kernels: constraints.txt $(VENV)/.torch
	@$(BIN)/python -c 'from importlib.util import find_spec as f; exit(not (f("triton") and f("mamba_ssm")))' || \
	  { $(PIP) triton einops ninja packaging && \
	    MAMBA_FORCE_BUILD=TRUE MAMBA_SKIP_CUDA_BUILD=TRUE $(PIP) --no-build-isolation --no-deps mamba-ssm; } || \
	  echo "mamba-ssm or Triton does not install here; the tests against their kernels will be skipped."
	@touch $@

# Archives of the GPU packages, 10 MB: tests read their sources to hold our calls to them; nothing of them is installed.
$(VENV)/.archives: constraints.txt $(VENV)/.kernels
	@export FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE CAUSAL_CONV1D_SKIP_CUDA_BUILD=TRUE; \
	fetch="$(BIN)/python -m pip download -qq --disable-pip-version-check --constraint constraints.txt --no-deps -d $(WHEELS)"; \
	{ $$fetch transformer-engine && \
	  $$fetch --no-build-isolation --no-binary :all: flash-attn causal-conv1d; } 2> /dev/null || \
	  echo "Sources of the GPU packages cannot be had here; the tests that read them will be skipped."
	@touch $@

# --- what pip cannot bring: lynx, the OpenMP library that LightGBM links to, and apt's lists, from which packaged
# corpora are downloaded

system:
	@command -v apt-get > /dev/null || exit 0; \
	apt-cache show lynx dict-foldoc > /dev/null 2>&1 || $(AS_ROOT) apt-get update -qq > /dev/null 2>&1 || \
	  echo "Debian's package lists are missing: corpora packaged there will be absent (apt-get update as root)."
	@command -v lynx > /dev/null || \
	  $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq lynx > /dev/null 2>&1 || \
	  echo "lynx is not here and could not be installed; what renders web pages will say so (apt-get install lynx)."
	@command -v apt-get > /dev/null || exit 0; \
	$(PYTHON) -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2> /dev/null || \
	  $(AS_ROOT) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libgomp1 > /dev/null 2>&1 || \
	  echo "libgomp is not here and could not be installed; LightGBM needs it (apt-get install libgomp1)."
