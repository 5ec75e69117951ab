"""Fig. 5's table of sizes at one bit width, by data set, network and method, and the shares that its prose quotes."""

import pandas as pd

from ilwp import networks
from ilwp.experiments.curves import CURVES
from ilwp.experiments.evidence import Runs, curve_results
from ilwp.figures.scorecard_evidence import Evidence
from ilwp.paper.methods import Loop
from ilwp.training import datasets

HEADS = ("data set", "network", "method")
MEASURES = {"total_bytes": "bytes", "bits_a_weight": "bits per weight", "accuracy": "top-1 (%)"}
TITLES = {
    "dataset": datasets.TITLES,
    "network": networks.TITLES,
    "curve": {name: curve.title for name, curve in CURVES.items()},
}


def at_bits(runs: Runs, bits: int, loop: Loop) -> pd.DataFrame:
    """Means over seeds of MEASURES' columns and the number of `runs`, by data set, network and curve."""
    table = curve_results(runs, loop)
    if table.empty:
        index = pd.MultiIndex.from_arrays([[], [], []], names=list(TITLES))
        return pd.DataFrame(index=index, columns=[*MEASURES, "runs"], dtype=float)
    groups = table[table["bits"] == bits].groupby(list(TITLES), sort=False)
    means = groups[list(MEASURES)].mean().assign(runs=groups.size())
    return means.sort_index(level=["dataset", "network"], sort_remaining=False, kind="stable")


def size_table(runs: Runs, bits: int, loop: Loop) -> pd.DataFrame:
    """One row per network, data set and method: bytes, bits a weight and accuracy."""
    found = at_bits(runs, bits, loop)
    places = found.index.to_frame()
    columns = {
        ("", title): places[level].map(titles) for (level, titles), title in zip(TITLES.items(), HEADS, strict=True)
    }
    columns |= {("", title): found[column] for column, title in MEASURES.items()} | {("", "runs"): found["runs"]}
    return pd.DataFrame(columns).reset_index(drop=True)


def quoted_sizes(found: Evidence, bits: int, loop: Loop) -> dict[str, float]:
    """Each method's least and greatest share of the baseline's bytes over networks and data sets; NaN without runs.

    A share is a mean over pairs of runs with one seed.
    """
    numbers = {}
    for curve in CURVES:
        shares = [found.ratio(curve, loop=loop, panel=panel, bits=bits).mean for panel in found.panels(curve)]
        numbers[f"{curve}_least"] = min(shares, default=float("nan"))
        numbers[f"{curve}_most"] = max(shares, default=float("nan"))
    return numbers
