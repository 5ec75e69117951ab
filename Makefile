PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup book test clean

help:
	@echo "make setup   install the tested set of packages into .venv"
	@echo "make book    run the notebooks and build the book into _build/html"
	@echo "make test    check style and types, and run the tests"
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

clean:
	rm -rf _build book/notebooks
