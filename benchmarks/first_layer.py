"""What quantizing the first depthwise layer costs in accuracy (section 3.3); the runs' records have it at 32 bits.

    ILWP_DATA=... python benchmarks/first_layer.py    (`make bench-peers`; 5 minutes, all of them evaluating)

The committed MobileNets on CIFAR-10, one trained without the loss and one with it. The first layer gets as many bits as
the others. In a closed loop the second layer is predicted from what a decoder will have; in an open loop, from the
original kernels.
"""

import itertools
from dataclasses import replace

import numpy as np
import torch
from results import load, save

from ilwp.networks.tensors import load_tensors
from ilwp.paper import codec
from ilwp.paper.kernels import Kernels, depthwise_kernels
from ilwp.paper.methods import Loop, loops
from ilwp.paper.quantization import dequantize, of_range, quantize
from ilwp.paper.settings import Settings
from ilwp.training import datasets
from ilwp.training.train import evaluate

NETWORKS = {"baseline": "MobileNet", "lss": "MobileNet", "ill": "MobileNet, inter-layer loss"}
BITS = (8, 6, 4, 3)


def quantized(layer: np.ndarray, bits: int) -> np.ndarray:
    """A layer (c, kh, kw) float32 as the codec quantizes all others, predicted from nothing."""
    quantizer = of_range(float(layer.min()), float(layer.max()), bits, symmetric=True)
    return dequantize(quantize(layer, quantizer), quantizer).astype(np.float32)


def with_quantized_first(kernels: Kernels, settings: Settings) -> Kernels:
    """What a decoder makes of kernels whose first layer was quantized too."""
    name = next(iter(kernels))
    first = quantized(kernels[name], settings.bits)
    if settings.loop == "closed":
        return codec.decode_kernels(codec.encode_kernels(kernels | {name: first}, settings))
    return codec.decode_kernels(replace(codec.encode_kernels(kernels, settings), first=first))


def main() -> None:
    """Every method, loop and bit width."""
    torch.set_num_threads(1)
    images = datasets.load("cifar10")
    rows = []
    for method, name in NETWORKS.items():
        tensors, module = load(name)
        kernels = depthwise_kernels(tensors)

        loop: Loop
        for loop, bits in itertools.product(loops(method), BITS):
            decoded = with_quantized_first(kernels, Settings(method, bits, loop))
            load_tensors(module, tensors | {n: k[:, None] for n, k in decoded.items()})
            row = {"network": name, "method": method, "loop": loop, "bits": bits, "accuracy": evaluate(module, images)}
            print(row, flush=True)
            rows.append(row)
    save("first_layer", rows, ("numpy", "torch"))


if __name__ == "__main__":
    main()
