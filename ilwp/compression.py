"""A state dict to the bytes of an `.ilwp` file of any of the three formats, and what to say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ilwp import additive, bitstream, codebook_file, codec, network_codec, network_file, reports
from ilwp.alignment import align
from ilwp.bitstream import Tensors
from ilwp.codebooks import Codebooks, CodedNetwork, pieces
from ilwp.codec import Settings
from ilwp.kernels import depthwise_kernels
from ilwp.network_codec import Plan, Rounding
from ilwp.norms import folded
from ilwp.symmetry import Symmetry

if TYPE_CHECKING:  # torch takes seconds to import, and a network without its graph does not need it
    from torch import nn

REORDERING = ("aligned", "multiset")  # methods that put channels into another order
IMAGES = 1000  # that error feedback looks at


@dataclass(frozen=True)
class Structure:
    """What a network's graph tells: its symmetries, and the eps of each batch norm."""

    network: "nn.Module"
    norms: Mapping[str, float]

    @cached_property
    def symmetries(self) -> list[Symmetry]:
        """Found when first asked for, since most of what is done with a network needs no graph that can be traced."""
        from ilwp.networks.symmetries import symmetries

        return symmetries(self.network)


@dataclass(frozen=True)
class Compressed:
    """A file's bytes and a table of where they go."""

    content: bytes
    report: str


def structure_of(graph: str, width: float, tensors: Tensors) -> Structure:
    """The structure of the network that `tensors` belong to; arguments and errors are those of `network_for`."""
    from ilwp.networks.graphs import network_for
    from ilwp.networks.tensors import norms_of

    network = network_for(graph, width, tensors)
    return Structure(network, norms_of(network))


def compress_kernels(tensors: Tensors, settings: Settings, structure: Structure | None = None) -> Compressed:
    """Format 1: depthwise kernels as in the paper, all other tensors as they are."""
    if structure and settings.method == "aligned":
        tensors = align(tensors, structure.symmetries)
    kernels = depthwise_kernels(tensors)
    other = {name: t for name, t in tensors.items() if name not in kernels}
    content, rate = bitstream.write(codec.encode(kernels, settings), other)
    return Compressed(content, reports.rate_table(rate, sum(k.size for k in kernels.values())))


def compress_network(
    tensors: Tensors, plan: Plan, structure: Structure | None = None, dataset: str | None = None
) -> Compressed:
    """Format 2: every tensor, batch norms folded where the structure is known.

    With the name of a data set its training images say how to round (`error_feedback`), for which the structure is
    needed.
    """
    rounding = _error_feedback(structure.network, dataset) if structure and dataset else None
    if structure:
        tensors = folded(tensors, structure.norms)
    symmetries = structure.symmetries if structure and plan.method in REORDERING else ()
    pieces = network_codec.encode(tensors, plan, symmetries, rounding)
    content, bits = network_file.write(pieces)
    return Compressed(content, reports.tensor_table(pieces, bits, len(content)))


def compress_additive(
    tensors: Tensors, books: int, bits: int, length: int, shared: bool, vector_bits: float | None = None,
    structure: Structure | None = None,
) -> Compressed:  # fmt: skip
    """Format 3, by additive quantization without training; arguments and errors are those of `additive.quantize`."""
    sets = additive.quantize(tensors, books, bits, length, shared)
    return compress_coded(tensors, sets, vector_bits, structure)


def compress_coded(
    tensors: Tensors, sets: Sequence[Codebooks], vector_bits: float | None = None, structure: Structure | None = None
) -> Compressed:
    """Format 3: the sets and the rest of the state dict, batch norms folded where the structure is known."""
    if structure:
        tensors = folded(tensors, structure.norms)
    coded = {name for books in sets for name in books.shapes}
    rest = {name: t for name, t in tensors.items() if name not in coded}
    network = CodedNetwork(tuple(sets), pieces(rest, vector_bits))
    content, rate = codebook_file.write(network)
    return Compressed(content, reports.codebook_table(network, rate, len(content)))


def _error_feedback(network: "nn.Module", dataset: str) -> Rounding:
    import torch

    from ilwp import datasets
    from ilwp.error_feedback import ErrorFeedback
    from ilwp.networks.graphs import classes_of

    images = datasets.load(dataset)
    some = torch.randperm(len(images.train), generator=torch.Generator().manual_seed(0))[:IMAGES]
    seen = images.normalise(images.train[some])
    classes_of(network, seen[:1])
    return ErrorFeedback(network, seen)
