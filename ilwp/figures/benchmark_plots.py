"""Figures of the codec beside its peers, in the look of `plots`."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from ilwp.figures.plots import COLOURS, INK, MARKERS

# beginning of a codec's name in the benchmarks -> title, colour, marker, line
CODECS = {
    "ilwp baseline": ("no prediction", COLOURS["baseline"], MARKERS["baseline"], "-"),
    "ilwp ill": ("collocated", COLOURS["ill"], MARKERS["ill"], "-"),
    "ilwp aligned": ("aligned", "#cc79a7", "P", "-"),
    "ilwp multiset": ("a set", "#0072b2", "*", "-"),
    "NNCodec": ("NNCodec", COLOURS["tied"], "X", "--"),
    "general": ("zstd, lzma, brotli", COLOURS["fss"], "^", ":"),
}
WHOLE = {
    "ilwp, images": ("ours, with images", "#0072b2", "*", "-"),
    "ilwp": ("ours", COLOURS["lss"], "o", "-"),
    "NNCodec": CODECS["NNCodec"],
}
ROUNDINGS = {  # of dense weights; the number is what a bit may cost, in squared steps
    "nearest": ("nearest", "#0072b2", "o", "-"),
    "trellis, 0": ("trellis", "#e69f00", "v", "--"),
    "trellis, 0.1": ("trellis, a bit may cost 0.1", "#d55e00", "s", "--"),
    "trellis, 0.3": ("trellis, a bit may cost 0.3", "#882255", "D", "--"),
}
# method -> the same, and whether its markers are filled
NEIGHBOURS = {
    "ILWP baseline": ("ILWP baseline", COLOURS["baseline"], MARKERS["baseline"], "-", True),
    "ILWP fss": ("ILWP-FSS", COLOURS["fss"], MARKERS["fss"], "-", True),
    "ILWP lss": ("ILWP-LSS", COLOURS["lss"], MARKERS["lss"], "-", True),
    "ILWP ill": ("ILWP-ILL", COLOURS["ill"], MARKERS["ill"], "-", True),
    "aligned": (*CODECS["ilwp aligned"], True),
    "ILWP aligned": (*CODECS["ilwp aligned"], True),
    "multiset": ("a set", "#0072b2", "o", "-", False),
    "ilwp": ("a set", "#0072b2", "o", "-", False),
    "ilwp, images": ("a set, with images", "#0072b2", "*", "-", True),
    "NNCodec": (*CODECS["NNCodec"], True),
    "linear + Huffman": ("linear + Huffman", "#8c8c8c", "d", ":", True),
    "weight fixing": ("weight fixing, not fine-tuned", "#882255", "D", ":", False),
    "weight fixing, fine-tuned": ("weight fixing, fine-tuned", "#882255", "D", "-", True),
    "additive": ("additive, not fine-tuned", "#332288", "p", ":", False),
    "additive, own codebooks": ("additive, own codebooks", "#8878c3", "h", ":", False),
    "additive, fine-tuned": ("additive, fine-tuned", "#332288", "p", "-", True),
}
GENERAL = ("zstd", "lzma", "brotli")


def rates(ax: Axes, kernels: pd.DataFrame) -> None:
    """Bits a weight against SNR of one network; of a peer's several ways the best at each setting."""
    for name, (title, colour, marker, line) in CODECS.items():
        chosen = kernels["codec"].isin(GENERAL) if name == "general" else kernels["codec"].str.startswith(name)
        points = lower_envelope(kernels[chosen])
        ax.plot(points["snr_db"], points["bits_a_weight"], color=colour, marker=marker, linestyle=line, label=title)
    ax.set(xlabel="signal-to-noise ratio (dB)", ylabel="bits a weight", xlim=(9, 36), ylim=(0, 6.5))


def lower_envelope(points: pd.DataFrame) -> pd.DataFrame:
    """The points that no other beats in both rate and distortion, by SNR."""
    ordered = points.sort_values(["snr_db", "bits_a_weight"], ascending=[False, True])
    return ordered[ordered["bits_a_weight"] <= ordered["bits_a_weight"].cummin()].iloc[::-1]


def ingredients(ax: Axes, ablation: pd.DataFrame) -> None:
    """A bar an ingredient, the first on top."""
    names, kilobytes = ablation["ingredient"].str.replace("cosine transform, ", "+ "), ablation["bytes"] / 1000
    best = kilobytes.min()
    colours = ["#0072b2" if size == best else "#b8c4ce" for size in kilobytes]
    places = range(len(names))
    ax.barh(places, kilobytes, color=colours)
    for y, size in zip(places, kilobytes, strict=True):
        ax.annotate(f"{size:.1f}", (size, y), (3, 0), textcoords="offset points", va="center", fontsize=8)
    ax.set(yticks=places, yticklabels=names, xlabel="file (kB)", xlim=(0, 1.15 * kilobytes.max()))
    ax.tick_params(axis="y", labelsize=8, length=0)
    ax.grid(visible=False, axis="y")
    ax.set_ylim(len(names) - 0.5, -0.5)


def whole_networks(ax: Axes, networks: pd.DataFrame, below: float = 4) -> None:
    """Accuracy against kilobytes of one network, down to `below` points under the network before compression."""
    trained = float(networks[networks["codec"] == "float32"]["accuracy"].iloc[0])
    ax.axhline(trained, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    _accuracies(ax, networks, "codec", WHOLE)
    ax.set(xlim=(0, None), ylim=(trained - below, trained + 0.6))


def roundings(ax: Axes, networks: pd.DataFrame, below: float = 4) -> None:
    """The same for ways to round dense weights, down to `below` points under the best."""
    _accuracies(ax, networks, "rounding", ROUNDINGS)
    ax.set_ylim(networks["accuracy"].max() - below, networks["accuracy"].max() + 0.6)


def _accuracies(ax: Axes, networks: pd.DataFrame, column: str, styles: dict[str, tuple[str, str, str, str]]) -> None:
    for name, (title, colour, marker, line) in styles.items():
        points = networks[networks[column] == name].sort_values("bytes")
        ax.plot(points["bytes"] / 1000, points["accuracy"], color=colour, marker=marker, linestyle=line, label=title)
    ax.set(xlabel="file (kB)", ylabel="top-1 accuracy (%)")


def neighbours(ax: Axes, points: pd.DataFrame, below: float) -> None:
    """Accuracy against kilobytes of one network in one scope, down to `below` points under the network as trained."""
    trained = float(points[points["method"] == "float32"]["accuracy"].iloc[0])
    ax.axhline(trained, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    shown = points[points["accuracy"] > trained - below]
    for method, (title, colour, marker, line, filled) in NEIGHBOURS.items():
        found = shown[shown["method"] == method].sort_values("bytes")
        if len(found):
            face = colour if filled else "white"
            kilobytes = found["bytes"] / 1000
            (drawn,) = ax.plot(kilobytes, found["accuracy"], label=title, color=colour, marker=marker, linestyle=line)
            drawn.set(markerfacecolor=face, linewidth=1.3)
    ax.set(xscale="log", xlabel="file (kB)", ylabel="top-1 accuracy (%)", ylim=(trained - below, trained + 0.8))
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_formatter(NullFormatter())
