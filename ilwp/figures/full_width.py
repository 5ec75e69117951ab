"""MobileNet on CIFAR-10 in several profiles, side by side: what changes with width, epochs and the loss's weight.

Evidence by heading, scores by heading -> measures, verdicts -> table
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ilwp.experiments.evidence import paper_table1
from ilwp.figures.comparisons import equal_accuracy
from ilwp.figures.scorecard_evidence import Evidence
from ilwp.figures.scores import MARKS, UNTESTED, Score, mean_and_deviation


def measures(sides: Mapping[str, Evidence]) -> pd.DataFrame:
    """A row a measure, a column for the paper and for each of `sides`."""
    paper = paper_table1()
    sizes = (paper["total"] / paper.loc["baseline", "total"]).map("{:.3f}".format)
    printed = {
        "pairs of runs": "5",
        "top-1 of the baseline (%)": f"{paper.loc['baseline', 'accuracy']:.3f}",
        "file of FSS": sizes["fss"],
        "file of LSS": sizes["lss"],
        "file of ILL, open loop": sizes["ill"],
        "top-1 of ILL, open loop, change": f"{paper.loc['ill', 'accuracy'] - paper.loc['baseline', 'accuracy']:+.3f}",
        "residuals of ILL that are zero (%), open loop": "about 46 near zero",
    }
    columns = {heading: _measured(found) for heading, found in sides.items()}
    names = list(next(iter(columns.values())))
    return pd.DataFrame({
        "at 8 bits": names,
        "the paper": [printed.get(name, "") for name in names],
        **{heading: [column[name] for name in names] for heading, column in columns.items()},
    })  # fmt: skip


def verdicts(judged: Mapping[str, Sequence[Score]]) -> pd.DataFrame:
    """A row a claim that every side tests: the verdicts side by side, in HTML."""
    rows = []
    for scores in zip(*judged.values(), strict=True):
        if UNTESTED not in {score.verdict for score in scores}:
            first = scores[0]
            rows.append({
                "": f'<a href="{first.page.removeprefix("notebooks/")}.html">{first.claim}</a>',
                "the paper says": first.paper,
                **{h: f"{MARKS[s.verdict]} {s.verdict}" for h, s in zip(judged, scores, strict=True)},
            })  # fmt: skip
    return pd.DataFrame(rows)


def _measured(found: Evidence) -> dict[str, str]:
    equal = equal_accuracy(found)
    found_lifts = {
        title: found.lifts(weight)["unit"].to_numpy() if len(found.lifts(weight)) else np.array([])
        for weight, title in ((0, "without"), (1, "with"))
    }
    return {
        "pairs of runs": str(len(found.points("ill"))),
        "top-1 of the baseline (%)": mean_and_deviation(found.by_seed("baseline", "accuracy").to_numpy(), 2),
        "file of FSS": mean_and_deviation(found.ratio("fss").values),
        "file of LSS": mean_and_deviation(found.ratio("lss").values),
        "file of ILL, open loop": mean_and_deviation(found.ratio("ill", loop="open").values),
        "file of ILL, closed loop": mean_and_deviation(found.ratio("ill").values),
        "smallest file as accurate as ILL's of 8 bits, baseline": mean_and_deviation(equal["baseline"].values),
        "smallest file as accurate as ILL's of 8 bits, ILL": mean_and_deviation(equal["ill"].values),
        "top-1 of ILL, open loop, change": mean_and_deviation(found.points("ill", "open").values, 2),
        "top-1 of ILL, closed loop, change": mean_and_deviation(found.points("ill").values, 2),
        "residuals of ILL that are zero (%), open loop": mean_and_deviation(found.zeros("ill", 1, "open"), 0),
        "residuals of ILL that are zero (%), closed loop": mean_and_deviation(found.zeros("ill", 1, "closed"), 0),
        "lift at unit length without the loss": mean_and_deviation(found_lifts["without"], 2),
        "lift at unit length with the loss": mean_and_deviation(found_lifts["with"], 2),
    }
