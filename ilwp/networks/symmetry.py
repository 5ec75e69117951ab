"""Channel orders and signs that leave a network's function alone.

    state dict, order, signs -> rearranged -> state dict

The channels around a depthwise layer may be put into another order if everything that touches them follows: the
rows of the convolution before, the batch norms on the way, the columns of the convolution behind. A kernel's sign
may be flipped if a batch norm directly behind it takes the flip in.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Follower:
    """A tensor that follows a layer's channels: `at` (c,) is each channel's place in it, -1 for none.

    Places are rows (axis 0), or, if it has `groups`, columns (axis 1) counted through all groups.
    """

    name: str
    at: np.ndarray
    groups: int | None = None


@dataclass(frozen=True)
class Symmetry:
    """What may change in one depthwise layer of c kernels.

    Channels with the same number in `cells` (c,) may change places; distinct numbers everywhere say that none may.
    `followers` move with them. `signed` are tensors behind the layer that a flipped kernel flips too, None if no batch
    norm can take the flip in.
    """

    layer: str
    cells: np.ndarray
    followers: tuple[Follower, ...] = ()
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
    changed[symmetry.layer] = _flipped(changed[symmetry.layer][order], signs)
    for follower in symmetry.followers:
        moving = follower.at >= 0
        changed[follower.name] = _moved(
            changed[follower.name], follower.at[moving], follower.at[order[moving]], follower.groups
        )
    for name in symmetry.signed or ():
        changed[name] = _flipped(changed[name], signs)
    return changed


def _moved(tensor: np.ndarray, to: np.ndarray, origin: np.ndarray, groups: int | None) -> np.ndarray:
    """A copy with what stood at `origin` standing at `to`."""
    moved = tensor.copy()
    if groups is None:
        moved[to] = tensor[origin]
    else:
        # (groups, rows of one, columns of one, ...); a column never leaves its group
        split, into = (part.reshape(groups, -1, *tensor.shape[1:]) for part in (tensor, moved))
        (group, column), (_, source) = np.divmod(to, tensor.shape[1]), np.divmod(origin, tensor.shape[1])
        into[group, :, column] = split[group, :, source]
    return moved


def _flipped(tensor: np.ndarray, signs: np.ndarray) -> np.ndarray:
    signs = signs.reshape(-1, *[1] * (tensor.ndim - 1))
    flipped: np.ndarray = tensor * signs.astype(tensor.dtype) + tensor.dtype.type(0)  # a zero has no sign to store
    return flipped
