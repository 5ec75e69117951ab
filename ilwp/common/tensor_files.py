"""State dicts in files: `.safetensors`, `.pt` or `.pth` of tensors only.

Tensors come in network order: as registered from a `.pt`, by name with numbers counted (features.2
before features.10) from a `.safetensors`, which keeps no order of its own.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from ilwp.common.errors import IlwpError, about
from ilwp.common.files import atomic_write, read_bytes

Tensors = dict[str, np.ndarray]


def read_tensors(path: Path) -> Tensors:
    """The tensors in a file, in network order; raises IlwpError where it does not hold a state dict."""
    content = read_bytes(path)
    with about(path):
        if path.suffix not in READERS:
            raise IlwpError(f"what is in it? Its name ends in none of {', '.join(READERS)}")
        return READERS[path.suffix](content)


def write_state_dict(path: Path, tensors: Tensors) -> None:
    """Write a `.safetensors` file, whole or not at all; the same tensors give the same bytes."""
    atomic_write(path, to_safetensors(tensors))


def to_safetensors(tensors: Tensors) -> bytes:
    """A safetensors file; raises IlwpError for the one name that the format keeps for itself, and for unknown types."""
    if "__metadata__" in tensors:
        raise IlwpError("a tensor cannot be called __metadata__ in a safetensors file: rename it")
    try:
        return bytes(safetensors.numpy.save({name: np.asarray(t, order="C") for name, t in tensors.items()}))
    except safetensors.SafetensorError as error:
        raise IlwpError(f"not of a safetensors file's types ({error}): convert the network to float32") from error


def in_network_order(tensors: Tensors, known: Sequence[str] = ()) -> Tensors:
    """Sorted by name, runs of digits as numbers, but the `known` names among themselves in their order."""
    names, left = set(known), iter(known)
    return {name: tensors[name] for name in (next(left) if n in names else n for n in sorted(tensors, key=_natural))}


def _natural(name: str) -> list[tuple[bool, int, str, str]]:
    # digits are compared as text, since int() refuses thousands of them
    parts = [(part, part.lstrip("0") if part.isdecimal() else part) for part in re.split(r"([0-9]+)", name)]
    return [(not part.isdecimal(), len(bare) * part.isdecimal(), bare, part) for part, bare in parts]


def _read_safetensors(content: bytes) -> Tensors:
    try:
        return in_network_order(safetensors.numpy.load(content))
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise IlwpError(f"not a whole safetensors file of NumPy's types ({_one_line(error)})") from error


def _read_torch(content: bytes) -> Tensors:
    import torch

    try:
        _check_memory(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch thinks of a pickle's protocol helps no user
            tensors = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch's reader stumble in any way
        reason = "more than tensors in it" if "weights_only" in str(error).lower() else _one_line(error)
        raise IlwpError(f"not a whole state dict ({reason}): save network.state_dict()") from error
    if not isinstance(tensors, dict) or not all(isinstance(t, torch.Tensor) for t in tensors.values()):
        raise IlwpError("not a mapping from names to tensors: save network.state_dict()")
    if sum(t.numel() * t.element_size() for t in tensors.values() if t.layout == torch.strided) > 4 * len(content):
        raise IlwpError("its tensors are far larger than the file: save copies of them")
    try:
        "".join(map(str, tensors)).encode()
        named = {str(name): t.detach().numpy() for name, t in tensors.items()}
    except UnicodeEncodeError as error:
        raise IlwpError("a tensor's name is no Unicode text: rename it") from error
    except (TypeError, RuntimeError) as error:
        raise IlwpError(f"not of NumPy's types ({_one_line(error)}): convert it to float32 first") from error
    if len(named) < len(tensors):
        raise IlwpError("two of its tensors have the same name as text: rename one")
    return named


def _check_memory(content: bytes) -> None:
    """Raises ValueError for what would take more memory to read than the file has bytes."""
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > len(content):
                raise ValueError("it is compressed")
    if b"builtin" in content and b"\nbytearray\n" in content:  # of any length, and torch would make it
        raise ValueError("more than tensors in it")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


READERS = {".safetensors": _read_safetensors, ".pt": _read_torch, ".pth": _read_torch}
