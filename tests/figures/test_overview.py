from collections import Counter

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from evidence_samples import BASELINE, at_8_bits, evidence_of

from ilwp.figures.output import plotted
from ilwp.figures.overview import overview
from ilwp.figures.scorecard import scorecard
from ilwp.figures.scorecard_evidence import Evidence

LIFTS = pd.DataFrame({"lift": [2.0, 1.0], "unit": [1.2, 1.0], "untrained": [1.0, 1.0]})
SEARCHED = {"fss": ([110, 220], [90, 91]), "lss": ([105, 210], [90, 91])}
SOME = at_8_bits(baseline=BASELINE, **SEARCHED)
NONE = evidence_of(SOME.closed.head(0), SOME.opened.head(0))


def words(figure: plt.Figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


@pytest.mark.parametrize("found", [SOME, NONE])
def test_overview_counts_the_verdicts(found: Evidence):
    scores = scorecard(found)
    figure = overview(found, scores, LIFTS)
    counts = [int(text.split()[0]) for text in words(figure) if text.split()[0].isdecimal() and " of " not in text]
    assert sorted(counts) == sorted(Counter(score.verdict for score in scores).values())
    plt.close(figure)


def test_overview_draws_ratios_to_the_baseline_and_mean_lifts():
    figure = overview(SOME, scorecard(SOME), LIFTS)
    table = plotted(figure)
    assert table.set_index("curve").loc[["fss", "lss"], "ours, closed loop"].tolist() == pytest.approx([1.1, 1.05])
    assert table["lift"].dropna().tolist() == pytest.approx([1.5, 1.1, 1.0])
    assert "1.100 ours" in words(figure)
    assert "no run yet" in words(figure)
    plt.close(figure)
