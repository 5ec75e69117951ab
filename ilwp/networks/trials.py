"""Random inputs of a kind that a network takes, to trace and to prove it with."""

import inspect
from collections.abc import Iterator

import torch
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.networks.trace import ExampleInputs, in_short, traced

SIDES = (64, 32, 224, 28, 256, 299, 384, 448, 512)  # of images, tried in this order: small ones are fast
LENGTH, FRAMES, TOKENS = 256, 16, 16


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


def _needed(network: nn.Module) -> int:
    """How many arguments a network cannot do without."""
    try:
        parameters = inspect.signature(network.forward).parameters.values()
    except (TypeError, ValueError) as error:
        raise IlwpError(f"the network does not say what it takes ({in_short(error)})") from error
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in positional)
    return max(needed, 1) if any(p.kind == p.VAR_POSITIONAL for p in parameters) or positional else needed


def _candidates(
    network: nn.Module, shape: tuple[int, ...] | None, generator: torch.Generator
) -> Iterator[torch.Tensor]:
    first = next(
        (m for m in network.modules() if isinstance(m, nn.Embedding | nn.Linear) or hasattr(m, "kernel_size")), None
    )
    if isinstance(first, nn.Embedding):
        yield torch.randint(0, first.num_embeddings, (1, *(shape or (TOKENS,))), generator=generator)
        return
    shapes: list[tuple[int, ...]] = []
    if isinstance(first, nn.Linear):
        shapes = [(first.in_features,), (TOKENS, first.in_features)]
    elif isinstance(first, nn.Conv1d):
        shapes = [(first.in_channels, LENGTH)]
    elif isinstance(first, nn.Conv3d):
        shapes = [(first.in_channels, FRAMES, side, side) for side in (64, 112, 224)]
    elif isinstance(first, nn.Conv2d):
        shapes = [(first.in_channels, side, side) for side in SIDES]
    for size in [shape] if shape else shapes:
        yield torch.randn(1, *size, generator=generator)
