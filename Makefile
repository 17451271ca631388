# Needs make and Python 3.11 or newer; everything else goes into .venv. `make` alone lists the commands.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
CHECKED := ecoassist sandbox tests benchmarks
BENCHMARKS = $(filter-out benchmarks.common benchmarks.agreement benchmarks.known benchmarks.retrieval benchmarks.synergy,$(subst /,.,$(basename $(wildcard benchmarks/*.py))))
COMPILE = $(UV) pip compile --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE)
PACKAGE := pyproject.toml --extra unsafe-local

.DEFAULT_GOAL := help
.PHONY: help demo test check bench pins clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-7s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.run ## a tour of the assistant, without keys or network (ARGS="..." is passed on)
	@$(BIN)/ecoassist demo $(ARGS)

test: $(VENV)/.dev ## every check and every test; what needs a container engine is skipped where none answers (ARGS="..." for pytest)
	@$(MAKE) --no-print-directory check; checks=$$?; $(BIN)/python -m pytest --cov --cov-report=term $(ARGS) && exit $$checks

check: $(VENV)/.dev ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev ## measures start-up and the like against their targets (ARGS="--check" fails on a missed one)
	@for name in $(BENCHMARKS); do $(BIN)/python -m $$name $(ARGS) || exit 1; done

pins: ## resolves the pinned requirements again, with uv (UPGRADE=--upgrade takes newer versions)
	$(COMPILE) $(PACKAGE) requirements/run.in -o requirements/run.txt
	$(COMPILE) $(PACKAGE) requirements/dev.in -c requirements/run.txt -o requirements/dev.txt
	@set -e; for each in sandbox/requirements/*.in; do echo "$(COMPILE) $$each"; $(COMPILE) $$each -o $${each%.in}.txt; done

clean: ## removes .venv and everything else that was generated
	rm -rf $(VENV) dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that .venv holds what its requirements ask for; interrupted or failed setups leave none and are repeated.
$(VENV)/.run $(VENV)/.dev: $(VENV)/.%: requirements/%.txt pyproject.toml | $(BIN)/pip
	@echo "Installing requirements/$*.txt and this checkout into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/$*.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ecoassist needs Python 3.11 or newer, and $(PYTHON) is older or missing: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "$(PYTHON) lacks its venv module: install it (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
