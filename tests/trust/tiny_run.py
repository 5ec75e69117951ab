"""A training run of seconds in a folder of its own, in a process that can be killed, starved or confused."""

import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import grids
import numpy as np
import torch._dynamo  # which each process would otherwise take seconds to import  # noqa: F401

from ilwp.cli import main
from ilwp.experiments import measuring, profiles, runs
from ilwp.experiments.records import kernels_path

PROFILE = b"""
recipe: 1
settings: {width: 0.1, epochs: 3, batch_size: 16, learning_rate: 0.05}
grid:
  - {dataset: cifar10, networks: [mobilenet], inter_layer: [1], seeds: [0]}
"""
ARGUMENTS = ["train", "--profile", "tiny"]
MODIFYING = ("open", "os.mkdir", "os.rename", "os.remove")
TAKING_SPACE = ("open", "os.rename")  # a folder that cannot be made is noticed when something is to go in
Prepare = Callable[[], None]


def lay_images(folder: Path) -> None:
    """A CIFAR-10 of 40 and 10 images of noise."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 40), ("test", 10)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)
        arrays[f"y_{part}"] = (np.arange(count) % 10).astype(np.uint8)
    folder.mkdir(exist_ok=True)
    np.savez(folder / "cifar10.npz", **arrays)


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and what it said on standard error."""

    code: int
    err: str

    @property
    def refused(self) -> bool:
        """Whether it failed with one clear line."""
        lines = [line for line in self.err.splitlines() if line.startswith("ilwp: ")]
        return self.code == 1 and len(lines) == 1 and self.err.endswith(f"{lines[0]}\n") and "Traceback" not in self.err


@dataclass(frozen=True)
class TinyRun:
    """A run in `folder`, which also holds its profile, checkpoints and record."""

    folder: Path
    elsewhere: Path | None = None  # for what it prints, where the folder may be full

    def start(self, prepare: Prepare = lambda: None) -> int:
        """The id of a process that runs `ilwp train` here, after `prepare`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pid = os.fork()
        if pid:
            return pid
        code = 70
        try:
            out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            profiles.load_profile = lambda name: profiles.parse_profile(PROFILE)
            runs.CHECKPOINTS = self.folder / "checkpoints"
            measuring.SWEEP = measuring.SWEEP[::20]
            sys.argv = ["ilwp", *ARGUMENTS, "-o", str(self.record)]
            prepare()
            main.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)

    def wait(self, pid: int) -> Ended:
        """How the process ends."""
        _, status = os.waitpid(pid, 0)
        return Ended(os.waitstatus_to_exitcode(status), self.log.read_text())

    def run(self, prepare: Prepare = lambda: None) -> Ended:
        """Start and wait."""
        return self.wait(self.start(prepare))

    def kill_after(self, seconds: float) -> bool:
        """Start, kill after so long; False if it had ended by then."""
        pid = self.start()
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        return self.wait(pid).code == -signal.SIGKILL

    @property
    def log(self) -> Path:
        """What the last process printed."""
        return self.elsewhere or self.folder.with_suffix(".log")

    @property
    def record(self) -> Path:
        """Where the record is."""
        return self.folder / "records" / "tiny.json"

    def checkpoints(self) -> list[Path]:
        """Oldest first."""
        return sorted(self.folder.rglob("epoch-*.pt"))

    def result(self) -> tuple[str, bytes, bytes]:
        """What the run left: its record but for times and hardware, its kernels, the whole network."""
        assert not list(self.folder.rglob("*.part"))
        network = next(self.folder.rglob("network.safetensors"))
        record = json.dumps(grids.without_timings(self.record))
        return record, kernels_path(self.record).read_bytes(), network.read_bytes()


def at_operation(folder: Path, number: int, then: Callable[[str], None], counted: Path | None = None) -> Prepare:
    """Before the process's so manieth change to a file in `folder`, call `then`; leave the count in `counted`."""

    def prepare() -> None:
        count = 0

        def look(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            if event not in MODIFYING or not str(arguments[0]).startswith(str(folder)):
                return
            if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & 3):
                return
            count += 1
            if counted is not None:
                with counted.open("a") as file:
                    file.write(f"{event}\n")
            if count == number:
                then(event)

        sys.addaudithook(look)

    return prepare


def die(_: str) -> None:
    """As `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)


def run_out_of_space(event: str) -> None:
    """As a full disk does."""
    if event in TAKING_SPACE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
