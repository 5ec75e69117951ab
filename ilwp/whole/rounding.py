"""Values to levels: the step that a quality or a number of bits stands for, and what a tensor becomes with a step."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ilwp.common.distortion import largest_of, rms
from ilwp.common.tensor_files import StateDict
from ilwp.paper.quantization import TINIEST, quantize
from ilwp.whole.models import can_be_modelled, fit_code
from ilwp.whole.pieces import MOST_FINENESS, Exact, Levels, Powers
from ilwp.whole.steps import MOST_REACH, of_step

MOST_FINER = 30.0  # dB that the smallest tensors get more than the quality
MOST_STEP = 2.0**127
EXACT_SHARE = 0.8  # about what exact vectors take of their bytes in memory


def step_of_quality(scale: float, size: int, quality: float, total: int) -> float:
    """The step of a tensor of this size among `total` weights: an error that is even over a step has a twelfth of its
    square. 0 where a float32 cannot hold it, which leaves the tensor exact.
    """
    finer = min(10 * math.log10(total / size), MOST_FINER)
    step = scale * math.sqrt(12) * 10 ** (-(quality + finer) / 20)
    return of_step(step).step if TINIEST < step < MOST_STEP else 0.0


def step_of_bits(tensors: Sequence[np.ndarray], bits: float) -> float:
    """The step that gives the largest of all values the last of its levels."""
    return of_step(max(map(largest_of, tensors), default=0.0) / (2 ** (bits - 1) - 1)).step


def halfway_to_spread(steps: Mapping[str, float], tensors: StateDict) -> dict[str, float]:
    """Steps of weights that add as much noise to the outputs as `steps`, with which each weight adds the same.

    Each step is the geometric mean of two, but for a factor that all share: the one in `steps`, and the one that gives
    a tensor's relative error its share of the weights, as `step_of_quality` does. The first takes the fewest bits where
    errors are small and sensitivities exact. They are estimates, and far off for some tensors. A tensor whose weights
    or step are 0 keeps its step.
    """
    spread = {name: rms(tensors[name]) * math.sqrt(tensors[name].size) for name in steps}
    mixed = {name: math.sqrt(step * spread[name]) for name, step in steps.items() if step * spread[name] > 0}
    sizes = {name: tensors[name].size for name in mixed}
    noise = sum(size * (mixed[name] / steps[name]) ** 2 for name, size in sizes.items()) / max(sum(sizes.values()), 1)
    return dict(steps) | {name: step / math.sqrt(noise) for name, step in mixed.items()}


def levels_of(tensor: np.ndarray, step: float) -> Levels | Exact:
    """Levels, or the tensor itself where its largest weights are too many steps away from zero."""
    reach = largest_of(tensor) / step if step else math.inf
    if reach > MOST_REACH or not can_be_modelled(reach, 1, tensor.size):
        return Exact(tensor)
    return Levels(quantize(tensor, of_step(step)), step, tensor.dtype)


def given_levels(levels: np.ndarray, step: float, tensor: np.ndarray) -> Levels | Exact:
    """These levels, or the tensor itself where they are too many."""
    reach = float(np.abs(levels).max(initial=0))
    if reach > MOST_REACH or not can_be_modelled(reach, 1, tensor.size):
        return Exact(tensor)
    return Levels(levels.astype(np.int32), step, tensor.dtype)


def vector_of(tensor: np.ndarray, step: float, factor: bool) -> Levels | Powers | Exact:
    """Levels of a vector that is added, or powers of two of one that multiplies, whose `step` is that of its natural
    logarithms; the tensor itself where that is shorter, or where the step is 0.
    """
    if not step:
        return Exact(tensor)
    piece = _powers(tensor, step) if factor else levels_of(tensor, step)
    if isinstance(piece, Exact):
        return piece
    bits = fit_code((piece.levels - int(np.median(piece.levels))).reshape(-1, 1))[1]
    bits += fit_code(piece.signs.reshape(-1, 1))[1] if isinstance(piece, Powers) else 0.0
    return piece if bits < EXACT_SHARE * 8 * tensor.nbytes else Exact(tensor)


def _powers(tensor: np.ndarray, step: float) -> Powers | Exact:
    """Powers of two whose exponents are at most `step` apart but for a factor of the square root of two, in natural
    logarithms; the tensor itself where they reach too far, or would have to be finer than they can be.
    """
    fineness = max(round(math.log2(math.log(2) / step)), 0)
    if fineness > MOST_FINENESS:
        return Exact(tensor)
    magnitudes = np.abs(tensor.astype(np.float64))
    exponents = np.log2(magnitudes, where=magnitudes > 0, out=np.zeros(tensor.shape))
    middle = float(np.median(exponents[magnitudes > 0]))
    levels = np.rint(np.where(magnitudes > 0, exponents, middle) * 2**fineness)
    if not can_be_modelled(float(np.ptp(levels)), 1, tensor.size):
        return Exact(tensor)
    return Powers(levels.astype(np.int32), np.sign(tensor.astype(np.float64)).astype(np.int8), fineness, tensor.dtype)
