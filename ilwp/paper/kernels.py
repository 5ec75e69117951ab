"""The depthwise kernels K[i][j] of a module or a state dict, in network order, and writing them back.

A layer is an array (c_i, kh, kw) float32, its name the state dict's key. A state dict shows shapes alone: there a
depthwise weight is one of shape (c, 1, kh, kw) with more than one kernel of more than one tap. A first convolution over
one-channel images has that shape too. In a module the number of groups tells the two apart.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ilwp.common.errors import IlwpError, printable
from ilwp.common.numbers import check_finite

Kernels = dict[str, np.ndarray]  # layer name -> (c_i, kh, kw) float32


def depthwise_names(module: Any) -> list[str]:
    """State dict keys of the depthwise weights of a torch module, in the order of registration.

    Their kernels have one axis or more. A weight computed from other parameters, as in weight norm, is left out.
    """
    return [
        f"{name}.weight" if name else "weight"
        for name, layer in module.named_modules()
        if getattr(layer, "in_channels", 1) == getattr(layer, "groups", 1) > 1
        and "weight" in layer._parameters
        and layer.weight[0, 0].numel() > 1
    ]


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
            raise IlwpError(f"{printable(name)} is {layer.dtype}: convert the network to float32 first")
    check_finite(kernels)
    return kernels


def with_kernels(tensors: Mapping[str, np.ndarray], kernels: Kernels) -> dict[str, np.ndarray]:
    """The state dict with the named layers replaced, everything else as it was."""
    return {name: kernels[name][:, None] if name in kernels else t for name, t in tensors.items()}


def _is_depthwise(tensor: np.ndarray) -> bool:
    return tensor.ndim == 4 and tensor.shape[1] == 1 and tensor.shape[0] > 1 and tensor[0].size > 1
