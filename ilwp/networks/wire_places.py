"""Where the wires of a network lie, and what batch norms it has; `wires` finds them."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class WirePlace:
    """Where wires lie in a tensor: along its rows (axis 0) or its columns (axis 1), in `groups` equal parts.

    `wires` are a number for each row, or for each column of each group.
    """

    name: str
    axis: int
    groups: int
    wires: np.ndarray


@dataclass(frozen=True)
class BatchNorm:
    """A batch norm that uses its running statistics: its four tensors and its eps."""

    weight: str
    bias: str
    mean: str
    variance: str
    eps: float


@dataclass
class Wiring:
    """All places of wires, the depthwise weights among them, and what batch norms there are.

    `depthwise` holds the wire of each kernel; `signed` the tensors that a flipped kernel flips too, for layers behind
    which a batch norm takes the flip in. `component` has a number for each wire, the same for wires that are tied.
    """

    places: list[WirePlace] = field(default_factory=list)
    depthwise: dict[str, np.ndarray] = field(default_factory=dict)
    signed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    batch_norms: list[BatchNorm] = field(default_factory=list)
    component: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
