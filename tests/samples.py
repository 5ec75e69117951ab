"""Kernels, state dicts, a malicious pickle and a look into a folder that several test files use."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ilwp.paper.settings import Settings

SHAPES = {
    "random": ((3, 5, 2, 7), 3, 3),
    "one layer": ((4,), 3, 3),
    "one kernel a layer": ((1, 1, 1), 3, 3),
    "widening and narrowing": ((2, 9, 4), 5, 5),
    "oblong": ((2, 3), 1, 4),
}
# a network of ten weights, and settings that between them use every part of a file
SMALL = {"a.0.weight": np.float32([[[1, -2]], [[3, 4]]]), "a.1.weight": np.float32([[[1, -1]], [[3, 5]], [[2, -2]]])}
VARIANTS = [
    Settings("lss", bits=2),
    Settings("fss", bits=3, quantizer="affine", range="network"),
    Settings("ill", bits=2, loop="open", table="layer"),
    Settings("baseline", bits=4, table="layer", quantizer="affine"),
]


def kernels(channels: tuple[int, ...], height: int = 3, width: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    """Layers (c_i, height, width) float32 of normal weights, named as a network's."""
    rng = np.random.default_rng(seed)
    return {
        f"features.{i}.conv.weight": rng.standard_normal((c, height, width)).astype(np.float32)
        for i, c in enumerate(channels)
    }


def unusual_kernels() -> dict[str, dict[str, np.ndarray]]:
    """Random kernels of several shapes, and degenerate ones."""
    found = {name: kernels(*shape) for name, shape in SHAPES.items()}
    found["constant"] = {name: np.full_like(k, 0.3) for name, k in kernels((2, 4, 3)).items()}
    found["all zero"] = {name: np.zeros_like(k) for name, k in kernels((2, 4, 3)).items()}
    found["equal layers"] = dict.fromkeys(kernels((4, 4, 4)), kernels((4,))["features.0.conv.weight"])
    exponents = np.random.default_rng(1).integers(-40, 36, (9, 3, 3))
    found["huge dynamic range"] = {
        name: (k.astype(np.float64) * 10.0 ** exponents[: len(k)]).astype(np.float32)
        for name, k in kernels((4, 9, 6)).items()
    }
    return found


def state_dict(seed: int = 0) -> dict[str, np.ndarray]:
    """A little network of another's making: stem, three depthwise blocks, batch norm, classifier."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    tensors = {"stem.weight": normal(8, 3, 3, 3), "stem.running_mean": normal(8)}
    for i, channels in enumerate((8, 16, 12)):
        tensors[f"blocks.{i}.depthwise.weight"] = normal(channels, 1, 3, 3)
        tensors[f"blocks.{i}.batches"] = np.array(7 + i)
        tensors[f"blocks.{i}.pointwise.weight"] = normal(8, channels, 1, 1)
    return tensors | {"classifier.weight": normal(10, 8)}


def contents(folder: Path) -> dict[str, bytes]:
    """The files in a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


class Trap:
    """An object whose unpickling leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)
