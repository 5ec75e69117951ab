"""Eq. 1 itself, pair by pair: is layer i - 1 nearer than layer u < i - 1? The paper states it and measures Fig. 2.

kernels -> pairwise_nearness -> Nearness -> probability
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from ilwp.paper.kernels import Kernels
from ilwp.paper.prediction import CHUNK


@dataclass(frozen=True)
class Nearness:
    """How probably a kernel of layer i finds layer i - 1 nearer than an earlier layer u.

    Each field has an array (c_i, i - 2) for each layer i from the third on: for each of its kernels the probability
    against each layer u < i - 1, in network order. Ties count half. `nearest` compares the kernel's nearest neighbours
    in the two layers; the wider layer is favoured by chance, so chance is 1/2 only for layers of equal width. `random`
    compares a kernel drawn from layer i - 1 with one drawn from layer u; there chance is always 1/2.
    """

    nearest: tuple[np.ndarray, ...]
    random: tuple[np.ndarray, ...]


def pairwise_nearness(kernels: Kernels) -> Nearness:
    """Every kernel (kh, kw) of every layer from the third on against all pairs of layers before it, in L1."""
    layers = [k.reshape(len(k), -1) for k in kernels.values()]
    found = []
    for i in range(2, len(layers)):
        candidates = np.concatenate(layers[:i])
        counts = np.array([len(k) for k in layers[:i]])
        rows = max(1, CHUNK // len(candidates))
        chunks = (layers[i][start : start + rows] for start in range(0, len(layers[i]), rows))
        both = [_compare(cdist(chunk, candidates, "cityblock"), counts) for chunk in chunks]
        found.append(tuple(np.concatenate(parts) for parts in zip(*both, strict=True)))
    nearest, random = zip(*found, strict=True)
    return Nearness(nearest, random)


def probability(layers: Sequence[np.ndarray]) -> float:
    """The mean of a field of `Nearness`: over earlier layers for each kernel, then over all kernels."""
    return float(np.concatenate([each.mean(axis=1) for each in layers]).mean())


def _compare(distances: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of `Nearness.nearest` and `Nearness.random` from distances (n, m) to layers of these `counts`."""
    starts = np.cumsum(counts) - counts
    least = np.minimum.reduceat(distances, starts, axis=1)
    mine, others = least[:, -1:], least[:, :-1]
    nearest = (mine < others) + 0.5 * (mine == others)
    previous = np.sort(distances[:, starts[-1] :], axis=1)
    # beside each distance how many of the previous layer are nearer, and half of those as near
    pairs = zip(previous, distances, strict=True)
    nearer = [(np.searchsorted(p, d) + np.searchsorted(p, d, "right")) / 2 for p, d in pairs]
    wins = np.add.reduceat(nearer, starts, axis=1)[:, :-1]
    return nearest, wins / (counts[:-1] * counts[-1])
