"""Models of integer levels for an ANS coder, each with the few bytes that tell a decoder which one it is.

    levels -> fit_code -> Code;  Code.coders -> what `constriction` codes with;  Code.pack / read_code -> bytes

A level is an integer from -reach to reach. `Geometric` is a Laplace distribution on the integers: every
step away from zero is rarer by one ratio; the share of zeros follows from that, or is a number of its
own, since residuals can have a spike there. `Table` is a histogram, each share rounded to an eighth of a
bit. All probabilities come from multiplying, dividing and square roots alone, which every machine rounds alike.
"""

import itertools
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np
from bitarray import bitarray

from ilwp.common.bytes import Reader, decoding_limit, pack_varint
from ilwp.common.errors import IlwpError
from ilwp.common.gamma_code import decode_lengths, encode_lengths
from ilwp.common.numbers import BLOCK
from ilwp.paper.huffman import entropy
from ilwp.whole.steps import MOST_REACH

ROOT = math.sqrt(math.sqrt(math.sqrt(0.5)))  # an eighth of a bit
EIGHTHS = list(itertools.accumulate([1.0] + 7 * [ROOT], operator.mul))
LONGEST = 8 * 22  # eighths of a bit; rarer levels are rounded up to this share
A_LAYERS_MODELS = (1 << 14, 128)  # levels that models of a tensor tell apart: how many, and more for each weight
FINEST = 256  # ratios and shares of zeros are odd multiples of 1 / 512


@dataclass(frozen=True)
class Geometric:
    """Shares of 0, +-1 ... +-reach; `ratio` and `zero` (None: it follows from the ratio) are bytes."""

    reach: int
    ratio: int
    zero: int | None = None

    def probabilities(self) -> np.ndarray:
        """Shares (2 reach + 1,) float64, lowest level first; they need not add up to one exactly."""
        shares = np.full(2 * self.reach + 1, (self.ratio + 0.5) / FINEST)
        tail = shares[self.reach + 1 :]
        np.multiply.accumulate(tail, out=tail)
        shares[self.reach] = 1.0
        if self.zero is not None and self.reach:
            zero = (self.zero + 0.5) / FINEST
            tail *= (1 - zero) / 2 / math.fsum(tail)
            shares[self.reach] = zero
        shares[: self.reach] = tail[::-1]
        return shares

    def pack(self) -> bytes:
        """One or two bytes."""
        return bytes([self.ratio]) if self.zero is None else bytes([self.ratio, self.zero])


@dataclass(frozen=True)
class Table:
    """Shares of -reach ... reach as eighths of a bit (2 reach + 1,)."""

    eighths: tuple[int, ...]

    def probabilities(self) -> np.ndarray:
        """Shares (2 reach + 1,) float64, lowest level first; they need not add up to one exactly."""
        return np.array([math.ldexp(EIGHTHS[e % 8], -(e // 8)) for e in self.eighths])

    def pack(self) -> bytes:
        """Differences in Elias's gamma code, like a table of Huffman lengths."""
        return encode_lengths(np.array(self.eighths)).tobytes()


Model = Geometric | Table
AnsStack = Any  # constriction.stream.stack.AnsCoder
KINDS = ("geometric", "geometric with its own zero", "table")


@dataclass(frozen=True)
class Code:
    """Models of one kind in KINDS, one or as many as there are columns, of levels from -reach to reach."""

    reach: int
    kind: int
    models: tuple[Model, ...]

    def pack(self) -> bytes:
        """As `segments` describes it."""
        shared = len(KINDS) * (len(self.models) == 1)
        return pack_varint(self.reach) + bytes([self.kind + shared]) + b"".join(m.pack() for m in self.models)

    def coders(self, columns: int) -> list[Any]:
        """What `constriction` codes the symbols level + reach of each column with."""
        made = [constriction.stream.model.Categorical(m.probabilities(), perfect=False) for m in self.models]
        return made * (columns // len(made))


def fit_code(columns: np.ndarray, mirrored: bool = False) -> tuple[Code, float]:
    """`fit_parts` of the columns of levels (n, k)."""
    return fit_parts(list(columns.T), mirrored)


def fit_parts(parts: Sequence[np.ndarray], mirrored: bool = False) -> tuple[Code, float]:
    """The code of levels (n,) of each part, with a model for every part or one for all, that takes fewest bits; those
    bits.

    `mirrored`: every level is as likely to come with the other sign.
    """
    reach = max(max(int(part.max(initial=0)), -int(part.min(initial=0))) for part in parts)
    histograms = [_histogram(part, reach) for part in parts]
    if mirrored:
        histograms = [(h + h[::-1] + 1) // 2 for h in histograms]
    options = [_cheapest(histograms, reach)]
    if len(histograms) > 1:
        options.append(_cheapest([np.sum(histograms, axis=0)], reach))
    return min(options, key=lambda option: option[1])


def can_be_modelled(reach: float, columns: int, levels: int) -> bool:
    """Whether models of so many columns are worth their time for so many levels: they are made level by level."""
    return (2 * reach + 1) * columns <= decoding_limit(A_LAYERS_MODELS, levels)


def code_bits(histogram: np.ndarray, model: Model) -> float:
    """Bits that symbols with this histogram (2 reach + 1,) take."""
    shares = model.probabilities()
    used = histogram > 0
    with np.errstate(divide="ignore"):  # a model may give what it hardly expects no share at all
        return float((histogram[used] * -np.log2(shares[used] / shares.sum())).sum())


def read_code(reader: Reader, columns: int) -> Code:
    """What `Code.pack` wrote for so many columns; raises IlwpError where it is none."""
    reach, kind = reader.varint(), reader.take(1)[0]
    if reach > MOST_REACH or kind >= 2 * len(KINDS):
        raise IlwpError("this file's models of levels make no sense")
    shared, kind = divmod(kind, len(KINDS))
    return Code(reach, kind, tuple(_read_model(reader, kind, reach) for _ in range(1 if shared else columns)))


def _read_model(reader: Reader, kind: int, reach: int) -> Model:
    if kind < KINDS.index("table"):
        return Geometric(reach, reader.take(1)[0], reader.take(1)[0] if kind else None)
    bits = bitarray(endian="big")
    bits.frombytes(reader.content[reader.position : reader.position + 4 * (2 * reach + 1)])
    eighths, used = decode_lengths(bits, 2 * reach + 1, LONGEST)
    reader.take(-(-used // 8))
    return Table(tuple(eighths.tolist()))


def _histogram(column: np.ndarray, reach: int) -> np.ndarray:
    """How often each level from -reach to reach occurs (2 reach + 1,)."""
    counts = np.zeros(2 * reach + 1, np.int64)
    for start in range(0, len(column), BLOCK):
        counts += np.bincount(column[start : start + BLOCK] + reach, minlength=2 * reach + 1)
    return counts


def _cheapest(histograms: Sequence[np.ndarray], reach: int) -> tuple[Code, float]:
    codes = [Code(reach, i, tuple(make(h) for h in histograms)) for i, make in enumerate((_geometric, _with_zero))]
    costs = [_cost(histograms, code) for code in codes]
    # a table takes a bit a level at least, so most need not be made
    if sum(len(h) + h.sum() * entropy(h) for h in histograms) < min(costs):
        codes.append(Code(reach, KINDS.index("table"), tuple(_table(h) for h in histograms)))
        costs.append(_cost(histograms, codes[-1]))
    return min(zip(codes, costs, strict=True), key=lambda option: option[1])


def _geometric(histogram: np.ndarray) -> Geometric:
    reach = len(histogram) // 2
    mean = float((np.abs(np.arange(-reach, reach + 1)) * histogram).sum() / max(histogram.sum(), 1))
    # of P(m) ~ ratio ** |m| the mean of |m| is 2 ratio / (1 - ratio ** 2)
    return Geometric(reach, _byte((math.sqrt(1 + mean * mean) - 1) / mean if mean else 0.0))


def _with_zero(histogram: np.ndarray) -> Geometric:
    reach = len(histogram) // 2
    others = histogram.sum() - histogram[reach]
    mean = float((np.abs(np.arange(-reach, reach + 1)) * histogram).sum() / max(others, 1))
    zero = _byte(float(histogram[reach] / max(histogram.sum(), 1)))
    return Geometric(reach, _byte(1 - 1 / mean if mean else 0.0), zero)


def _table(histogram: np.ndarray) -> Table:
    shares = np.maximum(histogram, 0.5) / max(histogram.sum(), 1)
    return Table(tuple(np.rint(-8 * np.log2(shares)).clip(0, LONGEST).astype(int).tolist()))


def _cost(histograms: Sequence[np.ndarray], code: Code) -> float:
    return 8 * len(code.pack()) + sum(code_bits(h, m) for h, m in zip(histograms, code.models, strict=True))


def _byte(share: float) -> int:
    return min(max(int(share * FINEST), 0), FINEST - 1)
