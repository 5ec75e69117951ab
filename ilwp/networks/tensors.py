"""A network's weights as NumPy arrays, and back into the network."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ilwp.common.errors import IlwpError
from ilwp.paper.kernels import Kernels, depthwise_kernels, depthwise_names


def arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """The state dict as NumPy arrays that share no memory with the network."""
    return {name: t.detach().cpu().contiguous().numpy().copy() for name, t in network.state_dict().items()}


def kernels_of(network: nn.Module) -> Kernels:
    """The depthwise kernels (c_i, kh, kw) in network order; raises IlwpError as `depthwise_kernels` does."""
    tensors = arrays(network)
    return depthwise_kernels({name: tensors[name] for name in depthwise_names(network)})


def norms_of(network: nn.Module) -> dict[str, float]:
    """Names of the batch norms that have weights, biases and running statistics, and their eps."""
    return {
        name: module.eps
        for name, module in network.named_modules()
        if isinstance(module, nn.BatchNorm2d) and module.affine and module.track_running_stats
    }


def load_kernels(network: nn.Module, kernels: Kernels) -> None:
    """Copy depthwise kernels (c_i, kh, kw) into the network."""
    with torch.no_grad():
        for name, layer in kernels.items():
            network.get_parameter(name).copy_(torch.from_numpy(layer[:, None]))


def load_tensors(network: nn.Module, tensors: Mapping[str, np.ndarray]) -> None:
    """Load a whole state dict; raises IlwpError where names or shapes are another network's."""
    if any(map(is_lazy, (*network.parameters(), *network.buffers()))):
        raise IlwpError("the network has a lazy layer, whose size is not known yet: use a layer of a given size")
    own = network.state_dict()
    missing, extra = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    differing = [name for name in own.keys() & tensors.keys() if tuple(own[name].shape) != tensors[name].shape]
    if missing or extra or differing:
        name, what = (
            (missing + extra + sorted(differing))[0],
            "missing" if missing else "unknown" if extra else "of another shape",
        )
        raise IlwpError(f"this is another network or width: {name} is {what}")
    network.load_state_dict({name: torch.from_numpy(np.array(t)) for name, t in tensors.items()})
