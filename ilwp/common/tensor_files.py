"""Networks in files: state dicts in `.safetensors` or torch files, in shards, or in a folder.

Tensors come in network order: as registered from a torch file, by name with numbers counted (features.2 before
features.10) from a safetensors file, which keeps no order of its own. Types that NumPy lacks are those of `ml_dtypes`.
"""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from ilwp.common import safetensors_files, torch_files
from ilwp.common.errors import IlwpError, about, printable
from ilwp.common.file_kinds import kind_of
from ilwp.common.files import atomic_write, map_bytes, mapped
from ilwp.common.shards import network_in, shards_of

Tensors = dict[str, np.ndarray]
StateDict = Mapping[str, np.ndarray]  # one that is only read
NO_KEYS = "--key chooses between networks in a torch file, and this is none"


@dataclass(frozen=True)
class TensorFile:
    """What a file holds: tensors in network order, and the texts of a safetensors file, such as `format`."""

    tensors: Tensors
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_tensors(path: Path, key: str | None = None) -> Tensors:
    """The tensors alone of `read_tensor_file`."""
    return read_tensor_file(path, key).tensors


def read_tensor_file(path: Path, key: str | None = None) -> TensorFile:
    """The network in a file, an index of shards, or a folder.

    `key` chooses one of the state dicts in a torch file; without it, a warning says which others there are. Tensors of
    one memory are one array. Raises IlwpError where there is no network, or reading it would run code.
    """
    if path.is_dir():
        path = network_in(path)
    content = map_bytes(path)
    with about(path):
        kind = kind_of(content, path.name)
        if kind == "torch":
            tensors, found = torch_files.read_torch_file(content, key)
            if found.others:
                others = ", ".join(printable(name) for name in found.others)
                warnings.warn(f"{path}: took {printable(found.key)}; --key chooses {others} instead", stacklevel=2)
            return TensorFile(tensors)
        if key is not None:
            raise IlwpError(NO_KEYS)
        if kind == "safetensors":
            tensors, metadata = safetensors_files.read_safetensors(content)
            return TensorFile(in_network_order(tensors), metadata)
        shards = shards_of(path, content)
    return _joined(path, shards)


def write_state_dict(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write a `.safetensors` file, whole or not at all; the same tensors and metadata give the same bytes."""
    parts = safetensors_files.parts(tensors, metadata)
    atomic_write(path, chain([next(parts)], parts))  # errors come with the first part, before a file is made


def to_safetensors(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file's bytes; raises IlwpError for a name and for types that the format does not have."""
    return b"".join(safetensors_files.parts(tensors, metadata))


def from_safetensors(content: bytes) -> Tensors:
    """The tensors of a safetensors file's bytes, in the order of its header; raises IlwpError where it is damaged."""
    return safetensors_files.read_safetensors(mapped(content))[0]


def in_network_order(tensors: Tensors, known: Sequence[str] = ()) -> Tensors:
    """Sorted by name, runs of digits as numbers, but the `known` names among themselves in their order."""
    names, left = set(known), iter(known)
    return {name: tensors[name] for name in (next(left) if n in names else n for n in sorted(tensors, key=_natural))}


def _natural(name: str) -> list[tuple[bool, int, str, str]]:
    # digits are compared as text, since int() refuses thousands of them
    parts = [(part, part.lstrip("0") if part.isdecimal() else part) for part in re.split(r"([0-9]+)", name)]
    return [(not part.isdecimal(), len(bare) * part.isdecimal(), bare, part) for part, bare in parts]


def _joined(index: Path, shards: Mapping[Path, Iterable[str]]) -> TensorFile:
    """The tensors of all shards; where two hold one name, that of the shard that the index names."""
    tensors: Tensors = {}
    wanted: Tensors = {}
    metadata: dict[str, str] = {}
    for path, names in shards.items():
        shard = read_tensor_file(path)
        for name in names:
            if name not in shard.tensors:
                raise IlwpError(f"{index}: {printable(name)} is not in its shard {path.name}: download both again")
            wanted[name] = shard.tensors[name]
        tensors |= shard.tensors
        metadata |= shard.metadata
    tensors |= wanted
    ordered = ".safetensors" not in index.name.lower()  # the names of a torch file's tensors are
    return TensorFile(tensors if ordered else in_network_order(tensors), metadata)
