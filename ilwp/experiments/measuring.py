"""A trained network compressed every way: where the bits of each file go, and the accuracy after decoding it."""

from itertools import product

from torch import nn

from ilwp.common.progress import progress_bar
from ilwp.experiments.records import Measurement
from ilwp.networks.tensors import kernels_of, load_kernels
from ilwp.paper import bitstream, codec
from ilwp.paper.methods import BITS, LOOPS, PAPER_METHODS, loops
from ilwp.paper.settings import Settings
from ilwp.training import datasets
from ilwp.training.train import evaluate

SWEEP = [
    Settings(method, bits, loop) for loop, method, bits in product(LOOPS, PAPER_METHODS, BITS) if loop in loops(method)
]


def measure(network: nn.Module, images: datasets.Images, progress: bool = True) -> list[Measurement]:
    """Size and accuracy of the network's depthwise kernels in every setting of the sweep."""
    trained = kernels_of(network)
    images = images.to(next(network.parameters()).device)
    measurements = []
    accuracies: dict[bytes, float] = {}
    with progress_bar("compressing", len(SWEEP), "settings", show=progress) as bar:
        for settings in SWEEP:
            coded = codec.encode_kernels(trained, settings)
            _, rate = bitstream.write_kernel_file(coded)
            decoded = codec.decode_kernels(coded)
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
