"""One cell of a profile from its configuration to its record: train, compress every way, evaluate."""

import importlib.metadata
import platform
from itertools import product
from pathlib import Path

import torch
from torch import nn

from ilwp import __version__
from ilwp.common import locks
from ilwp.common.errors import IlwpError
from ilwp.common.files import atomic_write, check_writable, sweep
from ilwp.common.paths import CHECKPOINTS, RUNS
from ilwp.common.progress import progress_bar
from ilwp.common.tensor_files import write_state_dict
from ilwp.experiments.profiles import Profile, cell_name
from ilwp.experiments.records import Measurement, RunRecord, read_kernels, read_record, write_kernels, write_record
from ilwp.networks.tensors import arrays, kernels_of, load_kernels
from ilwp.paper import bitstream, codec
from ilwp.paper.codec import LOOPS, Settings
from ilwp.paper.prediction import PAPER_METHODS
from ilwp.paper.quantization import BITS
from ilwp.training import checkpoints, datasets
from ilwp.training.train import TrainConfig, evaluate, inter_layer_weight, train

SWEEP = [
    Settings(method, bits, loop)
    for loop, method, bits in product(LOOPS, PAPER_METHODS, BITS)
    if loop in codec.loops(method)
]


def record_path(profile: str, config: TrainConfig) -> Path:
    """Where a cell's record belongs."""
    return RUNS / profile / f"{cell_name(config)}.json"


def network_path(profile: str, config: TrainConfig) -> Path:
    """Where a cell's whole trained network is left, with its checkpoints."""
    return CHECKPOINTS / profile / cell_name(config) / "network.safetensors"


def finished(path: Path, profile: Profile, config: TrainConfig) -> bool:
    """Whether the record at `path` is there with its kernels, sound and made by this recipe and configuration."""
    try:
        record = read_record(path)
        read_kernels(path)
    except IlwpError:
        return False
    return record.is_of(profile.recipe, config)


def epoch_reached(name: str, profile: Profile, config: TrainConfig) -> int:
    """The epoch after which training of a cell would go on."""
    folder = network_path(name, config).parent
    return checkpoints.last(folder) if _is_of_recipe(folder, profile.recipe) else 0


def run(name: str, profile: Profile, config: TrainConfig, output: Path, progress: bool = True) -> RunRecord:
    """Train (or go on training) a cell and write its record to `output`.

    Raises IlwpError where another process is at it, or it cannot be trained.
    """
    folder = network_path(name, config).parent
    with locks.held(folder):
        if not _is_of_recipe(folder, profile.recipe):
            checkpoints.forget(folder)
        check_writable(output)
        sweep(output.parent, f"{output.stem}.")
        atomic_write(folder / "recipe", f"{profile.recipe}\n".encode())
        return _run(name, profile, config, output, progress)


def measure(network: nn.Module, images: datasets.Images, progress: bool = True) -> list[Measurement]:
    """Size and accuracy of the network's depthwise kernels in every setting of the sweep."""
    trained = kernels_of(network)
    measurements = []
    accuracies: dict[bytes, float] = {}
    with progress_bar("compressing", len(SWEEP), "settings", show=progress) as bar:
        for settings in SWEEP:
            coded = codec.encode(trained, settings)
            _, rate = bitstream.write(coded)
            decoded = codec.decode(coded)
            # of tied layers many settings leave the same weights
            weights = b"".join(layer.tobytes() for layer in decoded.values())
            if weights not in accuracies:
                load_kernels(network, decoded)
                accuracies[weights] = evaluate(network, images)
            accuracy = accuracies[weights]
            measurements.append(Measurement(settings.method, settings.bits, settings.loop, rate, accuracy))
            bar.update()
    load_kernels(network, trained)
    return measurements


def _run(name: str, profile: Profile, config: TrainConfig, output: Path, progress: bool) -> RunRecord:
    images = datasets.load(config.dataset)
    network_file = network_path(name, config)
    network, history = train(config, images, network_file.parent, progress)
    write_state_dict(network_file, arrays(network))
    kernels = kernels_of(network)
    measurements = measure(network, images, progress)
    record = RunRecord(
        profile=name,
        recipe=profile.recipe,
        config=config,
        inter_layer_weight=inter_layer_weight(config, len(images.train)),
        software={"ilwp": __version__, "python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in ("torch", "numpy", "scipy")},
        hardware=_hardware(),
        history=history,
        accuracy=history[-1].accuracy,
        seconds=sum(epoch.seconds for epoch in history),
        parameters=sum(p.numel() for p in network.parameters()),
        depthwise_weights=sum(k.size for k in kernels.values()),
        kernels_sha256=write_kernels(output, kernels),
        measurements=measurements,
    )
    write_record(output, record)
    return record


def _is_of_recipe(folder: Path, recipe: int) -> bool:
    """Whether the checkpoints in `folder`, if any, were made by this recipe."""
    stamp = folder / "recipe"
    return not stamp.exists() or stamp.read_bytes().strip() == str(recipe).encode()


def _hardware() -> dict[str, str]:
    if torch.cuda.is_available():
        return {"device": torch.cuda.get_device_name(), "precision": "bfloat16 autocast"}
    return {"device": f"CPU, {platform.machine()}, one thread", "precision": "float32"}
