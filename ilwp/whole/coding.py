"""A whole network to pieces: which tensors become levels, with what step, predicted from what.

Quality is a ratio of signal to noise in dB, of all weights together: each tensor adds the ratio of its noise to its
signal, and the sum is that of the quality. A network's output is about as noisy, since relative errors of its layers
add up. A tensor's share of the noise is its share of the weights, which takes the fewest bits: a tensor of a tenth of
the weights gets 10 dB more. So each tensor's step follows from its own weights, and none hurts another. A
caller that knows how sensitive the network is to each tensor gives the steps itself.

Depthwise kernels are predicted in a closed loop, as in `codec`, those of each size from one another; the first layer is
quantized too, and what is quantized may be the residual's cosine transform. Vectors (batch norms, biases) and all that
is no weight (`roles`) stay exact.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass as validated

from ilwp.common.tensor_files import StateDict
from ilwp.networks.symmetry import Symmetry, rearranged
from ilwp.paper.distortion import snr
from ilwp.paper.methods import SEARCHES, Method
from ilwp.paper.prediction import candidates, predict, references
from ilwp.paper.quantization import BLOCK, MOST_REACH, TINIEST, of_step, quantize
from ilwp.whole import sets
from ilwp.whole.methods import QUALITY
from ilwp.whole.models import can_be_modelled, fit_code
from ilwp.whole.pieces import WEIGHTS, Exact, KernelLevels, Levels, Piece, Shared, dense, flat, layer
from ilwp.whole.roles import Known, Roles, all_finite, roles
from ilwp.whole.transform import basis, forward

MOST_FINER = 30.0  # dB that the smallest tensors get more than the quality
MOST_STEP = float(np.finfo(np.float32).max)
Bits = Annotated[float, Field(ge=2, le=16)]


@validated(frozen=True, config={"extra": "forbid"})
class Plan:
    """How to code a network. Bits, where they are given, take the place of quality.

    Of n bits there are 2 ** n - 1 levels in the range of the largest weight; n need not be whole.
    """

    method: Literal["baseline", "fss", "lss", "ill", "aligned", "multiset"] = "ill"
    quality: Annotated[float, Field(ge=0, le=100)] = QUALITY  # dB
    bits: Bits | None = None  # of depthwise kernels
    range: Literal["layer", "network"] = "layer"  # with bits: a step for every depthwise layer, or one for all
    dense_bits: Bits | None = None  # of all other weights, in the range of the largest among them
    vector_bits: Bits | None = None  # of batch norms and biases, in each one's own range; None keeps them exact


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

    `kernels` are these layers as they are decoded. `steps` are those of all weights, by name.
    """

    tensors: dict[str, np.ndarray]
    roles: Roles
    steps: dict[str, float]
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
    chosen = _steps(tensors, found, plan) | dict(steps or {})
    tensors, pieces, kernels = _kernels(tensors, found, plan, chosen, symmetries)
    return Arranged(tensors, found, chosen, pieces, kernels)


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
            step = float(np.float32(ready.steps[name] * coarser))
            levels = rounding(name, step, tensor) if rounding and step else None
            piece = _levels(tensor, step) if levels is None else _reaching(levels, step, tensor)
        elif name in found.vectors:
            yield vector(name, tensor, plan)
            continue
        piece = piece or Exact(tensor)
        back = kernels[name] if name in kernels else dense(piece) if isinstance(piece, Levels) else tensor
        yield CodedTensor(name, tensor, piece, math.inf if back is tensor else snr([tensor], [back]))


def vector(name: str, tensor: np.ndarray, plan: Plan) -> CodedTensor:
    """A batch norm's tensor or a bias."""
    if plan.vector_bits is None or not all_finite(tensor) or np.ptp(tensor) == 0:
        return CodedTensor(name, tensor, Exact(tensor), math.inf)
    piece = _levels(tensor, _step([tensor], plan.vector_bits))
    return CodedTensor(name, tensor, piece, snr([tensor], [dense(piece)]) if isinstance(piece, Levels) else math.inf)


def _aligned(tensors: StateDict, symmetries: Sequence[Symmetry]) -> dict[str, np.ndarray]:
    from ilwp.whole.alignment import align  # SciPy's optimizers take half a second to import

    return align(tensors, symmetries)


def _steps(tensors: StateDict, found: Roles, plan: Plan) -> dict[str, float]:
    """A step for each weight; none for kernels whose step follows from their residuals."""
    weights = [*found.dense, *found.kernels]
    total = sum(tensors[name].size for name in weights)
    steps = {name: _step_of_quality(tensors[name], plan.quality, total) for name in weights}
    if plan.dense_bits is not None:
        steps |= dict.fromkeys(found.dense, _step([tensors[name] for name in found.dense], plan.dense_bits))
    if plan.bits is not None and plan.range == "network":
        steps |= dict.fromkeys(found.kernels, _step([tensors[name] for name in found.kernels], plan.bits))
    elif plan.bits is not None:
        steps = {name: step for name, step in steps.items() if name not in found.kernels}
    return steps


def _step_of_quality(tensor: np.ndarray, quality: float, total: int) -> float:
    """The step of a tensor among `total` weights: an error that is even over a step has a twelfth of its square.

    0 where a float32 cannot hold it, which leaves the tensor exact.
    """
    finer = min(10 * math.log10(total / tensor.size), MOST_FINER)
    step = _root_mean_square(tensor) * math.sqrt(12) * 10 ** (-(quality + finer) / 20)
    return of_step(step).step if TINIEST < step < MOST_STEP else 0.0


def _kernels(
    tensors: dict[str, np.ndarray], found: Roles, plan: Plan, steps: Mapping[str, float], symmetries: Sequence[Symmetry]
) -> tuple[dict[str, np.ndarray], dict[str, KernelLevels], dict[str, np.ndarray]]:
    """The state dict with channels in the order they are coded in; depthwise layers as pieces, and decoded."""
    free = {symmetry.layer: symmetry for symmetry in symmetries}
    before: dict[tuple[int, ...], list[np.ndarray]] = {}
    pieces: dict[str, KernelLevels] = {}
    decoded: dict[str, np.ndarray] = {}
    for name in found.kernels:
        if steps.get(name) == 0:
            continue
        ahead = before.setdefault(tensors[name].shape[2:], [])
        piece = _kernel_levels(tensors[name], ahead, plan, steps.get(name))
        if piece is None:
            continue
        if plan.method == "multiset" and name in free:
            order, signs = sets.canonical(piece.levels, free[name].cells, free[name].signed is not None)
            tensors = rearranged(tensors, free[name], order, signs)
            levels, cells = piece.levels[order] * signs[:, None], free[name].cells
            piece = replace(piece, levels=levels, cells=cells, signed=free[name].signed is not None)
        pieces[name], decoded[name] = piece, layer(piece, ahead)
        ahead.append(flat(decoded[name]))
    return tensors, pieces, decoded


def _kernel_levels(tensor: np.ndarray, before: list[np.ndarray], plan: Plan, step: float | None) -> KernelLevels | None:
    """The piece of a layer (c, 1, *size), transformed, and with a step that is given predicted, only if it pays.

    None where the layer takes no fewer bits than it has, or reaches too many levels for its size.
    """
    methods: list[Method] = ["baseline"]
    if before and plan.method not in ("baseline", "multiset"):
        wanted: Method = "ill" if plan.method == "aligned" else plan.method  # type: ignore[assignment]
        # a range of its own makes a layer's step, and so its error, another with prediction
        methods = [wanted] if step is None else ["baseline", wanted]
    kernels, cosines = flat(tensor), basis(*tensor.shape[2:])
    pieces = []
    for method in methods:
        indices = references(method, kernels, before)
        prediction = predict(method, indices, before)
        weights = WEIGHTS[:1] if method == "baseline" or step is None else WEIGHTS
        for weight, transformed in product(weights, (True, False)):
            residual = kernels - weight * prediction
            chosen = step or _step([residual], plan.bits or 8.0)
            values = forward(residual, cosines) if transformed else residual
            reach = _largest(values) / chosen  # a coefficient of many taps may reach further than any of them
            if reach > MOST_REACH or not can_be_modelled(reach, kernels.shape[1], kernels.size):
                continue
            levels = quantize(values, of_step(chosen))
            pieces.append(
                KernelLevels(tensor.shape[2:], levels, chosen, method, indices, transformed, weight, dtype=tensor.dtype)
            )
    costs = [_cost(piece, before) for piece in pieces]
    return pieces[int(np.argmin(costs))] if min(costs, default=math.inf) < 8 * tensor.nbytes else None


def _cost(piece: KernelLevels, before: list[np.ndarray]) -> float:
    """About how many bits a piece takes."""
    searched = len(candidates(piece.method, before)) if piece.method in SEARCHES else 1
    return fit_code(piece.levels)[1] + len(piece.levels) * float(np.log2(searched))


def _levels(tensor: np.ndarray, step: float) -> Levels | Exact:
    """Levels, or the tensor itself where its largest weights are too many steps away from zero."""
    reach = _largest(tensor) / step if step else math.inf
    if reach > MOST_REACH or not can_be_modelled(reach, 1, tensor.size):
        return Exact(tensor)
    return Levels(quantize(tensor, of_step(step)), step, tensor.dtype)


def _reaching(levels: np.ndarray, step: float, tensor: np.ndarray) -> Levels | Exact:
    reach = float(np.abs(levels).max(initial=0))
    if reach > MOST_REACH or not can_be_modelled(reach, 1, tensor.size):
        return Exact(tensor)
    return Levels(levels.astype(np.int32), step, tensor.dtype)


def _step(tensors: Sequence[np.ndarray], bits: float) -> float:
    """The step that gives the largest of all values the last of its levels."""
    return of_step(max(map(_largest, tensors), default=0.0) / (2 ** (bits - 1) - 1)).step


def _largest(tensor: np.ndarray) -> float:
    return max((float(np.abs(block).max()) for block in _blocks(tensor)), default=0.0)


def _root_mean_square(tensor: np.ndarray) -> float:
    largest = _largest(tensor) or 1.0  # squares of what it divides neither vanish nor overflow
    return largest * math.sqrt(math.fsum(float(np.square(b / largest).sum()) for b in _blocks(tensor)) / tensor.size)


def _blocks(tensor: np.ndarray) -> Iterator[np.ndarray]:
    """A tensor's values in float64, some at a time."""
    flat = tensor.reshape(-1)
    return (flat[start : start + BLOCK].astype(np.float64) for start in range(0, flat.size, BLOCK))
