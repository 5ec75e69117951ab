"""The command line: ilwp compress."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ilwp.cli.bound import BOUND_OPTIONS, bound_options, bound_warning, bounded_text, refuse_bound
from ilwp.cli.codebooks import CODEBOOK_OPTIONS, additive_arguments, codebook_options, refuse, refuse_width
from ilwp.cli.common import (
    SOURCES,
    FilePath,
    ilwp_output_option,
    input_size,
    kernels_in,
    key_option,
    named_after,
    normalise_option,
    number,
    other_than,
    show,
    width_option,
)
from ilwp.common.errors import IlwpError, about
from ilwp.common.files import atomic_write, check_writable
from ilwp.paper.methods import BITS, LOOPS, METHODS
from ilwp.whole.methods import QUALITY, QUALITY_OF_WEIGHTS, REORDERING

if TYPE_CHECKING:
    from ilwp.door.structure import Structure
    from ilwp.training.inputs import Inputs, Split

IMAGES = 1000  # that error feedback looks at
WITH_IMAGES = ("images", "normalise", *BOUND_OPTIONS)
HUFFMAN_ONLY, ANS_ONLY = ("loop", "quantizer", "table"), ("quality", "dense_bits", "vector_bits")
METHOD_HELP = """\b
How depthwise kernels are predicted:
  baseline  not at all
  fss       from the nearest kernel of any layer before (full search)
  lss       from the nearest kernel of the previous layer (local search)
  ill       from the kernel beside it in the previous layer; made for
            networks trained with the inter-layer loss
  aligned   like ill, after channels are put into the order and kernels
            given the signs that suit it best; needs --graph
  multiset  not at all, but neither order nor signs are stored;
            needs --graph and ANS
  additive  not at all: all weights are read from codebooks, ANS-coded;
            with training, which it needs for few bits, `ilwp finetune`
After aligned and multiset the network computes the same as before, but
hidden channels do not come back in the old order."""


@click.command(
    help=f"""Compress a network into an .ilwp file.

NETWORK is a state dict: .safetensors, .pt or .pth. All its weights are quantized and entropy-coded, its depthwise
kernels after prediction, batch norms and biases more finely; all that is no weight stays exact. --quality says how
finely. With --coder huffman it is the paper's codec: kernels alone are compressed, all other tensors go into the file
as they are.

{METHOD_HELP}"""
)
@click.argument("network", type=FilePath)
@ilwp_output_option
@click.option("--coder", type=click.Choice(["ans", "huffman"]), default="ans", show_default=True)
@click.option(
    "--method", type=click.Choice([*METHODS, "multiset", "additive"]),
    help="See above.  [default: multiset with --graph and ANS, else ill]",
)  # fmt: skip
@click.option(
    "--quality", type=click.FloatRange(0, 100), callback=number,
    help="ANS: signal over noise in dB, of the network's outputs with --graph, else of all weights together."
    f"  [default: {QUALITY:g} with --graph, else {QUALITY_OF_WEIGHTS:g}]",
)  # fmt: skip
@click.option(
    "--bits", type=click.FloatRange(2, 16), callback=number,
    help="Bits of a depthwise level before entropy coding, in place of the quality, as in the paper; ANS takes"
    " fractions, Huffman whole ones up to 8.  [default with Huffman: 8]",
)  # fmt: skip
@click.option(
    "--dense-bits", type=click.FloatRange(2, 16), callback=number,
    help="ANS: the same for all other weights, with one step for all in the range of the largest.",
)  # fmt: skip
@click.option(
    "--vector-bits", type=click.FloatRange(2, 16), callback=number,
    help="ANS: the same for batch norms and biases; needs --graph, since batch norms are made simpler first.",
)  # fmt: skip
@click.option(
    "--range", "range_", type=click.Choice(["layer", "network"]),
    help="With bits: one quantization step a depthwise layer, or one for all.  [default: network with ANS, layer with"
    " Huffman]",
)  # fmt: skip
@click.option(
    "--loop", type=click.Choice(LOOPS), default="closed", show_default=True,
    help="Huffman: predict from reconstructed kernels, or from the originals as in the paper's section 3.1 (errors add"
    " up).",
)  # fmt: skip
@click.option(
    "--quantizer", type=click.Choice(["symmetric", "affine"]), default="symmetric", show_default=True, help="Huffman."
)
@click.option(
    "--table", type=click.Choice(["layer", "network"]), default="network", show_default=True,
    help="Huffman: one table per layer, or one for all.",
)  # fmt: skip
@click.option(
    "--graph", metavar="GRAPH",
    help="The network itself: mobilenet, mobilenetv2, shufflenet, shufflenetv2, or MODULE:FUNCTION, such as"
    " torchvision.models:mobilenet_v2.",
)  # fmt: skip
@width_option
@click.option(
    "--images", metavar="SOURCE",
    help="ANS: round dense weights by what images without labels show, as GPTQ does; needs --graph. The quality is then"
    f" that of outputs for a fifth of them, which are held out. At most {IMAGES:,} of {SOURCES}, whose training images"
    " are taken.",
)  # fmt: skip
@click.option(
    "--input-size", metavar="SIZE", callback=input_size,
    help="What the network takes, where that is not found by trying: the side of square images, such as 224, the length"
    " of a sequence, or the whole shape, such as 1x96x160. Images are resized to a side.  [default for pictures: 224]",
)  # fmt: skip
@normalise_option
@bound_options
@codebook_options
@key_option
@click.pass_context
def compress(
    context: click.Context, /, network: Path, output: Path | None, coder: str, method: Any, range_: Any,
    bits: float | None, graph: str | None, width: float, images: str | None, input_size: tuple[int, ...] | None,
    normalise: str | None, max_drop: float | None, inputs: str | None, count: int, key: str | None, **chosen: Any,
) -> None:  # fmt: skip
    """Command `compress`."""
    from ilwp.cli import reports
    from ilwp.common import safetensors_files
    from ilwp.common.numbers import check_no_nan
    from ilwp.door import compress_additive, compress_kernels, compress_network, read_file, structure_of
    from ilwp.paper.settings import Settings
    from ilwp.whole.plan import Plan

    additive = method == "additive"
    if additive:
        refuse(
            context,
            ("coder", "bits", "quality", "dense_bits", "range_", *WITH_IMAGES, *HUFFMAN_ONLY),
            "with --method additive",
        )
    else:
        refuse(context, HUFFMAN_ONLY if coder == "ans" else (*ANS_ONLY, *WITH_IMAGES), f"with --coder {coder}")
        refuse(context, CODEBOOK_OPTIONS, "with another --method than additive")
        refuse(context, () if images or inputs else ("normalise",), "without --images or --inputs")
        refuse(context, ("range_",) if coder == "ans" and bits is None else (), "without --bits")
    refuse_bound(context, max_drop, graph, inputs, images)
    refuse_width(context, graph)
    refuse(context, ("input_size",) if graph is None else (), "without --graph")
    file = read_file(network, key)
    tensors = file.tensors
    kernels = kernels_in(network, tensors) if coder == "huffman" else {}
    method = method or ("multiset" if graph and coder == "ans" else "ill")
    wanting = [f"--method {method}"] * (method in REORDERING)
    wanting += ["--vector-bits"] * bool(chosen["vector_bits"]) + ["--images"] * bool(images)
    if graph is None and wanting:
        raise IlwpError(f"{wanting[0]} needs the network's graph: name it with --graph")
    if coder == "huffman" and (method == "multiset" or (bits or BITS[-1]) not in BITS):
        raise IlwpError("Huffman coding takes whole bits from 2 to 8, and any method but multiset")
    with about(network):
        check_no_nan(tensors)
        safetensors_files.check(tensors)  # which `ilwp decompress` writes
    path = other_than(network, output or named_after(network, ".ilwp"), ".ilwp")
    check_writable(path)
    seen = _loaded(images, IMAGES, input_size, normalise, "train").array() if images else None
    judging, bounded = _loaded(inputs, count, input_size, normalise, "test") if inputs else None, None
    with about(network):
        shape = input_size if seen is None else seen.shape[1:]
        structure = structure_of(graph, width, tensors, shape) if graph else None
        options = {
            name: value for name, value in chosen.items() if name in (ANS_ONLY if coder == "ans" else HUFFMAN_ONLY)
        }
        if additive:
            compressed = compress_additive(
                tensors, **additive_arguments(**chosen), vector_bits=chosen["vector_bits"], structure=structure,
                metadata=file.metadata,
            )  # fmt: skip
        elif coder == "ans":
            plan = Plan(method=method, bits=bits, range=range_ or "network", **options)
            if structure and judging and max_drop is not None:
                from ilwp.door.bound import compress_within

                bounded = compress_within(
                    tensors, plan, structure, judging, max_drop, seen, file.metadata, progress=True
                )  # fmt: skip
                compressed = bounded.compressed
            else:
                compressed = compress_network(tensors, plan, structure, seen, file.metadata, progress=True)
        else:
            settings = Settings(method=method, bits=int(bits or BITS[-1]), range=range_ or "layer", **options)
            compressed = compress_kernels(tensors, settings, structure)
    if structure and (coder == "ans" or method in REORDERING):
        _show_refused(structure, method, sized=shape is not None)
    atomic_write(path, compressed.content)
    if kernels:
        show(f"found {reports.described(kernels)} in {network}")
    show(reports.rates(compressed))
    if bounded:
        show(bounded_text(bounded))
    if warning := bound_warning(bounded) if bounded else reports.warning(compressed):
        show(f"warning: {warning}", err=True)
    if warning := reports.integer_warning(tensors):
        show(f"warning: {warning}", err=True)
    show(f"wrote {path}")


def _loaded(source: str, most: int, size: tuple[int, ...] | None, normalise: str | None, part: "Split") -> "Inputs":
    from ilwp.training.inputs import load_inputs

    if size and len(size) > 1:
        raise IlwpError("with images, --input-size is one number, the side that they are resized to")
    return load_inputs(source, most, size[0] if size else None, normalise, part)


def _show_refused(structure: "Structure", method: str, sized: bool) -> None:
    """Say what of a graph is not believed, and which channels keep their order."""
    from ilwp.whole.belief import GRAPH

    refused = structure.belief.refused
    for what, why in refused.items():
        advice = "; if it takes other inputs, say so with --input-size" if what == GRAPH and not sized else ""
        show(f"{what} is left as it is: {why}{advice}", err=True)
    for symmetry in structure.symmetries if method in REORDERING and GRAPH not in refused else ():
        if not symmetry.ordered:
            show(f"{symmetry.layer} keeps its channel order: its channels are used elsewhere too")
