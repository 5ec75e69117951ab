"""Dependent quantization, as the peer has it: what it would save at equal error, and at equal accuracy.

    ILWP_DATA=... python benchmarks/trellis.py    (`make bench-peers`; 10 minutes, most of them evaluating)

Two quantizers share a step: one has its even multiples, the other the odd ones and zero. The parity of each level moves
a state machine on, and the state says which of them the next weight uses. What all paths reach together is denser than
what one quantizer of twice the step reaches, which takes as many bits; dynamic programming finds the path of least
error and rate. Sizes are those of our files with the levels exchanged, every model charged.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from kernels import BITS, flat
from results import IMAGENET, TRAINED, load, save

from ilwp.common.distortion import snr
from ilwp.door import structure_of
from ilwp.networks.tensors import load_tensors
from ilwp.paper.kernels import depthwise_kernels
from ilwp.training import datasets
from ilwp.training.train import evaluate
from ilwp.whole import segments
from ilwp.whole.batch_norms import folded
from ilwp.whole.coding import encode_tensors
from ilwp.whole.models import fit_code
from ilwp.whole.pieces import KernelLevels, Levels, Piece, decode_pieces
from ilwp.whole.plan import Plan
from ilwp.whole.transform import basis, forward

# state after an even and an odd level; of 1792 machines of eight states the one of least error, found by trying all
NEXT = np.array([[0, 1], [2, 3], [5, 4], [7, 6], [1, 0], [3, 2], [4, 5], [6, 7]])
# the two edges, 2 * state + parity, that lead to each state; states 1, 3, 5 and 7 use the odd quantizer
EDGES = np.array([np.flatnonzero(NEXT.ravel() == state) for state in range(len(NEXT))])
PASSES = 3  # each prices levels by how often the one before used them
SLOPES = (0.0, 0.1, 0.3)  # squared steps that a bit may cost; at high rates it takes 0.3 off the error
OF_KERNELS, OF_WEIGHTS = 4, 5  # bytes of a tensor beside its levels and their models: step, flags, centre
NETWORKS = {"MobileNet": (8, 7, 6.5, 6, 5.5), "ShuffleNetV2": (7, 6.5, 6, 5.5)}  # bits of dense weights


def quantizers(levels: np.ndarray) -> np.ndarray:
    """Which quantizer each of levels (n, k) uses, 0 or 1; every row starts anew at state 0."""
    used, state = np.empty(levels.shape, np.int8), np.zeros(len(levels), np.int64)
    for t in range(levels.shape[1]):
        used[:, t] = state & 1
        state = NEXT[state, levels[:, t] & 1]
    return used


def values(levels: np.ndarray) -> np.ndarray:
    """What levels (n, k) stand for, in steps."""
    return 2 * levels - quantizers(levels) * np.sign(levels)


def quantize(x: np.ndarray, slope: float, alike: bool) -> np.ndarray:
    """Levels (n, k) of weights x (n, k) in steps; `alike`: all columns are coded with one model."""
    levels = np.rint(x / 2).astype(np.int64)
    used = np.ones((2, *x.shape), bool)  # before there is a path, either quantizer may come to any weight
    for _ in range(PASSES):
        levels = path(x, slope, [prices(levels, among, alike) for among in used])
        used = quantizers(levels) == np.arange(2)[:, None, None]
    return levels


def prices(levels: np.ndarray, among: np.ndarray, alike: bool) -> np.ndarray:
    """Bits (3, k) of a zero, of 1 or -1, and of each step on from there, geometric like the levels `among` all."""
    axis = None if alike else 0
    count, others = among.sum(axis), (among & (levels != 0)).sum(axis)
    zero = (count - others + 0.5) / (count + 1)
    ratio = 1 - (others + 1) / ((among * np.abs(levels)).sum(axis) + 1.5)
    found = -np.log2([zero, (1 - zero) / 2 * (1 - ratio), ratio])
    return np.broadcast_to(found.reshape(3, -1), (3, levels.shape[1]))


def path(x: np.ndarray, slope: float, priced: Sequence[np.ndarray]) -> np.ndarray:
    """The path (n, k) of least squared error and rate."""
    costs, levels = zip(*(options(x, slope, q, priced[q]) for q in (0, 1)), strict=True)
    cost = np.full((len(NEXT), len(x)), np.inf)
    cost[0] = 0
    second = np.empty((x.shape[1], *cost.shape), bool)  # whether the second of its EDGES led to a state
    for t in range(x.shape[1]):
        edges = np.repeat(cost, 2, axis=0)  # (2 states, n)
        for q in (0, 1):
            edges.reshape(-1, 4, len(x))[:, 2 * q : 2 * q + 2] += costs[q][t]
        one, other = edges[EDGES[:, 0]], edges[EDGES[:, 1]]
        second[t], cost = other < one, np.minimum(one, other)
    taken, state, row = np.empty(x.shape, np.int64), cost.argmin(axis=0), np.arange(len(x))
    for t in reversed(range(x.shape[1])):
        state, parity = np.divmod(EDGES[state, second[t, state, row].astype(int)], 2)
        taken[:, t] = np.where(state & 1, levels[1][t, parity, row], levels[0][t, parity, row])
    return taken


def options(x: np.ndarray, slope: float, quantizer: int, priced: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cost and level, each (k, 2, n), of the best even and the best odd level that a quantizer has for x (n, k)."""
    size = np.abs(x.T)  # (k, n)
    below = np.floor((size + quantizer) / 2)
    levels = np.stack([below, below + 1, 0 * below])  # (3, k, n)
    zero, one, further = priced[:, :, None]
    cost = np.square(2 * levels - quantizer * (levels > 0) - size)
    cost += slope * np.where(levels == 0, zero, one + further * (levels - 1))
    best, least = [], []
    for fits in (levels % 2 == 0, levels % 2 == 1):
        at = np.where(fits, cost, np.inf).argmin(axis=0)[None]
        least.append(np.where(fits, cost, np.inf).min(axis=0))
        best.append(np.take_along_axis(levels, at, 0)[0] * np.sign(x.T))
    return np.stack(least, axis=1), np.stack(best, axis=1).astype(np.int64)


def size(levels: np.ndarray, alike: bool) -> float:
    """Bytes of dependent levels (n, k) with a model for each quantizer, or for each of its columns."""
    used, bits = quantizers(levels), 0.0
    for q in (0, 1):
        together = fit_code(levels[used == q][:, None])[1]
        apart = [] if alike else [fit_code(c[u == q][:, None])[1] for c, u in zip(levels.T, used.T, strict=True)]
        bits += min(together, sum(apart) if apart else together)
    return bits / 8


def written(pieces: dict[str, Piece]) -> tuple[bytes, dict[str, float]]:
    """A file, and how many bits of it each tensor takes."""
    packed = list(segments.pack_all(pieces.items()))
    return segments.write_pieces(pieces), {name: bits for p in packed for name, bits in p.bits.items()}


def of_kernels(network: str) -> list[dict]:
    """Bytes against SNR of kernels that nothing predicts, in files of their own."""
    tensors, _ = load(network)
    kernels = {name: tensors[name] for name in depthwise_kernels(tensors)}
    rows = []
    for bits in BITS[BITS >= 5]:
        pieces = encode_tensors(kernels, Plan(method="baseline", bits=float(bits), range="network"))
        file, charged = written(pieces)
        rows.append(
            {"rounding": "nearest", "bytes": len(file), "snr_db": snr(flat(kernels), flat(decode_pieces(pieces)))}
        )
        for slope in SLOPES:
            bytes_, error = len(file) - sum(charged.values()) / 8, 0.0
            for name, piece in pieces.items():
                assert isinstance(piece, KernelLevels)
                x = kernels[name].reshape(len(kernels[name]), -1)
                x = (forward(x, basis(*piece.size)) if piece.transformed else x) / (piece.step / 2)
                levels = quantize(x, slope, alike=False)
                bytes_ += size(levels, alike=False) + OF_KERNELS
                error += np.square((values(levels) - x) * (piece.step / 2)).sum()
            whole = 10 * np.log10(np.square(flat(kernels)).sum() / error)
            rows.append({"rounding": f"trellis, {slope:g}", "bytes": round(bytes_), "snr_db": float(whole)})
    return [{"network": network, "what": "kernels"} | row for row in rows]


def of_network(network: str, images: datasets.Images) -> list[dict]:
    """Bytes against accuracy of whole networks whose dense weights alone are dependent.

    `kept` is the factor by which rounded weights, as a whole, lie along the weights.
    """
    tensors, module = load(network)
    _, graph, width = TRAINED[network]
    structure = structure_of(graph, width, tensors)
    tensors = folded(tensors, structure.foldable_norms)
    rows = []
    for bits in NETWORKS[network]:
        plan = Plan(method="multiset", bits=7.5, range="network", dense_bits=bits, vector_bits=8)
        pieces = encode_tensors(tensors, plan, structure.symmetries)
        file, charged = written(pieces)
        dense = {name: p for name, p in pieces.items() if isinstance(p, Levels) and p.levels.ndim > 1}
        # the order of channels that the pieces have, with weights before they are rounded
        exact = decode_pieces(encode_tensors(tensors, replace(plan, dense_bits=16), structure.symmetries))
        decoded = decode_pieces(pieces)

        def row(rounding: str, bytes_: float, back: dict) -> None:
            load_tensors(module, back)
            weights, rounded = (np.concatenate([t[n].ravel() for n in dense]).astype(float) for t in (exact, back))  # noqa: B023
            found = {
                "rounding": rounding, "dense_bits": bits, "bytes": round(bytes_), "accuracy": evaluate(module, images),  # noqa: B023
                "snr_db": snr([weights], [rounded]), "kept": float(weights @ rounded / (weights @ weights)),
            }  # fmt: skip
            print(network, found, flush=True)
            rows.append(found)

        row("nearest", len(file), decoded)
        for slope in SLOPES:
            bytes_, back = len(file) - sum(charged[name] for name in dense) / 8, dict(decoded)
            for name, piece in dense.items():
                x = exact[name].reshape(len(exact[name]), -1) / (piece.step / 2)
                levels = quantize(x.astype(np.float64), slope, alike=True)
                bytes_ += size(levels, alike=True) + OF_WEIGHTS
                back[name] = (values(levels) * (piece.step / 2)).astype(np.float32).reshape(piece.levels.shape)
            row(f"trellis, {slope:g}", bytes_, back)
    return [{"network": network, "what": "whole network"} | row for row in rows]


def main() -> None:
    """Kernels of all networks, then two whole networks."""
    torch.set_num_threads(1)
    images = datasets.load("cifar10")
    rows = [row for network in (IMAGENET, "MobileNet") for row in of_kernels(network)]
    rows += [row for network in NETWORKS for row in of_network(network, images)]
    save("trellis", rows)


if __name__ == "__main__":
    main()
