import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilwp.codebooks.codebooks import Codebooks, by_use, cut, joined, ordered, pieces
from ilwp.common.errors import IlwpError
from ilwp.whole.pieces import Exact, Levels

shapes = st.lists(st.lists(st.integers(0, 5), max_size=3).map(tuple), min_size=1, max_size=4)


def test_each_tensor_begins_a_vector_and_its_last_is_filled_up():
    tensors = {"a": np.float32([[1, 2, 3]]), "b": np.float32([4])}
    assert cut(tensors, 2).tolist() == [[1, 2], [3, 0], [4, 0]]


@given(shapes, st.integers(1, 7))
def test_what_is_cut_can_be_joined(shapes: list[tuple[int, ...]], length: int):
    tensors = {str(i): np.random.default_rng(i).random(shape, np.float32) for i, shape in enumerate(shapes)}
    back = joined(cut(tensors, length), {name: t.shape for name, t in tensors.items()})
    assert list(back) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(back[name], tensor)


def test_a_weight_is_the_sum_of_its_codewords_times_the_scale():
    books = (np.float32([[1, 2], [3, 4]]), np.float32([[0.5, 0], [0, 0.25]]))
    found = Codebooks({"a": (3,)}, books, np.int32([[0, 1], [1, 0]]), {"a": 2.0}).tensors()
    assert found["a"].tolist() == [2 * 1, 2 * 2.25, 2 * 3.5]


def test_codewords_are_put_into_the_order_of_use_and_those_never_used_go():
    book, codes = by_use(np.float32([[10], [11], [12], [13]]), np.int32([3, 1, 1, 0, 3]))
    assert book.ravel().tolist() == [11, 13, 10]
    assert codes.tolist() == [1, 0, 0, 2, 1]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=30))
def test_the_order_of_codewords_changes_no_weight(codes: list[tuple[int, int]]):
    books = (np.random.default_rng(0).random((7, 2), np.float32), np.random.default_rng(1).random((4, 2), np.float32))
    before = Codebooks({"a": (2 * len(codes),)}, books, np.int32(codes))
    after = ordered(before)
    np.testing.assert_array_equal(after.tensors()["a"], before.tensors()["a"])
    for codes_of_book in after.codes.T:
        counts = np.bincount(codes_of_book)
        assert (np.diff(counts) <= 0).all()
        assert counts.min() > 0


def test_the_entropy_is_that_of_each_codebooks_codes():
    books = (np.zeros((4, 2), np.float32), np.zeros((2, 2), np.float32))
    codes = np.int32([[0, 0], [1, 0], [2, 1], [3, 1]])
    assert Codebooks({"a": (8,)}, books, codes).entropy() == pytest.approx((2 + 1) / 2)


def test_vectors_become_levels_only_if_they_vary():
    found = pieces({"a": np.float32([1, -127]), "b": np.zeros(3, np.float32), "c": np.array(3)}, 8)
    assert isinstance(found["a"], Levels)
    assert found["a"].levels.tolist() == [1, -127]
    assert isinstance(found["b"], Exact)
    assert isinstance(found["c"], Exact)
    assert isinstance(pieces({"a": np.float32([1, 2])}, None)["a"], Exact)


def test_a_sum_too_large_for_float32_is_refused():
    book = np.full((1, 1), 3e38, np.float32)
    with pytest.raises(IlwpError, match="too large for float32"):
        Codebooks({"a": (1,)}, (book, book), np.zeros((1, 2), np.int32)).tensors()
