"""Predict, subtract, quantize: depthwise kernels to integer levels and back (Fig. 1, Eq. 4).

    kernels -> encode_kernels -> CodedKernels -> bitstream.write_kernel_file -> bytes
    kernels <- decode_kernels <- CodedKernels <- bitstream.read_kernel_file  <- bytes

The first layer is kept as it is (section 3.3). Each later layer is predicted from layers before it. The closed loop
predicts from reconstructed kernels (Eq. 4). The open loop predicts from the original kernels (section 3.1); its error
grows with depth, because the decoder only has reconstructed ones.
"""

from dataclasses import dataclass

import numpy as np

from ilwp.common.errors import IlwpError
from ilwp.paper.kernels import Kernels, checked
from ilwp.paper.methods import Method
from ilwp.paper.prediction import predict, references
from ilwp.paper.quantization import Quantizer, dequantize, of_range, quantize
from ilwp.paper.settings import Settings


@dataclass(frozen=True)
class CodedKernels:
    """What a decoder needs: `first` (c_1, kh, kw) float32, and an entry for each later layer.

    `levels` are (c_i, kh, kw) int16; `indices` are (c_i,) int64, as `prediction.references` gives them.
    """

    settings: Settings
    names: tuple[str, ...]
    first: np.ndarray
    levels: tuple[np.ndarray, ...]
    indices: tuple[np.ndarray, ...]
    quantizers: tuple[Quantizer, ...]


def encode_kernels(kernels: Kernels, settings: Settings) -> CodedKernels:
    """Predict and quantize layers (c_i, kh, kw) float32 in network order.

    Raises IlwpError for kernels that cannot be coded: none, of mixed sizes, or not finite float32.
    """
    layers = [k.reshape(len(k), -1) for k in checked(kernels).values()]
    low, high = 0.0, 0.0
    coded, extremes = _encode(kernels, layers, settings, None)
    # One step for all layers must reach every residual, and in a closed loop the residuals depend on the step. Each
    # pass either stays in the range and ends the loop, or widens it. It cannot widen for ever: a step that is the same
    # float32 leaves the same residuals, and none is larger than four times the largest weight.
    while settings.range == "network" and extremes and not (low <= extremes[0] and extremes[1] <= high):
        low, high = min(low, extremes[0]), max(high, extremes[1])
        coded, extremes = _encode(kernels, layers, settings, (low, high))
    return coded


def decode_kernels(coded: CodedKernels) -> Kernels:
    """The reconstruction (c_i, kh, kw) float32, the same bits on every machine."""
    layers = [coded.first.reshape(len(coded.first), -1)]
    for levels, indices, quantizer in zip(coded.levels, coded.indices, coded.quantizers, strict=True):
        prediction = predict(coded.settings.method, indices, layers)
        layers.append(_reconstruct(prediction, levels.reshape(len(levels), -1), quantizer))
    size = coded.first.shape[1:]
    return {name: layer.reshape(-1, *size) for name, layer in zip(coded.names, layers, strict=True)}


def residuals(kernels: Kernels, method: Method) -> list[np.ndarray]:
    """R[i] = K[i] - prediction from the original kernels, (c_i, kh * kw) float64, from the second layer on."""
    layers = [k.reshape(len(k), -1) for k in checked(kernels).values()]
    before = [layers[:i] for i in range(1, len(layers))]
    return [k - predict(method, references(method, k, b), b) for k, b in zip(layers[1:], before, strict=True)]


def _encode(
    kernels: Kernels, layers: list[np.ndarray], settings: Settings, shared: tuple[float, float] | None
) -> tuple[CodedKernels, tuple[float, float] | None]:
    """The coded kernels and the least and greatest residual; `shared` is a range imposed on all layers."""
    method, symmetric = settings.method, settings.quantizer == "symmetric"
    first = next(iter(kernels.values()))
    reconstructed = [layers[0]]
    coded: list[tuple[np.ndarray, np.ndarray, Quantizer]] = []
    extremes: list[float] = []
    for i, layer in enumerate(layers[1:], start=1):
        before = reconstructed if settings.loop == "closed" else layers[:i]
        indices = references(method, layer, before)
        residual = layer - predict(method, indices, before)
        extremes += [float(residual.min()), float(residual.max())]
        least, greatest = shared or extremes[-2:]
        quantizer = of_range(least, greatest, settings.bits, symmetric)
        levels = quantize(residual, quantizer)
        coded.append((levels.reshape(-1, *first.shape[1:]), indices, quantizer))
        reconstructed.append(_reconstruct(predict(method, indices, reconstructed), levels, quantizer))
    levels_, indices_, quantizers_ = tuple(zip(*coded, strict=True)) or ((), (), ())
    result = CodedKernels(settings, tuple(kernels), first, levels_, indices_, quantizers_)
    return result, (min(extremes), max(extremes)) if extremes else None


def _reconstruct(prediction: np.ndarray, levels: np.ndarray, quantizer: Quantizer) -> np.ndarray:
    """Eq. 4: K^ = R~ + prediction, rounded to float32 once; raises IlwpError where that is not finite."""
    with np.errstate(over="ignore"):
        total: np.ndarray = (prediction + dequantize(levels, quantizer)).astype(np.float32)
    if not np.isfinite(total).all():
        raise IlwpError("the weights are too large for float32 once they are quantized")
    return total
