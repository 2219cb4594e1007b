# Set-up and the things one does. Needs Python 3.10 or newer and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export DAGSTER_HOME ?= $(CURDIR)/data/dagster

.PHONY: demo dev test lint docs bench clean

demo: $(VENV)/installed
	@$(BIN)/revenue-pipeline demo

# The simulator runs beside the UI, so that the demo's partners can be asked again from there. What is ignored is advice
# to start another command.
dev: $(VENV)/installed
	@mkdir -p $(DAGSTER_HOME) && cp revenue_pipeline/dagster.yaml $(DAGSTER_HOME)/dagster.yaml
	@$(BIN)/revenue-pipeline simulator & trap "kill $$!" EXIT INT TERM; PYTHONWARNINGS=ignore:Function $(BIN)/dagster dev -w workspace.yaml

test: $(VENV)/installed
	@$(BIN)/python -m pytest

lint: $(VENV)/installed
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# docs/partners.md says what the connectors declare.
docs: $(VENV)/installed
	@$(BIN)/python -m revenue_pipeline.partners.documentation > docs/partners.md

bench: $(VENV)/installed
	@$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) data

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 10) and 'Python 3.10 or newer is needed: make PYTHON=python3.12')"
	@echo "installing into $(VENV), once: a minute or two"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
