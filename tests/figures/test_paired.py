import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ilwp.figures.paired import Paired, differences, ratios

values = st.lists(st.floats(-10, 10), min_size=3, max_size=8).filter(lambda v: np.std(v) > 1e-3)


@given(values)
def test_the_interval_is_that_of_the_paired_t_test(found: list[float]):
    paired = Paired(np.array(found))
    expected = stats.ttest_1samp(found, 0).confidence_interval()
    assert paired.interval == pytest.approx((expected.low, expected.high))
    assert paired.above(0) == (stats.ttest_1samp(found, 0, alternative="greater").pvalue < 0.025)
    assert paired.below(0) == (stats.ttest_1samp(found, 0, alternative="less").pvalue < 0.025)


def test_too_few_pairs_have_no_interval_and_say_so():
    assert Paired(np.array([0.5])).words() == "0.500 (one pair, no interval)"
    assert Paired(np.array([-1.0, 2])).words(1, "+") == "+0.5 (2 pairs, no interval)"
    assert Paired(np.array([1.0, 2, 3])).words(1) == "2.0 (-0.5 to 4.5)"
    assert Paired(np.array([])).words() == "none"
    assert np.isnan(Paired(np.array([])).mean)
    assert Paired(np.array([0.5])).below(0.6)
    assert not Paired(np.array([0.5])).above(0.5)


def test_a_seed_that_one_side_lacks_is_left_out():
    mine, others = pd.Series({0: 50.0, 1: 90, 3: 7}), pd.Series({1: 100.0, 0: 100, 2: 1})
    assert ratios(mine, others).values.tolist() == [0.5, 0.9]
    assert differences(mine, others).values.tolist() == [-50, -10]
