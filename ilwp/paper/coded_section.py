"""The coded section of an `.ilwp` file: code tables, indices and code words of every layer but the first."""

import numpy as np
from bitarray import bitarray
from bitarray.util import ba2int, int2ba

from ilwp.common.errors import IlwpError
from ilwp.common.gamma_code import encode_lengths
from ilwp.paper.codec import CodedKernels
from ilwp.paper.huffman import code_lengths, decode_symbols, decode_table, encode_symbols
from ilwp.paper.methods import SEARCHES
from ilwp.paper.quantization import of_range
from ilwp.paper.settings import Settings

MOST_SEARCHED = 1 << 14  # kernels of a layer with indices: taking one number apart costs their square


def write_section(coded: CodedKernels, channels: list[int]) -> tuple[bytes, int, int]:
    """The coded section, and how many of its bits are indices and code words."""
    settings, bits = coded.settings, bitarray(endian="big")
    symbols = [q.ravel().astype(np.int64) - z.lowest for q, z in zip(coded.levels, coded.quantizers, strict=True)]
    index_bits = texture_bits = 0
    lengths = np.zeros(0, np.int64)
    if settings.table == "network" and symbols:
        lengths = code_lengths(np.bincount(np.concatenate(symbols), minlength=_alphabet(settings)))
        bits += encode_lengths(lengths)
    for i, layer in enumerate(symbols):
        if settings.table == "layer":
            lengths = code_lengths(np.bincount(layer, minlength=_alphabet(settings)))
            bits += encode_lengths(lengths)
        if settings.method in SEARCHES:
            digits = _pack_indices(coded.indices[i], _candidates(settings, channels[: i + 1]))
            bits += digits
            index_bits += len(digits)
        words = encode_symbols(layer, lengths)
        bits += words
        texture_bits += len(words)
    return bits.tobytes(), index_bits, texture_bits


def read_section(
    bits: bitarray, settings: Settings, channels: list[int], taps: int
) -> tuple[list[np.ndarray], list[np.ndarray], int, int]:
    """Levels (c_i * taps,) int16 and indices (c_i,) int64 of each layer from the second on.

    Then how many bits are indices and code words, as `write_section` says it.
    """
    lowest = of_range(0.0, 0.0, settings.bits, settings.quantizer == "symmetric").lowest
    levels, indices, position, index_bits, texture_bits = [], [], 0, 0, 0
    lengths = np.zeros(0, np.int64)
    if settings.table == "network" and len(channels) > 1:
        lengths, position = decode_table(bits, _alphabet(settings))
    for i, count in enumerate(channels[1:]):
        if settings.table == "layer":
            lengths, used = decode_table(bits[position:], _alphabet(settings))
            position += used
        if settings.method in SEARCHES:
            chosen, used = _unpack_indices(bits[position:], count, _candidates(settings, channels[: i + 1]))
            position += used
            index_bits += used
        else:
            pool = 1 if settings.method == "baseline" else channels[i]
            chosen = np.arange(count) % pool
        symbols = decode_symbols(bits[position:], count * taps, lengths)
        if np.count_nonzero(lengths) > 1:
            used = int(lengths[symbols].sum())
            position += used
            texture_bits += used
        levels.append((symbols + lowest).astype(np.int16))
        indices.append(chosen)
    if len(bits) - position >= 8 or bits[position:].any():
        raise IlwpError("the file's coded section is longer than its weights")
    return levels, indices, index_bits, texture_bits


def _alphabet(settings: Settings) -> int:
    return (1 << settings.bits) - (settings.quantizer == "symmetric")


def _candidates(settings: Settings, channels_before: list[int]) -> int:
    return sum(channels_before if settings.method == "fss" else channels_before[-1:])


def _index_bits(count: int, base: int) -> int:
    highest: int = base**count - 1
    return highest.bit_length()


def _pack_indices(indices: np.ndarray, base: int) -> bitarray:
    if len(indices) > MOST_SEARCHED:
        raise IlwpError(f"a layer that is searched for has more than {MOST_SEARCHED:,} kernels: choose another method")
    number = 0
    for index in reversed(indices.tolist()):
        number = number * base + index
    length = _index_bits(len(indices), base)
    return int2ba(number, length) if length else bitarray()


def _unpack_indices(bits: bitarray, count: int, base: int) -> tuple[np.ndarray, int]:
    # a forged file may claim a count for which the exact length takes long to compute; this lower bound does not
    least = count * (base.bit_length() - 1)
    if count > MOST_SEARCHED or least > len(bits) or (length := _index_bits(count, base)) > len(bits):
        raise IlwpError("the file's indices end too soon")
    number, digits = (ba2int(bits[:length]) if length else 0), []
    for _ in range(count):
        number, digit = divmod(number, base)
        digits.append(digit)
    if number:
        raise IlwpError("the file's indices point beyond their candidates")
    return np.asarray(digits, np.int64), length
