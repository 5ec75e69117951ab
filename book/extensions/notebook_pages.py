"""A notebook's page: its text as it stands in `notebooks/`, and what its code printed and drew when it ran.

So a change of the text, a caption or the alternative text of a figure runs nothing.
"""

import copy
import json
import re
from pathlib import Path
from typing import Any

from figure_notes import add_notes

INJECTED = "injected-parameters"  # papermill's tag of the cell with the values that it was given

Notebook = dict[str, Any]


def code_of(notebook: Notebook) -> list[tuple[str, list[str]]]:
    """Source and tags of each cell of code: all that a run can tell apart."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return [("".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in cells]


def page(source: Path, name: str, parameters: dict[str, Any], executed: Notebook) -> Notebook:
    """The notebook at `source` with the outputs of `executed`, its run as `name` with these parameters or a page of it.

    Times, paths of this machine and random ids are left out.
    """
    made: Notebook = json.loads(source.read_text())
    ran = [cell for cell in executed["cells"] if cell["cell_type"] == "code"]
    cells = []
    for cell in made["cells"]:
        cells.append(cell)
        if cell["cell_type"] != "code":
            continue
        with_outputs = ran.pop(0)
        cell |= {
            "execution_count": with_outputs["execution_count"],
            "outputs": _steady(with_outputs["outputs"], len(cells)),
        }
        if "csv" in with_outputs["metadata"]:
            cell["metadata"]["csv"] = with_outputs["metadata"]["csv"]
        if ran and INJECTED in ran[0]["metadata"].get("tags", []):
            cells.append(copy.deepcopy(ran.pop(0)))
    made["cells"] = cells
    made["metadata"] = {key: value for key, value in executed["metadata"].items() if key not in ("papermill", "inputs")}
    if name != source.stem:
        _rename_figures(made, name.removeprefix(f"{source.stem}-"))
    add_notes(made, source, parameters)
    for index, cell in enumerate(made["cells"]):
        cell["id"] = f"cell-{index}"
        for moment in ("papermill", "execution"):
            cell["metadata"].pop(moment, None)
    return made


def error_of(notebook: Notebook) -> str | None:
    """The error that ended a run, None if there is none."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return next((f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"), None)


def _steady(outputs: list[dict[str, Any]], place: int) -> list[dict[str, Any]]:
    """Outputs of the cell at `place` without what chance gives them: addresses, tables' ids, where a stream paused."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if "text" in output and before.get("name") == output["name"]:
            joined[-1] = before | {"text": ["".join([*before["text"], *output["text"]])]}
        else:
            joined.append(output)
    text = re.sub(r" at 0x[0-9a-f]+(?=>)", "", json.dumps(joined))
    found = dict.fromkeys(re.findall(r"\bT_[0-9a-f]{5}(?![0-9a-f])", text))
    for number, table in enumerate(found):
        text = text.replace(table, f"T_{place}_{number}")
    steady: list[dict[str, Any]] = json.loads(text)
    return steady


def _rename_figures(notebook: Notebook, suffix: str) -> None:
    """End the names of a notebook's figures in `-suffix`: the book can show it a second time, but a name only once."""
    for cell in notebook["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figure["name"] += f"-{suffix}"
