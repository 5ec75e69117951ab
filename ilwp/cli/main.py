"""The command line: ilwp train | status | compress | finetune | decompress | inspect | evaluate | svwh."""

import io
import json
import sys
import warnings
from pathlib import Path

import click

from ilwp.cli import reports
from ilwp.cli.codebooks import finetune
from ilwp.cli.common import DATASETS, FilePath, kernels_in, key_option, show
from ilwp.cli.compress import compress
from ilwp.cli.files import decompress, inspect
from ilwp.common.errors import IlwpError, about, printable
from ilwp.common.extras import extra_for
from ilwp.common.files import reason
from ilwp.door import read_state_dict
from ilwp.paper.kernels import finite

NETWORKS = ("mobilenet", "mobilenetv2", "shufflenet", "shufflenetv2")


def main() -> None:
    """Run the command line; a user's mistake ends in one line on standard error and a non-zero exit."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # not where it is closed
            stream.reconfigure(errors="backslashreplace")  # names may hold what a terminal's encoding does not
    warnings.showwarning = lambda message, *_: show(f"warning: {message}", err=True)
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
        _fail(f"{error.filename or 'the output'}: {reason(error)}", 1)
    except ModuleNotFoundError as error:
        if (missing := extra_for(error)) is None:
            raise
        _fail(str(missing), 1)
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
    from ilwp.experiments import runs
    from ilwp.experiments.profiles import load_profile
    from ilwp.experiments.records import check_replaceable

    chosen = load_profile(profile)
    config = chosen.config(dataset, network, inter_layer, seed)
    path = output or runs.record_path(profile, config)
    if path.suffix != ".json" or path.is_dir():
        raise IlwpError(f"{path} is no name for a record: it must end in .json")
    if runs.finished(path, chosen, config):
        show(f"{path} is finished already")
        return
    if output:
        check_replaceable(path)
    record = runs.run(profile, chosen, config, path, progress=not quiet)
    show(f"{path}: {record.accuracy:.2f} % on the test set after {config.epochs} epochs")
    show(f"the whole network: {runs.network_path(profile, config)}")


@cli.command()
@click.option("--profile", default="cpu", show_default=True, help="Experiment profile: a file's stem in config/.")
def status(profile: str) -> None:
    """Say how far a profile's grid is.

    Each run is done, running, stopped, failed or missing; below them stand the hours left.
    """
    from ilwp.experiments.profiles import load_profile
    from ilwp.experiments.status import as_table, grid_status

    show(as_table(grid_status(profile, load_profile(profile))))


cli.add_command(compress)
cli.add_command(finetune)
cli.add_command(decompress)
cli.add_command(inspect)


@cli.command()
@click.argument("file", type=FilePath)
@click.option("--dataset", type=click.Choice(DATASETS), default="cifar10", show_default=True)
@click.option("--network", type=click.Choice(NETWORKS), default="mobilenet", show_default=True)
@click.option("--width", type=float, default=1.0, show_default=True, help="The network's width multiplier.")
@key_option
def evaluate(file: Path, dataset: str, network: str, width: float, key: str | None) -> None:
    """Print a network's top-1 accuracy in percent.

    FILE is a state dict of one of the four networks, or an .ilwp file of one.
    """
    from ilwp.networks.build import build
    from ilwp.networks.tensors import load_tensors
    from ilwp.training import datasets, train

    tensors = read_state_dict(file, key)
    module = build(network, datasets.CLASSES[dataset], width).to(train.device())
    with about(file):
        load_tensors(module, finite(tensors))
    show(f"{train.evaluate(module, datasets.load(dataset)):.2f}")


@cli.command()
@click.argument("file", type=FilePath)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, for programs.")
@key_option
def svwh(file: Path, as_json: bool, key: str | None) -> None:
    """Test the smoothly varying weight hypothesis on a network.

    It is Eq. 1 of the paper. For each layer: the share of its kernels whose nearest kernel in L1, of all layers before,
    lies in the previous one; the share that chance alone gives; and their ratio, the lift.
    """
    kernels = kernels_in(file, read_state_dict(file, key))
    if len(kernels) < 3:
        raise IlwpError(f"{file} has {len(kernels)} depthwise layers: the hypothesis needs at least three")
    summary = reports.svwh(kernels)
    show(json.dumps({"file": str(file), **summary}) if as_json else reports.svwh_text(summary))


def _fail(message: str, code: int) -> None:
    click.echo(f"ilwp: {printable(message)}", err=True)
    sys.exit(code)
