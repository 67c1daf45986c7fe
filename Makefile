# Every target works on a fresh machine with Python 3.11 or newer; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo dev test check fix docs generate screenshots platform agreement bench lock clean

help:  ## List the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(READY)  ## Install everything into .venv from requirements.lock

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (about two minutes the first time) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Audiences needs Python 3.11, 3.12 or 3.13." if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --compile --require-hashes --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --disable-pip-version-check -e .
	@touch $(READY)

demo: $(READY)  ## Run the main job end to end against stand-in platforms and check the result
	@$(BIN)/audiences demo

dev: $(READY)  ## Start UI, daemon, receiver and stand-ins; Ctrl-C stops all of them
	@$(BIN)/audiences dev

test: $(READY)  ## Run every test
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

check: $(READY)  ## Lint, format and types: what CI asks before the tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt_project/models

fix: $(READY)  ## Mend what the linters can mend
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --processes 2 --disable-progress-bar dbt_project/models

generate: $(READY)  ## Write what is generated from the registry and the twins
	@$(BIN)/python dbt_project/generate_platforms.py
	@$(BIN)/python dbt_project/generate_policies.py
	@$(BIN)/python -m dlt_sources.example
	@$(BIN)/python -m orchestration.matrix

platform: $(READY)  ## Start a platform as a copy of the smallest one: make platform NAME=woocommerce [LIKE=klaviyo]
	@$(BIN)/python -m orchestration.new_platform "$(NAME)" $(if $(LIKE),--like "$(LIKE)")

docs: $(READY)  ## Build the dbt docs into data/published/dbt_docs
	@$(BIN)/audiences docs

screenshots: $(READY)  ## Draw the flow and photograph report and Dagster into docs/images (needs chromium, pdftoppm)
	@$(BIN)/python docs/images/flow.py
	@$(BIN)/python docs/images/screenshots.py

agreement: $(READY)  ## Let the models and a second reading of the rules answer random histories and a whole shop (some minutes)
	@$(BIN)/python -m tests.deciding.agreement 0 10000 --alone
	@$(BIN)/python -m tests.deciding.agreement 0 10000
	@$(BIN)/python -m tests.deciding.population

bench: $(READY)  ## Measure against references in the same run (about half an hour): make bench [ONLY=pulling]
	@$(BIN)/python -m tests.benchmarks $(ONLY)

lock: $(READY)  ## Resolve pyproject.toml into requirements.lock (hashes, no index addresses)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev pyproject.toml --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --no-strip-extras -o requirements.lock

clean:  ## Remove what this checkout built, but no data
	@rm -rf $(VENV) dbt_project/target dbt_project/logs .pytest_cache .mypy_cache .ruff_cache
