"""A state dict to the bytes of an `.ilwp` file, of any format."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ilwp.common.errors import IlwpError, printable
from ilwp.common.progress import progress_bar
from ilwp.common.tensor_files import Tensors
from ilwp.door.reading import Row, codebook_rows, stored
from ilwp.paper.settings import Rate, Settings
from ilwp.whole import coding, container, segments
from ilwp.whole.batch_norms import folded
from ilwp.whole.methods import REORDERING
from ilwp.whole.pieces import Piece, size
from ilwp.whole.plan import Plan
from ilwp.whole.segment_parts import Packed

if TYPE_CHECKING:  # torch takes seconds to import, and a network without its graph does not need it
    import torch
    from torch import nn

    from ilwp.codebooks.codebooks import Codebooks
    from ilwp.door.structure import Structure


@dataclass(frozen=True)
class Compressed:
    """A file's bytes and what they hold: one row per tensor, or for format 1 where the bits of the file go.

    `outputs_snr` is that of the network's outputs for synthetic inputs in dB, where the network could be tried, and
    `held_out_snr` that for the images that were held out. `varying_snr` is `outputs_snr` with only what differs between
    inputs as signal.
    """

    content: bytes
    rows: Sequence[Row] = ()
    rate: Rate | None = None
    weights: int = 0  # of depthwise layers, in format 1
    outputs_snr: float | None = None
    held_out_snr: float | None = None
    varying_snr: float | None = None


def structure_of(graph: str, width: float, tensors: Tensors, input_size: tuple[int, ...] | None = None) -> "Structure":
    """The structure of the network that `tensors` belong to.

    Arguments and errors are those of `network_for` and `structure_of_module`.
    """
    from ilwp.networks.graphs import network_for

    return structure_of_module(network_for(graph, width, tensors), tensors, input_size)


def structure_of_module(
    network: "nn.Module", tensors: Tensors, input_size: tuple[int, ...] | None = None
) -> "Structure":
    """The structure of a torch module, in evaluation, that has loaded `tensors`.

    `input_size` is the shape of an input without the batch axis, or only its side or length; without it, it is found by
    trying. Raises IlwpError where the network does not take such inputs.
    """
    from ilwp.door.structure import Structure
    from ilwp.networks.graphs import check_takes
    from ilwp.networks.sensitivity import inputs_for
    from ilwp.networks.trials import whole_shapes

    if not input_size:
        return Structure(network, tensors)
    problems = []
    for shape in whole_shapes(network, input_size):
        try:
            check_takes(network, inputs_for(network, shape)[:1])
        except IlwpError as problem:
            problems.append(problem)
        else:
            return Structure(network, tensors, shape)
    raise problems[0]


def compress_kernels(tensors: Tensors, settings: Settings, structure: "Structure | None" = None) -> Compressed:
    """Format 1: depthwise kernels as in the paper, all other tensors as they are."""
    from ilwp.paper import bitstream, codec
    from ilwp.paper.kernels import depthwise_kernels

    if settings.method == "aligned":
        from ilwp.whole.alignment import align

        tensors = align(tensors, _needed(structure, settings.method).symmetries)
    kernels = depthwise_kernels(tensors)
    other = {name: t for name, t in tensors.items() if name not in kernels}
    content, rate = bitstream.write_kernel_file(codec.encode_kernels(kernels, settings), other)
    return Compressed(content, rate=rate, weights=sum(k.size for k in kernels.values()))


def compress_network(
    tensors: Tensors, plan: Plan, structure: "Structure | None" = None, images: np.ndarray | None = None,
    metadata: Mapping[str, str] | None = None, steps: Mapping[str, float] | None = None, progress: bool = False,
) -> Compressed:  # fmt: skip
    """Format 2: every tensor, batch norms folded where the structure is known.

    With images (n, c, h, w) float32 the quality is that of outputs for the last fifth of them, which are held out; the
    others teach how to round. `steps` by name take the place of those that follow from the plan. Raises IlwpError where
    images or a method that puts channels into another order come without the structure.
    """
    if plan.method in REORDERING or images is not None or plan.vector_bits is not None:
        _needed(structure, f"method {plan.method}" if plan.method in REORDERING else "rounding with images"
                if images is not None else "quantizing vectors")  # fmt: skip
    if structure is None:
        with progress_bar("compressing", sum(t.nbytes for t in tensors.values()), "B", show=progress, delay=2) as bar:
            return _alone(tensors, plan, metadata, steps, bar.update)
    from ilwp.door.attempts import best_attempt

    seen = _checked(structure.network, images) if images is not None else None
    attempt = best_attempt(tensors, plan, structure, seen, steps, progress)
    coded = attempt.coded
    packed = list(segments.pack_all((name, one.piece) for name, one in coded.items()))
    rows = {name: (stored(one.piece), size(one.piece), one.snr) for name, one in coded.items()}
    made = _file(tensors, packed, rows, metadata)
    outputs, held_out = (*attempt.snrs, None, None)[:2]
    varying = None if outputs is None else outputs - attempt.common
    return replace(made, outputs_snr=outputs, held_out_snr=held_out, varying_snr=varying)


def _alone(
    tensors: Tensors, plan: Plan, metadata: Mapping[str, str] | None, steps: Mapping[str, float] | None,
    advance: Callable[[int], object],
) -> Compressed:  # fmt: skip
    """Tensors whose network is not known, one after the other."""
    rows: dict[str, tuple[str, int, float]] = {}

    def pieces() -> Iterator[tuple[str, Piece]]:
        for one in coding.stream(coding.arranged(tensors, plan, steps=steps), plan):
            rows[one.name] = stored(one.piece), size(one.piece), one.snr
            yield one.name, one.piece
            advance(one.tensor.nbytes)

    packed = list(segments.pack_all(pieces()))
    return _file(tensors, packed, rows, metadata)


def _file(
    tensors: Tensors, packed: Sequence[Packed], rows: Mapping[str, tuple[str, int, float]],
    metadata: Mapping[str, str] | None,
) -> Compressed:  # fmt: skip
    content = container.write_container([p.segment for p in packed], list(tensors), metadata)
    bits = {name: count for p in packed for name, count in p.bits.items()}
    listed = [
        Row(name, kind, count, bits[name] / 8, tensors[name].nbytes * (count > 0), snr)
        for name, (kind, count, snr) in rows.items()
    ]
    return Compressed(content, listed)


def compress_additive(
    tensors: Tensors, books: int, bits: int, length: int, shared: bool, vector_bits: float | None = None,
    structure: "Structure | None" = None, metadata: Mapping[str, str] | None = None,
) -> Compressed:  # fmt: skip
    """Format 2, by additive quantization without training; arguments and errors are those of `quantize_additive`."""
    from ilwp.codebooks import additive

    sets = additive.quantize_additive(tensors, books, bits, length, shared)
    return compress_coded(tensors, sets, vector_bits, structure, metadata)


def compress_coded(
    tensors: Tensors, sets: "Sequence[Codebooks]", vector_bits: float | None = None,
    structure: "Structure | None" = None, metadata: Mapping[str, str] | None = None,
) -> Compressed:  # fmt: skip
    """Format 2: the sets, and the rest of the state dict with batch norms folded where the structure is known."""
    from ilwp.codebooks import codebook_file
    from ilwp.codebooks.codebooks import in_order, pieces

    if vector_bits is not None:
        _needed(structure, "quantizing vectors")
    if structure:
        tensors = folded(tensors, structure.foldable_norms)
    coded = {name for books in sets for name in books.shapes}
    rest = pieces({name: t for name, t in tensors.items() if name not in coded}, vector_bits)
    books = [codebook_file.pack_codebooks(in_order(one, tensors)) for one in sets]
    others = list(segments.pack_all(rest.items()))
    content = container.write_container([p.segment for p in (*books, *others)], list(tensors), metadata)
    bits = {name: count for p in others for name, count in p.bits.items()}
    rows = {
        name: Row(name, stored(piece), size(piece), bits[name] / 8, tensors[name].nbytes)
        for name, piece in rest.items()
    }
    for number, one in enumerate(books, start=1):
        rows |= codebook_rows(one.segment, one.bits, number)
    return Compressed(content, [rows[name] for name in tensors])


def _needed(structure: "Structure | None", what: str) -> "Structure":
    if structure is None:
        raise IlwpError(f"{printable(what)} needs the network itself, not only its tensors: give it with --graph")
    return structure


def _checked(network: "nn.Module", images: np.ndarray) -> "torch.Tensor":
    import torch

    from ilwp.networks.graphs import check_takes

    if images.dtype.kind == "f" and not np.isfinite(images).all():
        raise IlwpError("the images hold NaN or infinite numbers: leave those out")
    seen = torch.from_numpy(images.astype(np.float32) if images.dtype == np.float64 else images)
    check_takes(network, seen[:1])
    return seen
