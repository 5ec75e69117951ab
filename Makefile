PYTHON ?= python3
BIN := .venv/bin
PROFILE ?= cpu
ENGINE ?= local

.PHONY: help setup book test grid status test-slurm clean

help:
	@echo "make setup   install the tested set of packages into .venv"
	@echo "make book    run the notebooks and build the book into _build/html"
	@echo "make test    check style and types, and run the tests"
	@echo "make grid    train what PROFILE (cpu) still lacks; ENGINE=slurm on a cluster"
	@echo "make status  say what of PROFILE is done, running, failed or missing"
	@echo "make test-slurm   run the smoke grid through a SLURM started for it"
	@echo "make clean   remove what the book's build has made"

setup: .venv/.done

.venv/.done: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[book,grid,test]'
	touch $@

# after a warning every page is read again, since a page that is not read again does not repeat its warning
book: .venv/.done
	$(BIN)/jupyter-book build -W --keep-going book/ || { rm -rf _build/.doctrees; exit 1; }

test: .venv/.done
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest

grid: .venv/.done
	$(BIN)/snakemake train --profile workflow/profiles/$(ENGINE) --config profile=$(PROFILE); \
	code=$$?; $(BIN)/ilwp status --profile $(PROFILE); exit $$code

status: .venv/.done
	$(BIN)/ilwp status --profile $(PROFILE)

test-slurm: .venv/.done
	$(BIN)/pytest -n 0 -rs tests/slurm/check_grid.py

clean:
	rm -rf _build book/notebooks
