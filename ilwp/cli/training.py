"""The commands that train, measure and evaluate networks, and say how far a grid is.

On a machine that only trains, `python -m ilwp.cli.training` runs them with the few packages that
`requirements-train.txt` lists.
"""

import sys
from pathlib import Path

import click

from ilwp import networks
from ilwp.cli.common import FilePath, dataset_option, key_option, quiet_option, show, width_option
from ilwp.common.errors import IlwpError, about, printable
from ilwp.training import CLASSES

network_option = click.option(
    "--network", type=click.Choice(list(networks.TITLES)), default="mobilenet", show_default=True
)
profile_option = click.option(
    "--profile", default="cpu", show_default=True, help="Experiment profile: a file's stem in config/."
)
record_option = click.option(
    "-o", "--output", type=FilePath, help="The record to write.  [default: data/runs/PROFILE/CELL.json]"
)
REFERENCES = ("previous", "random", "first", "zero")


@click.command()
@profile_option
@dataset_option
@network_option
@click.option(
    "--lambda", "inter_layer", type=float, default=1.0, show_default=True,
    help="Weight of the inter-layer loss in the paper's schedule (Eq. 3); 0 trains the baseline, inf ties all layers.",
)  # fmt: skip
@click.option(
    "--reference", type=click.Choice(REFERENCES), default="previous", show_default=True,
    help="Controls: the layer that the loss compares each one with, a random earlier one, the first, or zeros (L1).",
)  # fmt: skip
@click.option("--depthwise-decay", type=float, help="A control: weight decay of the depthwise kernels alone.")
@click.option("--seed", type=int, default=0, show_default=True)
@record_option
@click.option("--no-measure", is_flag=True, help="Train only; `ilwp measure` does the rest, here or elsewhere.")
@quiet_option
def train(
    profile: str, dataset: str, network: str, inter_layer: float, reference: str, depthwise_decay: float | None,
    seed: int, output: Path | None, no_measure: bool, quiet: bool,
) -> None:  # fmt: skip
    """Train a network, compress it every way, and record the result.

    Interrupted, the same command goes on from the last epoch; finished, it does nothing. CIFAR is read from the
    folder that ILWP_DATA names, and downloaded there if it is missing; the digits come with scikit-learn.
    """
    from ilwp.experiments import runs
    from ilwp.experiments.profiles import load_profile
    from ilwp.experiments.records import check_replaceable

    chosen = load_profile(profile)
    control = {"reference": None if reference == "previous" else reference, "depthwise_decay": depthwise_decay}
    config = chosen.config(dataset, network, inter_layer, seed, **control)
    path = _record(output or runs.record_path(profile, config))
    if runs.finished(path, chosen, config):
        show(f"{path} is finished already")
        return
    if no_measure:
        folder = runs.train_only(profile, chosen, config, progress=not quiet)
        show(f"{folder / runs.TRAINED}: {runs.read_trained(folder).accuracy:.2f} % on the test set, not yet measured")
        show(f"to measure it, here or elsewhere: ilwp measure {folder}")
        return
    if output:
        check_replaceable(path)
    record = runs.run(profile, chosen, config, path, progress=not quiet)
    show(f"{path}: {record.accuracy:.2f} % on the test set after {config.epochs} epochs")
    show(f"the whole network: {runs.network_path(profile, config)}")


@click.command()
@click.argument("folder", type=FilePath)
@record_option
@quiet_option
def measure(folder: Path, output: Path | None, quiet: bool) -> None:
    """Compress a network that was trained with --no-measure every way, and write its whole record.

    FOLDER holds its network.safetensors and trained.json. It may have come from another machine.
    """
    from ilwp.experiments import runs
    from ilwp.experiments.profiles import load_profile
    from ilwp.experiments.records import check_replaceable

    trained = runs.read_trained(folder)
    profile = load_profile(trained.profile)  # so that the default path is that of a profile there is
    path = _record(output or runs.record_path(trained.profile, trained.config))
    if not trained.is_of(profile.recipe, trained.config):
        raise IlwpError(f"{folder} was trained by recipe {trained.recipe}, {trained.profile} has {profile.recipe} now")
    if runs.finished(path, profile, trained.config):
        show(f"{path} is finished already")
        return
    check_replaceable(path)
    record = runs.measure_trained(folder, path, progress=not quiet)
    show(f"{path}: {len(record.measurements)} measurements of the network trained to {record.accuracy:.2f} %")


@click.command()
@profile_option
def status(profile: str) -> None:
    """Say how far a profile's grid is.

    Each run is done, running, stopped, failed or missing; below them stand the hours left.
    """
    from ilwp.experiments.profiles import load_profile
    from ilwp.experiments.status import as_table, grid_status

    show(as_table(grid_status(profile, load_profile(profile))))


@click.command()
@click.argument("file", type=FilePath)
@dataset_option
@network_option
@width_option
@key_option
def evaluate(file: Path, dataset: str, network: str, width: float, key: str | None) -> None:
    """Print a network's top-1 accuracy in percent.

    FILE is a state dict of one of the four networks, or an .ilwp file of one.
    """
    from ilwp.common.numbers import check_finite
    from ilwp.door import read_state_dict
    from ilwp.networks.build import build
    from ilwp.networks.tensors import load_tensors
    from ilwp.training import datasets, devices
    from ilwp.training import train as training

    tensors = read_state_dict(file, key)
    devices.single_threaded()
    module = build(network, CLASSES[dataset], width).to(devices.device())
    with about(file):
        check_finite(tensors)
        load_tensors(module, tensors)
    show(f"{training.evaluate(module, datasets.load(dataset)):.2f}")


@click.group()
def data() -> None:
    """Cut a CIFAR file into parts that are easier to move, and put them together again."""


@data.command()
@click.argument("file", type=FilePath)
@click.argument("folder", type=FilePath)
def pack(file: Path, folder: Path) -> None:
    """Write FILE, cifar10.npz or cifar100.npz, into FOLDER as lossless parts of at most 40 MB."""
    from ilwp.training import parts

    for part in parts.pack_dataset(file, folder):
        show(str(part))


@data.command()
@click.argument("listing", type=FilePath)
def unpack(listing: Path) -> None:
    """Put the parts that LISTING names together in the folder that ILWP_DATA names, by default the user's cache.

    LISTING is the .parts.json that lies beside them. Each part and the images are checked by their SHA-256.
    """
    from ilwp.training import parts

    show(str(parts.unpack_dataset(listing)))


def _record(path: Path) -> Path:
    """The path; raises IlwpError where it is no name for a record."""
    if path.suffix != ".json" or path.is_dir():
        raise IlwpError(f"{path} is no name for a record: it must end in .json")
    return path


COMMANDS = (train, measure, status, evaluate, data)


def run_commands() -> None:
    """These commands alone."""
    try:
        click.Group("ilwp", {str(command.name): command for command in COMMANDS})()
    except IlwpError as error:
        click.echo(f"ilwp: {printable(str(error))}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    run_commands()
