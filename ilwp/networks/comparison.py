"""How far a network is from another, in numbers and without labels.

two state dicts -> tensor_differences;  a network with each of them, inputs -> output_differences, top_classes
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ilwp.common.distortion import decibels, snr
from ilwp.common.errors import IlwpError, one_line, printable
from ilwp.networks.trace import floating


@dataclass(frozen=True)
class OutputDifference:
    """`snr_db` over all output tensors; for outputs (n, classes) also the share of inputs with the same top class and
    the mean Kullback-Leibler divergence of the second network's softmax from the first one's, in nats.

    `varying_snr_db` counts as signal only what differs between inputs, the energy about the mean over them. Where
    outputs are mostly constant, any network that gives the constant has a high `snr_db`. It is None for a single input,
    and where an output tensor's first axis is not the inputs.
    """

    inputs: int
    snr_db: float
    varying_snr_db: float | None
    agreement: float | None
    divergence_nats: float | None


def tensor_differences(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The SNR of each of `other`'s tensors in dB, the worst first; infinite for one that is exact.

    Raises IlwpError that names the first tensor that only one of them has, or that has another shape.
    """
    for name in (*one, *other):
        for tensors, which in ((one, "first"), (other, "second")):
            if name not in tensors:
                raise IlwpError(f"not the same network: the {which} one has no {printable(name)}")
        if one[name].shape != other[name].shape:
            shapes = " and ".join("x".join(map(str, t.shape)) or "a number" for t in (one[name], other[name]))
            raise IlwpError(f"not the same network: {printable(name)} is {shapes}")
    found = {name: snr_db(one[name], other[name]) for name in one}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def snr_db(one: np.ndarray, other: np.ndarray) -> float:
    """Energy of `one` over that of the difference, in dB; infinite for equal arrays, NaN taken as equal to NaN."""
    a, b = (_numbers(t) for t in (one, other))
    if np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
        return float("inf")
    with np.errstate(all="ignore"):
        return snr(*([part(t) for part in (np.real, np.imag)] for t in (a, b)))


def output_differences(network: nn.Module, other: nn.Module, batches: Iterable[torch.Tensor]) -> OutputDifference:
    """What two networks, in evaluation, give for the same inputs, a batch at a time.

    Raises IlwpError where one does not take them, or they give different numbers of outputs.
    """
    count, energy, noise, same, divergence, classifies, spread = 0, 0.0, 0.0, 0, 0.0, True, _Spread()
    for batch in batches:
        before, after = _outputs(network, batch), _outputs(other, batch)
        if [t.shape for t in before] != [t.shape for t in after]:
            raise IlwpError("the outputs of the two networks have different shapes, so they cannot be compared")
        count += len(batch)
        spread.add(before, len(batch))
        for a, b in zip(before, after, strict=True):
            energy += float(a.square().sum())
            noise += float((a - b).square().sum())
        classifies &= _classifies(before)
        if classifies:
            a, b = (t[0].log_softmax(dim=1) for t in (before, after))
            same += int((a.argmax(dim=1) == b.argmax(dim=1)).sum())
            divergence += float((a.exp() * (a - b)).nan_to_num().sum())
    if not count:
        raise IlwpError("there is no input to compare the outputs for")
    varying = spread.energy()
    return OutputDifference(
        count,
        decibels(energy, noise),
        None if varying is None else decibels(varying, noise),
        *((same / count, divergence / count) if classifies else (None, None)),
    )


class _Spread:
    """The energy of output tensors about their mean over all inputs, a batch at a time."""

    def __init__(self) -> None:
        self.count, self.rows, self.about = 0, True, 0.0
        self.first: list[torch.Tensor] = []
        self.sums: list[torch.Tensor] = []

    def add(self, outputs: list[torch.Tensor], inputs: int) -> None:
        """Take in a batch's outputs, each (inputs, ...)."""
        self.first = self.first or [t[:1] if t.ndim else t for t in outputs]
        self.sums = self.sums or [torch.zeros_like(t) for t in self.first]
        self.count += inputs
        shapes = [(inputs, *t.shape[1:]) for t in self.first]
        self.rows = self.rows and [tuple(t.shape) for t in outputs] == shapes
        for output, first, total in zip(outputs, self.first, self.sums, strict=True) if self.rows else ():
            difference = output - first  # from one of them, so that a large constant costs no digits
            self.about += float(difference.square().sum())
            total += difference.sum(dim=0, keepdim=True)

    def energy(self) -> float | None:
        """Over all inputs; None for one input, or for outputs without a row an input."""
        if not self.rows or self.count < 2:
            return None
        return max(self.about - sum(float(t.square().sum()) for t in self.sums) / self.count, 0.0)


def top_classes(network: nn.Module, batches: Iterable[torch.Tensor]) -> torch.Tensor:
    """The class (n,) int64 of the largest output for each input, a batch at a time.

    Raises IlwpError where the network does not take the inputs or tells no classes apart.
    """
    found = []
    for batch in batches:
        outputs = _outputs(network, batch)
        if not _classifies(outputs):
            raise IlwpError("the network's outputs are no classes, so there is no top-1: choose a quality instead")
        found.append(outputs[0].argmax(dim=1))
    return torch.cat(found)


def _classifies(outputs: list[torch.Tensor]) -> bool:
    return len(outputs) == 1 and outputs[0].ndim == 2 and outputs[0].shape[1] > 1


def _outputs(network: nn.Module, batch: torch.Tensor) -> list[torch.Tensor]:
    try:
        with torch.inference_mode():
            return [t.double() for t in floating(network(batch))]
    except Exception as error:  # whatever the network's code raises
        shape = " x ".join(map(str, batch.shape[1:]))
        raise IlwpError(f"the network does not take inputs of {shape} ({one_line(error)})") from error


def _numbers(tensor: np.ndarray) -> np.ndarray:
    """In a type that holds every number of the old one: float64, or complex."""
    return tensor.astype(np.complex128 if tensor.dtype.kind == "c" else np.float64)
