"""Tensors whose weights are read from codebooks.

A tensor is cut into vectors of d weights, the last filled up with zeros; a vector is the sum of one codeword of each
codebook, times the tensor's scale if it has one. With one codebook and d = 1 that is a list of values, as weight fixing
leaves it (`weight_fixing`); with several codebooks it is additive quantization (`additive`). `codebook_file` writes it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ilwp.common.errors import IlwpError
from ilwp.paper.huffman import entropy
from ilwp.paper.quantization import quantize
from ilwp.whole.pieces import Exact, Levels, Piece
from ilwp.whole.steps import of_step


@dataclass(frozen=True)
class Codebooks:
    """Tensors that share codebooks: their `shapes` by name, `books`, each (k, d) float32, and the `codes`
    (vectors, len(books)) int32 of all their vectors, tensor by tensor; `scales` by name are float32 values, or none.
    """

    shapes: Mapping[str, tuple[int, ...]]
    books: tuple[np.ndarray, ...]
    codes: np.ndarray
    scales: Mapping[str, float] | None = None

    def tensors(self) -> dict[str, np.ndarray]:
        """The tensors, float32, the same bits on every machine; raises IlwpError where one is too large for that."""
        vectors = np.zeros((len(self.codes), self.books[0].shape[1]), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for book, codes in zip(self.books, self.codes.T, strict=True):
                vectors += book[codes]
            found = joined(vectors, self.shapes)
            if self.scales:
                found = {name: t * np.float32(self.scales[name]) for name, t in found.items()}
        if not all(np.isfinite(t).all() for t in found.values()):
            raise IlwpError("the codewords are too large for float32 once they are added up")
        return found

    def entropy(self) -> float:
        """Bits a weight that codes take at least, each codebook's coded on its own."""
        bits = sum(entropy(np.bincount(codes)) for codes in self.codes.T) * len(self.codes)
        return float(bits / max(sum(map(math.prod, self.shapes.values())), 1))


def cut(tensors: Mapping[str, np.ndarray], length: int) -> np.ndarray:
    """All vectors (n, length) of tensors, in order; each tensor begins a vector of its own."""
    filled = [np.pad(t.ravel(), (0, -t.size % length)).reshape(-1, length) for t in tensors.values()]
    return np.concatenate(filled)


def joined(vectors: Any, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
    """What `cut` was given, from vectors (n, length) in the same order, NumPy's or torch's."""
    tensors, start = {}, 0
    for name, shape in shapes.items():
        count = -(-math.prod(shape) // vectors.shape[1])
        tensors[name] = vectors[start : start + count].ravel()[: math.prod(shape)].reshape(shape)
        start += count
    return tensors


def in_order(books: Codebooks, names: Iterable[str]) -> Codebooks:
    """The set with its tensors in the order in which `names` has them, as a file does."""
    counts = [-(-math.prod(shape) // books.books[0].shape[1]) for shape in books.shapes.values()]
    parts = dict(zip(books.shapes, np.split(books.codes, np.cumsum(counts)[:-1]), strict=True))
    order = [name for name in names if name in parts]
    scales = {name: books.scales[name] for name in order} if books.scales else books.scales
    codes = np.concatenate([parts[name] for name in order])
    return replace(books, shapes={name: books.shapes[name] for name in order}, codes=codes, scales=scales)


def by_use(book: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A codebook (k, d) without codewords that no code (n,) uses, the most used first, and the codes in it, int32.

    Among codewords used alike the first stays first.
    """
    counts = np.bincount(codes, minlength=len(book))
    order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    place = np.zeros(len(book), np.int32)
    place[order] = np.arange(len(order))
    return book[order], place[codes]


def ordered(books: Codebooks) -> Codebooks:
    """The same with every codebook in the order of use (`by_use`)."""
    pairs = [by_use(book, codes) for book, codes in zip(books.books, books.codes.T, strict=True)]
    return replace(books, books=tuple(book for book, _ in pairs), codes=np.stack([codes for _, codes in pairs], axis=1))


def pieces(tensors: Mapping[str, np.ndarray], bits: float | None) -> dict[str, Piece]:
    """Tensors outside codebooks: float32 ones as levels of `bits` in their own range; exact if None, and the others."""
    return {name: _levels(t, bits) if bits and _varies(t) else Exact(t) for name, t in tensors.items()}


def _varies(tensor: np.ndarray) -> bool:
    return tensor.dtype == np.float32 and tensor.size > 0 and bool(np.isfinite(tensor).all()) and np.ptp(tensor) > 0


def _levels(tensor: np.ndarray, bits: float) -> Levels:
    quantizer = of_step(float(np.abs(tensor).max()) / (2 ** (bits - 1) - 1))
    return Levels(quantize(tensor, quantizer), quantizer.step)
