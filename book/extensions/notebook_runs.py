"""Sphinx extension: the book's notebooks are run before Sphinx looks for pages.

    notebooks/runs.yaml, notebooks/*.ipynb, ilwp/, data/, config/   ->   book/notebooks/<name>.ipynb

A run carries a hash of all it depends on and is made anew only where that has changed. Jupyter Book's own
execution is off: its cache does not know of the package and the data, and it forgives a failing cell.

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


def due(root: Path, runs: dict[str, Run]) -> dict[str, str]:
    """The runs that the book has not got, or got from something else than there is now: name -> key."""
    extension = b"".join(
        Path(__file__).with_name(name).read_bytes() for name in ("notebook_runs.py", "figure_notes.py")
    )
    shared = [("extension", extension), ("files", _hash(_files(root)).encode())]
    found = {}
    for name, run in runs.items():
        notebook = root / "notebooks" / run.notebook
        key = _hash([*shared, (name, repr(run).encode()), ("notebook", notebook.read_bytes())])
        if _key_of(root / "book" / "notebooks" / f"{name}.ipynb") != key:
            found[name] = key
    return found


def run_notebooks(root: Path) -> None:
    """Bring `root`/book/notebooks up to date with the run list.

    Raises IlwpError with a line for each run that failed; the others' results are kept.
    """
    folder = root / "book" / "notebooks"
    runs = load_runs(root / "notebooks" / "runs.yaml")
    for path in folder.glob("*"):
        if path.is_file() and not (path.suffix == ".ipynb" and path.stem in runs):
            path.unlink()
    keys = due(root, runs)
    logger.info("notebooks: %d to run, %d unchanged", len(keys), len(runs) - len(keys))
    problems = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        futures = [pool.submit(_run, root, runs[name], folder / f"{name}.ipynb", key) for name, key in keys.items()]
        for future in as_completed(futures):
            if not future.cancelled() and (error := future.exception()):
                if not isinstance(error, IlwpError):
                    raise error
                problems.append(str(error))
                for other in futures:  # those that have not begun
                    other.cancel()
    if problems:
        raise IlwpError("\n".join(problems))


def _run(root: Path, run: Run, output: Path, key: str) -> None:
    """Run one notebook in a process of its own and put the result at `output`, whole or not at all."""
    source = Path("notebooks", run.notebook)
    logger.info("notebooks: running %s as %s", source, output.name)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        result = Path(temporary, "result.ipynb")
        process = subprocess.run(
            [sys.executable, "-m", "papermill", str(source), str(result), "-y", yaml.safe_dump(run.parameters),
             "--no-progress-bar", "--log-level", "ERROR"],
            cwd=root, env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        notebook = json.loads(result.read_text()) if result.is_file() else {"cells": []}
        if process.returncode:
            error = _cell_error(notebook) or (process.stderr.strip() or "it was ended").splitlines()[-1]
            raise IlwpError(f"{source} failed, run as {output.name}: {' '.join(error.split())}")
    _make_reproducible(notebook)
    if output.stem != source.stem:
        _rename_figures(notebook, output.stem.removeprefix(f"{source.stem}-"))
    add_notes(notebook, root / source, run.parameters)
    notebook["metadata"]["inputs"] = key
    text = json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    atomic_write(output, text.encode())
    logger.info("notebooks: %s took %.1f s", output.name, time.monotonic() - started)


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


def _key_of(path: Path) -> str | None:
    """The key of what a run in the book was made from."""
    try:
        key: str | None = json.loads(path.read_text())["metadata"]["inputs"]
    except (OSError, ValueError, KeyError):
        return None
    return key


def _files(root: Path) -> Iterable[tuple[str, bytes]]:
    """Name and content of all of the repository that a notebook may depend on."""
    folders = (("ilwp", "*.py"), ("data", "*"), ("config", "*"))
    paths = [path for folder, names in folders for path in sorted((root / folder).rglob(names))]
    return ((path.relative_to(root).as_posix(), path.read_bytes()) for path in paths if path.is_file())


def _hash(parts: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in parts:
        digest.update(f"{len(name)} {len(content)} {name}".encode() + content)
    return digest.hexdigest()


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
