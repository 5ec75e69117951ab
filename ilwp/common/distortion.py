"""How large weights are, and how far decoded ones are from the trained ones."""

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ilwp.common.numbers import BLOCK


def snr(originals: Sequence[np.ndarray], decoded: Sequence[np.ndarray]) -> float:
    """Signal-to-noise ratio in dB over pairs of real arrays of equal shapes; infinite without noise."""
    signal = noise = 0.0
    for original, other in zip(originals, decoded, strict=True):
        one, two = original.reshape(-1), other.reshape(-1)
        for start in range(0, len(one), BLOCK):
            part = one[start : start + BLOCK].astype(np.float64)
            signal += float(np.square(part).sum())
            noise += float(np.square(part - two[start : start + BLOCK]).sum())
    return decibels(signal, noise)


def decibels(signal: float, noise: float) -> float:
    """A signal-to-noise ratio in dB from two energies: infinite without noise.

    It is minus infinity without a signal, and where the noise is NaN or infinite.
    """
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal and 0 < noise < math.inf else -math.inf


def later_layers_snr(kernels: Mapping[str, np.ndarray], decoded: Mapping[str, np.ndarray]) -> float:
    """`snr` of all layers but the first, which a file stores exactly."""
    later = list(kernels)[1:]
    return snr([kernels[name] for name in later], [decoded[name] for name in later])


def rms(values: np.ndarray) -> float:
    """Root mean square of real values of any shape; no square vanishes or overflows on the way."""
    largest = largest_of(values) or 1.0
    return largest * math.sqrt(math.fsum(float(np.square(b / largest).sum()) for b in _blocks(values)) / values.size)


def largest_of(values: np.ndarray) -> float:
    """The greatest magnitude, 0 of no values."""
    return max((float(np.abs(block).max()) for block in _blocks(values)), default=0.0)


def zero_share(levels: Sequence[np.ndarray]) -> float:
    """Share of quantized values that are exactly zero."""
    return float((np.concatenate([q.ravel() for q in levels]) == 0).mean())


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """Values in float64, some at a time."""
    flat = values.reshape(-1)
    return (flat[start : start + BLOCK].astype(np.float64) for start in range(0, flat.size, BLOCK))
