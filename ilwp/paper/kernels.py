"""The depthwise kernels K[i][j] of a module or a state dict, in network order.

A layer is an array (c_i, kh, kw) float32, its name the state dict's key. A state dict shows shapes alone: there a
depthwise weight is one of shape (c, 1, kh, kw) with more than one kernel of more than one tap. A first convolution over
one-channel images has that shape too; `networks.tensors.depthwise_names` tells the two apart in a module.
"""

from collections.abc import Mapping

import numpy as np

from ilwp.common.errors import IlwpError, printable
from ilwp.common.numbers import FROM_FLOAT, check_finite

Kernels = dict[str, np.ndarray]  # layer name -> (c_i, kh, kw) float32


def depthwise_kernels(tensors: Mapping[str, np.ndarray]) -> Kernels:
    """The depthwise kernels of a state dict of NumPy arrays, in its order.

    Raises IlwpError where there are none, their sizes differ, or a weight is not a finite float32.
    """
    found = {name: t[:, 0] for name, t in tensors.items() if _is_depthwise(t)}
    return checked(found)


def checked(kernels: Kernels) -> Kernels:
    """`kernels` unchanged if they can be predicted from one another; raises IlwpError otherwise."""
    if not kernels:
        raise IlwpError("no depthwise layer here (a weight of shape channels, 1, kh, kw): nothing to predict")
    sizes = {k.shape[1:]: name for name, k in kernels.items()}
    if len(sizes) > 1:
        listed = ", ".join(f"{h}x{w} ({printable(name)})" for (h, w), name in sizes.items())
        raise IlwpError(f"prediction needs depthwise kernels of one size, but these differ: {listed}")
    for name, layer in kernels.items():
        if layer.dtype != np.float32:
            advice = FROM_FLOAT if layer.dtype.kind in "iu" else "convert the network to float32 first"
            raise IlwpError(f"{printable(name)} is {layer.dtype}: {advice}")
    check_finite(kernels)
    return kernels


def as_weights(kernels: Kernels) -> dict[str, np.ndarray]:
    """The layers as a state dict has them, (c_i, 1, kh, kw)."""
    return {name: layer[:, None] for name, layer in kernels.items()}


def _is_depthwise(tensor: np.ndarray) -> bool:
    return tensor.ndim == 4 and tensor.shape[1] == 1 and tensor.shape[0] > 1 and tensor[0].size > 1
