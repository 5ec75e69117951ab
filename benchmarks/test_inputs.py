"""What real networks are tried on: crops of photographs at their own resolution, and enlarged CIFAR-10.

Neither has ImageNet's labels, so outputs are held against those of the network before compression.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import sklearn.datasets
import torch
from PIL import Image
from torch import nn

from ilwp.networks.tensors import load_tensors
from ilwp.training import datasets

SIDE, BATCH = 224, 20
PHOTOGRAPHS, ENLARGED, TEACHING = 104, 160, 200
FILES = (
    "astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png", "motorcycle_right.png",
    "retina.jpg", "hubble_deep_field.jpg", "coins.png", "camera.png", "ihc.png", "brick.png", "grass.png", "gravel.png",
)  # fmt: skip


def photographs() -> np.ndarray:
    """Crops (PHOTOGRAPHS, SIDE, SIDE, 3) uint8, in turn of each picture that scikit-image and scikit-learn carry."""
    spec = importlib.util.find_spec("skimage")
    folder = Path(str(spec.submodule_search_locations[0])) / "data"
    pictures = [np.asarray(Image.open(folder / file).convert("RGB")) for file in FILES]
    pictures += list(sklearn.datasets.load_sample_images().images)
    generator, crops = np.random.default_rng(0), []
    for number in range(PHOTOGRAPHS):
        picture = pictures[number % len(pictures)]
        height, width = picture.shape[:2]
        y, x = generator.integers(height - SIDE + 1), generator.integers(width - SIDE + 1)
        crops.append(picture[y : y + SIDE, x : x + SIDE])
    return np.stack(crops)


def enlarged() -> np.ndarray:
    """Test images of CIFAR-10 (ENLARGED, SIDE, SIDE, 3) uint8, enlarged with cubic splines."""
    return _enlarged(datasets.load("cifar10").test, ENLARGED)


def teaching(mean: tuple[float, ...], deviation: tuple[float, ...]) -> np.ndarray:
    """Training images of CIFAR-10 (TEACHING, 3, SIDE, SIDE) float32, enlarged alike, as a network takes them."""
    return normalised(_enlarged(datasets.load("cifar10").train, TEACHING), mean, deviation).numpy()


def normalised(images: np.ndarray, mean: tuple[float, ...], deviation: tuple[float, ...]) -> torch.Tensor:
    """Images (n, h, w, 3) uint8 as a network takes them, (n, 3, h, w) float32."""
    return ((torch.from_numpy(images) / 255 - torch.tensor(mean)) / torch.tensor(deviation)).permute(0, 3, 1, 2)


def pictures(mean: tuple[float, ...], deviation: tuple[float, ...]) -> dict[str, torch.Tensor]:
    """Both sets of test inputs as a network takes them."""
    both = {"photographs": photographs(), "enlarged": enlarged()}
    return {name: normalised(images, mean, deviation) for name, images in both.items()}


class Judge:
    """Holds a network's outputs for some inputs against those that it had with the tensors it was made with."""

    def __init__(self, network: nn.Module, inputs: Mapping[str, torch.Tensor]) -> None:
        self.network, self.inputs = network, inputs
        self.wanted = {name: self._outputs(name) for name in self.inputs}

    def compare(self, tensors: Mapping[str, np.ndarray], *names: str) -> dict[str, float]:
        """Of each set of inputs the SNR of the outputs in dB, and the share of inputs that get the same class.

        An offset that all classes share is no error. Without `names` all sets are tried.
        """
        load_tensors(self.network, tensors)
        found = {}
        for name in names or self.inputs:
            wanted, outputs = self.wanted[name], self._outputs(name)
            noise = float((outputs - wanted).square().sum())
            found[f"{name}_snr_db"] = 10 * float(np.log10(float(wanted.square().sum()) / noise)) if noise else np.inf
            found[f"{name}_agreement"] = float((wanted.argmax(1) == outputs.argmax(1)).float().mean())
        return found

    @torch.inference_mode()
    def _outputs(self, name: str) -> torch.Tensor:
        """Outputs (n, classes) float64 without what all classes of an input share."""
        outputs = torch.cat([self.network(batch) for batch in self.inputs[name].split(BATCH)]).double()
        return outputs - outputs.mean(1, keepdim=True)


def _enlarged(images: torch.Tensor, count: int) -> np.ndarray:
    chosen = np.random.default_rng(0).permutation(len(images))[:count]
    small = images[chosen].permute(0, 2, 3, 1).numpy()
    return np.stack([np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for one in small])
