"""Every network that torchvision builds, and timm's where it is installed, with random weights.

Weights are drawn for each network from a seed of its own: normal, as large as the number of inputs asks for, each
output with a scale of its own. Batch norms have gains and offsets that do something. Their statistics are random, too.

Where outputs are compared, the networks are made as calm as trained ones. Batch norms' statistics are those of what the
layers before give, and gains at the ends of residual branches are small. Otherwise a deep network of random weights is
chaos, in which every error grows: `of_noise_db` in zoo.json says what a change of each weight by a thousandth leaves.
"""

import importlib
import importlib.util
import inspect
import operator
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from ilwp.networks.sensitivity import natural_shape, synthetic_inputs

# families in which orders of channels are looked for, by the beginnings of torchvision's names
FREE = {
    "mobilenet_v2": "MobileNetV2", "mobilenet_v3": "MobileNetV3", "efficientnet": "EfficientNet",
    "shufflenet_v2": "ShuffleNetV2", "mnasnet": "MNASNet", "convnext": "ConvNeXt",
}  # fmt: skip


ADDITIONS = (operator.add, operator.iadd, torch.add)
BRANCH_GAIN = 0.3  # what gains at the ends of residual branches are multiplied with


@dataclass(frozen=True)
class Builder:
    """What makes a network, without weights in it; `parameters` is how many it has."""

    name: str
    library: str
    parameters: int

    @property
    def family(self) -> str | None:
        """The family in which orders are looked for, none for another."""
        found = (title for start, title in FREE.items() if self.name.startswith(start))
        return next(found, None) if self.library == "torchvision" else None

    def make(self) -> nn.Module:
        """The network in evaluation, with random weights."""
        with _no_initialisation():
            network = _made(self.library, self.name)
        randomise(network.eval(), zlib.crc32(self.name.encode()))
        if self.family:
            _settle(network)
        return network


def builders(timm_parameters: int) -> list[Builder]:
    """All networks of torchvision, and those of timm that have at most so many parameters, the smallest first."""
    names = [("torchvision", name) for name in importlib.import_module("torchvision.models").list_models()]
    if timm_parameters and importlib.util.find_spec("timm"):
        names += [("timm", name) for name in importlib.import_module("timm").list_models()]
    found = []
    for library, name in names:
        with _no_initialisation():  # its memory is not touched, so it is hardly taken
            count = sum(p.numel() for p in _made(library, name).parameters())
        if library == "torchvision" or count <= timm_parameters:
            found.append(Builder(name, library, count))
    return sorted(found, key=lambda builder: (builder.parameters, builder.name))


def randomise(network: nn.Module, seed: int) -> None:
    """Fill parameters and batch norms' statistics; other buffers are what the network's code makes them."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(shape: torch.Size | tuple[int, ...], low: float, high: float) -> torch.Tensor:
        return torch.empty(shape).uniform_(low, high, generator=generator)

    with torch.no_grad():
        for name, p in network.named_parameters():
            if sum(axis > 1 for axis in p.shape) > 1:
                p.normal_(0, (2 / max(p[0].numel(), 1)) ** 0.5, generator=generator)
                p.mul_(drawn((len(p), *[1] * (p.ndim - 1)), 0.5, 1.5))
            elif name.endswith("bias"):
                p.normal_(0, 0.1, generator=generator)
            else:
                p.copy_(drawn(p.shape, 0.5, 1.5))
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
                module.running_mean.normal_(0, 0.3, generator=generator)
                module.running_var.copy_(drawn(module.running_var.shape, 0.5, 2))
                module.num_batches_tracked.fill_(1000)


def _settle(network: nn.Module) -> None:
    """Make residual branches small, and set batch norms' statistics to those of made-up images."""
    with torch.no_grad():
        for norm in _branch_ends(network):
            norm.weight.mul_(BRANCH_GAIN)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    if norms:
        with torch.no_grad():
            network(synthetic_inputs(natural_shape(network)))
    network.eval()


def _branch_ends(network: nn.Module) -> Iterator[nn.BatchNorm2d]:
    """The last batch norm of each residual branch; dropping of branches may stand between it and the addition."""
    modules, places = dict(network.named_modules()), {}
    for place, node in enumerate(fx.symbolic_trace(network).graph.nodes):
        places[node] = place
        if node.target in ADDITIONS:
            end = max(node.all_input_nodes, key=lambda term: places[term])
            while end.op == "call_function" and end.target not in ADDITIONS:
                end = end.all_input_nodes[0]
            if end.op == "call_module" and isinstance(modules[end.target], nn.BatchNorm2d):
                yield modules[end.target]


def _made(library: str, name: str) -> nn.Module:
    if library == "timm":
        return importlib.import_module("timm").create_model(name, pretrained=False)
    options: dict[str, Any] = {"weights": None}
    models = importlib.import_module("torchvision.models")
    if "weights_backbone" in inspect.signature(models.get_model_builder(name)).parameters:
        options["weights_backbone"] = None
    if name.endswith(("googlenet", "inception_v3")):
        options["init_weights"] = False
    return models.get_model(name, **options)


@contextmanager
def _no_initialisation() -> Iterator[None]:
    """Let torch's initialisers, which take minutes, do nothing."""
    saved: dict[str, Callable[..., Any]] = {n: f for n, f in vars(nn.init).items() if n.endswith("_") and callable(f)}
    try:
        for name in saved:
            setattr(nn.init, name, lambda tensor, *_, **__: tensor)
        yield
    finally:
        for name, function in saved.items():
            setattr(nn.init, name, function)
