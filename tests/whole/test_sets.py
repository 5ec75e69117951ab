import math
from collections import Counter

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilwp.common.bytes import Reader
from ilwp.common.errors import IlwpError
from ilwp.whole import models
from ilwp.whole.sets import canonical, cells_that_pay, order_bits, pack_cells, pop_set, push_set, read_cells

layers = st.integers(1, 12).flatmap(
    lambda c: st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=c, max_size=c)
)


def stack_with(words: int = 4) -> constriction.stream.stack.AnsCoder:
    return constriction.stream.stack.AnsCoder(np.arange(1, words + 1, dtype=np.uint32) * 0x9E3779B1)


def coders_of(levels: np.ndarray) -> tuple[int, list]:
    code, _ = models.fit_code(levels, mirrored=True)
    return code.reach, code.coders(levels.shape[1])


@given(layers, st.booleans())
def test_a_set_comes_back_and_leaves_the_coder_as_it_was(kernels: list[list[int]], signed: bool):
    levels = np.array(kernels)
    order, signs = canonical(levels, np.zeros(len(levels), int), signed)
    levels = levels[order] * signs[:, None]
    if not levels.any():
        return
    reach, coders = coders_of(levels)
    stack = stack_with()
    before = stack.get_compressed().tolist()
    push_set(stack, levels, coders, reach, signed)
    np.testing.assert_array_equal(pop_set(stack, len(levels), coders, reach, signed), levels)
    assert stack.get_compressed().tolist() == before


@given(layers, st.booleans())
def test_every_order_has_one_canonical_form(kernels: list[list[int]], signed: bool):
    levels = np.array(kernels)
    rng = np.random.default_rng(0)
    forms = []
    for turn in (levels, rng.permutation(levels) * (rng.choice([-1, 1], (len(levels), 1)) if signed else 1)):
        order, signs = canonical(turn, np.zeros(len(turn), int), signed)
        assert sorted(order.tolist()) == list(range(len(turn)))
        forms.append((turn[order] * signs[:, None]).tolist())
    assert forms[0] == forms[1] == sorted(forms[0])


def test_channels_stay_within_their_cells():
    levels, cells = np.array([[3], [2], [1], [0]]), np.array([0, 1, 0, 1])
    order, _ = canonical(levels, cells, signed=False)
    assert order.tolist() == [2, 3, 0, 1]


@given(st.lists(st.integers(1, 60), max_size=5))
def test_an_order_takes_the_bits_of_its_number_among_all(sizes: list[int]):
    assert order_bits(sizes) == pytest.approx(math.log2(math.prod(math.factorial(size) for size in sizes)))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
def test_cells_come_back(cells: list[int]):
    assert read_cells(Reader(pack_cells(np.array(cells))), len(cells)).tolist() == cells


def test_runs_that_do_not_make_up_the_channels_are_no_cells():
    with pytest.raises(IlwpError, match="make no sense"):
        read_cells(Reader(pack_cells(np.array([0, 0, 1]))), 4)


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3]), min_size=1, max_size=60))
def test_no_cells_cost_more_to_tell_than_their_orders_save(cells: list[int]):
    told = cells_that_pay(np.array(cells))
    assert told.tolist() in (cells, list(range(len(cells))))
    saved = order_bits(Counter(told.tolist()).values())
    assert saved >= 8 * (len(pack_cells(told)) - len(pack_cells(np.arange(len(cells)))))


@pytest.mark.parametrize(("cells", "pay"), [([0] * 30, True), ([0] * 30 + [1] * 30, True), ([0, 1] * 15, False)])
def test_cells_side_by_side_pay_and_cells_in_turn_do_not(cells: list[int], pay: bool):
    assert (cells_that_pay(np.array(cells)).tolist() == cells) == pay


@pytest.mark.parametrize("spread", [1, 20])
@pytest.mark.parametrize("signed", [False, True])
def test_the_order_and_the_signs_save_what_they_are_worth(spread: int, signed: bool):
    levels = np.rint(np.random.default_rng(3).laplace(0, spread, (300, 4))).astype(int)
    order, signs = canonical(levels, np.zeros(300, int), signed)
    levels = levels[order] * signs[:, None]
    reach, coders = coders_of(levels)
    kept, freed = stack_with(), stack_with()
    push_set(freed, levels, coders, reach, signed)
    for column, coder in zip(levels.T, coders, strict=True):
        kept.encode_reverse((column + reach).astype(np.int32), coder)
    ties = sum(math.lgamma(n + 1) for n in Counter(map(tuple, levels.tolist())).values())
    worth = (math.lgamma(301) - ties) / math.log(2) + signed * np.any(levels, axis=1).sum()
    assert kept.num_valid_bits() - freed.num_valid_bits() == pytest.approx(worth, abs=40)
