"""The tables and numbers of the page on weights from codebooks, from its points and the fine-tuned files.

codebook_results.bytes_and_accuracy -> points;  benchmark "neighbours_tuned" -> tuned
"""

from collections.abc import Sequence

import pandas as pd
from torch.nn import Conv2d, Linear

from ilwp.figures import benchmark_plots, benchmarks, codebook_results
from ilwp.figures.benchmark_names import OURS, PEER, TAUGHT
from ilwp.networks.build import build
from ilwp.paper.kernels import Kernels

IMAGES = 10_000  # of CIFAR-10's test
FINETUNED = {"fixing": "weight fixing", "adding": "additive"}
ONE_POINT = {
    "ours": OURS, "images": TAUGHT, "nncodec": PEER,
    "one_fixing": "weight fixing, fine-tuned", "one_adding": "additive, fine-tuned",
}  # fmt: skip
TUNED = {
    "method": "method", "setting": "setting", "kB": "kB", "accuracy": "top-1 (%)", "codewords": "codewords",
    "entropy": "bits per weight", "epochs": "epochs", "images": "images seen", "minutes": "minutes",
}  # fmt: skip


def tuned_table(tuned: pd.DataFrame) -> pd.DataFrame:
    """One row per fine-tuned file: its size and accuracy, and what the fine-tuning cost."""
    return tuned.assign(kB=tuned["bytes"] / 1000)[list(TUNED)].rename(columns=TUNED)


def smallest_table(points: pd.DataFrame, losses: Sequence[float] = (0.5, 1, 2)) -> pd.DataFrame:
    """kB of the smallest whole file of MobileNet that loses at most so many points, one row per method; NaN if none."""
    table = _smallest(points, losses).dropna(how="all")
    titles = {name: line.title for name, line in benchmark_plots.ALL_METHODS.items()}
    named = table.rename(index=titles, columns="{:g} points lost at most".format)
    return named.drop(index="float32").rename_axis(None)


def kernels_table(kernels: Kernels) -> pd.DataFrame:
    """Bytes of depthwise kernels from codebooks of 256 kernels, and of a set at the same SNR; NaN beyond its points."""
    found = codebook_results.codebooks_of_kernels(kernels, length=9, bits=8)
    peers = benchmarks.benchmark_rows("kernels")
    a_set = peers[(peers["network"] == "MobileNet") & (peers["codec"] == "ilwp multiset")]
    weights = sum(kernel.size for kernel in kernels.values())
    found["a set"] = [benchmarks.bits_at(a_set, snr_db) * weights / 8 for snr_db in found["snr_db"]]
    found.columns = ["codebooks of 256", "codes", "codebooks", "SNR (dB)", "a set at that SNR"]
    return found


def needs_table(tuned: pd.DataFrame) -> pd.DataFrame:
    """What each method needs, how it trains, and what MobileNet's weights take in the memory of a running network."""
    mobilenet = build("mobilenet", classes=10, width=0.5, seed=0)
    layers = [module for module in mobilenet.modules() if isinstance(module, Conv2d | Linear)]
    weights = sum(parameter.numel() for layer in layers for parameter in layer.parameters())
    held = tuned.groupby("method")["held_bytes"].max()
    kilobytes = (weights / 1000, held["weight fixing"] / 1000, held["additive"] / 1000)
    levels, fixed, added = (f"{value:,.0f} kB" for value in kilobytes)
    rows = [
        ("linear + Huffman", "nothing", "none", levels),
        ("Baseline, FSS, LSS", "nothing", "none", levels),
        ("ILL", "labelled images", "from the start, with the inter-layer loss", levels),
        ("aligned, set", "the network's graph", "none", levels),
        ("set, with images", "the graph and 1,000 images, no labels", "none", levels),
        (PEER, "nothing", "none", levels),
        ("weight fixing", "labelled images", "fine-tuning in ten steps", fixed),
        ("additive quantization", "labelled images, or nothing at many bits", "fine-tuning", added),
    ]
    return pd.DataFrame(rows, columns=["method", "needs", "training", "weights while it runs"])


def quoted_codebooks(points: pd.DataFrame, tuned: pd.DataFrame) -> dict[str, float]:
    """The numbers of the prose, by name: both methods' most accurate files, and smallest files at one point lost."""
    whole = points[points["scope"] == "whole"]
    trained = whole[whole["method"] == "float32"].iloc[0]
    share = trained["accuracy"] / 100
    numbers = {"trained": float(trained["accuracy"]), "noise": float(100 * (share * (1 - share) / IMAGES) ** 0.5)}
    for name, method in FINETUNED.items():
        best = tuned[tuned["method"] == method].sort_values("accuracy").iloc[-1]
        untuned = whole[(whole["method"] == method) & (whole["setting"] == best["setting"])]
        numbers |= {
            f"{name}_accuracy": float(best["accuracy"]),
            f"{name}_smaller": float(trained["bytes"] / best["bytes"]),
            f"{name}_untuned": float(untuned["accuracy"].iloc[0]),
        }
        if name == "fixing":  # codewords of additive quantization are vectors, not values
            numbers |= {"fixing_values": int(best["codewords"]), "fixing_bits": float(best["entropy"])}
    table = _smallest(points, (1,))[1]
    return numbers | {f"{name}_one_point": float(table[method]) for name, method in ONE_POINT.items()}


def _smallest(points: pd.DataFrame, losses: Sequence[float]) -> pd.DataFrame:
    whole = points[points["scope"] == "whole"]
    return pd.DataFrame({lost: codebook_results.smallest(whole, lost)["MobileNet"] for lost in losses})
