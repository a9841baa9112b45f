# The two commands of the README: `make lab` and `make test`. Both set up what they need and can be re-run.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 2

# ipykernel versions besides that of the environment, under which the widgets are tested.
KERNELS := 6.31.0 7.3.0

.PHONY: help setup kernels lab test lint fast slow notebooks browser benchmarks clean

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
	$(BIN)/python -m pytest tests/unit tests/properties tests/integration tests/acceptance -m "not slow and not browser" \
	  -n $(JOBS) --dist loadfile -q --cov --cov-report=term

slow: setup kernels
	$(BIN)/python -m pytest tests/unit tests/properties tests/integration tests/acceptance tests/kernels -m slow \
	  -n $(JOBS) --dist loadfile -q

# Twice in a row: the second run finds warm caches, and must show the same.
notebooks: setup
	VNQUANT_PROGRESS=false $(BIN)/python -m pytest --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg \
	  notebooks -n $(JOBS) --dist loadfile -q -p no:cacheprovider --timeout=300
	VNQUANT_PROGRESS=false $(BIN)/python -m pytest --nbval --nbval-sanitize-with tests/nbval_sanitize.cfg \
	  notebooks -n $(JOBS) --dist loadfile -q -p no:cacheprovider --timeout=300

browser: setup
	$(BIN)/python -m pytest tests/browser -n $(JOBS) --dist loadfile -q

benchmarks: setup
	$(BIN)/python -m pytest tests/benchmarks -m benchmark -q -s

clean:
	rm -rf $(VENV) .kernels artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis
