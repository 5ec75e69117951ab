"""The grid in a copy of the repository, so that its own data/ and checkpoints/ are never touched."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ilwp.common.paths import ROOT

BIN = Path(sys.executable).parent


def copy_repository(folder: Path) -> Path:
    """What a fresh clone without records needs to run the grid."""
    for part in ("ilwp", "config", "workflow"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def environment(root: Path) -> dict[str, str]:
    """In which `ilwp` is the copy at `root`."""
    return os.environ | {"PYTHONPATH": str(root)}


def train_command(profile: str, engine: str, *more: str) -> list[str]:
    """What `make grid` calls."""
    snakemake = [str(BIN / "snakemake"), "train", "--profile", f"workflow/profiles/{engine}"]
    return [*snakemake, "--config", f"profile={profile}", *more]


def without_timings(record: Path) -> Any:
    """A record but for what differs from one machine or day to another."""
    content = json.loads(record.read_text())
    for part in (content, *content["history"]):
        del part["seconds"]
    del content["hardware"]
    return content
