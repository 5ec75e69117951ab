"""After a failing run, a killed scheduler, a half-written record and stale locks, the next `make grid` recovers."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import grids
import pytest
from results import save

from ilwp.experiments.records import kernels_path

TRIAL = """\
recipe: 1
settings: {width: 0.125, epochs: 2, batch_size: 256, learning_rate: 0.05}
grid:
  - {dataset: digits, networks: [mobilenet], inter_layer: [0, 1, %s], seeds: [0]}
"""
NAMES = [f"digits-mobilenet-lambda{value}-seed0" for value in ("0", "1", "0.1")]


def grid(root: Path) -> subprocess.CompletedProcess[str]:
    """What `make grid` runs."""
    command = grids.train_command("trial", "local", "--cores", "2")
    return subprocess.run(command, cwd=root, env=grids.environment(root), capture_output=True, text=True)


def copy(folder: Path, last: str = "0.1") -> Path:
    root = grids.copy_repository(folder)
    (root / "config" / "trial.yaml").write_text(TRIAL % last)
    return root


def record(root: Path, name: str) -> Path:
    return root / "data" / "runs" / "trial" / f"{name}.json"


def results(root: Path) -> dict[str, tuple[object, bytes]]:
    found = {name: record(root, name) for name in NAMES}
    return {name: (grids.without_timings(path), kernels_path(path).read_bytes()) for name, path in found.items()}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[object, bytes]]]:
    root = copy(tmp_path_factory.mktemp("undisturbed"))
    assert grid(root).returncode == 0
    return root, results(root)


def kill_scheduler(root: Path) -> None:
    """Kill it with all that it started, once a run has saved an epoch."""
    process = subprocess.Popen(
        grids.train_command("trial", "local", "--cores", "2"), cwd=root, env=grids.environment(root),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    while not list(root.glob("checkpoints/trial/*/epoch-*.pt")):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_next_grid_recovers_from_all_of_it_at_once(tmp_path: Path, undisturbed):
    # a run that cannot be trained, whose lambda is put right afterwards
    root = copy(tmp_path, "1.0e+38")
    assert grid(root).returncode != 0
    (root / "config" / "trial.yaml").write_text(TRIAL % "0.1")
    # records half written, and without their kernels
    whole = record(root, NAMES[0]).read_bytes()
    record(root, NAMES[0]).write_bytes(whole[: len(whole) // 2])
    kernels_path(record(root, NAMES[1])).unlink()
    for folder in (root / "checkpoints" / "trial").iterdir():
        shutil.rmtree(folder)
    kill_scheduler(root)
    # locks that nobody holds, and what killed writes leave
    (root / ".snakemake" / "locks").mkdir(parents=True, exist_ok=True)
    for stale in ("0.input.lock", "0.output.lock"):
        (root / ".snakemake" / "locks" / stale).write_text(f"{record(root, NAMES[0])}\n")
    for name in NAMES:
        folder = root / "checkpoints" / "trial" / name
        folder.mkdir(exist_ok=True)
        (folder / "lock").touch()
        (folder / ".epoch-00001.pt.abcdefgh.part").write_bytes(b"half")
    done = grid(root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(root) == undisturbed[1]
    assert not list(root.rglob("*.part"))
    save("grid", {"faults": ["failing run", "killed scheduler", "half-written record", "lost kernels", "stale locks"],
                  "grids to recover": 1, "runs": len(NAMES), "differing": 0})  # fmt: skip


def test_a_grid_that_is_whole_trains_nothing(undisturbed):
    root, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in (root / "data").rglob("*.*")}
    done = grid(root)
    assert done.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (root / "data").rglob("*.*")} == before
