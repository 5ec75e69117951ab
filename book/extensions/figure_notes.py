"""What a reader can do with each figure of a notebook: take its data, take it as SVG, make it again.

    executed notebook -> add_notes -> the same with a note under each figure
    book/notebooks/*.ipynb -> lay_out -> book/notebooks/figures/NAME.svg and NAME.csv

The numbers come from the notebook's own output (`ilwp.figures.output`), the command from its
parameters and the run list.
"""

import json
import shlex
from pathlib import Path
from typing import Any

from ilwp.common.errors import IlwpError
from ilwp.common.parameters import declared

SVG, CSV = "image/svg+xml", "text/csv"
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
    parameters = declared(json.loads(source.read_text()))
    values = {name: given.get(name, p.default) for name, p in parameters.items()}
    words = [f"-p {name} {shlex.quote(str(value))}" for name, value in values.items()]
    command = " ".join(["papermill", f"notebooks/{source.name}", *words])
    helps = "\n".join(f"- `{name}`: {p.comment}" for name, p in parameters.items() if p.comment)
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
        if CSV in figure:
            cell["metadata"]["csv"] = figure.pop(CSV)  # myst-nb warns of formats that it does not know
        if "csv" in cell["metadata"]:
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
            if (text := cell["metadata"].get("csv")) is not None:
                made[f"{_name(cell)}.csv"] = "".join(text)
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
