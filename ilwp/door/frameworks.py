"""NumPy arrays and torch tensors, each as the other: same memory, same names, same sharing."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ilwp.common.errors import IlwpError
from ilwp.common.tensor_files import Tensors
from ilwp.whole.types import SHORT, TYPES, type_of

if TYPE_CHECKING:
    import torch

Framework = Literal["numpy", "torch"]
Tensor: TypeAlias = "np.ndarray | torch.Tensor"


def arrays_of(tensors: Mapping[str, Any]) -> Tensors:
    """NumPy arrays of arrays or torch tensors, without a copy where they lie in this machine's memory.

    Raises IlwpError for what is neither.
    """
    found: Tensors = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, np.ndarray | np.generic):
            found[name] = np.asarray(tensor)
        elif "torch" in sys.modules and isinstance(tensor, sys.modules["torch"].Tensor):
            found[name] = _from_torch(tensor)
        else:
            raise IlwpError(f"{name} is a {type(tensor).__name__}: give a NumPy array or a torch tensor")
    return found


def in_framework(array: np.ndarray, framework: Framework) -> Any:
    """The array itself, or a torch tensor of the same memory; raises IlwpError for another framework."""
    if framework not in ("numpy", "torch"):
        raise IlwpError(f"tensors come as 'numpy' or as 'torch', not as {framework!r}")
    if framework == "numpy":
        return array
    import torch

    if array.dtype.name in SHORT:
        return torch.from_numpy(array.view(_bits(array.dtype.itemsize))).view(getattr(torch, array.dtype.name))
    return torch.from_numpy(array)


def _from_torch(tensor: "torch.Tensor") -> np.ndarray:
    import torch

    plain = tensor.detach().cpu()
    name = str(plain.dtype).removeprefix("torch.")
    if name not in SHORT:
        array: np.ndarray = plain.numpy()
        return array
    bits: np.ndarray = plain.view(getattr(torch, np.dtype(_bits(plain.element_size())).name)).numpy()
    return bits.view(type_of(TYPES.index(name)))


def _bits(itemsize: int) -> type[np.generic]:
    return np.uint8 if itemsize == 1 else np.int16
