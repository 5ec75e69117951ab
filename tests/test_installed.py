"""An installed copy, not editable, called in an empty folder."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from samples import state_dict

from ilwp.common.paths import ROOT
from ilwp.common.tensor_files import read_tensors, write_state_dict

ROOMS = sorted(path.parent.name for path in (ROOT / "ilwp").glob("*/__init__.py"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `pip install` filled, with nothing of the checkout on the way to it."""
    source, site = (tmp_path_factory.mktemp(name) for name in ("source", "site"))
    for part in ("ilwp", "config"):
        shutil.copytree(ROOT / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / part, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-compile", "--target", site]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, source], check=True)
    return site


def call(site: Path, folder: Path, *arguments: str) -> str:
    """What a command of the installed copy prints, called in `folder`."""
    command = [sys.executable, *arguments]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_every_room_and_every_profile_is_in_it(site: Path):
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(["ilwp", "ilwp.config", *(f"ilwp.{room}" for room in ROOMS)])
    ours = [f"ilwp/{path.relative_to(ROOT / 'ilwp').as_posix()}" for path in (ROOT / "ilwp").rglob("*.py")]
    profiles = [f"ilwp/config/{path.name}" for path in (ROOT / "config").glob("*.yaml")]
    assert [name for name in files(site) if name.startswith("ilwp/")] == sorted([*ours, *profiles])


def test_a_network_is_compressed_and_decoded_in_an_empty_folder(site: Path, tmp_path: Path):
    write_state_dict(tmp_path / "net.safetensors", state_dict())
    script = str(site / "bin" / "ilwp")
    assert "compress" in call(site, tmp_path, script, "--help")
    call(site, tmp_path, script, "compress", "net.safetensors")
    assert "bits/weight" in call(site, tmp_path, script, "inspect", "net.ilwp")
    call(site, tmp_path, script, "decompress", "net.ilwp", "-o", "back.safetensors")
    assert read_tensors(tmp_path / "back.safetensors").keys() == state_dict().keys()
    assert files(tmp_path) == ["back.safetensors", "net.ilwp", "net.safetensors"]


def test_papermill_says_in_a_line_where_the_notebooks_are(site: Path, tmp_path: Path):
    command = [sys.executable, "-m", "papermill", "notebooks/fig5.ipynb", "-p", "bits", "4"]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert re.fullmatch(r"papermill: notebooks/fig5.ipynb: there is no such .* run this in a checkout\n", done.stderr)
    assert files(tmp_path) == []


def test_profiles_are_known_and_what_is_made_goes_into_the_folder(site: Path, tmp_path: Path):
    status = call(site, tmp_path, str(site / "bin" / "ilwp"), "status", "--profile", "smoke")
    assert "missing" in status
    assert files(tmp_path) == []
    code = "from ilwp.common.paths import *; print(RUNS, CHECKPOINTS, LOGS, NOTEBOOK_OUTPUTS, CONFIG, sep='\\n')"
    *made, profiles = call(site, tmp_path, "-c", code).splitlines()
    assert made == [str(tmp_path / name) for name in ("data/runs", "checkpoints", "logs", "runs")]
    assert profiles == str(site / "ilwp" / "config")
