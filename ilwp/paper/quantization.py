"""Linear n-bit quantization of residuals: values -> integer levels -> values.

Symmetric: 2^n - 1 levels around an exact zero. Affine: 2^n levels from the least value to the greatest.
The paper leaves the choice open; symmetric is the default. Steps and offsets are float32 values, since
the file stores them so; arithmetic is float64.
"""

from dataclasses import dataclass

import numpy as np

from ilwp.common.errors import IlwpError
from ilwp.paper.settings import BITS

TINIEST = float(np.finfo(np.float32).tiny)  # normal, so that it is not zero where denormals are flushed


@dataclass(frozen=True)
class Quantizer:
    """Level q stands for offset + q x step, for `lowest` <= q <= `highest`; step > 0."""

    step: float
    offset: float
    lowest: int
    highest: int


def fit(low: float, high: float, bits: int, symmetric: bool) -> Quantizer:
    """The finest `bits`-bit quantizer that reaches every value from `low` to `high` within half a step.

    Raises IlwpError for bits outside 2 to 8 or a range beyond float32.

    >>> fit(-1.0, 0.5, bits=2, symmetric=True)
    Quantizer(step=1.0, offset=0.0, lowest=-1, highest=1)
    """
    if bits not in BITS:
        raise IlwpError(f"{bits} bits a weight are not supported: choose {BITS[0]} to {BITS[-1]}")
    highest = 2 ** (bits - 1) - 1 if symmetric else 2**bits - 1
    with np.errstate(over="ignore"):
        offset = 0.0 if symmetric else _float32_below(low)
        reach = max(-low, high) if symmetric else high - offset
        # a step that rounds to zero could reach nothing
        step = max(float(np.float32(reach / highest)), TINIEST)
    if not np.isfinite([step, offset]).all():
        raise IlwpError("the weights are too large to subtract from one another in float32: the network did not train")
    return Quantizer(step, offset, -highest if symmetric else 0, highest)


def quantize(values: np.ndarray, quantizer: Quantizer) -> np.ndarray:
    """The level nearest to each value, int16, ties to even; any shape.

    >>> quantize(np.array([-1.0, 0.2, 0.8]), fit(-1.0, 0.8, bits=2, symmetric=True))
    array([-1,  0,  1], dtype=int16)
    """
    levels = np.rint((values.astype(np.float64) - quantizer.offset) / quantizer.step)
    return levels.clip(quantizer.lowest, quantizer.highest).astype(np.int16)


def dequantize(levels: np.ndarray, quantizer: Quantizer) -> np.ndarray:
    """The values that levels stand for, float64; any shape."""
    return quantizer.offset + levels.astype(np.float64) * quantizer.step


def _float32_below(value: float) -> float:
    nearest = np.float32(value)
    # NumPy would compare the two as float32, where they are always equal
    return float(nearest if float(nearest) <= value else np.nextafter(nearest, np.float32(-np.inf)))
