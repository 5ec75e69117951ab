"""Where a layer's prediction comes from: full search (3.1), local search (3.2), collocated (3.3).

`aligned` predicts like `ill`, from the collocated kernel, in a network whose channels were put in order for that.

Layers are arrays (c, d) of flattened kernels. `before` holds the layers ahead of the predicted one, in network order:
reconstructed ones in a closed loop, original ones in an open loop. An index counts candidates from 0 in network order.
"""

from collections.abc import Sequence

import numpy as np

from ilwp.paper.methods import SEARCHES, Method

CHUNK = 1 << 18  # distances held at a time: 2 MB stay in a core's cache


def nearest(targets: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Index (n,) int64 of the candidate (m, d) nearest in L1 to each target (n, d); ties go to the first.

    >>> nearest(np.array([[1.0, 1.0], [5.0, 5.0]]), np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 6.0]]))
    array([0, 2])
    """
    from scipy.spatial.distance import cdist  # a decoder does not search, and the import takes a quarter of a second

    rows = max(1, CHUNK // len(pool))
    chunks = [targets[start : start + rows] for start in range(0, len(targets), rows)]
    return np.concatenate([cdist(chunk, pool, "cityblock").argmin(axis=1) for chunk in chunks])


def candidates(method: Method, before: Sequence[np.ndarray]) -> np.ndarray:
    """The kernels (m, d) that a search may refer to: all layers before for FSS, else those of the previous layer."""
    return np.concatenate(before) if method == "fss" else before[-1]


def references(method: Method, layer: np.ndarray, before: Sequence[np.ndarray]) -> np.ndarray:
    """Index (c,) int64 into `candidates` of each kernel's prediction; zeros for the baseline, which has none.

    The collocated kernel is j mod c[i-1], as in Eq. 2.
    """
    if method == "baseline":
        return np.zeros(len(layer), np.int64)
    pool = candidates(method, before)
    return nearest(layer, pool) if method in SEARCHES else np.arange(len(layer)) % len(pool)


def predict(method: Method, indices: np.ndarray, before: Sequence[np.ndarray]) -> np.ndarray:
    """The prediction (c, d) float64 that `indices` (c,) point to; for the baseline zeros (c, 1), which broadcast."""
    if method == "baseline":
        return np.zeros((len(indices), 1))
    prediction: np.ndarray = candidates(method, before)[indices].astype(np.float64)
    return prediction
