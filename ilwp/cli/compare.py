"""The command line: ilwp compare."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ilwp.cli.codebooks import refuse, refuse_width
from ilwp.cli.common import SOURCES, FilePath, json_option, normalise_option, show, width_option
from ilwp.common.errors import IlwpError, about

if TYPE_CHECKING:
    import torch

    from ilwp.common.tensor_files import StateDict
    from ilwp.training.inputs import Inputs

BATCH, WORST = 16, 10


@click.command()
@click.argument("first", type=FilePath)
@click.argument("second", type=FilePath)
@click.option("--graph", metavar="GRAPH", help="The network itself, as in `ilwp compress`; needs --inputs.")
@width_option
@click.option(
    "--inputs", "source", metavar="SOURCE",
    help=f"Images to compare the outputs for, without labels: {SOURCES}; needs --graph.",
)  # fmt: skip
@click.option("--count", type=click.IntRange(1), default=100, show_default=True, help="At most so many images.")
@click.option(
    "--input-size", type=click.IntRange(1),
    help="Resize the shorter side of each image to this and cut out the centre.  [default: 224 for pictures]",
)  # fmt: skip
@normalise_option
@json_option
@click.pass_context
def compare(
    context: click.Context, first: Path, second: Path, graph: str | None, width: float, source: str | None, count: int,
    input_size: int | None, normalise: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Say how far network SECOND is from network FIRST, without labels.

    Both are state dicts or .ilwp files. For each tensor: the signal-to-noise ratio (SNR) in dB. With --graph and
    --inputs also the SNR of the outputs, and once more with only what differs between images as the signal, which is
    the one to look at where outputs are mostly constant. For a classifier also the share of images with the same top
    class and the mean Kullback-Leibler divergence in nats. What `compress` put into another channel order differs in
    its tensors, but not in its outputs.
    """
    from ilwp.door import read_state_dict
    from ilwp.networks.comparison import tensor_differences

    if (graph is None) != (source is None):
        raise IlwpError("--graph and --inputs go together: give both, or neither to compare tensors alone")
    if source is None:
        refuse(context, ("count", "input_size", "normalise"), "without --inputs")
    refuse_width(context, graph)
    one, other = read_state_dict(first), read_state_dict(second)
    differences = tensor_differences(one, other)
    outputs = None
    if graph is not None and source is not None:
        from ilwp.training.inputs import load_inputs

        inputs = load_inputs(source, count, input_size, normalise)
        outputs = _outputs(first, second, one, other, graph, width, inputs)
    exact = sum(math.isinf(snr) and snr > 0 for snr in differences.values())
    if as_json:
        summary: dict[str, Any] = {
            "first": str(first), "second": str(second), "exact": exact,
            "tensors": {name: _plain(snr) for name, snr in differences.items()},
        }  # fmt: skip
        if outputs is not None:
            summary["outputs"] = {name: _plain(value) for name, value in outputs.items()}
        show(json.dumps(summary))
        return
    show(_text(differences, exact))
    if outputs is not None:
        show(_outputs_text(outputs))


def _outputs(
    first: Path, second: Path, one: "StateDict", other: "StateDict", graph: str, width: float,
    inputs: "Inputs",
) -> dict[str, Any]:  # fmt: skip
    from ilwp.networks.comparison import output_differences
    from ilwp.networks.graphs import network_for

    with about(first):
        network = network_for(graph, width, one)
    with about(second):
        changed = network_for(graph, width, other)
    return asdict(output_differences(network, changed, _shown(inputs)))


def _shown(inputs: "Inputs") -> Iterator["torch.Tensor"]:
    """Batches of the inputs, with a progress bar once it has lasted two seconds."""
    from ilwp.common.progress import progress_bar

    with progress_bar("comparing", len(inputs), "images", delay=2) as bar:
        for batch in inputs.batches(BATCH):
            yield batch
            bar.update(len(batch))


def _text(differences: Mapping[str, float], exact: int) -> str:
    """The worst tensors and how many are exact."""
    inexact = [(name, snr) for name, snr in differences.items() if not (math.isinf(snr) and snr > 0)]
    lines = [f"{snr:8.1f} dB  {name}" for name, snr in inexact[:WORST]]
    if len(inexact) > WORST:
        lines.append(f"{len(inexact) - WORST} more, the best at {inexact[-1][1]:.1f} dB (--json lists all)")
    return "\n".join([*lines, f"{exact} of {len(differences)} tensors are exact"])


def _outputs_text(outputs: Mapping[str, Any]) -> str:
    text = f"outputs for {outputs['inputs']} images: SNR {outputs['snr_db']:.1f} dB"
    if outputs["varying_snr_db"] is not None:
        text += f", {outputs['varying_snr_db']:.1f} dB of what differs between images"
    if outputs["agreement"] is None:
        return text
    return (
        f"{text}\nthe same top class for {100 * outputs['agreement']:.1f} %,"
        f" mean divergence {outputs['divergence_nats']:.3g} nats"
    )


def _plain(value: float | None) -> float | str | None:
    """A number as JSON has it, which knows no infinity."""
    return str(value) if value is not None and not math.isfinite(value) else value
