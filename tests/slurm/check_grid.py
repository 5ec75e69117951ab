"""The smoke grid through a real SLURM, with one job put back into the queue and one killed; `make test-slurm`."""

import signal
import subprocess
import time
from collections.abc import Container, Iterator
from pathlib import Path

import cluster
import grids
import psutil
import pytest

from ilwp.experiments.profiles import cell_name, load_profile, train_options

CELLS = {cell_name(config): train_options(config) for config in load_profile("smoke").cells()}
LIMIT = 900  # seconds


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    try:
        cluster.install()
    except cluster.Unavailable as reason:
        pytest.skip(f"SLURM cannot be installed: {reason}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the daemons end then, too
    with cluster.running() as environment:
        yield environment


def trainings(root: Path) -> list[psutil.Process]:
    """The processes that train in the copy at `root`."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            if process.cwd() == str(root) and "train" in words and any(w.endswith("/ilwp") for w in words[:2]):
                found.append(process)
        except psutil.Error:
            continue
    return found


def training_of(root: Path, cell: str) -> psutil.Process | None:
    return next((p for p in trainings(root) if " ".join(p.cmdline()).endswith(CELLS[cell])), None)


def after_its_first_epoch(root: Path, but: Container[str], grid: subprocess.Popen[bytes]) -> str:
    """Wait for a run of the grid, other than those in `but`, that has a checkpoint and goes on."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and grid.poll() is None:
        for cell in CELLS:
            if cell not in but and first_epoch(root, cell).exists() and training_of(root, cell):
                return cell
        time.sleep(0.1)
    raise AssertionError("no run reached its first epoch")


def first_epoch(root: Path, cell: str) -> Path:
    return root / "checkpoints" / "smoke" / cell / "epoch-00001.pt"


def job_of(cell: str, environment: dict[str, str]) -> str:
    jobs = subprocess.run(
        ["squeue", "--noheader", "--format=%i|%k"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    return next(line.split("|")[0] for line in jobs.splitlines() if line.endswith(cell))


def test_the_smoke_grid_on_slurm_survives_a_requeue_and_a_kill_and_equals_a_local_run(
    slurm: dict[str, str], tmp_path: Path
):
    root, local = (grids.copy_repository(tmp_path / name) for name in ("cluster", "local"))
    environment = slurm | {"PYTHONPATH": str(root)}
    command = grids.train_command(
        "smoke", "slurm",
        "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5",
        "--seconds-between-status-checks", "5",
    )  # fmt: skip
    hit: dict[str, tuple[str, int]] = {}
    output = tmp_path / "snakemake.out"
    with output.open("w") as out:
        grid = subprocess.Popen(command, cwd=root, env=environment, stdout=out, stderr=out)
    try:
        for how in ("requeued", "killed"):
            cell = after_its_first_epoch(root, hit, grid)
            job = job_of(cell, environment)
            hit[cell] = (job, first_epoch(root, cell).stat().st_mtime_ns)
            if how == "requeued":
                subprocess.run(["scontrol", "requeue", job], env=environment, check=True)
            else:
                training_of(root, cell).kill()
            print(f"{cell}, SLURM job {job}: {how} after its first epoch")
        grid.wait(LIMIT)
    finally:
        grid.terminate()
        grid.wait()
        print(output.read_text())
    assert grid.returncode == 0
    for cell, (job, written) in hit.items():
        assert first_epoch(root, cell).stat().st_mtime_ns == written, f"{cell} (SLURM job {job}) started over"
    submitted = output.read_text().count("has been submitted with SLURM jobid")
    assert submitted == len(CELLS) + 1, "the killed run is sent again, the requeued one is not"

    subprocess.run(grids.train_command("smoke", "local"), cwd=local, env=grids.environment(local), check=True)
    for cell in CELLS:
        here, there = (r / "data" / "runs" / "smoke" / f"{cell}.json" for r in (local, root))
        assert grids.without_timings(there) == grids.without_timings(here)
        assert there.with_suffix(".safetensors").read_bytes() == here.with_suffix(".safetensors").read_bytes()
