"""One function a figure; one visual language for all of them.

Colours are Okabe and Ito's, which colour-blind readers tell apart; every curve has a marker of its own too.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from ilwp import networks
from ilwp.experiments.evidence import CURVE_TITLES, Runs, missing_commands, select
from ilwp.paper.hypothesis import Sources
from ilwp.paper.laplace import LaplaceFit
from ilwp.training import datasets

COLOURS = {"baseline": "#4d4d4d", "fss": "#e69f00", "lss": "#56b4e9", "ill": "#d55e00", "tied": "#009e73"}
MARKERS = {"baseline": "s", "fss": "^", "lss": "v", "ill": "o", "tied": "D"}
INK = "#222222"
SHARE = ScalarMappable(Normalize(0, 100), sns.light_palette("#005f96", as_cmap=True))
WIDTH = 7.2  # inches, the book's text width at 100 dots an inch


def use_style() -> None:
    """Set the look of all figures, and how notebooks show them."""
    sns.set_theme(style="ticks", context="notebook", rc={
        "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": "#e4e4e4",
        "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.labelsize": 10,
        "xtick.labelsize": 9, "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "figure.dpi": 100, "legend.frameon": False, "figure.constrained_layout.use": True,
        "lines.linewidth": 1.8, "lines.markersize": 5.5,
    })  # fmt: skip
    from ilwp.figures.output import show_figures_so  # IPython is there in notebooks only

    show_figures_so()


def network_panels(
    runs: Runs, profile: str, wanted: Sequence[float], draw: Callable[[Axes, Runs], None], height: float = 2.7
) -> tuple[Figure, np.ndarray]:
    """Figs. 2, 3, 5, 6: `draw` fills a panel a network (row) and data set (column) from its runs with lambda `wanted`.

    A panel that lacks all of its runs says which commands would make them.
    """
    columns = ("cifar10", "cifar100")
    shape = (len(networks.TITLES), len(columns))
    figure, axes = plt.subplots(*shape, figsize=(WIDTH, height * shape[0]), squeeze=False)
    figure.set_layout_engine("constrained", h_pad=0.12)
    for (network, dataset), ax in zip(itertools.product(networks.TITLES, columns), axes.flat, strict=True):
        ax.set_title(f"{networks.TITLES[network]}, {datasets.TITLES[dataset]}")
        found = {p: r for v in wanted for p, r in select(runs, dataset=dataset, network=network, inter_layer=v).items()}
        if found:
            draw(ax, found)
        else:
            no_runs(ax, missing_commands(profile, dataset, network, wanted))
    return figure, axes


def no_runs(ax: Axes, commands: str) -> None:
    """Say in an empty panel which runs would fill it."""
    ax.grid(visible=False)
    ax.set(xticks=[], yticks=[])
    for spine in ax.spines.values():
        spine.set(visible=True, color="#bbbbbb", linestyle=(0, (4, 4)))
    grey: dict[str, Any] = {"transform": ax.transAxes, "ha": "center", "color": "#5f5f5f"}
    ax.text(0.5, 0.75, "not run yet", weight="bold", **grey)
    ax.text(0.5, 0.66, commands, va="top", fontsize=7, family="monospace", **grey)


def share_heatmap(ax: Axes, share: np.ndarray) -> None:
    """Figs. 2 and 3: share (N, N) of layer y's best predictions that lie in layer x, in percent."""
    n = len(share)
    later = np.triu(np.ones((n, n), bool))[1:, :-1]
    sns.heatmap(
        100 * share[1:, :-1], mask=later, norm=SHARE.norm, cmap=SHARE.cmap,
        cbar=False, square=True, xticklabels=range(1, n), yticklabels=range(2, n + 1),
        linewidths=0.4, linecolor="white", ax=ax,
    )  # fmt: skip
    ax.collections[0].set_edgecolor(np.where(later.ravel(), "none", "white").tolist())
    ax.grid(visible=False)
    step = 2 if n < 16 else 4
    for axis in (ax.xaxis, ax.yaxis):
        for i, label in enumerate(axis.get_ticklabels()):
            label.set(visible=i % step == 0, rotation=0, fontsize=8)
        axis.set_tick_params(length=0)
    ax.set(xlabel="source layer", ylabel="target layer")


def share_colour_bar(figure: Figure, axes: np.ndarray) -> None:
    """One scale for all heatmaps, under them."""
    figure.colorbar(SHARE, ax=axes, location="bottom", shrink=0.5, aspect=30, label="best predictions (%)")


def lifts(ax: Axes, sources: Mapping[str, Sources], null: Sequence[float]) -> None:
    """How much more often than by chance the previous layer is best; 1 is chance.

    Bars are 95 % bootstrap intervals of `sources`; the grey band holds 95 % of `null`, lifts of shuffled kernels.
    """
    ax.axvspan(*np.quantile(null, [0.025, 0.975]), color="#bbbbbb", alpha=0.6, linewidth=0,
               label="95 % of shuffled kernels' lifts")  # fmt: skip
    ax.axvline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    for y, found in enumerate(sources.values()):
        ax.plot(found.lift_interval(), [y, y], color="#0072b2", linewidth=3, solid_capstyle="round",
                label="95 % interval")  # fmt: skip
        ax.plot(found.lift, y, "o", color="#0072b2", markersize=8, label="lift")
        ax.annotate(f"{found.lift:.2f}", (found.lift, y), (0, 7), textcoords="offset points", ha="center", fontsize=9,
                    path_effects=[withStroke(linewidth=3, foreground="#ffffff")])  # fmt: skip
    ax.set(yticks=range(len(sources)), yticklabels=list(sources), xlabel="lift of the previous layer (1 = chance)")
    ax.set(ylim=(len(sources) - 0.5, -0.7), xlim=(0, None))
    ax.grid(visible=False, axis="y")


def sizes(ax: Axes, table: pd.DataFrame, bits: int | None = None) -> None:
    """Fig. 5: kilobytes of the depthwise kernels' file against bits a level; `bits` is marked."""
    if bits is not None:
        ax.axvspan(bits - 0.3, bits + 0.3, color="#f0e442", alpha=0.35, linewidth=0)
    for curve, rows in _by_curve(table):
        group = rows.groupby("bits")["total_bytes"]
        _line(ax, curve, group.mean().index.to_numpy(), group.mean() / 1000, yerr=group.std() / 1000)
    ax.set(xlabel="bits a level", ylabel="file (kB)", ylim=(0, None))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def trade_off(ax: Axes, table: pd.DataFrame, floor: float | None = None) -> None:
    """Fig. 6: top-1 accuracy against kilobytes, one point a bit width; accuracies below `floor` are left out."""
    for curve, rows in _by_curve(table):
        mean = rows.groupby("bits")[["total_bytes", "accuracy"]].mean()
        spread = rows.groupby("bits")["accuracy"].std()
        _line(ax, curve, mean["total_bytes"] / 1000, mean["accuracy"], yerr=spread)
    ax.set(xlabel="file (kB)", ylabel="top-1 accuracy (%)", xlim=(0, None))
    if floor is not None:
        ax.set_ylim(bottom=floor)


def distortion(ax: Axes, table: pd.DataFrame) -> None:
    """Bits a weight against the signal-to-noise ratio, one point a bit width; comparable across methods."""
    for curve, rows in _by_curve(table):
        ax.plot(
            rows["snr_db"],
            rows["bits_a_weight"],
            color=COLOURS[curve],
            marker=MARKERS[curve],
            label=CURVE_TITLES[curve],
        )
    ax.set(xlabel="signal-to-noise ratio of the kernels (dB)", ylabel="bits a weight", ylim=(0, None))


def lambda_sweep(axes: Sequence[Axes], table: pd.DataFrame, shown_bits: Sequence[int]) -> None:
    """Fig. 4: size and accuracy against lambda; 0 and infinity have places of their own on the axis."""
    values = sorted(table["inter_layer"].unique())
    labels = ["∞" if np.isinf(v) else f"{v:g}" for v in values]
    shades = sns.color_palette("flare", len(shown_bits))
    for bits, colour in zip(shown_bits, shades, strict=True):
        group = table[table["bits"] == bits].groupby("inter_layer")
        for ax, column, unit in zip(axes, ("total_bytes", "accuracy"), (1000, 1), strict=True):
            mean, spread = group[column].mean() / unit, group[column].std() / unit
            ax.errorbar(range(len(values)), mean.reindex(values), spread.reindex(values), color=colour, marker="o",
                        capsize=2, label=f"{bits} bits")  # fmt: skip
    if "float_accuracy" in table:
        mean = table.groupby("inter_layer")["float_accuracy"].mean().reindex(values)
        axes[1].plot(range(len(values)), mean, color=INK, linestyle=(0, (4, 3)), label="32 bits")
    for ax, label in zip(axes, ("file (kB)", "top-1 accuracy (%)"), strict=True):
        ax.set(xticks=range(len(values)), xticklabels=labels, xlabel="λ", ylabel=label)
    axes[0].set_ylim(bottom=0)


def residual_histogram(ax: Axes, values: np.ndarray, fit: LaplaceFit, colour: str, reach: float) -> None:
    """Fig. 7: density of values between -reach and reach with the fitted Laplace density."""
    bins = int(np.clip(6 * reach / fit.scale, 120, 1200)) if fit.scale else 120  # a third of b wide, or finer
    edges = np.linspace(-reach, reach, bins + 1)
    counts, _ = np.histogram(values, edges)
    ax.stairs(counts / values.size / np.diff(edges), edges, fill=True, color=colour, alpha=0.45)
    x = np.linspace(-reach, reach, 801)
    ax.plot(x, fit.density(x), color=INK, linewidth=1.3, label="Laplace fit")
    ax.set(xlabel="value", ylabel="density", xlim=(-reach, reach))
    note = f"b = {fit.scale:.4f}\n{fit.nats:.2f} nats\n= {fit.bits:.2f} bits".replace("-", "\N{MINUS SIGN}")
    ax.text(0.99, 0.97, note, transform=ax.transAxes, ha="right", va="top", fontsize=8.5)


def legend(figure: Figure, axes: np.ndarray) -> None:
    """One legend under all panels, from those that have curves."""
    found = {label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    if found:
        figure.legend(
            found.values(), found.keys(), loc="outside lower center", ncols=len(found) if len(found) < 6 else 3
        )


def _by_curve(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(curve, table[table["curve"] == curve]) for curve in CURVE_TITLES if (table["curve"] == curve).any()]


def _line(ax: Axes, curve: str, x: pd.Series, y: pd.Series, yerr: pd.Series) -> None:
    ax.errorbar(x, y, yerr, color=COLOURS[curve], marker=MARKERS[curve], capsize=2, label=CURVE_TITLES[curve])
