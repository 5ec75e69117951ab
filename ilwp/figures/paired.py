"""Runs that differ in one thing, compared seed by seed.

two columns by seed -> ratio or difference -> Paired -> mean, 95 % interval, words
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

ENOUGH = 3  # pairs for an interval


@dataclass(frozen=True)
class Paired:
    """One value per pair of runs of the same seed, (n,) float64: a ratio or a difference; NaN where there is none."""

    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        """The mean, NaN without pairs."""
        return float(self.values.mean()) if len(self) else float("nan")

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's 95 % interval of the mean; None for fewer than ENOUGH pairs."""
        if len(self) < ENOUGH:
            return None
        reach = float(stats.t.ppf(0.975, len(self) - 1) * stats.sem(self.values))
        return self.mean - reach, self.mean + reach

    def above(self, bound: float) -> bool:
        """Whether the interval lies above `bound`; the mean, where there is no interval."""
        return self._ends()[0] > bound

    def below(self, bound: float) -> bool:
        """Whether the interval lies below `bound`; the mean, where there is no interval."""
        return self._ends()[1] < bound

    def words(self, digits: int = 3, sign: str = "") -> str:
        """Mean and interval, or the number of pairs where there are too few; `sign` is "+" for differences."""
        if not len(self):
            return "none"
        few = f" ({'one pair' if len(self) == 1 else f'{len(self)} pairs'}, no interval)"
        return self.short(digits, sign) + (few if self.interval is None else "")

    def short(self, digits: int = 3, sign: str = "") -> str:
        """The same where the number of pairs is told elsewhere."""
        form = f"{sign}.{digits}f"
        if self.interval is None:
            return f"{self.mean:{form}}"
        low, high = self.interval
        return f"{self.mean:{form}} ({low:{form}} to {high:{form}})"

    def _ends(self) -> tuple[float, float]:
        return self.interval or (self.mean, self.mean)


def ratios(mine: pd.Series, others: pd.Series) -> Paired:
    """`mine` over `others`, two columns by seed; seeds that only one of them has are left out."""
    return Paired((mine / others).dropna().to_numpy(float))


def differences(mine: pd.Series, others: pd.Series) -> Paired:
    """`mine` less `others`, two columns by seed; seeds that only one of them has are left out."""
    return Paired((mine - others).dropna().to_numpy(float))
