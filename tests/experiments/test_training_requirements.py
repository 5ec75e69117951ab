import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ilwp.common.paths import ROOT

pytestmark = pytest.mark.usefixtures("on_a_cpu")


# the training commands alone, with its folders where the test wants them
BARE = """
import sys
from pathlib import Path
from ilwp.cli import training
from ilwp.experiments import profiles, runs
profiles.CONFIG = runs.CHECKPOINTS = runs.RUNS = Path(sys.argv.pop(1))
training.run_commands()
"""


def train_with(packages: set[str], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Train where Python finds these packages and no others."""
    (site := folder / f"site of {len(packages)}").mkdir()
    for name in packages:
        try:
            files = distribution(name).files or []
        except PackageNotFoundError:  # of another platform
            continue
        for top in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution(name).locate_file(top))
    command = [sys.executable, "-S", "-c", BARE, folder, "train", "--profile", "short", "--quiet", *options]
    environment = {**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_training_needs_only_what_its_requirements_list_and_less_where_nothing_is_measured(folder: Path):
    lines = (ROOT / "requirements-train.txt").read_text().splitlines()
    listed = {re.match(r"[\w-]+", line)[0] for line in lines if line and not line.startswith("#")}
    allowed = needs("torch") | listed
    assert not {"pandas", "constriction", "matplotlib"} & allowed
    trained = train_with(allowed - {"bitarray"}, folder, "--no-measure")
    assert trained.returncode == 0, trained.stderr
    measured = train_with(allowed, folder)  # what is trained already
    assert measured.returncode == 0, measured.stderr
    assert "%" in measured.stdout


def test_a_package_that_is_not_listed_would_be_missed(folder: Path):
    assert "No module named 'click'" in train_with({"torch"}, folder).stderr


def needs(package: str) -> set[str]:
    """A package and what it requires here, however indirectly."""
    found, left = set(), [package]
    while left:
        if (name := left.pop().lower().replace("_", "-")) not in found:
            found.add(name)
            try:
                texts = requires(name) or []
            except PackageNotFoundError:  # of another platform
                continue
            wanted = (Requirement(text) for text in texts)
            left += [w.name for w in wanted if not w.marker or w.marker.evaluate({"extra": ""})]
    return found
