"""One function per figure of the paper: each draws a table into a panel and keeps it for the figure's CSV."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from ilwp.experiments.chance import lift_interval
from ilwp.experiments.curves import CURVES
from ilwp.figures.output import keep_table
from ilwp.figures.style import BLUE, DASHED, GREY, INK, name_rows
from ilwp.paper.hypothesis import Sources
from ilwp.paper.laplace import LaplaceFit
from ilwp.training.recipe import Epoch

PERCENT = Normalize(0, 100)
# from the page's own colour, light or dark, to blue; never quite opaque, so that all of it is lightened on a dark page,
# and in few steps, since Matplotlib makes a bitmap of a scale of 50
SHADES = LinearSegmentedColormap.from_list("shades", [to_rgba(BLUE, 0.07), to_rgba(BLUE, 0.99)], N=40)


def share_heatmap(ax: Axes, share: np.ndarray) -> None:
    """Figs. 2 and 3: share (N, N) of layer y's best predictions that lie in layer x, in percent."""
    n = len(share)
    cells = 100 * share[1:, :-1]
    later = np.triu(np.ones_like(cells, bool), 1)
    targets, sources = np.nonzero(~later)
    square = np.array([[0.03, 0.03], [0.97, 0.03], [0.97, 0.97], [0.03, 0.97]])  # the page shows between cells
    corners = np.stack([sources, targets], axis=1)[:, None] + square
    ax.add_collection(PolyCollection(corners.tolist(), array=cells[~later], norm=PERCENT, cmap=SHADES, linewidth=0))
    step = 2 if n < 16 else 4
    ax.set(xlabel="source layer", ylabel="target layer", aspect="equal", xlim=(0, n - 1), ylim=(n - 1, 0))
    ax.set_xticks(np.arange(0, n - 1, step) + 0.5, np.arange(1, n, step))
    ax.set_yticks(np.arange(0, n - 1, step) + 0.5, np.arange(2, n + 1, step))
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    columns = {"target layer": targets + 2, "source layer": sources + 1, "best predictions (%)": cells[~later]}
    keep_table(ax, pd.DataFrame(columns))


def share_colour_bar(figure: Figure, axes: np.ndarray, label: str = "best predictions (%)") -> None:
    """One scale for all heatmaps, under them."""
    figure.colorbar(ScalarMappable(PERCENT, SHADES), ax=axes, location="bottom", shrink=0.7, aspect=30, label=label)


def lift_intervals(ax: Axes, sources: Mapping[str, Sources], null: Sequence[float]) -> None:
    """How much more often than by chance the previous layer is best; 1 is chance.

    Bars are 95 % bootstrap intervals of `sources`; the grey band holds 95 % of `null`, lifts of shuffled kernels. The
    dotted line is the lift if the previous layer were always best.
    """
    rows = [(name, found.lift, *lift_interval(found)) for name, found in sources.items()]
    greatest = 1 / next(iter(sources.values())).chance_share
    ax.axvline(greatest, color=INK, linewidth=1, linestyle=":")
    band = np.quantile(null, [0.025, 0.975])
    ax.axvspan(*band, color=GREY, alpha=0.6, linewidth=0)
    ax.axvline(1, color=INK, linewidth=0.8, linestyle=DASHED)
    for y, (_, lift, low, high) in enumerate(rows):
        ax.plot([low, high], [y, y], color=BLUE, linewidth=2.2, solid_capstyle="round")
        ax.plot(lift, y, "o", color=BLUE, markersize=5)
        # on the side that is further from both lines
        end, beside, align = (high, 5, "left") if lift < 0.75 * greatest else (low, -5, "right")
        ax.annotate(f"{lift:.2f}", (end, y), (beside, 0), textcoords="offset points", ha=align, va="center",
                    path_effects=[withStroke(linewidth=2.5, foreground="#ffffff")])  # fmt: skip
    name_rows(ax, list(sources), above=0.8)
    ax.set(xlim=(0, None), xlabel="lift (1 = chance)")
    table = pd.DataFrame([*rows, ("shuffled", np.nan, *band)], columns=["kernels", "lift", "2.5 %", "97.5 %"])
    keep_table(ax, table.assign(kernels=table["kernels"].str.replace("\n", " ")))


def sizes(ax: Axes, results: pd.DataFrame, bits: int | None = None) -> None:
    """Fig. 5: kilobytes of the depthwise kernels' file against bits per level; `bits` is marked."""
    if bits is not None:
        ax.axvspan(bits - 0.3, bits + 0.3, color="#f0e442", alpha=0.35, linewidth=0)
    kilobytes = (results["total_bytes"] / 1000).groupby([results["curve"], results["bits"]])
    table = pd.DataFrame({"file (kB)": kilobytes.mean(), "deviation": kilobytes.std()})
    _draw_curves(ax, table.rename_axis(["curve", "bits per level"]).reset_index(), "bits per level", "file (kB)")
    ax.set_ylim(0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def trade_off(ax: Axes, results: pd.DataFrame, floor: float | None = None) -> None:
    """Fig. 6: top-1 accuracy against kilobytes, one point per bit width; accuracies below `floor` are left out."""
    files = results.groupby(["curve", "bits"])
    table = pd.DataFrame({
        "file (kB)": files["total_bytes"].mean() / 1000,
        "top-1 accuracy (%)": files["accuracy"].mean(),
        "deviation": files["accuracy"].std(),
    })  # fmt: skip
    _draw_curves(ax, table.reset_index(), "file (kB)", "top-1 accuracy (%)")
    ax.set_xlim(0)
    if floor is not None:
        ax.set_ylim(bottom=floor)


def distortion(ax: Axes, points: pd.DataFrame) -> None:
    """Bits per weight against the signal-to-noise ratio, one point per bit width; comparable across methods."""
    means = points.groupby(["curve", "bits"])[["snr_db", "bits_a_weight"]].mean().reset_index()
    means = means.rename(columns={"snr_db": "signal-to-noise ratio (dB)", "bits_a_weight": "bits per weight"})
    _draw_curves(ax, means, "signal-to-noise ratio (dB)", "bits per weight")
    ax.set_ylim(0)


def loss_weights(axes: Sequence[Axes], results: pd.DataFrame, shown_bits: Sequence[int]) -> None:
    """Fig. 4: size and accuracy against lambda; 0 and infinity have places of their own on the axis."""
    values = sorted(results["inter_layer"].unique())
    places = {value: place for place, value in enumerate(values)}
    shades = sns.color_palette("flare", len(shown_bits) + 2)[: len(shown_bits)]  # darker is lost on a dark page
    for ax, column, unit, label in zip(
        axes, ("total_bytes", "accuracy"), (1000, 1), ("file (kB)", "top-1 accuracy (%)"), strict=True
    ):
        group = results[results["bits"].isin(shown_bits)].groupby(["bits", "inter_layer"])[column]
        table = pd.DataFrame({label: group.mean() / unit, "deviation": group.std() / unit}).reset_index()
        for bits, colour in zip(shown_bits, shades, strict=True):
            rows = table[table["bits"] == bits]
            ax.errorbar(rows["inter_layer"].map(places), rows[label], rows["deviation"], color=colour, marker="o",
                        capsize=2, label=f"{bits} bits")  # fmt: skip
        if column == "accuracy":
            trained = results.groupby("inter_layer")["float_accuracy"].mean().rename(label).reset_index()
            ax.plot(trained["inter_layer"].map(places), trained[label], color=INK, linestyle=DASHED, linewidth=0.9,
                    zorder=3, label="32 bits")  # fmt: skip
            table = pd.concat([table, trained.assign(bits=32)], ignore_index=True)
        words = ["∞" if np.isinf(v) else f"{v:g}" for v in values]
        ax.set(xticks=range(len(values)), xticklabels=words, xlabel="λ", ylabel=label)
        keep_table(ax, table.rename(columns={"inter_layer": "λ"}))
    axes[0].set_ylim(bottom=0)


def residual_histogram(ax: Axes, values: np.ndarray, fit: LaplaceFit, colour: str, reach: float) -> None:
    """Fig. 7: density of values between -reach and reach with the fitted Laplace density."""
    bins = int(np.clip(6 * reach / fit.scale, 120, 1200)) if fit.scale else 120  # a third of b wide, or finer
    edges = np.linspace(-reach, reach, bins + 1)
    counts, _ = np.histogram(values, edges)
    density, middles = counts / values.size / np.diff(edges), (edges[:-1] + edges[1:]) / 2
    ax.stairs(density, edges, fill=True, color=colour, alpha=0.45)
    x = np.linspace(-reach, reach, 801)
    ax.plot(x, fit.density(x), color=INK, linewidth=1, label="Laplace fit")
    ax.set(xlabel="value", ylabel="density", xlim=(-reach, reach))
    ax.xaxis.set_major_locator(MaxNLocator(2))
    note = f"b = {fit.scale:.4f}\n{fit.nats:.2f} nats\n{fit.bits:.2f} bits".replace("-", "\N{MINUS SIGN}")
    ax.text(1, 0.97, note, transform=ax.transAxes, ha="right", va="top", fontsize=7)
    keep_table(ax, pd.DataFrame({"value": middles, "density": density, "Laplace fit": fit.density(middles)}))


def training_curves(axes: Sequence[Axes], histories: Mapping[str, Sequence[Epoch]]) -> None:
    """Accuracy and inter-layer loss epoch by epoch; `histories` are named as the curves that they belong to."""
    for ax, column, label in zip(
        axes, ("accuracy", "inter_layer_loss"), ("top-1 accuracy (%)", "inter-layer loss (Eq. 2)"), strict=True
    ):
        rows = [
            (curve, epoch, getattr(e, column)) for curve, h in histories.items() for epoch, e in enumerate(h, start=1)
        ]
        _draw_curves(ax, pd.DataFrame(rows, columns=["curve", "epoch", label]), "epoch", label)
        ax.set_ylim(0)


def _draw_curves(ax: Axes, table: pd.DataFrame, x: str, y: str) -> None:
    """Draw column `y` over `x` for each `curve`, with bars of its `deviation` if there is such a column."""
    for name, curve in CURVES.items():
        rows = table[table["curve"] == name]
        if len(rows):
            ax.errorbar(rows[x], rows[y], rows.get("deviation"), color=curve.colour, marker=curve.marker, capsize=2,
                        label=curve.title)  # fmt: skip
    ax.set(xlabel=x, ylabel=y)
    keep_table(ax, table)
