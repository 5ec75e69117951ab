"""The smoothly varying weight hypothesis (Eq. 1): counts of best predictions, and pairs of layers.

    kernels -> best_sources -> Sources          Fig. 2: in which layer a kernel's nearest lies, and how often by chance
    kernels -> pairwise_nearness -> Nearness    Eq. 1 itself: is layer i - 1 nearer than layer u < i - 1?

Layers are counted from 1, as in the paper; only those from the third on have a choice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from ilwp.paper.kernels import Kernels
from ilwp.paper.prediction import CHUNK, nearest


@dataclass(frozen=True)
class Sources:
    """Where the best predictions of a network's N layers come from.

    `share` (N, N) is the share of layer i's kernels whose nearest kernel in L1 lies in layer u; rows sum
    to one from the second on. `chance` (N, N) is the share of candidates there: c[u] over all c before i.
    `hits` holds, for each layer from the third on, whether each kernel's best lies in the previous layer.
    """

    share: np.ndarray
    chance: np.ndarray
    hits: tuple[np.ndarray, ...]

    @property
    def previous_share(self) -> float:
        """Share of best predictions in the previous layer, over all layers that have a choice."""
        return float(np.concatenate(self.hits).mean())

    @property
    def chance_share(self) -> float:
        """What `previous_share` would be by chance: the previous layer's share of the candidates."""
        chances = np.diag(self.chance, -1)[-len(self.hits) :]
        return float(np.average(chances, weights=[len(h) for h in self.hits]))

    @property
    def lift(self) -> float:
        """`previous_share` over what chance alone gives: 1 means that the previous layer is nothing special."""
        return self.previous_share / self.chance_share

    def of_layers(self) -> Iterator["Sources"]:
        """The same for each layer from the third on, alone: its `share` and `chance` in the last row."""
        for i, hits in enumerate(self.hits, start=2):
            yield Sources(self.share[: i + 1, : i + 1], self.chance[: i + 1, : i + 1], (hits,))


@dataclass(frozen=True)
class Nearness:
    """Eq. 1 pair by pair: how probably a kernel of layer i finds layer i - 1 nearer than an earlier layer u.

    Each field has an array (c_i, i - 2) for each layer i from the third on: for each of its kernels the probability
    against each layer u < i - 1, in network order. Ties count half. `nearest` compares the kernel's nearest neighbours
    in the two layers; the wider layer is favoured by chance, so chance is 1/2 only for layers of equal width. `random`
    compares a kernel drawn from layer i - 1 with one drawn from layer u; there chance is always 1/2.
    """

    nearest: tuple[np.ndarray, ...]
    random: tuple[np.ndarray, ...]


def best_sources(kernels: Kernels) -> Sources:
    """Full search (3.1) over the original kernels (c_i, kh, kw)."""
    layers = [k.reshape(len(k), -1) for k in kernels.values()]
    counts = np.array([len(k) for k in layers])
    share, chance = np.zeros((2, len(layers), len(layers)))
    hits = []
    for i in range(1, len(layers)):
        source = np.repeat(np.arange(i), counts[:i])[nearest(layers[i], np.concatenate(layers[:i]))]
        share[i, :i] = np.bincount(source, minlength=i) / counts[i]
        chance[i, :i] = counts[:i] / counts[:i].sum()
        if i > 1:
            hits.append(source == i - 1)
    return Sources(share, chance, tuple(hits))


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
