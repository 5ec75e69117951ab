"""Fig. 6 for one network: what the loss saves where accuracy is equal.

Evidence -> draw_equal_accuracy -> figure
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ilwp.experiments import evidence
from ilwp.experiments.curves import CURVES
from ilwp.figures import plots, style
from ilwp.figures.comparisons import equal_accuracy
from ilwp.figures.output import keep_table
from ilwp.figures.scorecard_evidence import FIRST, Evidence
from ilwp.paper.methods import Loop

SHOWN = ("baseline", "ill")
PLACES = {"baseline": (0.62, 0.4), "ill": (0.02, 0.88)}  # of their labels


def draw_equal_accuracy(found: Evidence, profile: str, loop: Loop, span: float = 6) -> Figure:
    """MobileNet on CIFAR-10: accuracy against size down to `span` points below the best, without and with the loss.

    The dashed line has the accuracy of ILL's 8-bit file; rings have each curve's smallest file that reaches it, of any
    loop, a mean over runs.
    """
    figure, ax = plt.subplots(figsize=(style.WIDTH, 2.8))
    table = evidence.curve_results(evidence.same_seeds(evidence.trained_with(found.first_runs(), (0, 1))), loop)
    if table.empty or not len(found.points("ill")):
        style.say_not_run(ax, profile, FIRST[1], FIRST[0], [0, 1])
        return figure
    best = table.groupby(["curve", "bits"])["accuracy"].mean().max()
    plots.trade_off(ax, table[table["curve"].isin(SHOWN)], floor=best - span)
    ax.set_ylim(top=best + 0.6)
    level = found.by_seed("ill", "accuracy", loop=loop).mean()
    ax.axhline(level, color=style.INK, linewidth=0.9, linestyle=style.DASHED, zorder=0)
    shares = equal_accuracy(found)
    kilobytes = {curve: found.equally_accurate_bytes(curve, loop=loop).mean() / 1000 for curve in SHOWN}
    for curve, size in kilobytes.items():
        colour = CURVES[curve].colour
        ax.plot(size, level, "o", markersize=9, markerfacecolor="none", markeredgecolor=style.INK, zorder=3)
        words = f"{CURVES[curve].title}: {shares[curve].mean:.2f} of the\nbaseline's 8-bit file"
        ax.annotate(
            words, (size, level), PLACES[curve], textcoords="axes fraction", color=colour, va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "shrinkB": 5},
        )  # fmt: skip
    rows = {"curve": list(kilobytes), "smallest file (kB)": list(kilobytes.values())}
    keep_table(ax, pd.DataFrame(rows | {"top-1 accuracy (%)": np.full(len(kilobytes), level)}))
    return figure
