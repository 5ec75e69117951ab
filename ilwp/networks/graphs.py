"""A state dict together with the network it belongs to, for what needs the graph and not only the tensors."""

import importlib
from collections.abc import Mapping

import numpy as np
from torch import nn

from ilwp.errors import IlwpError
from ilwp.networks import build
from ilwp.networks.tensors import load_tensors


def network_for(graph: str, width: float, tensors: Mapping[str, np.ndarray]) -> nn.Module:
    """The network that `tensors` belong to, with them, in evaluation mode.

    `graph` is one of ours, at `width`, or MODULE:FUNCTION, which is imported and called without arguments. Raises
    IlwpError where it cannot be had or is another network.
    """
    if ":" in graph:
        network = _made_by(*graph.split(":", 1))
    else:
        classes = next((len(t) for t in reversed(list(tensors.values())) if t.ndim == 2), 1)
        network = build(graph, classes, width)
    load_tensors(network, tensors)
    return network.eval()


def _made_by(module: str, function: str) -> nn.Module:
    try:
        network = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise IlwpError(f"{module}:{function} makes no network ({error})") from error
    if not isinstance(network, nn.Module):
        raise IlwpError(f"{module}:{function} makes no network but a {type(network).__name__}")
    return network
