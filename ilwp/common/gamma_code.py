"""Tables of small whole numbers, such as Huffman lengths, as differences in Elias's gamma code."""

import itertools
from functools import cache

import numpy as np
from bitarray import bitarray
from bitarray.util import canonical_decode

from ilwp.common.errors import IlwpError


def encode_lengths(lengths: np.ndarray) -> bitarray:
    """A code table, lengths (m,) from 0 on, as bits: each length's difference to the one before in Elias's gamma code.

    Neighbouring symbols are about equally frequent, so most differences take one to three bits.
    """
    difference = np.diff(lengths, prepend=0)
    folded = np.where(difference > 0, 2 * difference, 1 - 2 * difference)  # 0, 1, -1, 2 ... -> 1, 2, 3, 4 ...
    widths = 2 * np.frexp(folded)[1].astype(np.int64) - 1  # a number of n digits follows n - 1 zeros
    ends = np.cumsum(widths)
    digits = folded.repeat(widths) >> (ends.repeat(widths) - 1 - np.arange(ends[-1])) & 1
    bits = bitarray()
    bits.frombytes(np.packbits(digits.astype(np.uint8)).tobytes())
    return bits[: ends[-1]]


def decode_lengths(bits: bitarray, size: int, longest: int) -> tuple[np.ndarray, int]:
    """What `encode_lengths` was given (size,) int64, each up to `longest`, and how many bits it took.

    Raises IlwpError if the bits end too soon or hold a greater length.
    """
    most = longest.bit_length()
    try:
        numbers = canonical_decode(~bits[: size * (2 * most + 1)], *_inverted_gamma_code(most))
        folded = np.fromiter(itertools.islice(numbers, size), np.int64)
    except ValueError as error:
        raise IlwpError("a code table is cut short") from error
    if len(folded) < size:
        raise IlwpError("a code table is cut short")
    lengths = np.cumsum(np.where(folded % 2, -(folded // 2), folded // 2))
    if not 0 <= lengths.min(initial=0) <= lengths.max(initial=0) <= longest:
        raise IlwpError("a code table holds an impossible length")
    return lengths, int((2 * np.frexp(folded)[1].astype(np.int64) - 1).sum())


@cache
def _inverted_gamma_code(most: int) -> tuple[list[int], list[int]]:
    """The gamma code of numbers with up to `most` zeros ahead, as `canonical_decode` takes it: with every bit inverted
    it is a canonical code, of which the greatest number of each length comes first.
    """
    per_length, numbers = [0] * (2 * most + 2), list[int]()
    for zeros in range(most + 1):
        per_length[2 * zeros + 1] = 1 << zeros
        numbers += range((2 << zeros) - 1, (1 << zeros) - 1, -1)
    return per_length, numbers
