"""What is let in: packages with known bytes, no pickle, notebooks without outputs or secrets."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from packaging.utils import canonicalize_name
from packaging.version import Version

from ilwp.common.paths import ROOT

CONSTRAINTS, LOCK = ROOT / "constraints.txt", ROOT / "requirements.lock"
# the malicious pickles that tests refuse must be made by something
MAKES_TRAPS = {"tests/common/test_tensor_files.py"}
UNPICKLING = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{36}|\bhf_\w{30}|\bsk-\w{20}|\bxox[abpr]-\w{10}"
    r"|(?i:api_?key|secret|password|token)['\"]?\s*[:=]\s*['\"][^'\"\s]{8,}['\"]"
)
TEXT = {".py", ".ipynb", ".md", ".yaml", ".yml", ".toml", ".txt", ".json", ".cff", ".lock", ""}


def tracked() -> list[Path]:
    """The project's own files."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no clone")
    return [ROOT / name for name in listed.stdout.splitlines()]


def sources() -> Iterator[tuple[str, ast.AST]]:
    """Each module, and the code of each notebook, parsed."""
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py":
            yield name, ast.parse(path.read_text())
        elif path.suffix == ".ipynb":
            cells = json.loads(path.read_text())["cells"]
            code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
            # lines that call the shell are none of Python
            yield name, ast.parse(TransformerManager().transform_cell(code))


def unpickled(tree: ast.AST) -> Iterator[str]:
    """Everything in a module that could unpickle."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            yield from (name for name in modules if name.split(".")[0] in UNPICKLING)
        if isinstance(node, ast.Call):
            called, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
            if called == "torch.load" and given.get("weights_only") != "True":
                yield "torch.load without weights_only=True"
            if given.get("allow_pickle", "False") != "False":
                yield "allow_pickle"
            if called.endswith("read_pickle"):
                yield called


def test_nothing_is_unpickled_anywhere():
    found = {name: list(unpickled(tree)) for name, tree in sources() if name not in MAKES_TRAPS}
    assert {name: what for name, what in found.items() if what} == {}


@pytest.mark.parametrize(
    "code",
    ["import pickle", "from joblib import load", "torch.load(f)", "torch.load(f, weights_only=False)",
     "np.load(f, allow_pickle=True)", "pd.read_pickle(f)"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(code: str):
    assert list(unpickled(ast.parse(code)))


def test_notebooks_carry_no_outputs_and_no_machine():
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text())
        for cell in notebook["cells"]:
            assert not cell.get("outputs"), path
            assert cell.get("execution_count") is None, path
        assert "papermill" not in notebook["metadata"], path


def test_nothing_holds_a_secret():
    for path in tracked():
        if path.suffix in TEXT and path.is_file():
            assert not SECRET.search(path.read_text(errors="replace")), path


def pins(path: Path) -> dict[str, str]:
    """Name to version in a file of `name==version` lines."""
    found = re.findall(r"^([\w.-]+)==([^\s\\]+)", path.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def test_the_lock_holds_a_hash_for_every_constraint_and_for_nothing_else():
    assert pins(LOCK) == pins(CONSTRAINTS)
    entries = re.split(r"\n(?=\w)", LOCK.read_text())[1:]
    assert len(entries) == len(pins(LOCK))
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_the_oldest_set_is_at_the_lower_bounds():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    bounds = dict(text.split(">=") for text in project["dependencies"])
    lines = (ROOT / "tests" / "trust" / "oldest.txt").read_text().splitlines()[1:]
    for name, version in (line.split("==") for line in lines):
        assert Version(version.removesuffix(".*")) == Version(bounds[name]), name
