"""Fig. 5 at one bit width: shares of the baseline's file, the table of sizes, and the shares that prose quotes."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ilwp import networks
from ilwp.experiments.curves import CURVES
from ilwp.experiments.evidence import Runs, curve_results
from ilwp.figures.output import keep_table
from ilwp.figures.scorecard_evidence import Evidence
from ilwp.figures.style import DASHED, INK, WIDTH, shared_legend
from ilwp.paper.methods import Loop
from ilwp.training import datasets

HEADS = ("data set", "network", "method")
MEASURES = {"total_bytes": "bytes", "bits_a_weight": "bits per weight", "accuracy": "top-1 (%)"}
TITLES = {
    "dataset": datasets.TITLES,
    "network": networks.TITLES,
    "curve": {name: curve.title for name, curve in CURVES.items()},
}


def draw_file_shares(found: Evidence, bits: int, loop: Loop) -> Figure:
    """A line per network and data set, a dot per method: its file over the baseline's, a mean over pairs of runs."""
    panels = found.panels()
    figure, ax = plt.subplots(figsize=(WIDTH, 1.1 + 0.24 * max(len(panels), 1)))
    ax.axvline(1, color=INK, linewidth=0.9, linestyle=DASHED, zorder=0)
    names = [f"{networks.TITLES[network]}, {datasets.TITLES[dataset]}" for network, dataset in panels]
    for name, curve in list(CURVES.items())[1:]:
        shares = [found.ratio(name, loop=loop, panel=panel, bits=bits).mean for panel in panels]
        ax.plot(shares, range(len(panels)), curve.marker, color=curve.colour, label=curve.title)
        table = pd.DataFrame({"network": names, "method": curve.title, "share of the baseline's file": shares})
        keep_table(ax, table)
    ax.set(xlim=(0, None), xlabel=f"share of the baseline's file at {bits} bits", yticks=range(len(panels)))
    ax.set(yticklabels=names, ylim=(max(len(panels), 1) - 0.5, -0.5))
    shared_legend(figure, np.array([ax]), columns=4)
    return figure


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
    """One row per network, data set and method: bytes, bits per weight and accuracy."""
    found = at_bits(runs, bits, loop)
    places = found.index.to_frame()
    columns = {
        ("", title): places[level].map(titles) for (level, titles), title in zip(TITLES.items(), HEADS, strict=True)
    }
    columns |= {("", title): found[column] for column, title in MEASURES.items()} | {("", "runs"): found["runs"]}
    return pd.DataFrame(columns).reset_index(drop=True)


def quoted_sizes(found: Evidence, bits: int, loop: Loop) -> dict[str, float]:
    """Least and greatest share of the baseline's bytes over networks and data sets, by method; NaN without runs.

    A share is a mean over pairs of runs with one seed.
    """
    numbers = {}
    for curve in ("fss", "lss", "ill"):
        shares = [found.ratio(curve, loop=loop, panel=panel, bits=bits).mean for panel in found.panels(curve)]
        numbers[f"{curve}_least"] = min(shares, default=float("nan"))
        numbers[f"{curve}_most"] = max(shares, default=float("nan"))
    return numbers
