"""A repository in small with a notebook to run, and the extensions that run it."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat import v4

from ilwp.common.paths import ROOT

SOURCE = ROOT / "book" / "extensions" / "notebook_runs.py"
sys.path.insert(0, str(SOURCE.parent))
SPEC = importlib.util.spec_from_file_location("notebook_runs", SOURCE)
notebook_runs = importlib.util.module_from_spec(SPEC)
sys.modules["notebook_runs"] = notebook_runs
SPEC.loader.exec_module(notebook_runs)
elsewhere = importlib.import_module("elsewhere")

DRAW = """\
import matplotlib.pyplot as plt
from myst_nb import glue
import pandas as pd
from ilwp.figures import output, style
style.use_style()
glue("share", bits / 3, display=False)
plt.plot([1, 2], [bits, 3])
output.keep_table(plt.gca(), pd.DataFrame({"size": [1, 2], "bits": [bits, 3]}));
"""
FIGURE = {"figure": {"name": "fig-dot", "caption": "One dot."}, "image": {"alt": "A dot"}}


def write_notebook(path: Path, *code: str, **metadata: object) -> None:
    cells = [v4.new_code_cell("bits: int = 8  # 2 to 8", metadata={"tags": ["parameters"]})]
    cells += [v4.new_markdown_cell("# A dot"), *(v4.new_code_cell(text, metadata=metadata) for text in code)]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)


def small_book(root: Path) -> Path:
    """A repository in small: the package, one notebook shown with two sets of parameters, and some data."""
    shutil.copytree(ROOT / "ilwp", root / "ilwp", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("book", "data", "notebooks"):
        (root / name).mkdir()
    (root / "data" / "record.json").write_text("1")
    write_notebook(root / "notebooks" / "dot.ipynb", "print(bits)", mystnb=FIGURE)
    list_runs(root, "{dot: null, dot-bits4: {notebook: dot.ipynb, parameters: {bits: 4}}}")
    return root


def list_runs(root: Path, text: str) -> None:
    (root / "notebooks" / "runs.yaml").write_text(text)


def due(root: Path) -> list[str]:
    return notebook_runs.due(root, notebook_runs.load_runs(root / "notebooks" / "runs.yaml"))


def results(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((root / "book" / "notebooks").iterdir())}


def book(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "jupyter-book", "build", "-W", "--keep-going", "book/"]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
