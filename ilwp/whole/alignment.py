"""Prediction without index bits or training: put each kernel beside its best reference.

A trained network's channels are put into an order, and its kernels given signs, that `symmetry` allows;
afterwards the collocated kernel of the previous layer predicts well, and no index need be stored.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from ilwp.networks.symmetry import Symmetry, rearranged


def align(tensors: Mapping[str, np.ndarray], symmetries: Sequence[Symmetry]) -> dict[str, np.ndarray]:
    """A state dict of the same function whose depthwise kernels lie beside their like in the layer before.

    Layer by layer the sum of L1 distances between collocated kernels is made as small as the layer's symmetry
    allows, an assignment problem. The layer before is the nearest with kernels of the same size; the first of each size
    stays as it is.
    """
    aligned, before = dict(tensors), dict[tuple[int, ...], str]()
    for symmetry in symmetries:
        layer = aligned[symmetry.layer]
        if layer.shape[1:] in before:
            aligned = rearranged(aligned, symmetry, *_best(layer, aligned[before[layer.shape[1:]]], symmetry))
        before[layer.shape[1:]] = symmetry.layer
    return aligned


def _best(layer: np.ndarray, previous: np.ndarray, symmetry: Symmetry) -> tuple[np.ndarray, np.ndarray]:
    """Order and signs (c,) of `layer` (c, 1, kh, kw) that bring it nearest to what is collocated in `previous`."""
    kernels, references = layer.reshape(len(layer), -1), previous.reshape(len(previous), -1)
    beside = np.arange(len(layer)) % len(previous)
    plain = cdist(references, kernels, "cityblock")[beside]  # (place, channel)
    flipped = cdist(references, -kernels, "cityblock")[beside]
    cost = plain if symmetry.signed is None else np.minimum(plain, flipped)
    order = np.empty(len(layer), np.int64)
    for cell in np.unique(symmetry.cells):
        members = np.flatnonzero(symmetry.cells == cell)
        places, channels = linear_sum_assignment(cost[np.ix_(members, members)])
        order[members[places]] = members[channels]
    places = np.arange(len(layer))
    signs = np.where(flipped[places, order] < plain[places, order], -1, 1)
    return order, signs if symmetry.signed is not None else np.ones_like(signs)
