"""What verdicts are made of: a score, the evidence it is judged by, and how numbers are put.

runs -> collect -> Evidence
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ilwp import networks
from ilwp.experiments import evidence
from ilwp.experiments.records import RunRecord
from ilwp.figures.claims import CLAIMS
from ilwp.paper import codec, hypothesis
from ilwp.paper.distortion import zero_share
from ilwp.paper.kernels import Kernels
from ilwp.paper.settings import Loop, Settings
from ilwp.training import datasets

HOLDS, IN_PART, FAILS, UNTESTED = "holds", "holds in part", "does not hold", "not tested at this scale"
MARKS = {HOLDS: "●", IN_PART: "◐", FAILS: "○", UNTESTED: "·"}
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
    """What claims are judged by: the runs, a row a run, curve and bit width in each loop, and trained kernels."""

    runs: Runs
    closed: pd.DataFrame
    opened: pd.DataFrame
    kernels: Callable[[Path], Kernels]
    _lifts: dict[float, pd.DataFrame] = field(default_factory=dict)  # every page asks for them more than once

    def lifts(self, inter_layer: float) -> pd.DataFrame:
        """A row a run: network, data set, seed, share of the previous layer, whether it is the largest, its lifts."""
        if inter_layer not in self._lifts:
            chosen = evidence.select(self.runs, inter_layer=inter_layer).items()
            self._lifts[inter_layer] = pd.DataFrame([_lifts_of(record, self.kernels(path)) for path, record in chosen])
        return self._lifts[inter_layer]

    def group(
        self, curve: str, column: str, network: str = "mobilenet", loop: str = "closed", dataset: str = "cifar10"
    ) -> np.ndarray:
        """A column of one curve at 8 bits, in the order of seeds."""
        return np.asarray(self._by_seed(curve, column, network, loop, dataset))

    def _by_seed(
        self, curve: str, column: str, network: str = "mobilenet", loop: str = "closed", dataset: str = "cifar10"
    ) -> pd.Series:
        files = self._files(curve, network, loop, dataset)
        if files.empty:
            return pd.Series(dtype=float)
        return files[files["bits"] == 8].set_index("seed")[column].sort_index().astype(float)

    def _files(
        self, curve: str, network: str = "mobilenet", loop: str = "closed", dataset: str = "cifar10"
    ) -> pd.DataFrame:
        table = self.closed if loop == "closed" else self.opened
        if table.empty:
            return table
        return table[(table["curve"] == curve) & (table["network"] == network) & (table["dataset"] == dataset)]

    def ratio(self, curve: str, column: str = "total_bytes", loop: str = "closed") -> np.ndarray:
        """A column of one curve over the baseline's, MobileNet on CIFAR-10 at 8 bits, seed by seed."""
        ratios = self._by_seed(curve, column, loop=loop) / self._by_seed("baseline", column)
        return np.asarray(ratios.dropna())

    def points(self, curve: str, loop: str = "closed") -> np.ndarray:
        """The accuracy over the baseline's, MobileNet on CIFAR-10, in points, seed by seed."""
        mine = self._by_seed(curve, "accuracy", loop=loop)
        return np.asarray((mine - self._by_seed("baseline", "accuracy")).dropna())

    def equal_accuracy(self, curve: str) -> np.ndarray:
        """A curve's smallest file no less accurate than ILL's of 8 bits, over the baseline's of 8, seed by seed.

        Of any bit width and loop, where ILL's of 8 bits has a closed one. MobileNet on CIFAR-10; NaN where no file of
        the curve is as accurate.
        """
        files = pd.concat([self._files(curve, loop=loop) for loop in ("closed", "open")])
        ratios, size = [], self._by_seed("baseline", "total_bytes")
        for seed, accuracy in self._by_seed("ill", "accuracy").items():
            fitting = files[(files["seed"] == seed) & (files["accuracy"] >= accuracy)]["total_bytes"].min()
            ratios.append(fitting / size.get(seed, np.nan))
        return np.array(ratios)

    def zeros(self, loop: Loop) -> np.ndarray:
        """Percent of ILL's levels at 8 bits that are zero, MobileNet on CIFAR-10, run by run."""
        paths = evidence.select(self.runs, dataset="cifar10", network="mobilenet", inter_layer=1)
        coded = [codec.encode(self.kernels(path), Settings("ill", 8, loop)) for path in paths]
        return np.array([100 * zero_share(c.levels) for c in coded])

    def at_8_bits(self, column: str) -> pd.DataFrame:
        """A column in the closed loop: a row a network, data set and seed, a column a curve; NaN for no run."""
        run = ["network", "dataset", "seed"]
        if self.closed.empty:
            none = pd.MultiIndex.from_arrays([[], [], []], names=run)
            return pd.DataFrame(index=none, columns=list(evidence.CURVES), dtype=float)
        files = self.closed[self.closed["bits"] == 8].pivot_table(column, run, "curve")
        return files.reindex(columns=list(evidence.CURVES))

    def ratios_elsewhere(self) -> np.ndarray:
        """ILL's file over the baseline's at 8 bits, run by run, on all but MobileNet and CIFAR-10."""
        files = self.at_8_bits("total_bytes").drop(("mobilenet", "cifar10"), errors="ignore")
        return np.asarray((files["ill"] / files["baseline"]).dropna())


def collect(runs: Runs, kernels: Callable[[Path], Kernels]) -> Evidence:
    """The evidence in some runs; `kernels` reads those of one."""
    return Evidence(runs, evidence.curves(runs, "closed"), evidence.curves(runs, "open"), kernels)


def _lifts_of(record: RunRecord, kernels: Kernels) -> dict[str, Any]:
    plain, unit = hypothesis.best_sources(kernels), hypothesis.best_sources(hypothesis.unit_length(kernels))
    config = record.config
    return {
        "network": networks.TITLES[config.network],
        "dataset": datasets.TITLES[config.dataset],
        "seed": config.seed,
        "share": plain.previous_share,
        "largest": _previous_is_largest(plain),
        "lift": plain.lift,
        "unit": unit.lift,
        "unit_low": unit.lift_interval()[0],
        "untrained": hypothesis.best_sources(evidence.untrained_kernels(config)).lift,
    }


def _previous_is_largest(sources: hypothesis.Sources) -> float:
    """Share of layers from the third on in which no layer holds more best predictions than the previous one."""
    rows = range(2, len(sources.share))
    return float(np.mean([sources.share[i, i - 1] >= sources.share[i, :i].max() for i in rows]))


def panels(lifts: pd.DataFrame) -> pd.DataFrame:
    """The means of `Evidence.lifts` over seeds, so that each network and data set counts once."""
    if lifts.empty:
        return lifts
    return lifts.drop(columns="seed").groupby(["network", "dataset"], sort=False).mean().reset_index()


def reach(values: pd.Series) -> str:
    """Mean, least and greatest."""
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


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
