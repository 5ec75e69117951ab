"""MobileNet on CIFAR-10 of several profiles beside each other and beside the paper: sizes, accuracies, verdicts.

profile -> side -> Side;  sides -> numbers, verdicts, quoted_pairs
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ilwp.experiments import evidence, profiles
from ilwp.experiments.records import read_kernels
from ilwp.figures import scores
from ilwp.figures.comparisons import equal_accuracy
from ilwp.figures.scorecard import scorecard
from ilwp.figures.scorecard_evidence import Evidence, collect_evidence
from ilwp.figures.scores import mean_and_deviation


@dataclass(frozen=True)
class Side:
    """A profile's evidence, and in words how wide its networks are and how long they were trained."""

    profile: str
    heading: str
    found: Evidence


def side(profile: str) -> Side:
    """A profile's runs of MobileNet on CIFAR-10 without and with the loss."""
    runs = evidence.select(evidence.load_runs(profile), dataset="cifar10", network="mobilenet")
    config = profiles.load_profile(profile).config("cifar10", "mobilenet", 0, 0)
    found = collect_evidence(evidence.trained_with(runs, (0, 1)), read_kernels)
    found = replace(found, public=found.public.iloc[:0])  # public networks are no runs of a profile
    return Side(profile, f"width {config.width:g}, {config.epochs} epochs", found)


def numbers(sides: Sequence[Side]) -> pd.DataFrame:
    """One row per quantity at 8 bits: the paper's, and one column per side; files are shares of the baseline's.

    The paper does not say its loop, so its numbers stand in the first row of a quantity.
    """
    paper = evidence.paper_table1()
    ratio = (paper["total"] / paper.loc["baseline", "total"]).map("{:.3f}".format)
    change = paper.loc["ill", "accuracy"] - paper.loc["baseline", "accuracy"]
    spread = mean_and_deviation
    accuracy = f"{paper.loc['baseline', 'accuracy']:.3f}"
    rows: list[tuple[str, str, str, Callable[[Evidence], str]]] = [
        ("pairs of runs", "", "5", lambda f: str(len(f.points("ill")))),
        ("top-1 of the baseline (%)", "", accuracy, lambda f: spread(f.by_seed("baseline", "accuracy").to_numpy(), 2)),
        ("file of FSS", "closed", ratio["fss"], lambda f: spread(f.ratio("fss").values)),
        ("file of LSS", "closed", ratio["lss"], lambda f: spread(f.ratio("lss").values)),
        ("file of ILL", "closed", ratio["ill"], lambda f: spread(f.ratio("ill").values)),
        ("file of ILL", "open", "", lambda f: spread(f.ratio("ill", loop="open").values)),
        ("smallest baseline file as accurate as 8-bit closed-loop ILL", "any", "",
         lambda f: spread(equal_accuracy(f)["baseline"].values)),
        ("smallest ILL file as accurate as 8-bit closed-loop ILL", "any", "",
         lambda f: spread(equal_accuracy(f)["ill"].values)),
        ("top-1 of ILL, change (points)", "closed", f"{change:+.3f}", lambda f: spread(f.points("ill").values, 2, "+")),
        ("top-1 of ILL, change (points)", "open", "", lambda f: spread(f.points("ill", "open").values, 2, "+")),
        ("ILL's levels that are zero (%)", "closed", "about 46 near zero",
         lambda f: spread(f.zeros("ill", 1, "closed"), 0)),
        ("ILL's levels that are zero (%)", "open", "", lambda f: spread(f.zeros("ill", 1, "open"), 0)),
        ("lift at unit length, without the loss", "", "", lambda f: _lifts(f, 0)),
        ("lift at unit length, with the loss", "", "", lambda f: _lifts(f, 1)),
    ]  # fmt: skip
    return pd.DataFrame(
        [
            {"at 8 bits": name, "loop": loop, "the paper": printed} | {s.heading: measure(s.found) for s in sides}
            for name, loop, printed, measure in rows
        ]
    )


def verdicts(sides: Sequence[Side]) -> pd.DataFrame:
    """One row per claim that all sides can test: the paper's words, and a column of verdicts a side, as HTML."""
    judged = [scorecard(s.found) for s in sides]
    return pd.DataFrame(
        [
            {
                "": f'<a href="{score[0].page.removeprefix("notebooks/")}.html">{score[0].claim}</a>',
                "the paper says": score[0].paper,
                **{s.heading: f"{scores.MARKS[v.verdict]} {v.verdict}" for s, v in zip(sides, score, strict=True)},
            }
            for score in zip(*judged, strict=True)
            if scores.UNTESTED not in {v.verdict for v in score}
        ]
    )


def quoted_pairs(found: Evidence) -> dict[str, float]:
    """The numbers of the prose, means over runs or pairs of them, by name; NaN where there is no run."""
    return {
        "total": found.ratio("ill").mean,
        "change": found.points("ill").mean,
        "open_change": found.points("ill", "open").mean,
    }


def _lifts(found: Evidence, inter_layer: float) -> str:
    table = found.lifts(inter_layer)
    return mean_and_deviation(table["unit"].to_numpy() if len(table) else np.array([]), 2)
