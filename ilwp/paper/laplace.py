"""The Laplace distribution that residuals are said to follow, and its entropy (Eq. 5)."""

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class LaplaceFit:
    """Maximum-likelihood Laplace distribution: location mu, scale b and Eq. 5's entropy."""

    location: float
    scale: float

    @property
    def nats(self) -> float:
        """Differential entropy log(2 b) + 1 (Eq. 5)."""
        return float(np.log(2 * self.scale) + 1)

    @property
    def bits(self) -> float:
        """The same in bits."""
        return self.nats / float(np.log(2))

    def density(self, x: np.ndarray) -> np.ndarray:
        """Probability density at x, any shape."""
        return np.asarray(stats.laplace.pdf(x, self.location, self.scale))


def fit_laplace(values: np.ndarray) -> LaplaceFit:
    """Median and mean absolute deviation from it, any shape."""
    location, scale = stats.laplace.fit(values.ravel())
    return LaplaceFit(float(location), float(scale))
