"""A whole network to pieces: which tensors become levels, with what step, predicted from what.

Quality is a ratio of signal to noise in dB, of all weights together: each tensor adds the ratio of its noise to its
signal, and the sum is that of the quality. A network's output is about as noisy, since relative errors of its layers
add up. A tensor's share of the noise is its share of the weights, which takes the fewest bits: a tensor of a tenth of
the weights gets 10 dB more. So each tensor's step follows from its own weights, and none hurts another. A
caller that knows how sensitive the network is to each tensor gives the steps itself.

Depthwise kernels are predicted in a closed loop, as in `codec`, those of each size from one another; the first layer is
quantized too, and what is quantized may be the residual's cosine transform. Of vectors, biases become levels, and gains
and variances powers of two, so that none changes its sign and small ones lose no more of themselves than large ones.
All that is no weight (`roles`) stays exact.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ilwp.common.distortion import rms, snr
from ilwp.common.tensor_files import StateDict
from ilwp.networks.symmetry import Symmetry
from ilwp.whole.depthwise import coded_kernels
from ilwp.whole.methods import QUALITY_OF_WEIGHTS
from ilwp.whole.pieces import Exact, KernelLevels, Levels, Piece, Shared, decode_pieces, dense
from ilwp.whole.plan import Plan
from ilwp.whole.roles import Known, Roles, all_finite, is_factor, roles, variances_of
from ilwp.whole.rounding import (
    given_levels,
    levels_of,
    step_of_bits,
    step_of_quality,
    vector_of,
)
from ilwp.whole.steps import of_step

LEAST_VARIANCE = 1e-5  # what batch norms usually add to theirs


@dataclass(frozen=True)
class CodedTensor:
    """A tensor's piece, and the ratio of signal to noise of what is decoded, in dB; infinite where it is exact.

    `tensor` is what was coded, its channels in the order that they come back in.
    """

    name: str
    tensor: np.ndarray
    piece: Piece
    snr: float


@dataclass(frozen=True)
class Arranged:
    """A state dict with its channels in the order that they are coded in, and with its depthwise layers coded.

    `kernels` are these layers as they are decoded. `steps` are those of all weights and vectors, by name, and `given`
    those among them that do not follow from the plan.
    """

    tensors: dict[str, np.ndarray]
    roles: Roles
    steps: dict[str, float]
    given: Mapping[str, float]
    pieces: dict[str, KernelLevels]
    kernels: dict[str, np.ndarray]


Rounding = Callable[[str, float, np.ndarray], np.ndarray]


def encode_tensors(
    tensors: StateDict, plan: Plan, symmetries: Sequence[Symmetry] = (), known: Known | None = None,
    steps: Mapping[str, float] | None = None,
) -> dict[str, Piece]:  # fmt: skip
    """A piece for every tensor of a state dict, in its order; arguments and errors are those of `arranged`."""
    return {coded.name: coded.piece for coded in stream(arranged(tensors, plan, symmetries, known, steps), plan)}


def arranged(
    tensors: StateDict, plan: Plan, symmetries: Sequence[Symmetry] = (), known: Known | None = None,
    steps: Mapping[str, float] | None = None,
) -> Arranged:  # fmt: skip
    """A state dict ready to be coded.

    `aligned` and `multiset` put channels into another order, as far as `symmetries` allow. `known` is what the graph
    tells; without it names and values say what is a weight. `steps` by name take the place of those that follow from
    the plan. Raises IlwpError for weights that are NaN or infinite.
    """
    tensors = _aligned(tensors, symmetries) if plan.method == "aligned" else dict(tensors)
    found = roles(tensors, known)
    chosen = _steps(tensors, found, plan, steps)
    tensors, pieces, kernels = coded_kernels(tensors, found, plan, chosen, symmetries)
    return Arranged(tensors, found, chosen, steps or {}, pieces, kernels)


def stream(
    ready: Arranged, plan: Plan, rounding: Rounding | None = None, coarser: float = 1.0
) -> Iterator[CodedTensor]:
    """A state dict's tensors coded one by one, in its order, so that only one tensor's levels are held at a time.

    `rounding` gives the levels of a dense weight, given its name, its step and its values; without it they are the
    nearest. Steps of dense weights count `coarser` times.
    """
    found, kernels = ready.roles, ready.kernels
    for name, tensor in ready.tensors.items():
        piece: Piece | None = ready.pieces.get(name)
        if name in found.shared:
            piece = Shared(found.shared[name])
        elif name in found.dense:
            step = of_step(ready.steps[name] * coarser).step if ready.steps[name] else 0.0
            levels = rounding(name, step, tensor) if rounding and step else None
            piece = levels_of(tensor, step) if levels is None else given_levels(levels, step, tensor)
        elif name in found.vectors:
            yield _vector(name, tensor, plan, ready.steps[name])
            continue
        piece = piece or Exact(tensor)
        back = kernels[name] if name in kernels else dense(piece) if isinstance(piece, Levels) else tensor
        yield CodedTensor(name, tensor, piece, math.inf if back is tensor else snr([tensor], [back]))


def vectors(
    tensors: StateDict, names: Collection[str], plan: Plan, known: Known | None, steps: Mapping[str, float]
) -> dict[str, CodedTensor]:
    """The tensors `names` of a state dict, vectors as `stream` codes them and others exact; arguments are those of
    `stream`.
    """
    chosen = _steps(tensors, roles(tensors, known), plan, steps)
    return {name: _vector(name, t, plan, chosen.get(name, 0.0)) for name, t in tensors.items() if name in names}


def _vector(name: str, tensor: np.ndarray, plan: Plan, step: float) -> CodedTensor:
    """A bias, a gain or what a batch norm knows of its inputs, exact where that is shorter.

    `step` is that of a bias or a mean, and of the others' natural logarithms.
    """
    piece: Piece = Exact(tensor)
    if tensor.size and all_finite(tensor) and np.ptp(tensor) > 0:
        bits = plan.vector_bits
        piece = levels_of(tensor, step_of_bits([tensor], bits)) if bits else vector_of(tensor, step, is_factor(name))
    back = decode_pieces({name: piece})[name]
    return CodedTensor(name, tensor, piece, math.inf if back is tensor else snr([tensor], [back]))


def _aligned(tensors: StateDict, symmetries: Sequence[Symmetry]) -> dict[str, np.ndarray]:
    from ilwp.whole.alignment import align  # SciPy's optimizers take half a second to import

    return align(tensors, symmetries)


def _steps(tensors: StateDict, found: Roles, plan: Plan, given: Mapping[str, float] | None) -> dict[str, float]:
    """A step for each weight and vector; none for kernels whose step follows from their residuals."""
    weights = [*found.dense, *found.kernels, *found.vectors]
    total = sum(tensors[name].size for name in weights)
    factors = found.factors
    scales = {name: 1.0 if name in factors else _scale(name, tensors) for name in weights}
    quality = QUALITY_OF_WEIGHTS if plan.quality is None else plan.quality
    steps = {name: step_of_quality(scales[name], tensors[name].size, quality, total) for name in weights}
    if plan.dense_bits is not None:
        steps |= dict.fromkeys(found.dense, step_of_bits([tensors[name] for name in found.dense], plan.dense_bits))
    if plan.bits is not None and plan.range == "network":
        steps |= dict.fromkeys(found.kernels, step_of_bits([tensors[name] for name in found.kernels], plan.bits))
    elif plan.bits is not None:
        steps = {name: step for name, step in steps.items() if name not in found.kernels}
    steps |= dict(given or {})
    return {name: of_step(step).step if step else 0.0 for name, step in steps.items()}


def _scale(name: str, tensors: StateDict) -> float:
    """What a tensor's error is measured against: its own values; of a batch norm's means its deviations too, above all
    the smallest.
    """
    scale = rms(tensors[name])
    if (variance := variances_of(name)) in tensors:
        positive = tensors[variance].astype(np.float64).clip(LEAST_VARIANCE)
        return min(scale, math.sqrt(1 / float(np.mean(1 / positive))))
    return scale
