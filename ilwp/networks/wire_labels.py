"""Labels: tensors that hold, for each number of another tensor, the wire it belongs to.

Where labels do not vary along an axis they are repeated along it, which takes no memory.
"""

from collections.abc import Sequence

import torch


def spread_labels(wires: torch.Tensor, shape: Sequence[int], axis: int) -> torch.Tensor:
    """Labels of a shape that has the wires along an axis."""
    return wires.reshape([-1 if i == axis else 1 for i in range(len(shape))]).expand(*shape)


def compact_labels(labels: torch.Tensor, keep: int | None = None) -> torch.Tensor:
    """The same labels without the repetitions that take no memory."""
    return labels[tuple(slice(None) if step or axis == keep else slice(1) for axis, step in enumerate(labels.stride()))]


def simplified_labels(labels: torch.Tensor) -> torch.Tensor:
    """The same labels, repeated without taking memory along every axis on which they do not vary."""
    small = compact_labels(labels)
    for axis in range(small.ndim):
        first = small.narrow(axis, 0, 1) if small.shape[axis] else small
        if small.shape[axis] > 1 and torch.equal(first.expand_as(small), small):
            small = first
    return small.expand(labels.shape)
