"""The hypothesis on networks that people use: lifts, pairs of layers, and what a layer's lift goes with.

data/benchmarks/wild.json -> sequences, layers -> figures, a table, the numbers that prose quotes

A sequence is a network's kernels of one size in network order, "as is" as the files have them.
"""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ilwp.figures import plots
from ilwp.figures.plots import COLOURS, INK

RESAMPLES = 2000
AS_IS, UNIT = COLOURS["fss"], "#0072b2"
# what is special about a layer or the one before it -> colour, marker
KINDS = {
    "neither makes the image smaller": (UNIT, "o"),
    "this layer does": (COLOURS["ill"], "v"),
    "the one before does": (COLOURS["fss"], "^"),
}
PLAIN = next(iter(KINDS))


def sequences(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a sequence: first the public ones, then this book's own on CIFAR-10."""
    found = _titled(rows, "network")
    return found[found["public"] | (found["task"] == "CIFAR-10")].reset_index(drop=True)


def layers(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a layer from each sequence's third on, with its `kind`, one of KINDS."""
    found = _titled(rows, "layer")
    strided, before = found["strided"].astype(bool), ~found["same_stage"].astype(bool)
    return found.assign(kind=np.select([strided, before], list(KINDS)[1:], PLAIN))


def stages(rows: pd.DataFrame) -> pd.DataFrame:
    """A row a stage, the three or more layers between two that make the image smaller."""
    return _titled(rows, "stage")


def _titled(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Rows of a kind with the `title` of their sequence, and whether the network is `public`."""
    found = rows[rows["row"] == kind].copy()
    found["public"] = found["epochs"].isna()  # of public networks nobody says how many
    own = found["network"] + ", " + found["task"].str.replace("CIFAR-10$", "", regex=True)
    own = own.str.removesuffix(", ") + ", width " + found["width_factor"].map("{:g}".format)
    found["title"] = np.where(found["public"], found["network"] + ", " + found["size"], own)
    return found.reset_index(drop=True)


def lifts(found: pd.DataFrame) -> Figure:
    """A line a sequence: the lift as is and at unit length, with its interval and what shuffled kernels give."""
    figure, ax = plt.subplots(figsize=(plots.WIDTH, 6.2))
    ax.hlines(found.index, found["unit_null_low"], found["unit_null_high"], color="#bbbbbb", linewidth=7,
              label="shuffled kernels, at unit length")  # fmt: skip
    ax.axvline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    _dots(ax, found, "lift", AS_IS, "s", "as is")
    _dots(ax, found, "unit_lift", UNIT, "o", "at unit length")
    _name(ax, found)
    ax.set(xlabel="lift (1 = chance)", xlim=(0, None))
    plots.legend(figure, np.array([ax]))
    return figure


def pairs(found: pd.DataFrame) -> Figure:
    """Eq. 1 pair by pair, a line a sequence: a random kernel of each layer, and the nearest of each."""
    figure, axes = plt.subplots(1, 2, figsize=(plots.WIDTH, 6.2), sharey=True)
    for ax, reading, title in zip(axes, ("random", "nearest"), ("A random kernel", "The nearest kernel"), strict=True):
        ax.axvline(0.5, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        _dots(ax, found, reading, AS_IS, "s", "as is")
        _dots(ax, found, f"unit_{reading}", UNIT, "o", "at unit length")
        ax.plot(found[f"unit_{reading}_null"], found.index, "|", color=INK, markersize=9, markeredgewidth=1.5,
                label="shuffled kernels, at unit length")  # fmt: skip
        _name(ax, found)
        ax.set(title=title, xlabel="nearer in the previous layer", xlim=(0.2, 1))
    plots.legend(figure, axes)
    return figure


def by_depth(found: pd.DataFrame, titles: Sequence[str]) -> Figure:
    """A panel a sequence: the lift at unit length, layer by layer, marked by what is special about a layer."""
    columns = 3
    shape = (-(-len(titles) // columns), columns)
    figure, axes = plt.subplots(*shape, figsize=(plots.WIDTH, 2.3 * shape[0] + 0.4), sharey=True, squeeze=False)
    for ax, title in zip(axes.flat, titles, strict=True):
        mine = found[found["title"] == title]
        ax.axhline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        ax.plot(mine["layer"], mine["unit_lift"], color="#bbbbbb", linewidth=1, zorder=1)
        for kind, (colour, marker) in KINDS.items():
            these = mine[mine["kind"] == kind]
            below, above = these["unit_lift"] - these["unit_lift_low"], these["unit_lift_high"] - these["unit_lift"]
            ax.errorbar(these["layer"], these["unit_lift"], (below, above), color=colour, marker=marker,
                        linestyle="none", elinewidth=1.2, label=kind)  # fmt: skip
        ax.set(title=title, xlabel="layer")
        ax.title.set_size(10)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    for ax in axes[:, 0]:
        ax.set_ylabel("lift")
    axes[0, 0].set_ylim(bottom=0)
    plots.legend(figure, axes)
    return figure


def within_stages(found: pd.DataFrame) -> Figure:
    """A line a sequence, a dot a stage: the lift at unit length among the layers of a stage alone."""
    titles = list(dict.fromkeys(found["title"]))
    y = found["title"].map(titles.index)
    figure, ax = plt.subplots(figsize=(plots.WIDTH, 0.21 * len(titles) + 1.1))
    ax.axvline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    error = (found["unit_lift"] - found["unit_lift_low"], found["unit_lift_high"] - found["unit_lift"])
    clear = found["unit_lift_low"] > found["unit_null_high"].clip(lower=1)
    for chosen, face, label in ((clear, UNIT, "above chance and shuffled kernels"), (~clear, "#ffffff", "not clearly")):
        ax.errorbar(found["unit_lift"][chosen], y[chosen], xerr=[e[chosen] for e in error], fmt="o", color=UNIT,
                    markerfacecolor=face, linewidth=1.2, label=label)  # fmt: skip
    public = found.loc[found["public"], "title"].nunique()
    ax.axhline(public - 0.5, color=INK, linewidth=0.8)
    ax.set(yticks=range(len(titles)), yticklabels=titles, ylim=(len(titles) - 0.4, -0.6), xlim=(0, 3))
    ax.set_xlabel("lift (1 = chance)")
    ax.tick_params(axis="y", labelsize=8, length=0)
    ax.grid(visible=False, axis="y")
    plots.legend(figure, np.array([ax]))
    return figure


def predictors(found: pd.DataFrame) -> pd.DataFrame:
    """Mean lift at unit length of groups of layers, with 95 % bootstrap intervals over sequences.

    Each sequence counts once. All groups but those of stride are of layers where nothing makes the image smaller.
    """
    plain = found["kind"] == PLAIN
    same, half = found["width"] == found["previous_width"], found["layer"] > _half(found)
    groups = {f"stride: {kind}": found["kind"] == kind for kind in KINDS}
    groups |= {"as wide as the one before": plain & same, "of another width": plain & ~same}
    groups |= {"in the first half": plain & ~half, "in the second half": plain & half}
    groups |= {"up to 256 kernels": plain & (found["width"] <= 256), "more kernels": plain & (found["width"] > 256)}
    rows = [(name, int(chosen.sum()), *_mean(found[chosen])) for name, chosen in groups.items()]
    return pd.DataFrame(rows, columns=["layers that are", "count", "lift", "low", "high"])


def sources(rows: pd.DataFrame) -> pd.DataFrame:
    """What was measured of which public package."""
    found = _titled(rows, "network")
    columns = {"title": "sequence", "task": "task", "layers": "layers", "kernels": "kernels", "source": "package"}
    return found.loc[found["public"], list(columns)].rename(columns=columns).astype({"layers": int, "kernels": int})


def quoted(found: pd.DataFrame, each: pd.DataFrame, staged: pd.DataFrame) -> dict[str, float]:
    """The numbers that prose quotes, of `sequences`, `layers` and `stages`."""
    public, own = found[found["public"]], found[~found["public"]]
    above = public["unit_lift_low"] > public["unit_null_high"].clip(lower=1)
    below = public["unit_lift_high"] < public["unit_null_low"].clip(upper=1)
    in_public = each[each["public"]]
    numbers = {
        "networks": public["network"].nunique(), "sequences": len(public), "above": above.sum(), "below": below.sum(),
        "neither": (~above & ~below).sum(), "layers": len(in_public), "dead": public["dead"].sum(),
    }  # fmt: skip
    columns = ("lift", "unit_lift", "random", "unit_random")
    for name, frame, wanted in (
        ("public", public, columns),
        ("own", own, columns),
        ("layer", in_public, ("unit_lift",)),
    ):
        for column in wanted:
            values = frame[column]
            numbers |= {f"{name}_{column}_{of}": value for of, value in (
                ("least", values.min()), ("median", values.median()), ("most", values.max()))}  # fmt: skip
    for name in ("MobileNetV1", "MobileNetV2"):
        row = public[public["network"] == name].iloc[0]
        numbers |= {f"{name}_{key}": row[key] for key in ("lift", "unit_lift", "unit_lift_low", "unit_lift_high")}
        numbers |= {f"{name}_{key}": row[key] for key in ("unit_null_low", "unit_null_high")}
        mine = in_public.loc[in_public["network"] == name, "unit_lift"]
        numbers |= {f"{name}_layer_least": mine.min(), f"{name}_layer_most": mine.max()}
    for name, is_public in (("", True), ("own_", False)):
        mine, stage = each[each["public"] == is_public], staged[staged["public"] == is_public]
        for short, kind in zip(("plain", "strided", "after"), KINDS, strict=True):
            numbers |= _named(f"{name}{short}", _mean(mine[mine["kind"] == kind]))
        numbers |= _named(f"{name}stage", _mean(stage))
        akin = mine[mine["strided"].astype(bool) & mine["unit_akin_lift"].notna()]
        numbers |= _named(f"{name}akin", _mean(akin, "unit_akin_lift"))
        clear = stage["unit_lift_low"] > stage["unit_null_high"].clip(lower=1)
        worse = stage["unit_lift_high"] < stage["unit_null_low"].clip(upper=1)
        numbers |= {f"{name}stages": len(stage), f"{name}stages_above": clear.sum()}
        numbers[f"{name}stages_below"] = worse.sum()
    for family in ("Mobile", "Shuffle"):
        numbers |= _named(f"own_{family}", _mean(stage[stage["network"].str.startswith(family)]))
    return {name: float(value) for name, value in numbers.items()}


def _named(name: str, values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), values, strict=True))


def _half(found: pd.DataFrame) -> pd.Series:
    return found.groupby("title")["layer"].transform("max") / 2


def _mean(found: pd.DataFrame, column: str = "unit_lift") -> tuple[float, float, float]:
    """The mean lift over the means of sequences, and its interval: sequences are drawn anew."""
    means = found.groupby("title")[column].mean().to_numpy()
    drawn = means[np.random.default_rng(0).integers(0, len(means), (RESAMPLES, len(means)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(means.mean()), float(low), float(high)


def _dots(ax: Axes, found: pd.DataFrame, column: str, colour: str, marker: str, label: str) -> None:
    ax.hlines(found.index, found[f"{column}_low"], found[f"{column}_high"], color=colour, linewidth=1.8)
    ax.plot(found[column], found.index, marker, color=colour, label=label)


def _name(ax: Axes, found: pd.DataFrame) -> None:
    """Names of sequences down the side, this book's own under a line."""
    ax.axhline(found["public"].sum() - 0.5, color=INK, linewidth=0.8)
    ax.set(yticks=found.index, yticklabels=found["title"], ylim=(len(found) - 0.4, -0.6))
    ax.tick_params(axis="y", labelsize=8, length=0)
    ax.grid(visible=False, axis="y")
