"""What quantizing the first depthwise layer costs in accuracy (section 3.3); the runs' records have it at 32 bits.

    ILWP_DATA=... python benchmarks/first_layer.py    (`make bench-peers`; 5 minutes, all of them evaluating)

The committed MobileNets on CIFAR-10, one trained without the loss and one with it. The first layer gets as many bits as
the others. In a closed loop the second layer is predicted from what a decoder will have; in an open loop, from the
original kernels.
"""

import itertools
from dataclasses import replace

import numpy as np
from results import on_cifar, save

from ilwp.paper import codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import Method, loops
from ilwp.paper.quantization import dequantize, of_range, quantize
from ilwp.paper.settings import Settings

NETWORKS: dict[Method, str] = {"baseline": "MobileNet", "lss": "MobileNet", "ill": "MobileNet, inter-layer loss"}
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
    rows = []
    for method, name in NETWORKS.items():
        network = on_cifar(name)
        for loop, bits in itertools.product(loops(method), BITS):
            decoded = with_quantized_first(network.kernels, Settings(method, bits, loop))
            accuracy = network.accuracy(decoded)
            row = {"network": name, "method": method, "loop": loop, "bits": bits, "accuracy": accuracy}
            print(row, flush=True)
            rows.append(row)
    save("first_layer", rows, ("numpy", "torch"))


if __name__ == "__main__":
    main()
