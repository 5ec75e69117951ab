"""State dicts that `torch.save` wrote, as NumPy arrays; nothing in them is run."""

import mmap
import re
import warnings
import zipfile
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any, cast

import ml_dtypes
import numpy as np

from ilwp.common.errors import IlwpError, one_line, printable
from ilwp.common.file_kinds import check_archive
from ilwp.common.numbers import FROM_FLOAT
from ilwp.common.wrappers import Found, state_dict_in

if TYPE_CHECKING:  # torch takes seconds to import, and most files are read without it
    import torch

# types that NumPy has through ml_dtypes alone, by torch's names
FLOATS = {
    name: np.dtype(getattr(ml_dtypes, name))
    for name in (
        "bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
    )
}  # fmt: skip

SAVE = "save tensors alone, torch.save(network.state_dict(), ...)"
NUMPY = {
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
    "complex64", "complex128",
}  # fmt: skip


def read_torch_file(content: mmap.mmap, key: str | None = None) -> tuple[dict[str, np.ndarray], Found]:
    """The tensors in the order of the file, and where in it they stood (`wrappers.state_dict_in`).

    Names of one tensor are names of one array. Raises IlwpError where the file is damaged, holds no state dict, or
    something that only running code could make.
    """
    import torch

    found = state_dict_in(_loaded(content), torch.Tensor, key)
    return _arrays(found.state_dict, 4 * len(content)), found


def _loaded(content: mmap.mmap) -> object:
    import torch

    file = cast(IO[bytes], content)
    _check_memory(content, file)
    try:
        content.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of a pickle's protocol helps no user
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch's reader stumble in any way
        raise IlwpError(_refusal(error, content)) from error


def _check_memory(content: mmap.mmap, file: IO[bytes]) -> None:
    """Raises IlwpError for other archives, and for what would take more memory to read than the file has bytes."""
    if content[:2] == b"PK":
        try:
            with zipfile.ZipFile(file) as archive:
                check_archive(archive)
                if sum(part.file_size for part in archive.infolist()) > len(content):
                    raise IlwpError("it is compressed, and may fill the memory: save it anew with torch.save")
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
            raise IlwpError(
                "not a whole torch file: it is cut short or damaged, so copy or download it again"
            ) from error
    # torch would make a bytearray of any length; with the 0 the search begins at the file's start
    if content.find(b"builtin", 0) >= 0 and content.find(b"\nbytearray\n", 0) >= 0:
        raise IlwpError(f"it holds a Python object (bytearray): {SAVE}")


def _refusal(error: Exception, content: mmap.mmap) -> str:
    if "weights_only" not in str(error).lower():
        return f"not a whole torch file ({one_line(error)}): copy or download it again, or {SAVE}"
    refused = re.search(r"GLOBAL (\w+(?:\.\w+)*)", str(error))
    name = f" ({refused[1]})" if refused else ""
    if refused and refused[1].startswith(("torch.ao.", "torchao.")):
        return f"it holds a quantized network{name}, which reading would run code for: {FROM_FLOAT}"
    what = "is a whole pickled model" if content.find(b"torch.nn.modules.", 0) >= 0 else "holds a Python object"
    return f"it {what}{name}, and reading that would run code from the file: {SAVE}"


def _arrays(tensors: Mapping[Any, "torch.Tensor"], most_bytes: int) -> dict[str, np.ndarray]:
    try:
        "".join(map(str, tensors)).encode()
    except UnicodeEncodeError as error:
        raise IlwpError("a tensor's name is no Unicode text: rename it") from error
    if len(set(map(str, tensors))) < len(tensors):
        raise IlwpError("two of its tensors have the same name as text: rename one")
    for name, tensor in tensors.items():
        _check_kind(str(name), tensor)
    distinct = {_memory(t): t for t in tensors.values()}
    if sum(t.numel() * t.element_size() for t in distinct.values()) > most_bytes:
        raise IlwpError("its tensors are far larger than the file: save copies of them")
    arrays = {memory: _array(t) for memory, t in distinct.items()}
    return {str(name): arrays[_memory(t)] for name, t in tensors.items()}


def _memory(tensor: "torch.Tensor") -> tuple[object, ...]:
    """Equal for tensors that are the same numbers in the same memory, and for no others."""
    if not tensor.numel():
        return (id(tensor),)
    signs = (tensor.is_conj(), tensor.is_neg())
    return (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride(), *signs)


def _check_kind(name: str, tensor: "torch.Tensor") -> None:
    import torch

    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.is_quantized:
        raise IlwpError(f"{printable(name)} is {kind}, of a quantized network: {FROM_FLOAT}, or its dequantize()")
    if tensor.layout != torch.strided or tensor.is_meta:
        kind = "without numbers" if tensor.is_meta else "sparse"
    elif kind in NUMPY or kind in FLOATS:
        return
    raise IlwpError(f"{printable(name)} is {kind}, not of NumPy's types: convert it to a dense float32 first")


def _array(tensor: "torch.Tensor") -> np.ndarray:
    import torch

    tensor = tensor.detach().resolve_conj().resolve_neg()
    dtype = FLOATS.get(str(tensor.dtype).removeprefix("torch."))
    if dtype is None:
        return np.asarray(tensor.numpy())
    return tensor.view(torch.uint8 if dtype.itemsize == 1 else torch.uint16).numpy().view(dtype)
