"""The `.ilwp` file, byte by byte. Numbers are little-endian, bits run from the highest in a byte.

    bytes             what
    4                 "ILWP"
    1                 format version, 1
    1                 method: 0 baseline, 1 fss, 2 lss, 3 ill, 4 aligned
    1                 bits per weight, 2 to 8
    1                 flags: 1 open loop, 2 affine quantizer, 4 one range, 8 one code table for the network
    1 + 1             kernel height and width
    2                 number of layers N
    4                 length of the coded section in bytes
    per layer         its name: bytes shared with the start of the name before (1) and with its end (1),
                      length of what lies between (1), and that in UTF-8; then its channels (4)
    4 per weight      the first layer, float32
    4 or 8 per layer  from the second layer on (or once): step and, if affine, offset, float32
    coded section     from the second layer on: code table (or once, in front), indices, code words
    until the end     the other tensors as a safetensors file; nothing if there are none
    4                 CRC-32 of everything before

A code table is a length for every level, lowest first, each as its difference d to the one before (0 before
the first) in Elias's gamma code of 2d for d > 0, else of 1 - 2d. A layer's indices are the digits, the first
kernel's lowest, of one number whose base is the number of candidates. Bits that fill the coded section up to
whole bytes are zero.
"""

import struct
import zlib
from dataclasses import replace
from itertools import pairwise

import numpy as np
from bitarray import bitarray

from ilwp.common.bytes import LONGEST_NAME, MAGIC, MOST_LAYERS, WEIGHTS_LIMIT, Reader, decoding_limit, opened, pack_name
from ilwp.common.errors import IlwpError
from ilwp.common.tensor_files import Tensors, from_safetensors, to_safetensors
from ilwp.paper.codec import CodedKernels
from ilwp.paper.coded_section import read_section, write_section
from ilwp.paper.methods import BITS, METHODS
from ilwp.paper.quantization import Quantizer, of_range
from ilwp.paper.settings import Rate, Settings

VERSION = 1
HEAD = struct.Struct("<4sBBBBBBHI")
# setting, its value where the flag is not set, and where it is
FLAGS = (
    ("loop", "closed", "open"),
    ("quantizer", "symmetric", "affine"),
    ("range", "layer", "network"),
    ("table", "layer", "network"),
)
MOST_WEIGHTS = 1 << 24


def write_kernel_file(coded: CodedKernels, other: Tensors | None = None) -> tuple[bytes, Rate]:
    """The file's bytes, and where its bits go; the same input gives the same bytes.

    Raises IlwpError where a name is too long or the network too large for the format.
    """
    settings = coded.settings
    channels = [len(coded.first), *map(len, coded.levels)]
    height, width = coded.first.shape[1:]
    if sum(channels) * height * width > MOST_WEIGHTS or max(height, width) > 255 or len(channels) > MOST_LAYERS:
        most = f"{MOST_WEIGHTS:,} depthwise weights in {MOST_LAYERS:,} layers"
        raise IlwpError(f"this network is too large for the format: at most {most}")
    section, index_bits, texture_bits = write_section(coded, channels)
    flags = sum(1 << i for i, (name, _, value) in enumerate(FLAGS) if getattr(settings, name) == value)
    stored = coded.quantizers[:1] if settings.range == "network" else coded.quantizers
    values = [(q.step, q.offset) if settings.quantizer == "affine" else (q.step,) for q in stored]
    method = METHODS.index(settings.method)
    content = HEAD.pack(MAGIC, VERSION, method, settings.bits, flags, height, width, len(channels), len(section))
    for (before, name), count in zip(pairwise(["", *coded.names]), channels, strict=True):
        content += pack_name(before, name) + struct.pack("<I", count)
    content += coded.first.astype("<f4").tobytes() + np.asarray(values, "<f4").tobytes() + section
    tail = to_safetensors(other) if other else b""
    file = content + tail
    file += struct.pack("<I", zlib.crc32(file))
    _check_room(sum(channels) * height * width, len(file))
    return file, _rate(len(file), texture_bits, index_bits, coded.first.size, len(tail))


def read_kernel_file(file: bytes) -> tuple[CodedKernels, Tensors, Rate]:
    """What `write_kernel_file` was given, and where the file's bits go.

    Raises IlwpError for anything that is not a whole, sound file of version 1.
    """
    reader = opened(file, VERSION)
    _, _, method, bits, flags, height, width, layers, section_bytes = HEAD.unpack(reader.take(HEAD.size))
    if method >= len(METHODS) or bits not in BITS or flags >> len(FLAGS) or not (height and width and layers):
        raise IlwpError("this file's header makes no sense")
    chosen = {name: values[flags >> i & 1] for i, (name, *values) in enumerate(FLAGS)}
    settings = Settings(method=METHODS[method], bits=bits, **chosen)
    names, channels = _names_and_channels(reader, layers)
    if sum(channels) * height * width > MOST_WEIGHTS or 0 in channels or layers > MOST_LAYERS:
        raise IlwpError(f"this file claims an impossible number of weights (at most {MOST_WEIGHTS:,} are allowed)")
    _check_room(sum(channels) * height * width, len(file))
    first = np.frombuffer(reader.take(4 * channels[0] * height * width), "<f4").reshape(-1, height, width)
    quantizers = _quantizers(reader, settings, layers - 1)
    section = bitarray(endian="big")
    section.frombytes(reader.take(section_bytes))
    levels, indices, index_bits, texture_bits = read_section(section, settings, channels, height * width)
    shaped = tuple(k.reshape(-1, height, width) for k in levels)
    coded = CodedKernels(settings, tuple(names), first.astype(np.float32), shaped, tuple(indices), quantizers)
    tail = reader.rest()
    rate = _rate(len(file), texture_bits, index_bits, coded.first.size, len(tail))
    return coded, _other_tensors(tail, names), rate


def _rate(file_bytes: int, texture_bits: int, index_bits: int, raw_weights: int, other_bytes: int) -> Rate:
    """Side information is what is left of the file."""
    raw_bits, other_bits = 32 * raw_weights, 8 * other_bytes
    side_bits = 8 * file_bytes - texture_bits - index_bits - raw_bits - other_bits
    return Rate(texture_bits, index_bits, raw_bits, side_bits, other_bits)


def _check_room(weights: int, file_bytes: int) -> None:
    if weights > decoding_limit(WEIGHTS_LIMIT, file_bytes):
        raise IlwpError(f"too many weights for a file of {file_bytes:,} bytes: nearly all of them are the same")


def _names_and_channels(reader: Reader, layers: int) -> tuple[list[str], list[int]]:
    names: list[bytes] = []
    channels: list[int] = []
    for _ in range(layers):
        names.append(reader.name(names[-1] if names else b""))
        channels.append(*struct.unpack("<I", reader.take(4)))
    try:
        decoded = [name.decode() for name in names]
    except UnicodeDecodeError as error:
        raise IlwpError("this file's layer names are not UTF-8") from error
    if len(set(decoded)) < layers or any(len(name) > LONGEST_NAME for name in names):
        raise IlwpError("this file's layer names make no sense")
    return decoded, channels


def _quantizers(reader: Reader, settings: Settings, layers: int) -> tuple[Quantizer, ...]:
    stored = min(layers, 1) if settings.range == "network" else layers
    fields = 2 if settings.quantizer == "affine" else 1
    values = np.frombuffer(reader.take(4 * stored * fields), "<f4").reshape(stored, fields).astype(np.float64)
    if not np.isfinite(values).all() or (values[:, 0] <= 0).any():
        raise IlwpError("this file's quantization steps make no sense")
    shape = of_range(0.0, 0.0, settings.bits, settings.quantizer == "symmetric")
    offsets = values[:, 1] if fields == 2 else np.zeros(stored)
    found = [replace(shape, step=float(s), offset=float(o)) for s, o in zip(values[:, 0], offsets, strict=True)]
    return tuple(found * layers if settings.range == "network" else found)


def _other_tensors(content: bytes, names: list[str]) -> Tensors:
    if not content:
        return {}
    try:
        tensors = from_safetensors(content)
    except IlwpError as error:
        raise IlwpError(f"this file's other tensors do not read ({error})") from error
    if not tensors.keys().isdisjoint(names):
        raise IlwpError("this file holds a tensor twice")
    return tensors
