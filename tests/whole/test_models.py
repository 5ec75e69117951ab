import math

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilwp.common.bytes import Reader
from ilwp.common.errors import IlwpError
from ilwp.paper.huffman import entropy
from ilwp.whole.models import KINDS, Geometric, Table, code_bits, fit_code, read_code

columns = st.integers(1, 40).flatmap(
    lambda n: st.lists(st.lists(st.integers(-30, 30), min_size=n, max_size=n), min_size=1, max_size=3)
)


@given(columns)
def test_a_code_read_back_is_the_code_written(lists: list[list[int]]):
    levels = np.array(lists).T
    code, _ = fit_code(levels)
    assert code.reach == np.abs(levels).max()
    reader = Reader(code.pack() + b"more")
    assert read_code(reader, levels.shape[1]) == code
    assert reader.rest() == b"more"


@given(columns)
def test_what_a_fit_promises_is_what_the_coder_takes(lists: list[list[int]]):
    levels = np.array(lists).T
    code, bits = fit_code(levels)
    if not code.reach:
        return
    stack, coders = constriction.stream.stack.AnsCoder(), code.coders(levels.shape[1])
    for column, coder in zip(levels.T, coders, strict=True):
        stack.encode_reverse((column + code.reach).astype(np.int32), coder)
    assert stack.num_valid_bits() == pytest.approx(bits - 8 * len(code.pack()), abs=33, rel=0.01)
    for column, coder in zip(reversed(levels.T), reversed(coders), strict=True):
        assert stack.decode(coder, len(column)).tolist() == (column + code.reach).tolist()


def test_columns_that_are_alike_share_a_model():
    levels = np.rint(np.random.default_rng(0).laplace(0, 3, (40, 9))).astype(int)
    assert len(fit_code(levels)[0].models) == 1
    assert len(fit_code(levels * 2 ** np.arange(9))[0].models) == 9


def test_shares_by_hand():
    half = Geometric(2, 128).probabilities()
    ratio = 128.5 / 256
    np.testing.assert_allclose(half, [ratio**2, ratio, 1, ratio, ratio**2])
    own = Geometric(2, 128, zero=64).probabilities()
    assert own[2] == 64.5 / 256
    assert math.fsum(own) == pytest.approx(1)
    assert own[0] / own[1] == pytest.approx(ratio)
    np.testing.assert_allclose(Table((8, 16, 12)).probabilities(), [0.5, 0.25, 2**-1.5])


@pytest.mark.parametrize(
    ("levels", "kind"),
    [
        (np.random.default_rng(0).laplace(0, 9, 5000), "geometric"),
        (np.random.default_rng(0).laplace(0, 9, 5000) * (np.arange(5000) % 3 == 0), "geometric with its own zero"),
        (np.tile([-7, 7, 7, 1], 2000), "table"),
    ],
)
def test_each_kind_is_chosen_where_it_is_smallest(levels: np.ndarray, kind: str):
    assert KINDS[fit_code(np.rint(levels)[:, None].astype(int))[0].kind] == kind


@pytest.mark.parametrize("count", [44_640, 1_000_000])
@pytest.mark.parametrize("scale", [3.0, 12.0, 30.0])
def test_levels_take_little_more_than_their_entropy(count: int, scale: float):
    levels = np.rint(np.random.default_rng(1).laplace(0, scale, count)).astype(int)
    bound = count * entropy(np.bincount(levels - levels.min()))
    assert bound <= fit_code(levels[:, None])[1] <= (1.005 if count < 1_000_000 else 1.002) * bound


def test_levels_that_are_all_zero_cost_nothing():
    code, bits = fit_code(np.zeros((9, 2), int))
    assert bits == 8 * len(code.pack())
    assert code_bits(np.array([9]), code.models[0]) == 0


@pytest.mark.parametrize(
    "content", [b"", b"\3", b"\3\0", b"\3\1\1", b"\3\2", b"\3\2\0\0\0", b"\3\6\1", b"\xff\xff\xff\0"]
)
def test_codes_that_make_no_sense_are_refused(content: bytes):
    with pytest.raises(IlwpError):
        read_code(Reader(content), 1)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_code_or_refused(content: bytes):
    try:
        code = read_code(Reader(content), 3)
    except IlwpError:
        return
    if code.reach:
        assert len(code.coders(3)) == 3
