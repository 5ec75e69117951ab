"""Random inputs of a kind that a network takes, to trace and to prove it with."""

import inspect
from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from ilwp.common.errors import IlwpError, one_line
from ilwp.networks.trace import ExampleInputs, traced

SIDES = (64, 32, 224, 28, 256, 299, 384, 448, 512)  # of images, tried in this order: small ones are fast
LENGTH, FRAMES, TOKENS = 256, 16, 16
SAMPLES_OF_SOUND = (1024, 16_000)  # in an input without channels


def random_inputs(network: nn.Module, shape: tuple[int, ...] | None = None, seed: int = 0) -> ExampleInputs:
    """One random tensor (1, ...) that the network takes, of `shape` without the batch axis where that is given.

    Images are tried in several sizes; what else a network takes is told from its first layer. Raises IlwpError where
    it takes none of them.
    """
    generator, problem = torch.Generator().manual_seed(seed), None
    if _needed(network) != 1:
        raise IlwpError(f"the network takes {_needed(network)} inputs, and only one can be made up")
    for candidate in _candidates(network, shape, generator):
        try:
            traced(network, (candidate,))
        except IlwpError as error:
            problem = problem or error
        else:
            return (candidate,)
    raise problem or IlwpError("the network has no layer that tells what it takes")


def whole_shapes(network: nn.Module, size: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The shapes, without the batch axis, that an input may have of which `size` tells the side or the length, the
    likeliest first.

    The other axes are told from the network's first layer, but there may be none, as for samples of a sound.
    """
    first = _first(network)
    if len(size) > 1:
        return [size]
    if isinstance(first, _ConvNd):
        return [(first.in_channels, *size * len(first.kernel_size)), size]
    return [(*size, *_features(first))]


def vocabulary(network: nn.Module) -> int | None:
    """How many whole numbers a network tells apart that begins with an embedding; None for another."""
    first = _first(network)
    return first.num_embeddings if isinstance(first, nn.Embedding) else None


def places_of(network: nn.Module, shape: tuple[int, ...]) -> int | None:
    """How many axes of an input of that shape the network's first layer, a convolution, goes over; None if it is none.

    An input without channels has no more than it has axes.
    """
    first = _first(network)
    return min(len(first.kernel_size), len(shape)) if isinstance(first, _ConvNd) else None


def _first(network: nn.Module) -> nn.Module | None:
    """The first layer that tells what a network takes."""
    kinds = (nn.Embedding, nn.Linear, nn.RNNBase, _ConvNd)
    return next((module for module in network.modules() if isinstance(module, kinds)), None)


def _features(layer: nn.Module | None) -> tuple[int, ...]:
    """The last axis of what a layer without places takes."""
    if isinstance(layer, nn.RNNBase):
        return (layer.input_size,)
    return (layer.in_features,) if isinstance(layer, nn.Linear) else ()


def _needed(network: nn.Module) -> int:
    """How many arguments a network cannot do without."""
    try:
        parameters = inspect.signature(network.forward).parameters.values()
    except (TypeError, ValueError) as error:
        raise IlwpError(f"the network does not say what it takes ({one_line(error)})") from error
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in positional)
    return max(needed, 1) if any(p.kind == p.VAR_POSITIONAL for p in parameters) or positional else needed


def _candidates(
    network: nn.Module, shape: tuple[int, ...] | None, generator: torch.Generator
) -> Iterator[torch.Tensor]:
    first = _first(network)
    if isinstance(first, nn.Embedding):
        yield torch.randint(0, first.num_embeddings, (1, *(shape or (TOKENS,))), generator=generator)
        return
    shapes: list[tuple[int, ...]] = []
    if features := _features(first):
        shapes = [features] * isinstance(first, nn.Linear) + [(TOKENS, *features)]
    elif isinstance(first, nn.Conv1d):
        shapes = [(first.in_channels, LENGTH)]
    elif isinstance(first, nn.Conv3d):
        shapes = [(first.in_channels, FRAMES, side, side) for side in (64, 112, 224)]
    elif isinstance(first, nn.Conv2d):
        shapes = [(first.in_channels, side, side) for side in SIDES]
    if isinstance(first, nn.Conv1d | nn.Conv2d):
        shapes += [(length,) for length in SAMPLES_OF_SOUND]
    for size in [shape] if shape else shapes:
        yield torch.randn(1, *size, generator=generator)
