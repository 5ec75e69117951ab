"""State dicts in files: `.safetensors`, `.pt` or `.pth` of tensors only, and `.ilwp` decoded.

Tensors come in network order: as registered from a `.pt`, by name with numbers counted (features.2
before features.10) from a `.safetensors`, which keeps no order of its own, and in the file's order, as far as it keeps
one, from an `.ilwp`.
"""

import io
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import safetensors
import safetensors.numpy

from ilwp import bitstream, codebook_file, codec, network_codec, network_file
from ilwp.binary import format_of
from ilwp.bitstream import Tensors
from ilwp.errors import IlwpError, about
from ilwp.files import atomic_write
from ilwp.kernels import with_kernels


def read_bytes(path: Path) -> bytes:
    """A file's content; raises IlwpError where it cannot be read or is empty."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IlwpError(f"{path} could not be read: {error.strerror}") from error
    if not content:
        raise IlwpError(f"{path} is empty")
    return content


def read_state_dict(path: Path) -> Tensors:
    """The tensors in a file, in network order; raises IlwpError where it does not hold a state dict."""
    readers = {".safetensors": _read_safetensors, ".pt": _read_torch, ".pth": _read_torch, ".ilwp": decoded}
    content = read_bytes(path)
    with about(path):
        if path.suffix not in readers:
            raise IlwpError(f"what is in it? Its name ends in none of {', '.join(readers)}")
        return readers[path.suffix](content)


def write_state_dict(path: Path, tensors: Tensors) -> None:
    """Write a `.safetensors` file, whole or not at all; the same tensors give the same bytes."""
    atomic_write(path, bitstream.to_safetensors(tensors))


def decoded(content: bytes) -> Tensors:
    """The state dict that an `.ilwp` file stands for."""
    if format_of(content) == network_file.VERSION:
        return network_codec.decode(network_file.read(content))
    if format_of(content) == codebook_file.VERSION:
        network = codebook_file.read(content)
        return in_network_order(network.tensors(), [name for books in network.sets for name in books.shapes])
    coded, other = bitstream.read(content)
    kernels = codec.decode(coded)
    return in_network_order(other | with_kernels(kernels, kernels), list(kernels))


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
