"""What quantization does to a network's outputs, and which biases make up for it.

network -> Trial -> biases(before, after) -> snrs(after with one choice of them)

Outputs are those for synthetic inputs, so no data is needed, and for images where there are some.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ilwp.common.distortion import decibels
from ilwp.common.errors import IlwpError, one_line
from ilwp.common.tensor_files import StateDict
from ilwp.networks.bias_correction import MeanInputs, corrections, mean_inputs
from ilwp.networks.moments import AT_ONCE
from ilwp.networks.sensitivity import inputs_for
from ilwp.networks.tensors import load_tensors
from ilwp.networks.trace import floating

ONE_IN = 5  # images is held out


@dataclass(frozen=True)
class SharedImages:
    """Images (n, ...) float32 without labels: most of them teach, and settings are chosen by the others."""

    teaching: torch.Tensor
    held_out: torch.Tensor


def shared_out(images: torch.Tensor) -> SharedImages:
    """The last fifth is held out, since images alike often lie side by side; raises IlwpError for fewer than two."""
    if len(images) < 2:
        raise IlwpError("rounding with images takes at least 2 of them, since some are held out to check it")
    taught = len(images) - max(len(images) // ONE_IN, 1)
    return SharedImages(images[:taught], images[taught:])


class Trial:
    """A copy of a network in evaluation, to try quantized tensors in beside its own `tensors`.

    `names` are those of `Structure`, and `shape` is that of synthetic inputs without the batch axis.
    """

    def __init__(
        self, network: nn.Module, tensors: StateDict, names: Mapping[str, str], shape: tuple[int, ...],
        images: SharedImages | None = None,
    ) -> None:  # fmt: skip
        self.network, self.names, self.images = copy.deepcopy(network), names, images
        load_tensors(self.network, tensors)
        self.synthetic = inputs_for(self.network, shape)
        # the SNR is measured on other inputs than the shift
        self.inputs = [inputs_for(self.network, shape, seed=1), *([images.held_out] if images else [])]
        self.wanted = [batched_outputs(self.network, inputs) for inputs in self.inputs]
        about = [o - o.mean(0) if len(o) == len(self.synthetic) else o for o in self.wanted[0]]
        # dB by which the outputs for synthetic inputs are stronger than what differs between them
        self.common = decibels(power(self.wanted[0]), power(about))

    def seen(self, before: StateDict) -> list[MeanInputs]:
        """What the layers of the unquantized network see: of synthetic inputs, and of the images that teach."""
        load_tensors(self.network, before)
        seen = [mean_inputs(self.network, self.synthetic)]
        if self.images:
            seen.append(mean_inputs(self.network, self.images.teaching, made_up=False))
        return seen

    def biases(self, before: StateDict, after: StateDict, seen: list[MeanInputs]) -> list[dict[str, np.ndarray]]:
        """Choices of biases, by name: those of `after`, those that take off the mean shift, and with images a third.

        `before` and `after` are state dicts of one function up to quantization, their channels in one order. Images
        say what the shift is for inputs of their kind, and batch norms what it is for those of training. In the third
        choice both count alike.
        """
        own_before, own_after = (
            {name: state[theirs] for name, theirs in self.names.items()} for state in (before, after)
        )
        found = [corrections(self.network, own_before, own_after, one) for one in seen]
        choices: list[dict[str, np.ndarray]] = [{}, found[0]]
        if len(found) > 1:
            choices.append({name: (bias + found[1][name]) / 2 for name, bias in found[0].items()})
        return [{self.names[name]: bias for name, bias in choice.items()} for choice in choices]

    def snrs(self, state: StateDict) -> list[float]:
        """The SNR of the outputs with a state dict in dB: for synthetic inputs, and for the images held out."""
        load_tensors(self.network, state)
        snrs = []
        for inputs, wanted in zip(self.inputs, self.wanted, strict=True):
            noise = power(
                [one - other for one, other in zip(batched_outputs(self.network, inputs), wanted, strict=True)]
            )
            snrs.append(decibels(power(wanted), noise))
        return snrs


def batched_outputs(network: nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    """All floating-point outputs float64; raises IlwpError where the network does not take the inputs."""
    try:
        with torch.inference_mode():
            batches = [floating(network(batch)) for batch in torch.split(inputs, AT_ONCE)]
            merged = (parts[0] if len(parts) == 1 else torch.cat(parts) for parts in zip(*batches, strict=True))
            return [output.double() for output in merged]
    except Exception as error:  # whatever the network's code raises
        shape = " x ".join(map(str, inputs.shape[1:]))
        raise IlwpError(f"the network does not take inputs of {shape} ({one_line(error)})") from error


def power(outputs: list[torch.Tensor]) -> float:
    """Mean energy of the outputs for one input. An offset that all outputs share, such as of logits, is no signal."""
    centred = (o - o.mean(-1, keepdim=True) if o.ndim > 1 and o.shape[-1] > 1 else o for o in outputs)
    return sum(float(o.square().sum()) / len(o) for o in centred)
