# make demo: the whole pipeline on real text, and its report.
# make test: lint, types, import contract, all tests.

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
RUN := PATH="$(BIN):$$PATH"
# As many tests at once as there are cores; the slow ones start processes of their own.
FAST := --numprocesses auto -m "not slow and not reproducibility and not network"

.PHONY: demo test fast reproduce clean

demo: $(VENV)/.installed
	$(RUN) dvc repro
	$(RUN) bertpipe report --show report

test: $(VENV)/.installed-dev
	$(RUN) pre-commit run --all-files
	$(RUN) pytest $(FAST)
	$(RUN) pytest -m "slow and not reproducibility and not network"

fast: $(VENV)/.installed-dev
	$(RUN) pytest $(FAST)

reproduce: $(VENV)/.installed-dev
	$(RUN) pytest -m reproducibility

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .bertpipe
