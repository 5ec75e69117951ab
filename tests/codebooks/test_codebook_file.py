import math
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilwp.codebooks import codebook_file
from ilwp.codebooks.codebooks import Codebooks
from ilwp.common.bytes import pack_varint
from ilwp.common.errors import IlwpError
from ilwp.door import OpenFile, compress_coded, decoded
from ilwp.paper.huffman import entropy
from ilwp.whole import segments
from ilwp.whole.container import CODEBOOKS, CONTAINER_HEAD, Segment, write_container
from ilwp.whole.index_fields import Form
from ilwp.whole.pieces import FLOAT32, Exact, Levels, decode_pieces

# values and codes of a little network: one value a weight, shared vectors with scales, a codebook of one codeword
SETS = (
    Codebooks(
        {"a.weight": (2, 3), "b.weight": (2,)}, (np.float32([[0], [0.5], [-0.75]]),),
        np.int32([[0], [1], [0], [2], [0], [0], [1], [0]]),
    ),
    Codebooks(
        {"c.weight": (5, 1, 1)}, (np.float32([[1, 2], [3, 4]]), np.float32([[0.1, 0.2], [0, 0.3], [0.7, 0]])),
        np.int32([[0, 0], [1, 2], [0, 1]]), {"c.weight": 0.25},
    ),
    Codebooks({"d.weight": (4, 4)}, (np.full((1, 8), 0.5, np.float32),), np.zeros((2, 1), np.int32)),
)  # fmt: skip
REST = {"a.bias": Exact(np.float32([1.5, -2])), "a.mean": Levels(np.int32([1, -127]), 0.25), "a.n": Exact(np.array(7))}
PACKED = [*map(codebook_file.pack_codebooks, SETS), *segments.pack_all(REST.items())]
FILE = write_container([p.segment for p in PACKED], [*(name for books in SETS for name in books.shapes), *REST])


def assert_same(books: Codebooks, back: Codebooks) -> None:
    assert (books.shapes, books.scales) == (back.shapes, back.scales)
    np.testing.assert_array_equal(books.codes, back.codes)
    for book, same in zip(books.books, back.books, strict=True):
        np.testing.assert_array_equal(book, same)


def test_every_kind_of_set_comes_back():
    for books in SETS:
        packed = codebook_file.pack_codebooks(books)
        back, bits = codebook_file.unpack_codebooks(packed.segment)
        assert_same(books, back)
        assert bits == packed.bits
    tensors = {name: tensor for books in SETS for name, tensor in books.tensors().items()}
    for name, tensor in (tensors | decode_pieces(REST)).items():
        np.testing.assert_array_equal(decoded(FILE)[name], tensor)


@given(st.permutations(["a.weight", "b.weight", "c.weight", "d.weight", "e"]))
def test_sets_come_back_in_a_network_of_another_order(order: list[str]):
    coded = {name: tensor for books in SETS for name, tensor in books.tensors().items()}
    network = {name: coded.get(name, np.array(7)) for name in order}
    back = decoded(compress_coded(network, SETS).content)
    assert list(back) == order
    for name, tensor in network.items():
        np.testing.assert_array_equal(back[name], tensor)


def test_a_segment_in_another_order_than_its_network_is_not_written():
    names = [name for books in reversed(SETS) for name in reversed(books.shapes)]
    with pytest.raises(ValueError, match="in the order of all tensors"):
        write_container([p.segment for p in PACKED], [*names, *REST])


def test_a_file_of_codebooks_stays_readable():
    golden = (Path(__file__).parent.parent / "expected" / "codebooks.ilwp").read_bytes()
    assert golden[CONTAINER_HEAD.size :].endswith(FILE[CONTAINER_HEAD.size + CONTAINER_HEAD.unpack_from(FILE)[2] :])
    for name, tensor in decoded(FILE).items():
        np.testing.assert_array_equal(decoded(golden)[name], tensor)


def random_set(name: str, codewords: list[int], length: int, vectors: int, seed: int) -> Codebooks:
    rng = np.random.default_rng(seed)
    books = tuple(rng.normal(size=(k, length)).astype(np.float32) for k in codewords)
    codes = np.stack([np.minimum(rng.geometric(0.3, vectors) - 1, k - 1) for k in codewords], axis=1).astype(np.int32)
    return Codebooks({name: (vectors, length)}, books, codes)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 9), st.integers(1, 60))
def test_sets_of_any_shape_come_back(codewords: list[int], length: int, vectors: int):
    books = random_set("layer", codewords, length, vectors, seed=0)
    assert_same(books, codebook_file.unpack_codebooks(codebook_file.pack_codebooks(books).segment)[0])


def test_codes_take_hardly_more_than_their_entropy():
    books = random_set("a", [200], 1, 300_000, seed=0)
    packed = codebook_file.pack_codebooks(books)
    bound = len(books.codes) * entropy(np.bincount(books.codes[:, 0]))
    assert bound < packed.bits["a"] < 1.003 * bound
    assert bound < 8 * len(packed.segment.content) < 1.003 * bound + 8 * (4 * 200 + 200)


def test_codes_that_are_all_alike_need_no_model():
    rng = np.random.default_rng(0)
    codes = rng.permutation(800).astype(np.int32)[:, None] % 200
    alike = Codebooks({"a": (800,)}, (rng.random((200, 1), np.float32),), codes)
    assert codebook_file.pack_codebooks(alike).bits["a"] == pytest.approx(800 * math.log2(200))


def test_values_are_float16_only_if_that_loses_nothing():
    halves, singles = (
        Codebooks({"a": (3,)}, (np.float32(values)[:, None],), np.int32([[0], [1], [2]]))
        for values in ([0, 0.5, -0.796875], [0, 0.5, 0.1])
    )
    sizes = [len(codebook_file.pack_codebooks(books).segment.content) for books in (halves, singles)]
    assert sizes[1] - sizes[0] == 3 * 2


def test_every_byte_is_charged_to_a_tensor():
    with OpenFile(FILE) as file:
        rows = file.rows()
    assert sum(row.weights for row in rows) == 6 + 2 + 5 + 16 + 2 + 2 + 1
    assert sum(row.bytes for row in rows) <= len(FILE)
    assert {row.stored for row in rows} == {"codebooks 1", "codebooks 2", "codebooks 3", "exact", "levels"}


SEGMENT = codebook_file.pack_codebooks(SETS[1]).segment


@settings(max_examples=600)
@given(st.integers(0, len(SEGMENT.content)), st.binary(max_size=6))
def test_a_forged_set_is_refused_or_decodes(position: int, value: bytes):
    content = SEGMENT.content[:position] + value + SEGMENT.content[position + len(value) :]
    for forged in (content, content[:position]):
        with suppress(IlwpError):
            codebook_file.unpack_codebooks(Segment(CODEBOOKS, SEGMENT.tensors, forged))[0].tensors()


@pytest.mark.parametrize(
    ("shape", "content"),
    [
        # a tensor of 2 ** 30 weights that all are one codeword, one weight in vectors of 2 ** 30, 2 ** 30 codewords
        ((1 << 30,), b"\0\1\1\1\0" + bytes(4)),
        ((1,), b"\0" + pack_varint(1 << 30) + b"\1\1\0"),
        ((1,), b"\0\1\1" + pack_varint(1 << 30) + b"\0"),
        # no codebook, vectors of no weight, a codebook of no codewords
        ((1,), b"\0\1\0"),
        ((1,), b"\0\0\1\1\0"),
        ((1,), b"\0\1\1\0\0"),
        # an unknown flag, a scale of zero, a codeword that is NaN
        ((1,), b"\4\1\1\1\0" + bytes(4)),
        ((1,), b"\2" + bytes(4) + b"\1\1\1\0" + bytes(4)),
        ((1,), b"\0\1\1\1\0" + struct.pack("<f", math.nan)),
    ],
)
def test_impossible_claims_are_refused(shape: tuple[int, ...], content: bytes):
    with pytest.raises(IlwpError, match=r"no sense|impossible|NaN"):
        codebook_file.unpack_codebooks(Segment(CODEBOOKS, {"a": Form(shape, FLOAT32)}, content))


def test_a_network_of_nothing_but_one_value_is_refused_when_it_is_written():
    books = Codebooks({"a": (1 << 22,)}, (np.zeros((1, 1), np.float32),), np.zeros((1 << 22, 1), np.int32))
    with pytest.raises(IlwpError, match="nearly all of them are the same"):
        codebook_file.pack_codebooks(books)


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
        codebook_file.pack_codebooks(coded)
