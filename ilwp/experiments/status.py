"""How far a profile's grid is: what is done, running, stopped, failed or missing, and the hours left."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Literal, get_args

import pandas as pd

from ilwp.common import locks
from ilwp.common.paths import LOGS
from ilwp.experiments import runs
from ilwp.experiments.profiles import Profile, cell_name
from ilwp.experiments.records import RunRecord, read_record
from ilwp.training.recipe import TrainConfig

RunState = Literal["done", "running", "stopped", "failed", "missing"]


@dataclass(frozen=True)
class CellStatus:
    """Where one run stands. `hours_left` is None where no run of its network has been finished to judge by."""

    run: str
    state: RunState
    epoch: int  # the last one saved
    epochs: int
    hours_left: float | None
    note: str  # accuracy of a finished run, error of a failed one


def log_path(profile: str, config: TrainConfig) -> Path:
    """Where the grid sends a run's output."""
    return LOGS / profile / f"{cell_name(config)}.log"


def grid_status(name: str, profile: Profile) -> list[CellStatus]:
    """The status of every run of the profile, in the order of its file."""
    done: dict[str, RunRecord] = {}
    for config in profile.cells():
        path = runs.record_path(name, config)
        if runs.finished(path, profile, config):
            done[cell_name(config)] = read_record(path)
    return [_cell_status(name, profile, config, done) for config in profile.cells()]


def as_table(statuses: Sequence[CellStatus]) -> str:
    """A table for the terminal with a line of totals under it."""
    rows = pd.DataFrame([asdict(status) for status in statuses])
    for text in ("run", "note"):
        rows[text] = rows[text].str.ljust(rows[text].str.len().max())
    rows["epoch"] = [f"{status.epoch}/{status.epochs}" for status in statuses]
    rows["hours_left"] = [_hours(status) for status in statuses]
    rows = rows.drop(columns="epochs").rename(columns={"hours_left": "hours left"})
    counts = Counter(status.state for status in statuses)
    known = [status.hours_left for status in statuses if status.hours_left is not None]
    left = [f"{sum(known):.1f} hours of training left on one core or GPU"] if known else []
    if unknown := len(statuses) - len(known):
        left.append("one run of unknown length" if unknown == 1 else f"{unknown} runs of unknown length")
    totals = ", ".join(f"{counts[state]} {state}" for state in get_args(RunState) if counts[state])
    return f"{rows.to_string(index=False)}\n\n{totals}; {' and '.join(left)}"


def _cell_status(name: str, profile: Profile, config: TrainConfig, done: dict[str, RunRecord]) -> CellStatus:
    cell = cell_name(config)
    if cell in done:
        return CellStatus(cell, "done", config.epochs, config.epochs, 0.0, f"{done[cell].accuracy:.2f} %")
    epoch, folder = runs.epoch_reached(name, profile, config), runs.network_path(name, config).parent
    running = locks.is_held(folder)
    if not running and runs.trained(folder, profile, config):
        return CellStatus(cell, "stopped", config.epochs, config.epochs, 0.0, f"trained; next: ilwp measure {folder}")
    error = "" if running else _error(log_path(name, config))
    state: RunState = "running" if running else "failed" if error else "stopped" if epoch else "missing"
    alike = [r.seconds / r.config.epochs for r in done.values() if r.config.network == config.network]
    hours = mean(alike) * (config.epochs - epoch) / 3600 if alike else None
    return CellStatus(cell, state, epoch, config.epochs, hours, error)


def _error(log: Path) -> str:
    """What the run whose output is in `log` last said, if that was an error."""
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    # a run that the user interrupts says so as its last line, too
    match = re.match(r"ilwp: (?!interrupted)(.*)|([\w.]+(?:Error|Exception)\b.*)", last)
    return (match[1] or match[2]) if match else ""


def _hours(status: CellStatus) -> str:
    if status.state == "done":
        return ""
    return "unknown" if status.hours_left is None else f"{status.hours_left:.1f}"
