"""Channel orders and signs that leave a network's function alone.

    state dict, order, signs -> rearranged -> state dict

The hidden channels of a depthwise block may be put into another order if everything that touches them
follows: the rows of the convolution before, the batch norms on the way, the columns of the convolution
behind. A kernel's sign may be flipped if a batch norm directly behind it takes the flip in.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Symmetry:
    """What may change in one depthwise layer of c channels.

    Channels with the same number in `cells` (c,) may change places; distinct numbers everywhere say that
    none may. `before` are tensors whose axis 0 follows, with the row `at` (c,) that feeds each channel;
    `after` are those behind the layer whose axis 0 follows; `consumer` is a weight whose axis 1 follows
    within each of `groups`. `signed` are tensors behind it that a flipped kernel flips too, None if no
    batch norm can take the flip in.
    """

    layer: str
    cells: np.ndarray
    before: tuple[tuple[str, np.ndarray], ...] = ()
    after: tuple[str, ...] = ()
    consumer: str | None = None
    groups: int = 1
    signed: tuple[str, ...] | None = None

    @property
    def ordered(self) -> bool:
        """Whether any two channels may change places."""
        return len(np.unique(self.cells)) < len(self.cells)


def rearranged(
    tensors: Mapping[str, np.ndarray], symmetry: Symmetry, order: np.ndarray, signs: np.ndarray
) -> dict[str, np.ndarray]:
    """The state dict with channel `order[j]` moved to place j and multiplied by `signs[j]` there, both (c,).

    Raises ValueError for an order or signs that `symmetry` does not allow.
    """
    identity = np.arange(len(order))
    if not (np.array_equal(np.sort(order), identity) and np.array_equal(symmetry.cells[order], symmetry.cells)):
        raise ValueError("the order moves a channel out of its cell")
    if not np.isin(signs, (-1, 1)).all() or (symmetry.signed is None and (signs < 0).any()):
        raise ValueError("signs are 1 or -1, and -1 needs a batch norm behind the layer")
    changed = dict(tensors)
    changed[symmetry.layer] = changed[symmetry.layer][order] * signs.astype(np.float32)[:, None, None, None]
    for name, at in symmetry.before:
        moved = changed[name].copy()
        moved[at] = changed[name][at[order]]
        changed[name] = moved
    for name in symmetry.after:
        changed[name] = changed[name][order]
    for name in symmetry.signed or ():
        changed[name] = changed[name] * signs.astype(np.float32) + np.float32(0)  # a zero has no sign to store
    if symmetry.consumer is not None and symmetry.ordered:
        weights = np.split(changed[symmetry.consumer], symmetry.groups)
        columns = np.split(order % (len(order) // symmetry.groups), symmetry.groups)
        changed[symmetry.consumer] = np.concatenate([w[:, o] for w, o in zip(weights, columns, strict=True)])
    return changed
