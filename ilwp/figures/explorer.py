"""What the book's explorer shows: each way in which the runs were compressed, as plain values for a page's script.

    runs -> explorer_data -> JSON

Sizes with Huffman coding and accuracies are the records'. Sizes with ANS are what the same levels take on the ANS coder
of `whole.models`, coded anew from the trained kernels; accuracy is the same, since the levels are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import constriction
import numpy as np

from ilwp import networks
from ilwp.common.gamma_code import encode_lengths
from ilwp.experiments.curves import CURVES
from ilwp.experiments.evidence import Runs, missing_commands, select
from ilwp.experiments.records import RunRecord
from ilwp.paper import codec
from ilwp.paper.codec import CodedKernels
from ilwp.paper.huffman import code_lengths
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import BITS, Loop, Method
from ilwp.paper.settings import Rate, Settings
from ilwp.training import datasets
from ilwp.whole import models as level_models

DATASETS = ("cifar10", "cifar100")  # the paper's
PARTS = ("texture", "index", "raw", "side")
MOST_BARS = 63  # in a histogram


def explorer_data(runs: Runs, profile: str, kernels: Callable[[Path], Kernels]) -> dict[str, Any]:
    """All that the explorer can show; `kernels` reads those of a run.

    `ways` has an entry for every network, data set, curve and loop, such as "mobilenet cifar10 ill closed": how many
    `runs` it is the mean of, and `points`, one per bit width. Sizes are in bytes.
    """
    ways = {}
    for dataset in DATASETS:
        for network in networks.TITLES:
            for name, curve in CURVES.items():
                found = select(runs, dataset=dataset, network=network, inter_layer=curve.inter_layer)
                for loop in curve.loops if found else ():
                    ways[f"{network} {dataset} {name} {loop}"] = _way(found, curve.method, loop, kernels)
    missing = {
        f"{network} {dataset}": missing_commands(profile, dataset, network, [0, 1])
        for dataset in DATASETS
        for network in networks.TITLES
        if not any(way.startswith(f"{network} {dataset} ") for way in ways)
    }
    return {
        "networks": networks.TITLES,
        "datasets": {name: datasets.TITLES[name] for name in DATASETS},
        "curves": {name: curve.title for name, curve in CURVES.items()},
        "bits": list(BITS),
        "ways": ways,
        "missing": missing,
    }


def ans_rate(rate: Rate, coded: CodedKernels) -> Rate:
    """What `rate` would be with `coded`'s levels on one ANS coder, a model per layer, in place of Huffman's code words.

    `rate` must be that of `coded` with one code table for the network.
    """
    symbols = [q.ravel().astype(np.int64) - z.lowest for q, z in zip(coded.levels, coded.quantizers, strict=True)]
    alphabet = coded.quantizers[0].highest - coded.quantizers[0].lowest + 1
    table = len(encode_lengths(code_lengths(np.bincount(np.concatenate(symbols), minlength=alphabet))))
    texture, models = ans_bits(coded.levels)
    return replace(rate, texture=texture, side=rate.side - table + models)


def ans_bits(levels: Sequence[np.ndarray]) -> tuple[int, int]:
    """Bits that levels of any shapes take on one ANS coder, and bits of their models, one per layer."""
    stack = constriction.stream.stack.AnsCoder()
    models = 0
    for layer in levels:
        code, _ = level_models.fit_code(layer.reshape(-1, 1))
        models += 8 * len(code.pack())
        if code.reach:  # else every level is zero, as its model says
            stack.encode_reverse(layer.ravel().astype(np.int32) + code.reach, code.coders(1)[0])
    return stack.num_valid_bits(), models


def histogram(levels: np.ndarray, bits: int) -> tuple[int, np.ndarray]:
    """How many neighbouring levels share a bar, an odd number, and the share of levels in each bar around zero."""
    reach = 2 ** (bits - 1) - 1
    width = next(width for width in (1, 3, 5) if 2 * reach // width <= MOST_BARS)
    bar = (np.abs(levels.ravel().astype(np.int64)) + width // 2) // width * np.sign(levels.ravel())
    last = (reach + width // 2) // width
    return width, np.bincount(bar + last, minlength=2 * last + 1) / levels.size


def _way(found: Runs, method: Method, loop: Loop, kernels: Callable[[Path], Kernels]) -> dict[str, Any]:
    records = list(found.values())
    trained = [kernels(path) for path in found]
    return {
        "runs": len(records),
        "weights": records[0].depthwise_weights,
        "parameters": records[0].parameters,
        "trained": _round(np.mean([r.accuracy for r in records])),
        "points": [_point(records, trained, method, bits, loop) for bits in BITS],
    }


def _point(
    records: Sequence[RunRecord], trained: Sequence[Kernels], method: Method, bits: int, loop: Loop
) -> dict[str, Any]:
    way = (method, bits, loop)
    measured = [next(m for m in r.measurements if (m.method, m.bits, m.loop) == way) for r in records]
    coded = [codec.encode_kernels(k, Settings(method, bits, loop)) for k in trained]
    ans = [ans_rate(m.rate, c) for m, c in zip(measured, coded, strict=True)]
    levels = [np.concatenate([q.ravel() for q in c.levels]) for c in coded]
    histograms = [histogram(q, bits) for q in levels]
    accuracies = [m.accuracy for m in measured]
    return {
        "bits": bits,
        "huffman": _mean_bytes([asdict(m.rate) for m in measured]),
        "ans": _mean_bytes([asdict(rate) for rate in ans]),
        "accuracy": _round(np.mean(accuracies)),
        "spread": _round(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
        "zeros": _round(100 * np.mean([np.mean(q == 0) for q in levels])),
        "width": histograms[0][0],
        # in hundredths of a percent
        "shares": np.rint(1e4 * np.mean([shares for _, shares in histograms], axis=0)).astype(int).tolist(),
    }


def _mean_bytes(rates: Sequence[Mapping[str, int]]) -> list[float]:
    return [_round(np.mean([rate[part] for rate in rates]) / 8) for part in PARTS]


def _round(value: Any) -> float:
    return round(float(value), 2)
