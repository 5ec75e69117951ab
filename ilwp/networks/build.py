"""The paper's four networks (section 4) for 32x32 images, in one table.

Each takes `(classes, width)` and maps images (n, 3, 32, 32) float32 to logits (n, classes). Modules
are registered in the order data meets them, so a state dict lists depthwise layers in network order.
"""

from collections.abc import Callable

import torch
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.mobilenet import mobilenet
from ilwp.networks.mobilenetv2 import mobilenetv2
from ilwp.networks.shufflenet import shufflenet
from ilwp.networks.shufflenetv2 import shufflenetv2

NETWORKS: dict[str, Callable[[int, float], nn.Module]] = {
    "mobilenet": mobilenet,
    "mobilenetv2": mobilenetv2,
    "shufflenet": shufflenet,
    "shufflenetv2": shufflenetv2,
}


def build(name: str, classes: int, width: float = 1.0, seed: int = 0) -> nn.Module:
    """A freshly initialised network, the same for the same arguments.

    Raises IlwpError for a name outside `NETWORKS` or a width that is not above 0 and at most 4.
    """
    if not 0 < width <= 4:
        raise IlwpError(f"a width multiplier of {width} is not supported: choose one above 0, at most 4")
    if name not in NETWORKS:
        raise IlwpError(f"no network is called {name!r}: choose one of {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return NETWORKS[name](classes, width)
        except ValueError as error:  # a stage that is no wider than the one before leaves a block without channels
            raise IlwpError(f"{name} cannot be built at width {width}: choose a wider one") from error
