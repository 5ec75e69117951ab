"""Sphinx extension: the book's notebooks are run before Sphinx looks for pages.

    notebooks/runs.yaml, notebooks/*.ipynb   ->   book/notebooks/<name>.ipynb

A run notes which modules of the package it imports and which files and folders it reads (`recorder`). It is made anew
only where one of these, the notebook's code or its parameters has changed; where the text has, the page alone is. The
execution of Jupyter Book itself is off: its cache does not know of the package and the data, and it forgives a failing
cell.

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
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from figure_notes import lay_out
from notebook_pages import Notebook, code_of, error_of, page
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from ilwp.common.errors import IlwpError, first_problem
from ilwp.common.files import atomic_write
from ilwp.common.parameters import check_values, declared

HERE = Path(__file__).parent
RECORDER = HERE / "recorder"
KERNELS = HERE / "forked_kernels.py"
RUNNING = (KERNELS, RECORDER / "sitecustomize.py")
WRITING = (HERE / "notebook_pages.py", HERE / "figure_notes.py")

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
    with tempfile.TemporaryDirectory() as temporary:
        for name, started, error in _executed(root, {name: runs[name] for name in names}, Path(temporary)):
            if error:
                problems.append(f"notebooks/{runs[name].notebook} failed, run as {name}.ipynb: {error}")
                continue
            executed = json.loads(Path(temporary, f"{name}.ipynb").read_text())
            log = Path(temporary, f"{name}.reads")
            reads = sorted({_path_of(root, line) for line in log.read_text().splitlines()}) if log.is_file() else []
            # of what changed meanwhile nobody knows whether the run saw it, so the run is due again
            sure = all(_changed(root / path) < started for path in reads)
            made_from = {"reads": reads, "hash": _hash_of(root, name, runs[name], reads) if sure else None}
            _write(root, name, runs[name], executed, made_from)
            logger.info("notebooks: %s took %.1f s", name, time.time() - started)
    for name in runs.keys() - names:
        old = _page(root, name)
        if old["metadata"]["inputs"]["text"] != _text_hash(root, runs[name]):
            _write(root, name, runs[name], old, old["metadata"]["inputs"])
    if problems:
        raise IlwpError("\n".join(problems))


def _executed(root: Path, runs: Mapping[str, Run], folder: Path) -> Iterator[tuple[str, float, str | None]]:
    """Run notebooks into `folder`, with the recorder's notes. Of each that ends: its name, start and error."""
    jobs = []
    for name, run in runs.items():
        try:
            check_values(declared(_notebook(root, run)), run.parameters)
        except (IlwpError, ValueError, LookupError) as error:
            yield name, 0.0, " ".join(str(error).split())
            return
        notes = {"NOTEBOOK_ROOT": str(root.resolve()), "NOTEBOOK_READS": str(folder / f"{name}.reads")}
        source, result = f"notebooks/{run.notebook}", str(folder / f"{name}.ipynb")
        jobs.append({"source": source, "parameters": run.parameters, "result": result, "environment": notes})
    if not jobs:
        return
    paths = os.pathsep.join(filter(None, (str(RECORDER), os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, KERNELS], cwd=root, env=environment, text=True, **pipes) as process:
        process.stdin.write(json.dumps(jobs))
        process.stdin.close()
        for line in process.stdout:
            ended = json.loads(line)
            result, error = Path(jobs[ended["job"]]["result"]), ended["error"]
            if error is not None:
                told = error_of(json.loads(result.read_text())) if result.is_file() else None
                error = " ".join((told or error.strip().splitlines()[-1]).split())
            yield result.stem, ended["started"], error
    if process.returncode:
        raise IlwpError("the process that runs notebooks was ended")


def _write(root: Path, name: str, run: Run, executed: Notebook, made_from: dict[str, Any]) -> None:
    made = page(root / "notebooks" / run.notebook, name, run.parameters, executed)
    made["metadata"]["inputs"] = made_from | {"text": _text_hash(root, run)}
    text = json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    atomic_write(root / "book" / "notebooks" / f"{name}.ipynb", text.encode())


def _notebook(root: Path, run: Run) -> Notebook:
    found: Notebook = json.loads((root / "notebooks" / run.notebook).read_text())
    return found


def _page(root: Path, name: str) -> Notebook:
    found: Notebook = json.loads((root / "book" / "notebooks" / f"{name}.ipynb").read_text())
    return found


def _is_current(root: Path, name: str, run: Run) -> bool:
    """Whether the book has this run, made from what there is now."""
    try:
        inputs = _page(root, name)["metadata"]["inputs"]
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
    code = repr(code_of(_notebook(root, run))).encode()
    parts = [(path.name, path.read_bytes()) for path in RUNNING]
    parts += [(name, repr(run).encode()), ("code", code), *((path, _content(root / path)) for path in reads)]
    return _digest(parts)


def _text_hash(root: Path, run: Run) -> str:
    """The hash of what a page is made from beside its run."""
    return _digest((path.name, path.read_bytes()) for path in (*WRITING, root / "notebooks" / run.notebook))


def _digest(parts: Iterable[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for label, content in parts:
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
