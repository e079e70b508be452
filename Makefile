# Everything a developer runs. `make demo` and `make test` do their own set-up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := .venv-deploy/.installed
MUTMUT := .venv-mutants/.installed
BUILDER = $(firstword $(foreach each,docker podman buildah,$(shell $(each) info >/dev/null 2>&1 && echo $(each))))
# What `make test` runs. `make test-rest` runs everything else, so that a new file is never left out.
QUICK := tests/unit tests/causes tests/engine tests/contract tests/integration tests/e2e/test_life.py tests/simulation/test_some_seeds.py
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --no-strip-extras --no-annotate --no-header --upgrade

.DEFAULT_GOAL := help
.PHONY: help demo test test-rest test-all test-times check deploy-check manifests image simulate chaos bench mutants format lock schema reference picture pictures matrix clean

help: ## Show this help
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 16

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "error: $(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Watch it work against an emulated Baseten, for a minute, with no account
	@$(BIN)/baseten-watchdog demo

test: $(STAMP) ## Run the tests that make a change trustworthy, in two minutes
	$(BIN)/pytest -n auto $(QUICK)

# These mostly wait for processes, so more of them than there are cores.
test-rest: $(STAMP)
	$(BIN)/pytest -n 4 --ignore tests/deploy $(addprefix --ignore ,$(QUICK)) tests

test-all: test test-rest ## Run every test but those of deploy/: also hostile, kills, replicas, chaos, seeds, broken watchdogs

test-times: $(STAMP) ## Run the tests of test-all, and print what each folder of them costs
	$(BIN)/python -m pytest -n auto -p tests.times --ignore tests/deploy tests

check: $(STAMP) ## What must hold beside the tests: style, types, layers, coverage of the rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --cov=watchdog --cov-report= tests/unit
	$(BIN)/coverage report --include='watchdog/domain/*,watchdog/text/*' --fail-under=100

deploy-check: $(STAMP) $(TOOLS) ## Have what is in deploy/ read by the tools that will read it
	$(BIN)/pytest -n auto tests/deploy

$(TOOLS): tests/deploy/requirements.txt
	$(PYTHON) -m venv --clear .venv-deploy
	.venv-deploy/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

manifests: $(STAMP) $(TOOLS) ## Write anew what is made of the chart, the rules and the dashboards
	$(BIN)/python -m deploy.grafana
	.venv-deploy/bin/python deploy/helm/generate.py

image: ## Build the image with docker, podman or buildah (BASE=... for another base)
	@test -n "$(BUILDER)" || { echo "error: none of docker, podman and buildah works here" >&2; exit 1; }
	$(BUILDER) build $(if $(filter docker,$(BUILDER)),,--format docker) $(if $(BASE),--build-arg BASE=$(BASE)) \
	    --build-arg REVISION=$$(git rev-parse --short HEAD) --tag baseten-watchdog .

simulate: $(STAMP) ## Try 10,000 seeds of a hostile world (SEEDS=n), or replay one (SEED=n)
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),10000) $(if $(SEED),--seed $(SEED))

chaos: $(STAMP) ## Trouble three replicas and their database for ten minutes (SECONDS=n, SEED=n)
	@$(BIN)/python -m tests.chaos $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

bench: $(STAMP) ## Measure speed and size, for half an hour (ONLY="NAME ...", SHORT=1; needs hey, curl and jq)
	@$(BIN)/python -m tests.bench $(ONLY) $(if $(SHORT),--short)

mutants: $(MUTMUT) ## Change each line of the rules in domain/ and text/, and see whether the tests notice
	@.venv-mutants/bin/python -m tests.mutants.survivors

$(MUTMUT): tests/mutants/requirements.txt
	$(PYTHON) -m venv --clear .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: $(STAMP) ## Write config/schema.json anew
	$(BIN)/baseten-watchdog config schema > config/schema.json.new
	mv config/schema.json.new config/schema.json

reference: $(STAMP) ## Write the reasons and settings in docs/reference.md anew
	$(BIN)/python -m tests.reference

picture: $(STAMP) ## Write the README's picture of the demo anew
	$(BIN)/baseten-watchdog demo --svg deploy/demo.svg

pictures: $(STAMP) ## Write the README's pictures of the page anew (needs Chromium)
	$(BIN)/python -m tests.deploy.pictures

lock: $(STAMP) ## Resolve the dependencies anew, with hashes, for every supported Python
	$(LOCK) --extra postgres --group dev --output-file requirements-dev.lock
	$(LOCK) --extra postgres --group build --constraint requirements-dev.lock --output-file requirements.lock
	$(subst pyproject.toml,tests/deploy/requirements.in,$(LOCK)) --output-file tests/deploy/requirements.txt
	$(subst pyproject.toml,tests/mutants/requirements.in,$(LOCK)) --constraint requirements-dev.lock \
	    --output-file tests/mutants/requirements.txt

matrix: ## Run the tests on each Python from 3.11 to 3.14 that is installed here
	@PYTHON=$(PYTHON) tests/matrix.sh

clean: ## Remove what make made
	rm -rf $(VENV) .venv-3.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist mutants *.egg-info .coverage*
