"""The command line: ilwp train | status | compress | finetune | decompress | inspect | evaluate | svwh."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import click

from ilwp import reports
from ilwp.bitstream import Tensors
from ilwp.cli_codebooks import CODEBOOK_OPTIONS, additive_arguments, codebook_options, finetune, refuse
from ilwp.codec import Settings
from ilwp.compression import compress_additive, compress_kernels, compress_network, structure_of
from ilwp.errors import IlwpError, about, printable
from ilwp.files import atomic_write
from ilwp.kernels import Kernels, depthwise_kernels
from ilwp.network_codec import Plan
from ilwp.prediction import METHODS
from ilwp.quantization import BITS
from ilwp.state_dicts import decoded, read_bytes, read_state_dict, write_state_dict

DATASETS = ("cifar10", "cifar100", "digits")
HUFFMAN_ONLY, ANS_ONLY = ("loop", "quantizer", "table"), ("dense_bits", "vector_bits")
NETWORKS = ("mobilenet", "mobilenetv2", "shufflenet", "shufflenetv2")
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

FilePath = click.Path(path_type=Path)


def main() -> None:
    """Run the command line; a user's mistake ends in one line on standard error and a non-zero exit."""
    warnings.showwarning = lambda message, *_: _show(f"warning: {message}", err=True)
    try:
        cli.main(standalone_mode=False)
    except IlwpError as error:
        _fail(str(error), 1)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.UsageError as error:
        _fail(f"{error.format_message()} (see {error.ctx.command_path if error.ctx else 'ilwp'} --help)", 2)
    except click.Abort:
        _fail("interrupted; run the same command again to go on", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'the output'}: {error.strerror}", 1)
    except MemoryError:
        _fail("this machine has too little memory for that file", 1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="ilwp")
def cli() -> None:
    """Inter-layer weight prediction: compress the depthwise kernels of a network from layer to layer."""


@cli.command()
@click.option("--profile", default="cpu", show_default=True, help="Experiment profile: a file's stem in config/.")
@click.option("--dataset", type=click.Choice(DATASETS), default="cifar10", show_default=True)
@click.option("--network", type=click.Choice(NETWORKS), default="mobilenet", show_default=True)
@click.option(
    "--lambda", "inter_layer", type=float, default=1.0, show_default=True,
    help="Weight of the inter-layer loss in the paper's schedule (Eq. 3); 0 trains the baseline, inf ties all layers.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("-o", "--output", type=FilePath, help="The record to write.  [default: data/runs/PROFILE/CELL.json]")
@click.option("--quiet", is_flag=True, help="Show no progress bar.")
def train(
    profile: str, dataset: str, network: str, inter_layer: float, seed: int, output: Path | None, quiet: bool
) -> None:
    """Train a network, compress it every way, and record the result.

    Interrupted, the same command goes on from the last epoch; finished, it does nothing. CIFAR is read from the
    folder that ILWP_DATA names, and downloaded there if it is missing; the digits come with scikit-learn.
    """
    from ilwp import runs
    from ilwp.profiles import load_profile

    chosen = load_profile(profile)
    config = chosen.config(dataset, network, inter_layer, seed)
    path = output or runs.record_path(profile, config)
    if path.suffix != ".json" or path.is_dir():
        raise IlwpError(f"{path} is no name for a record: it must end in .json")
    if runs.finished(path, chosen, config):
        _show(f"{path} is finished already")
        return
    record = runs.run(profile, chosen, config, path, progress=not quiet)
    _show(f"{path}: {record.accuracy:.2f} % on the test set after {config.epochs} epochs")
    _show(f"the whole network: {runs.network_path(profile, config)}")


@cli.command()
@click.option("--profile", default="cpu", show_default=True, help="Experiment profile: a file's stem in config/.")
def status(profile: str) -> None:
    """Say how far a profile's grid is.

    Each run is done, running, stopped, failed or missing; below them stand the hours left.
    """
    from ilwp.profiles import load_profile
    from ilwp.status import as_table, grid_status

    _show(as_table(grid_status(profile, load_profile(profile))))


@cli.command(
    help=f"""Compress a network into an .ilwp file.

NETWORK is a state dict: .safetensors, .pt or .pth. All its weights are quantized and entropy-coded, its depthwise
kernels after prediction; batch norms and biases stay exact unless --vector-bits is given. With --coder huffman it is
the paper's codec: kernels alone are compressed, all other tensors go into the file as they are.

{METHOD_HELP}"""
)
@click.argument("network", type=FilePath)
@click.option("-o", "--output", type=FilePath, help="The file to write.  [default: NETWORK with suffix .ilwp]")
@click.option("--coder", type=click.Choice(["ans", "huffman"]), default="ans", show_default=True)
@click.option(
    "--method", type=click.Choice([*METHODS, "multiset", "additive"]),
    help="See above.  [default: multiset with --graph and ANS, else ill]",
)  # fmt: skip
@click.option(
    "--bits", type=click.FloatRange(2, 16), default=8, show_default=True,
    help="Bits of a depthwise level before entropy coding; ANS takes fractions, Huffman whole ones up to 8.",
)  # fmt: skip
@click.option(
    "--dense-bits", type=click.FloatRange(2, 16), default=8, show_default=True,
    help="ANS: the same for all other weights.",
)  # fmt: skip
@click.option(
    "--vector-bits", type=click.FloatRange(2, 16),
    help="ANS: the same for batch norms and biases; needs --graph, since batch norms are made simpler first.",
)  # fmt: skip
@click.option(
    "--range", "range_", type=click.Choice(["layer", "network"]),
    help="One quantization step a depthwise layer, or one for all.  [default: network with ANS, layer with Huffman]",
)  # fmt: skip
@click.option(
    "--loop", type=click.Choice(["closed", "open"]), default="closed", show_default=True,
    help="Huffman: predict from reconstructed kernels, or from the originals as in the paper's section 3.1 (errors add"
    " up).",
)  # fmt: skip
@click.option(
    "--quantizer", type=click.Choice(["symmetric", "affine"]), default="symmetric", show_default=True, help="Huffman."
)
@click.option(
    "--table", type=click.Choice(["layer", "network"]), default="network", show_default=True,
    help="Huffman: one table a layer, or one for all.",
)  # fmt: skip
@click.option(
    "--graph", metavar="GRAPH",
    help="The network itself: mobilenet, mobilenetv2, shufflenet, shufflenetv2, or MODULE:FUNCTION, such as"
    " torchvision.models:mobilenet_v2.",
)  # fmt: skip
@click.option("--width", type=float, default=1.0, show_default=True, help="Width multiplier of the first four.")
@click.option(
    "--images", type=click.Choice(DATASETS),
    help="ANS: let training images of this data set, without labels, say how dense weights are rounded, which makes up"
    " for most of the accuracy that few bits cost; needs --graph.",
)  # fmt: skip
@codebook_options
@click.pass_context
def compress(
    context: click.Context, /, network: Path, output: Path | None, coder: str, method: Any, range_: Any,
    bits: float, graph: str | None, width: float, images: str | None, **chosen: Any,
) -> None:  # fmt: skip
    """Command `compress`."""
    additive = method == "additive"
    if additive:
        refuse(context, ("coder", "bits", "dense_bits", "range_", "images", *HUFFMAN_ONLY), "--method additive")
    else:
        refuse(context, HUFFMAN_ONLY if coder == "ans" else (*ANS_ONLY, "images"), f"--coder {coder}")
        refuse(context, CODEBOOK_OPTIONS, "another --method than additive")
    tensors = read_state_dict(network)
    kernels = {} if additive else _kernels_in(network, tensors)
    method = method or ("multiset" if graph and coder == "ans" else "ill")
    wanting = [f"--method {method}"] * (method in ("aligned", "multiset"))
    wanting += ["--vector-bits"] * bool(chosen["vector_bits"]) + ["--images"] * bool(images)
    if graph is None and wanting:
        raise IlwpError(f"{wanting[0]} needs the network's graph: name it with --graph")
    if coder == "huffman" and (method == "multiset" or bits not in BITS):
        raise IlwpError("Huffman coding takes whole bits from 2 to 8, and any method but multiset")
    path = _other_than(network, output or network.with_suffix(".ilwp"))
    with about(network):
        structure = structure_of(graph, width, tensors) if graph else None
        options = {
            name: value for name, value in chosen.items() if name in (ANS_ONLY if coder == "ans" else HUFFMAN_ONLY)
        }
        if additive:
            compressed = compress_additive(
                tensors, **additive_arguments(**chosen), vector_bits=chosen["vector_bits"], structure=structure
            )
        elif coder == "ans":
            plan = Plan(method=method, bits=bits, range=range_ or "network", **options)
            compressed = compress_network(tensors, plan, structure, images)
        else:
            settings = Settings(method=method, bits=int(bits), range=range_ or "layer", **options)
            compressed = compress_kernels(tensors, settings, structure)
    for symmetry in structure.symmetries if structure and method in ("aligned", "multiset") else ():
        if not symmetry.ordered:
            _show(f"{symmetry.layer} keeps its channel order: its channels are used elsewhere too")
    atomic_write(path, compressed.content)
    if kernels:
        _show(f"found {reports.described(kernels)} in {network}")
    _show(compressed.report)
    _show(f"wrote {path}")


cli.add_command(finetune)


@cli.command()
@click.argument("file", type=FilePath)
@click.option("-o", "--output", type=FilePath, help="The file to write.  [default: FILE with suffix .safetensors]")
def decompress(file: Path, output: Path | None) -> None:
    """Decode an .ilwp file into a .safetensors file.

    It holds a state dict that loads into the same network.
    """
    with about(file):
        tensors = decoded(read_bytes(file))
    path = output or file.with_suffix(".safetensors")
    if output is None and path.exists():
        raise IlwpError(f"{path} is there already, perhaps the original: name the file to write with --output")
    _other_than(file, path)
    write_state_dict(path, tensors)
    _show(f"wrote {len(tensors)} tensors to {path}")


@cli.command()
@click.argument("file", type=FilePath)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def inspect(file: Path, as_json: bool) -> None:
    """Say what is in a file.

    For an .ilwp file: how it was coded and where its bits go. For a state dict: its depthwise kernels.
    """
    with about(file):
        summary, text = (
            reports.inspected(read_bytes(file)) if file.suffix == ".ilwp" else reports.listed(read_state_dict(file))
        )
    _show(json.dumps({"file": str(file), **summary}) if as_json else text)


@cli.command()
@click.argument("file", type=FilePath)
@click.option("--dataset", type=click.Choice(DATASETS), default="cifar10", show_default=True)
@click.option("--network", type=click.Choice(NETWORKS), default="mobilenet", show_default=True)
@click.option("--width", type=float, default=1.0, show_default=True, help="The network's width multiplier.")
def evaluate(file: Path, dataset: str, network: str, width: float) -> None:
    """Print a network's top-1 accuracy in percent.

    FILE is a state dict of one of the four networks, or an .ilwp file of one.
    """
    from ilwp import datasets, training
    from ilwp.networks import build
    from ilwp.networks.tensors import load_tensors

    tensors = read_state_dict(file)
    module = build(network, datasets.CLASSES[dataset], width).to(training.device())
    with about(file):
        load_tensors(module, tensors)
    _show(f"{training.evaluate(module, datasets.load(dataset)):.2f}")


@cli.command()
@click.argument("file", type=FilePath)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
def svwh(file: Path, as_json: bool) -> None:
    """Test the smoothly varying weight hypothesis on a network.

    It is Eq. 1 of the paper. For each layer: the share of its kernels whose nearest kernel in L1, of all layers before,
    lies in the previous one; the share that chance alone gives; and their ratio, the lift.
    """
    kernels = _kernels_in(file, read_state_dict(file))
    if len(kernels) < 3:
        raise IlwpError(f"{file} has {len(kernels)} depthwise layers: the hypothesis needs at least three")
    summary = reports.svwh(kernels)
    _show(json.dumps({"file": str(file), **summary}) if as_json else reports.svwh_text(summary))


def _other_than(read: Path, written: Path) -> Path:
    if written.resolve() == read.resolve():
        raise IlwpError(f"{written} would be lost: name another file with --output")
    return written


def _kernels_in(file: Path, tensors: Tensors) -> Kernels:
    with about(file):
        return depthwise_kernels(tensors)


def _show(text: str, err: bool = False) -> None:
    click.echo("\n".join(map(printable, text.split("\n"))), err=err)


def _fail(message: str, code: int) -> None:
    click.echo(f"ilwp: {printable(message)}", err=True)
    sys.exit(code)
