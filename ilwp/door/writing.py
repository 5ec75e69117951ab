"""A state dict to the bytes of an `.ilwp` file, of any format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ilwp.common.errors import IlwpError, printable
from ilwp.common.progress import progress_bar
from ilwp.common.tensor_files import Tensors
from ilwp.door.reading import Row, codebook_rows, stored
from ilwp.networks.symmetry import Symmetry
from ilwp.paper.settings import Rate, Settings
from ilwp.whole import coding, container, segments
from ilwp.whole.batch_norms import folded
from ilwp.whole.coding import Plan, Rounding
from ilwp.whole.pieces import size
from ilwp.whole.roles import Known

if TYPE_CHECKING:  # torch takes seconds to import, and a network without its graph does not need it
    import torch
    from torch import nn

    from ilwp.codebooks.codebooks import Codebooks

REORDERING = ("aligned", "multiset")  # methods that put channels into another order
IMAGES = 1000  # of a data set, that error feedback looks at


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

    @property
    def known(self) -> Known:
        """Which tensors are parameters, and which are the weights of depthwise layers."""
        depthwise = {
            f"{name}.weight".removeprefix(".")
            for name, layer in self.network.named_modules()
            if getattr(layer, "groups", 1) > 1
            and not getattr(layer, "transposed", False)
            and layer.weight.shape[1] == 1
        }
        return Known({name for name, _ in self.network.named_parameters(remove_duplicate=False)}, depthwise)


@dataclass(frozen=True)
class Compressed:
    """A file's bytes and what they hold: a row a tensor, or for format 1 where the bits of the file go."""

    content: bytes
    rows: Sequence[Row] = ()
    rate: Rate | None = None
    weights: int = 0  # of depthwise layers, in format 1


def structure_of(graph: str, width: float, tensors: Tensors) -> Structure:
    """The structure of the network that `tensors` belong to; arguments and errors are those of `network_for`."""
    from ilwp.networks.graphs import network_for

    return structure_of_module(network_for(graph, width, tensors))


def structure_of_module(network: "nn.Module") -> Structure:
    """The structure of a torch module."""
    from ilwp.networks.tensors import norms_of

    return Structure(network, norms_of(network))


def compress_kernels(tensors: Tensors, settings: Settings, structure: Structure | None = None) -> Compressed:
    """Format 1: depthwise kernels as in the paper, all other tensors as they are."""
    from ilwp.paper import bitstream, codec
    from ilwp.paper.kernels import depthwise_kernels

    if settings.method == "aligned":
        from ilwp.whole.alignment import align

        tensors = align(tensors, _needed(structure, settings.method).symmetries)
    kernels = depthwise_kernels(tensors)
    other = {name: t for name, t in tensors.items() if name not in kernels}
    content, rate = bitstream.write(codec.encode(kernels, settings), other)
    return Compressed(content, rate=rate, weights=sum(k.size for k in kernels.values()))


def compress_network(
    tensors: Tensors, plan: Plan, structure: Structure | None = None, images: "str | torch.Tensor | None" = None,
    metadata: Mapping[str, str] | None = None, steps: Mapping[str, float] | None = None, progress: bool = False,
) -> Compressed:  # fmt: skip
    """Format 2: every tensor, batch norms folded where the structure is known.

    With images (n, 3, h, w), or the training images of a data set of this name, error feedback rounds the weights.
    `steps` by name take the place of those that follow from the plan. Raises IlwpError where images or a method that
    puts channels into another order come without the structure.
    """
    if plan.method in REORDERING or images is not None or plan.vector_bits is not None:
        _needed(structure, f"method {plan.method}" if plan.method in REORDERING else "rounding with images"
                if images is not None else "quantizing vectors")  # fmt: skip
    rounding = _error_feedback(structure.network, images) if structure and images is not None else None
    if structure:
        tensors = folded(tensors, structure.norms)
    symmetries = structure.symmetries if structure and plan.method in REORDERING else ()
    pieces: dict[str, tuple[str, int, float]] = {}
    with progress_bar("compressing", sum(t.nbytes for t in tensors.values()), "B", show=progress, delay=2) as bar:

        def coded() -> Any:
            known = structure.known if structure else None
            for one in coding.stream(tensors, plan, symmetries, rounding, known, steps):
                yield one.name, one.piece
                pieces[one.name] = stored(one.piece), size(one.piece), one.snr
                bar.update(tensors[one.name].nbytes)

        packed = list(segments.pack_all(coded()))
    content = container.write([p.segment for p in packed], list(tensors), metadata)
    bits = {name: count for p in packed for name, count in p.bits.items()}
    rows = [
        Row(name, kind, count, bits[name] / 8, tensors[name].nbytes * (count > 0), snr)
        for name, (kind, count, snr) in pieces.items()
    ]
    return Compressed(content, rows)


def compress_additive(
    tensors: Tensors, books: int, bits: int, length: int, shared: bool, vector_bits: float | None = None,
    structure: Structure | None = None, metadata: Mapping[str, str] | None = None,
) -> Compressed:  # fmt: skip
    """Format 2, by additive quantization without training; arguments and errors are those of `additive.quantize`."""
    from ilwp.codebooks import additive

    sets = additive.quantize(tensors, books, bits, length, shared)
    return compress_coded(tensors, sets, vector_bits, structure, metadata)


def compress_coded(
    tensors: Tensors, sets: "Sequence[Codebooks]", vector_bits: float | None = None,
    structure: Structure | None = None, metadata: Mapping[str, str] | None = None,
) -> Compressed:  # fmt: skip
    """Format 2: the sets, and the rest of the state dict with batch norms folded where the structure is known."""
    from ilwp.codebooks import codebook_file
    from ilwp.codebooks.codebooks import pieces

    if vector_bits is not None:
        _needed(structure, "quantizing vectors")
    if structure:
        tensors = folded(tensors, structure.norms)
    coded = {name for books in sets for name in books.shapes}
    rest = pieces({name: t for name, t in tensors.items() if name not in coded}, vector_bits)
    books = [codebook_file.pack(one) for one in sets]
    others = list(segments.pack_all(rest.items()))
    content = container.write([p.segment for p in (*books, *others)], list(tensors), metadata)
    bits = {name: count for p in others for name, count in p.bits.items()}
    rows = {
        name: Row(name, stored(piece), size(piece), bits[name] / 8, tensors[name].nbytes)
        for name, piece in rest.items()
    }
    for number, one in enumerate(books, start=1):
        rows |= codebook_rows(one.segment, one.bits, number)
    return Compressed(content, [rows[name] for name in tensors])


def _needed(structure: Structure | None, what: str) -> Structure:
    if structure is None:
        raise IlwpError(f"{printable(what)} needs the network itself, not only its tensors: give it with --graph")
    return structure


def _error_feedback(network: "nn.Module", images: "str | torch.Tensor") -> Rounding:
    from ilwp.networks.graphs import classes_of
    from ilwp.whole.error_feedback import ErrorFeedback

    seen = _images_of(images) if isinstance(images, str) else images
    classes_of(network, seen[:1])
    return ErrorFeedback(network, seen)


def _images_of(dataset: str) -> "torch.Tensor":
    import torch

    from ilwp.training import datasets

    images = datasets.load(dataset)
    some = torch.randperm(len(images.train), generator=torch.Generator().manual_seed(0))[:IMAGES]
    return images.normalise(images.train[some])
