"""Which tensors are weights that may be quantized, which are depthwise kernels, and which must stay exact.

With a network's graph that is known. Without, names and values tell, and what is in doubt stays exact: buffers are
small, and a network with a changed normalisation constant, table of positions or mask is another network.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ilwp.common.bytes import MOST_LAYERS
from ilwp.common.errors import IlwpError, printable
from ilwp.common.numbers import BLOCK
from ilwp.whole.container import MOST_SIZES
from ilwp.whole.types import QUANTIZED

# parts of the names of tensors that no layer multiplies its input with
NO_WEIGHT = (
    "mask", "mean", "std", "var", "anchor", "pos", "freq", "index", "scale", "zero_point", "grid", "running", "cache",
    "buffer", "logit", "temperature", "rotary", "coords", "norm",
)  # fmt: skip
VECTORS = ("weight", "bias")  # the last part of their names where no graph tells
MEAN, VARIANCE = "running_mean", "running_var"
OFFSETS = ("bias", "mean", "beta", "shift", "offset")
FEWEST = 4096  # elements of a weight that only its values show to be one
MOST_TAPS = 1 << 10  # of a depthwise kernel


@dataclass(frozen=True)
class Roles:
    """Names of weights that become levels, `dense` ones and `kernels` (c, 1, ...), and of `vectors`: biases, gains, and
    what batch norms know of their inputs.

    `shared` maps a name to the one before it that has the same memory. All other tensors are exact.
    """

    dense: tuple[str, ...]
    kernels: tuple[str, ...]
    vectors: tuple[str, ...]
    shared: Mapping[str, str]

    @property
    def factors(self) -> set[str]:
        """The vectors that multiply: the errors of each element are to be a share of it."""
        return set(filter(is_factor, self.vectors))


@dataclass(frozen=True)
class Known:
    """What a network's graph tells: the names of its `parameters`, and those of the weights of depthwise layers."""

    parameters: Collection[str]
    depthwise: Collection[str]


def roles(tensors: Mapping[str, np.ndarray], known: Known | None = None) -> Roles:
    """The roles of a state dict's tensors; raises IlwpError for a weight that holds NaN or infinite values."""
    shared = _shared(tensors)
    dense, kernels, vectors = [], [], []
    sizes: list[tuple[int, ...]] = []  # of the kernels
    for name, tensor in tensors.items():
        if name in shared or tensor.dtype.name not in QUANTIZED or _is_constant(tensor):
            continue
        if sum(axis > 1 for axis in tensor.shape) < 2:
            small = _is_statistic(name, tensors) or _is_vector(name, tensor, known)
            vectors += [name] * (small and all_finite(tensor))
        elif (name in known.depthwise if known else _looks_depthwise(name, tensor)) and _has_a_place(tensor, sizes):
            kernels.append(name)
            sizes.append(tensor.shape[2:])
        elif name in known.parameters if known else _looks_like_a_weight(name, tensor):
            dense.append(name)
    for name in (*dense, *kernels):
        if not all_finite(tensors[name]):
            raise IlwpError(f"{printable(name)} holds NaN or infinite weights: the network did not train")
    return Roles(tuple(dense), tuple(kernels), tuple(vectors), shared)


def all_finite(tensor: np.ndarray) -> bool:
    """Whether no element is NaN or infinite; looked at in blocks, so that a large tensor needs no other of its size."""
    flat = tensor.reshape(-1)
    return all(np.isfinite(flat[start : start + BLOCK]).all() for start in range(0, flat.size, BLOCK))


def _is_constant(tensor: np.ndarray) -> bool:
    flat = tensor.reshape(-1)
    return all((flat[start : start + BLOCK] == flat[0]).all() for start in range(0, flat.size, BLOCK))


def _shared(tensors: Mapping[str, np.ndarray]) -> dict[str, str]:
    first: dict[tuple[object, ...], str] = {}
    shared: dict[str, str] = {}
    for name, tensor in tensors.items():
        if tensor.size:
            where = tensor.__array_interface__["data"][0], tensor.shape, tensor.strides, tensor.dtype
            if first.setdefault(where, name) != name:
                shared[name] = first[where]
    return shared


def variances_of(mean: str) -> str:
    """The name of the variances that belong to a batch norm's means, empty for what has another name."""
    return mean.removesuffix(MEAN) + VARIANCE if mean.endswith(MEAN) else ""


def is_factor(name: str) -> bool:
    """Whether a vector, by its name, multiplies, as a gain or a variance does, and is not added as a bias is."""
    last = name.lower().rpartition(".")[2]
    return not any(part in last for part in OFFSETS)


def _is_statistic(name: str, tensors: Mapping[str, np.ndarray]) -> bool:
    stem = name.removesuffix(MEAN) if name.endswith(MEAN) else name.removesuffix(VARIANCE)
    return stem != name and stem + MEAN in tensors and stem + VARIANCE in tensors


def _is_vector(name: str, tensor: np.ndarray, known: Known | None) -> bool:
    return name in known.parameters if known else tensor.ndim == 1 and name.rpartition(".")[2] in VECTORS


def _called_weight(name: str) -> bool:
    return "weight" in name.lower().rpartition(".")[2] or "weight" in ".".join(name.lower().split(".")[-2:])


def _called_otherwise(name: str) -> bool:
    last = name.lower() if not _called_weight(name) else name.lower().rpartition(".")[2]
    return any(part in last for part in NO_WEIGHT)


def _looks_depthwise(name: str, tensor: np.ndarray) -> bool:
    if _called_otherwise(name) or not 3 <= tensor.ndim <= 5:
        return False
    filters = tensor.shape[0] > 1 and tensor.shape[1] == 1 and 1 < tensor[0].size <= MOST_TAPS
    return filters and (_called_weight(name) or (tensor.ndim > 3 and tensor.size >= 64))


def _has_a_place(tensor: np.ndarray, sizes: Sequence[tuple[int, ...]]) -> bool:
    """Whether a file takes another depthwise layer beside those of `sizes`; what it does not take is dense."""
    return len(sizes) < MOST_LAYERS and len({*sizes, tensor.shape[2:]}) <= MOST_SIZES


def _looks_like_a_weight(name: str, tensor: np.ndarray) -> bool:
    if _called_otherwise(name):
        return False
    return _called_weight(name) or (tensor.size >= FEWEST and _spread_like_weights(tensor))


def _spread_like_weights(tensor: np.ndarray) -> bool:
    """Whether values lie around zero without a pattern: no counts, no grids, no waves, no masks."""
    some = tensor.reshape(-1)[: 1 << 20].astype(np.float64)
    if not np.isfinite(some).all():
        return False
    deviation = float(some.std())
    whole = bool((some == np.rint(some)).all())
    # a wave's fourth moment is 1.5, that of weights at least 1.8, as when they are drawn from an interval
    return (
        not whole and abs(some.mean()) < deviation / 2 and float((some**4).mean()) > 1.7 * float((some**2).mean()) ** 2
    )
