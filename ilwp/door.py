"""A state dict to the bytes of an `.ilwp` file of any of the three formats, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ilwp.codebooks import additive, codebook_file
from ilwp.codebooks.codebooks import Codebooks, CodedNetwork, pieces
from ilwp.common.bytes import format_of
from ilwp.common.errors import IlwpError, about
from ilwp.common.files import read_bytes
from ilwp.common.tensor_files import NO_KEYS, Tensors, in_network_order, read_tensors
from ilwp.networks.symmetry import Symmetry
from ilwp.paper import bitstream, codec
from ilwp.paper.codec import Coded
from ilwp.paper.kernels import depthwise_kernels, with_kernels
from ilwp.paper.settings import Settings
from ilwp.whole import coding, container
from ilwp.whole.alignment import align
from ilwp.whole.batch_norms import folded
from ilwp.whole.coding import Piece, Plan, Rounding

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
    """A file's bytes, what they stand for, and where its bits go, as the format's `write` says it."""

    content: bytes
    coded: Coded | Mapping[str, Piece] | CodedNetwork
    rate: Any


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
    coded = codec.encode(kernels, settings)
    content, rate = bitstream.write(coded, other)
    return Compressed(content, coded, rate)


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
    pieces = coding.encode(tensors, plan, symmetries, rounding)
    content, bits = container.write(pieces)
    return Compressed(content, pieces, bits)


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
    return Compressed(content, network, rate)


def _error_feedback(network: "nn.Module", dataset: str) -> Rounding:
    import torch

    from ilwp.networks.graphs import classes_of
    from ilwp.training import datasets
    from ilwp.whole.error_feedback import ErrorFeedback

    images = datasets.load(dataset)
    some = torch.randperm(len(images.train), generator=torch.Generator().manual_seed(0))[:IMAGES]
    seen = images.normalise(images.train[some])
    classes_of(network, seen[:1])
    return ErrorFeedback(network, seen)


def read_state_dict(path: Path, key: str | None = None) -> Tensors:
    """The tensors in a file of any kind, `.ilwp` decoded, in network order; raises IlwpError where there are none.

    `key` chooses between the networks in a torch file, as in `read_tensor_file`.
    """
    if path.suffix != ".ilwp":
        return read_tensors(path, key)
    content = read_bytes(path)
    with about(path):
        if key is not None:
            raise IlwpError(NO_KEYS)
        return decoded(content)


def decoded(content: bytes) -> Tensors:
    """The state dict that an `.ilwp` file stands for."""
    if format_of(content) == container.VERSION:
        return coding.decode(container.read(content))
    if format_of(content) == codebook_file.VERSION:
        network = codebook_file.read(content)
        return in_network_order(network.tensors(), [name for books in network.sets for name in books.shapes])
    coded, other = bitstream.read(content)
    kernels = codec.decode(coded)
    return in_network_order(other | with_kernels(kernels, kernels), list(kernels))
