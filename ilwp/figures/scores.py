"""A claim's score: what the paper says, what was found, and the verdict on each part of the claim."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

HOLDS, IN_PART, FAILS, UNTESTED = "holds", "holds in part", "does not hold", "not tested"
MARKS = {HOLDS: "●", IN_PART: "◐", FAILS: "○", UNTESTED: "·"}
# how parts make a verdict; frozen with the rules
RULE = (
    "A claim is cut into parts. It holds if all of its parts do, does not hold if fewer than half of them do, and "
    "holds in part otherwise. An amount is met unless the 95 % interval over pairs of runs lies beyond it. A direction "
    "needs the interval to lie on its side. With fewer than three pairs the mean decides."
)


@dataclass(frozen=True)
class Part:
    """What is judged on its own: a `name` within a `group`, such as a method in a loop; None if it was not tested."""

    group: str
    name: str
    holds: bool | None


@dataclass(frozen=True)
class Score:
    """One claim: where the paper makes it, what it says, what was found in how many runs or pairs, and its parts.

    `ours` is what a reader needs for the verdict, `details` the rest; each may have several lines.
    """

    claim: str
    page: str  # which shows the evidence
    paper: str
    rule: str
    ours: str
    runs: int
    parts: Sequence[Part]
    details: str = ""

    @property
    def verdict(self) -> str:
        """RULE applied to the parts. A claim with a part that was not tested holds in part at most."""
        tested = [part.holds for part in self.parts if part.holds is not None]
        if not tested:
            return UNTESTED
        if 2 * sum(tested) < len(tested):
            return FAILS
        return HOLDS if all(tested) and len(tested) == len(self.parts) else IN_PART

    @property
    def which(self) -> str:
        """Which parts hold, which do not and which were not tested; empty unless the claim holds in part."""
        if self.verdict != IN_PART:
            return ""
        words = {True: "holds", False: "does not", None: "not tested"}
        found = [(word, _named(self.parts, holds)) for holds, word in words.items()]
        return "\n".join(f"{word}: {names}" for word, names in found if names)


def mean_and_range(values: pd.Series) -> str:
    """Mean, least and greatest, in words."""
    return f"{values.mean():.2f} ({values.min():.2f} to {values.max():.2f})"


def mean_and_deviation(values: np.ndarray, digits: int = 3, sign: str = "") -> str:
    """Mean and standard deviation, or what there is of them, in words that stay on one line; `sign` is that of `:+`."""
    if not len(values):
        return "none"
    return f"{values.mean():{sign}.{digits}f}" + (
        f"\u00a0±\u00a0{values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    )


def _named(parts: Sequence[Part], holds: bool | None) -> str:
    """Groups of the parts that are so, with their names unless the whole group is."""
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.group, []).append(part)
    words = []
    for group, members in groups.items():
        chosen = [part.name for part in members if part.holds is holds and part.name]
        if all(part.holds is holds for part in members):
            words.append(group)
        elif chosen:
            words.append(f"{group} ({', '.join(chosen)})")
    return ", ".join(words)
