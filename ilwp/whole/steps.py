"""Quantizers that follow from a step, as files of format 2 store it."""

import numpy as np

from ilwp.paper.quantization import Quantizer, float32_step

MOST_REACH = 1 << 16  # the greatest level


def of_step(step: float) -> Quantizer:
    """The symmetric quantizer with this step that reaches MOST_REACH levels from zero.

    The step is rounded up to a float32 whose last byte is 0: files store the other three.

    Raises IlwpError for a step beyond float32.

    >>> of_step(0.5)
    Quantizer(step=0.5, offset=0.0, lowest=-65536, highest=65536)
    """
    bits = np.float32(float32_step(step)).view(np.uint32)
    short = ((bits + np.uint32(255)) & np.uint32(0xFFFFFF00)).view(np.float32)
    return Quantizer(float32_step(float(short)), 0.0, -MOST_REACH, MOST_REACH)
