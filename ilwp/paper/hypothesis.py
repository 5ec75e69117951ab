"""The smoothly varying weight hypothesis (Eq. 1) as Fig. 2 measures it: in which layer a kernel's nearest lies.

    kernels -> best_sources -> Sources

Layers are counted from 1, as in the paper; only those from the third on have a choice. What chance gives depends on
how many kernels each layer has, so it is counted beside.
"""

from dataclasses import dataclass

import numpy as np

from ilwp.paper.kernels import Kernels
from ilwp.paper.prediction import nearest


@dataclass(frozen=True)
class Sources:
    """Where the best predictions of a network's N layers come from.

    `share` (N, N) is the share of layer i's kernels whose nearest kernel in L1 lies in layer u; rows sum
    to one from the second on. `chance` (N, N) is the share of candidates there: c[u] over all c before i.
    `hits` holds, for each layer from the third on, whether each kernel's best lies in the previous layer.
    """

    share: np.ndarray
    chance: np.ndarray
    hits: tuple[np.ndarray, ...]

    @property
    def previous_share(self) -> float:
        """Share of best predictions in the previous layer, over all layers that have a choice."""
        return float(np.concatenate(self.hits).mean())

    @property
    def chance_share(self) -> float:
        """What `previous_share` would be by chance: the previous layer's share of the candidates."""
        chances = np.diag(self.chance, -1)[-len(self.hits) :]
        return float(np.average(chances, weights=[len(h) for h in self.hits]))

    @property
    def lift(self) -> float:
        """`previous_share` over what chance alone gives: 1 means that the previous layer is nothing special."""
        return self.previous_share / self.chance_share


def best_sources(kernels: Kernels) -> Sources:
    """Full search (3.1) over the original kernels (c_i, kh, kw)."""
    layers = [k.reshape(len(k), -1) for k in kernels.values()]
    counts = np.array([len(k) for k in layers])
    share, chance = np.zeros((2, len(layers), len(layers)))
    hits = []
    for i in range(1, len(layers)):
        source = np.repeat(np.arange(i), counts[:i])[nearest(layers[i], np.concatenate(layers[:i]))]
        share[i, :i] = np.bincount(source, minlength=i) / counts[i]
        chance[i, :i] = counts[:i] / counts[:i].sum()
        if i > 1:
            hits.append(source == i - 1)
    return Sources(share, chance, tuple(hits))
