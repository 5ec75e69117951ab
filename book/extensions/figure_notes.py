"""What a reader can do with each figure of a notebook: see it on a phone, take its data, take it as SVG, make it again.

    executed notebook -> add_notes -> the same with a note under each figure
    book/notebooks/*.ipynb -> lay_out -> book/notebooks/figures/NAME.svg, NAME-narrow.svg and NAME.csv

The numbers come from the notebook's own output (`ilwp.figures.output`), the command from its
parameters and the run list.
"""

import ast
import json
import shlex
from pathlib import Path
from typing import Any

from papermill.inspection import inspect_notebook

from ilwp.common.errors import IlwpError

SVG, NARROW, CSV = "image/svg+xml", "image/x-narrow+svg", "text/csv"
FILES = {NARROW: "{}-narrow.svg", CSV: "{}.csv"}
NOTE = """\
:::{{dropdown}} Data, and how to make this figure again
:class-container: figure-note

{downloads}

```sh
{command}
```

{parameters}
:::
"""


def add_notes(notebook: dict[str, Any], source: Path, given: dict[str, Any]) -> None:
    """Put a note under each figure of an executed notebook, which was made from `source` with parameters `given`.

    Raises IlwpError for a figure that has no name.
    """
    declared = inspect_notebook(source)
    values = {name: given.get(name, ast.literal_eval(p["default"])) for name, p in declared.items()}
    words = [f"-p {name} {shlex.quote(str(value))}" for name, value in values.items()]
    command = " ".join(["papermill", f"notebooks/{source.name}", *words])
    helps = "\n".join(f"- `{name}`: {p['help']}" for name, p in declared.items() if p["help"])
    cells = []
    for cell in notebook["cells"]:
        cells.append(cell)
        figure = _figure(cell)
        if figure is None:
            continue
        name = _name(cell)
        if name is None:
            raise IlwpError(f"notebooks/{source.name}: a figure has no name in its cell's metadata (mystnb, figure)")
        links = [f"{{download}}`Drawing (SVG) <figures/{name}.svg>`"]
        # myst-nb warns of formats that it does not know
        cell["metadata"]["kept"] = {kind: figure.pop(kind) for kind in FILES if kind in figure}
        if CSV in cell["metadata"]["kept"]:
            links.insert(0, f"{{download}}`Numbers (CSV) <figures/{name}.csv>`")
        text = NOTE.format(downloads=" · ".join(links), command=command, parameters=helps)
        cells.append({"cell_type": "markdown", "id": f"note-{name}", "metadata": {}, "source": text})
    notebook["cells"] = cells


def lay_out(folder: Path) -> None:
    """Write every figure of the notebooks in `folder`, and its numbers, as a file into `folder`/figures."""
    made = {}
    for path in sorted(folder.glob("*.ipynb")):
        for cell in json.loads(path.read_text())["cells"]:
            if (figure := _figure(cell)) is not None:
                made[f"{_name(cell)}.svg"] = "".join(figure[SVG])
            for kind, text in cell["metadata"].get("kept", {}).items():
                made[FILES[kind].format(_name(cell))] = "".join(text)
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for path in figures.iterdir():
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        file = figures / name
        if not file.is_file() or file.read_text() != text:  # Sphinx looks at times
            file.write_text(text)


def _figure(cell: dict[str, Any]) -> dict[str, Any] | None:
    """The output of a cell that is a drawing, in all its formats."""
    outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
    return next((data for data in outputs if SVG in data), None)


def _name(cell: dict[str, Any]) -> str | None:
    name: str | None = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name")
    return name
