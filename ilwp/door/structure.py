"""A state dict's network: what of its graph is proven, and how finely its weights have to be quantized.

network, state dict -> Structure -> symmetries, batch norms to fold, steps
"""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import nn
from torch.nn.modules.conv import _ConvNd

from ilwp.common.tensor_files import Tensors
from ilwp.door.trial import batched_outputs, power
from ilwp.networks.sensitivity import inputs_for, natural_shape, sensitivities
from ilwp.networks.symmetry import Symmetry
from ilwp.networks.tensors import batch_norms_of, load_tensors, matched
from ilwp.whole.batch_norms import folded
from ilwp.whole.belief import Belief, believed
from ilwp.whole.roles import Known
from ilwp.whole.rounding import halfway_to_spread


@dataclass
class Structure:
    """A network in evaluation that has loaded `tensors`; all names are those of the tensors.

    `shape` is an input's without the batch axis, found by trying where it is None.
    """

    network: nn.Module
    tensors: Tensors
    shape: tuple[int, ...] | None = None

    @cached_property
    def belief(self) -> Belief:
        """What may change without changing what the network computes; finding it takes seconds."""
        return believed(self.network, self.tensors, self.shape)

    @property
    def symmetries(self) -> list[Symmetry]:
        """The proven symmetry of each depthwise layer."""
        return self.belief.symmetries

    @property
    def foldable_norms(self) -> Mapping[str, float]:
        """The batch norms whose folding is proven, and their eps."""
        return self.belief.foldable_norms

    @property
    def all_norms(self) -> dict[str, float]:
        """All batch norms with weights, biases and running statistics, and their eps."""
        return {
            self.names[f"{name}.weight"].removesuffix(".weight"): eps
            for name, eps in batch_norms_of(self.network).items()
        }

    @cached_property
    def input_shape(self) -> tuple[int, ...]:
        """That of an input without the batch axis; raises IlwpError where none is found by trying."""
        return self.shape or natural_shape(self.network)

    @cached_property
    def names(self) -> dict[str, str]:
        """The network's own name of each tensor, and the name that it has among `tensors`."""
        return matched(self.network, self.tensors)

    @property
    def known(self) -> Known:
        """Which tensors are parameters, and which are the weights of depthwise layers."""
        depthwise = {
            f"{name}.weight".removeprefix(".")
            for name, layer in self.network.named_modules()
            if isinstance(layer, _ConvNd) and layer.groups > 1 and not layer.transposed and layer.weight.shape[1] == 1
        }
        parameters = {name for name, _ in self.network.named_parameters(remove_duplicate=False)}
        return Known(*({self.names.get(name, name) for name in some} for some in (parameters, depthwise)))

    def steps(
        self, weights: Collection[str], factors: Collection[str], quality: float, shape: tuple[int, ...] | None = None
    ) -> dict[str, float]:
        """Steps of `weights`, after batch norms are folded, with which the outputs' SNR is about `quality` dB.

        Of `factors` they are steps of natural logarithms. Each element of a vector adds the same noise to the outputs;
        of larger tensors steps are `halfway_to_spread`. Weights that the outputs do not depend on have no step. Outputs
        are those for synthetic inputs, of `shape` without the batch axis where that is given. Raises IlwpError where
        the network takes none.
        """
        network = copy.deepcopy(self.network)
        tensors = folded(self.tensors, self.foldable_norms)
        load_tensors(network, tensors)
        inputs = inputs_for(network, shape or self.input_shape)
        own = {theirs: name for name, theirs in self.names.items()}
        found = sensitivities(network, inputs, logarithms={own[name] for name in factors if name in own})
        noise = power(batched_outputs(network, inputs)) * 10 ** (-quality / 10)
        count = sum(self.tensors[name].size for name in weights)
        even = {
            name: (12 * noise / count / sensitivity) ** 0.5
            for name in weights
            if (sensitivity := found.get(own.get(name, ""), 0.0)) > 0
        }
        larger = {name: step for name, step in even.items() if tensors[name].ndim > 1}
        steps = even | halfway_to_spread(larger, tensors)
        return {name: float(np.float32(step)) for name, step in steps.items()}
