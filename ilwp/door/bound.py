"""The smallest file whose network loses no more points of top-1 than a bound.

    tensors, plan, structure, inputs, bound -> compress_within -> Bounded

One input in two chooses the quality. The others choose nothing, and say what the file loses on inputs it was not chosen
for.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from ilwp.common.errors import IlwpError
from ilwp.common.progress import progress_bar
from ilwp.common.tensor_files import Tensors
from ilwp.door.reading import decoded
from ilwp.door.structure import Structure
from ilwp.door.writing import Compressed, compress_network
from ilwp.networks.comparison import top_classes
from ilwp.networks.moments import AT_ONCE
from ilwp.networks.tensors import load_tensors
from ilwp.training.inputs import Inputs
from ilwp.whole.plan import Plan

HIGHEST, HALVINGS = 100.0, 9  # dB; the quality is found to a fifth of one


@dataclass(frozen=True)
class Loss:
    """How many of some inputs have the wanted top class before and after quantization."""

    inputs: int
    before: int
    after: int

    @property
    def points(self) -> float:
        """Percentage points lost; negative where more inputs have the wanted class after."""
        return 100 * (self.before - self.after) / self.inputs


@dataclass(frozen=True)
class Bounded:
    """A file that loses at most so many points on the inputs that chose it, and what it loses on those held out."""

    compressed: Compressed
    quality: float  # dB
    tried: int  # qualities
    most: float
    labelled: bool
    chosen_on: Loss
    held_out: Loss


class TopClasses:
    """The classes that some inputs should have: their labels, or without labels those that a network gives them."""

    def __init__(self, network: nn.Module, inputs: Inputs) -> None:
        self.inputs = inputs
        given = top_classes(network, inputs.batches(AT_ONCE))
        self.wanted = given if inputs.labels is None else inputs.labels
        self.before = self._hits(given)

    def loss(self, network: nn.Module) -> Loss:
        """What another network loses on them."""
        return Loss(len(self.inputs), self.before, self._hits(top_classes(network, self.inputs.batches(AT_ONCE))))

    def check(self, most: float) -> None:
        """Raise IlwpError where a network that sees nothing would lose no more than `most` points."""
        blind = int(torch.unique(self.wanted, return_counts=True)[1].max())
        if Loss(len(self.inputs), self.before, blind).points <= most:
            share, commonest = (100 * n / len(self.inputs) for n in (self.before, blind))
            raise IlwpError(
                f"a drop of {most:g} points bounds nothing on these images: the network is right for {share:.1f} %, and"
                f" {commonest:.1f} % are of one class: allow less, or check the images and their labels"
            )

    def _hits(self, found: torch.Tensor) -> int:
        return int((found == self.wanted).sum())


def lowest(holds: Callable[[float], bool], highest: float, halvings: int) -> float | None:
    """A number from 0 to `highest` for which `holds` was true, by bisection; None where it is not for the highest.

    Where `holds` is false below some number and true above it, the result is at most `highest` / 2 ** `halvings` above
    that number.
    """
    if not holds(highest):
        return None
    low, high = 0.0, highest
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def compress_within(
    tensors: Tensors, plan: Plan, structure: Structure, inputs: Inputs, most: float,
    images: np.ndarray | None = None, metadata: Mapping[str, str] | None = None, progress: bool = False,
) -> Bounded:  # fmt: skip
    """The smallest file found that loses at most `most` points of top-1 on one half of the inputs.

    The plan's quality is chosen here; other arguments are those of `compress_network`. Raises IlwpError where the
    highest quality loses more, and where the bound or the inputs cannot tell a good file from a bad one.
    """
    if len(inputs) < 2:
        raise IlwpError("a bound on the drop takes at least 2 images, since one in two is held out to check it")
    network = copy.deepcopy(structure.network)
    choosing, others = (TopClasses(network, inputs.every_other(first)) for first in (0, 1))
    choosing.check(most)
    tries: list[tuple[float, Loss]] = []
    best: tuple[Compressed, float, Loss] | None = None

    def holds(quality: float) -> bool:
        nonlocal best
        compressed = compress_network(tensors, replace(plan, quality=quality), structure, images, metadata)
        load_tensors(network, decoded(compressed.content))
        loss = choosing.loss(network)
        tries.append((quality, loss))
        bar.update()
        if loss.points <= most and (best is None or len(compressed.content) <= len(best[0].content)):
            best = compressed, quality, loss
        return loss.points <= most

    with progress_bar("choosing the quality", 1 + HALVINGS, "tries", show=progress, delay=2) as bar:
        lowest(holds, HIGHEST, HALVINGS)
    if best is None:
        raise IlwpError(
            f"even at {HIGHEST:g} dB {tries[0][1].points:.2g} points are lost, more than {most:g}: allow more"
        )
    compressed, quality, loss = best
    load_tensors(network, decoded(compressed.content))
    return Bounded(compressed, quality, len(tries), most, inputs.labels is not None, loss, others.loss(network))
