"""Figures of the codec beside its peers, in the look of `style`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from ilwp.experiments.curves import CURVES
from ilwp.figures.benchmark_names import OURS, PEER, TAUGHT
from ilwp.figures.output import keep_table
from ilwp.figures.style import BLUE, DASHED, INK, name_rows


@dataclass(frozen=True)
class Line:
    """How a codec's points are drawn; hollow markers stand for what was not fine-tuned, or not shown images."""

    title: str
    colour: str
    marker: str
    style: str = "-"
    filled: bool = True


def _of_curve(name: str, title: str = "") -> Line:
    curve = CURVES[name]
    return Line(title or curve.title, curve.colour, curve.marker)


_ALIGNED, _A_SET, _NNCODEC = (
    Line("aligned", "#cc79a7", "P"), Line("set", BLUE, "*"), Line(PEER, CURVES["tied"].colour, "X", "--"),
)  # fmt: skip
# in each table of benchmarks: a codec's name -> its line
CODECS = {  # the beginning of its name
    "ilwp baseline": _of_curve("baseline", "no prediction"),
    "ilwp ill": _of_curve("ill"),
    "ilwp aligned": _ALIGNED,
    "ilwp multiset": _A_SET,
    PEER: _NNCODEC,
    "general": Line("zstd, lzma, brotli", CURVES["fss"].colour, "^", ":"),
}
WHOLE = {
    TAUGHT: replace(_A_SET, title="ours, with images"),
    OURS: Line("ours", CURVES["lss"].colour, "o"),
    PEER: _NNCODEC,
}
ROUNDINGS = {  # of dense weights; the number is what a bit may cost, in squared steps
    "nearest": Line("nearest", BLUE, "o"),
    "trellis, 0": Line("trellis", "#e69f00", "v", "--"),
    "trellis, 0.1": Line("trellis, a bit may cost 0.1", "#d55e00", "s", "--"),
    "trellis, 0.3": Line("trellis, a bit may cost 0.3", "#882255", "D", "--"),
}
ALL_METHODS = {
    "ILWP baseline": _of_curve("baseline"),
    "ILWP fss": _of_curve("fss"),
    "ILWP lss": _of_curve("lss"),
    "ILWP ill": _of_curve("ill"),
    "aligned": _ALIGNED,
    "ILWP aligned": _ALIGNED,
    "multiset": Line("set", BLUE, "o", filled=False),
    OURS: Line("set", BLUE, "o", filled=False),
    TAUGHT: replace(_A_SET, title="set, with images"),
    PEER: _NNCODEC,
    "linear + Huffman": Line("linear + Huffman", "#8c8c8c", "d", ":"),
    "weight fixing": Line("weight fixing, not fine-tuned", "#882255", "D", ":", filled=False),
    "weight fixing, fine-tuned": Line("weight fixing, fine-tuned", "#882255", "D"),
    "additive": Line("additive, not fine-tuned", "#332288", "p", ":", filled=False),
    "additive, own codebooks": Line("additive, own codebooks", "#332288", "p", ":", filled=False),
    "additive, fine-tuned": Line("additive, fine-tuned", "#332288", "p"),
}
# what the page on codebooks draws of each scope; its table has all of them
DRAWN = {
    "kernels": ("ILWP baseline", "ILWP ill", "aligned", "multiset", "weight fixing", "additive, own codebooks"),
    "whole": (
        OURS, TAUGHT, PEER, "linear + Huffman", "weight fixing", "weight fixing, fine-tuned",
        "additive, own codebooks", "additive, fine-tuned",
    ),
}  # fmt: skip
FINE_TUNED = ("weight fixing", "additive")  # one name with and without: the marker is filled or hollow
GENERAL = ("zstd", "lzma", "brotli")
SNR, SHARE, FILE, ACCURACY = "signal-to-noise ratio (dB)", "share of NNCodec's bits", "file (kB)", "top-1 accuracy (%)"


def rates_of_codecs(ax: Axes, kernels: pd.DataFrame) -> None:
    """Bits over NNCodec's at the same SNR, of one network; of a peer's several ways the best at each setting.

    Where NNCodec has no files of as high or as low an SNR nothing is drawn.
    """
    parts = []
    peer = lower_envelope(kernels[kernels["codec"].str.startswith(PEER)])
    for name, line in CODECS.items():
        chosen = kernels["codec"].isin(GENERAL) if name == "general" else kernels["codec"].str.startswith(name)
        parts.append(lower_envelope(kernels[chosen]).assign(codec=line.title))
    points = pd.concat(parts).rename(columns={"snr_db": SNR})
    points[SHARE] = points["bits_a_weight"] / np.interp(
        points[SNR], peer["snr_db"], peer["bits_a_weight"], left=np.nan, right=np.nan
    )
    points = points[["codec", SNR, SHARE]].dropna()
    draw_lines(ax, points, {line.title: line for line in CODECS.values()}, "codec", SNR, SHARE)
    ax.set(xlim=(9, 36), ylim=(0, 1.3))


def lower_envelope(points: pd.DataFrame) -> pd.DataFrame:
    """The points that no other beats in both rate and distortion, by SNR."""
    ordered = points.sort_values(["snr_db", "bits_a_weight"], ascending=[False, True])
    return ordered[ordered["bits_a_weight"] <= ordered["bits_a_weight"].cummin()].iloc[::-1]


def ingredients(ax: Axes, ablation: pd.DataFrame) -> None:
    """A bar per ingredient, the first on top."""
    names = ablation["ingredient"].str.replace("cosine transform, ", "+ ").str.replace("prediction from beside", "ILL")
    table = pd.DataFrame({"ingredient": names, FILE: ablation["bytes"] / 1000})
    best = table[FILE].min()
    places = range(len(table))
    ax.barh(places, table[FILE], color=[BLUE if size == best else "#b8c4ce" for size in table[FILE]])
    for y, size in zip(places, table[FILE], strict=True):
        ax.annotate(f"{size:.1f}", (size, y), (3, 0), textcoords="offset points", va="center")
    name_rows(ax, table["ingredient"].tolist())
    ax.set(xlabel=FILE, xlim=(0, 1.2 * table[FILE].max()))
    keep_table(ax, table)


def whole_networks(ax: Axes, networks: pd.DataFrame, below: float = 4) -> None:
    """Accuracy against kilobytes of one network, down to `below` points under the network before compression."""
    trained = _trained_line(ax, networks, "codec")
    _accuracies(ax, networks, WHOLE, "codec")
    ax.set(xlim=(0, None), ylim=(trained - below, trained + 0.6))


def roundings(ax: Axes, networks: pd.DataFrame, below: float = 4) -> None:
    """The same for ways to round dense weights, down to `below` points under the best."""
    _accuracies(ax, networks, ROUNDINGS, "rounding")
    ax.set_ylim(networks["accuracy"].max() - below, networks["accuracy"].max() + 0.6)


def all_methods(ax: Axes, points: pd.DataFrame, scope: str, below: float) -> None:
    """Accuracy against kilobytes of one network in one scope, down to `below` points under the network as trained."""
    points = points[points["scope"] == scope]
    trained = _trained_line(ax, points, "method")
    lines = {name: ALL_METHODS[name] for name in DRAWN[scope]}
    for family in FINE_TUNED:
        lines |= {name: replace(line, title=family) for name, line in lines.items() if name.startswith(family)}
    _accuracies(ax, points[points["accuracy"] > trained - below], lines, "method")
    ax.set(xscale="log", ylim=(trained - below, trained + 0.8))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    named = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(named.values(), named.keys(), loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=2)


def _trained_line(ax: Axes, points: pd.DataFrame, column: str) -> float:
    trained = float(points[points[column] == "float32"]["accuracy"].iloc[0])
    ax.axhline(trained, color=INK, linewidth=0.8, linestyle=DASHED)
    return trained


def _accuracies(ax: Axes, points: pd.DataFrame, lines: Mapping[str, Line], column: str) -> None:
    """Lines through the files of each kind that no smaller one of their kind beats."""
    known = points[points[column].isin(lines)].sort_values("bytes")
    known = known[known["accuracy"] >= known.groupby(column)["accuracy"].cummax()]
    table = pd.DataFrame({column: known[column], FILE: known["bytes"] / 1000, ACCURACY: known["accuracy"]})
    draw_lines(ax, table, lines, column, FILE, ACCURACY)


def draw_lines(ax: Axes, table: pd.DataFrame, lines: Mapping[str, Line], column: str, x: str, y: str) -> None:
    """A line per value of `column` that `lines` knows, `y` against `x`."""
    for name, line in lines.items():
        rows = table[table[column] == name]
        if rows.empty:
            continue
        (drawn,) = ax.plot(rows[x], rows[y], line.style, color=line.colour, marker=line.marker, label=line.title)
        drawn.set_markerfacecolor(line.colour if line.filled else "white")
    ax.set(xlabel=x, ylabel=y)
    keep_table(ax, table)
