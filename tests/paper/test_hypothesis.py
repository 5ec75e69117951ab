import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import kernels
from scipy.stats import mannwhitneyu

from ilwp.paper.hypothesis import (
    best_sources,
    equal_scale,
    pairwise_nearness,
    probability,
    probability_interval,
    shuffled,
    unit_length,
)
from ilwp.paper.kernels import Kernels


def rows(layers: Kernels) -> list[tuple[float, ...]]:
    return sorted(tuple(k.ravel().tolist()) for layer in layers.values() for k in layer)


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


def test_among_kernels_without_order_the_previous_layer_is_nothing_special():
    channels = (100, 200, 200, 400, 400, 400)
    sources = best_sources(kernels(channels, seed=2))
    low, high = sources.lift_interval()
    assert low < 1 < high
    assert low < sources.lift < high
    assert 0.9 < sources.lift < 1.1


def test_where_every_layer_copies_the_one_before_the_previous_layer_is_always_best():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((50, 3, 3))
    layers = {str(i): first + 0.01 * i for i in range(5)}
    sources = best_sources(layers)
    assert sources.previous_share == 1
    np.testing.assert_array_equal(np.diag(sources.share, -1), 1)
    # of 100, 150 and 200 candidates the previous layer has 50
    assert sources.lift == pytest.approx(3 / (1 / 2 + 1 / 3 + 1 / 4))
    assert sources.lift_interval() == (sources.lift, sources.lift)


def test_dealing_kernels_out_anew_destroys_the_order():
    rng = np.random.default_rng(0)
    layers = {str(i): (rng.standard_normal((60, 3, 3)) + 5 * i).astype(np.float32) for i in range(4)}
    assert best_sources(layers).lift > 1.5
    assert 0.8 < best_sources(shuffled(layers, seed=0)).lift < 1.2


def test_lift_intervals_hold_the_truth_about_as_often_as_they_say():
    # kernels are drawn anew and the truth is one: 95 of 100, give or take six
    intervals = [best_sources(kernels((30, 30, 30, 30), seed=seed)).lift_interval() for seed in range(100)]
    assert 85 <= sum(low <= 1 <= high for low, high in intervals) <= 100
    assert all(low < high for low, high in intervals)


def test_a_wider_interval_is_surer_and_the_same_seed_gives_the_same():
    sources = best_sources(kernels((20, 20, 20)))
    narrow, wide = sources.lift_interval(level=0.5), sources.lift_interval(level=0.99)
    assert wide[0] < narrow[0] < sources.lift < narrow[1] < wide[1]
    assert sources.lift_interval(seed=3) == sources.lift_interval(seed=3)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5).map(tuple), st.integers(0, 2**31))
def test_shuffled_deals_out_the_same_kernels_to_layers_of_the_same_sizes(channels, seed):
    layers = kernels(channels)
    dealt = shuffled(layers, seed)
    assert {name: k.shape for name, k in dealt.items()} == {name: k.shape for name, k in layers.items()}
    assert rows(dealt) == rows(layers)
    assert rows(shuffled(layers, seed)) == rows(dealt)


def test_shuffled_moves_kernels_between_layers_and_leaves_its_argument_alone():
    layers = single([1] * 20, [2] * 20)
    dealt = shuffled(layers, seed=0)
    assert 0 < (dealt["0"] == 2).sum() < 20
    assert (layers["0"] == 1).all()


def test_every_kernel_gets_length_one_and_keeps_its_direction():
    layers = kernels((3, 4), 5, 5)
    layers["features.1.conv.weight"][2] = 0
    scaled = unit_length(layers)
    norms = np.linalg.norm(scaled["features.1.conv.weight"].reshape(4, -1), axis=1)
    np.testing.assert_allclose(norms, [1, 1, 0, 1], rtol=1e-6)
    for name, layer in layers.items():
        assert scaled[name].shape == layer.shape
        assert ((scaled[name] > 0) == (layer > 0)).all()
    first, its_scaled = (k["features.0.conv.weight"].reshape(3, -1) for k in (layers, scaled))
    np.testing.assert_allclose(its_scaled * np.linalg.norm(first, axis=1, keepdims=True), first, rtol=1e-5)


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
        low, high = layer.lift_interval()
        assert low <= layer.lift <= high
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
    low, high = probability_interval(nearness.random)
    assert low <= probability(nearness.random) <= high
    assert probability_interval(nearness.random, seed=3) == probability_interval(nearness.random, seed=3)
    assert probability(pairwise_nearness(shuffled(drifting, 0)).random) == pytest.approx(0.5, abs=0.05)


def test_intervals_of_a_probability_hold_what_resampling_kernels_gives():
    nearness = pairwise_nearness(kernels((30, 30, 30, 30)))
    values = [each.mean(axis=1) for each in nearness.random]
    error = np.sqrt(sum(len(v) * v.var() for v in values)) / 60
    low, high = probability_interval(nearness.random)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.1)
    narrow = probability_interval(nearness.random, level=0.5)
    assert low < narrow[0] < narrow[1] < high


def test_layers_of_one_scale_keep_their_shapes_and_zeros():
    layers = kernels((3, 4))
    layers["features.1.conv.weight"][:] = 0
    layers["features.0.conv.weight"][0] = 0
    scaled = equal_scale(layers)
    assert np.sqrt(np.mean(np.square(scaled["features.0.conv.weight"]))) == pytest.approx(1)
    assert not scaled["features.1.conv.weight"].any()
    ratio = scaled["features.0.conv.weight"][1:] / layers["features.0.conv.weight"][1:]
    np.testing.assert_allclose(ratio, ratio.ravel()[0], rtol=1e-5)
    assert all(layer.dtype == np.float32 for layer in scaled.values())
