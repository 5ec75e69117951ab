"""What verdicts are made of: a score, the evidence it is judged by, and how numbers are put.

runs -> collect -> Evidence
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ilwp import evidence
from ilwp.claims import CLAIMS
from ilwp.kernels import Kernels
from ilwp.records import RunRecord

HOLDS, IN_PART, FAILS, UNTESTED = "holds", "holds in part", "does not hold", "not tested at this scale"
Runs = Mapping[Path, RunRecord]


@dataclass(frozen=True)
class Score:
    """One claim: where the paper makes it, what it says, what was found in how many runs, by which rule judged."""

    claim: str
    where: str  # the page that shows the evidence
    paper: str
    ours: str
    runs: int
    verdict: str
    rule: str


@dataclass(frozen=True)
class Evidence:
    """What claims are judged by: the runs, a row a run and curve at 8 bits in each loop, and trained kernels."""

    runs: Runs
    closed: pd.DataFrame
    opened: pd.DataFrame
    kernels: Callable[[Path], Kernels]

    def group(self, curve: str, column: str, network: str = "mobilenet", loop: str = "closed") -> np.ndarray:
        """A column of one curve at 8 bits on CIFAR-10, in the order of seeds."""
        return np.asarray(self._by_seed(curve, column, network, loop))

    def _by_seed(self, curve: str, column: str, network: str = "mobilenet", loop: str = "closed") -> pd.Series:
        table = self.closed if loop == "closed" else self.opened
        if table.empty:
            return pd.Series(dtype=float)
        mine = (table["curve"] == curve) & (table["network"] == network)
        chosen = table[mine & (table["dataset"] == "cifar10") & (table["bits"] == 8)]
        return chosen.set_index("seed")[column].sort_index().astype(float)

    def ratio(self, curve: str, column: str = "total_bytes", loop: str = "closed") -> np.ndarray:
        """A column of one curve over the baseline's, MobileNet on CIFAR-10 at 8 bits, seed by seed."""
        ratios = self._by_seed(curve, column, loop=loop) / self._by_seed("baseline", column)
        return np.asarray(ratios.dropna())

    def points(self, curve: str, loop: str = "closed") -> np.ndarray:
        """Accuracy over the baseline's, in points, seed by seed."""
        changes = self._by_seed(curve, "accuracy", loop=loop) - self._by_seed("baseline", "accuracy")
        return np.asarray(changes.dropna())


def collect(runs: Runs, kernels: Callable[[Path], Kernels]) -> Evidence:
    """The evidence in some runs; `kernels` reads those of one."""
    return Evidence(runs, evidence.curves(runs, "closed"), evidence.curves(runs, "open"), kernels)


def spread(values: np.ndarray, digits: int = 3) -> str:
    """Mean and standard deviation, or what there is of them."""
    if not len(values):
        return "none"
    return f"{values.mean():.{digits}f}" + (f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else "")


def verdict(holds: bool, in_part: bool, tested: bool = True) -> str:
    """The verdict on a claim, given what would make it hold and hold in part."""
    return UNTESTED if not tested else HOLDS if holds else IN_PART if in_part else FAILS


def judged(claim: str, ours: str, runs: int, verdict: str) -> Score:
    """The score of a claim."""
    where, paper, rule = CLAIMS[claim]
    return Score(claim, where, paper, ours, runs, verdict, rule)
