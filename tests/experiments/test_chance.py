import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import kernels

from ilwp.experiments.chance import equal_scale, lift_interval, of_layers, probability_interval, shuffled, unit_length
from ilwp.experiments.nearness import pairwise_nearness, probability
from ilwp.paper.hypothesis import best_sources
from ilwp.paper.kernels import Kernels


def rows(layers: Kernels) -> list[tuple[float, ...]]:
    return sorted(tuple(k.ravel().tolist()) for layer in layers.values() for k in layer)


def test_among_kernels_without_order_the_previous_layer_is_nothing_special():
    channels = (100, 200, 200, 400, 400, 400)
    sources = best_sources(kernels(channels, seed=2))
    low, high = lift_interval(sources)
    assert low < 1 < high
    assert low < sources.lift < high
    assert 0.9 < sources.lift < 1.1


def test_dealing_kernels_out_anew_destroys_the_order():
    rng = np.random.default_rng(0)
    layers = {str(i): (rng.standard_normal((60, 3, 3)) + 5 * i).astype(np.float32) for i in range(4)}
    assert best_sources(layers).lift > 1.5
    assert 0.8 < best_sources(shuffled(layers, seed=0)).lift < 1.2


def test_lift_intervals_hold_the_truth_about_as_often_as_they_say():
    # kernels are drawn anew and the truth is one: 95 of 100, give or take six
    intervals = [lift_interval(best_sources(kernels((30, 30, 30, 30), seed=seed))) for seed in range(100)]
    assert 85 <= sum(low <= 1 <= high for low, high in intervals) <= 100
    assert all(low < high for low, high in intervals)


def test_a_wider_interval_is_surer_and_the_same_seed_gives_the_same():
    sources = best_sources(kernels((20, 20, 20)))
    narrow, wide = lift_interval(sources, level=0.5), lift_interval(sources, level=0.99)
    assert wide[0] < narrow[0] < sources.lift < narrow[1] < wide[1]
    assert lift_interval(sources, seed=3) == lift_interval(sources, seed=3)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5).map(tuple), st.integers(0, 2**31))
def test_shuffled_deals_out_the_same_kernels_to_layers_of_the_same_sizes(channels, seed):
    layers = kernels(channels)
    dealt = shuffled(layers, seed)
    assert {name: k.shape for name, k in dealt.items()} == {name: k.shape for name, k in layers.items()}
    assert rows(dealt) == rows(layers)
    assert rows(shuffled(layers, seed)) == rows(dealt)


def test_shuffled_moves_kernels_between_layers_and_leaves_its_argument_alone():
    layers = {"0": np.full((20, 1, 1), 1, np.float32), "1": np.full((20, 1, 1), 2, np.float32)}
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


def test_where_the_previous_layer_is_always_best_its_interval_has_no_width():
    sources = best_sources({str(i): np.full((5, 1, 1), i) for i in range(5)})
    assert lift_interval(sources) == pytest.approx((sources.lift, sources.lift))


@given(st.lists(st.integers(1, 20), min_size=3, max_size=6).map(tuple), st.integers(0, 2**31))
def test_the_interval_of_each_layer_holds_its_lift(channels, seed):
    for layer in of_layers(best_sources(kernels(channels, seed=seed))):
        low, high = lift_interval(layer)
        assert low * (1 - 1e-9) <= layer.lift <= high * (1 + 1e-9)


def test_the_order_of_layers_that_drift_is_lost_when_kernels_are_shuffled():
    rng = np.random.default_rng(0)
    drifting = {str(i): (rng.standard_normal((40, 3, 3)) + 3 * i).astype(np.float32) for i in range(5)}
    nearness = pairwise_nearness(drifting)
    low, high = probability_interval(nearness.random)
    assert low <= probability(nearness.random) <= high
    assert probability_interval(nearness.random, seed=3) == probability_interval(nearness.random, seed=3)
    assert probability(pairwise_nearness(shuffled(drifting, 0)).random) == pytest.approx(0.5, abs=0.05)


def test_each_layer_has_a_lift_of_its_own():
    sources = best_sources(kernels((4, 3, 20, 9, 30), seed=5))
    layers = list(of_layers(sources))
    assert len(layers) == 3
    for i, layer in enumerate(layers, start=2):
        assert layer.previous_share == pytest.approx(sources.share[i, i - 1])
        assert layer.chance_share == pytest.approx(sources.chance[i, i - 1])
        assert layer.lift == pytest.approx(sources.share[i, i - 1] / sources.chance[i, i - 1])
    weights = [len(h) * c.chance_share for h, c in zip(sources.hits, layers, strict=True)]
    assert np.average([layer.lift for layer in layers], weights=weights) == pytest.approx(sources.lift)
