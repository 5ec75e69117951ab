"""Sphinx extension: the book's notebooks are run before Sphinx looks for pages.

    notebooks/runs.yaml, notebooks/*.ipynb   ->   book/notebooks/<name>.ipynb

A run notes which modules of the package it imports and which files and folders it reads (`recorder`). It is made anew
only where one of these, the notebook or its parameters has changed. Jupyter Book's own execution is off: its cache does
not know of the package and the data, and it forgives a failing cell.

The run list maps a name to `notebook` (default `<name>.ipynb`) and `parameters` (default none).
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import yaml
from figure_notes import add_notes, lay_out
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from ilwp.common.errors import IlwpError, first_problem
from ilwp.common.files import atomic_write

PARALLEL = 2
HERE = Path(__file__).parent
RECORDER = HERE / "recorder"
EXTENSION = (HERE / "notebook_runs.py", HERE / "figure_notes.py", RECORDER / "sitecustomize.py")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, config={"extra": "forbid"})
class Run:
    """One notebook with one set of parameters."""

    notebook: str
    parameters: dict[str, Any] = Field(default_factory=dict)


def load_runs(path: Path) -> dict[str, Run]:
    """The run list, name -> run; raises IlwpError where it does not make sense."""
    try:
        listed = yaml.safe_load(path.read_text()) or {}
        written = TypeAdapter(dict[str, dict[str, Any] | None]).validate_python(listed)
        runs = {
            name: TypeAdapter(Run).validate_python({"notebook": f"{name}.ipynb"} | (run or {}))
            for name, run in written.items()
        }
    except ValidationError as error:
        raise IlwpError(f"{path} is not a run list: {first_problem(error)}") from error
    except (OSError, yaml.YAMLError) as error:
        raise IlwpError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    for name, run in runs.items():
        if not re.fullmatch(r"[\w.-]+", name) or not (path.parent / run.notebook).is_file():
            raise IlwpError(f"{path}: {name} is not a file's name, or there is no notebook {run.notebook}")
    return runs


def due(root: Path, runs: dict[str, Run]) -> list[str]:
    """The runs that the book has not got, or got from something else than there is now."""
    return [name for name, run in runs.items() if not _is_current(root, name, run)]


def run_notebooks(root: Path) -> None:
    """Bring `root`/book/notebooks up to date with the run list.

    Raises IlwpError with a line for each run that failed; the others' results are kept.
    """
    folder = root / "book" / "notebooks"
    runs = load_runs(root / "notebooks" / "runs.yaml")
    for path in folder.glob("*"):
        if path.is_file() and not (path.suffix == ".ipynb" and path.stem in runs):
            path.unlink()
    names = due(root, runs)
    logger.info("notebooks: %d to run, %d unchanged", len(names), len(runs) - len(names))
    problems = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        futures = [pool.submit(_run, root, runs[name], folder / f"{name}.ipynb") for name in names]
        for future in as_completed(futures):
            if not future.cancelled() and (error := future.exception()):
                if not isinstance(error, IlwpError):
                    raise error
                problems.append(str(error))
                for other in futures:  # those that have not begun
                    other.cancel()
    if problems:
        raise IlwpError("\n".join(problems))


def _run(root: Path, run: Run, output: Path) -> None:
    """Run one notebook in a process of its own and put the result at `output`, whole or not at all."""
    source = Path("notebooks", run.notebook)
    logger.info("notebooks: running %s as %s", source, output.name)
    started = time.time()
    with tempfile.TemporaryDirectory() as temporary:
        result, log = Path(temporary, "result.ipynb"), Path(temporary, "reads")
        paths = os.pathsep.join(filter(None, (str(RECORDER), os.environ.get("PYTHONPATH"))))
        environment = {"PYTHONPATH": paths, "NOTEBOOK_ROOT": str(root.resolve()), "NOTEBOOK_READS": str(log)}
        process = subprocess.run(
            [sys.executable, "-m", "papermill", str(source), str(result), "-y", yaml.safe_dump(run.parameters),
             "--no-progress-bar", "--log-level", "ERROR"],
            cwd=root, env=os.environ | environment | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        notebook = json.loads(result.read_text()) if result.is_file() else {"cells": []}
        if process.returncode:
            error = _cell_error(notebook) or (process.stderr.strip() or "it was ended").splitlines()[-1]
            raise IlwpError(f"{source} failed, run as {output.name}: {' '.join(error.split())}")
        reads = sorted({_path_of(root, line) for line in log.read_text().splitlines()}) if log.is_file() else []
    _make_reproducible(notebook)
    if output.stem != source.stem:
        _rename_figures(notebook, output.stem.removeprefix(f"{source.stem}-"))
    add_notes(notebook, root / source, run.parameters)
    # of what changed meanwhile nobody knows whether the run saw it, so the run is due again
    sure = all(_changed(root / path) < started for path in reads)
    inputs = {"reads": reads, "hash": _hash_of(root, output.stem, run, reads) if sure else None}
    notebook["metadata"]["inputs"] = inputs
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    atomic_write(output, text.encode())
    logger.info("notebooks: %s took %.1f s", output.name, time.time() - started)


def _cell_error(notebook: dict[str, Any]) -> str | None:
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return next((f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"), None)


def _make_reproducible(notebook: dict[str, Any]) -> None:
    """Drop times, paths of this machine and random ids."""
    del notebook["metadata"]["papermill"]
    for index, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{index}"
        for name in ("papermill", "execution"):
            cell["metadata"].pop(name, None)


def _rename_figures(notebook: dict[str, Any], suffix: str) -> None:
    """End the names of a notebook's figures in `-suffix`: the book can show it a second time, but a name only once."""
    for cell in notebook["cells"]:
        figure = cell["metadata"].get("mystnb", {}).get("figure", {})
        if "name" in figure:
            figure["name"] += f"-{suffix}"


def _is_current(root: Path, name: str, run: Run) -> bool:
    """Whether the book has this run, made from what there is now."""
    try:
        inputs = json.loads((root / "book" / "notebooks" / f"{name}.ipynb").read_text())["metadata"]["inputs"]
        return bool(inputs["hash"] == _hash_of(root, name, run, inputs["reads"]))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _path_of(root: Path, noted: str) -> str:
    """The path below `root` of a path or a module that the recorder noted."""
    if not re.fullmatch(r"ilwp[\w.]*", noted):
        return noted
    path = noted.replace(".", "/")
    return f"{path}/__init__.py" if (root / path).is_dir() else f"{path}.py"


def _hash_of(root: Path, name: str, run: Run, reads: Iterable[str]) -> str:
    """The hash of all that a run is made from."""
    parts = [(path.name, path.read_bytes()) for path in EXTENSION]
    parts += [(name, repr(run).encode()), ("notebook", (root / "notebooks" / run.notebook).read_bytes())]
    digest = hashlib.sha256()
    for label, content in [*parts, *((path, _content(root / path)) for path in reads)]:
        digest.update(f"{len(label)} {len(content)} {label}".encode() + content)
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    """A file's bytes or the names in a folder; nothing where there is neither."""
    if path.is_dir():
        return "\n".join(sorted(entry.name for entry in path.iterdir())).encode()
    return path.read_bytes() if path.is_file() else b""


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0


def prepare(app: Sphinx, config: Config) -> None:
    """Run the notebooks, and lay out what pages show of their figures."""
    try:
        run_notebooks(Path(app.srcdir).parent)
    except IlwpError as error:
        # Jupyter Book would bury any other exception under a traceback
        raise SystemExit(f"{error}\nThe book was not built.") from None
    lay_out(Path(app.srcdir, "notebooks"))


def gluing_pages(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> list[str]:  # fmt: skip
    """The pages that show a result of a changed notebook: Sphinx does not know that they depend on it."""
    sources = [f"{name}.ipynb::" for name in added | changed | removed]
    pages = {name: Path(env.doc2path(name)).read_text() for name in env.found_docs}
    return sorted(name for name, text in pages.items() if any(source in text for source in sources))


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("config-inited", prepare)
    app.connect("env-get-outdated", gluing_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
