import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import kernels
from scipy.stats import mannwhitneyu

from ilwp.experiments.nearness import pairwise_nearness, probability
from ilwp.paper.kernels import Kernels


def single(*layers: list[float]) -> Kernels:
    return {f"{i}": np.array(weights, np.float32).reshape(-1, 1, 1) for i, weights in enumerate(layers)}


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
    monkeypatch.setattr("ilwp.experiments.nearness.CHUNK", 50)
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
