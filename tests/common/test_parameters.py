from pathlib import Path

import nbformat
import papermill
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4
from papermill.exceptions import PapermillExecutionError

from ilwp.common.errors import IlwpError
from ilwp.common.parameters import Parameter, check_parameters, check_values, declared, declared_in
from ilwp.common.paths import NOTEBOOKS

CODE = """\
bits: int = 8  # bits per weight, 2 to 8
step: float = 0.5  # of the quantizer, 1e-3 to inf
network: str = "mobilenet"  # one of mobilenet, shufflenet
title: str = ""
"""
CHECK = "from ilwp.common.parameters import check_parameters\ncheck_parameters()"
PAGES = [path for path in sorted(NOTEBOOKS.glob("*.ipynb")) if declared(nbformat.read(path, 4))]


def test_declarations_are_read_with_their_comments():
    assert declared_in(CODE) == {
        "bits": Parameter("int", 8, "bits per weight, 2 to 8"),
        "step": Parameter("float", 0.5, "of the quantizer, 1e-3 to inf"),
        "network": Parameter("str", "mobilenet", "one of mobilenet, shufflenet"),
        "title": Parameter("str", "", ""),
    }
    assert declared({"cells": []}) == {}


@given(st.integers())
def test_a_whole_number_is_taken_within_its_range_alone(value: int):
    parameters = declared_in(CODE)
    assert (parameters["bits"].expected(value) is None) == (2 <= value <= 8)
    assert (parameters["step"].expected(value) is None) == (value >= 1)


@pytest.mark.parametrize("value", [True, 4.0, "4", None])
def test_a_value_of_another_type_is_refused(value: object):
    with pytest.raises(IlwpError, match="bits must be a whole number from 2 to 8"):
        check_values(declared_in(CODE), {"bits": value})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_notebook_with_parameters_checks_them_and_its_defaults_pass(page: Path):
    notebook = nbformat.read(page, 4)
    parameters = declared(notebook)
    check_values(parameters, {name: parameter.default for name, parameter in parameters.items()})
    assert all(parameter.comment for parameter in parameters.values())
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert "\ncheck_parameters()\n" in code[1] + "\n"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [v4.new_code_cell(CODE, metadata={"tags": ["parameters"]}), v4.new_code_cell(CHECK)]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / "page.ipynb")
    return tmp_path / "page.ipynb"


@pytest.mark.parametrize(
    ("given", "message"),
    [({"bits": 99}, "bits must be a whole number from 2 to 8, not 99"), ({"bit": 4}, "no parameter is called 'bit'")],
)
def test_a_notebook_refuses_what_papermills_function_gives_it(notebook: Path, given: dict, message: str):
    with pytest.raises(PapermillExecutionError, match=message):
        papermill.execute_notebook(notebook, None, parameters=given, progress_bar=False)


def test_a_notebook_takes_what_is_allowed(notebook: Path):
    papermill.execute_notebook(notebook, None, parameters={"bits": 4, "step": 1}, progress_bar=False)


def test_outside_a_notebook_there_is_nothing_to_check():
    check_parameters()
