"""A state dict together with the network it belongs to, for what needs the graph and not only the tensors."""

import importlib
import sys
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from ilwp.common.errors import IlwpError, one_line
from ilwp.networks.build import build
from ilwp.networks.tensors import load_tensors


def network_for(graph: str, width: float, tensors: Mapping[str, np.ndarray]) -> nn.Module:
    """The network that `tensors` belong to, with them, in evaluation mode.

    `graph` is one of ours, at `width`, or MODULE:FUNCTION, which is imported and called without arguments. Raises
    IlwpError where it cannot be built or is another network.
    """
    if ":" in graph:
        network = _made_by(*graph.split(":", 1))
    else:
        classes = next((len(t) for t in reversed(list(tensors.values())) if t.ndim == 2), 1)
        network = build(graph, classes, width)
    load_tensors(network, tensors)
    return network.eval()


def check_takes(network: nn.Module, inputs: torch.Tensor) -> None:
    """Raises IlwpError where a network does not take inputs (n, ...) like these."""
    try:
        with torch.inference_mode():
            network(inputs)
    except Exception as error:  # whatever the network's code raises
        shape = " x ".join(map(str, inputs.shape[1:]))
        raise IlwpError(f"the network does not take inputs of {shape} ({one_line(error)})") from error


def classes_of(network: nn.Module, images: torch.Tensor) -> int:
    """How many classes a network tells apart; raises IlwpError where it takes no such images (n, 3, h, w)."""
    try:
        with torch.inference_mode():
            return int(network(images).shape[1])
    except Exception as error:  # whatever the network's code raises
        shape = " x ".join(map(str, images.shape[1:]))
        raise IlwpError(f"the network does not classify images of {shape} ({one_line(error)})") from error


def _made_by(module: str, function: str) -> nn.Module:
    if "" not in sys.path:
        sys.path.append("")  # a script that pip installed does not look into the folder where it is called
    try:
        network = getattr(importlib.import_module(module), function)()
    except (Exception, SystemExit) as error:  # whatever the user's code raises, a script's exit included
        raise IlwpError(f"{module}:{function} makes no network ({one_line(error)})") from error
    if not isinstance(network, nn.Module):
        raise IlwpError(f"{module}:{function} makes no network but a {type(network).__name__}")
    return network
