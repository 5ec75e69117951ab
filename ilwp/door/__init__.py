"""The door: whole state dicts to `.ilwp` files and back, for Python and for the command line.

>>> import numpy as np
>>> weights = np.random.default_rng(0).standard_normal((64, 128)).astype(np.float32)
>>> content = compress({"layer.weight": weights, "layer.bias": np.zeros(64)}, quality=30)
>>> back = decompress(content)
>>> back["layer.weight"].shape, len(content) < weights.nbytes / 4
((64, 128), True)
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from ilwp.common.errors import IlwpError, about, first_problem
from ilwp.common.files import atomic_write, check_writable, read_bytes
from ilwp.common.numbers import check_no_nan
from ilwp.door.frameworks import Framework, Tensor, arrays_of
from ilwp.door.reading import OpenFile, Row, decoded, read_file, read_state_dict
from ilwp.door.writing import (
    Compressed,
    compress_additive,
    compress_coded,
    compress_kernels,
    compress_network,
    structure_of,
    structure_of_module,
)
from ilwp.whole.plan import Plan

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Compressed", "OpenFile", "Row", "compress", "compress_additive", "compress_coded",
    "compress_kernels", "compress_network", "decoded", "decompress", "load_file", "open_file", "read_file",
    "read_state_dict", "save_file", "structure_of", "structure_of_module",
]  # fmt: skip

PathLike = str | Path
Chosen = Literal["baseline", "fss", "lss", "ill", "aligned", "multiset"]


def compress(
    tensors: "Mapping[str, Tensor]", *, quality: float | None = None, network: "nn.Module | None" = None,
    method: Chosen | None = None, images: "Tensor | None" = None, metadata: Mapping[str, str] | None = None,
) -> bytes:  # fmt: skip
    """The bytes of an `.ilwp` file of a state dict of NumPy arrays or torch tensors, of any shapes and types.

    `quality` is the ratio of signal to noise of all weights together in dB, 33 if it is None; with `network` it is that
    of the network's outputs, 31 if it is None. All that is no weight stays exact. `network` is the torch module that
    the tensors belong to; with it, batch norms are made simpler, and depthwise kernels are stored as sets, after which
    hidden channels come back in another order. `method` says how depthwise kernels are predicted (`ilwp compress
    --help`); without it, `multiset` with a network, else `ill`. `images` (n, c, h, w) float32, without labels, make up
    for most of what coarse steps lose; the quality is then about that of the outputs for the last fifth, which are held
    out. `metadata` is kept with the file.

    Raises IlwpError for NaN, for types that the format does not hold, and for `aligned`, `multiset` or images without
    the network.
    """
    arrays = arrays_of(tensors)
    check_no_nan(arrays)
    try:
        plan = Plan(method=method or ("multiset" if network is not None else "ill"), quality=quality)
    except ValidationError as error:
        raise IlwpError(first_problem(error)) from error
    structure, seen = None, None if images is None else arrays_of({"images": images})["images"]
    if network is not None:
        from ilwp.networks.tensors import load_tensors

        load_tensors(network, arrays)
        structure = structure_of_module(network.eval(), arrays, None if seen is None else seen.shape[1:])
    return compress_network(arrays, plan, structure, seen, metadata).content


def decompress(content: bytes, framework: Framework = "numpy") -> dict[str, Any]:
    """The tensors of an `.ilwp` file's bytes, as arrays or torch tensors; raises IlwpError where it is damaged."""
    with OpenFile(content, framework) as file:
        return file.tensors()


def save_file(tensors: "Mapping[str, Tensor]", path: PathLike, **options: Any) -> None:
    """Write a state dict to an `.ilwp` file, whole or not at all; options and errors are those of `compress`."""
    check_writable(Path(path))
    atomic_write(Path(path), compress(tensors, **options))


def load_file(path: PathLike, framework: Framework = "numpy") -> dict[str, Any]:
    """The tensors in an `.ilwp` file, as NumPy arrays or torch tensors; raises IlwpError where it is damaged."""
    with about(Path(path)):
        return decompress(read_bytes(Path(path)), framework)


def open_file(path: PathLike, framework: Framework = "numpy") -> OpenFile:
    """An `.ilwp` file whose tensors are read one by one, when they are asked for; a context manager.

    >>> import tempfile
    >>> import numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "network.ilwp"
    >>> save_file({"a.weight": np.eye(3), "b": np.arange(3)}, path, metadata={"format": "pt"})
    >>> with open_file(path) as file:
    ...     print(file.keys(), file.metadata(), file.get_tensor("b"))
    ['a.weight', 'b'] {'format': 'pt'} [0 1 2]
    """
    with about(Path(path)):
        return OpenFile(Path(path), framework)
