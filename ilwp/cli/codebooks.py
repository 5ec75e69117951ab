"""The command line of networks with codebooks: ilwp finetune, and the options that `ilwp compress` shares with it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ilwp.cli.common import (
    FilePath,
    dataset_option,
    ilwp_output_option,
    key_option,
    named_after,
    number,
    option_group,
    other_than,
    quiet_option,
    show,
    width_option,
)
from ilwp.common.errors import IlwpError, about
from ilwp.common.files import atomic_write, check_writable
from ilwp.training import CLASSES

RATES = {"weight-fixing": 2e-5, "additive": 1e-3}
CODEBOOK_OPTIONS = ("codebooks", "codeword_bits", "length", "own_codebooks")

codebook_options = option_group(
    click.option(
        "--codebooks", type=click.IntRange(1, 16), default=3, show_default=True,
        help="additive: number of codebooks; a vector is the sum of one codeword of each.",
    ),
    click.option(
        "--codeword-bits", type=click.IntRange(1, 12), default=8, show_default=True,
        help="additive: n bits for 2 ** n codewords a codebook.",
    ),
    click.option(
        "--length", type=click.IntRange(1, 64), default=8, show_default=True, help="additive: weights in a codeword.",
    ),
    click.option("--own-codebooks", is_flag=True, help="additive: codebooks for each layer, not shared by all."),
)  # fmt: skip


def additive_arguments(
    codebooks: int, codeword_bits: int, length: int, own_codebooks: bool, **_: object
) -> dict[str, Any]:
    """What `additive.quantize_additive` calls these options."""
    return {"books": codebooks, "bits": codeword_bits, "length": length, "shared": not own_codebooks}


def refuse(context: click.Context, options: Sequence[str], where: str) -> None:
    """Raise a usage error if one of these options was given, which has no meaning there."""
    for option in options:
        if context.get_parameter_source(option) == click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{option.rstrip('_').replace('_', '-')} has no meaning {where}", context)


def refuse_width(context: click.Context, graph: str | None) -> None:
    """Raise a usage error if a width was given for what is none of the four networks."""
    if graph is None or ":" in graph:
        refuse(context, ("width",), "without one of the four networks as --graph")


@click.command()
@click.argument("network", type=FilePath)
@ilwp_output_option
@click.option("--method", type=click.Choice(list(RATES)), default="weight-fixing", show_default=True)
@click.option("--graph", metavar="GRAPH", required=True, help="The network itself, as in `ilwp compress`.")
@width_option
@dataset_option
@click.option(
    "--delta", type=click.FloatRange(0, 1 / 9, min_open=True, max_open=True), default=0.03, show_default=True,
    callback=number, help="weight-fixing: largest mean relative change of a weight; more makes a smaller file.",
)  # fmt: skip
@codebook_options
@click.option(
    "--epochs", type=click.FloatRange(0, 1000, min_open=True), default=3.0, show_default=True, callback=number,
    help="Epochs in each of weight fixing's ten steps, or in all of additive quantization; may be a fraction.",
)  # fmt: skip
@click.option(
    "--learning-rate", type=click.FloatRange(0, 1, min_open=True), callback=number,
    help="[default: 2e-5 for weight-fixing, 1e-3 for additive]",
)  # fmt: skip
@click.option(
    "--vector-bits", type=click.FloatRange(2, 16), callback=number,
    help="Bits for a number of the batch norms and biases that no codebook holds.  [default: exact]",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@quiet_option
@key_option
@click.pass_context
def finetune(
    context: click.Context, /, network: Path, output: Path | None, method: str, graph: str, width: float,
    dataset: str, delta: float, epochs: float, learning_rate: float | None, vector_bits: float | None, seed: int,
    quiet: bool, key: str | None, **options: Any,
) -> None:  # fmt: skip
    """Fine-tune a network so that its weights come from codebooks, and write it as an .ilwp file.

    \b
    weight-fixing  few values for all weights (Weight Fixing Networks)
    additive       vectors of weights, each a sum of shared codewords

    NETWORK is a state dict: .safetensors, .pt or .pth. Interrupted, the same command goes on from the last round; its
    checkpoints lie beside the file, in a folder that ends in .checkpoints, and may be deleted afterwards.
    """
    import torch

    from ilwp.cli import reports
    from ilwp.codebooks.finetuning import Tuning
    from ilwp.codebooks.finetuning import finetune as tune
    from ilwp.codebooks.methods import AdditiveQuantization, WeightFixing
    from ilwp.door import compress_coded, decoded, read_state_dict, structure_of
    from ilwp.networks.graphs import classes_of
    from ilwp.networks.tensors import arrays, load_tensors
    from ilwp.training import datasets, devices, train

    refuse(context, CODEBOOK_OPTIONS if method == "weight-fixing" else ("delta",), f"with --method {method}")
    refuse_width(context, graph)
    path = other_than(network, output or named_after(network, ".ilwp"), ".ilwp")
    check_writable(path)
    tensors = read_state_dict(network, key)
    with about(network):
        structure = structure_of(graph, width, tensors)
    devices.single_threaded()
    where = devices.device()
    module = structure.network.to(where).to(memory_format=torch.channels_last)
    images = datasets.load(dataset)
    with about(network):
        classes = classes_of(module, images.normalise(images.test[:1]).to(where))
    if classes != CLASSES[dataset]:
        raise IlwpError(f"{network} tells {classes} classes apart, {dataset} has {CLASSES[dataset]}")
    rounds = 1 if method == "weight-fixing" else math.ceil(epochs)
    tuning = Tuning(epochs / rounds, learning_rate or RATES[method], seed=seed)
    chosen = (
        WeightFixing(module, delta)
        if method == "weight-fixing"
        else AdditiveQuantization(module, rounds, **additive_arguments(**options))
    )
    history = tune(chosen, tuning, images, path.with_suffix(".checkpoints"), progress=not quiet)
    compressed = compress_coded(arrays(module), chosen.coded(), vector_bits, structure)
    atomic_write(path, compressed.content)
    load_tensors(module, decoded(compressed.content))
    show(reports.rates(compressed))
    show(
        f"wrote {path}: {train.evaluate(module, images):.2f} % on the test set, after "
        f"{sum(done.images for done in history):,} images in {sum(done.seconds for done in history) / 60:.0f} minutes"
    )
