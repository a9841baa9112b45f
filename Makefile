# The two commands of the README: `make lab` and `make test`. Both set up what they need and can be re-run.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Test processes: one more than the cores of CI, since tests also wait, for children, sockets and clocks.
JOBS ?= 3
SHARED := -n $(JOBS) --dist loadfile --no-loadscope-reorder
# Benchmarks that count memory and CPU time of processes of their own: another one does not disturb them.
COUNTED := test_leak test_price_board
COUNTED := $(COUNTED:%=tests/benchmarks/%.py)

# ipykernel versions besides that of the environment, under which the widgets are tested.
KERNELS := 6.31.0 7.3.0

.PHONY: help setup kernels lab test lint fast slow notebooks browser benchmarks counted clean

help:
	@echo "make lab         set up, then open JupyterLab on the quickstart"
	@echo "make test        set up, then run everything that CI runs"
	@echo "make fast        the unit and property tests alone"
	@echo "make benchmarks  the measurements, printed as JSON"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "VN-Quant needs Python 3.11 to 3.13; choose one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[lab,dev]'
	@touch $@

kernels: $(KERNELS:%=.kernels/%/.ready)

.kernels/%/.ready: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade \
	  --target .kernels/$* ipykernel==$*
	@touch $@

lab: setup
	$(BIN)/jupyter lab notebooks/00_quickstart.ipynb $(LAB_ARGS)

test: setup lint fast slow notebooks browser benchmarks

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fast: setup
	$(BIN)/python -m pytest tests/integration tests/acceptance tests/properties tests/unit -m "not slow and not browser" \
	  $(SHARED) -q --cov --cov-report=term

slow: setup kernels
	$(BIN)/python -m pytest tests/kernels tests/integration tests/acceptance tests/unit tests/properties -m slow \
	  $(SHARED) -q

# Twice in a row: the second run finds warm caches, and must show the same.
notebooks: setup
	VNQUANT_PROGRESS=false $(BIN)/python -m pytest --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg \
	  notebooks $(SHARED) -q -p no:cacheprovider --timeout=300
	VNQUANT_PROGRESS=false $(BIN)/python -m pytest --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg \
	  notebooks $(SHARED) -q -p no:cacheprovider --timeout=300

# No more processes than cores: a page's frames are counted.
browser: setup
	$(BIN)/python -m pytest tests/browser $(SHARED) -n 2 -q

benchmarks: setup
	$(MAKE) --no-print-directory --jobs=2 counted
	$(BIN)/python -m pytest tests/benchmarks -m benchmark $(COUNTED:%=--ignore=%) -q -s

counted: $(COUNTED:%=%.counted)

%.counted: setup
	$(BIN)/python -m pytest $* -m benchmark -q -s

clean:
	rm -rf $(VENV) .kernels artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis
