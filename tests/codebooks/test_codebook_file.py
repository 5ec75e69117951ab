import math
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilwp.cli.reports import codebook_rows, coded_rows
from ilwp.codebooks import codebook_file
from ilwp.codebooks.codebooks import Codebooks, CodedNetwork
from ilwp.common.bytes import pack_varint
from ilwp.common.errors import IlwpError
from ilwp.door import decoded
from ilwp.paper.huffman import entropy
from ilwp.whole import container
from ilwp.whole.coding import Exact, Levels

# values and codes of a little network: one value a weight, shared vectors with scales, a codebook of one codeword
SMALL = CodedNetwork(
    (
        Codebooks(
            {"a.weight": (2, 3), "b.weight": (2,)}, (np.float32([[0], [0.5], [-0.75]]),),
            np.int32([[0], [1], [0], [2], [0], [0], [1], [0]]),
        ),
        Codebooks(
            {"c.weight": (5, 1, 1)}, (np.float32([[1, 2], [3, 4]]), np.float32([[0.1, 0.2], [0, 0.3], [0.7, 0]])),
            np.int32([[0, 0], [1, 2], [0, 1]]), {"c.weight": 0.25},
        ),
        Codebooks({"d.weight": (4, 4)}, (np.full((1, 8), 0.5, np.float32),), np.zeros((2, 1), np.int32)),
    ),
    {"a.bias": Exact(np.float32([1.5, -2])), "a.mean": Levels(np.int32([1, -127]), 0.25), "a.n": Exact(np.array(7))},
)  # fmt: skip
FILE = codebook_file.write(SMALL)[0]


def with_checksum(content: bytes) -> bytes:
    return content + struct.pack("<I", zlib.crc32(content))


def assert_same(one: CodedNetwork, other: CodedNetwork) -> None:
    assert list(one.tensors()) == list(other.tensors())
    for name, tensor in one.tensors().items():
        np.testing.assert_array_equal(other.tensors()[name], tensor)
    for books, back in zip(one.sets, other.sets, strict=True):
        assert (books.shapes, books.scales) == (back.shapes, back.scales)
        np.testing.assert_array_equal(books.codes, back.codes)
        for book, same in zip(books.books, back.books, strict=True):
            np.testing.assert_array_equal(book, same)


def test_every_kind_of_set_comes_back():
    assert_same(codebook_file.read(FILE), SMALL)
    assert list(decoded(FILE)) == ["a.bias", "a.mean", "a.n", "a.weight", "b.weight", "c.weight", "d.weight"]


def test_format_3_stays_readable():
    golden = (Path(__file__).parents[1] / "expected" / "codebooks.ilwp").read_bytes()
    assert golden == FILE
    assert_same(codebook_file.read(golden), SMALL)


def random_set(name: str, codewords: list[int], length: int, vectors: int, seed: int) -> Codebooks:
    rng = np.random.default_rng(seed)
    books = tuple(rng.normal(size=(k, length)).astype(np.float32) for k in codewords)
    codes = np.stack([np.minimum(rng.geometric(0.3, vectors) - 1, k - 1) for k in codewords], axis=1).astype(np.int32)
    return Codebooks({name: (vectors, length)}, books, codes)


@given(st.lists(st.tuples(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 9), st.integers(1, 60))))
def test_networks_of_any_shape_come_back(drawn: list[tuple[list[int], int, int]]):
    sets = tuple(random_set(f"layer.{i}", *chosen, seed=i) for i, chosen in enumerate(drawn))
    network = CodedNetwork(sets, {"bias": Exact(np.float32([1, 2]))})
    assert_same(codebook_file.read(codebook_file.write(network)[0]), network)


def test_codes_take_hardly_more_than_their_entropy():
    books = random_set("a", [200], 1, 300_000, seed=0)
    file, rate = codebook_file.write(CodedNetwork((books,), {}))
    bound = len(books.codes) * entropy(np.bincount(books.codes[:, 0]))
    assert bound < rate.codes["a"] < 1.003 * bound
    assert bound < 8 * len(file) < 1.003 * bound + 8 * (4 * 200 + 200)


def test_codes_that_are_all_alike_need_no_model():
    rng = np.random.default_rng(0)
    alike = Codebooks(
        {"a": (800,)}, (rng.random((200, 1), np.float32),), rng.permutation(800).astype(np.int32)[:, None] % 200
    )
    _, rate = codebook_file.write(CodedNetwork((alike,), {}))
    assert rate.codes["a"] == pytest.approx(800 * math.log2(200))


def test_values_are_float16_only_if_that_loses_nothing():
    halves, singles = (
        Codebooks({"a": (3,)}, (np.float32(values)[:, None],), np.int32([[0], [1], [2]]))
        for values in ([0, 0.5, -0.796875], [0, 0.5, 0.1])
    )
    sizes = [len(codebook_file.write(CodedNetwork((books,), {}))[0]) for books in (halves, singles)]
    assert sizes[1] - sizes[0] == 3 * 2


def test_every_byte_is_charged():
    file, rate = codebook_file.write(SMALL)
    total = sum(rate.books) + sum(rate.codes.values()) + sum(rate.rest.values())
    # what two coders need to end in whole words, and both formats' own numbers
    assert 8 * len(file) - 8 * 40 <= total <= 8 * len(file)
    assert [row["codewords"] for row in codebook_rows(SMALL)] == [[3], [2, 3], [1]]
    assert sum(row["weights"] for row in coded_rows(SMALL, rate)) == 6 + 2 + 5 + 16 + 2 + 2 + 1


def test_every_flipped_bit_is_refused():
    for bit in range(8 * len(FILE)):
        damaged = bytearray(FILE)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IlwpError):
            codebook_file.read(bytes(damaged))


def test_every_truncation_and_anything_appended_is_refused():
    for length in range(len(FILE)):
        with pytest.raises(IlwpError):
            codebook_file.read(FILE[:length])
    for length in range(len(FILE) - 4):
        with pytest.raises(IlwpError):
            codebook_file.read(with_checksum(FILE[:length]))
    with pytest.raises(IlwpError):
        codebook_file.read(with_checksum(FILE[:-4] + b"\0"))


@settings(max_examples=600)
@given(st.integers(5, len(FILE) - 5), st.binary(min_size=1, max_size=6))
def test_a_forged_file_is_refused_or_decodes(position: int, value: bytes):
    forged = with_checksum((FILE[:position] + value + FILE[position + len(value) : -4])[: len(FILE) - 4])
    with suppress(IlwpError):
        codebook_file.read(forged).tensors()


def forged(*parts: bytes) -> bytes:
    return with_checksum(b"ILWP\x03\x01" + b"".join(parts))


NAMED = b"\0\0\1a"  # front-coded "a"


@pytest.mark.parametrize(
    "parts",
    [
        # a tensor of 2 ** 30 weights that all are one codeword
        (b"\0\1", NAMED, b"\1", pack_varint(1 << 30), b"\1\1\1\0", bytes(4), b"\0"),
        # one weight in vectors of 2 ** 30
        (b"\0\1", NAMED, b"\1\1", pack_varint(1 << 30), b"\1\1\0"),
        # 2 ** 30 codewords
        (b"\0\1", NAMED, b"\1\1\1\1", pack_varint(1 << 30), b"\0"),
        # no codebook, no tensor, vectors of no weight, a codebook of no codewords
        (b"\0\1", NAMED, b"\1\1\1\0"),
        (b"\0\0\1\1\1\0",),
        (b"\0\1", NAMED, b"\1\1\0\1\1\0"),
        (b"\0\1", NAMED, b"\1\1\1\1\0\0"),
        # an unknown flag, a scale of zero, a codeword that is NaN
        (b"\4\1", NAMED, b"\1\1\1\1\1\0", bytes(4)),
        (b"\2\1", NAMED, b"\1\1", bytes(4), b"\1\1\1\0", bytes(4)),
        (b"\0\1", NAMED, b"\1\1\1\1\1\0", struct.pack("<f", math.nan)),
        # the same tensor twice
        (b"\0\2", NAMED, b"\1\1\1\0\0\1\1\1\1\1\0", bytes(4)),
    ],
)
def test_impossible_claims_are_refused(parts: tuple[bytes, ...]):
    with pytest.raises(IlwpError, match=r"no sense|impossible|NaN"):
        codebook_file.read(forged(*parts))


@pytest.mark.parametrize(("axis", "sound"), [(1 << 29, True), (1 << 30, False)])
def test_an_empty_tensor_has_axes_that_an_array_can_have(axis: int, sound: bool):
    one_codeword = b"\1\1\1\0" + bytes(4)
    parts = (b"\0\1", NAMED, b"\3\0", 2 * pack_varint(axis), one_codeword, b"\0", container.write({})[0])
    if sound:
        assert codebook_file.read(forged(*parts)).tensors()["a"].shape == (0, axis, axis)
    else:
        with pytest.raises(IlwpError, match="impossible number of weights"):
            codebook_file.read(forged(*parts))


def test_a_tensor_in_a_set_and_outside_it_is_refused():
    twice = CodedNetwork(SMALL.sets, {"a.weight": Exact(np.float32([1]))})
    with pytest.raises(IlwpError, match="twice"):
        codebook_file.read(codebook_file.write(twice)[0])


def test_a_network_of_nothing_but_one_value_is_refused_when_it_is_written():
    books = Codebooks({"a": (1 << 22,)}, (np.zeros((1, 1), np.float32),), np.zeros((1 << 22, 1), np.int32))
    with pytest.raises(IlwpError, match="nearly all of them are the same"):
        codebook_file.write(CodedNetwork((books,), {}))


def test_sets_and_the_rest_share_the_room_of_a_file():
    count = 1 << 20
    books = Codebooks({"a": (count,)}, (np.zeros((1, 1), np.float32),), np.zeros((count, 1), np.int32))
    with pytest.raises(IlwpError, match="nearly all of them are the same"):
        codebook_file.write(CodedNetwork((books,), {"b": Exact(np.zeros(count, np.float32))}))
    alone, rest = codebook_file.write(CodedNetwork((books,), {}))[0], Exact(np.zeros(count, np.float32))
    inner = container.write({})[0]
    with pytest.raises(IlwpError, match="impossible number of weights"):
        codebook_file.read(with_checksum(alone[: -4 - len(inner)] + container.write({"b": rest})[0]))


@pytest.mark.parametrize(
    ("books", "scale", "message"),
    [
        ((np.float32([[np.inf]]),), 1.0, "NaN or infinite"),
        ((np.float32([[1]]),), 0.0, "scale"),
        ((np.float32([[1]]),), 1e-60, "scale"),
        ((np.float32([[1]]),), np.inf, "scale"),
        ((np.zeros((1 << 16, 1), np.float32) + 1, np.zeros(((1 << 16) + 1, 1), np.float32)), 1.0, "too many codebooks"),
        ((np.float32([[1]]),) * 65, 1.0, "too many codebooks"),
    ],
)
def test_what_no_reader_would_take_is_not_written(books: tuple[np.ndarray, ...], scale: float, message: str):
    coded = Codebooks({"a": (1,)}, books, np.zeros((1, len(books)), np.int32), {"a": scale})
    with pytest.raises(IlwpError, match=message):
        codebook_file.write(CodedNetwork((coded,), {}))
