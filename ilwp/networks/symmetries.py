"""The symmetries of a network, found from what it computes.

    torch module, inputs -> structure -> list[Symmetry], list[Norm]

Where a network does not allow a new order (a channel that something else uses too, a group or a shuffle that must be
kept, a parameter with two names or two readers), fewer orders are free, or none.
"""

from collections import Counter

import numpy as np
from torch import nn

from ilwp.common.tensor_files import in_network_order
from ilwp.networks.symmetry import Follower, Symmetry
from ilwp.networks.tensors import depthwise_names
from ilwp.networks.trace import ExampleInputs, named_tensors, traced
from ilwp.networks.trials import random_inputs
from ilwp.networks.wire_places import BatchNorm, WirePlace, Wiring
from ilwp.networks.wires import wiring


def symmetries(network: nn.Module) -> list[Symmetry]:
    """One `Symmetry` for each depthwise layer in network order; raises IlwpError if the graph cannot be traced."""
    return structure(network, random_inputs(network))[0]


def structure(network: nn.Module, inputs: ExampleInputs) -> tuple[list[Symmetry], list[BatchNorm]]:
    """The symmetries of every depthwise layer, and the batch norms that may be folded; not proven yet.

    Raises IlwpError as `traced` does.
    """
    found = wiring(traced(network, inputs), touchable(network))
    fixed, layers = _fixed(found), depthwise_names(network)
    natural = list(in_network_order(dict.fromkeys(layers, np.zeros(0))))
    places = [(place, found.component[place.wires]) for place in found.places]
    symmetries = []
    for name in layers:
        if name in found.depthwise:
            # a layer leaves to another what that moves too; first is what comes first by modules and by names
            later = set(layers[layers.index(name) + 1 :]) & set(natural[natural.index(name) + 1 :])
            others = [found.component[w] for n, w in found.depthwise.items() if n != name and n not in later]
            symmetries.append(_symmetry(found, name, np.concatenate([fixed, *others]), places))
        else:
            symmetries.append(kept(name, network))
    return symmetries, found.batch_norms


def kept(name: str, network: nn.Module) -> Symmetry:
    """The symmetry of a depthwise weight that allows nothing."""
    return Symmetry(name, np.arange(len(network.get_parameter(name))))


def touchable(network: nn.Module) -> set[str]:
    """Names of the tensors in a network's state dict that have one name and share their memory with no other."""
    own = named_tensors(network)
    memory = Counter(t.untyped_storage().data_ptr() for t in own.values() if t.numel())
    state = network.state_dict(keep_vars=True)
    return {
        name
        for name, t in own.items()
        if state.get(name) is t and t.numel() and memory[t.untyped_storage().data_ptr()] == 1
    }


def _fixed(found: Wiring) -> np.ndarray:
    """Components that may not move: wire 0's, and those that lie in one tensor twice."""
    fixed = [np.zeros(1, np.int64)]
    for place in found.places:
        components, counts = np.unique(found.component[place.wires], return_counts=True)
        fixed.append(components[counts > 1])
    return np.concatenate(fixed)


def _symmetry(found: Wiring, layer: str, fixed: np.ndarray, places: list[tuple[WirePlace, np.ndarray]]) -> Symmetry:
    components = found.component[found.depthwise[layer]]
    count = len(components)
    free = ~np.isin(components, fixed)
    channel = np.full(found.component.max() + 1, -1)  # component -> channel of the layer
    channel[components[free]] = np.flatnonzero(free)
    followers, keys = [], [np.where(free, -1, np.arange(count))]
    for place, theirs in places:
        here = np.flatnonzero(channel[theirs] >= 0)
        if not len(here):
            continue
        at = np.full(count, -1)
        at[channel[theirs[here]]] = here
        part = len(theirs) // place.groups
        keys.append(np.where(at < 0, -1, at // part))
        # the layer's own kernels move in any case, and a group of one column has nothing to move
        if place.name != layer and not (place.axis == 1 and part == 1):
            followers.append(Follower(place.name, at, place.groups if place.axis else None))
    cells = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True)[1].ravel()
    moves = len(np.unique(cells)) < count
    return Symmetry(layer, cells, tuple(followers) if moves else (), found.signed.get(layer))
