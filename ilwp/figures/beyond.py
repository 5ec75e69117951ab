"""The tables, figures and numbers of the page on files beyond the paper's, from the benchmarks' rows.

rows of benchmarks -> draw_rates, draw_ingredients, draw_networks, draw_roundings -> figures
rows of benchmarks -> rates_table, coders_table, aims_table, ideas_table, search_table -> tables
all benchmarks -> quoted_beyond -> the numbers that prose quotes
"""

from collections.abc import Callable
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ilwp.figures import benchmark_plots, benchmarks
from ilwp.figures.benchmark_names import IMAGENET, OURS, PEER, TAUGHT
from ilwp.figures.benchmarks import at_one_point, bits_at, least
from ilwp.figures.style import WIDTH, label_outer_panels, shared_legend
from ilwp.networks.build import build
from ilwp.networks.tensors import kernels_of
from ilwp.whole.sets import order_bits

WAYS = {"ilwp baseline": "no prediction", "ilwp ill": "ILL", "ilwp aligned": "aligned", "ilwp multiset": "set"}
CODED = {"baseline": "without the loss", "ill": "with the loss, ILL"}
SEARCHED = {
    "search": "search", "pairs": "million pairs", "seconds": "seconds", "memory_mb": "memory (MB)",
    "of_fastest": "times the fastest's seconds",
}  # fmt: skip


def draw_rates(kernels: pd.DataFrame) -> Figure:
    """A panel per network: bits of each way to code depthwise kernels over NNCodec's, by signal-to-noise ratio."""
    return _panels(kernels, 2, 2, 3.8, benchmark_plots.rates_of_codecs)


def draw_ingredients(ablation: pd.DataFrame) -> Figure:
    """A panel per network, a bar per ingredient: bytes of all depthwise kernels."""
    return _panels(ablation, 4, 1, 7, benchmark_plots.ingredients)


def draw_networks(networks: pd.DataFrame) -> Figure:
    """A panel per network: accuracy against bytes of the whole file."""
    return _panels(networks, 1, 2, 2.3, benchmark_plots.whole_networks)


def draw_roundings(trellis: pd.DataFrame) -> Figure:
    """A panel per network: accuracy against bytes for ways to round dense weights."""
    whole = trellis[trellis["what"] == "whole network"]
    return _panels(whole, 1, 2, 2.3, benchmark_plots.roundings, columns=2)


def rates_table(kernels: pd.DataFrame, snr_db: float) -> pd.DataFrame:
    """A row per way to code depthwise kernels, a column per network: bits per weight at that SNR."""
    at_snr = partial(bits_at, snr_db=snr_db)
    return pd.DataFrame({
        network: {title: at_snr(frame[frame["codec"] == name]) for name, title in WAYS.items()}
        | {PEER: least(frame, PEER, at_snr)}
        for network, frame in kernels.groupby("network", sort=False)
    })  # fmt: skip


def coders_table(inter_layer: pd.DataFrame) -> pd.DataFrame:
    """A row per file of the networks trained without and with the loss: coder, range, bits, bytes and accuracy."""
    shown = inter_layer[inter_layer["bits"] < 32].replace({"method": CODED})
    columns = ["method", "coder", "range", "bits", "bytes", "accuracy"]
    return shown[columns].rename(columns={"method": "trained", "range": "one range per", "accuracy": "top-1 (%)"})


def aims_table(aims: pd.DataFrame) -> pd.DataFrame:
    """A row per aim, in words: what was wanted, what was measured, whether it is met."""
    wanted = aims["sense"] + " " + aims["wanted"].map("{:g}".format)
    met = aims["met"].map({True: "met", False: "missed"})
    return aims.assign(wanted=wanted, measured=aims["measured"].map("{:.3f}".format), met=met)[
        ["aim", "wanted", "measured", "met"]
    ]


def ideas_table(tried: pd.DataFrame) -> pd.DataFrame:
    """A row per idea that is left out, a column per network: bits per weight that it would save."""
    table = tried.pivot(index="idea", columns="network", values="saved")[tried["network"].unique()]
    return table.sort_values(IMAGENET, ascending=False).rename_axis(index=None, columns=None)


def search_table(search: pd.DataFrame) -> pd.DataFrame:
    """A row per library: time and memory of the full search of the nearest kernel."""
    return search.assign(pairs=search["pairs"] / 1e6)[list(SEARCHED)].rename(columns=SEARCHED)


def quoted_beyond(snr_db: float) -> dict[str, float]:
    """The numbers that prose quotes, by name; rates are compared at `snr_db`."""
    kernels, networks = (benchmarks.benchmark_rows(name) for name in ("kernels", "networks"))
    trellis = benchmarks.benchmark_rows("trellis")
    numbers = _of_kernels(kernels) | _of_ingredients(benchmarks.benchmark_rows("ablation"))
    numbers |= _of_networks(networks) | _of_roundings(trellis, snr_db)
    rates = rates_table(kernels, snr_db)[IMAGENET]
    return {name: float(value) for name, value in (numbers | {"set_of_peer": rates["set"] / rates[PEER]}).items()}


def _of_kernels(kernels: pd.DataFrame) -> dict[str, float]:
    medians = kernels.groupby(["codec", "network"])["decode_s"].median()
    slower = medians["ilwp multiset"] / medians["NNCodec, one tensor, trellis"]
    peers = kernels[kernels["codec"].str.startswith(PEER)]
    return {
        "slower_least": slower.min(),
        "slower_most": slower.max(),
        "peer_steps": peers["setting"].nunique(),
    }


def _of_ingredients(ablation: pd.DataFrame) -> dict[str, float]:
    made = ablation.pivot(index="network", columns="ingredient", values="bytes")
    cosine = 100 * (1 - made["cosine transform"] / made["one step, ANS"])
    own = 100 * (1 - made["its own decorrelating transform"] / made["cosine transform"])
    channels = {name: _channels(name) for name in ("mobilenet", "shufflenetv2")}
    return {
        "cosine_imagenet": cosine[IMAGENET],
        "cosine_cifar": cosine.drop(IMAGENET).max(),
        "own_loss": own["MobileNet, inter-layer loss"],
    } | {f"order_{name}": order_bits(layers) / sum(layers) for name, layers in channels.items()}


def _channels(network: str) -> list[int]:
    """Of each depthwise layer of one of the book's networks."""
    return [len(layer) for layer in kernels_of(build(network, 10, 0.5)).values()]


def _of_networks(networks: pd.DataFrame) -> dict[str, float]:
    """Of the book's networks, whole: bytes where one point is lost, times NNCodec's speed, and the order."""
    frame = networks[networks["network"] == "MobileNet"]
    sizes = at_one_point(frame)
    seconds, of_shuffle = (
        networks[networks["network"] == network].groupby("codec")[["encode_s", "decode_s"]].median()
        for network in ("MobileNet", "ShuffleNetV2")
    )
    return {
        "whole_plain": sizes[OURS] / sizes[PEER],
        "whole_images": sizes[TAUGHT] / sizes[PEER],
        "whole_kb": sizes[OURS] / 1000,
        "order_kb": order_bits(_channels("mobilenet")) / 8 / 1000,
        "encode_times": seconds.loc[PEER, "encode_s"] / seconds.loc[OURS, "encode_s"],
        "encode_shuffle": of_shuffle.loc[PEER, "encode_s"] / of_shuffle.loc[OURS, "encode_s"],
        "decode_times": seconds.loc[PEER, "decode_s"] / seconds.loc[OURS, "decode_s"],
        "images_seconds": networks[networks["codec"] == TAUGHT]["encode_s"].median(),
    }


def _of_roundings(trellis: pd.DataFrame, snr_db: float) -> dict[str, float]:
    """By how many percent the trellis changes files of kernels, and what it does to dense weights at 6 bits."""
    numbers = {}
    for network, name in ((IMAGENET, "imagenet"), ("MobileNet", "mobilenet")):
        frame = trellis[(trellis["network"] == network) & (trellis["what"] == "kernels")]
        needed = {rounding: bits_at(points, snr_db, "bytes") for rounding, points in frame.groupby("rounding")}
        numbers[f"trellis_{name}"] = round(100 * (needed["trellis, 0.3"] / needed["nearest"] - 1), 1) + 0.0  # no "-0.0"
    whole = trellis[(trellis["what"] == "whole network") & (trellis["network"] == "MobileNet")]
    at_6 = whole[whole["dense_bits"] == 6].set_index("rounding")
    for rounding, name in (("nearest", "nearest"), ("trellis, 0.3", "trellis")):
        numbers |= {
            f"{name}_{short}": at_6.loc[rounding, column]
            for column, short in (("snr_db", "snr"), ("kept", "kept"), ("accuracy", "accuracy"))
        }
    return numbers


def _panels(
    frame: pd.DataFrame, rows: int, across: int, height: float, draw: Callable[[Axes, pd.DataFrame], None],
    columns: int = 3,
) -> Figure:  # fmt: skip
    """A panel per network, which `draw` fills, and one legend."""
    figure, axes = plt.subplots(rows, across, figsize=(WIDTH, height), squeeze=False, sharey=rows == across)
    for ax, (network, mine) in zip(axes.flat, frame.groupby("network", sort=False), strict=True):
        draw(ax, mine)
        ax.set_title(network.replace("inter-layer loss", "with the loss"))
    label_outer_panels(axes)
    shared_legend(figure, axes, columns)
    return figure
