import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import kernels
from scipy.stats import mannwhitneyu

from ilwp.paper.hypothesis import best_sources, pairwise_nearness, probability
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


def test_each_layer_has_a_lift_of_its_own():
    sources = best_sources(kernels((4, 3, 20, 9, 30), seed=5))
    layers = list(sources.of_layers())
    assert len(layers) == 3
    for i, layer in enumerate(layers, start=2):
        assert layer.previous_share == pytest.approx(sources.share[i, i - 1])
        assert layer.chance_share == pytest.approx(sources.chance[i, i - 1])
        assert layer.lift == pytest.approx(sources.share[i, i - 1] / sources.chance[i, i - 1])
    weights = [len(h) * c.chance_share for h, c in zip(sources.hits, layers, strict=True)]
    assert np.average([layer.lift for layer in layers], weights=weights) == pytest.approx(sources.lift)


def test_pairs_of_layers_by_hand():
    nearness = pairwise_nearness(single([0, 10], [4], [5, 1], [3]))
    # 5 is 1 from the second layer, and 5 and 5 from the first; 1 is 3 from the second, and 1 and 9 from the first
    np.testing.assert_allclose(nearness.nearest[0], [[1], [0]])
    np.testing.assert_allclose(nearness.random[0], [[1], [0.5]])
    # 3 is 2 and 2 from the third layer, 1 from the second, 3 and 7 from the first
    np.testing.assert_allclose(nearness.nearest[1], [[1, 0]])
    np.testing.assert_allclose(nearness.random[1], [[1, 0]])
    assert probability(nearness.nearest) == pytest.approx((1 + 0 + 0.5) / 3)
    assert probability(nearness.random) == pytest.approx((1 + 0.5 + 0.5) / 3)


def test_ties_count_half():
    nearness = pairwise_nearness(single([1, 3], [1, 3], [2, 3]))
    np.testing.assert_allclose(nearness.nearest[0], [[0.5], [0.5]])
    np.testing.assert_allclose(nearness.random[0], [[0.5], [0.5]])


@given(st.lists(st.integers(1, 9), min_size=3, max_size=5).map(tuple), st.booleans(), st.integers(0, 2**31))
def test_a_random_kernel_is_compared_as_mann_and_whitney_do(channels, rounded, seed):
    layers = [np.rint(k) if rounded else k for k in kernels(channels, 1, 2, seed).values()]
    nearness = pairwise_nearness({str(i): k for i, k in enumerate(layers)})
    for i in range(2, len(layers)):
        for j, kernel in enumerate(layers[i].astype(float)):
            far = [np.abs(kernel - before.astype(float)).sum(axis=(1, 2)) for before in layers[:i]]
            for u in range(i - 1):
                pairs = len(far[u]) * len(far[-1])
                random = mannwhitneyu(far[u], far[-1]).statistic / pairs
                assert nearness.random[i - 2][j, u] == pytest.approx(random)
                nearest = (far[-1].min() < far[u].min()) + 0.5 * (far[-1].min() == far[u].min())
                assert nearness.nearest[i - 2][j, u] == nearest


def test_a_wider_layer_has_the_nearest_kernel_by_chance_but_not_the_nearer_random_one():
    found = [pairwise_nearness(kernels((20, 200, 100), seed=seed)) for seed in range(20)]
    assert np.mean([probability(nearness.nearest) for nearness in found]) > 0.8
    assert np.mean([probability(nearness.random) for nearness in found]) == pytest.approx(0.5, abs=0.03)


def test_chunks_change_nothing(monkeypatch):
    layers = kernels((5, 7, 30, 20))
    whole = pairwise_nearness(layers)
    monkeypatch.setattr("ilwp.paper.hypothesis.CHUNK", 50)
    for one, other in zip(
        (*whole.nearest, *whole.random),
        (*pairwise_nearness(layers).nearest, *pairwise_nearness(layers).random),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_layers_that_drift_are_nearest_to_the_one_before():
    rng = np.random.default_rng(0)
    drifting = {str(i): (rng.standard_normal((40, 3, 3)) + 3 * i).astype(np.float32) for i in range(5)}
    nearness = pairwise_nearness(drifting)
    assert probability(nearness.random) > 0.95
