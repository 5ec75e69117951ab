import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import kernels
from scipy import integrate, stats

from ilwp.paper.hypothesis import LaplaceFit, best_sources, fit_laplace, shuffled, snr, unit_length, zero_share
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


@pytest.mark.parametrize(("location", "scale"), [(0.0, 1.0), (0.2, 0.01), (-3.0, 40.0)])
def test_a_laplace_fit_finds_the_distribution_values_were_drawn_from(location: float, scale: float):
    values = np.random.default_rng(0).laplace(location, scale, (200, 10, 10))
    fit = fit_laplace(values)
    assert abs(fit.location - location) < 0.05 * scale
    assert fit.scale == pytest.approx(scale, rel=0.03)


def test_a_laplace_fit_by_hand():
    fit = fit_laplace(np.array([[-2.0, 0.0, 1.0], [1.0, 5.0, 100.0]]))
    assert fit.location == 1
    assert fit.scale == pytest.approx((3 + 1 + 0 + 0 + 4 + 99) / 6)


def test_the_distance_to_a_laplace_distribution_by_hand():
    fit = LaplaceFit(0, 1)
    assert fit.distance(np.zeros((2, 3))) == 0.5
    assert fit.distance(np.array([[-100.0], [100.0]])) == pytest.approx(0.5)
    assert fit.distance(stats.laplace.ppf((np.arange(500) + 0.5) / 500)) == pytest.approx(0.001)


@given(st.floats(1e-3, 1e3))
def test_entropy_is_that_of_scipys_laplace_distribution(scale):
    fit = LaplaceFit(0.3, scale)
    assert fit.nats == pytest.approx(float(stats.laplace(0.3, scale).entropy()), abs=1e-9)
    assert fit.bits == pytest.approx(fit.nats / np.log(2))


def test_density_integrates_to_one_and_gives_the_entropy():
    fit = LaplaceFit(0.5, 0.2)
    x = np.linspace(-5, 6, 200_001)
    density = fit.density(x)
    assert integrate.simpson(density, x=x) == pytest.approx(1, abs=1e-6)
    assert integrate.simpson(-density * np.log(density), x=x) == pytest.approx(fit.nats, abs=1e-5)
    assert fit.density(np.array([[0.5]])).shape == (1, 1)


def test_zero_share_counts_over_all_layers():
    assert zero_share([np.array([[0, 1], [2, 0]]), np.array([0, 0, -1, 3])]) == 0.5


def test_signal_to_noise_counts_all_layers_but_the_first():
    kernels = {name: np.full((2, 3, 3), 2, np.float32) for name in "ab"}
    noisy = {"a": kernels["a"] + 100, "b": kernels["b"] + np.float32(0.2)}
    assert snr(kernels, noisy) == pytest.approx(20, abs=1e-4)
    assert snr(kernels, kernels) == float("inf")


def test_what_chance_gives_is_the_share_over_the_lift():
    rng = np.random.default_rng(0)
    found = best_sources({str(i): rng.normal(size=(c, 3, 3)).astype(np.float32) for i, c in enumerate((3, 9, 4, 12))})
    assert found.chance_share == pytest.approx(found.previous_share / found.lift)
    assert found.chance_share == pytest.approx((4 * 9 / 12 + 12 * 4 / 16) / 16)
