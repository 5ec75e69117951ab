"""The symmetries of a network, found from its graph.

    torch module -> symmetries -> list[Symmetry]

Where the graph does not allow a new order (a channel that is used elsewhere too, a group or a shuffle that must be
kept), fewer orders are free, or none.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from torch import fx, nn

from ilwp.common.errors import IlwpError
from ilwp.networks.symmetry import Symmetry
from ilwp.paper.kernels import depthwise_names

NORM_TENSORS = ("weight", "bias", "running_mean", "running_var")
CHANNELWISE = (nn.BatchNorm2d, nn.ReLU, nn.ReLU6, nn.Identity, nn.Dropout, nn.Dropout2d, nn.ChannelShuffle)


def symmetries(network: nn.Module) -> list[Symmetry]:
    """One `Symmetry` for each depthwise layer in network order; raises IlwpError if the graph cannot be traced."""
    try:
        graph = fx.symbolic_trace(network).graph
    except Exception as error:  # whatever the network's code raises when it sees no tensor
        raise IlwpError(f"the network's graph cannot be traced ({' '.join(str(error).split())[:100]})") from error
    modules = dict(network.named_modules())
    calls = [(str(node.target), node) for node in graph.nodes if node.op == "call_module"]
    weighty = [name for name, _ in calls if modules[name].state_dict()]
    if len(set(weighty)) < len(weighty):
        raise IlwpError("the network uses a layer twice: what moves in one place would have to move in the other")
    called = dict(calls)
    layers = [name.removesuffix(".weight") for name in depthwise_names(network)]
    # a layer that is not called, or whose inside was traced instead, keeps its order
    return [_symmetry(called[name], modules) if name in called else _kept(name, modules) for name in layers]


def _kept(name: str, modules: Mapping[str, nn.Module]) -> Symmetry:
    return Symmetry(f"{name}.weight", np.arange(cast(nn.Conv2d, modules[name]).out_channels))


def _symmetry(node: fx.Node, modules: Mapping[str, nn.Module]) -> Symmetry:
    layer = _convolution(node, modules)
    channels = layer.out_channels
    name, fixed = f"{node.target}.weight", np.arange(channels)
    behind, consumer = _walk(node, modules, forward=True)
    bias = (name.removesuffix("weight") + "bias",) if layer.bias is not None else ()
    taken_in = _norm_tensors(behind[:1], modules, only=("weight", "running_mean"))
    signed = taken_in + bias if taken_in else None
    free = Symmetry(name, fixed, signed=signed)
    ahead, producer = _walk(node, modules, forward=False)
    if producer is None or consumer is None or layer.out_channels != layer.in_channels:
        return free
    source, sink = _convolution(producer, modules), _convolution(consumer, modules)
    if any(isinstance(modules[str(n.target)], nn.ChannelShuffle) for n in behind) or sink.in_channels != channels:
        return free
    at: np.ndarray = fixed
    before: list[tuple[str, np.ndarray]] = []
    for step in ahead:  # from the layer back to its producer
        module = modules[str(step.target)]
        if isinstance(module, nn.ChannelShuffle):
            at = np.arange(channels).reshape(module.groups, -1).T.ravel()[at]
        before += [(tensor, at) for tensor in _norm_tensors([step], modules)]
    before.append((f"{producer.target}.weight", at))
    if source.bias is not None:
        before.append((f"{producer.target}.bias", at))
    cells = at // (channels // source.groups) * sink.groups + fixed // (channels // sink.groups)
    after = _norm_tensors(behind, modules) + bias
    return Symmetry(name, cells, tuple(before), after, f"{consumer.target}.weight", sink.groups, signed)


def _walk(node: fx.Node, modules: Mapping[str, nn.Module], forward: bool) -> tuple[list[fx.Node], fx.Node | None]:
    """Channelwise steps from a layer to the next convolution, and that; None if anything else comes first."""
    steps: list[fx.Node] = []
    while True:
        # a tensor that something else reads too must stay as it is
        near = list(node.users) if forward else list(node.all_input_nodes)
        if len(near) != 1 or len((node if forward else near[0]).users) != 1 or near[0].op != "call_module":
            return steps, None
        node = near[0]
        module = modules[str(node.target)]
        if isinstance(module, nn.Conv2d):
            return steps, node
        if not isinstance(module, CHANNELWISE) or (isinstance(module, nn.BatchNorm2d) and not _absorbs(module)):
            return steps, None
        steps.append(node)


def _absorbs(module: nn.Module) -> bool:
    """Whether a module is a batch norm with numbers of its own for every channel."""
    return isinstance(module, nn.BatchNorm2d) and module.affine and module.track_running_stats


def _convolution(node: fx.Node, modules: Mapping[str, nn.Module]) -> nn.Conv2d:
    return cast(nn.Conv2d, modules[str(node.target)])


def _norm_tensors(
    steps: Sequence[fx.Node], modules: Mapping[str, nn.Module], only: Sequence[str] = NORM_TENSORS
) -> tuple[str, ...]:
    """State dict keys of the batch norms among `steps`."""
    norms = [str(step.target) for step in steps if _absorbs(modules[str(step.target)])]
    return tuple(f"{norm}.{part}" for norm in norms for part in only)
