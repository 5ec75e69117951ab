"""What of a network's graph is believed when its state dict is rewritten: that alone which is proven.

network, state dict -> believed -> Belief
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.common.tensor_files import StateDict
from ilwp.networks.proof import Rewriting, proven
from ilwp.networks.symmetries import kept, structure
from ilwp.networks.symmetry import Symmetry, rearranged
from ilwp.networks.tensors import depthwise_names, matched
from ilwp.networks.trials import random_inputs
from ilwp.networks.wire_places import BatchNorm
from ilwp.whole.batch_norms import folded

GRAPH = "the graph"  # what is refused where nothing can be proven


@dataclass(frozen=True)
class Belief:
    """The symmetry of each depthwise layer, the batch norms to fold with their eps, and why others are refused.

    All names are those of the state dict, but `refused` speaks of `GRAPH` where nothing is believed.
    """

    symmetries: list[Symmetry]
    foldable_norms: dict[str, float]
    refused: dict[str, str]


def believed(network: nn.Module, tensors: Mapping[str, np.ndarray], shape: tuple[int, ...] | None = None) -> Belief:
    """What is proven of a network that has these tensors, in evaluation, with random inputs.

    `shape` is an input's without the batch axis, found by trying where it is None. Raises IlwpError where the tensors
    are another network's, and for nothing else: what cannot be proven is refused, and nothing is free then.
    """
    names = matched(network, tensors)
    own = {name: tensors[theirs] for name, theirs in names.items()}
    layers = depthwise_names(network)
    try:
        inputs = [random_inputs(network, shape, seed) for seed in (0, 1)]
        symmetries, norms = structure(network, inputs[0])
        prefixes = {prefix: norm for norm in norms if (prefix := _prefix(norm)) and not _unsound(own, norm)}
        rewritings = [Rewriting(f"the order of {s.layer}", _reordering(s)) for s in symmetries if s.ordered]
        rewritings += [Rewriting(f"the signs of {s.layer}", _flipping(s)) for s in symmetries if s.signed is not None]
        rewritings += [Rewriting(f"folding {name}", _folding(name, norm.eps)) for name, norm in prefixes.items()]
        refused = proven(network, own, rewritings, inputs)[1]
    except IlwpError as error:
        return Belief([_renamed(kept(name, network), names) for name in layers], {}, {GRAPH: str(error)})
    held = [
        replace(
            symmetry if f"the order of {symmetry.layer}" not in refused else kept(symmetry.layer, network),
            signed=symmetry.signed if f"the signs of {symmetry.layer}" not in refused else None,
        )
        for symmetry in symmetries
    ]
    folds = {
        names[norm.weight].removesuffix(".weight"): norm.eps
        for prefix, norm in prefixes.items()
        if f"folding {prefix}" not in refused
    }
    return Belief([_renamed(symmetry, names) for symmetry in held], folds, refused)


def _reordering(symmetry: Symmetry) -> Callable[[StateDict], StateDict]:
    """Every channel moves to the next place of its cell, so each that may move does."""
    order = np.empty(len(symmetry.cells), np.int64)
    for cell in np.unique(symmetry.cells):
        members = np.flatnonzero(symmetry.cells == cell)
        order[members] = np.roll(members, 1)
    return lambda tensors: rearranged(tensors, symmetry, order, np.ones(len(order)))


def _flipping(symmetry: Symmetry) -> Callable[[StateDict], StateDict]:
    """Every other sign is flipped, the first one too."""
    identity = np.arange(len(symmetry.cells))
    return lambda tensors: rearranged(tensors, symmetry, identity, np.where(identity % 2, 1, -1))


def _folding(name: str, eps: float) -> Callable[[StateDict], StateDict]:
    return lambda tensors: folded(tensors, {name: eps})


def _prefix(norm: BatchNorm) -> str:
    """The name of a batch norm whose tensors are called as usual, empty for another."""
    name = norm.weight.removesuffix(".weight")
    usual = [f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var")]
    return name if usual == [norm.weight, norm.bias, norm.mean, norm.variance] else ""


def _unsound(tensors: StateDict, norm: BatchNorm) -> bool:
    """Whether a batch norm holds what cannot be folded."""
    parts = [tensors[name].astype(np.float64) for name in (norm.weight, norm.bias, norm.mean, norm.variance)]
    return not all(np.isfinite(part).all() for part in parts) or bool((parts[3] + norm.eps <= 0).any())


def _renamed(symmetry: Symmetry, names: Mapping[str, str]) -> Symmetry:
    """The same with the names of a state dict."""
    return Symmetry(
        names[symmetry.layer],
        symmetry.cells,
        tuple(replace(follower, name=names[follower.name]) for follower in symmetry.followers),
        None if symmetry.signed is None else tuple(names[name] for name in symmetry.signed),
    )
