# Kinora's commands. Only python3 (3.11 or newer), pip and make are assumed.
PYTHON ?= python3
# Another Python is named by PYTHON=python3.13: it gets a virtual environment of its own, beside the usual one.
ifneq ($(filter command environment,$(origin PYTHON)),)
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifeq ($(VERSION),)
$(error PYTHON=$(PYTHON) does not run)
endif
VENV := .venv-$(VERSION)
else
VENV := .venv
endif
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
BROWSER := $(VENV)/.browser
CLIENTS := .venv-clients
NODE := tests/clients/node_modules
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

.PHONY: sentences coverage mutants demo demo-headless run test test-postgres test-browser test-clients pictures lint format setup bench soak reliability requirements clean help

help: ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

demo: $(RUNTIME) ## try Kinora in your browser with no account: a chat like Discord's with the bot in it, and its backstage
	@$(BIN)/python -m demo

demo-headless: $(RUNTIME) ## the same on the terminal: one /animate, and an MP4 (IMAGE=… PROMPT="…" for your own)
	@$(BIN)/python -m demo.headless $(if $(IMAGE),--image "$$IMAGE") $(if $(PROMPT),--prompt "$$PROMPT")

run: $(RUNTIME) ## the real bot, from .env
	@$(BIN)/python -m bot

test: $(DEV) ## the test suite, on SQLite (PYTHON=python3.13: on another Python, as with every command)
	@$(BIN)/python -m pytest

test-postgres: $(DEV) ## the end-to-end suite and the crash matrix on PostgreSQL, and many processes (Python only, too)
	@$(BIN)/python -m pytest -m postgres

coverage: $(DEV) ## the suite once more, slower, and which lines of bot and cogs it did not reach: a figure, no gate
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -p tests.support.measured $(TESTS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

mutants: $(DEV) ## break each promise on purpose, one at a time, and see that a test notices (MUTANT=… for one)
	@$(BIN)/python -m tests.mutants $(MUTANT)

test-browser: $(BROWSER) ## the page in a real browser (needs Chromium: apt-get install chromium)
	@$(BIN)/python -m pytest -n 0 -m browser tests/browser

test-clients: $(DEV) $(CLIENTS)/.done $(NODE)/.done ## the sandbox against clients nobody here wrote (needs node 20 and npm)
	@$(BIN)/python -m pytest -n 2 -m clients tests/clients

pictures: $(BROWSER) ## take the README's pictures anew, from the page itself (docs/pictures)
	@$(BIN)/python -m tests.browser.pictures

$(BROWSER): $(DEV) tests/browser/requirements.txt
	@echo "Installing what drives the browser (once) …"
	@$(PIP) install --require-hashes -r tests/browser/requirements.txt
	@touch $@

$(CLIENTS)/.done: tests/clients/requirements.txt
	@echo "Installing the Python clients (once) …"
	@$(PYTHON) -m venv $(CLIENTS)
	@$(CLIENTS)/bin/python -m pip --quiet --disable-pip-version-check --no-input install --require-hashes -r tests/clients/requirements.txt
	@touch $@

$(NODE)/.done: tests/clients/package.json tests/clients/package-lock.json
	@echo "Installing the JavaScript clients (once) …"
	@cd tests/clients && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

lint: $(DEV) ## ruff, mypy (strict) and the walls of the house
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

sentences: $(DEV) ## bring the message catalogue up to date with the code (LOCALE=de begins a language)
	@$(BIN)/python -m tests.ui.catalogue $(LOCALE)

format: $(DEV) ## let ruff mend and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(DEV) ## what it costs: memory, acknowledgements, fitting, and both engines side by side
	@$(BIN)/python -m bench.deliveries
	@$(BIN)/python -m bench.acknowledgements
	@$(BIN)/python -m bench.fitting
	@$(BIN)/python -m bench.engines

soak: $(DEV) ## 1,000 jobs with random faults and 50 kills: none lost, none doubled (JOBS=… KILLS=… SEED=…)
	@$(BIN)/python -m tests.soak $(if $(JOBS),--jobs $(JOBS)) $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED))

reliability: $(DEV) ## run every crash and fault experiment and write docs/reliability.md from them
	@$(BIN)/python -m tests.reliability.page

setup: $(DEV) ## the virtual environment with everything pinned

requirements: $(DEV) ## pin every requirements.in afresh, with hashes
	@for name in requirements requirements-dev tests/browser/requirements tests/clients/requirements; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt || exit 1; \
	done

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit("Kinora needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "Making a virtual environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME): $(VENV)/.created requirements.txt
	@echo "Installing the pinned requirements (once) …"
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(DEV): $(RUNTIME) requirements-dev.txt
	@echo "Installing the development requirements (once) …"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

clean: ## remove the virtual environments and caches (never data/)
	rm -rf .venv .venv-* $(NODE) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage .coverage.*
