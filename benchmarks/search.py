"""The full search of section 3.1 against the libraries that could do it: seconds and memory.

    python benchmarks/search.py    (`make bench-peers`; 1 minute)

Random kernels in the layers of MobileNetV2 at full width, 23.2 million pairs; then ten times as many candidates of one
layer, for the memory. Each search runs in a process of its own; seconds are medians, beside a ratio to the fastest.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable

import numpy as np
from results import save, timed
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from ilwp.paper.prediction import nearest

CHANNELS = (32, 96, 144, 144, 192, 192, 192, 384, 384, 384, 384, 576, 576, 576, 960, 960, 960)
Search = Callable[[np.ndarray, np.ndarray], np.ndarray]


def scipy_at_once(targets: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """All distances held."""
    return cdist(targets, candidates, "cityblock").argmin(axis=1)


def scipy_tree(targets: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """A k-d tree."""
    return KDTree(candidates).query(targets, p=1)[1]


def sklearn_brute(targets: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """scikit-learn's chunked search."""
    from sklearn.metrics import pairwise_distances_argmin

    return pairwise_distances_argmin(targets, candidates, metric="manhattan")


def faiss_flat(targets: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """faiss's exhaustive index."""
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlat(candidates.shape[1], faiss.METRIC_L1)
    index.add(candidates)
    return index.search(targets, 1)[1][:, 0]


SEARCHES: dict[str, Search] = {
    "ilwp": nearest, "SciPy cdist": scipy_at_once, "SciPy KDTree": scipy_tree,
    "scikit-learn": sklearn_brute, "faiss": faiss_flat,
}  # fmt: skip


def measure(name: str, scale: int) -> dict:
    """One search over all layers, or over ten times one layer's candidates."""
    rng = np.random.default_rng(0)
    layers = [rng.laplace(size=(c, 9)).astype(np.float32) for c in CHANNELS]
    if scale == 1:
        jobs = [(layers[i], np.concatenate(layers[:i])) for i in range(1, len(layers))]
    else:
        jobs = [(layers[-1], rng.laplace(size=(scale * sum(CHANNELS[:-1]), 9)).astype(np.float32))]
    search = SEARCHES[name]
    search(*(a[:50] for a in jobs[0]))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, seconds = timed(lambda: [search(*job) for job in jobs], 5 if scale == 1 else 3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    pairs = sum(len(a) * len(b) for a, b in jobs)
    return {"search": name, "pairs": pairs, "seconds": seconds, "memory_mb": peak / 1024}


def main() -> None:
    """Every search, each in a fresh process."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
        return
    rows = []
    for scale in (1, 10):
        found = [json.loads(subprocess.check_output([sys.executable, __file__, name, str(scale)])) for name in SEARCHES]
        fastest = min(row["seconds"] for row in found)
        rows += [row | {"of_fastest": row["seconds"] / fastest} for row in found]
    save("search", rows)


if __name__ == "__main__":
    main()
