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

STUDENT = {3: 4.302653, 4: 3.182446, 5: 2.776445}  # 97.5 % quantiles for so many pairs


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
    """Figs. 2 and 3, and Eq. 1: share of the previous layer, by chance, lift, and how often it is the nearer of two.

    `shares` are the rows of the heatmap, and `leads` in how many of them no layer has more than the previous one.
    """
    hits, chances, nearest, random, shares = [], [], [], [], []
    for i in range(2, len(layers)):
        sources = np.zeros(i)
        for kernel in layers[i]:
            far = distances(kernel, layers[:i])
            least = [d.min() for d in far]
            best = int(np.argmin(least))
            sources[best] += 1 / len(layers[i])
            hits.append(best == i - 1)
            chances.append(len(layers[i - 1]) / sum(map(len, layers[:i])))
            nearest.append(np.mean([least[-1] < d for d in least[:-1]]))
            previous = np.sort(far[-1])
            random.append(np.mean([np.searchsorted(previous, d).mean() / len(previous) for d in far[:-1]]))
        shares.append(sources)
    share, chance = np.mean(hits), np.mean(chances)
    leads = np.mean([row[-1] >= row.max() for row in shares])
    return {"share": share, "chance": chance, "lift": share / chance, "leads": leads, "shares": shares,
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


def chosen(method, layer, before):
    """Which kernel predicts each kernel (3.1, 3.2, Eq. 2), counted over the layers searched; and the index bits."""
    if method == "ill":
        return np.arange(len(layer)) % len(before[-1]), 0
    searched = before if method == "fss" else before[-1:]
    best = [int(np.argmin(np.concatenate(distances(kernel, searched)))) for kernel in layer]
    return best, math.ceil(len(layer) * math.log2(sum(map(len, searched))))


def predicted(method, layer, before, known):
    """A prediction for each kernel from the layers `before` and one from those `known`, and the bits of indices."""
    if method == "baseline":
        return np.zeros(layer.shape), np.zeros(layer.shape), 0
    best, index_bits = chosen(method, layer, before)
    pools = [np.concatenate(of if method == "fss" else of[-1:]).astype(np.float64) for of in (before, known)]
    return pools[0][best], pools[1][best], index_bits


def residuals(layers, method):
    """Fig. 7: what the original kernels of a layer leave of the next."""
    pairs = ((layers[i], predicted(method, layers[i], layers[:i], layers[:i])[0]) for i in range(1, len(layers)))
    return np.concatenate([(layer - prediction).ravel() for layer, prediction in pairs])


def laplace(values):
    """Scale b, entropy in nats (Eq. 5), and the largest distance between the two distribution functions."""
    centre = np.median(values)
    scale = np.abs(values - centre).mean()
    x = (np.sort(values) - centre) / scale
    below = np.where(x < 0, np.exp(np.minimum(x, 0)) / 2, 1 - np.exp(-np.maximum(x, 0)) / 2)
    steps = np.arange(len(x) + 1) / len(x)
    distance = max(np.max(steps[1:] - below), np.max(below - steps[:-1]))
    return scale, np.log(2 * scale) + 1, distance


def differences(layers):
    """How far each layer is from the kernels beside it in the layer before, over its own root mean square weight."""
    pairs = [(layers[i], predicted("ill", layers[i], layers[:i], layers[:i])[0]) for i in range(1, len(layers))]
    return [np.sqrt(np.mean((k - p) ** 2) / np.mean(k.astype(np.float64) ** 2)) for k, p in pairs]


def coded(layers, method, bits, loop):
    """Table 1, Figs. 4 to 7: texture and index bits of a file, and of its levels the share of zeros and the entropy.

    `snr` is that of the decoded layers in dB, `peaks` the largest over the mean absolute residual, layer by layer.
    """
    known, levels, index_bits, peaks = [layers[0]], [], 0, []
    most = 2 ** (bits - 1) - 1
    for i in range(1, len(layers)):
        prediction, decoders, more = predicted(method, layers[i], known if loop == "closed" else layers[:i], known)
        residual = layers[i] - prediction
        peaks.append(np.abs(residual).max() / (np.abs(residual).mean() or 1))
        step = float(np.float32(np.abs(residual).max() / most))
        level = np.clip(np.rint(residual / (step or 1)), -most, most)
        levels.append(level.ravel())
        index_bits += more
        known.append((decoders + level * step).astype(np.float32))
    symbols = np.concatenate(levels)
    shares = np.unique(symbols, return_counts=True)[1] / len(symbols)
    signal, noise = (sum(float((v.astype(np.float64) ** 2).sum()) for v in values) for values in (
        layers[1:], [k - d.astype(np.float64) for k, d in zip(layers[1:], known[1:], strict=True)]))  # fmt: skip
    snr = 10 * math.log10(signal / noise) if noise else math.inf
    return {"texture": huffman_bits(symbols), "index": index_bits, "zeros": float((symbols == 0).mean()),
            "entropy": float(-(shares * np.log2(shares)).sum()), "snr": snr, "peaks": peaks}  # fmt: skip


def measurements(record):
    """Total bits and accuracy of every file that a record holds, by method, bits and loop."""
    found = json.loads(Path(record).read_text())["measurements"]
    return {(m["method"], m["bits"], m["loop"]): (sum(m["rate"].values()), m["accuracy"]) for m in found}


def paired(pairs, method, loop):
    """The scorecard: file of 8 bits over the baseline's, and points, of (record without, record with) of one seed each.

    Mean and 95 % interval of both.
    """
    sides = [(measurements(a)["baseline", 8, "closed"], measurements(b)[method, 8, loop]) for a, b in pairs]
    values = np.array([(mine[0] / base[0], mine[1] - base[1]) for base, mine in sides])
    reach = STUDENT[len(values)] * values.std(axis=0, ddof=1) / math.sqrt(len(values))
    return [(m, m - r, m + r) for m, r in zip(values.mean(axis=0), reach, strict=True)]


def equal_accuracy(pairs):
    """Means of the baseline's and ILL's smallest files no less accurate than ILL's of 8 bits, over the baseline's."""
    ratios = []
    for without, with_loss in pairs:
        base, ill = measurements(without), measurements(with_loss)
        wanted, size = ill["ill", 8, "closed"][1], base["baseline", 8, "closed"][0]
        smallest = [
            min(bits for (method, _, _), (bits, accuracy) in found.items() if method == name and accuracy >= wanted)
            for name, found in (("baseline", base), ("ill", ill))
        ]
        ratios.append(np.array(smallest) / size)
    return np.mean(ratios, axis=0)


def main(record):
    """Print everything of one run beside what its record says."""
    layers = read_layers(record)
    said = {
        (m["method"], m["bits"], m["loop"]): m["rate"] for m in json.loads(Path(record).read_text())["measurements"]
    }
    print("as trained", hypothesis(layers))
    print("unit length", hypothesis(unit(layers)))
    for method in ("baseline", "fss", "lss", "ill"):
        print(method, "Laplace scale, nats and distance", *laplace(residuals(layers, method)))
    for (method, bits, loop), rate in said.items():
        print(method, bits, loop, coded(layers, method, bits, loop), "said", rate["texture"], rate["index"])


if __name__ == "__main__":
    main(sys.argv[1])
