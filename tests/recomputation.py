"""The numbers of the paper's figures once more, from a run's files, by other code: nothing of the project is imported.

    python tests/recomputation.py data/runs/cpu/cifar10-mobilenet-lambda0-seed0.json

It is meant to be read beside the paper and not to be fast: NumPy, safetensors and a heap are all that it needs.
"""

import heapq
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


def read_layers(record):
    """A run's depthwise layers, float32 (c, 9), in the order of their numbers."""
    tensors = load_file(Path(record).with_suffix(".safetensors"))
    names = sorted(tensors, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])
    return [tensors[name].reshape(len(tensors[name]), -1) for name in names]


def distances(kernel, layers):
    """L1 from one kernel to each kernel of several layers, a list of arrays."""
    return [np.abs(layer.astype(np.float64) - kernel.astype(np.float64)).sum(1) for layer in layers]


def unit(layers):
    """Every kernel at length one."""
    return [layer / np.sqrt((layer.astype(np.float64) ** 2).sum(1, keepdims=True)) for layer in layers]


def hypothesis(layers):
    """Figs. 2 and 3, and Eq. 1: share of the previous layer, by chance, lift, and how often it is the nearer of two."""
    hits, chances, nearest, random = [], [], [], []
    for i in range(2, len(layers)):
        for kernel in layers[i]:
            far = distances(kernel, layers[:i])
            least = [d.min() for d in far]
            hits.append(int(np.argmin(least)) == i - 1)
            chances.append(len(layers[i - 1]) / sum(map(len, layers[:i])))
            nearest.append(np.mean([least[-1] < d for d in least[:-1]]))
            previous = np.sort(far[-1])
            random.append(np.mean([np.searchsorted(previous, d).mean() / len(previous) for d in far[:-1]]))
    share, chance = np.mean(hits), np.mean(chances)
    return {"share": share, "chance": chance, "lift": share / chance,
            "nearest": np.mean(nearest), "random": np.mean(random)}  # fmt: skip


def huffman_bits(symbols):
    """What an optimal prefix code takes for symbols: the sum of all inner nodes of its tree."""
    heap = np.unique(symbols, return_counts=True)[1].tolist()
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


def predicted(method, layer, before):
    """A prediction for each kernel (3.1, 3.2, Eq. 2), and the bits of the indices that say which."""
    if method == "baseline":
        return np.zeros(layer.shape), 0
    if method == "ill":
        return before[-1].astype(np.float64)[np.arange(len(layer)) % len(before[-1])], 0
    searched = before if method == "fss" else before[-1:]
    pool = np.concatenate(searched).astype(np.float64)
    best = [int(np.argmin(np.concatenate(distances(kernel, searched)))) for kernel in layer]
    return pool[best], math.ceil(len(layer) * math.log2(len(pool)))


def residuals(layers, method):
    """Fig. 7: what the original kernels of a layer leave of the next."""
    pairs = ((layers[i], predicted(method, layers[i], layers[:i])[0]) for i in range(1, len(layers)))
    return np.concatenate([(layer - prediction).ravel() for layer, prediction in pairs])


def laplace(values):
    """Scale b and entropy in nats (Eq. 5)."""
    scale = np.abs(values - np.median(values)).mean()
    return scale, np.log(2 * scale) + 1


def coded(layers, method, bits, loop):
    """Table 1, Figs. 4 to 6: texture and index bits of a file, and the share of zeros among its levels."""
    known, levels, index_bits = [layers[0]], [], 0
    most = 2 ** (bits - 1) - 1
    for i in range(1, len(layers)):
        prediction, more = predicted(method, layers[i], known if loop == "closed" else layers[:i])
        residual = layers[i] - prediction
        step = float(np.float32(np.abs(residual).max() / most))
        level = np.clip(np.rint(residual / (step or 1)), -most, most)
        levels.append(level.ravel())
        index_bits += more
        known.append((prediction + level * step).astype(np.float32))
    symbols = np.concatenate(levels)
    return {"texture": huffman_bits(symbols), "index": index_bits, "zeros": float((symbols == 0).mean())}


def main(record):
    """Print everything of one run beside what its record says."""
    layers = read_layers(record)
    said = {
        (m["method"], m["bits"], m["loop"]): m["rate"] for m in json.loads(Path(record).read_text())["measurements"]
    }
    print("as trained", hypothesis(layers))
    print("unit length", hypothesis(unit(layers)))
    for method in ("baseline", "fss", "lss", "ill"):
        print(method, "Laplace scale and nats", *laplace(residuals(layers, method)))
    for (method, bits, loop), rate in said.items():
        print(method, bits, loop, coded(layers, method, bits, loop), "said", rate["texture"], rate["index"])


if __name__ == "__main__":
    main(sys.argv[1])
