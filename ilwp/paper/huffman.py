"""Canonical Huffman coding of integer symbols, the tables that go with it, and Shannon's bound.

    counts -> code_lengths -> encode_symbols / decode_symbols,  encode_lengths / decode_table

Symbols are 0 ... m - 1; a code is known by its lengths (m,) alone, 0 for a symbol that never occurs.
Where only one symbol occurs its length is 1, but its code words are left out: the table says it all.
"""

import heapq
import itertools

import numpy as np
from bitarray import bitarray
from bitarray.util import canonical_decode, int2ba

from ilwp.common.errors import IlwpError
from ilwp.common.gamma_code import decode_lengths

LONGEST = 31  # the longest code the decoder follows


def entropy(counts: np.ndarray) -> float:
    """Shannon's bound in bits per symbol for symbols that occur `counts` (m,) times.

    >>> entropy(np.array([2, 1, 1]))
    1.5
    """
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def code_lengths(counts: np.ndarray) -> np.ndarray:
    """Huffman's code lengths (m,) int64 for symbols that occur `counts` (m,) times.

    Of equally rare subtrees the one with the lowest symbol is merged first, so the lengths are unique.

    >>> code_lengths(np.array([5, 0, 1, 2]))
    array([1, 0, 2, 2])
    """
    lengths = np.zeros(len(counts), np.int64)
    heap = [(int(counts[s]), s, [s]) for s in np.flatnonzero(counts).tolist()]
    if len(heap) == 1:
        lengths[heap[0][1]] = 1
    heapq.heapify(heap)
    while len(heap) > 1:
        (n, first, left), (m, second, right) = heapq.heappop(heap), heapq.heappop(heap)
        lengths[left + right] += 1
        heapq.heappush(heap, (n + m, min(first, second), left + right))
    return lengths if lengths.max(initial=0) <= LONGEST else code_lengths((counts + 1) // 2)


def encode_symbols(symbols: np.ndarray, lengths: np.ndarray) -> bitarray:
    """The code words of symbols (n,) one after another.

    >>> encode_symbols(np.array([0, 2, 0, 3]), code_lengths(np.array([5, 0, 1, 2])))
    bitarray('010011')
    """
    bits = bitarray()
    if np.count_nonzero(lengths) > 1:
        bits.encode(_codebook(lengths), symbols.tolist())
    return bits


def decode_symbols(bits: bitarray, count: int, lengths: np.ndarray) -> np.ndarray:
    """The first `count` symbols (count,) int64 that `bits` begin with.

    Raises IlwpError if the bits end too soon or hold no code word.
    """
    order = _canonical_order(lengths)
    if len(order) == 1:
        return np.full(count, order[0])
    per_length = np.bincount(lengths)
    per_length[0] = 0
    try:
        words = canonical_decode(bits, per_length.tolist(), order.tolist())
        symbols = np.fromiter(itertools.islice(words, count), np.int64)
    except ValueError as error:
        raise IlwpError(f"the coded weights do not decode ({error})") from error
    if len(symbols) < count:
        raise IlwpError("the coded weights end too soon")
    return symbols


def decode_table(bits: bitarray, size: int) -> tuple[np.ndarray, int]:
    """Code lengths (size,) int64 and how many bits they took.

    Raises IlwpError if the bits end too soon or hold no complete prefix code.
    """
    lengths, position = decode_lengths(bits, size, LONGEST)
    used = lengths[lengths > 0]
    if used.tolist() != [1] and (2.0**-used).sum() != 1:
        raise IlwpError("a code table is not a prefix code")
    return lengths, position


def _canonical_order(lengths: np.ndarray) -> np.ndarray:
    """The symbols in use, by length and then by symbol."""
    order = np.argsort(lengths, kind="stable")
    return order[lengths[order] > 0]


def _codebook(lengths: np.ndarray) -> dict[int, bitarray]:
    """Symbol -> code word: each word is the one before plus one, widened with zeros."""
    book, word, width = {}, -1, 0
    for symbol in _canonical_order(lengths).tolist():
        length = int(lengths[symbol])
        word = (word + 1) << (length - width)
        width = length
        book[symbol] = int2ba(word, length)
    return book
