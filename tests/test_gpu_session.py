import os
import shutil
import subprocess
import sys
from pathlib import Path

import grids

from ilwp.training import parts

PROFILE = """\
recipe: 1
settings: {width: 0.03, epochs: 2, batch_size: 32, learning_rate: 0.05}
grid:
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [0, 1], seeds: [0]}
"""
CELLS = ["cifar10-mobilenet-lambda0-seed0", "cifar10-mobilenet-lambda1-seed0"]


def session(root: Path, out: Path, *more: str) -> str:
    environment = {**os.environ, "PYTHON": sys.executable}
    command = ["sh", root / "workflow" / "gpu.sh", out, "tiny", "2", "5", *more]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "not all runs" not in done.stderr, done.stderr
    return done.stdout


def unpack(out: Path, root: Path) -> None:
    content = b"".join(path.read_bytes() for path in sorted(out.glob("session.tar.*")))
    subprocess.run(["tar", "x"], cwd=root, input=content, check=True)


def test_what_a_session_trains_comes_home_in_pieces_and_is_measured_there(tiny_cifar: Path, tmp_path: Path):
    box, home, out = (tmp_path / name for name in ("box", "home", "out"))
    for root in (box, home):
        grids.copy_repository(root)
        (root / "config" / "tiny.yaml").write_text(PROFILE)
    parts.pack_dataset(tiny_cifar / "cifar10.npz", tiny_cifar)
    (tiny_cifar / "cifar10.npz").unlink()

    session(box, out, "--no-measure")
    assert (tiny_cifar / "cifar10.npz").exists()
    assert {path.name[:12] for path in out.iterdir()} == {"session.tar."}
    unpack(out, home)
    assert sorted(path.name for path in (home / "checkpoints" / "tiny").iterdir()) == CELLS
    command = [sys.executable, "-m", "ilwp.cli.training", "measure", f"checkpoints/tiny/{CELLS[1]}", "--quiet"]
    subprocess.run(command, cwd=home, env=grids.environment(home), check=True)

    # the same command goes on where it was, and here that means to measure
    shutil.rmtree(out)
    session(box, out)
    unpack(out, tmp_path)
    for cell in CELLS:
        there, brought = (root / "data" / "runs" / "tiny" / f"{cell}.json" for root in (box, tmp_path))
        assert brought.read_bytes() == there.read_bytes()
        assert brought.with_suffix(".safetensors").exists()
    here = home / "data" / "runs" / "tiny" / f"{CELLS[1]}.json"
    assert grids.without_timings(here) == grids.without_timings(there)
    assert (box / "logs" / "tiny" / "cells").read_text().count("\n") == 2
    session(box, out)
    assert (box / "logs" / "tiny" / "cells").read_text() == ""
