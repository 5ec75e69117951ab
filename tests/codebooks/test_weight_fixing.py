import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ilwp.codebooks import weight_fixing
from ilwp.codebooks.weight_fixing import (
    SMALLEST,
    TEMPERATURE,
    candidate_centroids,
    distances,
    fix,
    powers_of_two,
    regularization,
    step_tolerance,
)

WEIGHTS = np.float32([0.001, -0.002, 0.5, 0.51, 0.58, 0.03])
NONE = np.zeros(len(WEIGHTS), bool)
sensible = arrays(np.float32, st.integers(1, 60), elements=st.floats(-2, 2, width=32))


def test_the_tolerance_falls_to_delta():
    found = [step_tolerance(0.01, step) for step in range(1, 11)]
    assert found == pytest.approx([0.09, 0.08, 0.07, 0.06, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01])


@pytest.mark.parametrize(
    ("value", "order", "tolerance", "wanted"),
    [
        (0.8, 0, 0.01, 1),
        (0.8, 1, 0.01, 1 - 1 / 4),
        (0.8, 2, 0.01, 1 - 1 / 4 + 1 / 16),
        (0.8, 3, 0.01, 1 - 1 / 4 + 1 / 16 - 1 / 64),
        (0.8, 7, 0.02, 1 - 1 / 4 + 1 / 16),  # 1.6 % off is near enough
        (0.8, 7, 0.3, 1),
        (SMALLEST, 3, 0.01, SMALLEST),
        (1.1 * SMALLEST, 1, 0.01, SMALLEST),  # the next would be 2 ** -10, below 2 ** -9
        (1.1 * SMALLEST, 2, 0.01, SMALLEST + 2**-10),
    ],
)
def test_centroids_are_sums_of_few_powers_of_two(value: float, order: int, tolerance: float, wanted: float):
    assert powers_of_two(value, order, tolerance) == wanted


def test_candidates_double_at_a_tolerance_of_a_third():
    powers = [2.0**-7, 2.0**-6, 2.0**-5, 2.0**-4]
    assert candidate_centroids(1 / 3, 0, 2.0**-4).tolist() == [-p for p in reversed(powers)] + [0.0, *powers]
    # 0.0937 is within a third of 2 ** -4, 0.0938 is not
    assert candidate_centroids(1 / 3, 0, 0.0937).max() == 2.0**-4
    assert candidate_centroids(1 / 3, 0, 0.0938).max() == 2.0**-3


def test_of_weights_that_are_all_small_only_zero_is_left():
    assert candidate_centroids(0.1, 0, 0.001).tolist() == [0.0]


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, float("nan")])
def test_a_tolerance_must_lie_between_0_and_1(wrong: float):
    with pytest.raises(ValueError, match="not between 0 and 1"):
        candidate_centroids(wrong, 0, 1.0)


@given(st.floats(0.01, 0.5), st.floats(SMALLEST, 4))
def test_before_rounding_every_weight_is_within_the_tolerance_of_a_candidate(tolerance: float, weight: float):
    known = candidate_centroids(tolerance, weight_fixing.LAST_ORDER, weight)
    _, distance = distances(np.float32([weight, -weight]), known)
    # rounding may move a candidate by as much again
    assert (distance <= 2.3 * tolerance).all()


def test_distances_are_relative_and_small_weights_are_at_zero():
    nearest, distance = distances(np.float32([0.3, -0.3, 0.004, 0.375, 0.75]), np.float32([-0.25, 0, 0.25, 0.5]))
    assert nearest.tolist() == [2, 0, 1, 2, 3]
    assert distance == pytest.approx([1 / 6, 1 / 6, 0, 1 / 3, 1 / 3])


def test_the_longest_prefix_within_the_tolerance_of_the_largest_cluster_is_fixed():
    # at order 0 the cluster of 0.5 has distances 0, 0.0196, 0.1379 and their means 0, 0.0098, 0.0525
    done = fix(WEIGHTS, NONE, 0.3, 0.07)
    assert done.fixed.tolist() == [False, False, True, True, True, False]
    assert done.weights.tolist() == [*WEIGHTS[:2], 0.5, 0.5, 0.5, WEIGHTS[5]]
    done = fix(WEIGHTS, NONE, 0.3, 0.05)
    assert done.fixed.tolist() == [False, False, True, True, False, False]
    assert (done.order, done.beyond) == (0, 0)


def test_the_next_largest_cluster_follows_and_a_centroid_that_is_too_far_gets_another_term():
    half = fix(WEIGHTS, NONE, 0.5, 0.05)
    assert half.weights.tolist() == [0, 0, 0.5, 0.5, *WEIGHTS[4:]]
    done = fix(half.weights, half.fixed, 1.0, 0.05)
    # 0.03 is 0.0417 from 2 ** -5; 0.58 is 0.1379 from 0.5, and 0.0302 from 1 / 2 + 1 / 16
    assert done.weights.tolist() == [0, 0, 0.5, 0.5, 0.5625, 2.0**-5]
    assert (done.order, done.beyond) == (1, 0)


def test_what_no_order_reaches_is_fixed_all_the_same_and_counted():
    # 0.6 is 0.0369 from the candidate 0.5778, which is rounded to 1 / 2 + 1 / 16, and that is 0.0625 away
    done = fix(np.float32([0.5, 0.6]), np.zeros(2, bool), 1.0, 0.05)
    assert done.weights.tolist() == [0.5, 0.5625]
    assert (done.order, done.beyond) == (weight_fixing.LAST_ORDER, 1)


@given(sensible, st.floats(0.01, 0.5))
def test_every_step_fixes_its_share_and_leaves_the_rest_alone(weights: np.ndarray, delta: float):
    before, fixed = weights, np.zeros(len(weights), bool)
    for share in (0.3, 0.8, 1.0):
        done = fix(weights, fixed, share, delta)
        assert done.fixed.mean() >= share
        assert (done.fixed >= fixed).all()
        assert (done.weights[fixed | ~done.fixed] == weights[fixed | ~done.fixed]).all()
        known = candidate_centroids(delta, done.order, float(np.abs(weights).max()))
        assert done.beyond or set(done.weights[done.fixed & ~fixed].tolist()) <= {
            c
            for order in range(done.order + 1)
            for c in candidate_centroids(delta, order, float(np.abs(weights).max())).tolist()
        }
        assert len(known) >= 1
        weights, fixed = done.weights, done.fixed
    large = np.abs(before) >= SMALLEST
    assert (weights[~large] == 0).all()


def test_midway_between_two_centroids_the_soft_minimum_is_the_distance_to_either():
    known = torch.tensor([-1.0, 0.0, 0.95, 1.05])
    assert regularization(torch.tensor([1.0]), known).item() == pytest.approx(0.05, rel=1e-6)
    assert regularization(torch.tensor([-1.0]), torch.tensor([0.0, 1.0])).item() == pytest.approx(0, abs=1e-7)
    assert regularization(torch.tensor([0.003, 0.0]), known).item() == pytest.approx(0, abs=1e-7)


@given(sensible)
def test_the_regularization_is_what_its_formula_says_with_centroids_of_both_signs(weights: np.ndarray):
    known = candidate_centroids(0.2, 1, 2.0).astype(np.float64)
    total = 0.0
    for w in weights.astype(np.float64):
        apart = np.abs(w - known) / max(abs(w), 1e-38)
        apart[known == 0] = 0 if abs(w) < SMALLEST else 1
        share = np.exp(-(apart - apart.min()) / TEMPERATURE)
        total += (share / share.sum() * apart).sum()
    found = regularization(torch.from_numpy(weights), torch.from_numpy(known.astype(np.float32)))
    assert found.item() == pytest.approx(total / len(weights), rel=1e-4, abs=1e-6)


def test_its_gradient_is_right_and_pulls_a_weight_to_its_centroid():
    known = torch.from_numpy(candidate_centroids(0.1, 0, 1.0)).double()
    weights = torch.tensor([0.3, -0.27, 0.9, 0.52], dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda w: regularization(w, known), (weights,))
    regularization(weights, known).backward()
    # nearest powers of two: 0.25, -0.25, 1, 0.5
    assert torch.sign(weights.grad).tolist() == [1, -1, -1, 1]
