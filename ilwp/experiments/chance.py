"""What chance and scale alone give, beside `paper.hypothesis` and `nearness`. None of this is in the paper.

    kernels -> unit_length, equal_scale, shuffled -> kernels    without their scales, without their order
    Sources -> lift_interval,  Nearness -> probability_interval    95 % bootstrap intervals

An interval is for one network and its candidates: variation between networks is ignored.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ilwp.common.distortion import rms
from ilwp.paper.hypothesis import Sources
from ilwp.paper.kernels import Kernels

RESAMPLES = 1000
Interval = tuple[float, float]


def unit_length(kernels: Kernels) -> Kernels:
    """Every kernel scaled to Euclidean length one, so that no kernel is near by its scale alone; zeros stay."""
    scaled = {}
    for name, layer in kernels.items():
        norms = np.linalg.norm(layer, axis=(1, 2), keepdims=True)
        scaled[name] = np.divide(layer, norms, out=np.zeros_like(layer), where=norms > 0)
    return scaled


def equal_scale(kernels: Kernels) -> Kernels:
    """Every layer scaled to a root mean square of one, so that all layers have one scale; zeros stay."""
    return {name: layer / np.float32(rms(layer) or 1) for name, layer in kernels.items()}


def shuffled(kernels: Kernels, seed: int) -> Kernels:
    """The same kernels assigned to layers of the same sizes at random: the similarity that does not depend on depth."""
    pool = np.random.default_rng(seed).permutation(np.concatenate(list(kernels.values())))
    ends = np.cumsum([len(k) for k in kernels.values()])
    return dict(zip(kernels, np.split(pool, ends[:-1]), strict=True))


def of_layers(sources: Sources) -> Iterator[Sources]:
    """`sources` for each layer from the third on, alone: its `share` and `chance` in the last row."""
    for i, hits in enumerate(sources.hits, start=2):
        yield Sources(sources.share[: i + 1, : i + 1], sources.chance[: i + 1, : i + 1], (hits,))


def lift_interval(sources: Sources, seed: int = 0, level: float = 0.95) -> Interval:
    """Bootstrap percentile interval of `sources.lift`: kernels drawn anew within each layer."""
    rng = np.random.default_rng(seed)
    totals = np.sum([rng.binomial(len(h), h.mean(), RESAMPLES) for h in sources.hits], axis=0)
    return _percentiles(totals / sum(map(len, sources.hits)) / sources.chance_share, level)


def probability_interval(layers: Sequence[np.ndarray], seed: int = 0, level: float = 0.95) -> Interval:
    """Bootstrap percentile interval of `probability` of a field of `Nearness`: kernels drawn anew within each layer."""
    rng = np.random.default_rng(seed)
    totals = np.zeros(RESAMPLES)
    for each in layers:
        values = each.mean(axis=1)
        totals += [values[rng.integers(0, len(values), len(values))].sum() for _ in range(RESAMPLES)]
    return _percentiles(totals / sum(map(len, layers)), level)


def _percentiles(values: np.ndarray, level: float) -> Interval:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
