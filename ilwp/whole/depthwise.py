"""The depthwise layers of a network to levels: each predicted from those ahead, with the choices that cost least.

state dict, roles, steps -> coded_kernels -> pieces, and the layers as they are decoded
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from ilwp.common.distortion import largest_of
from ilwp.networks.symmetry import Symmetry, rearranged
from ilwp.paper.methods import SEARCHES, Method
from ilwp.paper.prediction import candidates, predict, references
from ilwp.paper.quantization import quantize
from ilwp.whole import sets
from ilwp.whole.models import can_be_modelled, fit_code
from ilwp.whole.pieces import WEIGHTS, KernelLevels, flat, layer
from ilwp.whole.plan import Plan
from ilwp.whole.roles import Roles
from ilwp.whole.rounding import step_of_bits
from ilwp.whole.steps import MOST_REACH, of_step
from ilwp.whole.transform import basis, forward


def coded_kernels(
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
            cells, signed = sets.cells_that_pay(free[name].cells), free[name].signed is not None
            order, signs = sets.canonical(piece.levels, cells, signed)
            tensors = rearranged(tensors, free[name], order, signs)
            piece = replace(piece, levels=piece.levels[order] * signs[:, None], cells=cells, signed=signed)
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
            chosen = step or step_of_bits([residual], plan.bits or 8.0)
            values = forward(residual, cosines) if transformed else residual
            reach = largest_of(values) / chosen  # a coefficient of many taps may reach further than any of them
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
