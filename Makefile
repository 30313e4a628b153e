# Everything runs from .venv, which `scripts/setup` makes and keeps up to date.
PORT ?= 8000
DATA ?= data
DEMO ?= 1
NAME ?= checkout
T ?=
export PYTHON
BIN := .venv/bin
STAGES := $(BIN)/python scripts/stages.py
DEMO_FLAG := $(if $(filter 0 no false,$(DEMO)),--no-demo,--demo)

.DEFAULT_GOAL := help
.PHONY: help run dev test test-browser test-scale test-long engines check coverage hooks format bench chromium varnish opensearch kafka clients proxies setup setup-test clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup  ## open the shop on http://127.0.0.1:8000 (PORT=8900, DATA=dir, DEMO=0 for an empty one)
	@exec $(BIN)/mercat serve --port $(PORT) --data "$(DATA)" $(DEMO_FLAG)

dev: setup-test  ## the shop as `make run` opens it, which takes up changes of code, templates and styles by itself
	@MERCAT_RELOAD=true exec $(BIN)/mercat serve --workers 1 --port $(PORT) --data "$(DATA)" $(DEMO_FLAG)

test: setup-test  ## all checks and tests, each stage with its time; T=faults/test_supervisor.py for some tests only
	@if [ -n "$(T)" ]; then $(BIN)/pytest tests/$(T); else $(STAGES) check test; fi

test-browser: setup-test  ## the pages in Chromium: what people do, how it looks, what keyboards and screen readers find
	@$(MAKE) --no-print-directory chromium || echo "The browser tests will be skipped."
	@$(STAGES) browser

test-scale: engines  ## a shop of several machines: contracts, moves and kills on Kafka, OpenSearch, ClickHouse and clusters
	@$(STAGES) scale

test-long: engines  ## what takes minutes: many seeds of the simulator, kills of whole shops and of their moves, clients, upgrades
	@$(STAGES) long

engines: setup-test
	@for engine in kafka opensearch; do $(MAKE) --no-print-directory $$engine || echo "Tests with it will be skipped."; done

check: setup-test  ## lock file, style, who may import whom, generated docs, wheel, known vulnerabilities, types
	@$(STAGES) check

coverage: setup-test  ## branch coverage of the tests that run in one process; its floor is in pyproject.toml
	@$(STAGES) coverage

hooks: setup-test  ## let git run the checks before each commit
	@$(BIN)/pre-commit install

format: setup-test  ## put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup  ## measure: NAME=browse, checkout, search, import; restarts: ten of them in a minute of load
	@$(BIN)/mercat bench $(NAME) $(if $(filter restarts,$(NAME)),--seconds 60)

opensearch:  ## prepare an OpenSearch to search with and to test against (needs a JDK 21+ and Maven)
	@scripts/opensearch/prepare

kafka:  ## prepare a Kafka broker for the event log and its tests (needs Java 17+ and Maven)
	@scripts/kafka/prepare

chromium:  ## the browser for the browser tests, where root and apt can install it
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif [ "$$(id -u)" != 0 ]; then echo "Chromium is not installed, and only root can install it."; exit 1; \
	elif ! command -v apt-get >/dev/null; then echo "Chromium is not installed, and this machine has no apt-get."; exit 1; \
	else echo "Installing Chromium (once) ..."; \
	{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium; } >/dev/null 2>&1 \
	|| { echo "Chromium could not be installed by apt-get."; exit 1; }; fi

varnish:  ## the cache that tests and `bench flash` put before a shop, where root and apt can install it
	@if command -v varnishd >/dev/null; then varnishd -V 2>&1 | head -1; \
	elif [ "$$(id -u)" != 0 ]; then echo "Varnish is not installed, and only root can install it."; exit 1; \
	elif ! command -v apt-get >/dev/null; then echo "Varnish is not installed, and this machine has no apt-get."; exit 1; \
	else { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends varnish; } >/dev/null 2>&1 \
	&& echo "Varnish is installed." || { echo "Varnish could not be installed by apt-get."; exit 1; }; fi

clients:  ## what makes a TypeScript client of the API's document, for its test (needs Node and npm)
	@cd tests/clients && npm install --silent --no-audit --no-fund && echo "openapi-typescript is installed."

proxies:  ## nginx, Caddy and promtool, which `deploy/` is tried with, where root and apt can install them
	@if command -v nginx >/dev/null && command -v caddy >/dev/null && command -v promtool >/dev/null; then nginx -v; caddy version; promtool --version | head -1; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then echo "They are not installed, and only root can install them, by apt-get."; exit 1; \
	else { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light caddy prometheus; } >/dev/null 2>&1 \
	&& echo "nginx, Caddy and promtool are installed." || { echo "They could not be installed by apt-get."; exit 1; }; fi

setup:
	@scripts/setup run

setup-test:
	@scripts/setup test

clean:  ## remove what can be made again (.venv, .tools, caches); the shop's data stays
	rm -rf .venv .tools .opensearch .kafka .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
