"""The evidence that claims are judged by. Runs are compared with others of the same seed, and with no others.

runs -> collect_evidence -> Evidence
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ilwp import networks
from ilwp.common.distortion import zero_share
from ilwp.experiments import chance, evidence
from ilwp.experiments.evidence import Runs
from ilwp.experiments.records import RunRecord
from ilwp.figures import wild
from ilwp.figures.benchmarks import benchmark_rows
from ilwp.figures.paired import Paired, differences, ratios
from ilwp.paper import codec, hypothesis
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import LOOPS, Loop
from ilwp.paper.settings import Settings
from ilwp.training import datasets

DEALS = 10  # of the kernels to layers at random
Panel = tuple[str, str]  # network, data set
LOOP_TITLES: dict[Loop, str] = {"closed": "closed loop", "open": "open loop"}
FIRST: Panel = ("mobilenet", "cifar10")  # the paper's Table 1 and Fig. 4


@dataclass(frozen=True)
class Evidence:
    """What claims are judged by: the runs, in each loop one row per run, curve and bit width, and trained kernels.

    `lifts` gives for one lambda one row per run: network, data set, seed, share of the previous layer, in how many
    layers it leads, and its lifts. `public` has one row per public sequence of kernels: title, and whether its lift is
    clearly `above` chance. `printed` is the evidence of runs whose lambda is as printed in the paper, not calibrated.
    """

    runs: Runs
    closed: pd.DataFrame
    opened: pd.DataFrame
    kernels: Callable[[Path], Kernels]
    lifts: Callable[[float], pd.DataFrame]
    public: pd.DataFrame
    printed: "Evidence | None" = None

    def files(self, curve: str, panel: Panel = FIRST, loop: Loop = "closed") -> pd.DataFrame:
        """Every file of a curve: one row per run and bit width."""
        table = {"closed": self.closed, "open": self.opened}[loop]
        if table.empty:
            return table
        return table[(table["curve"] == curve) & (table["network"] == panel[0]) & (table["dataset"] == panel[1])]

    def by_seed(self, curve: str, column: str, panel: Panel = FIRST, loop: Loop = "closed", bits: int = 8) -> pd.Series:
        """A column of one curve, indexed by seed."""
        files = self.files(curve, panel, loop)
        if files.empty:
            return pd.Series(dtype=float)
        return files[files["bits"] == bits].set_index("seed")[column].sort_index().astype(float)

    def panels(self, curve: str = "ill") -> list[Panel]:
        """Networks and data sets in which at least one seed has both the baseline and this curve."""
        pairs = [(network, dataset) for dataset in ("cifar10", "cifar100") for network in networks.TITLES]
        return [panel for panel in pairs if len(self.points(curve, panel=panel))]

    def ratio(
        self, curve: str, column: str = "total_bytes", loop: Loop = "closed", panel: Panel = FIRST, bits: int = 8,
        of: str = "baseline",
    ) -> Paired:  # fmt: skip
        """A column of one curve over that of another, seed by seed."""
        return ratios(self.by_seed(curve, column, panel, loop, bits), self.by_seed(of, column, panel, loop, bits))

    def points(self, curve: str, loop: Loop = "closed", panel: Panel = FIRST, bits: int = 8) -> Paired:
        """The accuracy over the baseline's, in points, seed by seed."""
        mine, others = (self.by_seed(c, "accuracy", panel, loop, bits) for c in (curve, "baseline"))
        return differences(mine, others)

    def equally_accurate_bytes(
        self, curve: str, panel: Panel = FIRST, loop: Loop = "closed", among: Sequence[Loop] = LOOPS
    ) -> pd.Series:
        """Bytes by seed of a curve's smallest file no less accurate than ILL's of 8 bits in `loop`; NaN without one.

        Of any bit width, and of the loops `among`.
        """
        files = pd.concat([self.files(curve, panel, each) for each in among])
        smallest = {
            seed: files[(files["seed"] == seed) & (files["accuracy"] >= accuracy)]["total_bytes"].min()
            for seed, accuracy in self.by_seed("ill", "accuracy", panel, loop).items()
        }
        return pd.Series(smallest, dtype=float)

    def first_runs(self, **wanted: Any) -> Runs:
        """The runs of MobileNet on CIFAR-10 whose configuration has these values."""
        return evidence.select(self.runs, network=FIRST[0], dataset=FIRST[1], **wanted)

    def zeros(self, curve: str, inter_layer: float, loop: Loop, bits: int = 8) -> np.ndarray:
        """Percent of a method's levels that are zero, MobileNet on CIFAR-10, run by run."""
        paths = self.first_runs(inter_layer=inter_layer)
        coded = [codec.encode_kernels(self.kernels(path), Settings(curve, bits, loop)) for path in paths]  # type: ignore[arg-type]
        return np.array([100 * zero_share(c.levels) for c in coded])


def collect_evidence(runs: Runs, kernels: Callable[[Path], Kernels], printed: Runs | None = None) -> Evidence:
    """The evidence in some runs; `kernels` reads those of one.

    Runs with the paper's lambda as printed are looked for in `printed`; where that is not given, among `runs`.
    """
    candidates = runs if printed is None else printed
    uncalibrated = {path: r for path, r in candidates.items() if r.config.calibration == 1}
    return _collect(runs, kernels, _collect(uncalibrated, kernels, None))


def _collect(runs: Runs, kernels: Callable[[Path], Kernels], printed: Evidence | None) -> Evidence:
    @cache  # more than one claim asks for them
    def lifts(inter_layer: float) -> pd.DataFrame:
        chosen = evidence.select(runs, inter_layer=inter_layer)
        return pd.DataFrame([_lifts(record, kernels(path)) for path, record in chosen.items()])

    closed, opened = (evidence.curve_results(runs, loop) for loop in LOOPS)
    return Evidence(runs, closed, opened, kernels, lifts, wild.against_chance(benchmark_rows("wild")), printed)


def title(panel: Panel) -> str:
    """A network and data set in words."""
    return f"{networks.TITLES[panel[0]]} on {datasets.TITLES[panel[1]]}"


def means_over_seeds(lifts: pd.DataFrame) -> pd.DataFrame:
    """The means of `Evidence.lifts` over seeds, so that each network and data set counts once."""
    if lifts.empty:
        return lifts
    return lifts.drop(columns="seed").groupby(["network", "dataset"], sort=False).mean().reset_index()


def _lifts(record: RunRecord, kernels: Kernels) -> dict[str, Any]:
    plain, unit = hypothesis.best_sources(kernels), hypothesis.best_sources(chance.unit_length(kernels))
    config = record.config
    dealt = [hypothesis.best_sources(chance.shuffled(kernels, deal)) for deal in range(DEALS)]
    return {
        "network": networks.TITLES[config.network],
        "dataset": datasets.TITLES[config.dataset],
        "seed": config.seed,
        "share": plain.previous_share,
        "leads": leading(plain),
        "leads_shuffled": float(np.mean([leading(one) for one in dealt])),
        "lift": plain.lift,
        "unit": unit.lift,
        "unit_low": chance.lift_interval(unit)[0],
        "untrained": hypothesis.best_sources(evidence.untrained_kernels(config)).lift,
    }


def leading(sources: hypothesis.Sources) -> float:
    """Share of layers from the third on in which no layer holds more best predictions than the previous one."""
    rows = range(2, len(sources.share))
    return float(np.mean([sources.share[i, i - 1] >= sources.share[i, :i].max() for i in rows]))
