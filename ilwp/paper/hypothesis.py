"""The smoothly varying weight hypothesis against chance (Eq. 1), and Laplace fits of residuals (Eq. 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ilwp.paper.kernels import Kernels
from ilwp.paper.prediction import nearest

RESAMPLES = 1000


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
        return self._expected() / sum(len(h) for h in self.hits)

    @property
    def lift(self) -> float:
        """`previous_share` over what chance alone gives: 1 means that the previous layer is nothing special."""
        return float(np.concatenate(self.hits).sum() / self._expected())

    def lift_interval(self, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
        """Bootstrap percentile interval of `lift`: kernels drawn anew within each layer.

        Given this network and its candidates; how other networks differ is not in it.
        """
        rng = np.random.default_rng(seed)
        totals = sum(rng.binomial(len(h), h.mean(), RESAMPLES) for h in self.hits) / self._expected()
        low, high = np.quantile(totals, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    def _expected(self) -> float:
        return float(sum(len(h) * self.chance[i, i - 1] for i, h in enumerate(self.hits, start=2)))


@dataclass(frozen=True)
class LaplaceFit:
    """Maximum-likelihood Laplace distribution: location mu, scale b and Eq. 5's entropy."""

    location: float
    scale: float

    @property
    def nats(self) -> float:
        """Differential entropy log(2 b) + 1 (Eq. 5)."""
        return float(np.log(2 * self.scale) + 1)

    @property
    def bits(self) -> float:
        """The same in bits."""
        return self.nats / float(np.log(2))

    def density(self, x: np.ndarray) -> np.ndarray:
        """Probability density at x, any shape."""
        return np.asarray(stats.laplace.pdf(x, self.location, self.scale))

    def distance(self, values: np.ndarray) -> float:
        """Kolmogorov's distance, the largest between its distribution function and that of values of any shape."""
        return float(stats.kstest(values.ravel(), "laplace", (self.location, self.scale)).statistic)


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


def unit_length(kernels: Kernels) -> Kernels:
    """Every kernel scaled to Euclidean length one, so that scale alone makes no neighbours; zeros stay."""
    scaled = {}
    for name, layer in kernels.items():
        norms = np.linalg.norm(layer, axis=(1, 2), keepdims=True)
        scaled[name] = np.divide(layer, norms, out=np.zeros_like(layer), where=norms > 0)
    return scaled


def shuffled(kernels: Kernels, seed: int) -> Kernels:
    """The same kernels dealt out to layers of the same sizes at random: what similarity is left without depth."""
    pool = np.random.default_rng(seed).permutation(np.concatenate(list(kernels.values())))
    ends = np.cumsum([len(k) for k in kernels.values()])
    return dict(zip(kernels, np.split(pool, ends[:-1]), strict=True))


def fit_laplace(values: np.ndarray) -> LaplaceFit:
    """Median and mean absolute deviation from it, any shape."""
    location, scale = stats.laplace.fit(values.ravel())
    return LaplaceFit(float(location), float(scale))


def snr(kernels: Kernels, decoded: Kernels) -> float:
    """Signal-to-noise ratio in dB of all layers but the first, which is stored exactly; infinite without noise."""
    later = list(kernels)[1:]
    signal = sum(float(np.square(kernels[name], dtype=np.float64).sum()) for name in later)
    noise = sum(float(np.square(kernels[name] - decoded[name], dtype=np.float64).sum()) for name in later)
    return float(10 * np.log10(signal / noise)) if noise else float("inf")


def zero_share(levels: Sequence[np.ndarray]) -> float:
    """Share of quantized values that are exactly zero."""
    return float((np.concatenate([q.ravel() for q in levels]) == 0).mean())
