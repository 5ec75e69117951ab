"""How the inputs of a network's layers vary together.

network, images -> second_moments -> a matrix a group of each layer
"""

from collections.abc import Collection

import torch
from torch import nn
from torch.nn import functional as F

AT_ONCE = 20  # inputs that go through a network at a time


def layers_of(network: nn.Module) -> dict[str, nn.Module]:
    """The two-dimensional convolutions and linear layers by name; what the matrices here are made for."""
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}


def inputs_of(layer: nn.Module) -> int:
    """How many inputs one output of a convolution or linear layer is the sum of."""
    weight = layer.weight
    assert isinstance(weight, torch.Tensor)
    return weight[0].numel()


def second_moments(network: nn.Module, images: torch.Tensor, names: Collection[str]) -> dict[str, torch.Tensor]:
    """The covariance (groups, inputs, inputs) float32 of what each of these layers multiplies its weights with.

    `images` (n, ...) are put once through the network, which is in evaluation. There are none of a layer that the
    network does not call, or whose inputs are not finite.
    """
    sums: dict[str, torch.Tensor] = {}
    origins: dict[str, torch.Tensor] = {}  # about the mean, from which squares lose no digits
    means: dict[str, torch.Tensor] = {}
    places: dict[str, int] = {}

    def look(name: str, layer: nn.Module, given: torch.Tensor) -> None:
        seen = _seen(layer, given.float())
        seen = seen - origins.setdefault(name, seen.mean(2, keepdim=True))
        sums[name] = sums.get(name, 0) + seen @ seen.transpose(1, 2)
        means[name] = means.get(name, 0) + seen.sum(2)
        places[name] = places.get(name, 0) + seen.shape[2]

    layers = layers_of(network)
    handles = [
        layers[name].register_forward_pre_hook(lambda layer, given, name=name: look(name, layer, given[0]))
        for name in names
    ]
    try:
        with torch.inference_mode():
            for batch in torch.split(images, AT_ONCE):
                network(batch)
    finally:
        for handle in handles:
            handle.remove()
    found = {}
    for name, total in sums.items():
        mean = means[name] / places[name]
        found[name] = total / places[name] - mean[:, :, None] * mean[:, None]
    return {name: moments for name, moments in found.items() if bool(moments.isfinite().all())}


def _seen(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Inputs of one output (groups, inputs, places)."""
    if isinstance(layer, nn.Conv2d):
        mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
        x = F.pad(x, layer._reversed_padding_repeated_twice, mode)
        if layer.kernel_size == (1, 1):
            x = x[:, :, :: layer.stride[0], :: layer.stride[1]].flatten(2)
        else:
            x = F.unfold(x, layer.kernel_size, layer.dilation, stride=layer.stride)
        return x.reshape(len(x), layer.groups, -1, x.shape[-1]).permute(1, 2, 0, 3).flatten(2)
    return x.flatten(0, -2).T[None]
