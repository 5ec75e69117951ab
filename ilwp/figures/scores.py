"""A claim's score: what the paper says, what was found, and the verdict with the rule that gave it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

HOLDS, IN_PART, FAILS, UNTESTED = "holds", "holds in part", "does not hold", "not tested at this scale"
MARKS = {HOLDS: "●", IN_PART: "◐", FAILS: "○", UNTESTED: "·"}


@dataclass(frozen=True)
class Score:
    """One claim: where the paper makes it, what it says, what was found in how many runs, by which rule judged."""

    claim: str
    page: str  # which shows the evidence
    paper: str
    rule: str
    ours: str
    runs: int
    verdict: str


def verdict(holds: bool, in_part: bool, tested: bool = True) -> str:
    """The verdict on a claim, given what would make it hold and hold in part."""
    return UNTESTED if not tested else HOLDS if holds else IN_PART if in_part else FAILS


def mean_and_range(values: pd.Series) -> str:
    """Mean, least and greatest, in words."""
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def mean_and_deviation(values: np.ndarray, digits: int = 3) -> str:
    """Mean and standard deviation, or what there is of them, in words."""
    if not len(values):
        return "none"
    return f"{values.mean():.{digits}f}" + (f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else "")
