"""Whether a network's weights are numbers, and how many of them are worked on at a time."""

from collections.abc import Mapping

import numpy as np

from ilwp.common.errors import IlwpError, printable

FROM_FLOAT = "compress the floating-point network that it was made from"  # advice where a network is quantized already
BLOCK = 1 << 16  # values that are worked on at a time: they stay in a core's cache, and large tensors cost no copy


def check_finite(tensors: Mapping[str, np.ndarray]) -> None:
    """Raises IlwpError that names the first array, of any shape, with a NaN or an infinity in it."""
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise IlwpError(f"{printable(name)} holds NaN or infinite weights: the network did not train")


def check_no_nan(tensors: Mapping[str, np.ndarray]) -> None:
    """Raises IlwpError that names the first array with a NaN in it; an infinity may be meant, as in a mask."""
    for name, tensor in tensors.items():
        if np.isnan(tensor).any():
            raise IlwpError(f"{printable(name)} holds NaN: the network did not train")
