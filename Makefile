# Everything a machine with Python 3.11 or newer, its venv module and make can do with this repository.
.PHONY: help demo test check fix bench clean
.DEFAULT_GOAL := help

UV := uv==0.13.9
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p >/dev/null 2>&1 && \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/.synced

help:  ## Say what there is.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is needed: apt-get install python3-venv" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check $(UV)
	@$(BIN)/uv sync --quiet --frozen --inexact --python $(BIN)/python
	@touch $@

demo: $(STAMP)  ## Watch a real model being protected from end to end.
	@$(BIN)/exequatur demo

test: $(STAMP)  ## Run the tests this machine can run, in five to seven minutes.
	@$(BIN)/python -m pytest -m "not slow and not bench"

check: $(STAMP)  ## Everything CI runs.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@if [ -d contracts/node_modules ] || [ "$$CI" = true ]; then echo "$(BIN)/python -m contracts.build --check"; \
		$(BIN)/python -m contracts.build --check; \
		else echo "contracts not compiled again: npm ci --prefix contracts --ignore-scripts"; fi
	$(BIN)/python -m pytest -m "not bench" --durations=15
	$(BIN)/exequatur demo

fix: $(STAMP)  ## Format, and repair what can be repaired without thought.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)  ## Measure against peers and physical limits; fails when a must is missed.
	$(BIN)/python -m tests.bench

clean:  ## Remove what the other targets made.
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis contracts/node_modules contracts/out contracts/cache
