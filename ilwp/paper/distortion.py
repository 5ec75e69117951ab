"""How far decoded kernels are from the trained ones."""

from collections.abc import Sequence

import numpy as np

from ilwp.paper.kernels import Kernels


def snr(originals: Sequence[np.ndarray], decoded: Sequence[np.ndarray]) -> float:
    """Signal-to-noise ratio in dB over pairs of arrays of equal shapes; infinite without noise."""
    pairs = list(zip(originals, decoded, strict=True))
    signal = sum(float(np.square(original, dtype=np.float64).sum()) for original, _ in pairs)
    noise = sum(float(np.square(original - other, dtype=np.float64).sum()) for original, other in pairs)
    return float(10 * np.log10(signal / noise)) if noise else float("inf")


def later_layers_snr(kernels: Kernels, decoded: Kernels) -> float:
    """`snr` of all layers but the first, which a file stores exactly."""
    later = list(kernels)[1:]
    return snr([kernels[name] for name in later], [decoded[name] for name in later])


def zero_share(levels: Sequence[np.ndarray]) -> float:
    """Share of quantized values that are exactly zero."""
    return float((np.concatenate([q.ravel() for q in levels]) == 0).mean())
