"""Mutation testing: of small errors put into the codec, one by one, how many do its tests notice?"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from results import LONG, TOOLS, save

from ilwp.common.paths import ROOT

EVERY = 8 if LONG else 120  # mutant, in the order of their names
FOLDERS = ("ilwp", "tests", "config", "data")
FIRST = "ilwp.paper.quantization.x__float32_below__mutmut_1"
SURVIVED, NOT_RUN = 0, None  # as pytest and mutmut leave them; whatever else happened, a test noticed


def mutmut(folder: Path, names: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(TOOLS / "mutmut"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names]
    with (folder / "log").open("w") as log:
        subprocess.run(command, cwd=folder, env=environment, stdout=log, stderr=log, check=True)


def ends(folder: Path) -> dict[str, int | None]:
    """How the tests of each mutant ended."""
    found: dict[str, int | None] = {}
    for path in sorted(folder.glob("mutants/ilwp/paper/*.meta")):
        found |= json.loads(path.read_text())["exit_code_by_key"]
    return dict(sorted(found.items()))


def test_the_tests_notice_nine_of_ten_errors(tmp_path: Path):
    if not (TOOLS / "mutmut").exists():
        pytest.skip("mutmut is not installed: make test-trust does that")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    mutmut(tmp_path, [FIRST])
    names = list(ends(tmp_path))
    sample = names[::EVERY]
    mutmut(tmp_path, sample)
    found = {name: code for name, code in ends(tmp_path).items() if name in sample}
    assert NOT_RUN not in found.values()
    survivors = [name for name, code in found.items() if code == SURVIVED]
    modules = Counter(name.split(".")[2] for name in found)
    figures = {"mutants": len(names), "tried": len(found), "killed": len(found) - len(survivors)}
    save("mutants", figures | {"survivors": survivors, "modules": dict(modules)})
    assert len(survivors) <= 0.1 * len(found) + 2
