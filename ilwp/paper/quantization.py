"""Uniform quantization, for the paper's codec and for every other: values -> integer levels -> values.

Symmetric: levels around an exact zero, 2^n - 1 of them for n bits. Affine: 2^n levels from the least value to the
greatest. The paper leaves the choice open; symmetric is the default. Steps and offsets are float32 values, since files
store them so; arithmetic is float64.
"""

from dataclasses import dataclass

import numpy as np

from ilwp.common.errors import IlwpError
from ilwp.common.numbers import BLOCK
from ilwp.paper.methods import BITS

TINIEST = float(np.finfo(np.float32).tiny)  # normal, so that it is not zero where denormals are flushed


@dataclass(frozen=True)
class Quantizer:
    """Level q stands for offset + q x step, for `lowest` <= q <= `highest`; step > 0."""

    step: float
    offset: float
    lowest: int
    highest: int


def of_range(low: float, high: float, bits: int, symmetric: bool) -> Quantizer:
    """The finest `bits`-bit quantizer that reaches every value from `low` to `high` within half a step.

    Raises IlwpError for bits outside 2 to 8 or a range beyond float32.

    >>> of_range(-1.0, 0.5, bits=2, symmetric=True)
    Quantizer(step=1.0, offset=0.0, lowest=-1, highest=1)
    """
    if bits not in BITS:
        raise IlwpError(f"{bits} bits per weight are not supported: choose {BITS[0]} to {BITS[-1]}")
    highest = 2 ** (bits - 1) - 1 if symmetric else 2**bits - 1
    offset = 0.0 if symmetric else _float32_below(low)
    reach = max(-low, high) if symmetric else high - offset
    return Quantizer(float32_step(reach / highest, offset), offset, -highest if symmetric else 0, highest)


def quantize(values: np.ndarray, quantizer: Quantizer) -> np.ndarray:
    """The level nearest to each value, ties to even, in the values' shape: int16 where that holds all, else int32.

    Raises IlwpError for a value that is NaN or infinite.

    >>> quantize(np.array([-1.0, 0.2, 0.8]), of_range(-1.0, 0.8, bits=2, symmetric=True))
    array([-1,  0,  1], dtype=int16)
    """
    levels = np.empty(values.shape, np.int16 if quantizer.highest < 1 << 15 else np.int32)
    flat, into = values.reshape(-1), levels.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK].astype(np.float64)
        if not np.isfinite(block).all():
            raise IlwpError("a weight is NaN or infinite: the network did not train")
        nearest = np.rint((block - quantizer.offset) / quantizer.step)
        into[start : start + BLOCK] = nearest.clip(quantizer.lowest, quantizer.highest)
    return levels


def dequantize(levels: np.ndarray, quantizer: Quantizer) -> np.ndarray:
    """The values that levels stand for, float64; any shape."""
    return quantizer.offset + levels.astype(np.float64) * quantizer.step


def float32_step(step: float, offset: float = 0.0) -> float:
    """A step as a float32 value above zero; raises IlwpError where it or the offset is beyond float32."""
    with np.errstate(over="ignore"):
        # a step that rounds to zero could reach nothing
        rounded = max(float(np.float32(step)), TINIEST)
    if not np.isfinite([rounded, offset]).all():
        raise IlwpError("the weights are too large to subtract from one another in float32: the network did not train")
    return rounded


def _float32_below(value: float) -> float:
    with np.errstate(over="ignore"):
        nearest = np.float32(value)
    # NumPy would compare the two as float32, where they are always equal
    return float(nearest if float(nearest) <= value else np.nextafter(nearest, np.float32(-np.inf)))
