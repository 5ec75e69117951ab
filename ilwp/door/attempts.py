"""A network's tensors coded in several ways, and which of them is kept.

    tensors, plan, structure, images -> best_attempt -> Attempt

Images teach how weights are rounded and how far the outputs' means shift. What they teach may be wrong for inputs of
another kind. So it is kept only where images that taught nothing say that it helps, and synthetic inputs, which are of
no kind at all, say that it does no harm.
"""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch

from ilwp.common.errors import IlwpError
from ilwp.common.progress import progress_bar
from ilwp.common.tensor_files import StateDict
from ilwp.door.structure import Structure
from ilwp.door.trial import Trial, shared_out
from ilwp.networks.bias_correction import MeanInputs
from ilwp.whole import coding
from ilwp.whole.batch_norms import check_trained, folded
from ilwp.whole.coding import Arranged, CodedTensor, Rounding
from ilwp.whole.error_feedback import DAMPINGS, ErrorFeedback
from ilwp.whole.methods import QUALITY, REORDERING
from ilwp.whole.pieces import decode_pieces
from ilwp.whole.plan import Plan
from ilwp.whole.roles import roles

HARMLESS = 0.5  # dB that outputs for synthetic inputs may lose
LACKING, FINER = 1.0, 5  # dB that outputs may lack, and times that steps are made finer for it
REFINED = 2  # times the steps are changed to reach a quality
EXPECTED = 4.0  # dB that outputs gain: depthwise layers are coded before it is measured
MOST = 6.0  # dB that they change by at a time: what is far coarser follows other laws
PASSES = 2 + len(DAMPINGS) + REFINED  # that coding with images takes at most


@dataclass(frozen=True)
class Attempt:
    """Coded tensors, and the SNR of the outputs in dB as `Trial.snrs` has it: none where they could not be tried.

    `common` is that of the trial, in dB.
    """

    coded: dict[str, CodedTensor]
    snrs: tuple[float, ...]
    common: float = 0.0


@dataclass(frozen=True)
class _Task:
    plan: Plan
    structure: Structure
    advance: Callable[[int], object]  # told the bytes of each tensor that is coded


def best_attempt(
    tensors: StateDict, plan: Plan, structure: Structure, images: torch.Tensor | None = None,
    steps: Mapping[str, float] | None = None, progress: bool = False,
) -> Attempt:  # fmt: skip
    """The tensors of a network whose structure is known; arguments and errors are those of `compress_network`."""
    check_trained(tensors, structure.all_norms)
    known, symmetries = structure.known, structure.symmetries if plan.method in REORDERING else ()
    shared = shared_out(images) if images is not None else None
    shape = tuple(images.shape[1:]) if images is not None else None
    quality = QUALITY if plan.quality is None else plan.quality
    by_quality = plan.bits is None and plan.dense_bits is None and steps is None
    if by_quality:
        found = roles(tensors, known)
        with suppress(IlwpError):  # a network that takes no made-up inputs is coded as if its graph were not known
            weights = (*found.dense, *found.kernels, *found.vectors)
            steps = structure.steps(weights, found.factors, quality, shape)
    trial = None
    with suppress(*[IlwpError] * (shared is None)):
        trial = Trial(structure.network, tensors, structure.names, shape or structure.input_shape, shared)

    def arrange(coarser: float) -> Arranged:
        scaled = {name: step * coarser for name, step in (steps or {}).items()}
        return coding.arranged(tensors, plan, symmetries, known, scaled)

    total = sum(t.nbytes for t in tensors.values()) * (PASSES if shared else 1)
    with progress_bar("compressing", total, "B", show=progress, delay=2) as bar:
        task = _Task(plan, structure, bar.update)
        if trial and shared:
            return _with_images(task, arrange, trial, quality if by_quality and steps else None)
        if trial:
            return _without_images(task, arrange, trial, quality if by_quality and steps else None)
        ready = arrange(1.0)
        return Attempt(_settled(task, ready, _coded(task, ready, None), {}), ())


def _without_images(task: _Task, arrange: Callable[[float], Arranged], trial: Trial, quality: float | None) -> Attempt:
    """Every weight to its nearest level, and biases that batch norms correct where it helps; steps are made finer where
    outputs, which are foreseen to first order only, fall short of `quality`. Arguments are those of `_with_images`.
    """
    factor, kept = 1.0, None
    coarse: tuple[float, float] | None = None
    fine: tuple[float, float] | None = None
    for _ in range(1 + FINER):
        ready = arrange(factor)
        attempt = _data_free(_attempts(task, trial, ready, _coded(task, ready, None), trial.seen(ready.tensors)))
        snr = attempt.snrs[0]
        if quality is None or not math.isfinite(snr):
            return attempt
        if snr < quality - LACKING:
            coarse = factor, snr
        elif coarse is None or snr < quality + LACKING:
            return attempt
        else:
            fine, kept = (factor, snr), attempt
        factor = _between(coarse, fine, quality)
    return kept or attempt


def _between(coarse: tuple[float, float], fine: tuple[float, float] | None, quality: float) -> float:
    """The factor of the steps at which outputs should have that SNR in dB.

    `coarse` is a factor and the SNR that it gave, which is too low; `fine`, if there is one, gave a higher one.
    """
    if fine is None:
        return coarse[0] * _coarser(coarse[1], quality)
    share = (quality - coarse[1]) / (fine[1] - coarse[1])
    return float(coarse[0] * (fine[0] / coarse[0]) ** share)


def _with_images(task: _Task, arrange: Callable[[float], Arranged], trial: Trial, quality: float | None) -> Attempt:
    """Rounding with error feedback, and biases that images correct, both where they help and do no harm.

    `arrange` takes the factor of all steps. Outputs for images that are held out have about the SNR `quality` in dB;
    with None steps stay as they are.
    """
    ready = arrange(1.0)
    if quality is not None:
        plain = _settled(task, ready, _coded(task, ready, None), {})
        ready = arrange(_coarser(trial.snrs(_decoded(plain))[1] + EXPECTED, quality))
    seen = trial.seen(ready.tensors)
    roundings: list[Rounding | None] = [None, *_feedbacks(ready, trial)]
    choices = [_attempts(task, trial, ready, _coded(task, ready, rounding), seen) for rounding in roundings]
    least = _data_free(choices[0]).snrs[0] - HARMLESS
    safe = [(r, b) for r in range(len(choices)) for b, one in enumerate(choices[r]) if one.snrs[0] >= least]
    r, b = max(safe, key=lambda place: choices[place[0]][place[1]].snrs[1])
    found, factor = [choices[r][b]], 1.0
    if quality is None:
        return found[0]
    for _ in range(REFINED):
        factor *= _coarser(found[-1].snrs[1], quality)
        found += _attempts(task, trial, ready, _coded(task, ready, roundings[r], factor), seen, b)
    return min(found, key=lambda attempt: abs(attempt.snrs[1] - quality))


def _coded(task: _Task, ready: Arranged, rounding: Rounding | None, coarser: float = 1.0) -> dict[str, CodedTensor]:
    coded = {}
    for one in coding.stream(ready, task.plan, rounding, coarser):
        coded[one.name] = one
        task.advance(one.tensor.nbytes)
    return coded


def _attempts(
    task: _Task, trial: Trial, ready: Arranged, coded: dict[str, CodedTensor], seen: list[MeanInputs],
    only: int | None = None,
) -> list[Attempt]:  # fmt: skip
    """One attempt for each choice of biases, or for one of them."""
    exact = {name: ready.tensors[name] for name in ready.roles.vectors}
    choices = trial.biases(ready.tensors, _decoded(coded) | exact, seen)
    settled = [
        _settled(task, ready, coded, biases) for biases in (choices if only is None else choices[only : only + 1])
    ]
    return [Attempt(one, tuple(trial.snrs(_decoded(one))), trial.common) for one in settled]


def _settled(
    task: _Task, ready: Arranged, coded: dict[str, CodedTensor], biases: dict[str, np.ndarray]
) -> dict[str, CodedTensor]:
    """Tensors as they are stored: vectors are coded anew with these biases, after batch norms are folded."""
    before = ready.tensors
    tensors = folded(before | biases, task.structure.foldable_norms)
    changed = {*ready.roles.vectors, *(name for name, tensor in tensors.items() if tensor is not before[name])}
    return coded | coding.vectors(tensors, changed, task.plan, task.structure.known, ready.given)


def _decoded(coded: dict[str, CodedTensor]) -> dict[str, np.ndarray]:
    return decode_pieces({name: one.piece for name, one in coded.items()})


def _data_free(attempts: list[Attempt]) -> Attempt:
    """The better for synthetic inputs of those that use no image."""
    return max(attempts[:2], key=lambda attempt: attempt.snrs[0])


def _coarser(snr: float, quality: float) -> float:
    """The factor of the steps that takes the outputs from one SNR to another, both in dB."""
    excess = snr - quality
    return float(10 ** (min(max(excess, -MOST), MOST) / 20)) if math.isfinite(excess) else 1.0


def _feedbacks(ready: Arranged, trial: Trial) -> list[Rounding]:
    """Error feedback of each damping."""
    assert trial.images is not None
    feedback = ErrorFeedback(trial.network, ready.tensors | ready.kernels, trial.images.teaching)
    own = {theirs: name for name, theirs in trial.names.items()}

    def rounding(damping: float) -> Rounding:
        return lambda name, step, tensor: feedback(own.get(name, ""), step, tensor, damping)

    return [rounding(damping) for damping in DAMPINGS]
