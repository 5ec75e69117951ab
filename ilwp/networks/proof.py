"""Proof, by trying, that rewriting a network's tensors leaves what it computes alone.

    network, state dict, rewritings, inputs -> proven -> those that hold, those that do not and why

The network runs in double precision on random inputs with its own and with rewritten tensors, before anything is
quantized. All rewritings are tried at once; only where that fails is each one's part looked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ilwp.common.errors import IlwpError, one_line
from ilwp.common.tensor_files import StateDict
from ilwp.networks.trace import ExampleInputs, named_tensors, outputs

ROUNDING, SHARE, LIMIT = 30, 1e-9, 1e-2
"""When two runs count as equal, for each output.

A correct rewriting still changes rounding: orders and signs change the order of sums, and folding rounds each number
once. To measure rounding, the network runs once more with every number changed in its last bit. A difference counts as
rounding up to `ROUNDING` times the difference which that makes, or up to `SHARE` of the difference between the outputs
of two random inputs. Where this tolerance is more than `LIMIT` of the latter, it could hide a mistake, and nothing is
proven. Rounding to float32 is not part of the proof: orders and signs need none, and a folded number is rounded as any
weight is.
"""


@dataclass(frozen=True)
class Rewriting:
    """A change of a state dict of float64 arrays that should leave the function alone, and its name for a refusal."""

    name: str
    apply: Callable[[StateDict], Mapping[str, np.ndarray]]


def proven(
    network: nn.Module, tensors: StateDict, rewritings: Sequence[Rewriting], inputs: Sequence[ExampleInputs]
) -> tuple[list[Rewriting], dict[str, str]]:
    """The rewritings that hold, alone and all together, and for the others by name why they are refused.

    `tensors` is the network's own state dict; `inputs` are two that differ. Raises IlwpError where nothing can be
    proven: the network does not run in double precision, gives no finite numbers, or what it gives is random or does
    not depend on the input.
    """
    if not rewritings:
        return [], {}
    trial = _Trial(network, {n: _double(t) for n, t in tensors.items()}, inputs)
    accepted = _holding(trial, list(rewritings))
    refused = {r.name: f"changes the outputs {_stated(trial.difference([r]))}" for r in rewritings if r not in accepted}
    while refused and accepted and not trial.holds(accepted):
        refused[accepted.pop().name] = "holds alone, but not together with the others"
    return accepted, refused


class _Trial:
    """A network's outputs for two inputs, to hold rewritten ones against."""

    def __init__(self, network: nn.Module, tensors: StateDict, inputs: Sequence[ExampleInputs]) -> None:
        self.network, self.tensors = network, tensors
        self.own = {
            name: t.detach().double() if t.is_floating_point() else t for name, t in named_tensors(network).items()
        }
        self.inputs, other = (tuple(x.double() if x.is_floating_point() else x for x in some) for some in inputs)
        try:
            self.before, again, shaken = self._outputs(tensors), self._outputs(tensors), self._outputs(_shaken(tensors))
            self.inputs, first = other, self.inputs
            others, self.inputs = self._outputs(tensors), first
        except Exception as error:  # whatever the network's code raises
            raise IlwpError(f"the network does not run in double precision ({one_line(error)})") from error
        if _differences(self.before, again) != [0.0] * len(again):
            raise IlwpError("what the network gives is random or not a number: nothing can be proven")
        varying, rounding = _differences(self.before, others), _differences(self.before, shaken)
        self.scale = [max(share, 1e-300) for share in varying]
        self.tolerance = [max(ROUNDING * r, SHARE * v) for r, v in zip(rounding, varying, strict=True)]
        telling = [t <= LIMIT * v for t, v in zip(self.tolerance, varying, strict=True) if v > 0]
        if not telling or not all(telling):
            raise IlwpError("what the network gives hardly depends on random inputs: nothing can be proven")

    def holds(self, rewritings: Sequence[Rewriting]) -> bool:
        """Whether the outputs stay the same but for rounding."""
        return all(d <= t for d, t in zip(self._changes(rewritings), self.tolerance, strict=True))

    def difference(self, rewritings: Sequence[Rewriting]) -> float:
        """The largest difference that rewriting makes, of what two inputs differ in the same output."""
        return max((d / s for d, s in zip(self._changes(rewritings), self.scale, strict=True)), default=0.0)

    def _changes(self, rewritings: Sequence[Rewriting]) -> list[float]:
        tensors = self.tensors
        for rewriting in rewritings:
            tensors = rewriting.apply(tensors)
        try:
            return _differences(self.before, self._outputs(tensors))
        except Exception:  # whatever the network's code raises
            return [float("inf")] * len(self.before)

    def _outputs(self, tensors: StateDict) -> list[torch.Tensor]:
        state = self.own | {name: torch.from_numpy(np.asarray(t, order="C")) for name, t in tensors.items()}
        return outputs(self.network, state, self.inputs)


def _holding(trial: _Trial, rewritings: list[Rewriting]) -> list[Rewriting]:
    """Those of a list that hold: all if they do together, else what holds in each half."""
    if trial.holds(rewritings):
        return rewritings
    if len(rewritings) == 1:
        return []
    half = len(rewritings) // 2
    return _holding(trial, rewritings[:half]) + _holding(trial, rewritings[half:])


def _differences(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> list[float]:
    """The largest difference in each tensor, infinite where shapes differ or a number is none."""
    if len(one) != len(other):
        return [float("inf")] * len(one)
    found = []
    for a, b in zip(one, other, strict=True):
        difference = float((a.double() - b.double()).abs().max()) if a.shape == b.shape and a.numel() else 0.0
        found.append(difference if a.shape == b.shape and difference >= 0 else float("inf"))
    return found


def _shaken(tensors: StateDict) -> StateDict:
    """Floating-point numbers changed in their last bit, up or down at random."""
    rng = np.random.default_rng(0)
    return {
        name: np.nextafter(t, rng.choice([-np.inf, np.inf], t.shape)) if t.dtype == np.float64 else t
        for name, t in tensors.items()
    }


def _double(tensor: np.ndarray) -> np.ndarray:
    """Floating-point numbers of any kind in float64; others as they are."""
    return tensor if tensor.dtype.kind in "biuc" else tensor.astype(np.float64)


def _stated(difference: float) -> str:
    return f"by {difference:.1e} of what two inputs differ in" if np.isfinite(difference) else "beyond measure"
