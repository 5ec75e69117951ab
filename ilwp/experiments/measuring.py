"""A trained network compressed every way: where the bits of each file go, and the accuracy after decoding it."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

from torch import nn

from ilwp.common.progress import progress_bar
from ilwp.experiments.controls import encode_against
from ilwp.experiments.records import Measurement
from ilwp.networks.tensors import kernels_of, load_kernels
from ilwp.paper import bitstream, codec
from ilwp.paper.kernels import Kernels
from ilwp.paper.methods import BITS, LOOPS, PAPER_METHODS, loops
from ilwp.paper.settings import Rate, Settings
from ilwp.training import datasets
from ilwp.training.train import evaluate

SWEEP = [
    Settings(method, bits, loop) for loop, method, bits in product(LOOPS, PAPER_METHODS, BITS) if loop in loops(method)
]


TARGET_BITS = 8  # of each later layer, in which a file would name the layer that it is predicted from


def measure(
    network: nn.Module, images: datasets.Images, progress: bool = True, targets: Sequence[int] | None = None
) -> list[Measurement]:
    """Size and accuracy of the network's depthwise kernels in every setting of the sweep.

    With `targets` in those of ill alone, each layer predicted from the earlier one named there, counted from 0.
    """
    sweep = SWEEP if targets is None else [settings for settings in SWEEP if settings.method == "ill"]
    trained = kernels_of(network)
    images = images.to(next(network.parameters()).device)
    measurements = []
    accuracies: dict[bytes, float] = {}
    with progress_bar("compressing", len(sweep), "settings", show=progress) as bar:
        for settings in sweep:
            rate, decoded = _coded(trained, settings, targets)
            # where layers are tied, many settings leave the same weights
            weights = b"".join(layer.tobytes() for layer in decoded.values())
            if weights not in accuracies:
                load_kernels(network, decoded)
                accuracies[weights] = evaluate(network, images)
            accuracy = accuracies[weights]
            measurements.append(Measurement(settings.method, settings.bits, settings.loop, rate, accuracy))
            bar.update()
    load_kernels(network, trained)
    return measurements


def _coded(kernels: Kernels, settings: Settings, targets: Sequence[int] | None) -> tuple[Rate, Kernels]:
    """Where a file's bits go, and what a decoder gets."""
    if targets is None:
        coded = codec.encode_kernels(kernels, settings)
        return bitstream.write_kernel_file(coded)[1], codec.decode_kernels(coded)
    coded, decoded = encode_against(kernels, targets, settings)
    rate = bitstream.write_kernel_file(coded)[1]
    return replace(rate, side=rate.side + TARGET_BITS * len(targets)), decoded
