"""Figures of the hypothesis on networks that people use, from the tables of `wild`."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ilwp.experiments.curves import CURVES
from ilwp.figures.output import keep_table
from ilwp.figures.style import BLUE, DASHED, GREY, INK, WIDTH, label_outer_panels, name_rows, shared_legend
from ilwp.figures.wild import AFTER, PLAIN, STRIDED

AS_IS, UNIT = CURVES["fss"].colour, BLUE
KINDS = {PLAIN: (UNIT, "o"), STRIDED: (CURVES["ill"].colour, "v"), AFTER: (CURVES["fss"].colour, "^")}  # colour, marker


def public_lifts(found: pd.DataFrame) -> Figure:
    """A line per sequence: the lift as is and at unit length, with its interval and what shuffled kernels give."""
    figure, ax = plt.subplots(figsize=(WIDTH, 5.4))
    ax.hlines(found.index, found["unit_null_low"], found["unit_null_high"], color=GREY, linewidth=4,
              label="shuffled kernels, at unit length")  # fmt: skip
    ax.axvline(1, color=INK, linewidth=1, linestyle=DASHED)
    _dots(ax, found, "lift", AS_IS, "s", "as is")
    _dots(ax, found, "unit_lift", UNIT, "o", "at unit length")
    _name(ax, found)
    ax.set(xlabel="lift (1 = chance)", xlim=(0, None))
    keep_table(ax, found[["title", *(column for column in found if "lift" in column or "null" in column)]])
    shared_legend(figure, np.array([ax]), columns=2)
    return figure


def pairs(found: pd.DataFrame) -> Figure:
    """Eq. 1 pair by pair, a line per sequence: a random kernel of each layer, and the nearest of each."""
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 5.4), sharey=True)
    for ax, reading, title in zip(axes, ("random", "nearest"), ("Random kernel", "Nearest kernel"), strict=True):
        ax.axvline(0.5, color=INK, linewidth=1, linestyle=DASHED)
        _dots(ax, found, reading, AS_IS, "s", "as is")
        _dots(ax, found, f"unit_{reading}", UNIT, "o", "at unit length")
        ax.plot(found[f"unit_{reading}_null"], found.index, "|", color=INK, markersize=6, markeredgewidth=1.2,
                label="shuffled kernels, at unit length")  # fmt: skip
        _name(ax, found)
        ax.set(title=title, xlabel="share of pairs", xlim=(0.2, 1), xticks=[0.25, 0.5, 0.75])
        keep_table(ax, found[["title", *(column for column in found if reading in column)]])
    shared_legend(figure, axes, columns=2)
    return figure


def by_depth(found: pd.DataFrame, titles: Sequence[str]) -> Figure:
    """A panel per sequence: the lift at unit length, layer by layer, marked by what is special about a layer."""
    columns = 2
    shape = (-(-len(titles) // columns), columns)
    figure, axes = plt.subplots(*shape, figsize=(WIDTH, 1.4 * shape[0] + 0.4), sharey=True, squeeze=False)
    for ax, title in zip(axes.flat, titles, strict=True):
        mine = found[found["title"] == title]
        ax.axhline(1, color=INK, linewidth=1, linestyle=DASHED)
        ax.plot(mine["layer"], mine["unit_lift"], color=GREY, linewidth=1, zorder=1)
        for kind, (colour, marker) in KINDS.items():
            these = mine[mine["kind"] == kind]
            below, above = these["unit_lift"] - these["unit_lift_low"], these["unit_lift_high"] - these["unit_lift"]
            ax.errorbar(these["layer"], these["unit_lift"], (below, above), color=colour, marker=marker,
                        linestyle="none", elinewidth=0.9, label=kind)  # fmt: skip
        ax.set(title=title, xlabel="layer", ylabel="lift")
        keep_table(ax, mine[["layer", "kind", "unit_lift", "unit_lift_low", "unit_lift_high"]])
        ax.title.set_size(7.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0, 0].set_ylim(bottom=-0.3)  # room for the marks of lifts of 0
    label_outer_panels(axes)
    shared_legend(figure, axes, columns=2)
    return figure


def within_stages(found: pd.DataFrame) -> Figure:
    """A line per sequence, one dot per stage: the lift at unit length among the layers of a stage alone."""
    titles = list(dict.fromkeys(found["title"]))
    y = found["title"].map(titles.index)
    figure, ax = plt.subplots(figsize=(WIDTH, 0.17 * len(titles) + 0.9))
    ax.axvline(1, color=INK, linewidth=1, linestyle=DASHED)
    error = (found["unit_lift"] - found["unit_lift_low"], found["unit_lift_high"] - found["unit_lift"])
    clear = found["unit_lift_low"] > found["unit_null_high"].clip(lower=1)
    for chosen, face, label in ((clear, UNIT, "above chance and shuffled kernels"), (~clear, "#ffffff", "not clearly")):
        ax.errorbar(found["unit_lift"][chosen], y[chosen], xerr=[e[chosen] for e in error], fmt="o", color=UNIT,
                    markerfacecolor=face, linewidth=1.2, label=label)  # fmt: skip
    public = found.loc[found["public"], "title"].nunique()
    ax.axhline(public - 0.5, color=INK, linewidth=0.8)
    name_rows(ax, titles, above=0.6, below=0.6)
    ax.set(xlabel="lift (1 = chance)", xlim=(0, 3))
    keep_table(ax, found[["title", "unit_lift", "unit_lift_low", "unit_lift_high", "unit_null_high"]])
    shared_legend(figure, np.array([ax]), columns=2)
    return figure


def _dots(ax: Axes, found: pd.DataFrame, column: str, colour: str, marker: str, label: str) -> None:
    ax.hlines(found.index, found[f"{column}_low"], found[f"{column}_high"], color=colour, linewidth=1.2)
    ax.plot(found[column], found.index, marker, color=colour, label=label)


def _name(ax: Axes, found: pd.DataFrame) -> None:
    """Names of sequences down the side, this book's own under a line."""
    ax.axhline(found["public"].sum() - 0.5, color=INK, linewidth=0.8)
    name_rows(ax, found["title"].tolist(), above=0.6, below=0.6)
