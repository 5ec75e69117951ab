"""Curves beside the baseline, network by network and seed by seed: tables of Table 1, Fig. 5 and the scorecard.

Evidence -> comparisons, parts_of_files, beside_the_paper -> table
Evidence -> tying, one_step -> numbers that prose quotes
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ilwp import networks
from ilwp.experiments.curves import CURVES
from ilwp.figures.paired import Paired, ratios
from ilwp.figures.scorecard_evidence import Evidence
from ilwp.paper.methods import LOOPS
from ilwp.training import datasets


def comparisons(found: Evidence, curves: Sequence[str], bits: int = 8, digits: int = 3) -> pd.DataFrame:
    """One row per network, data set and curve: pairs of runs, file over the baseline's and points, in both loops."""
    rows = []
    for curve in curves:
        for panel in found.panels(curve):
            row = {
                "network": networks.TITLES[panel[0]],
                "data set": datasets.TITLES[panel[1]],
                "method": CURVES[curve].title,
                "pairs": len(found.points(curve, panel=panel, bits=bits)),
            }
            for loop in LOOPS:
                row[f"file, {loop} loop"] = found.ratio(curve, loop=loop, panel=panel, bits=bits).short(digits)
            for loop in LOOPS:
                row[f"points, {loop} loop"] = found.points(curve, loop, panel, bits).short(2, "+")
            rows.append(row)
    order = ["network", "data set"]
    table = pd.DataFrame(rows)
    return table.sort_values(order, kind="stable", ignore_index=True) if rows else table


def tying(found: Evidence) -> dict[str, float]:
    """What prose quotes of lambda = 1 and of tied layers, closed loop: least and greatest mean over panels."""
    numbers: dict[str, float] = {}
    for curve in ("ill", "tied"):
        panels = found.panels(curve)
        for name, means in (
            ("file", [found.ratio(curve, panel=panel).mean for panel in panels]),
            ("points", [found.points(curve, panel=panel).mean for panel in panels]),
        ):
            numbers |= {f"{name}_{curve}_low": min(means, default=np.nan)}
            numbers |= {f"{name}_{curve}_high": max(means, default=np.nan)}
    accuracies = [
        [found.by_seed(curve, "accuracy", panel) for curve in ("tied", "ill")] for panel in found.panels("tied")
    ]
    paired = [mean for tied, ill in accuracies if not np.isnan(mean := (tied - ill).mean())]
    return numbers | {"tied_panels": len(paired), "tied_better": sum(mean > 0 for mean in paired)}


def equal_accuracy(found: Evidence) -> dict[str, Paired]:
    """By curve the smallest file no less accurate than ILL's of 8 bits, over the baseline's of 8; any bits and loop."""
    size = found.by_seed("baseline", "total_bytes")
    return {curve: ratios(found.equally_accurate_bytes(curve), size) for curve in ("baseline", "ill")}


def one_step(rows: pd.DataFrame) -> dict[str, float]:
    """The paper's ILL file of 8 bits beside a baseline of one step and ANS, from the benchmark `inter_layer`.

    The baseline's smallest file with one step for all layers that is at least as accurate.
    """
    huffman = rows[(rows["method"] == "ill") & (rows["coder"] == "Huffman") & (rows["bits"] == 8)].iloc[0]
    simple = rows[(rows["method"] == "baseline") & (rows["coder"] == "ANS") & (rows["range"] == "network")]
    best = simple[simple["accuracy"] >= huffman["accuracy"]].sort_values("bytes").iloc[0]
    loss = rows[(rows["method"] == "ill") & (rows["coder"] == "ANS") & (rows["range"] == "network")]
    smallest = loss[loss["accuracy"] >= huffman["accuracy"]]["bytes"].min()
    return {
        "simple_bytes": best["bytes"], "simple_accuracy": best["accuracy"], "huffman_bytes": huffman["bytes"],
        "huffman_accuracy": huffman["accuracy"], "simple_loss_bytes": smallest,
    }  # fmt: skip
