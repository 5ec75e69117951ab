"""The look of all figures, and grids of panels.

A figure is drawn once, as wide as a phone's text. On a phone its type has at least 9 pixels, and on a desk the page
enlarges the same drawing.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ilwp import networks
from ilwp.experiments.evidence import Runs, select, trained_with
from ilwp.figures.output import use_svg_and_csv
from ilwp.training import datasets

INK, BLUE, GREY = "#222222", "#0072b2", "#bbbbbb"
DASHED = (0, (4, 3))
WIDTH = 3.7  # inches


def use_style() -> None:
    """Set the look of all figures, and how notebooks show them."""
    sns.set_theme(style="ticks", context="paper", rc={
        "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e4e4",
        "axes.titlesize": 8, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 8,
        "xtick.labelsize": 7.5, "ytick.labelsize": 7.5, "legend.fontsize": 7.5, "font.size": 7.5,
        "axes.titlepad": 4, "axes.labelpad": 2, "axes.linewidth": 0.8, "grid.linewidth": 0.6,
        "xtick.major.size": 3, "ytick.major.size": 3, "xtick.major.pad": 2, "ytick.major.pad": 2,
        "legend.frameon": False, "legend.handlelength": 1.6, "legend.columnspacing": 1.2,
        "figure.constrained_layout.use": True, "lines.linewidth": 1.3, "lines.markersize": 4,
    })  # fmt: skip
    use_svg_and_csv()


def network_panels(
    runs: Runs, profile: str, weights: Sequence[float], draw: Callable[[Axes, Runs], None], height: float = 1.5
) -> tuple[Figure, np.ndarray]:
    """Figs. 2, 3, 5, 6: `draw` fills a panel per network (row) and data set (column) from its runs.

    The runs are those with lambda `weights`. A panel that lacks all of its runs says how to make them.
    """
    columns = ("cifar10", "cifar100")
    shape = (len(networks.TITLES), len(columns))
    figure, axes = plt.subplots(*shape, figsize=(WIDTH, height * shape[0]), squeeze=False)
    for (network, dataset), ax in zip(itertools.product(networks.TITLES, columns), axes.flat, strict=True):
        ax.set_title(f"{networks.TITLES[network]}, {datasets.TITLES[dataset]}", fontsize=7.5)
        found = trained_with(select(runs, dataset=dataset, network=network), weights)
        if found:
            draw(ax, found)
        else:
            say_not_run(ax, profile, dataset, network, weights)
    label_outer_panels(axes)
    return figure, axes


def name_rows(ax: Axes, names: Sequence[str], above: float = 0.5, below: float = 0.5) -> None:
    """Give the rows of a panel names, the first on top, with so much room above the first and below the last."""
    ax.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 1 + below, -above))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")


def label_outer_panels(axes: np.ndarray) -> None:
    """Leave the words along the axes to the panels at the left and at the bottom of a grid (rows, columns)."""
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    for ax in axes[:-1].flat:
        ax.set_xlabel("")


def say_not_run(ax: Axes, profile: str, dataset: str, network: str, weights: Sequence[float]) -> None:
    """Say in an empty panel how to make the runs that would fill it."""
    ax.grid(visible=False)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color=GREY, linestyle=(0, (4, 4)))
    grey: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "color": "#5f5f5f"}
    options = [f"--dataset {dataset}", f"--network {network}", f"--lambda {' / '.join(f'{w:g}' for w in weights)}"]
    ax.text(0.5, 0.85, "not run yet", weight="bold", va="top", **grey)
    ax.text(0.5, 0.7, "\n".join([f"ilwp train --profile {profile}", *options]), va="top", fontsize=7, **grey)


def label_lines(ax: Axes) -> None:
    """Name each line at the right instead of in a legend, as high as its last point; names that would touch spread."""
    named = zip(*ax.get_legend_handles_labels(), strict=True)
    lines: list[tuple[Line2D, str]] = [(cast(ErrorbarContainer, bars)[0], label) for bars, label in named]
    low, high = ax.get_ylim()
    apart = (high - low) * mpl.rcParams["legend.fontsize"] * 1.15 / (72 * ax.get_window_extent().height / ax.figure.dpi)
    ends = [(*np.asarray(line.get_data(), float)[:, -1], label) for line, label in lines]
    right = max(x for x, _, _ in ends)
    named_at = sorted((y, label) for _, y, label in ends)
    heights = np.array([y for y, _ in named_at])
    together = np.split(np.arange(len(heights)), np.flatnonzero(np.diff(heights) >= apart) + 1)
    for group in together:
        spread = heights[group].mean() + apart * (np.arange(len(group)) - (len(group) - 1) / 2)
        for y, (_, label) in zip(spread, (named_at[place] for place in group), strict=True):
            ax.annotate(label, (right, y), (6, 0), textcoords="offset points", va="center", annotation_clip=False)


def shared_legend(figure: Figure, axes: np.ndarray, columns: int = 3) -> None:
    """One legend over all panels, from those that have curves."""
    found = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    if found:
        figure.legend(found.values(), found.keys(), loc="outside upper left", ncols=min(columns, len(found)))
