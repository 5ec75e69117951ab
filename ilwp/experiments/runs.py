"""One cell of a profile from its configuration to its record: train, compress every way, evaluate.

Both halves can be done in two places: `train_only` leaves a folder with the network and a record without
measurements, `measure_trained` adds the measurements elsewhere.
"""

import hashlib
import importlib.metadata
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch
from pydantic import TypeAdapter
from torch import nn

from ilwp.common import locks
from ilwp.common.errors import IlwpError, about
from ilwp.common.files import atomic_write, check_writable, delete_temporaries, read_bytes
from ilwp.common.paths import CHECKPOINTS, RUNS
from ilwp.common.tensor_files import read_tensors, write_state_dict
from ilwp.common.version import __version__
from ilwp.experiments.profiles import Profile, cell_name
from ilwp.experiments.records import (
    Execution,
    RunRecord,
    kernels_digest,
    read_kernels,
    read_record,
    write_kernels,
    write_record,
)
from ilwp.networks.build import build
from ilwp.networks.tensors import arrays, kernels_of, load_tensors
from ilwp.training import CLASSES, checkpoints, datasets
from ilwp.training.devices import device, single_threaded
from ilwp.training.recipe import Epoch, Layout, TrainConfig, inter_layer_weight, loss_targets
from ilwp.training.step import layout_speeds
from ilwp.training.train import train

NETWORK, TRAINED, LAYOUTS = "network.safetensors", "trained.json", "layouts.json"


def record_path(profile: str, config: TrainConfig) -> Path:
    """Where a cell's record belongs."""
    return RUNS / profile / f"{cell_name(config)}.json"


def network_path(profile: str, config: TrainConfig) -> Path:
    """Where a cell's whole trained network is left, with its checkpoints."""
    return CHECKPOINTS / profile / cell_name(config) / NETWORK


def finished(path: Path, profile: Profile, config: TrainConfig) -> bool:
    """Whether the record at `path` is there with its kernels, sound and made by this recipe and configuration."""
    try:
        record = read_record(path)
        read_kernels(path)
    except IlwpError:
        return False
    return record.is_of(profile.recipe, config)


def trained(folder: Path, profile: Profile, config: TrainConfig) -> bool:
    """Whether `train_only` of this recipe and configuration left its network in `folder`, sound."""
    try:
        return read_trained(folder).is_of(profile.recipe, config)
    except IlwpError:
        return False


def read_trained(folder: Path) -> RunRecord:
    """The record without measurements that `train_only` left; raises IlwpError where its network is not beside it."""
    record = read_record(folder / TRAINED)
    if hashlib.sha256(read_bytes(folder / NETWORK)).hexdigest() != record.network_sha256:
        raise IlwpError(f"{folder / NETWORK} does not belong to {folder / TRAINED}: restore both or train it again")
    return record


def epoch_reached(name: str, profile: Profile, config: TrainConfig) -> int:
    """The epoch after which training of a cell would go on."""
    folder = network_path(name, config).parent
    return checkpoints.last(folder) if _is_of_recipe(folder, profile.recipe) else 0


def run(name: str, profile: Profile, config: TrainConfig, output: Path, progress: bool = True) -> RunRecord:
    """Train (or go on training) a cell, compress it every way, and write its record to `output`.

    Raises IlwpError where another process works on the cell, or it cannot be trained.
    """
    with _at_work(name, profile, config) as folder:
        delete_temporaries(output.parent, f"{output.stem}.")
        if trained(folder, profile, config):
            return measure_trained(folder, output, progress)
        check_writable(output)
        images = datasets.load(config.dataset)
        network, record = _train(name, profile, config, images, progress)
        return _measured(record, network, images, output, progress)


def train_only(name: str, profile: Profile, config: TrainConfig, progress: bool = True) -> Path:
    """Train (or go on training) a cell, and leave its network and a record without measurements in a folder.

    Returns the folder, for `measure_trained`. Raises IlwpError as `run` does.
    """
    with _at_work(name, profile, config) as folder:
        if not trained(folder, profile, config):
            _, record = _train(name, profile, config, datasets.load(config.dataset), progress)
            digest = hashlib.sha256(read_bytes(folder / NETWORK)).hexdigest()
            write_record(folder / TRAINED, replace(record, network_sha256=digest))
        return folder


def measure_trained(folder: Path, output: Path, progress: bool = True) -> RunRecord:
    """Compress the network that `train_only` left in `folder` every way, and write the whole record to `output`.

    It is the record that `run` would have written, except for `measured_on`.
    """
    check_writable(output)
    record = read_trained(folder)
    config = record.config
    single_threaded()
    network = build(config.network, CLASSES[config.dataset], config.width)
    with about(folder / NETWORK):
        load_tensors(network, read_tensors(folder / NETWORK))
    network = network.to(device()).to(memory_format=torch.channels_last).eval()
    record = replace(record, network_sha256=None, measured_on=_software() | {"device": _device_name()})
    return _measured(record, network, datasets.load(config.dataset), output, progress)


@contextmanager
def _at_work(name: str, profile: Profile, config: TrainConfig) -> Iterator[Path]:
    """Lock the cell's folder, and delete what an older recipe left in it."""
    folder = network_path(name, config).parent
    with locks.held(folder):
        if not _is_of_recipe(folder, profile.recipe):
            checkpoints.forget(folder)
            (folder / LAYOUTS).unlink(missing_ok=True)
        atomic_write(folder / "recipe", f"{profile.recipe}\n".encode())
        yield folder


def _train(
    name: str, profile: Profile, config: TrainConfig, images: datasets.Images, progress: bool
) -> tuple[nn.Module, RunRecord]:
    """The trained network, which is also left in the cell's folder, and its record without measurements."""
    network_file = network_path(name, config)
    layouts = _layouts(config, images, network_file.parent)
    layout: Layout = max(layouts, key=lambda tried: layouts[tried]) if layouts else "channels last"
    network, history = train(config, images, network_file.parent, progress, layout)
    write_state_dict(network_file, arrays(network))
    kernels = kernels_of(network)
    record = RunRecord(
        profile=name,
        recipe=profile.recipe,
        config=config,
        inter_layer_weight=inter_layer_weight(config, len(images.train)),
        software=_software(),
        hardware=_hardware(),
        history=history,
        accuracy=history[-1].accuracy,
        seconds=sum(epoch.seconds for epoch in history),
        parameters=sum(p.numel() for p in network.parameters()),
        depthwise_weights=sum(k.size for k in kernels.values()),
        kernels_sha256=kernels_digest(kernels),
        measurements=[],
        execution=_execution(layouts, history, len(images.train)) if layouts else None,
        targets=_targets(config, len(kernels)),
    )
    return network, record


def _measured(
    record: RunRecord, network: nn.Module, images: datasets.Images, output: Path, progress: bool
) -> RunRecord:
    """Measure the network, then write its kernels and the whole record."""
    from ilwp.experiments.measuring import measure  # a machine that only trains need not have what it imports

    record = replace(record, measurements=measure(network, images, progress))
    if record.targets:
        record = replace(record, against_targets=measure(network, images, progress, record.targets))
    write_kernels(output, kernels_of(network))
    write_record(output, record)
    return record


def _targets(config: TrainConfig, layers: int) -> list[int] | None:
    """The layers that a control was trained to be predicted from; None where a method of the paper predicts so."""
    targets = [target for target in loss_targets(config, layers) if target is not None]
    return targets if config.reference and targets else None


def _is_of_recipe(folder: Path, recipe: int) -> bool:
    """Whether the checkpoints in `folder`, if any, were made by this recipe."""
    stamp = folder / "recipe"
    return not stamp.exists() or stamp.read_bytes().strip() == str(recipe).encode()


def _layouts(config: TrainConfig, images: datasets.Images, folder: Path) -> dict[Layout, float]:
    """Images a second that a GPU takes in each layout, probed once a run; empty on a CPU, where there is no choice."""
    if device().type == "cpu":
        return {}
    path, kind = folder / LAYOUTS, TypeAdapter(dict[Layout, float])
    if not path.exists():
        atomic_write(path, kind.dump_json(layout_speeds(config, images.to(device()))))
    return kind.validate_json(read_bytes(path))


def _execution(layouts: dict[Layout, float], history: list[Epoch], images: int) -> Execution:
    """The part of a GPU's record alone: the layout taken and the pace of the median epoch over `images` images."""
    pace = images / median(epoch.seconds for epoch in history)
    return Execution("captured graph", max(layouts, key=lambda tried: layouts[tried]), layouts, pace)


def _software() -> dict[str, str]:
    versions = {package: importlib.metadata.version(package) for package in ("torch", "numpy", "scipy")}
    return {"ilwp": __version__, "python": platform.python_version()} | versions


def _hardware() -> dict[str, str]:
    precision = "bfloat16 autocast" if device().type == "cuda" else "float32"
    return {"device": _device_name(), "precision": precision}


def _device_name() -> str:
    on_gpu = device().type == "cuda"
    return torch.cuda.get_device_name() if on_gpu else f"CPU, {platform.machine()}, one thread"
