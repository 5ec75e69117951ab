import numpy as np
import pytest
from evidence_samples import BASELINE, at_8_bits, evidence_of

from ilwp.figures import scores, side_by_side
from ilwp.figures.side_by_side import Side


def test_the_prose_quotes_means_over_runs():
    found = at_8_bits(baseline=BASELINE, ill=([50.0, 120.0], [89.0, 89.5]))
    assert side_by_side.quoted_pairs(found) == {"total": pytest.approx(0.55), "change": -1.25, "open_change": -1.25}


@pytest.fixture(scope="module")
def sides() -> list[Side]:
    return [side_by_side.side(name) for name in ("full-width", "cpu")]


def test_each_side_has_a_column_beside_the_paper(sides: list[Side]):
    table = side_by_side.numbers(sides)
    assert table.columns.tolist() == ["at 8 bits", "loop", "the paper", "width 1, 18 epochs", "width 0.5, 12 epochs"]
    assert not table[["at 8 bits", "loop"]].duplicated().any()
    total = table[(table["at 8 bits"] == "file of ILL") & (table["loop"] == "closed")].iloc[0]
    assert float(total.iloc[3]) == pytest.approx(side_by_side.quoted_pairs(sides[0].found)["total"], abs=5e-4)


def test_only_claims_that_every_side_can_test_get_verdicts(sides: list[Side]):
    table = side_by_side.verdicts(sides)
    assert len(table)
    words = {f"{mark} {verdict}" for verdict, mark in scores.MARKS.items() if verdict != scores.UNTESTED}
    for side in sides:
        assert set(table[side.heading]) <= words


def test_without_runs_nothing_is_claimed():
    none = evidence_of(*(2 * [at_8_bits(baseline=BASELINE).closed.iloc[:0]]))
    assert all(np.isnan(value) for value in side_by_side.quoted_pairs(none).values())
