"""Weight Fixing Networks (Subia-Waud and Dasmahapatra 2022): all weights of a network become one of a few values.

In T steps a growing share of all weights is fixed to centroids near them; in between, training moves the others closer
(`regularization`). Distance is relative, |w - c| / |w|, so the larger a centroid, the further away it may be. A
centroid is a sum of few powers of two.

What the paper leaves open, decided here: the order of centroids starts at 0 in every step; centroids go on until every
weight lies within the tolerance of one before it is rounded; and where no order up to `LAST_ORDER` brings any weight
of the largest cluster within the tolerance, its weights take it all the same, since the loop would not end.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch

SHARES = (0.3, 0.6, 0.8, 0.9, 0.95, 0.975, 0.99, 0.9975, 0.999, 1.0)  # of all weights, fixed after each step
SMALLEST = 2.0**-7  # magnitude of a centroid other than zero, gamma_0
TEMPERATURE = 0.05  # of the soft minimum over centroids
ALPHA = 0.4  # of the cross-entropy's size: the regularization's
LAST_ORDER = 7


@dataclass(frozen=True)
class Fixed:
    """Weights (n,) float32 after a step; which are fixed (n,) bool; the order that it reached, and how many weights
    were fixed beyond the tolerance because no order was enough.
    """

    weights: np.ndarray
    fixed: np.ndarray
    order: int
    beyond: int


def step_tolerance(delta: float, step: int) -> float:
    """delta_t, the largest mean relative distance in step 1 to T = 10.

    >>> [step_tolerance(0.5, step) for step in (1, 8, 9, 10)]
    [4.5, 1.0, 0.5, 0.5]
    """
    return max(delta, delta * (len(SHARES) - step))


def candidate_centroids(tolerance: float, order: int, largest: float) -> np.ndarray:
    """Candidates (k,) float32 for weights up to the magnitude `largest`, in rising order.

    They are zero and, of both signs, a geometric sequence from `SMALLEST` on whose neighbours are 2 `tolerance` apart,
    each rounded to at most `order` + 1 powers of two. Raises ValueError for a tolerance not between 0 and 1.
    """
    if not 0 < tolerance < 1:
        raise ValueError(f"a tolerance of {tolerance} is not between 0 and 1")
    exact = itertools.accumulate(itertools.repeat((1 + tolerance) / (1 - tolerance)), float.__mul__, initial=SMALLEST)
    # c / (1 + tolerance) is the largest weight that the centroid before c is near enough to
    magnitudes = itertools.takewhile(lambda c: c / (1 + tolerance) < largest, exact)
    rounded = [powers_of_two(c, order, tolerance) for c in magnitudes]
    return np.unique(np.array([*rounded, 0.0, *(-c for c in rounded)], np.float32))


def powers_of_two(value: float, order: int, tolerance: float) -> float:
    """`value` > 0 as a sum of at most `order` + 1 signed powers of two, none below `SMALLEST` / 2 ** (order + 1).

    Each is the nearest, on a logarithmic scale, to what is left; there is none more once the relative error is below
    the tolerance.

    >>> [powers_of_two(0.8, order, 0.01) for order in range(4)]
    [1.0, 0.75, 0.8125, 0.796875]
    """
    least = math.frexp(SMALLEST)[1] - 1 - order - 1
    total = 0.0
    for _ in range(order + 1):
        left = value - total
        if abs(left) < tolerance * value:
            break
        mantissa, exponent = math.frexp(abs(left))  # mantissa in [0.5, 1)
        exponent -= mantissa < math.sqrt(0.5)
        if exponent < least:
            break
        total += math.copysign(math.ldexp(1.0, exponent), left)
    return total


def distances(weights: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index (n,) and relative distance (n,) float64 of each weight's nearest centroid.

    Zero is nearest, at distance 0, to all weights below `SMALLEST`. Midway between two, the smaller is chosen.
    """
    values, known = weights.astype(np.float64), centroids.astype(np.float64)
    nearest = np.searchsorted((known[1:] + known[:-1]) / 2, values)
    small = np.abs(values) < SMALLEST
    nearest[small] = np.searchsorted(known, 0.0)
    distance = np.abs(values - known[nearest]) / np.maximum(np.abs(values), SMALLEST)
    distance[small] = 0
    return nearest, distance


def fix(weights: np.ndarray, fixed: np.ndarray, share: float, tolerance: float) -> Fixed:
    """Fix weights (n,) float32 until at least `share` of all is fixed; `fixed` (n,) bool are already.

    Over and over: of the centroid that is nearest to most weights, those closest to it are fixed, as many as have a
    mean distance of at most `tolerance`; where there is none, centroids get one more power of two.
    """
    weights, fixed = weights.copy(), fixed.copy()
    wanted = math.ceil(share * len(weights))
    largest, beyond = float(np.abs(weights).max(initial=0)), 0
    for order in range(LAST_ORDER + 1):
        values = candidate_centroids(tolerance, order, largest)
        free = np.flatnonzero(~fixed)
        nearest, distance = distances(weights[free], values)
        ranked = np.lexsort((distance, nearest))
        counts = np.bincount(nearest, minlength=len(values))
        members = np.split(ranked, np.cumsum(counts)[:-1])
        while (missing := wanted - int(fixed.sum())) > 0:
            largest_cluster = int(counts.argmax())
            cluster = members[largest_cluster]
            means = np.cumsum(distance[cluster]) / np.arange(1, len(cluster) + 1)
            count = int((means <= tolerance).sum())
            if not count and order < LAST_ORDER:
                break
            if not count:
                count = len(cluster)
                beyond += count
            weights[free[cluster[:count]]] = values[largest_cluster]
            fixed[free[cluster[:count]]] = True
            members[largest_cluster] = cluster[count:]
            counts[largest_cluster] -= count
        if missing <= 0:
            break
    return Fixed(weights, fixed, order, beyond)


def regularization(weights: torch.Tensor, centroids: torch.Tensor) -> torch.Tensor:
    """L_reg: the mean over weights (n,) of their soft minimal distance to centroids (k,), a scalar.

    A weight's term is sum_j p_j d_j with p = softmax(-d / `TEMPERATURE`). Signs are left out: a centroid of the other
    sign is further away than zero, and has no share in the sum that float32 would show.
    """
    magnitudes = weights.abs()[:, None]  # (n, 1)
    known = centroids[centroids >= 0]
    apart = (magnitudes - known).abs() / magnitudes.clamp(min=torch.finfo(weights.dtype).tiny)
    apart = torch.where((magnitudes < SMALLEST) & (known == 0), 0, apart)
    return (torch.softmax(-apart / TEMPERATURE, dim=1) * apart).sum(1).mean()
