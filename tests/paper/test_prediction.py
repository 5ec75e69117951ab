import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilwp.paper.methods import PAPER_METHODS, Method
from ilwp.paper.prediction import candidates, nearest, predict, references

BEFORE = [np.array([[0.0], [10.0]]), np.array([[4.0]]), np.array([[5.0], [9.0], [4.0]])]


def first_nearest(target: list[int], pool: list[list[int]]) -> int:
    best, best_distance = -1, None
    for j, candidate in enumerate(pool):
        distance = sum(abs(a - b) for a, b in zip(target, candidate, strict=True))
        if best_distance is None or distance < best_distance:
            best, best_distance = j, distance
    return best


@st.composite
def kernels_of_few_values(draw):
    taps = draw(st.integers(1, 4))
    kernel = st.lists(st.integers(-2, 2), min_size=taps, max_size=taps)
    return draw(st.lists(kernel, min_size=1, max_size=8)), draw(st.lists(kernel, min_size=1, max_size=12))


@given(kernels_of_few_values())
def test_nearest_is_what_comparing_all_finds_with_ties_to_the_first(sets):
    targets, pool = sets
    found = nearest(np.array(targets, np.float32), np.array(pool, np.float32))
    assert found.tolist() == [first_nearest(target, pool) for target in targets]


def test_nearest_among_more_pairs_than_are_held_at_a_time():
    rng = np.random.default_rng(0)
    targets, pool = rng.integers(0, 40, (5000, 2)), rng.integers(0, 40, (3000, 2))
    found = nearest(targets, pool)
    for start in range(0, 5000, 100):
        distances = np.abs(targets[start : start + 100, None] - pool[None]).sum(2)
        np.testing.assert_array_equal(found[start : start + 100], distances.argmin(1))


@given(st.integers(0, 2**32 - 1))
def test_nearest_tells_apart_what_float32_cannot(seed):
    target = np.random.default_rng(seed).standard_normal((1, 9)).astype(np.float32)
    pool = np.repeat(target.astype(np.float64), 3, axis=0)
    pool[:2, 0] += [2e-12, 1e-12]
    pool[2, 0] += 3e-12
    assert nearest(target, pool).tolist() == [1]


def test_full_search_may_refer_to_all_layers_before_in_network_order():
    assert candidates("fss", BEFORE).ravel().tolist() == [0, 10, 4, 5, 9, 4]
    assert references("fss", np.array([[8.0], [4.0], [11.0], [-1.0]]), BEFORE).tolist() == [4, 2, 1, 0]


def test_local_search_may_refer_to_the_previous_layer_only():
    assert candidates("lss", BEFORE).ravel().tolist() == [5, 9, 4]
    assert references("lss", np.array([[0.0], [10.0], [4.4], [7.0]]), BEFORE).tolist() == [2, 1, 2, 0]


@pytest.mark.parametrize(("count", "wanted"), [(2, [0, 1]), (3, [0, 1, 2]), (8, [0, 1, 2, 0, 1, 2, 0, 1])])
def test_collocated_references_go_around_the_previous_layer(count: int, wanted: list[int]):
    assert references("ill", np.zeros((count, 1)), BEFORE).tolist() == wanted


@pytest.mark.parametrize("before", [[], BEFORE])
def test_the_baseline_predicts_zero_in_any_layer(before: list[np.ndarray]):
    layer = np.ones((2, 9))
    indices = references("baseline", layer, before)
    assert indices.tolist() == [0, 0]
    assert np.array_equal(layer - predict("baseline", indices, before), layer)


@pytest.mark.parametrize(
    ("method", "wanted"), [("baseline", [0, 0]), ("fss", [4, 10]), ("lss", [4, 9]), ("ill", [4, 9])]
)
def test_prediction_is_what_the_indices_point_to(method: Method, wanted: list[float]):
    prediction = predict(method, np.array([2, 1]), [layer.astype(np.float32) for layer in BEFORE])
    assert prediction.dtype == np.float64
    assert prediction.ravel().tolist() == wanted


def test_the_papers_methods_are_all_there():
    assert PAPER_METHODS == ("baseline", "fss", "lss", "ill")
