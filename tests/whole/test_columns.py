import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilwp.common.errors import IlwpError
from ilwp.whole import columns, level_segments
from ilwp.whole.columns import MOST_CLASSES, column_classes
from ilwp.whole.container import Segment
from ilwp.whole.level_segments import COLUMNED, pack_levels, unpack_levels
from ilwp.whole.models import fit_code
from ilwp.whole.pieces import Levels

SIZES = [(2, 3000), (64, 80), (7, 9, 10, 11)]


def drawn(shape: tuple[int, ...], spread: float, seed: int = 0) -> np.ndarray:
    """Laplace levels int32, the columns' scales apart by factors of up to e ** spread."""
    generator = np.random.default_rng(seed)
    scales = 6 * np.exp(generator.uniform(-spread, 0, shape[1:]))
    return np.rint(generator.laplace(0, 1, shape) * scales).astype(np.int32)


def packed(levels: np.ndarray) -> Segment:
    return pack_levels({"weight": Levels(levels, 0.5)}).segment


@given(st.sampled_from(SIZES), st.floats(0, 30), st.integers(0, 9))
def test_levels_come_back_whatever_their_columns_are_like(shape: tuple[int, ...], spread: float, seed: int):
    levels = drawn(shape, spread, seed)
    segment = packed(levels)
    pieces, bits = unpack_levels(segment)
    assert np.array_equal(pieces["weight"].levels, levels)
    assert pieces["weight"].step == 0.5
    assert bits["weight"] <= 8 * len(segment.content)


@pytest.mark.parametrize("shape", SIZES[1:])
def test_columns_that_differ_take_about_what_each_would_take_by_itself(shape: tuple[int, ...]):
    levels = drawn(shape, 6)
    segment = packed(levels)
    assert segment.content[0] == COLUMNED
    matrix = levels.reshape(len(levels), -1)
    counts = [np.unique(column, return_counts=True)[1] / len(column) for column in matrix.T]
    least = sum(-float((p * np.log2(p)).sum()) for p in counts) * len(matrix)  # a histogram each, for nothing
    one_model = fit_code(levels.reshape(-1, 1))[1]
    assert least < 8 * len(segment.content) < 0.95 * one_model


def test_columns_that_are_alike_have_one_model():
    assert column_classes(drawn((64, 80), 0)) is None
    assert packed(drawn((64, 80), 0)).content[0] != COLUMNED


def test_classes_are_told_apart_by_magnitude_and_are_few():
    magnitudes = 2 ** np.arange(24)
    classes = column_classes(np.repeat(magnitudes[None], 40, 0).astype(np.int32))
    assert (np.diff(classes) >= 0).all()
    assert set(classes.tolist()) == set(range(max(classes) + 1))
    assert max(classes) < MOST_CLASSES


def test_dead_columns_cost_next_to_nothing():
    alive = drawn((64, 80), 0)
    dead = np.zeros((64, 80), np.int32)
    both = np.stack([alive, dead], axis=2).reshape(64, 160)
    assert len(packed(both).content) < len(packed(alive).content) + 40


def test_bytes_are_the_same_everywhere():
    rows, columns = np.indices((64, 80))
    levels = ((rows * 37 + columns * 11) % 23 - 11) // (1 + columns // 10)
    assert hashlib.sha256(packed(levels.astype(np.int32)).content).hexdigest()[:16] == "6ee20721941796b3"


def test_a_file_of_columns_in_no_class_is_refused(monkeypatch: pytest.MonkeyPatch):
    made = packed(drawn((64, 80), 6))
    start = made.content
    assert start[4] > 2  # number of classes, behind a byte and a step
    for count in (0, 1, start[4] - 1, MOST_CLASSES + 1):
        wrong = Segment(made.kind, made.tensors, start[:4] + bytes([count]) + start[5:])
        with pytest.raises(IlwpError, match=r"^this .*(make no sense|ends before|should)"):
            unpack_levels(wrong)
    monkeypatch.setattr(columns, "MOST_CLASSES", 2)
    with pytest.raises(IlwpError, match="make no sense"):
        level_segments.unpack_levels(made)
