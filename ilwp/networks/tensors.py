"""A network's weights as NumPy arrays, and back into the network."""

from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from ilwp.common.errors import IlwpError, printable
from ilwp.paper.kernels import Kernels, depthwise_kernels

PREFIXES = ("module.", "_orig_mod.")  # what DataParallel and torch.compile put before every name
COUNTER = "num_batches_tracked"  # of a batch norm; evaluation never reads it, and older files have none
WEIGHT_NORMS = (  # torch's two ways to name magnitude and direction
    ("weight_g", "parametrizations.weight.original0"),
    ("weight_v", "parametrizations.weight.original1"),
)


def arrays(network: nn.Module) -> dict[str, np.ndarray]:
    """The state dict as NumPy arrays that share no memory with the network."""
    return {name: t.detach().cpu().contiguous().numpy().copy() for name, t in network.state_dict().items()}


def depthwise_names(network: nn.Module) -> list[str]:
    """State dict keys of the depthwise weights of a module, in the order of registration.

    Their kernels have one axis or more. A weight computed from other parameters, as in weight norm, is left out.
    """
    return [
        f"{name}.weight" if name else "weight"
        for name, layer in network.named_modules()
        if getattr(layer, "in_channels", 1) == getattr(layer, "groups", 1) > 1
        and "weight" in layer._parameters
        and layer.weight[0, 0].numel() > 1
    ]


def kernels_of(network: nn.Module) -> Kernels:
    """The depthwise kernels (c_i, kh, kw) in network order; raises IlwpError as `depthwise_kernels` does."""
    tensors = arrays(network)
    return depthwise_kernels({name: tensors[name] for name in depthwise_names(network)})


def batch_norms_of(network: nn.Module) -> dict[str, float]:
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
    """Load a whole state dict, its names as `matched` understands them.

    Raises IlwpError where names or shapes are another network's.
    """
    names = matched(network, tensors)
    state = network.state_dict()  # with the versions of its modules, which some ask for
    state.update({own: _tensor(tensors[name]) for own, name in names.items()})
    network.load_state_dict(state)


def matched(network: nn.Module, tensors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """For each tensor of a network's state dict the name that it has in `tensors`.

    The same prefix before every name, as DataParallel and torch.compile put it there, either form of weight norm, and
    missing counts of batches, which have no name here, are understood. Raises IlwpError where other names or shapes
    differ: the tensors are another network's.
    """
    if any(map(is_lazy, (*network.parameters(), *network.buffers()))):
        raise IlwpError("the network has a lazy layer, whose size is not known yet: use a layer of a given size")
    own = network.state_dict()
    bare, theirs_bare = len(_prefix(own)), len(_prefix(tensors))
    renamed = {name[theirs_bare:]: name for name in tensors}
    names = {name: renamed.get(name[bare:], renamed.get(_other_form(name[bare:]))) for name in own}
    found = {name: theirs for name, theirs in names.items() if theirs is not None}
    missing = sorted(name for name in own.keys() - found.keys() if name.rpartition(".")[2] != COUNTER)
    extra = sorted(tensors.keys() - set(found.values()))
    differing = sorted(name for name in found if tuple(own[name].shape) != tensors[found[name]].shape)
    for wrong, what in ((missing, "missing"), (extra, "unknown"), (differing, "of another shape")):
        if wrong:
            raise IlwpError(f"this is another network or width: {printable(wrong[0])} is {what}")
    return found


def _prefix(names: Collection[str]) -> str:
    """The prefixes that stand before every name."""
    prefix = ""
    while further := [p for p in PREFIXES if names and all(name.startswith(prefix + p) for name in names)]:
        prefix += further[0]
    return prefix


def _other_form(name: str) -> str:
    """The name of the same tensor in torch's other form of weight norm."""
    for old, new in WEIGHT_NORMS:
        for one, other in ((old, new), (new, old)):
            if name == one or name.endswith(f".{one}"):
                return name.removesuffix(one) + other
    return name


def _tensor(array: np.ndarray) -> torch.Tensor:
    try:
        return torch.from_numpy(np.array(array))
    except TypeError:  # a type that NumPy has from elsewhere, such as bfloat16
        return torch.from_numpy(array.astype(np.float32))
