import numpy as np
import pandas as pd
import pytest

from ilwp.figures.scorecard_evidence import means_over_seeds
from ilwp.figures.scores import FAILS, HOLDS, IN_PART, UNTESTED, Part, Score, mean_and_deviation, mean_and_range


def score(*holds: bool | None) -> Score:
    return Score(
        "C0", "page", "", "", "", 1, [Part(f"loop {i // 2}", f"method {i % 2}", h) for i, h in enumerate(holds)]
    )


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ([], UNTESTED), ([None, None], UNTESTED), ([True, True], HOLDS), ([True, None], IN_PART),
        ([True, False], IN_PART), ([True, False, False], FAILS), ([False, None], FAILS), ([False], FAILS),
    ],
)  # fmt: skip
def test_parts_make_a_verdict(parts: list[bool | None], wanted: str):
    assert score(*parts).verdict == wanted


def test_in_part_says_which_part():
    assert (
        score(True, True, False, None).which
        == "holds: loop 0\ndoes not: loop 1 (method 0)\nnot tested: loop 1 (method 1)"
    )
    assert score(True, True).which == score(False, False).which == ""


def test_spreads_are_put_plainly():
    words = [mean_and_deviation(np.array(values), 1) for values in ([], [-1.0], [1.0, 3.0])]
    assert words == ["none", "-1.0", "2.0\u00a0±\u00a01.4"]


def test_each_network_and_data_set_counts_once():
    rows = [("A", "x", 0, 1.0), ("A", "x", 1, 3.0), ("B", "x", 0, 5.0)]
    means = means_over_seeds(pd.DataFrame(rows, columns=["network", "dataset", "seed", "lift"]))
    assert means["lift"].tolist() == [2, 5]
    assert mean_and_range(means["lift"]) == "3.50 (2.00 to 5.00)"
