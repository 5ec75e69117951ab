"""What the paper says in passing, measured: from benchmarks, from trained kernels, and in hours where nothing ran.

runs, kernels -> first_layer, full_kernels, large_weights, index_bits, buffers, zeros, costs -> table
"""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ilwp import networks
from ilwp.common.distortion import zero_share
from ilwp.experiments.costs import Paces, hours
from ilwp.experiments.curves import PAPER_CURVES
from ilwp.experiments.evidence import Runs, select
from ilwp.experiments.profiles import Profile
from ilwp.experiments.records import RunRecord
from ilwp.figures.benchmarks import benchmark_rows
from ilwp.paper import codec, hypothesis
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import LOOPS, loops
from ilwp.paper.settings import Settings
from ilwp.training import datasets

FEWEST = 100  # kernels that say something of their kind
LARGEST = 0.1  # of a layer's weights, by absolute value
ReadKernels = Callable[[Path], Kernels]


def first_layer(records: Runs) -> pd.DataFrame:
    """Accuracy with the first layer at 32 bits, from `records` at seed 0, and quantized like the others."""
    kept = {
        (m.method, m.loop, m.bits, r.config.inter_layer): m.accuracy for r in records.values() for m in r.measurements
    }
    rows = benchmark_rows("first_layer")
    weights = {name: curve.inter_layer for name, curve in PAPER_CURVES.items()}
    rows["at 32 bits"] = [kept.get((r.method, r.loop, r.bits, weights[r.method]), np.nan) for r in rows.itertuples()]
    rows["change"] = rows["accuracy"] - rows["at 32 bits"]
    return rows[["method", "loop", "bits", "at 32 bits", "accuracy", "change"]]


def full_kernels() -> pd.DataFrame:
    """What prediction leaves of kernels of a kind: mean absolute residual over mean absolute weight.

    Kinds of which hardly any kernel has an earlier one of its shape are left out.
    """
    rows = benchmark_rows("full_kernels")
    rows = rows[rows["kernels"] >= FEWEST]
    return rows[["network", "kind", "layers", "kernels", "least_weights", "most_weights", "left"]]


def large_weights(runs: Runs, kernels: ReadKernels, bits: int) -> pd.DataFrame:
    """Percent of weights, and of each layer's largest tenth, that decode to something other than zero; closed loop."""
    rows = []
    for name, curve in PAPER_CURVES.items():
        for path in select(runs, inter_layer=curve.inter_layer):
            trained = kernels(path)
            decoded = codec.decode_kernels(codec.encode_kernels(trained, Settings(curve.method, bits)))
            kept = [(decoded[layer] != 0, _largest(trained[layer])) for layer in list(trained)[1:]]
            of_all, of_largest = np.concatenate([k.ravel() for k, _ in kept]), np.concatenate([k[of] for k, of in kept])
            rows.append((name, 100 * of_all.mean(), 100 * of_largest.mean()))
    return _means(rows, ["curve", "all", "largest"])


def index_bits(runs: Runs, kernels: ReadKernels) -> pd.DataFrame:
    """Bits a kernel that say which layer and which kernel full search chose, and which kernel local search did.

    `layer` is the entropy of the layer chosen, given the layer that is predicted; `layer, fixed` is log2 of how many
    there are to choose from.
    """
    rows = []
    for path, record in select(runs, inter_layer=0).items():
        trained = kernels(path)
        counts = np.array([len(layer) for layer in trained.values()])
        share = hypothesis.best_sources(trained).share[1:]
        weights = counts[1:] / counts[1:].sum()
        entropy = -np.sum(share * np.log2(share, out=np.zeros_like(share), where=share > 0), axis=1)
        title = networks.TITLES[record.config.network]
        rows.append((
            title, weights @ entropy, weights @ np.log2(np.arange(1, len(counts))), weights @ (share @ np.log2(counts)),
            weights @ np.log2(counts[:-1]),
        ))  # fmt: skip
    return _means(rows, ["network", "layer", "layer, fixed", "kernel", "kernel, local search"])


def printed_index_bits(channels: list[int]) -> dict[str, float]:
    """Index bits per kernel of these depthwise layers by fixed-length codes: what Table 1 may have counted.

    `lss` is log2 of the previous layer's kernels, `fss` that of all earlier ones, `fss_whole` the same in whole bits.
    """
    counts = np.array(channels)
    weights, before = counts[1:] / counts[1:].sum(), np.log2(np.cumsum(counts)[:-1])
    return {
        "lss": float(weights @ np.log2(counts[:-1])),
        "fss": float(weights @ before),
        "fss_whole": float(weights @ np.ceil(before)),
    }


def buffers(record: RunRecord, kernels: Kernels) -> dict[str, float]:
    """Kilobytes of float32 that a decoder holds to predict: of all earlier layers, of one, and the whole network's."""
    sizes = [4 * layer.size / 1000 for layer in kernels.values()]
    return {"fss": sum(sizes[:-1]), "lss": max(sizes[:-1]), "network": 4 * record.parameters / 1000}


def zeros(runs: Runs, kernels: ReadKernels, bits: int) -> pd.DataFrame:
    """Percent of levels that are zero, one row per curve and one column per loop, a mean over runs."""
    rows = []
    for name, curve in PAPER_CURVES.items():
        for path, loop in product(select(runs, inter_layer=curve.inter_layer), loops(curve.method)):
            coded = codec.encode_kernels(kernels(path), Settings(curve.method, bits, loop))
            rows.append((name, loop, 100 * zero_share(coded.levels)))
    table = pd.DataFrame(rows, columns=["curve", "loop", "zeros"])
    return table.pivot_table("zeros", "curve", "loop", sort=False).reindex(columns=list(LOOPS))


def float_accuracies(runs: Runs) -> pd.DataFrame:
    """Fig. 4's curves of 32 and 8 bits, closed loop: one row per lambda at seed 0, of one network and data set."""
    rows = [
        (record.config.inter_layer, record.accuracy, m.accuracy)
        for record in select(runs, seed=0).values()
        for m in record.measurements
        if (m.method, m.bits, m.loop) == ("ill", 8, "closed")
    ]
    return pd.DataFrame(sorted(rows), columns=["λ", "at 32 bits", "at 8 bits"])


def sweep_cost(profile: Profile, runs: Runs, paces: Paces) -> pd.DataFrame:
    """Hours of Fig. 4's sweep where it has not run: one row per network and data set that lacks one of its lambdas."""
    weights = sorted({c.inter_layer for c in profile.cells() if c.network == "mobilenet" and c.inter_layer < np.inf})
    rows = []
    for network, dataset in product(networks.TITLES, ("cifar10", "cifar100")):
        have = {r.config.inter_layer for r in select(runs, network=network, dataset=dataset).values()}
        missing = [weight for weight in weights if weight not in have]
        if missing:
            cost = sum(hours(profile.config(dataset, network, w, 0), runs.values(), paces) for w in missing)
            listed = ", ".join(f"{w:g}" for w in missing)
            rows.append((networks.TITLES[network], datasets.TITLES[dataset], listed, len(missing), cost))
    return pd.DataFrame(rows, columns=["network", "data set", "λ not run", "runs", "hours on one core"])


def seeds_cost(profile: Profile, runs: Runs, paces: Paces, seeds: int = 3) -> tuple[int, float]:
    """Runs that a profile's networks, data sets and lambdas lack to have so many seeds each, and their hours."""
    have = Counter((r.config.network, r.config.dataset, r.config.inter_layer) for r in runs.values())
    wanted = {(c.network, c.dataset, c.inter_layer): c for c in profile.cells()}
    missing = {key: max(seeds - have[key], 0) for key in wanted}
    spent = sum(count * hours(wanted[key], runs.values(), paces) for key, count in missing.items() if count)
    return sum(missing.values()), spent


def measured_paces() -> dict[tuple[str, float], float]:
    """Images a second in training on one core, by network and width."""
    rows = benchmark_rows("training")
    return {(r.network, r.width): r.ours_images_s for r in rows.itertuples()}


def _largest(layer: np.ndarray) -> np.ndarray:
    sizes = np.abs(layer)
    at_least: np.ndarray = sizes >= np.quantile(sizes, 1 - LARGEST)
    return at_least


def _means(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns).groupby(columns[0], sort=False).mean().reset_index()
