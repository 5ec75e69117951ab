import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import grids
import pytest

from ilwp.common import locks
from ilwp.common.errors import IlwpError
from ilwp.experiments import measuring, runs
from ilwp.experiments.profiles import Block, Profile
from ilwp.experiments.records import kernels_path, read_record
from ilwp.experiments.status import CellStatus, as_table
from ilwp.paper.settings import Settings
from ilwp.training.recipe import TrainConfig

# the last lambda makes an infinite loss
TRIAL = """\
recipe: 1
settings: {width: 0.03, epochs: 2, batch_size: 128, learning_rate: 0.05}
grid:
  - {dataset: digits, networks: [mobilenet], inter_layer: [0, 1, 1.0e+38], seeds: [0]}
"""
GOOD = ("digits-mobilenet-lambda0-seed0", "digits-mobilenet-lambda1-seed0")
BAD = "digits-mobilenet-lambda1e+38-seed0"


@dataclass(frozen=True)
class Story:
    """A grid that was killed with all its processes in the middle, then started again to its end."""

    root: Path
    hit: str  # a run that had saved its first epoch
    written: int  # when
    status_between: str
    code: int
    status_after: str


def snakemake(root: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = grids.train_command("trial", "local", "--cores", "2", *more)
    return subprocess.run(command, cwd=root, env=grids.environment(root), capture_output=True, text=True)


def status(root: Path) -> str:
    command = [grids.BIN / "ilwp", "status", "--profile", "trial"]
    return subprocess.run(command, env=grids.environment(root), capture_output=True, text=True, check=True).stdout


def line_of(run: str, table: str) -> str:
    return next(line for line in table.splitlines() if run in line)


def first_epoch(root: Path, run: str) -> Path:
    return root / "checkpoints" / "trial" / run / "epoch-00001.pt"


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.*")}


def record_of(root: Path, run: str) -> Path:
    return root / "data" / "runs" / "trial" / f"{run}.json"


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    root = grids.copy_repository(tmp_path_factory.mktemp("a grid"))  # a path may have a space
    (root / "config" / "trial.yaml").write_text(TRIAL)
    command = grids.train_command("trial", "local", "--cores", "2")
    with (root / "out").open("w") as out:
        grid = subprocess.Popen(
            command, cwd=root, env=grids.environment(root), stdout=out, stderr=out, start_new_session=True
        )
    while not (begun := [run for run in GOOD if first_epoch(root, run).exists()]):
        assert grid.poll() is None, (root / "out").read_text()
        time.sleep(0.05)
    os.killpg(grid.pid, signal.SIGKILL)
    grid.wait()
    written = first_epoch(root, begun[0]).stat().st_mtime_ns
    between = status(root)
    code = snakemake(root).returncode
    return Story(root, begun[0], written, between, code, status(root))


def test_a_grid_that_was_killed_says_how_far_it_came(story: Story):
    assert line_of(story.hit, story.status_between).split()[1:3] == ["stopped", "1/2"]


def test_started_again_it_goes_on_from_its_checkpoints(story: Story):
    assert first_epoch(story.root, story.hit).stat().st_mtime_ns == story.written
    assert len(read_record(record_of(story.root, story.hit)).history) == 2


def test_a_run_that_fails_does_not_stop_the_others_and_shows_its_error(story: Story):
    assert story.code != 0
    for run in GOOD:
        assert line_of(run, story.status_after).split()[1] == "done"
    failed = line_of(BAD, story.status_after)
    assert failed.split()[1] == "failed"
    assert "the loss became inf: lower the learning rate or lambda" in failed
    assert not record_of(story.root, BAD).exists()


def test_a_fresh_clone_with_all_records_trains_nothing(story: Story, tmp_path: Path):
    clone = grids.copy_repository(tmp_path)
    (clone / "config" / "trial.yaml").write_text(TRIAL.replace(", 1.0e+38", ""))
    shutil.copytree(story.root / "data", clone / "data")
    before = contents(clone / "data")
    done = snakemake(clone)
    assert done.returncode == 0
    assert "rule run" not in done.stdout + done.stderr
    assert not (clone / "checkpoints").exists()
    assert contents(clone / "data") == before


def test_a_raised_recipe_asks_for_every_run_and_leaves_the_records_till_then(story: Story):
    profile = story.root / "config" / "trial.yaml"
    before = contents(story.root / "data")
    profile.write_text(TRIAL.replace("recipe: 1", "recipe: 2"))
    plan = snakemake(story.root, "--dry-run").stdout
    profile.write_text(TRIAL)
    assert all(f"{run}.done" in plan for run in (*GOOD, BAD))
    assert contents(story.root / "data") == before


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(runs, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(runs, "CHECKPOINTS", tmp_path / "checkpoints")
    monkeypatch.setattr(measuring, "SWEEP", [Settings("baseline", 8)])
    return tmp_path


CONFIG = TrainConfig(dataset="digits", network="mobilenet", width=0.03, epochs=1, batch_size=719)
PROFILE = Profile(recipe=1, settings={}, grid=[Block("digits", ["mobilenet"], [0.0], [0])])


def test_a_raised_recipe_trains_from_the_start(folders: Path):
    path = runs.record_path("trial", CONFIG)
    checkpoint = runs.network_path("trial", CONFIG).with_name("epoch-00001.pt")
    runs.run("trial", PROFILE, CONFIG, path, progress=False)
    first = checkpoint.stat().st_mtime_ns
    runs.run("trial", PROFILE, CONFIG, path, progress=False)
    assert checkpoint.stat().st_mtime_ns == first
    assert runs.finished(path, PROFILE, CONFIG)

    raised = replace(PROFILE, recipe=2)
    assert not runs.finished(path, raised, CONFIG)
    assert runs.epoch_reached("trial", raised, CONFIG) == 0
    runs.run("trial", raised, replace(CONFIG, weight_decay=0.0), path, progress=False)
    assert checkpoint.stat().st_mtime_ns != first
    assert json.loads(path.read_text())["recipe"] == 2


def test_a_record_without_its_kernels_is_not_finished(folders: Path):
    path = runs.record_path("trial", CONFIG)
    runs.run("trial", PROFILE, CONFIG, path, progress=False)
    kernels_path(path).unlink()
    assert not runs.finished(path, PROFILE, CONFIG)


def test_a_second_process_at_the_same_cell_is_turned_away(folders: Path):
    folder = runs.network_path("trial", CONFIG).parent
    assert not locks.is_held(folder)
    hold = "import sys; from pathlib import Path; from ilwp.common.locks import held\n"
    hold += "with held(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", hold, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"\n"
        assert locks.is_held(folder)
        with pytest.raises(IlwpError, match=f"^another process is training in {folder}: wait for it to end$"):
            runs.run("trial", PROFILE, CONFIG, folders / "record.json", progress=False)
        other.kill()
    assert not locks.is_held(folder)
    with locks.held(folder), locks.held(folder):
        pass


def test_the_table_adds_up_what_is_left():
    table = as_table([
        CellStatus("a", "done", 2, 2, 0.0, "91.20 %"),
        CellStatus("b", "running", 1, 2, 0.51, ""),
        CellStatus("c", "missing", 0, 2, 1.02, ""),
        CellStatus("d", "missing", 0, 2, None, ""),
    ])  # fmt: skip
    assert table.splitlines()[-1] == (
        "1 done, 1 running, 2 missing; 1.5 hours of training left on one core or GPU and one run of unknown length"
    )
    assert line_of("d ", table).split() == ["d", "missing", "0/2", "unknown"]
