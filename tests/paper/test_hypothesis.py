import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import kernels

from ilwp.paper.hypothesis import best_sources
from ilwp.paper.kernels import Kernels


def single(*layers: list[float]) -> Kernels:
    return {f"{i}": np.array(weights, np.float32).reshape(-1, 1, 1) for i, weights in enumerate(layers)}


def test_shares_and_chance_by_hand():
    sources = best_sources(single([0, 10], [5], [4, 6, 11, 1], [10, 4.4]))
    np.testing.assert_allclose(sources.share, [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0.5, 0.5, 0, 0],  # 11 and 1 are nearest to 10 and 0, 4 and 6 to 5
        [0.5, 0, 0.5, 0],  # 10 to 10, 4.4 to 4
    ])  # fmt: skip
    np.testing.assert_allclose(sources.chance, [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [2 / 3, 1 / 3, 0, 0],
        [2 / 7, 1 / 7, 4 / 7, 0],
    ])  # fmt: skip
    assert [h.tolist() for h in sources.hits] == [[True, True, False, False], [False, True]]
    assert sources.previous_share == pytest.approx(3 / 6)
    # chance alone expects 4 / 3 + 2 x 4 / 7 hits
    assert sources.lift == pytest.approx(3 / (4 / 3 + 8 / 7))


@given(st.lists(st.integers(1, 20), min_size=3, max_size=6).map(tuple), st.integers(0, 2**31))
def test_shares_and_chances_of_a_layer_are_shares_of_what_lies_before_it(channels, seed):
    sources = best_sources(kernels(channels, seed=seed))
    for matrix in (sources.share, sources.chance):
        assert (matrix >= 0).all()
        assert not np.triu(matrix).any()
        np.testing.assert_allclose(matrix[1:].sum(1), 1)
    assert [len(h) for h in sources.hits] == list(channels[2:])


def test_where_every_layer_copies_the_one_before_the_previous_layer_is_always_best():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((50, 3, 3))
    layers = {str(i): first + 0.01 * i for i in range(5)}
    sources = best_sources(layers)
    assert sources.previous_share == 1
    np.testing.assert_array_equal(np.diag(sources.share, -1), 1)
    # of 100, 150 and 200 candidates the previous layer has 50
    assert sources.lift == pytest.approx(3 / (1 / 2 + 1 / 3 + 1 / 4))


def test_what_chance_gives_is_the_share_over_the_lift():
    rng = np.random.default_rng(0)
    found = best_sources({str(i): rng.normal(size=(c, 3, 3)).astype(np.float32) for i, c in enumerate((3, 9, 4, 12))})
    assert found.chance_share == pytest.approx(found.previous_share / found.lift)
    assert found.chance_share == pytest.approx((4 * 9 / 12 + 12 * 4 / 16) / 16)
