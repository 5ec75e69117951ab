"""What is let in: packages with known bytes, no pickle, notebooks without outputs or secrets."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from ilwp.common.paths import ROOT

CONSTRAINTS, LOCK = ROOT / "constraints.txt", ROOT / "requirements.lock"
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


def test_nothing_asks_for_pickles():
    """What ruff's rules (S301, TID251) do not see; torch and NumPy unpickle only where they are told to."""
    asks = re.compile(r"weights_only=Fals[e]|allow_pickle=Tru[e]")
    code = [path for path in tracked() if path.suffix in (".py", ".ipynb") and path.is_file()]
    assert [path for path in code if asks.search(path.read_text())] == []


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
