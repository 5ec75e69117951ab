"""Reading an `.ilwp` file of any format: all of it, one tensor, or what it says of each; formats differ only here."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from ilwp.codebooks import codebook_file
from ilwp.common.bytes import format_of
from ilwp.common.errors import IlwpError, about
from ilwp.common.files import reason
from ilwp.common.tensor_files import NO_KEYS, TensorFile, Tensors, in_network_order, read_tensor_file
from ilwp.door.frameworks import Framework, in_framework
from ilwp.whole import segments
from ilwp.whole.archive import Archive
from ilwp.whole.container import CODEBOOKS, SHARED, Segment
from ilwp.whole.pieces import Exact, KernelLevels, Piece, Powers, decode_pieces, size


@dataclass(frozen=True)
class Row:
    """What a file says of a tensor: how it is `stored`, its weights, its bytes in the file and, `raw`, in memory.

    `snr` is the ratio of signal to noise in dB, infinite if exact; none where the original is not known.
    """

    tensor: str
    stored: str
    weights: int
    bytes: float
    raw: int
    snr: float | None = None


class OpenFile:
    """An open `.ilwp` file: tensors are read and decoded when they are asked for. A context manager."""

    def __init__(self, source: Path | bytes, framework: Framework = "numpy") -> None:
        self._framework = framework
        self._file = None
        self._tensors: Tensors | None = None  # of a file of format 1, which cannot be read in parts
        self._groups: dict[int, Tensors] = {}  # of each kind what was last decoded together, kept for the next
        content, length = (source, len(source)) if isinstance(source, bytes) else (b"", 0)
        if isinstance(source, Path):
            try:
                self._file = source.open("rb")
                status = os.fstat(self._file.fileno())
                length = status.st_size
                if not stat.S_ISREG(status.st_mode):  # a pipe cannot be read in parts
                    content = self._file.read()
                    length = len(content)
                    self.close()
                    self._file = None
            except OSError as error:
                raise IlwpError(f"could not be read: {reason(error)}") from error
        try:
            if format_of(self._read_from(content)(0, 5)) == 1:
                self._tensors = _of_format_1(self._read_from(content)(0, length))
            else:
                self._archive = Archive(self._read_from(content), length)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a context manager does so by itself."""
        if self._file is not None:
            self._file.close()

    def keys(self) -> list[str]:
        """All names, in the network's order."""
        return list(self._archive.entries if self._tensors is None else self._tensors)

    def metadata(self) -> dict[str, str]:
        """What the tensors came with, such as `format` in a safetensors file."""
        return dict(self._archive.metadata) if self._tensors is None else {}

    def get_tensor(self, name: str) -> Any:
        """One tensor, decoded without the rest, as an array or a torch tensor.

        Raises IlwpError where there is no such tensor or its part of the file is damaged.
        """
        return in_framework(self._array(name), self._framework)

    def tensors(self) -> dict[str, Any]:
        """All tensors; raises IlwpError where any is damaged."""
        return self._all(strict=True)[0]

    def sound_tensors(self) -> tuple[dict[str, Any], dict[str, IlwpError]]:
        """All tensors that are not damaged, and what is wrong with each of the others."""
        return self._all(strict=False)

    def _all(self, strict: bool) -> tuple[dict[str, Any], dict[str, IlwpError]]:
        if self._tensors is not None:
            return {name: in_framework(t, self._framework) for name, t in self._tensors.items()}, {}
        found: Tensors = {}
        problems: dict[str, IlwpError] = {}
        for name in self._archive.segments():
            entry = self._archive.entries[name]
            try:
                if entry.kind != SHARED:
                    found |= self._decoded(self._archive.segment(name))
            except IlwpError as error:
                if strict:
                    raise
                members = [name] if entry.segment is None else self._archive.members[entry.segment]
                problems |= dict.fromkeys(members, error)
        first = {name: entry.content.decode() for name, entry in self._archive.entries.items() if entry.kind == SHARED}
        made = {name: in_framework(t, self._framework) for name, t in found.items()}
        problems |= {name: problems[source] for name, source in first.items() if source in problems}
        made |= {name: made[source] for name, source in first.items() if source in made}
        return {name: made[name] for name in self.keys() if name in made}, problems

    def rows(self) -> list[Row]:
        """What the file says of each tensor; decodes levels, but encodes nothing."""
        found: dict[str, Row] = {}
        sets = 0
        for name in self._archive.segments():
            segment = self._archive.segment(name)
            if segment.kind == SHARED:
                found[name] = Row(name, f"shared with {segment.content.decode()}", 0, 0.0, 0)
            elif segment.kind == CODEBOOKS:
                sets += 1
                found |= codebook_rows(segment, codebook_file.unpack_codebooks(segment)[1], sets)
            else:
                (pieces, bits), raw = segments.unpack_segment(segment), {n: form.nbytes for n, form in segment.forms()}
                found |= {n: Row(n, stored(p), size(p), bits[n] / 8, raw[n]) for n, p in pieces.items()}
        return [found[name] for name in self.keys()]

    def _array(self, name: str) -> np.ndarray:
        if self._tensors is not None:
            if name not in self._tensors:
                raise IlwpError(f"this file holds no tensor called {name}")
            return self._tensors[name]
        for group in self._groups.values():
            if name in group:
                return group[name]
        segment = self._archive.segment(name)
        if segment.kind == SHARED:
            return self._array(segment.content.decode())
        found = self._decoded(segment)
        if len(found) > 1:
            self._groups[segment.kind] = found
        return found[name]

    @staticmethod
    def _decoded(segment: Segment) -> Tensors:
        if segment.kind == CODEBOOKS:
            return codebook_file.unpack_codebooks(segment)[0].tensors()
        return decode_pieces(segments.unpack_segment(segment)[0])

    def _read_from(self, content: bytes) -> Any:
        if self._file is None:
            return lambda start, length: content[start : start + length]
        number = self._file.fileno()

        def read(start: int, length: int) -> bytes:
            parts = []
            while length and (part := os.pread(number, length, start)):
                parts.append(part)
                start, length = start + len(part), length - len(part)
            return b"".join(parts)

        return read


def stored(piece: Piece) -> str:
    """How a piece is stored, in words."""
    if isinstance(piece, KernelLevels):
        return "kernels, a set" if piece.cells is not None else f"kernels, {piece.method}"
    if isinstance(piece, Powers):
        return "powers of two"
    return "exact" if isinstance(piece, Exact) else "levels"


def codebook_rows(segment: Segment, bits: Mapping[str, float], number: int) -> dict[str, Row]:
    """The rows of the tensors of set `number`; its codebooks are charged to the first."""
    books = len(segment.content) - sum(bits.values()) / 8
    rows = {
        name: Row(name, f"codebooks {number}", form.size, bits[name] / 8, form.nbytes) for name, form in segment.forms()
    }
    first = next(iter(rows.values()))
    return rows | {first.tensor: replace(first, bytes=first.bytes + books)}


def decoded(content: bytes) -> Tensors:
    """The state dict that an `.ilwp` file stands for, in the network's order."""
    with OpenFile(content) as file:
        return file.tensors()


def read_file(path: Path, key: str | None = None) -> TensorFile:
    """The network in a file of any kind, `.ilwp` decoded, in network order; raises IlwpError where there is none.

    `key` chooses between the networks in a torch file, as in `read_tensor_file`.
    """
    if path.suffix != ".ilwp":
        return read_tensor_file(path, key)
    with about(path):
        if key is not None:
            raise IlwpError(NO_KEYS)
        with OpenFile(path) as file:
            return TensorFile(file.tensors(), file.metadata())


def read_state_dict(path: Path, key: str | None = None) -> Tensors:
    """The tensors alone of `read_file`."""
    return read_file(path, key).tensors


def _of_format_1(content: bytes) -> Tensors:
    from ilwp.paper import bitstream, codec
    from ilwp.paper.kernels import as_weights

    coded, other, _ = bitstream.read_kernel_file(content)
    kernels = codec.decode_kernels(coded)
    return in_network_order(other | as_weights(kernels), list(kernels))
