"""The evidence that claims are judged by.

runs -> collect_evidence -> Evidence
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ilwp import networks
from ilwp.experiments import evidence
from ilwp.experiments.curves import CURVES
from ilwp.experiments.evidence import Runs
from ilwp.experiments.records import RunRecord
from ilwp.paper import codec, hypothesis
from ilwp.paper.distortion import zero_share
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import LOOPS, Loop
from ilwp.paper.settings import Settings
from ilwp.training import datasets


@dataclass(frozen=True)
class Evidence:
    """What claims are judged by: the runs, in each loop a row a run, curve and bit width, and trained kernels.

    `lifts` gives for one lambda a row a run: network, data set, seed, share of the previous layer, whether it is the
    largest, and its lifts.
    """

    runs: Runs
    closed: pd.DataFrame
    opened: pd.DataFrame
    kernels: Callable[[Path], Kernels]
    lifts: Callable[[float], pd.DataFrame]

    def group(
        self, curve: str, column: str, network: str = "mobilenet", loop: Loop = "closed", dataset: str = "cifar10"
    ) -> np.ndarray:
        """A column of one curve at 8 bits, in the order of seeds."""
        return np.asarray(self._by_seed(curve, column, network, loop, dataset))

    def _by_seed(
        self, curve: str, column: str, network: str = "mobilenet", loop: Loop = "closed", dataset: str = "cifar10"
    ) -> pd.Series:
        files = self._files(curve, network, loop, dataset)
        if files.empty:
            return pd.Series(dtype=float)
        return files[files["bits"] == 8].set_index("seed")[column].sort_index().astype(float)

    def _files(
        self, curve: str, network: str = "mobilenet", loop: Loop = "closed", dataset: str = "cifar10"
    ) -> pd.DataFrame:
        table = {"closed": self.closed, "open": self.opened}[loop]
        if table.empty:
            return table
        return table[(table["curve"] == curve) & (table["network"] == network) & (table["dataset"] == dataset)]

    def ratio(self, curve: str, column: str = "total_bytes", loop: Loop = "closed") -> np.ndarray:
        """A column of one curve over the baseline's, MobileNet on CIFAR-10 at 8 bits, seed by seed."""
        ratios = self._by_seed(curve, column, loop=loop) / self._by_seed("baseline", column)
        return np.asarray(ratios.dropna())

    def points(self, curve: str, loop: Loop = "closed") -> np.ndarray:
        """The accuracy over the baseline's, MobileNet on CIFAR-10, in points, seed by seed."""
        mine = self._by_seed(curve, "accuracy", loop=loop)
        return np.asarray((mine - self._by_seed("baseline", "accuracy")).dropna())

    def equal_accuracy(self, curve: str) -> np.ndarray:
        """A curve's smallest file no less accurate than ILL's of 8 bits, over the baseline's of 8, seed by seed.

        Of any bit width and loop, where ILL's of 8 bits has a closed one. MobileNet on CIFAR-10; NaN where no file of
        the curve is as accurate.
        """
        files = pd.concat([self._files(curve, loop=loop) for loop in LOOPS])
        ratios, size = [], self._by_seed("baseline", "total_bytes")
        for seed, accuracy in self._by_seed("ill", "accuracy").items():
            fitting = files[(files["seed"] == seed) & (files["accuracy"] >= accuracy)]["total_bytes"].min()
            ratios.append(fitting / size.get(seed, np.nan))
        return np.array(ratios)

    def zeros(self, loop: Loop) -> np.ndarray:
        """Percent of ILL's levels at 8 bits that are zero, MobileNet on CIFAR-10, run by run."""
        paths = evidence.select(self.runs, dataset="cifar10", network="mobilenet", inter_layer=1)
        coded = [codec.encode_kernels(self.kernels(path), Settings("ill", 8, loop)) for path in paths]
        return np.array([100 * zero_share(c.levels) for c in coded])

    def at_8_bits(self, column: str) -> pd.DataFrame:
        """A column in the closed loop: a row a network, data set and seed, a column a curve; NaN for no run."""
        run = ["network", "dataset", "seed"]
        if self.closed.empty:
            none = pd.MultiIndex.from_arrays([[], [], []], names=run)
            return pd.DataFrame(index=none, columns=list(CURVES), dtype=float)
        files = self.closed[self.closed["bits"] == 8].pivot_table(column, run, "curve")
        return files.reindex(columns=list(CURVES))

    def ratios_elsewhere(self) -> np.ndarray:
        """ILL's file over the baseline's at 8 bits, run by run, on all but MobileNet and CIFAR-10."""
        files = self.at_8_bits("total_bytes").drop(("mobilenet", "cifar10"), errors="ignore")
        return np.asarray((files["ill"] / files["baseline"]).dropna())


def collect_evidence(runs: Runs, kernels: Callable[[Path], Kernels]) -> Evidence:
    """The evidence in some runs; `kernels` reads those of one."""

    @cache  # more than one claim asks for them
    def lifts(inter_layer: float) -> pd.DataFrame:
        chosen = evidence.select(runs, inter_layer=inter_layer)
        return pd.DataFrame([_lifts(record, kernels(path)) for path, record in chosen.items()])

    return Evidence(runs, evidence.curve_results(runs, "closed"), evidence.curve_results(runs, "open"), kernels, lifts)


def _lifts(record: RunRecord, kernels: Kernels) -> dict[str, Any]:
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


def means_over_seeds(lifts: pd.DataFrame) -> pd.DataFrame:
    """The means of `Evidence.lifts` over seeds, so that each network and data set counts once."""
    if lifts.empty:
        return lifts
    return lifts.drop(columns="seed").groupby(["network", "dataset"], sort=False).mean().reset_index()
