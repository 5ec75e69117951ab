"""What segments of all kinds have in common: steps, words of the ANS coder, a limit on models."""

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np

from ilwp.common.bytes import Reader, decoding_limit
from ilwp.common.errors import IlwpError
from ilwp.whole.container import Segment
from ilwp.whole.models import Code
from ilwp.whole.steps import MOST_REACH

# models are made level by level: how many in a segment of levels or of kernels, and how many more for each byte
MODELLED_LEVELS = (1 << 15, 256)


@dataclass(frozen=True)
class Packed:
    """A segment, and how many bits of it each of its tensors takes; none for what the index holds."""

    segment: Segment
    bits: Mapping[str, float]


def pack_step(step: float) -> bytes:
    """The bytes of a quantization step; raises ValueError unless its lowest byte is 0."""
    packed = struct.pack("<f", step)
    if packed[0]:
        raise ValueError("a step is a value of steps.of_step")
    return packed[1:]


def read_step(reader: Reader) -> float:
    """A quantization step; raises IlwpError unless it is finite and above zero."""
    step: float = struct.unpack("<f", b"\0" + reader.take(3))[0]
    if not (math.isfinite(step) and step > 0):
        raise IlwpError("this file's quantization steps make no sense")
    return step


def ans_words(stack: Any) -> bytes:
    """The words of an ANS coder as bytes."""
    words: bytes = stack.get_compressed().astype("<u4").tobytes()
    return words


def stack_of_rest(reader: Reader) -> Any:
    """The coder with all that is left to read."""
    words = reader.rest()
    if len(words) % 4 or words[-4:] == bytes(4):
        raise IlwpError("this file's coded levels make no sense")
    return constriction.stream.stack.AnsCoder(np.frombuffer(words, "<u4").astype(np.uint32))


def check_models(codes: Iterable[Code], content_bytes: int, limit: tuple[int, int] = MODELLED_LEVELS) -> None:
    """Raise IlwpError where levels need more models than a reader makes for so many bytes, or reach further than it
    takes them.
    """
    codes = list(codes)
    if any(code.reach > MOST_REACH for code in codes):
        raise IlwpError(f"levels reach {max(code.reach for code in codes):,}: choose a lower quality")
    if modelled(codes) > decoding_limit(limit, content_bytes):
        raise IlwpError(f"too many models of levels for {content_bytes:,} bytes: choose a lower quality")


def modelled(codes: Iterable[Code]) -> int:
    """How many levels the models of these codes tell apart."""
    return sum(len(code.models) * (2 * code.reach + 1) for code in codes)
