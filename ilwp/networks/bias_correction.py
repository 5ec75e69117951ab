"""The mean shift that quantized weights cause in a layer's outputs, taken off the bias behind it.

    network, changes of its weights, inputs -> mean_inputs -> corrections -> biases

A layer with inputs of mean m and weights changed by D has outputs shifted by D m on average, and the same shift meets
every input. The layer's own bias can take it off, or the bias of a batch norm directly behind it.

A trained network's batch norms know the means of their outputs. So the means are taken from synthetic inputs while
batch norms normalise by the batch: each then puts out its own mean and deviation, as on the images it was trained on.
Images that the network is used for tell the means too.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ilwp.networks.moments import AT_ONCE

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True)
class MeanInputs:
    """The mean input of layers, each in the shape of one sample's, and the tensor that can take off a shift behind it.

    Both by the layer's name. Layers without a bias and without a batch norm directly behind them are in neither.
    """

    means: dict[str, torch.Tensor]
    absorbers: dict[str, str]


def mean_inputs(network: nn.Module, inputs: torch.Tensor, made_up: bool = True) -> MeanInputs:
    """The mean input of each convolution and linear layer.

    `inputs` (n, ...) are put once through the network, which is in evaluation. Where they are not `made_up`, batch
    norms use the statistics that they hold.
    """
    means: dict[str, torch.Tensor] = {}
    batch_means: dict[str, torch.Tensor] = {}
    absorbers: dict[str, str] = {}
    made: dict[int, tuple[str, torch.Tensor]] = {}  # a layer's output is kept alive, so that its id stays its own

    def after(name: str, module: nn.Module, given: torch.Tensor, output: torch.Tensor) -> None:
        if isinstance(module, LAYERS):
            batch_means[name] = given.mean(dim=tuple(range(given.ndim - 1)) if isinstance(module, nn.Linear) else 0)
            if module.bias is not None:
                absorbers[name] = f"{name}.bias"
            else:
                made[id(output)] = (name, output)
        elif id(given) in made and module.bias is not None:
            absorbers[made[id(given)][0]] = f"{name}.bias"

    handles = [
        module.register_forward_hook(lambda m, given, output, name=name: after(name, m, given[0], output))
        for name, module in network.named_modules()
        if isinstance(module, (*LAYERS, _BatchNorm))
    ]
    try:
        with torch.inference_mode(), _normalised_by_the_batch(network) if made_up else nullcontext():
            for batch in torch.split(inputs, len(inputs) if made_up else AT_ONCE):
                batch_means.clear()
                network(batch)
                made.clear()
                for name, mean in batch_means.items():
                    means[name] = means.get(name, 0) + mean * (len(batch) / len(inputs))
    finally:
        for handle in handles:
            handle.remove()
    return MeanInputs({name: mean for name, mean in means.items() if name in absorbers}, absorbers)


@contextmanager
def _normalised_by_the_batch(network: nn.Module) -> Iterator[None]:
    """Inside it, batch norms use the statistics of their batch, and keep their own as they are."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.training, norm.track_running_stats) for norm in norms]
    try:
        for norm in norms:
            norm.training, norm.track_running_stats = True, False
        yield
    finally:
        for norm, (training, tracking) in zip(norms, before, strict=True):
            norm.training, norm.track_running_stats = training, tracking


def corrections(
    network: nn.Module, before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray], seen: MeanInputs
) -> dict[str, np.ndarray]:
    """The biases float32, by their names, that take off the mean shift between two state dicts of `network`."""
    modules, absorbers = dict(network.named_modules()), seen.absorbers
    corrected: dict[str, np.ndarray] = {}
    for name, mean in seen.means.items():
        if f"{name}.weight" not in after:  # made out of other tensors, as by weight norm
            continue
        change = after[f"{name}.weight"].astype(np.float64) - before[f"{name}.weight"]
        if not change.any():
            continue
        shift = _shift(modules[name], torch.from_numpy(change).float(), mean)
        bias = corrected.get(absorbers[name], after[absorbers[name]].astype(np.float64))
        norm = absorbers[name].removesuffix(".bias")
        if norm != name:
            variance = after[f"{norm}.running_var"].astype(np.float64)
            eps = modules[norm].eps
            shift = shift * after[f"{norm}.weight"].astype(np.float64) / np.sqrt(variance + eps)
        corrected[absorbers[name]] = bias - shift
    return {name: bias.astype(np.float32) for name, bias in corrected.items()}


def _shift(layer: nn.Module, change: torch.Tensor, mean: torch.Tensor) -> np.ndarray:
    """The mean (outputs,) float64 of what a layer with weights `change` and no bias makes of its mean input."""
    moved = copy.copy(layer)
    moved._parameters = {"weight": nn.Parameter(change, requires_grad=False), "bias": None}
    with torch.inference_mode():
        output = moved(mean[None])
    across = tuple(range(2, output.ndim))
    found: np.ndarray = (output.mean(dim=across) if across else output)[0].double().numpy()
    return found
