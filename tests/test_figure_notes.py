import importlib.util
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from ilwp.common.errors import IlwpError
from ilwp.common.paths import ROOT

SPEC = importlib.util.spec_from_file_location("figure_notes", ROOT / "book" / "extensions" / "figure_notes.py")
figure_notes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(figure_notes)

DRAWN = {"image/svg+xml": "<svg/>", "text/csv": "x,y\n1,2\n"}


def cell(name: str | None, **data: str) -> dict[str, Any]:
    metadata = {} if name is None else {"mystnb": {"figure": {"name": name}}}
    return {"cell_type": "code", "metadata": metadata, "outputs": [{"data": dict(data)}]}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "fig.ipynb"
    code = 'bits: int = 8  # bits per level, 2 to 8\nname: str = "a b"  # whose'
    cells = [v4.new_code_cell(code, metadata={"tags": ["parameters"]})]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def test_note_has_the_command_with_every_parameter_and_what_it_means(source: Path):
    notebook = {"cells": [cell("dots", **DRAWN), cell(None)]}
    figure_notes.add_notes(notebook, source, {"bits": 4})
    figure, note, other = notebook["cells"]
    assert "papermill notebooks/fig.ipynb -p bits 4 -p name 'a b'\n" in note["source"]
    assert "- `bits`: bits per level, 2 to 8" in note["source"]
    assert "figures/dots.csv" in note["source"]
    assert "figures/dots.svg" in note["source"]
    assert list(figure["outputs"][0]["data"]) == ["image/svg+xml"]
    assert other == cell(None)


def test_figure_without_numbers_offers_none(source: Path):
    notebook = {"cells": [cell("scheme", **{"image/svg+xml": "<svg/>"})]}
    figure_notes.add_notes(notebook, source, {})
    assert "csv" not in notebook["cells"][1]["source"]


def test_figure_without_a_name_is_an_error(source: Path):
    with pytest.raises(IlwpError, match="no name"):
        figure_notes.add_notes({"cells": [cell(None, **DRAWN)]}, source, {})


def test_files_are_laid_out_and_old_ones_go(source: Path, tmp_path: Path):
    notebook = {"cells": [cell("dots", **DRAWN)]}
    figure_notes.add_notes(notebook, source, {})
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "old.svg").touch()
    source.write_text(json.dumps(notebook))
    figure_notes.lay_out(tmp_path)
    made = {path.name: path.read_text() for path in (tmp_path / "figures").iterdir()}
    assert made == {"dots.svg": "<svg/>", "dots.csv": "x,y\n1,2\n"}
