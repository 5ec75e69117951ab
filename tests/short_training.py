"""A short training run, and all that comes of it."""

from dataclasses import replace
from pathlib import Path

from ilwp.networks.tensors import arrays
from ilwp.training import datasets
from ilwp.training.recipe import Epoch, TrainConfig
from ilwp.training.train import train

SMALL = TrainConfig("cifar10", "mobilenet", inter_layer=1, width=0.1, epochs=3, batch_size=32, learning_rate=0.05)


def outcome(config: TrainConfig, images: datasets.Images, folder: Path) -> tuple[dict[str, bytes], list[Epoch]]:
    """All bits of a trained network, and its history without the time it took."""
    network, history = train(config, images, folder, progress=False)
    return {name: t.tobytes() for name, t in arrays(network).items()}, [replace(e, seconds=0.0) for e in history]
