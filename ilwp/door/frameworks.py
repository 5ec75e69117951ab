"""NumPy arrays and torch tensors, each as the other: same memory, same names, same sharing."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from ilwp.common.errors import IlwpError, printable
from ilwp.common.numbers import FROM_FLOAT
from ilwp.common.tensor_files import Tensors
from ilwp.whole.types import SHORT, TYPES, type_of

if TYPE_CHECKING:
    import torch

Framework = Literal["numpy", "torch"]
Tensor: TypeAlias = "np.ndarray | torch.Tensor"


def arrays_of(tensors: Mapping[str, Any]) -> Tensors:
    """NumPy arrays of arrays or torch tensors, without a copy where they lie in this machine's memory.

    Raises IlwpError for what is neither, for types that files do not hold, and for names that are no text.
    """
    found: Tensors = {}
    for name, tensor in tensors.items():
        if not isinstance(name, str):
            raise IlwpError(f"the name {name!r} is no text: rename it")
        if isinstance(tensor, np.ndarray | np.generic):
            found[name] = np.asarray(tensor)
        elif "torch" in sys.modules and isinstance(tensor, sys.modules["torch"].Tensor):
            found[name] = _from_torch(name, tensor)
        else:
            raise IlwpError(f"{name} is a {type(tensor).__name__}: give a NumPy array or a torch tensor")
        if found[name].dtype.name not in TYPES:
            raise _without_place(name, str(found[name].dtype))
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


def _without_place(name: str, kind: str) -> IlwpError:
    return IlwpError(f"{printable(name)} is {kind}, which has no place in a file: convert it to a dense float32 first")


def _from_torch(name: str, tensor: "torch.Tensor") -> np.ndarray:
    import torch

    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.layout != torch.strided or tensor.is_meta:
        raise _without_place(name, "without numbers" if tensor.is_meta else "sparse")
    if tensor.is_quantized:
        raise IlwpError(f"{printable(name)} is {kind}, of a quantized network: {FROM_FLOAT}, or its dequantize()")
    if kind not in TYPES:
        raise _without_place(name, kind)
    plain = tensor.detach().cpu().resolve_conj().resolve_neg()
    if kind not in SHORT:
        array: np.ndarray = plain.numpy()
        return array
    bits: np.ndarray = plain.view(getattr(torch, np.dtype(_bits(plain.element_size())).name)).numpy()
    return bits.view(type_of(TYPES.index(kind)))


def _bits(itemsize: int) -> type[np.generic]:
    return np.uint8 if itemsize == 1 else np.int16
