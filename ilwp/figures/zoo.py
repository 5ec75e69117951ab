"""Every network that torchvision builds, compressed and decoded: what failed, how small files are, how much is lost.

data/benchmarks/zoo.json     -> compressed, families, zoo_numbers, sizes_and_losses
data/benchmarks/default.json -> default_losses, default_numbers
"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ilwp.experiments.curves import CURVES
from ilwp.figures.benchmark_names import IMAGENET
from ilwp.figures.output import keep_table
from ilwp.figures.style import BLUE, DASHED, WIDTH
from ilwp.whole.methods import QUALITY, QUALITY_OF_WEIGHTS


def compressed(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per network without its graph: millions of parameters, share of its bytes, and its worst tensor's SNR."""
    found = rows[rows["row"] == "tensors"].assign(millions=lambda all_: all_["parameters"] / 1e6)
    columns = ["library", "network", "millions", "tensors", "share", "snr_db", "worst", "encode_s", "decode_s"]
    return found.reindex(columns=[*columns, "failure"]).reset_index(drop=True)


def families(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per family with its graph: how many depthwise layers have a free order and free signs, of how many."""
    graphs = rows[rows["row"] == "graph"]
    found = graphs.groupby("family", sort=True).agg(
        networks=("network", "count"), layers=("layers", "sum"), free=("free", "sum"), signed=("signed", "sum"),
        norms=("norms", "sum"), folded=("folded", "sum"), snr_db=("snr_db", "min"),
        refused=("refused", lambda lists: sum(map(len, lists))),
    )  # fmt: skip
    return found.astype({name: int for name in found if name != "snr_db"}).reset_index()


def zoo_numbers(rows: pd.DataFrame) -> dict[str, float]:
    """The numbers that prose quotes."""
    found, grouped = compressed(rows), families(rows)
    numbers = {
        "networks": len(found), "tries": len(rows), "quality": QUALITY_OF_WEIGHTS,
        "failed": (rows["failure"] != "").sum(), "graphs": (rows["row"] == "graph").sum(),
        "most_millions": found["millions"].max(),
        "share_median": found["share"].median(), "share_most": found["share"].max(), "snr_least": found["snr_db"].min(),
        "layers": grouped["layers"].sum(), "free": grouped["free"].sum(), "refused": grouped["refused"].sum(),
        "of_noise": rows["of_noise_db"].min(),
        "outputs_least": rows.loc[rows["row"] == "graph", "snr_db"].min(), "outputs_quality": QUALITY,
    }  # fmt: skip
    return {name: float(value) for name, value in numbers.items()}


def sizes_and_losses(rows: pd.DataFrame) -> Figure:
    """One dot per network, by its parameters: the file's bytes as a share of the tensors', and the lowest SNR."""
    figure, axes = plt.subplots(2, 1, figsize=(WIDTH, 3.6), sharex=True)
    found = compressed(rows)
    graphs = rows[rows["row"] == "graph"].assign(millions=lambda all_: all_["parameters"] / 1e6)
    graphs = graphs.merge(rows.loc[rows["row"] == "tensors", ["network", "memory"]], on="network", suffixes=("_", ""))
    graphs["share"] = graphs["bytes"] / graphs["memory"]
    with_graph = CURVES["ill"].colour
    for ax, column, title in zip(axes, ("share", "snr_db"), ("Bytes", "Losses"), strict=True):
        ax.plot(found["millions"], found[column], "o", color=BLUE, label="weights alone, worst tensor")
        ax.plot(graphs["millions"], graphs[column], "^", color=with_graph, label="with the graph, outputs")
        ax.set(title=title, xscale="log")
        keep_table(ax, found[["network", "millions", column]].assign(graph=False))
        keep_table(ax, graphs[["network", "millions", column]].assign(graph=True))
    axes[0].set(ylabel="share of bytes", ylim=(0, 0.33))
    for quality, colour, what in ((QUALITY_OF_WEIGHTS, BLUE, "tensors"), (QUALITY, with_graph, "outputs")):
        axes[1].axhline(quality, color=colour, linewidth=1, linestyle=DASHED, label=f"asked for, of {what}")
    axes[1].set(ylabel="SNR, dB", xlabel="millions of parameters")
    axes[1].xaxis.set_major_formatter("{x:g}")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=1)
    return figure


def default_losses(rows: pd.DataFrame) -> pd.DataFrame:
    """What the default costs two trained networks: the rows of data/benchmarks/default.json, and the share of bytes."""
    return rows.assign(share=rows["bytes"] / rows["memory"])


def default_numbers(losses: pd.DataFrame) -> dict[str, float]:
    """The numbers that prose quotes of `default_losses`, of each network with its graph."""
    graphs = losses[losses["options"] != ""].set_index("network")
    public, own = graphs.loc[IMAGENET], graphs.drop(IMAGENET).iloc[0]
    numbers = {name: public[name] for name in ("agreement", "share", "inputs")}
    numbers |= {name: own[name] for name in ("accuracy", "accuracy_before")}
    return {name: float(value) for name, value in numbers.items()}
