# The two commands: `make demo` and `make test`. Everything else is for those who work on the code.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo test coverage lint docs bench clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## create .venv with what is needed to run
	@scripts/setup.sh

setup-dev: ## create .venv with what is needed to run, test and document
	@scripts/setup.sh --dev

demo: setup ## play scripted broadcasts and watch Upstander decide (Ctrl-C stops it)
	@.venv/bin/upstander demo $(DEMO)

test: setup-dev ## install what the tests need, then run all of them
	@scripts/test.sh $(TESTS)

coverage: setup-dev ## the same, saying what no test reaches (takes twice as long)
	@scripts/test.sh --cov --cov-report=term:skip-covered $(TESTS)

lint: setup-dev ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

export NO_MKDOCS_2_WARNING = 1

docs: setup-dev ## build the documentation site into site/
	.venv/bin/python scripts/generate_reference.py
	.venv/bin/mkdocs build --strict --quiet

bench: setup-dev ## run every benchmark, one machine-readable line each
	@scripts/synapse.sh
	@for b in engine packs policy backtest scale gateway http_frameworks soak matrix console reports index trace rebroadcast watch speech; do .venv/bin/python benchmarks/$$b.py || exit 1; done

clean: ## remove what was built (not your data)
	rm -rf .venv .tools site dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
