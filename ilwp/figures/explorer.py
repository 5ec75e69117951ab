"""What the book's explorer shows: each way in which the runs were compressed, as plain values for a page's script.

    runs -> explorer_data -> JSON

Sizes with Huffman coding and accuracies are the records'. Sizes with ANS are what the same levels take on the ANS coder
of `whole.models`, coded anew from the trained kernels; accuracy is the same, since the levels are.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
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


@dataclass(frozen=True)
class _File:
    """One run's file: its rates with either coder, the accuracy after decoding, and its levels in a row."""

    seed: int
    huffman: Rate
    ans: Rate
    accuracy: float
    levels: np.ndarray


def explorer_data(runs: Runs, profile: str, kernels: Callable[[Path], Kernels]) -> dict[str, Any]:
    """All that the explorer can show; `kernels` reads those of a run.

    `ways` has an entry for every network, data set, curve and loop, such as "mobilenet cifar10 ill closed": how many
    `runs` it is the mean of, and `points`, one per bit width. Sizes are in bytes. What a point has `of_baseline` is a
    mean over the seeds that both have.
    """
    ways = {}
    for dataset in DATASETS:
        for network in networks.TITLES:
            baseline: dict[int, list[_File]] = {}
            for name, curve in CURVES.items():
                found = select(runs, dataset=dataset, network=network, inter_layer=curve.inter_layer)
                for loop in curve.loops if found else ():
                    files = {bits: _files(found, curve.method, bits, loop, kernels) for bits in BITS}
                    baseline = baseline or (files if name == "baseline" else {})
                    points = [_point(bits, files[bits], baseline.get(bits, [])) for bits in BITS]
                    ways[f"{network} {dataset} {name} {loop}"] = _network(list(found.values())) | {"points": points}
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


def _network(records: Sequence[RunRecord]) -> dict[str, Any]:
    return {
        "runs": len(records),
        "weights": records[0].depthwise_weights,
        "parameters": records[0].parameters,
        "trained": _round(np.mean([r.accuracy for r in records])),
    }


def _files(found: Runs, method: Method, bits: int, loop: Loop, kernels: Callable[[Path], Kernels]) -> list[_File]:
    files = []
    for path, record in found.items():
        measured = next(m for m in record.measurements if (m.method, m.bits, m.loop) == (method, bits, loop))
        coded = codec.encode_kernels(kernels(path), Settings(method, bits, loop))
        levels = np.concatenate([q.ravel() for q in coded.levels])
        rates = measured.rate, ans_rate(measured.rate, coded)
        files.append(_File(record.config.seed, *rates, measured.accuracy, levels))
    return files


def _point(bits: int, files: Sequence[_File], baseline: Sequence[_File]) -> dict[str, Any]:
    histograms = [histogram(file.levels, bits) for file in files]
    accuracies = [file.accuracy for file in files]
    pairs = [(mine, plain) for mine in files for plain in baseline if mine.seed == plain.seed]
    return {
        "bits": bits,
        "huffman": _mean_bytes([file.huffman for file in files]),
        "ans": _mean_bytes([file.ans for file in files]),
        "accuracy": _round(np.mean(accuracies)),
        "spread": _round(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else None,
        "of_baseline": {
            "huffman": _round(np.mean([mine.huffman.total / plain.huffman.total for mine, plain in pairs]), 4),
            "ans": _round(np.mean([mine.ans.total / plain.ans.total for mine, plain in pairs]), 4),
            "points": _round(np.mean([mine.accuracy - plain.accuracy for mine, plain in pairs])),
        }
        if pairs
        else None,
        "zeros": _round(100 * np.mean([np.mean(file.levels == 0) for file in files])),
        "width": histograms[0][0],
        # in hundredths of a percent
        "shares": np.rint(1e4 * np.mean([shares for _, shares in histograms], axis=0)).astype(int).tolist(),
    }


def _mean_bytes(rates: Sequence[Rate]) -> list[float]:
    return [_round(np.mean([asdict(rate)[part] for rate in rates]) / 8) for part in PARTS]


def _round(value: Any, digits: int = 2) -> float:
    return round(float(value), digits)
