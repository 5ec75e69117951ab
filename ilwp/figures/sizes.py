"""Fig. 5's table: sizes at one bit width, by data set, network and method, and as shares of the baseline's."""

import pandas as pd

from ilwp import networks
from ilwp.experiments.curves import CURVES
from ilwp.experiments.evidence import Runs, curve_results
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


def shares(sizes: pd.DataFrame, baselines: pd.DataFrame) -> pd.Series:
    """Bytes over those of the baseline of the same network and data set; NaN where there is none."""
    curves = baselines.index.get_level_values("curve")
    baseline = baselines.loc[curves == "baseline", "total_bytes"].droplevel("curve")
    return sizes["total_bytes"] / baseline.reindex(sizes.index.droplevel("curve")).to_numpy()


def size_table(runs: Runs, bits: int, loop: Loop) -> pd.DataFrame:
    """A row a network, data set and method: bytes, bits a weight, accuracy, and shares of the baseline's bytes."""
    found = at_bits(runs, bits, loop)
    places = found.index.to_frame()
    columns = {
        ("", title): places[level].map(titles) for (level, titles), title in zip(TITLES.items(), HEADS, strict=True)
    }
    columns |= {("", title): found[column] for column, title in MEASURES.items()} | {("", "runs"): found["runs"]}
    for name in dict.fromkeys((loop, "open")):
        columns["share of the baseline's bytes", f"{name} loop"] = shares(at_bits(runs, bits, name), found)
    return pd.DataFrame(columns).reset_index(drop=True)


def quoted_sizes(runs: Runs, bits: int, loop: Loop) -> dict[str, float]:
    """The least and the greatest share of each method over networks and data sets, by name; NaN without runs."""
    found = at_bits(runs, bits, loop)
    by_curve = shares(found, found).groupby(level="curve")
    least, most = by_curve.min(), by_curve.max()
    return {
        f"{curve}_{name}": float(values.get(curve, float("nan")))
        for curve in CURVES
        for name, values in (("least", least), ("most", most))
    }
